//! What the tests of experiments share.

use crate::experiment::Experiment;

/// Asserts that all verdicts of `measured` pass.
pub(crate) fn assert_passes<E: Experiment>(experiment: &E, measured: &E::Measured) {
    assert_eq!(failing(experiment, measured), Vec::<String>::new());
}

/// The verdicts of `measured` that fail.
pub(crate) fn failing<E: Experiment>(experiment: &E, measured: &E::Measured) -> Vec<String> {
    let verdicts = experiment.show(measured).verdicts;
    verdicts.iter().filter(|verdict| !verdict.passed()).map(ToString::to_string).collect()
}
