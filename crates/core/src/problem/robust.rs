//! The worst perturbation of each row of D, at a price: distributionally robust learning.
//!
//! With x a linear model (p = m', the columns of D), z_i what is added to row i (m = n m') and gamma the price of moving,
//!
//! ```text
//! max_z 1/n sum_i [phi(u_i, y_i) - gamma/2 ‖z_i‖²],   u_i = <d_i + z_i, x>
//! ```
//!
//! is the loss of x on the worst distribution near that of the rows, in the Lagrangian form of a Wasserstein ball. L is that objective negated; l(x) = min_z L(z, x) is the worst loss,
//! negated. With r_i = phi_u and c_i = phi_uu at u_i:
//!
//! | | |
//! |---|---|
//! | grad_z L | 1/n (gamma z_i - r_i x) for each i |
//! | grad_x L | -1/n sum_i r_i (d_i + z_i) |
//! | L_zz v | 1/n (gamma v_i - c_i <x, v_i> x) for each i |
//! | L_xz v | -1/n sum_i (c_i <x, v_i> (d_i + z_i) + r_i v_i) |
//!
//! L is strongly convex where gamma exceeds c_i ‖x‖²: of the logistic loss with labels, where gamma > ‖x‖² / 4. Below that it may have several minima, and iterations of
//! g3 say where L_zz has negative curvature.
//!
//! Source: A. Sinha, H. Namkoong, J. Duchi, Certifying some distributional robustness with principled adversarial training, ICLR 2018.

use std::sync::Arc;

use thiserror::Error;

use super::loss::Loss;
use super::{Objective, Point, Problem};
use crate::ctx::Ctx;
use crate::design::Design;
use crate::vector::{axpy, dot};

/// Numbers that do not make a robust problem.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum RobustError {
    /// There is not one target for each row.
    #[error("{found} targets, expected {expected}, one for each row")]
    Targets {
        /// n.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// A target is infinite or NaN.
    #[error("target {position} (from 0) is {value}, expected a finite number")]
    Target {
        /// Where, from 0.
        position: usize,
        /// What was given.
        value: f64,
    },
    /// gamma is not a positive finite number.
    #[error("gamma is {gamma}, expected a finite number above 0")]
    Price {
        /// What was given.
        gamma: f64,
    },
}

/// -1/n sum_i \[phi(<d_i + z_i, x>, y_i) - gamma/2 ‖z_i‖²\], z row after row of a dense n x m' matrix.
#[derive(Clone, Debug)]
pub struct Robust<L> {
    design: Arc<Design>,
    targets: Vec<f64>,
    loss: L,
    gamma: f64,
}

impl<L: Loss> Robust<L> {
    /// The worst perturbations of the rows of `design` for `loss` against `targets`, at the price `gamma`.
    ///
    /// # Errors
    ///
    /// [`RobustError`] if there is not one finite target for each row, or gamma is not above 0.
    pub fn new(design: impl Into<Arc<Design>>, targets: Vec<f64>, loss: L, gamma: f64) -> Result<Self, RobustError> {
        let design = design.into();
        if targets.len() != design.rows() {
            return Err(RobustError::Targets { expected: design.rows(), found: targets.len() });
        }
        if let Some(position) = targets.iter().position(|y| !y.is_finite()) {
            return Err(RobustError::Target { position, value: targets[position] });
        }
        if !(gamma > 0.0 && gamma.is_finite()) {
            return Err(RobustError::Price { gamma });
        }
        Ok(Self { design, targets, loss, gamma })
    }

    /// D.
    #[must_use]
    pub fn design(&self) -> &Arc<Design> {
        &self.design
    }

    /// gamma.
    #[must_use]
    pub fn gamma(&self) -> f64 {
        self.gamma
    }

    /// z_i, or v_i, of each row.
    fn rows<'a>(&self, z: &'a [f64]) -> impl Iterator<Item = &'a [f64]> + use<'a, L> {
        z.chunks_exact(self.design.columns().max(1))
    }

    fn rows_mut<'a>(&self, z: &'a mut [f64]) -> impl Iterator<Item = &'a mut [f64]> + use<'a, L> {
        z.chunks_exact_mut(self.design.columns().max(1))
    }

    /// 1/n.
    fn share(&self) -> f64 {
        1.0 / self.targets.len().max(1) as f64
    }

    /// `out_i = <d_i + z_i, x>`, length n.
    fn dots(&self, z: &[f64], x: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.design.matrix().apply(x, out, ctx);
        out.iter_mut().zip(self.rows(z)).for_each(|(out, z)| *out += dot(z, x));
    }

    /// Calls `with(u)`: those of the memo, or computed.
    fn with_dots(&self, at: Point<'_>, with: impl FnOnce(&[f64], &mut Ctx), ctx: &mut Ctx) {
        if !at.memo.is_empty() {
            return with(at.memo, ctx);
        }
        let mut u = ctx.take(self.design.rows());
        self.dots(at.z, at.x, &mut u, ctx);
        with(&u, ctx);
        ctx.give(u);
    }

    /// `out += sum_i w_i (d_i + z_i)`.
    fn add_rows(&self, z: &[f64], weights: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        let mut sum = ctx.take(out.len());
        self.design.matrix().apply_transpose(weights, &mut sum, ctx);
        axpy(1.0, &sum, out);
        weights.iter().zip(self.rows(z)).for_each(|(weight, z)| axpy(*weight, z, out));
        ctx.give(sum);
    }
}

