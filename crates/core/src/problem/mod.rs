//! What is minimised: the traits between problems and everything else.
//!
//! With z in R^m (latent) and x in R^p (parameter), an [`Objective`] is a function L(z, x) with its first derivatives, a
//! [`Problem`] one that also has second derivatives:
//!
//! | symbol | shape | method |
//! |---|---|---|
//! | `L(z, x)` | scalar | [`Objective::value`] |
//! | `grad_z L` | m | [`Objective::grad_z`] |
//! | `grad_x L` | p | [`Objective::grad_x`] |
//! | `L_zz v` | m x m, v in R^m | [`Problem::hess`] |
//! | `L_xz v` | p x m, v in R^m | [`Problem::cross`] |
//! | `L_zx w` | m x p, w in R^p | [`Problem::cross_t`] |
//!
//! Outputs in the space of z overwrite. Outputs in the space of x accumulate with a scale, `out += scale * ...`, so that a
//! long sum over steps writes only what changes. No method returns a negated quantity.
//!
//! # Maxima, and games
//!
//! A maximum is the minimum of what is negated: for max_z f(z, x), f concave in z, the problem is L = -f. z* is the same, the value of the maximum is -l(x) and
//! its gradient minus that of l, by whichever estimator; bounds on errors stay as they are. Then
//!
//! | to solve | x goes |
//! |---|---|
//! | min_x min_z L | along minus the gradient: an alternative to minimising over both |
//! | min_x max_z f | along the gradient of l, L = -f: robust training ([`robust`]) |
//! | max_x min_z L | along the gradient of l: generators against discriminators |
//! | max_x max_z f | along minus the gradient of l, L = -f: transport between x and b ([`transport`]) |
//!
//! f must be strongly concave for errors to fall as those of minima do; a penalty on z makes it so.

mod assemble;
pub mod composite;
pub mod coordinatewise;
mod finite_sum;
pub mod glm;
pub mod loss;
pub mod penalty;
pub mod quadratic;
pub mod robust;
pub mod sparse_glm;
pub mod transport;

pub use assemble::{AssembleHessian, GramHessian, SparseHessian, Work};
pub use finite_sum::{Batch, FiniteSum};

use crate::certificate::{AnalyticBound, Changes, Effort, OuterChanges, Unproved};
use crate::ctx::Ctx;
use crate::solver::SolveError;

/// Where a derivative is taken, and what is already known there.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// The latent z, length m; may be empty where [`Problem::memo_replaces_latent`] holds and `memo` is given.
    pub z: &'a [f64],
    /// The parameter x, length p.
    pub x: &'a [f64],
    /// What [`Objective::grad_z`] left behind at this very point (D z for instance), or empty.
    pub memo: &'a [f64],
    /// `grad_z L` at this very point, length m, or empty if it is not known.
    pub grad_z: &'a [f64],
}

impl<'a> Point<'a> {
    /// The point (z, x), with nothing left behind by an earlier evaluation.
    #[must_use]
    pub fn new(z: &'a [f64], x: &'a [f64]) -> Self {
        Self { z, x, memo: &[], grad_z: &[] }
    }
}

/// A z, with what is known there.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The latent, length m.
    pub z: Vec<f64>,
    /// `grad_z L`, length m.
    pub grad_z: Vec<f64>,
    /// What [`Objective::grad_z`] left behind.
    pub memo: Vec<f64>,
}

impl Evaluated {
    /// `z`, by one gradient of `problem` at x.
    pub fn new<P: Objective + ?Sized>(problem: &P, z: Vec<f64>, x: &[f64], ctx: &mut Ctx) -> Self {
        let (mut grad_z, mut memo) = (vec![0.0; z.len()], vec![0.0; problem.memo_len()]);
        problem.grad_z(&z, x, &mut grad_z, &mut memo, ctx);
        Self { z, grad_z, memo }
    }

