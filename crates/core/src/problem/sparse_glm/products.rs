//! The values and products of a sparse generalised linear problem.

use super::{ElasticNet, SparseGlm};
use crate::certificate::{AnalyticBound, Unproved};
use crate::ctx::Ctx;
use crate::problem::composite::{Composite, Kinks};
use crate::problem::glm::{Glm, Wrt};
use crate::problem::loss::Loss;
use crate::problem::penalty::Unpenalised;
use crate::problem::{Objective, Point, Problem};

impl<L: Loss + Clone> Objective for SparseGlm<L> {
    fn dims(&self) -> (usize, usize) {
        self.smooth.dims()
    }

    fn memo_len(&self) -> usize {
        self.smooth.memo_len()
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        self.smooth.value(at, ctx) + self.regularisation(at.x).value(at.z)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
        self.smooth.grad_z(z, x, out, memo, ctx);
        self.least_subgradient(x, z, out);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        match self.smooth.differentiated() {
            Wrt::Regularisation => self.regularisation(at.x).add_grad_x(at.z, scale, out),
            _ => self.smooth.grad_x(at, scale, out, ctx),
        }
    }
}

impl<L: Loss + Clone> Composite for SparseGlm<L> {
    type Smooth = Glm<L, Unpenalised>;
    type Restricted = Glm<L, ElasticNet>;

    fn smooth(&self) -> &Self::Smooth {
        &self.smooth
    }

    fn smoothness(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<f64> {
        self.smooth.loss_smoothness_above(at, self.regularisation(at.x).value(at.z), ctx)
    }

    fn prox(&self, rho: f64, x: &[f64], z: &mut [f64]) {
        self.each(x, |parts, group, j| z[j] = self.penalty_of(group).prox(z[j], rho, parts));
    }

    fn prox_pull(&self, rho: f64, x: &[f64], z: &[f64], dual: &mut [f64], x_out: &mut [f64]) {
        let moves = self.smooth.differentiated() == Wrt::Regularisation && !x_out.is_empty();
        self.each(x, |[l, q], group, j| {
            dual[j] = if self.penalty_of(group).is_smooth(z[j], l) { dual[j] / (1.0 + rho * q) } else { 0.0 };
            if moves && l > 0.0 {
                x_out[group] -= dual[j] * rho * slope(z[j], [l, q]);
            }
        });
    }

    fn prox_push(&self, rho: f64, x: &[f64], z: &[f64], dx: &[f64], tangent: &mut [f64]) {
        let moves = self.smooth.differentiated() == Wrt::Regularisation;
        self.each(x, |[l, q], group, j| {
            let change = if moves && l > 0.0 { rho * slope(z[j], [l, q]) * dx[group] } else { 0.0 };
            tangent[j] =
                if self.penalty_of(group).is_smooth(z[j], l) { (tangent[j] - change) / (1.0 + rho * q) } else { 0.0 };
        });
    }

    fn least_subgradient(&self, x: &[f64], z: &[f64], gradient: &mut [f64]) {
        self.each(x, |[l, q], group, j| {
            let (g, penalty) = (gradient[j], self.penalty_of(group));
            gradient[j] = if penalty.is_smooth(z[j], l) {
                g + slope(z[j], [l, q])
            } else {
                // What is left after the best slope of l |z| in [-l, l], or below it where z can only rise.
                let beyond = penalty.beyond(g, l);
                if beyond > 0.0 {
                    beyond.copysign(g)
                } else if g.is_nan() {
                    g
                } else {
                    0.0
                }
            };
        });
    }

    fn gap(&self, primal: Point<'_>, dual: Point<'_>) -> Option<f64> {
        let (row, gradient) = (self.smooth.row(primal.x), dual.grad_z);
        let mut share = 1.0_f64;
        self.each(primal.x, |[l, q], group, j| {
            if q == 0.0 && self.penalty_of(group).beyond(gradient[j], l) > 0.0 {
                share = share.min(l / gradient[j].abs());
            }
        });
        let mut gap = 0.0;
        for i in 0..self.design().rows() {
            let weight = row.weight(i);
            if weight < 0.0 {
                return None;
            }
            if weight > 0.0 {
                gap += weight * row.loss.fenchel_young(primal.memo[i], dual.memo[i], row.targets[i], share)?;
            }
        }
        let mut free = false;
        self.each(primal.x, |[l, q], group, j| {
            free |= l == 0.0 && q == 0.0;
            let (z, g, penalty) = (primal.z[j], share * gradient[j], self.penalty_of(group));
            let held = l * z.abs() + 0.5 * q * z * z + g * z;
            let beyond = penalty.beyond(g, l);
            gap += if q > 0.0 && beyond > 0.0 { (held + 0.5 * beyond * beyond / q).max(0.0) } else { held.max(0.0) };
            if penalty.is_nonnegative() && z < 0.0 {
                gap = f64::INFINITY;
            }
        });
        // The dual point of a free column is orthogonal to it, which scaling does not make it.
        (!free).then_some(gap)
    }

    fn bound_by_gap(&self, at: Point<'_>) -> Result<AnalyticBound, Unproved> {
        self.error_by_gap(at)
    }

    fn support(&self, x: &[f64], z: &[f64]) -> Vec<usize> {
        let mut support = Vec::new();
        self.each(x, |[l, _], group, j| {
            if self.penalty_of(group).is_smooth(z[j], l) {
                support.push(j);
            }
        });
        support
    }

    fn restricted(&self, at: Point<'_>, support: &[usize]) -> (Self::Restricted, Vec<f64>) {
        (self.smooth.on_columns(at.x, support, self.penalty), self.smooth.targets(at.x).to_vec())
    }

    fn cross_on_support(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        match self.smooth.differentiated() {
            Wrt::Regularisation => {
                ctx.count_second_order_product();
                self.regularisation(at.x).add_cross(at.z, v, scale, out);
            }
            _ => self.smooth.cross(at, v, scale, out, ctx),
        }
    }

    fn cross_t_on_support(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        match self.smooth.differentiated() {
            Wrt::Regularisation => {
                ctx.count_second_order_product();
                out.fill(0.0);
                self.regularisation(at.x).add_cross_t(at.z, w, out);
            }
            _ => self.smooth.cross_t(at, w, out, ctx),
        }
    }

    fn kinks(&self, x: &[f64], z: &[f64], gradient: &[f64]) -> Kinks {
        let mut kinks = Kinks { support: 0, least: f64::INFINITY, slack: f64::INFINITY };
        self.each(x, |[l, _], group, j| {
            let penalty = self.penalty_of(group);
            if penalty.is_smooth(z[j], l) {
                kinks.support += 1;
                if l > 0.0 {
                    kinks.least = kinks.least.min(z[j].abs());
                }
            } else {
                // Without an l1 part it is the bound of z alone that holds, by the slope.
                let beyond = penalty.beyond(gradient[j], l);
                let unit = if l > 0.0 { l } else { beyond.abs() };
                kinks.slack = kinks.slack.min(if unit > 0.0 { -beyond / unit } else { 0.0 });
            }
        });
        kinks
    }
}

/// The derivative of l |z| + q z²/2 where z is not 0.
pub(super) fn slope(z: f64, [l, q]: [f64; 2]) -> f64 {
    if z == 0.0 { 0.0 } else { l * z.signum() + q * z }
}
