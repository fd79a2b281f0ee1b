//! What an experiment is.

use danskin::adaptive::AdaptiveError;
use danskin::ctx::Ctx;
use danskin::estimator::EstimateError;
use danskin::solver::SolveError;
use danskin_bench::plot::{Drawing, Picture};
use thiserror::Error;

use crate::table::Table;
use crate::verdict::Verdict;

/// How much is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// Less than a minute on two cores.
    #[default]
    Short,
    /// The sizes of the source.
    Full,
}

impl Size {
    /// One of two.
    pub(crate) fn pick<T>(self, short: T, full: T) -> T {
        match self {
            Self::Short => short,
            Self::Full => full,
        }
    }
}

/// Why an experiment came to no end.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// A solve failed.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// There is no gradient.
    #[error(transparent)]
    Estimate(EstimateError),
    /// No estimator could be chosen.
    #[error(transparent)]
    Adaptive(AdaptiveError),
    /// Whoever watches asked to end.
    #[error("interrupted")]
    Interrupted,
}

impl From<EstimateError> for Failure {
    fn from(error: EstimateError) -> Self {
        if error == EstimateError::Interrupted { Self::Interrupted } else { Self::Estimate(error) }
    }
}

impl From<AdaptiveError> for Failure {
    fn from(error: AdaptiveError) -> Self {
        match error {
            AdaptiveError::Solve(error) => error.into(),
            AdaptiveError::Estimate(error) => error.into(),
            error => Self::Adaptive(error),
        }
    }
}

/// What an experiment shows.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What theory predicts beside what was found.
    pub verdicts: Vec<Verdict>,
    /// What was measured.
    pub tables: Vec<Table>,
    /// The same as drawings, each with a short name for its file.
    pub drawings: Vec<(&'static str, Vec<Drawing>)>,
    /// Pictures, row by row, each sheet of them with a short name for its file.
    pub pictures: Vec<(&'static str, Vec<Vec<Picture>>)>,
    /// What follows from it in words and Markdown tables, each with a short name for its file.
    pub documents: Vec<(&'static str, String)>,
}

/// An experiment: what is measured, and what that shows.
pub trait Experiment: Sync {
    /// What is measured.
    type Measured;

    /// A short name, in kebab case.
    const NAME: &'static str;

    /// What it shows, on one line.
    const ABOUT: &'static str;

    /// Measures. Whatever is random is seeded: the numbers are the same at every run.
    ///
    /// # Errors
    ///
    /// [`Failure`]
    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Self::Measured, Failure>;

    /// What that shows.
    fn show(&self, measured: &Self::Measured) -> Outcome;
}

/// An [`Experiment`] whatever it measures.
pub trait Reproduction: Sync {
    /// A short name, in kebab case.
    fn name(&self) -> &'static str;

    /// What it shows, on one line.
    fn about(&self) -> &'static str;

    /// Measures, and shows it.
    ///
    /// # Errors
    ///
    /// [`Failure`]
    fn run(&self, size: Size, ctx: &mut Ctx) -> Result<Outcome, Failure>;
}

impl<E: Experiment> Reproduction for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn about(&self) -> &'static str {
        E::ABOUT
    }

    fn run(&self, size: Size, ctx: &mut Ctx) -> Result<Outcome, Failure> {
        Ok(self.show(&self.measure(size, ctx)?))
    }
}
