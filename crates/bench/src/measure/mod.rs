//! What a machine gives on a design: the passes over D beside its read bandwidth, and each estimator's seconds, memory and error
//! over T, budgets of memory and numbers of threads.
//!
//! A [`Plan`] names the measurements, each of which a process of its own makes ([`passes()`], [`Timed`]); [`rounds`] takes each
//! once, then each again, so that a burst of other work falls on all alike. [`BenchReport`] has the least and the median of
//! what was found.

mod gradient;
mod machine;
mod passes;
mod plan;
mod plot;
mod probe;
mod report;
mod table;

pub use gradient::{Sample, Timed};
pub use machine::Machine;
pub use passes::{PassKind, PassSamples, passes};
pub use plan::{Budget, Case, Found, Measured, Missing, Outcome, Plan, Work, rounds};
pub use plot::Figure;
pub use probe::{Probe, ProbeError};
pub use report::{BenchReport, Subject};

use serde::Serialize;

/// The least and the median of some samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Span {
    /// The least: what the machine takes when nothing else is on it.
    pub min: f64,
    /// The median, of two in the middle their mean.
    pub median: f64,
}

impl Span {
    /// Of `samples` in any order; `None` where there are none.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut samples: Vec<f64> = samples.into_iter().collect();
        samples.sort_by(f64::total_cmp);
        let (&min, last) = (samples.first()?, samples.len() - 1);
        Some(Self { min, median: f64::midpoint(samples[last / 2], samples[last.div_ceil(2)]) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_and_median() {
        for (samples, span) in [
            (&[3.0, 1.0, 2.0][..], Some(Span { min: 1.0, median: 2.0 })),
            (&[4.0, 1.0, 2.0, 9.0], Some(Span { min: 1.0, median: 3.0 })),
            (&[7.0], Some(Span { min: 7.0, median: 7.0 })),
            (&[], None),
        ] {
            assert_eq!(Span::of(samples.iter().copied()), span);
        }
    }
}
