//! A gradient to a tolerance: how z is computed, how accurately, and when to stop are chosen on the way.
//!
//! Among the estimators, g1 at a better point is never worse certified than any other through that point (the bound of the others is the distance from it more), so that the question is how to get at such a point
//! for the fewest passes over D. Two ways are taken in turn, each as long as it is predicted to be the shorter one:
//!
//! - steps of a solver, L-BFGS unless another is given: a pass each, and vector operations beside it. What is left is predicted by the rate of the last ones. Of another
//!   solver's last iterates an Anderson mixture is looked at as well, a pass, and taken where it halves the gradient; L-BFGS makes as much of its own;
//! - Newton steps z - v, v solved for as exactly as the tolerance needs and no more: L_zz v = grad_z L to a relative residual of about half of what the bound has to fall by. g1 there is what g3 is
//!   compared with. What a solve takes is predicted by the rate of the one before.
//!
//! g2 is not among the ways, and nothing is recorded: z_T - s, what a reverse pass over T steps comes by, is T iterations of the same solver on the linear system of the Newton
//! step, with the Hessians of the way to z_T; for gradient descent a polynomial of degree T in the Hessian, of which conjugate gradient finds the best.
//!
//! The bound B1(z) ([`Problem::analytic_bound`](danskin_core::problem::Problem::analytic_bound)) costs no pass, and is looked at whenever it is predicted to be met, or has not been for a while.
//! No clock takes part but in [`Adaptive::seconds`]: the same request gives the same bits.

mod look;
mod run;

use danskin_core::ctx::{Cost, Ctx};
use danskin_core::estimator::{EstimateError, Gradient};
use danskin_core::linear::{HessianSolver, LinearSolve};
use danskin_core::problem::AssembleHessian;
use danskin_core::solver::{Lbfgs, SolveError, Solver};
use danskin_implicit::Auto;
use thiserror::Error;

use run::Run;

/// Pairs that mixtures are made of.
const MIXED: usize = 10;

/// How accurate a gradient is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// ‖g - grad l(x)‖ at most this.
    Absolute(f64),
    /// ‖g - grad l(x)‖ at most so many times ‖grad l(x)‖.
    Relative(f64),
}

impl Accuracy {
    /// What the bound of a gradient of norm `size` must be at most: ‖grad l‖ is at least the norm less the bound.
    fn bound(self, size: f64) -> f64 {
        match self {
            Self::Absolute(bound) => bound,
            Self::Relative(share) => share / (1.0 + share) * size,
        }
    }
}

/// A gradient of l(x) to a tolerance, by whatever takes the fewest passes.
///
/// ```
/// use danskin::adaptive::{Accuracy, Adaptive, Outcome};
/// use danskin::prelude::*;
///
/// let design = Design::from_triplets(3, 2, &[(0, 0, 1.0), (1, 1, 2.0), (2, 0, -1.0), (2, 1, 0.5)])?;
/// let problem = Glm::new(design, Logistic, 0.1)?;
/// let found = Adaptive::new(Accuracy::Relative(1e-6)).gradient(&problem, &[1.0, -1.0, 1.0])?;
/// assert_eq!(found.outcome, Outcome::Met);
/// println!("{:?} within {:.1e}: {}", found.gradient.value, found.gradient.certificate?.bound, found.why());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "nothing is computed before `gradient`"]
pub struct Adaptive<S = Lbfgs> {
    accuracy: Accuracy,
    solver: S,
    name: &'static str,
    /// Pairs of the solver's trail.
    trail: usize,
    steps: usize,
    seconds: f64,
    bytes: u64,
}

impl Adaptive {
    /// To `accuracy`, by L-BFGS and Newton steps.
    pub fn new(accuracy: Accuracy) -> Self {
        let (steps, seconds, bytes) = (usize::MAX, f64::INFINITY, u64::MAX);
        Self { accuracy, solver: Lbfgs::default(), name: "lbfgs", trail: 0, steps, seconds, bytes }
    }
}

impl<S> Adaptive<S> {
    /// With the steps of `solver`, called `name`, in the place of L-BFGS's, and mixtures of them.
    pub fn solver<S2>(self, solver: S2, name: &'static str) -> Adaptive<S2> {
        let Self { accuracy, steps, seconds, bytes, .. } = self;
        Adaptive { accuracy, solver, name, trail: MIXED, steps, seconds, bytes }
    }

    /// With at most so many steps, of whatever kind. Where they do not do, g1 after one Newton step more is the estimator, as g3 would be.
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// With no step begun after so many seconds.
    pub fn seconds(self, seconds: f64) -> Self {
        Self { seconds, ..self }
    }

