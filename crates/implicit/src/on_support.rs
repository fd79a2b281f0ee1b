//! g3 where L has kinks: implicit differentiation on the support S, in which L is smooth,
//!
//! ```text
//! g3 = grad_x f - L_xz v,   v = 0 off S,   (L_zz v)_S = (grad_z f)_S,   all at (z_T, x)
//! ```
//!
//! a system of as many unknowns as S has coordinates. z*(x) is differentiable where S is that of z* and no coordinate off it is at the edge of its kink; how far
//! z_T is from such an edge is told ([`Gradient::kinks`]).
//!
//! Source: Bertrand, Klopfenstein, Blondel, Vaiter, Gramfort, Salmon, Implicit differentiation of Lasso-type models for hyperparameter optimization, ICML
//! 2020; Bertrand, Klopfenstein, Massias, Blondel, Vaiter, Gramfort, Salmon, Implicit differentiation for fast hyperparameter selection in non-smooth convex
//! learning, JMLR 23, 2022.

use danskin_core::ctx::Ctx;
use danskin_core::estimator::{EstimateError, Estimator, Gradient};
use danskin_core::linear::{HessianSolver, LinearSolve};
use danskin_core::outer::{Linear, Outer};
use danskin_core::problem::composite::Composite;
use danskin_core::problem::{Objective, Point};
use danskin_core::solve::Solution;
use danskin_core::solver::Solver;

use crate::estimator::{Implicit, solve_for_step};

/// The implicit estimator g3 of composite problems, over any Hessian solver `H` of the problem on its support.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OnSupport<H>(Implicit<H>);

impl<H> OnSupport<H> {
    /// g3 through `hessian`, to a relative residual of 1e-12.
    #[must_use]
    pub fn new(hessian: H) -> Self {
        Self(Implicit::new(hessian))
    }

    /// To a relative residual of `tolerance`.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self(self.0.tolerance(tolerance))
    }

    /// dz*/dx dx = -L_zz^{-1} L_zx dx on the support: the derivative of z* along `dx` (length p), of length m.
    ///
    /// # Errors
    ///
    /// [`EstimateError`], as for a gradient.
    pub fn tangent<P, S, R>(
        &self,
        solution: &Solution<'_, P, S, R>,
        dx: &[f64],
        ctx: &mut Ctx,
    ) -> Result<Vec<f64>, EstimateError>
    where
        P: Composite + ?Sized,
        S: Solver<P>,
        H: HessianSolver<P::Restricted>,
    {
        let (problem, at) = (solution.problem(), solution.point());
        let support = problem.support(at.x, at.z);
        let mut moved = vec![0.0; problem.latent_len()];
        problem.cross_t_on_support(at, dx, &mut moved, ctx);
        let rhs = support.iter().map(|&j| -moved[j]).collect();
        let (v, _) = self.solve(problem, at, &support, rhs, ctx)?;
        Ok(v)
    }

    /// v of length m, 0 off the support, with L_zz v = `rhs` on it.
    fn solve<P>(
        &self,
        problem: &P,
        at: Point<'_>,
        support: &[usize],
        rhs: Vec<f64>,
        ctx: &mut Ctx,
    ) -> Result<(Vec<f64>, Option<LinearSolve>), EstimateError>
    where
        P: Composite + ?Sized,
        H: HessianSolver<P::Restricted>,
    {
        let mut v = vec![0.0; problem.latent_len()];
        // Without a right-hand side there is nothing to solve, however singular the system.
        if rhs.iter().all(|b| *b == 0.0) {
            return Ok((v, None));
        }
        let (restricted, x) = problem.restricted(at, support);
        let z: Vec<f64> = support.iter().map(|&j| at.z[j]).collect();
        let mut on_support = vec![0.0; support.len()];
        let at = Point { z: &z, x: &x, memo: at.memo, grad_z: &[] };
        let Implicit { hessian, tolerance } = &self.0;
        let linear = solve_for_step(hessian, *tolerance, &restricted, at, &Linear(rhs), &mut on_support, ctx)?;
        support.iter().zip(on_support).for_each(|(&j, value)| v[j] = value);
        Ok((v, Some(linear)))
    }
}

impl<P, S, R, F, H> Estimator<P, S, R, F> for OnSupport<H>
where
    P: Composite + ?Sized,
    S: Solver<P>,
    F: Outer<P> + ?Sized,
    H: HessianSolver<P::Restricted>,
{
    fn estimate(&self, solution: &Solution<'_, P, S, R>, outer: &F, ctx: &mut Ctx) -> Result<Gradient, EstimateError> {
        let (problem, at) = (solution.problem(), solution.point());
        let (mut gradient_of_f, mut memo) = (vec![0.0; problem.latent_len()], vec![0.0; problem.memo_len()]);
        problem.smooth().grad_z(at.z, at.x, &mut gradient_of_f, &mut memo, ctx);
        let kinks = problem.kinks(at.x, at.z, &gradient_of_f);
        problem.least_subgradient(at.x, at.z, &mut gradient_of_f);
        let known = Point { memo: &memo, grad_z: &gradient_of_f, ..at };
        let support = problem.support(at.x, at.z);
        let mut slope = vec![0.0; problem.latent_len()];
        outer.grad_z(problem, known, &mut slope, ctx);
        let rhs = support.iter().map(|&j| slope[j]).collect();
        let (v, linear) = self.solve(problem, known, &support, rhs, ctx)?;
        let mut gradient = Gradient::new(vec![0.0; problem.parameter_len()]);
        problem.cross_on_support(known, &v, -1.0, &mut gradient.value, ctx);
        outer.grad_x(problem, known, 1.0, &mut gradient.value, ctx);
        (gradient.linear, gradient.adjoint, gradient.kinks) = (linear, Some(v), Some(kinks));
        Ok(gradient)
    }
}
