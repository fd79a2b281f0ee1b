//! g2 backwards: a_T = grad_z f(z_T, x), b = 0; for t = T-1 .. 0, b += (dA/dx)^T a, a <- (dA/dz)^T a; g2 = grad_x f + b.

use danskin_core::ctx::{Ctx, Phase};
use danskin_core::estimator::{EstimateError, Estimator, Gradient};
use danskin_core::outer::Outer;
use danskin_core::problem::Objective;
use danskin_core::solve::Solution;

use crate::rule::{Recorded, Unroll};
use crate::tape::Tape;

/// The automatic estimator g2 in reverse mode, over a [`Tape`]; it costs about as much as z_T.
///
/// A solution without a tape has no such gradient, and asking for it does not compile:
///
/// ```
/// use danskin_core::{design::Design, problem::{glm::Glm, loss::Squared}, solve::Solve, solver::GradientDescent};
/// use danskin_unrolled::{Automatic, Tape};
///
/// let problem = Glm::new(Design::dense(1, 1, vec![2.0])?, Squared, 0.1)?;
/// let solver = GradientDescent::default();
/// let solution = Solve::new(&problem, &solver, &[1.0]).record(Tape::new()).run()?;
/// let gradient = solution.gradient(&Automatic)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail,E0277
/// use danskin_core::{design::Design, problem::{glm::Glm, loss::Squared}, solve::Solve, solver::GradientDescent};
/// use danskin_unrolled::{Automatic, Tape};
///
/// let problem = Glm::new(Design::dense(1, 1, vec![2.0])?, Squared, 0.1)?;
/// let solver = GradientDescent::default();
/// let solution = Solve::new(&problem, &solver, &[1.0]).run()?;
/// let gradient = solution.gradient(&Automatic)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Automatic;

impl<P, S, F> Estimator<P, S, Tape, F> for Automatic
where
    P: Objective + ?Sized,
    S: Unroll<P>,
    F: Outer<P> + ?Sized,
{
    fn estimate(
        &self,
        solution: &Solution<'_, P, S, Tape>,
        outer: &F,
        ctx: &mut Ctx,
    ) -> Result<Gradient, EstimateError> {
        let (problem, x, tape) = (solution.problem(), solution.x(), solution.recorder());
        let mut value = vec![0.0; problem.parameter_len()];
        let mut dual = ctx.take_zeroed(solution.solver().tangent_len(problem));
        outer.grad_z(problem, solution.point(), &mut dual[..problem.latent_len()], ctx);
        let mut interrupted = false;
        for index in (0..tape.len()).rev() {
            let step = Recorded { problem, x, state: solution.state(), index, record: tape.record(index) };
            solution.solver().pull(step, &mut dual, &mut value, ctx);
            interrupted = ctx.tick(Phase::Reverse, tape.len() - index, tape.len()).is_break();
            if interrupted {
                break;
            }
        }
        ctx.give(dual);
        if interrupted {
            return Err(EstimateError::Interrupted);
        }
        outer.grad_x(problem, solution.point(), 1.0, &mut value, ctx);
        Ok(Gradient::new(value))
    }
}