    /// A copy of `at`, evaluated where its gradient is not known.
    pub fn of<P: Objective + ?Sized>(problem: &P, at: Point<'_>, ctx: &mut Ctx) -> Self {
        if at.grad_z.is_empty() {
            return Self::new(problem, at.z.to_vec(), at.x, ctx);
        }
        Self { z: at.z.to_vec(), grad_z: at.grad_z.to_vec(), memo: at.memo.to_vec() }
    }

    /// The same, borrowed.
    #[must_use]
    pub fn at<'a>(&'a self, x: &'a [f64]) -> Point<'a> {
        Point { z: &self.z, x, memo: &self.memo, grad_z: &self.grad_z }
    }
}

/// A function L(z, x) and its first derivatives.
///
/// # Panics
///
/// Methods may panic where a slice has the wrong length; [`Solve::run`](crate::solve::Solve::run) checks them beforehand.
pub trait Objective: Sync {
    /// (m, p), the lengths of z and x.
    fn dims(&self) -> (usize, usize);

    /// m, the length of z.
    fn latent_len(&self) -> usize {
        self.dims().0
    }

    /// p, the length of x.
    fn parameter_len(&self) -> usize {
        self.dims().1
    }

    /// Length of the memo that [`Objective::grad_z`] leaves behind; 0 for none.
    fn memo_len(&self) -> usize {
        0
    }

    /// L(z, x).
    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64;

    /// `out = grad_z L(z, x)`, and the memo for later calls at this point unless `memo` is empty.
    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx);

    /// `out += scale grad_x L(z, x)`.
    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx);

    /// That x, of length p and finite, is one for which L is defined and may have a minimum. [`Solve::run`](crate::solve::Solve::run) asks before the first step.
    ///
    /// # Errors
    ///
    /// [`SolveError`] that tells what is wrong with it.
    fn check_parameter(&self, _x: &[f64]) -> Result<(), SolveError> {
        Ok(())
    }

    /// How far grad_z and grad_x can be from what was computed at `at`, over the points whose z is within `radius` of it; `None` where nothing is
    /// known. By it hypergradients of outer functions made of this one are certified.
    fn changes_within(&self, _at: Point<'_>, _radius: f64, _ctx: &mut Ctx) -> Option<Changes> {
        None
    }
}

