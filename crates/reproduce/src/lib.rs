//! The experiments of the source, each with the theory that it tests: what is measured is fitted, and a verdict says whether the fit is
//! what theory predicts.
//!
//! An [`Experiment`] measures, and then shows: verdicts, tables and drawings are computed from what was measured alone, so that a
//! measurement that is broken on purpose must fail. Times decide nothing.
//!
//! Source: Ablin, Peyré, Moreau, Super-efficiency of automatic differentiation for functions defined as a minimum, ICML 2020.

mod alternate;
mod barycentre;
mod burn_in;
mod decay;
mod errors;
mod estimate;
mod experiment;
mod fit;
mod game;
mod guidelines;
mod instance;
mod jacobian;
mod logistic;
mod min_min;
mod outer;
mod pnorm;
mod random;
mod repeat;
mod report;
mod ridge;
mod rise;
mod sgd;
mod sinkhorn;
mod spectrum;
mod support;
mod table;
#[cfg(test)]
mod testing;
mod verdict;

pub use experiment::{Experiment, Failure, Outcome, Reproduction, Size};
pub use report::Report;
pub use table::Table;
pub use verdict::{Rule, Verdict};

/// Every experiment, in the order in which `all` runs them.
pub const ALL: &[&dyn Reproduction] = &[
    &ridge::Ridge,
    &logistic::LogisticRegression,
    &jacobian::Jacobian,
    &pnorm::PNorm,
    &burn_in::BurnIn,
    &support::Support,
    &sgd::StochasticDescent,
    &sinkhorn::Transported,
    &outer::Descended,
    &alternate::ByTurns,
    &barycentre::Barycentre,
    &game::Games,
    &guidelines::Guidelines,
];
