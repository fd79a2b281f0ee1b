//! How a solver goes back to where it stood, to take its steps again.

use danskin_core::ctx::Ctx;
use danskin_core::problem::{Objective, Problem};
use danskin_core::solver::{Backtracking, GradientDescent, HeavyBall, Iterate, Nesterov};

use crate::rule::Unroll;

/// A solver whose steps can be taken again, with the same bits, from a few numbers: what [`Checkpoints`](crate::Checkpoints) asks
/// of it.
///
/// A checkpoint should hold no more than what the rest is computed from: for gradient descent z_t alone, whose gradient is
/// computed again. For a state that is an [`Iterate`] whose `carried` is a [`Carry`](danskin_core::solver::Carry), every method
/// is one line: `Iterate` has them. [`check_replay`](crate::testing::check_replay) finds out whether the bits are the same.
#[diagnostic::on_unimplemented(
    message = "the steps of `{Self}` cannot be taken again from a checkpoint",
    note = "implement `Replay` for it, or record all of them: `Tape`"
)]
pub trait Replay<P: Objective + ?Sized>: Unroll<P> {
    /// Numbers of a checkpoint.
    fn checkpoint_len(&self, problem: &P) -> usize;

    /// Writes where `state` stands.
    fn save(&self, state: &Self::State, checkpoint: &mut [f64]);

    /// Brings `state`, one of [`Replay::blank`], to where [`Replay::save`] was called.
    fn restore(&self, problem: &P, x: &[f64], checkpoint: &[f64], state: &mut Self::State, ctx: &mut Ctx);

    /// A state to take steps again in, with the settings of `state` (a step size that was chosen). It must not go back to z_0
    /// where the steps taken before did not.
    fn blank(&self, state: &Self::State) -> Self::State;

    /// Numbers that such a state holds, for reports: by default a checkpoint, a gradient and a memo.
    fn state_len(&self, problem: &P) -> usize {
        self.checkpoint_len(problem) + problem.latent_len() + problem.memo_len()
    }

    /// What [`Replay::restore`] takes, in steps, by which checkpoints are set: 1 where it computes a gradient.
    fn restore_steps(&self) -> usize {
        1
    }
}

macro_rules! of_iterates {
    ($($solver:ty),*) => {
        $(impl<P: Problem + ?Sized> Replay<P> for $solver {
            fn checkpoint_len(&self, problem: &P) -> usize {
                Self::State::checkpoint_len(problem.latent_len())
            }

            fn save(&self, state: &Self::State, checkpoint: &mut [f64]) {
                state.save(checkpoint);
            }

            fn restore(&self, problem: &P, x: &[f64], checkpoint: &[f64], state: &mut Self::State, ctx: &mut Ctx) {
                state.restore(problem, x, checkpoint, ctx);
            }

            fn blank(&self, state: &Self::State) -> Self::State {
                Iterate::blank(state)
            }
        })*
    };
}

of_iterates!(GradientDescent, Nesterov, HeavyBall, Backtracking);
