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

/// Asserts that `found` is `expected` but for numbers, which may be a quarter apart: exponentials of another machine end in another bit, and an iteration more or less is taken.
pub(crate) fn assert_alike(found: &str, expected: &str) {
    assert_eq!(found.lines().count(), expected.lines().count(), "{found}");
    for (found, expected) in found.lines().zip(expected.lines()) {
        let alike = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => (a - b).abs() <= 0.25 * a.abs().max(b.abs()),
            _ => a == b,
        };
        let [a, b]: [Vec<&str>; 2] = [found, expected].map(|line| line.split_whitespace().collect());
        assert!(a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| alike(a, b)), "{found}\n{expected}");
    }
}
