//! Which measurements are made, and in which order.

use std::fmt;
use std::num::NonZeroU32;

use danskin::ctx::bytes_of;
use danskin::prelude::SolveError;
use danskin::unrolled::Sizes;
use serde::{Deserialize, Serialize};

use super::gradient::Sample;
use super::passes::PassSamples;
use crate::choice::{Choices, EstimatorKind, Mode};

/// What reverse mode may record in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// All steps.
    Unlimited,
    /// So many bytes.
    Bytes(u64),
    /// A share of the full tape, but z_0 and one record at the least.
    Share {
        /// Above 0, at most `of`.
        part: NonZeroU32,
        /// What the part is of.
        of: NonZeroU32,
    },
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("none"),
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::Share { part, of } => write!(f, "{part}/{of}"),
        }
    }
}

impl Budget {
    /// In bytes, for T = `iterations`; `None` for no limit.
    #[must_use]
    pub fn bytes(self, sizes: Sizes, iterations: usize) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Bytes(bytes) => Some(bytes),
            Self::Share { part, of } => {
                let tape = u128::from(bytes_of(iterations.saturating_mul(sizes.record)));
                let share = tape * u128::from(part.get()) / u128::from(of.get());
                // No more than the whole, which is a u64.
                Some((share as u64).max(bytes_of(sizes.least())))
            }
        }
    }
}

/// What a process measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Every pass over D, beside the machine's bandwidth.
    Passes,
    /// An estimator.
    Gradient {
        /// Which one.
        estimator: EstimatorKind,
        /// T.
        iterations: usize,
        /// Bytes that reverse mode may record in; `None` without a limit.
        memory: Option<u64>,
    },
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Which design, from 0.
    pub design: usize,
    /// Number of threads.
    pub threads: usize,
    /// What is measured.
    pub work: Work,
    /// The budget that its memory comes from.
    pub budget: Budget,
}

/// What is asked of every design.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Numbers of threads.
    pub threads: &'a [usize],
    /// The T.
    pub iterations: &'a [usize],
    /// Budgets, for g2 in reverse mode.
    pub budgets: &'a [Budget],
    /// Estimators and how they are computed.
    pub choices: &'a Choices,
}

impl Plan<'_> {
    /// The measurements of design number `design`; `sizes` are what recording takes there, `None` where the solver's iterations
    /// are not unrolled. Budgets are those of g2 in reverse mode; everything else is measured once, without one.
    #[must_use]
    pub fn cases(&self, design: usize, sizes: Option<Sizes>) -> Vec<Case> {
        let mut cases = Vec::new();
        for &threads in self.threads {
            cases.push(Case { design, threads, work: Work::Passes, budget: Budget::Unlimited });
            for &iterations in self.iterations {
                for &estimator in &self.choices.estimators {
                    let recorded = estimator == EstimatorKind::Automatic && self.choices.mode == Mode::Reverse;
                    let (budgets, sizes) = match sizes.filter(|_| recorded) {
                        Some(sizes) => (self.budgets, Some(sizes)),
                        None => (&[Budget::Unlimited][..], None),
                    };
                    cases.extend(budgets.iter().map(|&budget| {
                        let memory = sizes.and_then(|sizes| budget.bytes(sizes, iterations));
                        let work = Work::Gradient { estimator, iterations, memory };
                        Case { design, threads, work, budget }
                    }));
                }
            }
        }
        cases
    }

    /// Why there is nothing to measure of `case`, where that is known beforehand.
    fn missing(&self, case: &Case) -> Option<Missing> {
        let not_unrolled = matches!(case.work, Work::Gradient { estimator: EstimatorKind::Automatic, .. })
            && !self.choices.solver.is_unrolled();
        not_unrolled.then(Missing::not_unrolled)
    }
}

/// What a process found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Found {
    /// Of [`Work::Passes`].
    Passes(PassSamples),
    /// Of [`Work::Gradient`].
    Gradient(Sample),
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// A short name.
    pub status: String,
    /// The reason, on one line.
    pub message: String,
}

impl Missing {
    /// With a name and a reason.
    #[must_use]
    pub fn new(status: &str, message: impl fmt::Display) -> Self {
        Self { status: status.to_owned(), message: message.to_string().replace(['\n', '\r'], " ") }
    }

    /// g2 of a solver whose iterations are not differentiated.
    #[must_use]
    pub fn not_unrolled() -> Self {
        Self::new("not-unrolled", "the iterations of this solver are not differentiated")
    }

