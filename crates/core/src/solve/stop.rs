//! When a solve ends, and how it ended.

use crate::solver::SolveError;

/// When a solve ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    steps: usize,
    tolerance: Option<f64>,
}

/// Steps at the most where only a tolerance is given.
const DEFAULT_CAP: usize = 10_000;

impl Default for Stop {
    /// A residual 1e-8 times that of z_0, or 10,000 steps.
    fn default() -> Self {
        Self::tolerance(1e-8)
    }
}

impl Stop {
    /// After exactly `steps` steps; 0 is valid.
    #[must_use]
    pub fn steps(steps: usize) -> Self {
        Self { steps, tolerance: None }
    }

    /// As soon as the residual of z_t is at most `tolerance` times that of z_0, within 10,000 steps unless
    /// [`Stop::within`] says otherwise.
    #[must_use]
    pub fn tolerance(tolerance: f64) -> Self {
        Self { steps: DEFAULT_CAP, tolerance: Some(tolerance) }
    }

    /// With at most `steps` steps.
    #[must_use]
    pub fn within(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Steps at the most.
    pub(super) fn cap(self) -> usize {
        self.steps
    }

    /// Steps where their number is known beforehand.
    pub(super) fn expected(self) -> Option<usize> {
        self.tolerance.is_none().then_some(self.steps)
    }

    pub(super) fn check(self) -> Result<(), SolveError> {
        match self.tolerance {
            Some(tolerance) if tolerance.is_nan() || tolerance < 0.0 => Err(SolveError::InvalidTolerance { tolerance }),
            _ => Ok(()),
        }
    }

    /// How a solve ends after `steps` steps at `residual`, if it does.
    pub(super) fn reached(self, steps: usize, residual: f64, initial_residual: f64) -> Option<Status> {
        match self.tolerance {
            Some(tolerance) if residual <= tolerance * initial_residual => Some(Status::Converged),
            _ if steps < self.steps => None,
            Some(_) => Some(Status::IterationCap),
            None => Some(Status::StepsTaken),
        }
    }
}

/// How a solve ended. Stopping early is no error: inexact z_t are what this project is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The number of steps asked for was taken; no tolerance was asked.
    StepsTaken,
    /// The tolerance was met.
    Converged,
    /// The tolerance was not met within the steps allowed.
    IterationCap,
    /// The solver found nothing better than z_t in this arithmetic before the tolerance was met.
    Stalled,
    /// An observer, or whoever watches, asked to end.
    Interrupted,
    /// A number overflowed: z_t or its gradient is not finite, and no gradient can be had from it.
    Diverged,
}

impl Status {
    /// A short name for reports, in kebab case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StepsTaken => "steps-taken",
            Self::Converged => "converged",
            Self::IterationCap => "iteration-cap",
            Self::Stalled => "stalled",
            Self::Interrupted => "interrupted",
            Self::Diverged => "diverged",
        }
    }
}
