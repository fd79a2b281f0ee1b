//! How a command fails, and the exit code that says so.

use std::io::{self, Write};
use std::process::ExitCode;

use danskin::solver::SolveError;
use danskin::sparse::PathError;
use danskin_bench::compare::CompareError;
use thiserror::Error;

use crate::progress::INTERRUPTED_CODE;

/// Why there is no result.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Exit code 1.
    #[error("{0:#}")]
    Output(anyhow::Error),
    /// Exit code 2.
    #[error("{0:#}")]
    Input(anyhow::Error),
    /// Exit code 3.
    #[error("{0:#}")]
    Solve(anyhow::Error),
    /// Exit code 130, as shells report an interrupt.
    #[error("interrupted")]
    Interrupted,
}

/// Exit code of a run whose results are there but for an estimator that failed.
pub(crate) const ESTIMATOR_FAILED: u8 = 3;

impl From<SolveError> for Failure {
    fn from(error: SolveError) -> Self {
        match error {
            SolveError::Length { .. }
            | SolveError::NotFinite { .. }
            | SolveError::NotPositive { .. }
            | SolveError::NegativeWeight { .. }
            | SolveError::TooManyRows { .. }
            | SolveError::InvalidStep { .. }
            | SolveError::InvalidMomentum { .. }
            | SolveError::InvalidTolerance { .. }
            | SolveError::Budget { .. } => Self::Input(error.into()),
            _ => Self::Solve(error.into()),
        }
    }
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Solve(error) => error.into(),
            PathError::Problem(error) => Self::Input(error.into()),
            error => Self::Solve(error.into()),
        }
    }
}

impl From<CompareError> for Failure {
    fn from(error: CompareError) -> Self {
        match error {
            CompareError::Interrupted => Self::Interrupted,
            CompareError::Solve(error) => error.into(),
            CompareError::NoIterations => Self::Input(error.into()),
            error => Self::Solve(error.into()),
        }
    }
}

/// Says `text` on one line of stderr.
pub(crate) fn warn(text: &str) {
    let line = format!("danskin: {}\n", text.replace(['\n', '\r'], " "));
    // Nothing is left to be done where stderr is closed.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Says on one line of stderr what failed, and returns the exit code.
pub(crate) fn code(result: Result<ExitCode, Failure>) -> ExitCode {
    let failure = match result {
        Ok(code) => return code,
        Err(failure) => failure,
    };
    warn(&failure.to_string());
    ExitCode::from(match failure {
        Failure::Output(_) => 1,
        Failure::Input(_) => 2,
        Failure::Solve(_) => ESTIMATOR_FAILED,
        Failure::Interrupted => INTERRUPTED_CODE,
    })
}
