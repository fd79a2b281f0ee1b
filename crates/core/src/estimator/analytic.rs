//! g1 = grad_x L(z_T, x).
//!
//! Source: Danskin 1967; Ablin, Peyre, Moreau 2020. Its error is that of z_T, to first order.

use super::{EstimateError, Estimator, Gradient};
use crate::ctx::Ctx;
use crate::outer::Envelope;
use crate::problem::Objective;
use crate::solve::Solution;
use crate::solver::Solver;

/// The analytic estimator g1: differentiate L in x as if z_T were z*.
///
/// Only for f = L: for any other outer function it misses the dependence of z* on x altogether, so that asking for it
/// does not compile.
///
/// ```
/// # use danskin_core::{design::Design, problem::{glm::Glm, loss::Squared}, solve::Solve, solver::GradientDescent};
/// use danskin_core::{estimator::Analytic, outer::{Envelope, Linear}};
/// # let problem = Glm::new(Design::dense(1, 1, vec![2.0])?, Squared, 0.1)?;
/// # let solver = GradientDescent::default();
/// # let solution = Solve::new(&problem, &solver, &[1.0]).run()?;
/// let gradient = solution.gradient_of(&Envelope, &Analytic)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail,E0277
/// # use danskin_core::{design::Design, problem::{glm::Glm, loss::Squared}, solve::Solve, solver::GradientDescent};
/// use danskin_core::{estimator::Analytic, outer::{Envelope, Linear}};
/// # let problem = Glm::new(Design::dense(1, 1, vec![2.0])?, Squared, 0.1)?;
/// # let solver = GradientDescent::default();
/// # let solution = Solve::new(&problem, &solver, &[1.0]).run()?;
/// let gradient = solution.gradient_of(&Linear(vec![1.0]), &Analytic)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Analytic;

impl<P: Objective + ?Sized, S: Solver<P>, R> Estimator<P, S, R, Envelope> for Analytic {
    fn estimate(
        &self,
        solution: &Solution<'_, P, S, R>,
        _outer: &Envelope,
        ctx: &mut Ctx,
    ) -> Result<Gradient, EstimateError> {
        let problem = solution.problem();
        let mut value = vec![0.0; problem.parameter_len()];
        problem.grad_x(solution.point(), 1.0, &mut value, ctx);
        Ok(Gradient::new(value))
    }
}
