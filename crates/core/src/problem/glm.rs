//! Generalised linear problems: L(z, x) = sum_i phi((D z)_i, x_i) + lambda/2 ‖z‖², x in R^n the targets.
//!
//! With u = D z, and phi and its derivatives taken row by row:
//!
//! | product | formula | passes |
//! |---|---|---|
//! | `L` | `sum_i phi(u_i, x_i) + lambda/2 ‖z‖²` | 0 with the memo u |
//! | `grad_z L` | `D^T phi_u + lambda z` | 1 |
//! | `grad_x L` | `phi_y` | 0 with the memo u |
//! | `L_zz v` | `D^T (phi_uu * D v) + lambda v` | 1 |
//! | `L_xz v` | `phi_uy * (D v)` | 1, shared with `L_zz v` |
//! | `L_zx w` | `D^T (phi_uy * w)` | 1, shared with `L_zz v` |
//!
//! Without the memo, `L` and `grad_x L` cost a pass of their own; the second-order products read D z in the same pass.

use std::sync::Arc;

use thiserror::Error;

use super::loss::Loss;
use super::{AssembleHessian, Objective, Point, Problem, Work};
use crate::ctx::Ctx;
use crate::design::{Block, Design};
use crate::rowwise;
use crate::vector::{axpy, dot};

/// The penalty is negative, infinite or NaN.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("lambda is {lambda}, expected a finite number at least 0")]
pub struct InvalidPenalty {
    /// What was given.
    pub lambda: f64,
}

/// A generalised linear problem over a [`Design`]; its parameter x is the vector of targets, p = n.
#[derive(Clone, Debug)]
pub struct Glm<L> {
    design: Arc<Design>,
    loss: L,
    lambda: f64,
    hessian_rank_bound: usize,
}

/// An output in the space of x, `out += scale * ...`; nothing where `out` is empty.
struct Scaled<'a> {
    scale: f64,
    out: &'a mut [f64],
}

impl Scaled<'_> {
    fn nothing() -> Self {
        Self { scale: 0.0, out: &mut [] }
    }
}

/// A margin above the Lanczos estimate, which approaches the eigenvalue from below.
const SMOOTHNESS_MARGIN: f64 = 1.05;

impl<L: Loss> Glm<L> {
    /// sum_i phi((D z)_i, x_i) + lambda/2 ‖z‖².
    ///
    /// # Errors
    ///
    /// [`InvalidPenalty`] unless 0 <= lambda < infinity.
    pub fn new(design: impl Into<Arc<Design>>, loss: L, lambda: f64) -> Result<Self, InvalidPenalty> {
        if !(lambda >= 0.0 && lambda.is_finite()) {
            return Err(InvalidPenalty { lambda });
        }
        let design = design.into();
        let hessian_rank_bound = if lambda > 0.0 { design.columns() } else { design.rank_bound() };
        Ok(Self { design, loss, lambda, hessian_rank_bound })
    }

    /// D.
    #[must_use]
    pub fn design(&self) -> &Arc<Design> {
        &self.design
    }

