//! Who takes the steps of a solve, and keeps what its gradients will need.

use crate::ctx::{Cost, Ctx};
use crate::solver::{SolveError, Solver, Step};

/// Takes each step of a solver and keeps what its gradients will need.
pub trait Recorder<P: ?Sized, S: Solver<P>> {
    /// Called at z_0, and again whenever the solver went back to z_0: what was recorded before is void.
    ///
    /// # Errors
    ///
    /// [`SolveError`] where the recorder's settings do not suit the problem.
    fn begin(&mut self, problem: &P, solver: &S, x: &[f64], state: &S::State, ctx: &mut Ctx) -> Result<(), SolveError>;

    /// Told before the first step and whenever a solve goes on: it is to end after `steps` steps, counted from z_0; `None`
    /// where a tolerance decides. It may end earlier, and go on later. A new [`Recorder::begin`] changes nothing about it.
    fn expect(&mut self, _steps: Option<usize>) {}

    /// Takes step t -> t + 1, with exactly the result of [`Solver::step`].
    ///
    /// # Errors
    ///
    /// Those of the step.
    fn step(
        &mut self,
        problem: &P,
        solver: &S,
        x: &[f64],
        state: &mut S::State,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError>;

    /// What recording cost beyond the steps themselves; its memory is what it holds, or has held at the most.
    fn cost(&self) -> Cost;
}

/// Records nothing: enough for g1 and g3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoTape;

impl<P: ?Sized, S: Solver<P>> Recorder<P, S> for NoTape {
    fn begin(&mut self, _: &P, _: &S, _: &[f64], _: &S::State, _: &mut Ctx) -> Result<(), SolveError> {
        Ok(())
    }

    fn step(
        &mut self,
        problem: &P,
        solver: &S,
        x: &[f64],
        state: &mut S::State,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        solver.step(problem, x, state, ctx)
    }

    fn cost(&self) -> Cost {
        Cost::default()
    }
}
