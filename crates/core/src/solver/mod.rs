//! How L(., x) is minimised: the traits between solvers and everything else, and the solvers themselves, one file each.
//!
//! A [`Solver`] is immutable settings; `init` makes its [`State`] at z_0, `step` advances it. It never decides when to
//! stop: [`Solve`](crate::solve::Solve) does, for every solver alike.

mod backtracking;
mod coordinate_descent;
mod draws;
mod error;
mod gradient_descent;
mod heavy_ball;
mod lbfgs;
mod line_search;
mod nesterov;
mod newton;
mod proximal;
mod sgd;
mod sinkhorn;
mod step_size;
mod svrg;

pub use backtracking::{Backtracking, Trial};
pub use coordinate_descent::{CoordinateDescent, Sweeping};
pub use draws::Draws;
pub use error::{SolveError, check_vector};
pub use gradient_descent::{GradientDescent, Pace};
pub use heavy_ball::HeavyBall;
pub use lbfgs::{Curvature, Lbfgs};
pub use nesterov::{Inertia, Momentum, Nesterov};
pub use newton::{Newton, Search};
pub use proximal::{Fista, Ista, ProximalState};
pub use sgd::{Decay, Sgd, SgdState};
pub use sinkhorn::{Sinkhorn, SinkhornState};
pub use step_size::StepSize;
pub use svrg::{Svrg, SvrgState};

use crate::ctx::Ctx;
use crate::problem::{Objective, Point};
use crate::vector::norm;

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

    /// Whether the residual is a duality gap, no less than L(z_t, x) - l(x).
    fn residual_is_gap(&self) -> bool {
        false
    }

    /// Takes z_t out.
    fn into_latent(self) -> Vec<f64>
    where
        Self: Sized,
    {
        self.latent().to_vec()
    }

    /// z_t as a point, with what is known there.
    fn at<'a>(&'a self, x: &'a [f64]) -> Point<'a> {
        Point { z: self.latent(), x, memo: self.memo(), grad_z: self.grad_z() }
    }
}

/// A state for solvers of smooth problems that know the gradient at z_t itself; `C` is what else they carry.
#[derive(Clone, Debug)]
pub struct Iterate<C = ()> {
    /// z_t, length m. After a change, [`Iterate::evaluate`] brings what follows up to date.
    pub z: Vec<f64>,
    /// `grad_z L(z_t, x)`, length m.
    pub grad_z: Vec<f64>,
    /// The memo at z_t.
    pub memo: Vec<f64>,
    /// `‖grad_z L(z_t, x)‖`.
    pub residual: f64,
    /// What the solver carries beyond that.
    pub carried: C,
}

impl<C> Iterate<C> {
    /// The state at z = `initial`.
    #[must_use]
    pub fn new<P: Objective + ?Sized>(problem: &P, x: &[f64], initial: &[f64], carried: C, ctx: &mut Ctx) -> Self {
        let (grad_z, memo) = (vec![0.0; problem.latent_len()], vec![0.0; problem.memo_len()]);
        let mut state = Self { z: initial.to_vec(), carried, grad_z, memo, residual: f64::NAN };
        state.evaluate(problem, x, ctx);
        state
    }

    /// Computes gradient, memo and residual at z as it is now; one pass over D.
    pub fn evaluate<P: Objective + ?Sized>(&mut self, problem: &P, x: &[f64], ctx: &mut Ctx) {
        problem.grad_z(&self.z, x, &mut self.grad_z, &mut self.memo, ctx);
        self.residual = norm(&self.grad_z);
    }
}

/// What a solver carries beyond z_t, as numbers: for steps that are taken again from where the solver once stood.
pub trait Carry: Sized {
    /// Numbers that change from step to step, with z of length `latent`.
    fn saved_len(latent: usize) -> usize;

    /// Writes what changes from step to step.
    fn save(&self, out: &mut [f64]);

    /// What [`Carry::save`] wrote.
    fn restore(&mut self, saved: &[f64]);

    /// The same settings to take steps again by; what only finds out whether a step is right is left out.
    fn settled(&self) -> Self;
}

impl Carry for () {
    fn saved_len(_: usize) -> usize {
        0
    }

    fn save(&self, _: &mut [f64]) {}

    fn restore(&mut self, _: &[f64]) {}

    fn settled(&self) -> Self {}
}

impl<C: Carry> Iterate<C> {
    /// Numbers of a checkpoint, z of length `latent`: z_t and what the solver carries. Gradient and memo are computed again.
    #[must_use]
    pub fn checkpoint_len(latent: usize) -> usize {
        latent + C::saved_len(latent)
    }

    /// Writes where the solver stands.
    pub fn save(&self, checkpoint: &mut [f64]) {
        let (z, carried) = checkpoint.split_at_mut(self.z.len());
        z.copy_from_slice(&self.z);
        self.carried.save(carried);
    }

    /// Stands where [`Iterate::save`] was called, to the bit; one pass over D.
    pub fn restore<P: Objective + ?Sized>(&mut self, problem: &P, x: &[f64], checkpoint: &[f64], ctx: &mut Ctx) {
        let (z, carried) = checkpoint.split_at(self.z.len());
        self.z.copy_from_slice(z);
        self.carried.restore(carried);
        self.evaluate(problem, x, ctx);
    }

    /// A state of the same settings that stands nowhere before [`Iterate::restore`].
    #[must_use]
    pub fn blank(&self) -> Self {
        let zeros = |like: &[f64]| vec![0.0; like.len()];
        Self {
            z: zeros(&self.z),
            grad_z: zeros(&self.grad_z),
            memo: zeros(&self.memo),
            residual: f64::NAN,
            carried: self.carried.settled(),
        }
    }
}

impl<C: Send> State for Iterate<C> {
    fn latent(&self) -> &[f64] {
        &self.z
    }

    fn memo(&self) -> &[f64] {
        &self.memo
    }

    fn grad_z(&self) -> &[f64] {
        &self.grad_z
    }

    fn residual(&self) -> f64 {
        self.residual
    }

    fn into_latent(self) -> Vec<f64> {
        self.z
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