    /// The largest eigenvalue of `D^T diag(c) D`, c the curvature of the losses on the sublevel set of `at`: the Lanczos
    /// estimate raised by 5 %, without the penalty's share. `None` where the loss knows no bound, infinite where it
    /// overflows.
    pub fn loss_smoothness(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<f64> {
        let level = self.value(at, ctx);
        let mut curvature = ctx.take(self.design.rows());
        let mut largest = Some(0.0_f64);
        for (c, &y) in curvature.iter_mut().zip(at.x) {
            let bound = self.loss.curvature(y, level);
            *c = bound.unwrap_or(f64::NAN);
            largest = largest.zip(bound).map(|(largest, bound)| largest.max(bound));
        }
        let estimate = largest.map(|largest| match largest {
            f64::INFINITY => f64::INFINITY,
            _ => SMOOTHNESS_MARGIN * self.design.largest_eigenvalue(&curvature, ctx),
        });
        ctx.give(curvature);
        estimate
    }

    /// Calls `read` with u = D z: the memo where there is one, else a scratch buffer filled by a pass.
    fn with_predictions<T>(&self, at: Point<'_>, ctx: &mut Ctx, read: impl FnOnce(&[f64], &mut Ctx) -> T) -> T {
        if at.memo.is_empty() {
            let mut u = ctx.take(self.design.rows());
            self.design.apply(at.z, &mut u, ctx);
            let result = read(&u, ctx);
            ctx.give(u);
            result
        } else {
            read(at.memo, ctx)
        }
    }

    /// Every second-order product is one pass of this form, with v and w 0 where they are not given:
    /// `z_out = D^T (phi_uu * D v + phi_uy * w) + lambda v` and `x_out += scale phi_uy * D v`; either output may be empty.
    fn second_order(
        &self,
        at: Point<'_>,
        v: Option<&[f64]>,
        w: Option<&[f64]>,
        z_out: &mut [f64],
        x_out: Scaled<'_>,
        ctx: &mut Ctx,
    ) {
        let Scaled { scale, out: x_out } = x_out;
        ctx.count_second_order_product();
        let recompute = at.memo.is_empty();
        let inputs: &[&[f64]] = match (v, recompute) {
            (Some(v), true) => &[v, at.z],
            (Some(v), false) => &[v],
            (None, true) => &[at.z],
            (None, false) => &[],
        };
        let u_input = usize::from(v.is_some());
        let link = |block: Block<'_>| {
            for (k, weight) in block.weights.iter_mut().enumerate() {
                let row = block.first + k;
                let u = if recompute { block.dots[u_input][k] } else { at.memo[row] };
                let (phi_uu, phi_uy) = self.loss.second(u, at.x[row]);
                let dv = if v.is_some() { block.dots[0][k] } else { 0.0 };
                *weight = phi_uu * dv;
                if let Some(w) = w {
                    *weight += phi_uy * w[row];
                }
                if let Some(out) = block.row_output.get_mut(k) {
                    *out += scale * phi_uy * dv;
                }
            }
        };
        self.design.pass(inputs, x_out, z_out, &link, ctx);
        if let Some(v) = v.filter(|_| !z_out.is_empty()) {
            axpy(self.lambda, v, z_out);
        }
    }
}

impl<L: Loss> Objective for Glm<L> {
    fn dims(&self) -> (usize, usize) {
        (self.design.columns(), self.design.rows())
    }

    fn memo_len(&self) -> usize {
        self.design.rows()
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        let losses =
            self.with_predictions(at, ctx, |u, ctx| rowwise::sum(u.len(), |i| self.loss.value(u[i], at.x[i]), ctx));
        losses + 0.5 * self.lambda * dot(at.z, at.z)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
        let link = |block: Block<'_>| {
            let u = block.dots[0];
            if !block.row_output.is_empty() {
                block.row_output.copy_from_slice(u);
            }
            for (k, weight) in block.weights.iter_mut().enumerate() {
                *weight = self.loss.first(u[k], x[block.first + k]).0;
            }
        };
        self.design.pass(&[z], memo, out, &link, ctx);
        axpy(self.lambda, z, out);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        self.with_predictions(at, ctx, |u, _| {
            rowwise::for_each(out, |i, out| *out += scale * self.loss.first(u[i], at.x[i]).1);
        });
    }
}

impl<L: Loss> Problem for Glm<L> {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.second_order(at, Some(v), None, out, Scaled::nothing(), ctx);
    }

    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        self.second_order(at, Some(v), None, &mut [], Scaled { scale, out }, ctx);
    }

    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.second_order(at, None, Some(w), out, Scaled::nothing(), ctx);
    }

    fn hess_cross(
        &self,
        at: Point<'_>,
        v: &[f64],
        hess_out: &mut [f64],
        scale: f64,
        cross_out: &mut [f64],
        ctx: &mut Ctx,
    ) {
        self.second_order(at, Some(v), None, hess_out, Scaled { scale, out: cross_out }, ctx);
    }

    fn grad_z_tangent(&self, at: Point<'_>, dz: &[f64], dx: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.second_order(at, Some(dz), Some(dx), out, Scaled::nothing(), ctx);
    }

    fn memo_replaces_latent(&self) -> bool {
        true
    }

    fn smoothness(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<f64> {
        Some(self.loss_smoothness(at, ctx)? + self.lambda)
    }

    fn strong_convexity(&self) -> f64 {
        self.lambda
    }

    fn hessian_rank_bound(&self) -> usize {
        self.hessian_rank_bound
    }
}

impl<L: Loss> AssembleHessian for Glm<L> {
    fn assemble_hessian(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        let mut curvature = ctx.take(self.design.rows());
        self.with_predictions(at, ctx, |u, _| {
            rowwise::for_each(&mut curvature, |i, c| *c = self.loss.second(u[i], at.x[i]).0);
        });
        self.design.weighted_gram(&curvature, out, ctx);
        out.iter_mut().step_by(self.design.columns() + 1).for_each(|diagonal| *diagonal += self.lambda);
        ctx.give(curvature);
    }

    fn work(&self) -> Work {
        Work { product: 2.0 * self.design.entries() as f64, assembly: self.design.gram_multiplications() }
    }
}
