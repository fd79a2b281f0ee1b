//! g1 after a Newton step: grad_x L(z_T - v, x) with L_zz v = grad_z L at (z_T, x).
//!
//! z_T - v is as near to z* as the square of z_T's distance, and as what the residual of the solve leaves of it. g1 there has an error of that size, as g3 has, for
//! the same solve and one pass more; its certificate is B1 alone.
//!
//! Source: Newton's method, Dembo, Eisenstat, Steihaug, SIAM J. Numer. Anal. 1982, for inexact steps; Danskin 1967.

use danskin_core::ctx::Ctx;
use danskin_core::estimator::{EstimateError, Estimator, Gradient};
use danskin_core::linear::HessianSolver;
use danskin_core::outer::Envelope;
use danskin_core::problem::{Point, Problem};
use danskin_core::solve::Solution;
use danskin_core::solver::Solver;

use crate::estimator::solve_for_step;

/// The analytic estimator at z_T - v, v an inexact Newton step through any Hessian solver `H`: between g1 (no step) and g3.
///
/// ```
/// use danskin_core::{design::Design, problem::{glm::Glm, loss::Logistic}, solve::{Solve, Stop}, solver::GradientDescent};
/// use danskin_implicit::{AfterNewton, Cg};
///
/// let problem = Glm::new(Design::dense(2, 1, vec![2.0, 1.0])?, Logistic, 0.1)?;
/// let solver = GradientDescent::default();
/// let solution = Solve::new(&problem, &solver, &[1.0, -1.0]).stop(Stop::steps(5)).run()?;
/// let gradient = solution.gradient(&AfterNewton::new(Cg::default()).tolerance(1e-2))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AfterNewton<H> {
    hessian: H,
    tolerance: f64,
}

impl<H> AfterNewton<H> {
    /// With a step through `hessian`, to a relative residual of 1e-2: what a Newton step leaves is seldom less.
    #[must_use]
    pub fn new(hessian: H) -> Self {
        Self { hessian, tolerance: 1e-2 }
    }

    /// To a relative residual of `tolerance`.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }
}

impl<P, S, R, H> Estimator<P, S, R, Envelope> for AfterNewton<H>
where
    P: Problem + ?Sized,
    S: Solver<P>,
    H: HessianSolver<P>,
{
    fn estimate(
        &self,
        solution: &Solution<'_, P, S, R>,
        outer: &Envelope,
        ctx: &mut Ctx,
    ) -> Result<Gradient, EstimateError> {
        let (problem, at) = (solution.problem(), solution.point());
        let mut step = vec![0.0; problem.latent_len()];
        let solved = solve_for_step(&self.hessian, self.tolerance, problem, at, outer, &mut step, ctx);
        let improved: Vec<f64> = at.z.iter().zip(&step).map(|(z, step)| z - step).collect();
        let linear = solved?;
        let mut gradient = Gradient::new(vec![0.0; problem.parameter_len()]);
        problem.grad_x(Point::new(&improved, at.x), 1.0, &mut gradient.value, ctx);
        (gradient.linear, gradient.adjoint) = (Some(linear), Some(step));
        Ok(gradient)
    }
}
