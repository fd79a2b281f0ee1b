//! Why a solve could not be done.

use thiserror::Error;

use crate::linear::LinearError;

/// Why a solve could not be done.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum SolveError {
    /// A vector has the wrong length.
    #[error("{what} has length {found}, expected {expected}")]
    Length {
        /// Which vector.
        what: &'static str,
        /// The length that the problem asks for.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// A vector holds NaN or infinity.
    #[error("{what}: entry {position} (from 0) is {value}, expected a finite number")]
    NotFinite {
        /// Which vector.
        what: &'static str,
        /// Where, from 0.
        position: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// A vector of masses holds a number that is not above 0.
    #[error("{what}: entry {position} (from 0) is {value}, expected a number above 0")]
    NotPositive {
        /// Which vector.
        what: &'static str,
        /// Where, from 0.
        position: usize,
        /// What was given.
        value: f64,
    },
    /// Masses to be moved and where they are to go have other sums.
    #[error("{what}: the sum is {found}, expected that of {against}, {expected}, but for rounding")]
    UnequalSums {
        /// Which vector.
        what: &'static str,
        /// Its sum.
        found: f64,
        /// Which vector has the right one.
        against: &'static str,
        /// That.
        expected: f64,
    },
    /// The step size is not a positive finite number.
    #[error("step is {step}, expected a finite number above 0")]
    InvalidStep {
        /// What was given.
        step: f64,
    },
    /// The lengths c (t0 + t)^-a are not positive finite numbers that never grow.
    #[error(
        "steps c (t0 + t)^-a: c is {scale}, t0 is {offset}, a is {exponent}, expected finite numbers, c and t0 above 0, a at least 0"
    )]
    InvalidDecay {
        /// c.
        scale: f64,
        /// t0.
        offset: f64,
        /// a.
        exponent: f64,
    },
    /// The momentum is out of its range.
    #[error("momentum is {momentum}, expected a number at least 0 and below 1")]
    InvalidMomentum {
        /// What was given.
        momentum: f64,
    },
    /// The tolerance is negative or NaN.
    #[error("tolerance is {tolerance}, expected a number at least 0")]
    InvalidTolerance {
        /// What was given.
        tolerance: f64,
    },
    /// A row has a negative weight, of which the solver knows nothing.
    #[error("the weight of row {row} (from 0) is {weight}, expected a number at least 0")]
    NegativeWeight {
        /// The row, from 0.
        row: usize,
        /// Its weight.
        weight: f64,
    },
    /// More rows than a 32-bit index can name.
    #[error("{rows} rows, expected at most {}", u32::MAX)]
    TooManyRows {
        /// Number of rows, n.
        rows: usize,
    },
    /// An automatic step was asked for, and the problem knows no bound on its curvature.
    #[error("the problem knows no bound on its curvature to choose a step from: give a step")]
    UnknownSmoothness,
    /// The bound on the curvature overflowed.
    #[error("the bound on the problem's curvature overflows: scale the data, or give a step")]
    InfiniteSmoothness,
    /// L rose at every automatic step tried, down to the one told.
    #[error("L rises even with a step of {step:e}: its derivatives are wrong, or it is not convex")]
    NoDescent {
        /// The last step tried.
        step: f64,
    },
    /// A step's linear system has no usable solution.
    #[error(transparent)]
    Linear(#[from] LinearError),
    /// The budget of memory is too small to record a solve in, however often its steps are taken again.
    #[error("a budget of {budget} bytes is too small to record the solve: it takes {least} at the least")]
    Budget {
        /// What was given.
        budget: u64,
        /// z_0 and the record of one step.
        least: u64,
    },
    /// What is to be recorded does not fit into memory.
    #[error("{bytes} bytes to record the solve could not be allocated")]
    OutOfMemory {
        /// What was asked for.
        bytes: u64,
    },
}

impl SolveError {
    /// A short name for reports, in kebab case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Length { .. }
            | Self::NotFinite { .. }
            | Self::NotPositive { .. }
            | Self::UnequalSums { .. }
            | Self::NegativeWeight { .. } => "invalid-vector",
            Self::TooManyRows { .. } => "too-many-rows",
            Self::InvalidStep { .. }
            | Self::InvalidDecay { .. }
            | Self::InvalidMomentum { .. }
            | Self::InvalidTolerance { .. }
            | Self::Budget { .. } => "invalid-setting",
            Self::UnknownSmoothness => "unknown-smoothness",
            Self::InfiniteSmoothness => "infinite-smoothness",
            Self::NoDescent { .. } => "no-descent",
            Self::Linear(_) => "linear-solve-failed",
            Self::OutOfMemory { .. } => "out-of-memory",
        }
    }
}

/// That `vector`, called `what` in messages, has length `expected` and finite entries.
///
/// # Errors
///
/// [`SolveError::Length`] or [`SolveError::NotFinite`].
pub fn check_vector(what: &'static str, expected: usize, vector: &[f64]) -> Result<(), SolveError> {
    if vector.len() != expected {
        return Err(SolveError::Length { what, expected, found: vector.len() });
    }
    match vector.iter().position(|v| !v.is_finite()) {
        Some(position) => Err(SolveError::NotFinite { what, position, value: vector[position] }),
        None => Ok(()),
    }
}