/// An objective that is twice differentiable: the products that unrolling and implicit differentiation need.
pub trait Problem: Objective {
    /// `out = L_zz v`.
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx);

    /// `out = L_zz V` for several vectors at once: V and `out` hold `columns` numbers for each latent variable, one after another.
    /// Override it where a pass over D can serve them all.
    fn hess_columns(&self, at: Point<'_>, columns: usize, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        let m = self.latent_len();
        let (mut column, mut image) = (ctx.take(m), ctx.take(m));
        for k in 0..columns {
            column.iter_mut().zip(v.iter().skip(k).step_by(columns)).for_each(|(to, from)| *to = *from);
            self.hess(at, &column, &mut image, ctx);
            out.iter_mut().skip(k).step_by(columns).zip(&image).for_each(|(to, from)| *to = *from);
        }
        ctx.give(image);
        ctx.give(column);
    }

    /// `out += scale L_xz v`, from the space of z to that of x.
    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx);

    /// `out = L_zx w`, from the space of x to that of z.
    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx);

    /// `hess_out = L_zz v` and `cross_out += scale L_xz v`: one step of reverse unrolling. Override it where both fit in
    /// one pass.
    fn hess_cross(
        &self,
        at: Point<'_>,
        v: &[f64],
        hess_out: &mut [f64],
        scale: f64,
        cross_out: &mut [f64],
        ctx: &mut Ctx,
    ) {
        self.hess(at, v, hess_out, ctx);
        self.cross(at, v, scale, cross_out, ctx);
    }

    /// `out = L_zz dz + L_zx dx`, the derivative of grad_z L along (dz, dx): one step of forward unrolling. Override it
    /// where both fit in one pass.
    fn grad_z_tangent(&self, at: Point<'_>, dz: &[f64], dx: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        let mut part = ctx.take(out.len());
        self.hess(at, dz, &mut part, ctx);
        self.cross_t(at, dx, out, ctx);
        crate::vector::axpy(1.0, &part, out);
        ctx.give(part);
    }

    /// Whether the memo alone is enough for every second-order product, so that `at.z` may be empty.
    fn memo_replaces_latent(&self) -> bool {
        false
    }

    /// Whether L_zz and L_xz are the same at every z. A step then need not be recorded to be differentiated: the products are
    /// taken at z_T instead, and must not differ there by a bit.
    fn has_constant_second_derivatives(&self) -> bool {
        false
    }

    /// A bound, or an estimate slightly above, of the largest eigenvalue of L_zz on the sublevel set of `at`, from which
    /// steps are chosen; `None` if none is known, infinite if it overflows.
    fn smoothness(&self, _at: Point<'_>, _ctx: &mut Ctx) -> Option<f64> {
        None
    }

    /// mu with `L_zz(., x) >= mu` everywhere; 0 if none is known.
    fn strong_convexity(&self, _x: &[f64]) -> f64 {
        0.0
    }

    /// d, of length m, for which L(z + s d, x) is known to fall for all s >= 0, z that of `at`; it is looked for along z. L then has no minimum, and z* does
    /// not exist.
    fn falls_along(&self, _at: Point<'_>, _ctx: &mut Ctx) -> Option<Vec<f64>> {
        None
    }

    /// A bound on ‖grad_x L(z, x) - grad l(x)‖, z and x those of `at`: on the error of g1. It takes no pass over D where `at` holds gradient and memo,
    /// unless the norms of the rows of D depend on x or on groups of columns, and unless `effort` asks for one.
    ///
    /// # Errors
    ///
    /// [`Unproved`], with the reason, where none is known.
    fn analytic_bound(&self, _at: Point<'_>, _effort: Effort, _ctx: &mut Ctx) -> Result<AnalyticBound, Unproved> {
        Err(Unproved::Unknown)
    }

    /// Makes the constants sharper that bounds rest on, for good where they do not depend on x: a few passes over D.
    fn sharpen_bounds(&self, _x: &[f64], _ctx: &mut Ctx) {}

    /// d, of length m, along which L is the same at every z where it has a minimum at all, so that L_zz d = 0 and grad_z L is orthogonal to d; `None` where none is
    /// known. g3 then solves on what is orthogonal to d.
    fn flat_along(&self) -> Option<Vec<f64>> {
        None
    }

    /// How much rounding can have done to grad_x L at `at`, on account of what it is computed from too: of what is estimated, a part.
    fn rounding_of_gradient(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        let mut gradient = ctx.take_zeroed(self.parameter_len());
        self.grad_x(at, 1.0, &mut gradient, ctx);
        let found = f64::EPSILON * crate::vector::norm(&gradient);
        ctx.give(gradient);
        found
    }

    /// A bound on ‖L_xz L_zz^-1 r‖ at `at` over all r with ‖r‖ <= `residual`: what a linear solve that left r did to g3.
    ///
    /// # Errors
    ///
    /// [`Unproved`], with the reason, where none is known.
    fn linear_bound(&self, _at: Point<'_>, _residual: f64, _ctx: &mut Ctx) -> Result<f64, Unproved> {
        Err(Unproved::Unknown)
    }

    /// `cross = L_xz v` at `at` (length p), and a bound on the distance of grad_x f - L_xz v from the gradient of f(z*(x), x): `v` (length m)
    /// is thought to solve L_zz v = `rhs`, which is grad_z f at `at`. `outer` says how the derivatives of f change.
    ///
    /// # Errors
    ///
    /// [`Unproved`], with the reason, where no bound is known; `cross` is then not to be read.
    fn adjoint_bound(
        &self,
        _at: Point<'_>,
        _v: &[f64],
        _rhs: &[f64],
        _cross: &mut [f64],
        _outer: OuterChanges<'_>,
        _ctx: &mut Ctx,
    ) -> Result<AnalyticBound, Unproved> {
        Err(Unproved::Unknown)
    }

    /// A number that the rank of L_zz nowhere exceeds; m if no better one is known. Below m, the Hessian is singular.
    fn hessian_rank_bound(&self) -> usize {
        self.latent_len()
    }
}
