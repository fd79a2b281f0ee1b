//! g2 backwards: a_T = grad_z f(z_T, x), b = 0; for t = T-1 .. 0, b += (dA/dx)^T a, a <- (dA/dz)^T a; g2 = grad_x f + b.

use danskin_core::ctx::Ctx;
use danskin_core::estimator::{EstimateError, Estimator, Gradient};
use danskin_core::outer::Outer;
use danskin_core::problem::Objective;
use danskin_core::solve::{Recorder, Solution};
use danskin_core::solver::Solver;

use crate::rule::{Pulled, Recorded, Unroll};

/// The automatic estimator g2 in reverse mode, over a [`Tape`](crate::Tape) or [`Checkpoints`](crate::Checkpoints); over a tape it costs
/// about as much as z_T. Over [`Tape::last`](crate::Tape::last) it is truncated.
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

/// Takes the index of a step and its record.
pub type Pull<'a> = &'a mut dyn FnMut(usize, &[f64], &mut Ctx);

/// A recorder whose records can be had backwards, which is what [`Automatic`] needs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` records nothing that the iterations could be differentiated backwards by",
    note = "`Automatic` needs a tape: `.record(Tape::new())` or `.record(Checkpoints::within(bytes))`"
)]
pub trait Reversible<P: ?Sized, S: Solver<P>>: Recorder<P, S> {
    /// Calls `pull` with each step whose record there is, from the last one on, without a gap. It ticks
    /// [`Phase::Reverse`](danskin_core::ctx::Phase::Reverse) at each step.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where a record cannot be had, or whoever watches asks to end.
    fn reverse(&self, solution: &Solution<'_, P, S, Self>, pull: Pull<'_>, ctx: &mut Ctx) -> Result<(), EstimateError>
    where
        Self: Sized;
}

impl<P, S, R, F> Estimator<P, S, R, F> for Automatic
where
    P: Objective + ?Sized,
    S: Unroll<P>,
    R: Reversible<P, S>,
    F: Outer<P> + ?Sized,
{
    fn estimate(&self, solution: &Solution<'_, P, S, R>, outer: &F, ctx: &mut Ctx) -> Result<Gradient, EstimateError> {
        let (problem, x, state) = (solution.problem(), solution.x(), solution.state());
        let mut value = vec![0.0; problem.parameter_len()];
        let mut dual = ctx.take_zeroed(solution.solver().tangent_len(problem));
        outer.grad_z(problem, solution.point(), &mut dual[..problem.latent_len()], ctx);
        let mut shift = vec![0.0; problem.latent_len()];
        let mut pull = |index: usize, record: &[f64], ctx: &mut Ctx| {
            let step = Recorded { problem, x, state, index, record };
            let mut out = Pulled { x: &mut value, shift: &mut shift };
            solution.solver().pull(step, &mut dual, &mut out, ctx);
        };
        let reversed = solution.recorder().reverse(solution, &mut pull, ctx);
        ctx.give(dual);
        reversed?;
        outer.grad_x(problem, solution.point(), 1.0, &mut value, ctx);
        let mut gradient = Gradient::new(value);
        // Of L itself, 0 leads to no better point.
        gradient.adjoint = Some(shift).filter(|shift| !outer.is_envelope() || shift.iter().any(|s| *s != 0.0));
        Ok(gradient)
    }
}
