//! From a solution z_T to a gradient: the trait between estimators and everything else, and the analytic one.

mod analytic;

pub use analytic::Analytic;

use thiserror::Error;

use crate::certificate::{Certificate, Uncertified};
use crate::ctx::{Cost, Ctx};
use crate::linear::{LinearError, LinearSolve};
use crate::outer::Envelope;
use crate::problem::Objective;
use crate::problem::composite::Kinks;
use crate::solve::{Recorder, Solution, Status};
use crate::solver::Solver;

/// An estimate of a gradient.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Gradient {
    /// The estimate, length p (or one number a direction, where directions were given).
    pub value: Vec<f64>,
    /// What it cost, beyond z_T.
    pub cost: Cost,
    /// The linear solve behind an implicit gradient.
    pub linear: Option<LinearSolve>,
    /// A bound on its error, or why there is none; [`Certified`](crate::certificate::Certified) asks for it.
    pub certificate: Result<Certificate, Uncertified>,
    /// v with L_zz v = grad_z f at z_T, about, that the estimator came by on its way, length m: the solution of the linear solve; what the duals of the reverse
    /// pass sum up to, with their steps. Where f is L, z_T - v is nearer to z* than z_T.
    pub adjoint: Option<Vec<f64>>,
    /// How far z_T is from where z*(x) has a kink, for problems that have some and estimators that look.
    pub kinks: Option<Kinks>,
}

impl Gradient {
    /// A gradient without a linear solve; its cost is filled in by [`Solution::gradient`].
    #[must_use]
    pub fn new(value: Vec<f64>) -> Self {
        let certificate = Err(Uncertified::NotAsked);
        Self { value, cost: Cost::default(), linear: None, certificate, adjoint: None, kinks: None }
    }
}

/// Why an estimator has no gradient to give.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum EstimateError {
    /// The solve diverged.
    #[error("the solve diverged at step {steps}: z is not finite")]
    Diverged {
        /// Steps taken until then.
        steps: usize,
    },
    /// The linear system of an implicit gradient has no usable solution.
    #[error(transparent)]
    Linear(#[from] LinearError),
    /// L falls for ever along z: it has no minimum, and z* does not exist.
    #[error("L falls for ever along z (a loss that no penalty holds back, as of separable labels): it has no minimum")]
    Unbounded,
    /// The gradient overflowed.
    #[error("entry {position} (from 0) of the gradient is {value}")]
    NotFinite {
        /// Where, from 0.
        position: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// What the estimator needs recorded does not fit into memory.
    #[error("{bytes} bytes to record the solve could not be allocated")]
    OutOfMemory {
        /// What was asked for.
        bytes: u64,
    },
    /// A step that was to be taken again for its record did not come out as before.
    #[error("step {step} (from 0) could not be taken again: what the solver saves and restores is not where it stood")]
    NotReplayed {
        /// t, of the step from t to t + 1.
        step: usize,
    },
    /// Whoever watches asked to end.
    #[error("interrupted")]
    Interrupted,
}

impl EstimateError {
    /// A short name for reports, in kebab case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Diverged { .. } => "diverged",
            Self::Unbounded => "unbounded",
            Self::Linear(LinearError::Singular { .. } | LinearError::RankDeficient { .. }) => "singular",
            Self::Linear(LinearError::NegativeCurvature { .. }) => "negative-curvature",
            Self::Linear(LinearError::TooLarge { .. }) => "too-large",
            Self::Linear(LinearError::Unsuited { .. } | LinearError::Preconditioner { .. }) => "unsuited",
            Self::Linear(LinearError::NotFinite) | Self::NotFinite { .. } => "not-finite",
            Self::OutOfMemory { .. } | Self::Linear(LinearError::OutOfMemory { .. }) => "out-of-memory",
            Self::NotReplayed { .. } => "not-replayed",
            Self::Interrupted | Self::Linear(LinearError::Interrupted) => "interrupted",
        }
    }
}

/// An estimator of the gradient of F(x) = f(z*(x), x) from z_T; f = L, the envelope, by default.
///
/// `R` is what was recorded on the way to z_T; an estimator that needs a tape is one only for solutions that hold it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` gives no gradient of `{F}` for a solution recorded by `{R}`",
    note = "unrolled estimators need a tape: `.record(Tape::new())` or `.record(Checkpoints::within(bytes))` for `Automatic`, `.record(Tangents::..)` for `Forward`",
    note = "`Analytic` is consistent for the envelope f = L alone: take `Automatic` or `Implicit` for another outer function"
)]
pub trait Estimator<P: ?Sized, S: Solver<P>, R, F: ?Sized = Envelope> {
    /// The gradient at `solution`. Callers go through [`Solution::gradient`], which measures its cost.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where there is none to give.
    fn estimate(&self, solution: &Solution<'_, P, S, R>, outer: &F, ctx: &mut Ctx) -> Result<Gradient, EstimateError>;
}

impl<P: Objective + ?Sized, S: Solver<P>, R: Recorder<P, S>> Solution<'_, P, S, R> {
    /// The gradient of l(x) = min_z L(z, x) by `estimator`.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where the estimator cannot give one here.
    pub fn gradient<E: Estimator<P, S, R>>(&self, estimator: &E) -> Result<Gradient, EstimateError> {
        self.gradient_of(&Envelope, estimator)
    }

    /// The gradient of F(x) = f(z*(x), x) by `estimator`, f = `outer`.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where the estimator cannot give one here.
    pub fn gradient_of<F, E>(&self, outer: &F, estimator: &E) -> Result<Gradient, EstimateError>
    where
        F: ?Sized,
        E: Estimator<P, S, R, F>,
    {
        self.gradient_in(outer, estimator, &mut Ctx::new())
    }

    /// As [`Solution::gradient_of`], within `ctx`: its scratch memory is reused, its watch is called.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where the estimator cannot give one here.
    pub fn gradient_in<F, E>(&self, outer: &F, estimator: &E, ctx: &mut Ctx) -> Result<Gradient, EstimateError>
    where
        F: ?Sized,
        E: Estimator<P, S, R, F>,
    {
        if self.status() == Status::Diverged {
            return Err(EstimateError::Diverged { steps: self.steps() });
        }
        let mark = ctx.mark();
        let mut gradient = estimator.estimate(self, outer, ctx)?;
        gradient.cost = ctx.since(mark);
        if let Ok(certificate) = &gradient.certificate {
            gradient.cost = gradient.cost.without(certificate.cost);
        }
        match gradient.value.iter().position(|v| !v.is_finite()) {
            Some(position) => Err(EstimateError::NotFinite { position, value: gradient.value[position] }),
            None => Ok(gradient),
        }
    }
}
