//! The rule of coordinate descent: that of its sweeps, which the problem knows. Recorded are z before and after.

use danskin_core::ctx::Ctx;
use danskin_core::problem::coordinatewise::{Coordinatewise, Swept};
use danskin_core::solver::{CoordinateDescent, SolveError, Solver, State, Step, Sweeping};

use crate::replay::Replay;
use crate::rule::{Pulled, Recorded, Unroll};

fn swept(record: &[f64]) -> Swept<'_> {
    let (before, after) = record.split_at(record.len() / 2);
    Swept { before, after }
}

impl<P: Coordinatewise + ?Sized> Unroll<P> for CoordinateDescent {
    fn record_len(&self, problem: &P) -> usize {
        2 * problem.latent_len()
    }

    fn step_recorded(
        &self,
        problem: &P,
        x: &[f64],
        state: &mut Self::State,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let (before, after) = record.split_at_mut(problem.latent_len());
        before.copy_from_slice(state.latent());
        let step = self.step(problem, x, state, ctx)?;
        after.copy_from_slice(state.latent());
        Ok(step)
    }

    fn pull(&self, step: Recorded<'_, P, Self::State>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        step.problem.sweep_pull(step.state.columns(), step.x, swept(step.record), dual, out.x, ctx);
    }

    fn push(&self, step: Recorded<'_, P, Self::State>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        step.problem.sweep_push(step.state.columns(), step.x, swept(step.record), dx, tangent, ctx);
    }
}

impl<P: Coordinatewise + ?Sized> Replay<P> for CoordinateDescent {
    fn checkpoint_len(&self, problem: &P) -> usize {
        Sweeping::<P::Columns>::checkpoint_len(problem.latent_len(), problem.memo_len())
    }

    fn save(&self, state: &Self::State, checkpoint: &mut [f64]) {
        state.save(checkpoint);
    }

    fn restore(&self, _: &P, _: &[f64], checkpoint: &[f64], state: &mut Self::State, _: &mut Ctx) {
        state.restore(checkpoint);
    }

    fn blank(&self, state: &Self::State) -> Self::State {
        state.clone()
    }

    fn state_len(&self, problem: &P) -> usize {
        problem.latent_len() + problem.memo_len()
    }

    /// Nothing is computed again.
    fn restore_steps(&self) -> usize {
        0
    }
}
