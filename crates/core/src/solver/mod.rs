//! How L(., x) is minimised: the traits between solvers and everything else, and the solvers themselves, one file each.
//!
//! A [`Solver`] is immutable settings; `init` makes its [`State`] at z_0, `step` advances it. It never decides when to
//! stop: [`Solve`](crate::solve::Solve) does, for every solver alike.

mod gradient_descent;
mod newton;

pub use gradient_descent::{GradientDescent, GradientDescentState, StepSize};
pub use newton::{Newton, NewtonState};

use crate::ctx::Ctx;
use crate::problem::Point;
use crate::solve::SolveError;

/// Where a solver stands after t steps. It carries what was computed at z_t, so that nothing is computed twice.
pub trait State: Send {
    /// z_t, length m.
    fn latent(&self) -> &[f64];

    /// The memo at z_t, or empty.
    fn memo(&self) -> &[f64] {
        &[]
    }

    /// `grad_z L(z_t, x)`, or empty if the solver does not compute it at z_t itself.
    fn grad_z(&self) -> &[f64] {
        &[]
    }

    /// How far z_t is from optimal: `‖grad_z L(z_t, x)‖` for smooth problems, another measure that vanishes exactly at
    /// the optimum for others. NaN or infinite once a number overflowed.
    fn residual(&self) -> f64;

    /// The step size, where the solver has one.
    fn step_size(&self) -> Option<f64> {
        None
    }

    /// z_t as a point, with what is known there.
    fn at<'a>(&'a self, x: &'a [f64]) -> Point<'a> {
        Point { z: self.latent(), x, memo: self.memo(), grad_z: self.grad_z() }
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// z_t became z_{t+1}.
    Advanced,
    /// A setting proved wrong (a step size too long): the state is at z_0 again, with a better one.
    Restarted,
    /// Nothing better than z_t can be found in this arithmetic; z_t was kept.
    Stalled,
}

/// A rule z_{t+1} = A(z_t, x).
pub trait Solver<P: ?Sized>: Sync {
    /// What it carries from step to step.
    type State: State;

    /// The state at z_0 = `initial`, length m.
    ///
    /// # Errors
    ///
    /// [`SolveError`] where the settings do not suit the problem.
    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError>;

    /// One step.
    ///
    /// # Errors
    ///
    /// [`SolveError`] where a part of the step failed.
    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError>;
}