    /// Of a process that did not say what it found.
    #[must_use]
    pub fn process_failed(message: impl fmt::Display) -> Self {
        Self::new("process-failed", message)
    }
}

impl From<SolveError> for Missing {
    fn from(error: SolveError) -> Self {
        Self::new(error.name(), error)
    }
}

/// What came of one process.
pub type Outcome = Result<Found, Missing>;

/// A measurement and what was found, round by round.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What was measured.
    pub case: Case,
    /// What was found.
    pub found: Vec<Found>,
    /// Why it ended before all rounds; what is found then does not count.
    pub missing: Option<Missing>,
}

/// Makes every measurement of `cases` once, then once more, in all `rounds` times. One that found nothing is not made again.
///
/// # Errors
///
/// Whatever `run` ends everything with.
pub fn rounds<E>(
    plan: &Plan<'_>,
    cases: Vec<Case>,
    rounds: usize,
    mut run: impl FnMut(&Case) -> Result<Outcome, E>,
) -> Result<Vec<Measured>, E> {
    let begin = |case| Measured { case, found: Vec::new(), missing: plan.missing(&case) };
    let mut measured: Vec<Measured> = cases.into_iter().map(begin).collect();
    for _ in 0..rounds {
        for one in measured.iter_mut().filter(|one| one.missing.is_none()) {
            match run(&one.case)? {
                Ok(found) => one.found.push(found),
                Err(missing) => one.missing = Some(missing),
            }
        }
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::SolverKind;

    const SIZES: Sizes = Sizes { checkpoint: 3, record: 2, restore: 1 };

    fn share(part: u32, of: u32) -> Budget {
        Budget::Share { part: part.try_into().unwrap(), of: of.try_into().unwrap() }
    }

    #[test]
    fn a_share_is_that_of_the_tape_and_enough_to_begin_with() {
        assert_eq!(share(1, 10).bytes(SIZES, 100), Some(160));
        assert_eq!(share(1, 10).bytes(SIZES, 10), Some(8 * 5));
        assert_eq!(share(3, 3).bytes(SIZES, usize::MAX), Some(u64::MAX));
        assert_eq!((Budget::Bytes(7).bytes(SIZES, 1), Budget::Unlimited.bytes(SIZES, 1)), (Some(7), None));
        assert_eq!(share(1, 10).to_string(), "1/10");
    }

    #[test]
    fn budgets_are_for_g2_backwards_alone() {
        let count = |choices: &Choices, sizes| {
            let budgets = [Budget::Unlimited, share(1, 10)];
            let plan = Plan { threads: &[1, 2], iterations: &[5, 6, 7], budgets: &budgets, choices };
            plan.cases(0, sizes).len()
        };
        let choices = Choices::default();
        assert_eq!(count(&choices, Some(SIZES)), 2 * (1 + 3 * 4));
        assert_eq!(count(&Choices { mode: Mode::Forward, ..choices.clone() }, Some(SIZES)), 2 * (1 + 3 * 3));
        assert_eq!(count(&Choices { solver: SolverKind::Newton, ..choices }, None), 2 * (1 + 3 * 3));
    }

    #[test]
    fn rounds_alternate_and_what_fails_is_not_tried_again() {
        let choices = Choices { solver: SolverKind::Lbfgs, ..Choices::default() };
        let plan = Plan { threads: &[1], iterations: &[4], budgets: &[Budget::Unlimited], choices: &choices };
        let mut order = Vec::new();
        let measured = rounds(&plan, plan.cases(0, None), 3, |case| {
            order.push(case.work);
            Ok::<_, ()>(match case.work {
                Work::Passes => Ok(Found::Passes(PassSamples { probe_bytes: 0, probe: vec![], passes: vec![] })),
                Work::Gradient { .. } => Err(Missing::process_failed("two\nlines")),
            })
        });
        let measured = measured.unwrap();
        let statuses: Vec<_> = measured.iter().map(|one| one.missing.as_ref().map(|m| m.status.as_str())).collect();
        assert_eq!(statuses, [None, Some("process-failed"), Some("not-unrolled"), Some("process-failed")]);
        assert_eq!(measured[0].found.len(), 3);
        // Passes, g1, g3; then what is left.
        assert_eq!(order.len(), 3 + 1 + 1);
        assert_eq!(measured[1].missing.as_ref().unwrap().message, "two lines");
    }
}