impl<L: Loss> Objective for Robust<L> {
    fn dims(&self) -> (usize, usize) {
        (self.design.rows() * self.design.columns(), self.design.columns())
    }

    /// u.
    fn memo_len(&self) -> usize {
        self.design.rows()
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        let mut losses = 0.0;
        let sum =
            |u: &[f64], _: &mut Ctx| losses = u.iter().zip(&self.targets).map(|(u, y)| self.loss.value(*u, *y)).sum();
        self.with_dots(at, sum, ctx);
        self.share() * (0.5 * self.gamma * dot(at.z, at.z) - losses)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
        let mut u = ctx.take(self.design.rows());
        self.dots(z, x, &mut u, ctx);
        for (((out, z), u), y) in self.rows_mut(out).zip(self.rows(z)).zip(&u).zip(&self.targets) {
            let slope = self.loss.first(*u, *y).0;
            out.iter_mut().zip(z).zip(x).for_each(|((out, z), x)| *out = self.share() * (self.gamma * z - slope * x));
        }
        if !memo.is_empty() {
            memo.copy_from_slice(&u);
        }
        ctx.give(u);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        let add = |u: &[f64], ctx: &mut Ctx| {
            let mut weights = ctx.take(u.len());
            for ((weight, u), y) in weights.iter_mut().zip(u).zip(&self.targets) {
                *weight = -scale * self.share() * self.loss.first(*u, *y).0;
            }
            self.add_rows(at.z, &weights, out, ctx);
            ctx.give(weights);
        };
        self.with_dots(at, add, ctx);
    }
}

impl<L: Loss> Problem for Robust<L> {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        let product = |u: &[f64], _: &mut Ctx| {
            for (((out, v), u), y) in self.rows_mut(out).zip(self.rows(v)).zip(u).zip(&self.targets) {
                let along = self.loss.second(*u, *y).0 * dot(at.x, v);
                out.iter_mut()
                    .zip(v)
                    .zip(at.x)
                    .for_each(|((out, v), x)| *out = self.share() * (self.gamma * v - along * x));
            }
        };
        self.with_dots(at, product, ctx);
    }

    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        let add = |u: &[f64], ctx: &mut Ctx| {
            let mut weights = ctx.take(u.len());
            for (((weight, v), u), y) in weights.iter_mut().zip(self.rows(v)).zip(u).zip(&self.targets) {
                let factor = -scale * self.share();
                *weight = factor * self.loss.second(*u, *y).0 * dot(at.x, v);
                axpy(factor * self.loss.first(*u, *y).0, v, out);
            }
            self.add_rows(at.z, &weights, out, ctx);
            ctx.give(weights);
        };
        self.with_dots(at, add, ctx);
    }

    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        let product = |u: &[f64], ctx: &mut Ctx| {
            let mut moved = ctx.take(u.len());
            self.dots(at.z, w, &mut moved, ctx);
            for (((out, moved), u), y) in self.rows_mut(out).zip(&moved).zip(u).zip(&self.targets) {
                let (slope, along) = (self.loss.first(*u, *y).0, self.loss.second(*u, *y).0 * moved);
                out.iter_mut()
                    .zip(w)
                    .zip(at.x)
                    .for_each(|((out, w), x)| *out = -self.share() * (slope * w + along * x));
            }
            ctx.give(moved);
        };
        self.with_dots(at, product, ctx);
    }

    /// phi is convex in u: what it takes away from gamma only makes L flatter.
    fn smoothness(&self, _: Point<'_>, _: &mut Ctx) -> Option<f64> {
        Some(self.share() * self.gamma)
    }

    /// 1/n (gamma - c ‖x‖²), c a bound on all c_i; 0 where that is not above 0, or c is not known.
    fn strong_convexity(&self, x: &[f64]) -> f64 {
        let curvature = self
            .targets
            .iter()
            .try_fold(0.0, |largest: f64, y| Some(largest.max(self.loss.curvature(*y, f64::INFINITY)?)));
        curvature.map_or(0.0, |curvature| self.share() * (self.gamma - curvature * dot(x, x)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::loss::Logistic;
    use crate::testing::random;

    #[test]
    fn what_is_no_robust_problem_is_refused() {
        let new = |targets: &[f64], gamma| {
            Robust::new(random::design(3, 2, 2, 1), targets.to_vec(), Logistic, gamma).unwrap_err()
        };
        assert_eq!(new(&[1.0; 2], 1.0), RobustError::Targets { expected: 3, found: 2 });
        assert_eq!(new(&[1.0, 1.0, f64::INFINITY], 1.0), RobustError::Target { position: 2, value: f64::INFINITY });
        for gamma in [0.0, -1.0, f64::INFINITY] {
            assert_eq!(new(&[1.0; 3], gamma), RobustError::Price { gamma });
        }
        assert!(matches!(new(&[1.0; 3], f64::NAN), RobustError::Price { .. }));
    }
}