    /// With at most so many bytes for factorisations.
    pub fn memory(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The bound is within the tolerance.
    Met,
    /// Rounding is more than the tolerance, or z cannot be improved in this arithmetic.
    FloorReached,
    /// The steps or seconds were used up.
    BudgetExhausted,
    /// The same, or the floor, with z so far from z* that the bound says little.
    NotLocalised,
    /// Whoever watches asked to end.
    Interrupted,
}

impl Outcome {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::FloorReached => "floor-reached",
            Self::BudgetExhausted => "budget-exhausted",
            Self::NotLocalised => "not-localised",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Some steps of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The solver's name, or `newton`.
    pub method: &'static str,
    /// Steps taken.
    pub steps: usize,
    /// Anderson mixtures of them that were taken.
    pub mixtures: usize,
    /// What they cost.
    pub cost: Cost,
    /// The linear solve of a Newton step, and the relative residual asked of it.
    pub linear: Option<(LinearSolve, f64)>,
    /// ‖grad_z L‖ at its end.
    pub residual: f64,
    /// The bound at its end; infinite where there is none.
    pub bound: f64,
    /// Passes predicted for the rest by the first solver, and by Newton's method, before it: `None` where nothing is known yet.
    pub predicted: [Option<f64>; 2],
}

/// A gradient, how it came about and how well it met what was asked.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// g1 at `z`, with its certificate.
    pub gradient: Gradient,
    /// z, length m.
    pub z: Vec<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// The bound that was to be met.
    pub asked: f64,
    /// L(z, x).
    pub value: f64,
    /// ‖grad_z L(z, x)‖.
    pub residual: f64,
    /// All of it.
    pub cost: Cost,
    /// What was done, in order.
    pub stages: Vec<Stage>,
}

impl Chosen {
    /// Steps of all kinds.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.stages.iter().map(|stage| stage.steps).sum()
    }

    /// What was done and why, on one line.
    #[must_use]
    pub fn why(&self) -> String {
        let mut parts = Vec::new();
        for stage in &self.stages {
            let reason = match (stage.predicted, stage.method) {
                ([Some(first), Some(newton)], _) if first.is_infinite() && newton.is_infinite() => String::new(),
                ([Some(first), Some(newton)], "newton") => {
                    format!(", {newton:.0} passes predicted instead of {first:.0}")
                }
                ([Some(first), Some(newton)], _) => format!(", {first:.0} passes predicted instead of {newton:.0}"),
                _ => String::new(),
            };
            let how = match &stage.linear {
                Some((linear, tolerance)) => {
                    format!("a Newton step by {} to {tolerance:.0e}{reason}", linear.method)
                }
                None => {
                    let steps = if stage.steps == 1 { "a step".to_owned() } else { format!("{} steps", stage.steps) };
                    let mixtures = match stage.mixtures {
                        0 => String::new(),
                        1 => " and a mixture".to_owned(),
                        count => format!(" and {count} mixtures"),
                    };
                    format!("{steps} of {}{mixtures}{reason}", stage.method)
                }
            };
            parts.push(how);
        }
        if parts.is_empty() { "no step was taken".to_owned() } else { parts.join("; then ") }
    }
}

/// Why there is no gradient at all.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum AdaptiveError {
    /// The solver could not begin, or failed.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// z is not finite, or the gradient is not.
    #[error(transparent)]
    Estimate(#[from] EstimateError),
    /// The accuracy asked for is no number above 0.
    #[error("a tolerance of {tolerance}, expected a finite number above 0")]
    Tolerance {
        /// What was asked for.
        tolerance: f64,
    },
    /// The limit of seconds is no number.
    #[error("a limit of {seconds} seconds, expected a number")]
    Seconds {
        /// What was asked for.
        seconds: f64,
    },
    /// The share of a bound in its gradient, of a descent, is no proper one.
    #[error("a share of {share}, expected a number above 0 and below 1")]
    Share {
        /// What was asked for.
        share: f64,
    },
}

impl<S> Adaptive<S> {
    /// The gradient of l at x, from z_0 = 0.
    ///
    /// # Errors
    ///
    /// [`AdaptiveError`] where there is none. A tolerance that was not met is an [`Outcome`].
    pub fn gradient<P>(&self, problem: &P, x: &[f64]) -> Result<Chosen, AdaptiveError>
    where
        P: AssembleHessian + ?Sized,
        S: Solver<P>,
        Auto: HessianSolver<P>,
    {
        self.gradient_in(problem, x, None, &mut Ctx::new())
    }

    /// The same from `initial` (length m; 0 where `None`), within `ctx`.
    ///
    /// # Errors
    ///
    /// As [`Adaptive::gradient`].
    pub fn gradient_in<P>(
        &self,
        problem: &P,
        x: &[f64],
        initial: Option<&[f64]>,
        ctx: &mut Ctx,
    ) -> Result<Chosen, AdaptiveError>
    where
        P: AssembleHessian + ?Sized,
        S: Solver<P>,
        Auto: HessianSolver<P>,
    {
        let (Accuracy::Absolute(tolerance) | Accuracy::Relative(tolerance)) = self.accuracy;
        if !(tolerance > 0.0 && tolerance.is_finite()) {
            return Err(AdaptiveError::Tolerance { tolerance });
        }
        if self.seconds.is_nan() {
            return Err(AdaptiveError::Seconds { seconds: self.seconds });
        }
        let mark = ctx.mark();
        let zeros = if initial.is_none() { vec![0.0; problem.latent_len()] } else { Vec::new() };
        let mut chosen = Run::begin(self, problem, x, initial.unwrap_or(&zeros), ctx)?.go(ctx)?;
        chosen.cost = ctx.since(mark);
        chosen.gradient.cost = Cost::default();
        match chosen.gradient.value.iter().position(|v| !v.is_finite()) {
            Some(position) => Err(EstimateError::NotFinite { position, value: chosen.gradient.value[position] }.into()),
            None => Ok(chosen),
        }
    }
}
