//! What an experiment found, for a JSON file.

use serde::Serialize;

use crate::experiment::{Outcome, Reproduction, Size};
use crate::verdict::{Rule, Verdict};

/// The version of the format.
const SCHEMA: u32 = 1;

/// The report of one experiment.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    schema: u32,
    experiment: &'static str,
    about: &'static str,
    size: &'static str,
    /// Whether every verdict passed.
    passed: bool,
    seconds: f64,
    verdicts: Vec<VerdictReport>,
    tables: Vec<String>,
    drawings: Vec<String>,
    pictures: Vec<String>,
    documents: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct VerdictReport {
    claim: String,
    passed: bool,
    predicted: Option<f64>,
    rule: &'static str,
    /// The distance or the factor of the rule, for those that have one.
    tolerance: Option<f64>,
    found: Option<f64>,
}

impl Report {
    /// The report of `experiment`, which took `seconds`.
    #[must_use]
    pub fn new(experiment: &dyn Reproduction, size: Size, outcome: &Outcome, seconds: f64) -> Self {
        Self {
            schema: SCHEMA,
            experiment: experiment.name(),
            about: experiment.about(),
            size: size.pick("short", "full"),
            passed: outcome.verdicts.iter().all(Verdict::passed),
            seconds,
            verdicts: outcome.verdicts.iter().map(VerdictReport::new).collect(),
            tables: outcome.tables.iter().map(|table| format!("{}.csv", table.name)).collect(),
            drawings: outcome.drawings.iter().map(|(name, _)| format!("{name}.svg")).collect(),
            pictures: outcome.pictures.iter().map(|(name, _)| format!("{name}.svg")).collect(),
            documents: outcome.documents.iter().map(|(name, _)| format!("{name}.md")).collect(),
        }
    }
}

impl VerdictReport {
    fn new(verdict: &Verdict) -> Self {
        let (rule, tolerance) = match verdict.rule {
            Rule::Equal => ("equal", None),
            Rule::Within(distance) => ("within", Some(distance)),
            Rule::Factor(factor) => ("factor", Some(factor)),
            Rule::AtMost => ("at-most", None),
            Rule::AtLeast => ("at-least", None),
        };
        Self {
            claim: verdict.claim.clone(),
            passed: verdict.passed(),
            predicted: finite(verdict.predicted),
            rule,
            tolerance,
            found: finite(verdict.found),
        }
    }
}

/// JSON has no NaN, and no infinity.
fn finite(number: f64) -> Option<f64> {
    Some(number).filter(|number| number.is_finite())
}
