//! What the tests of experiments share.

use crate::experiment::Experiment;

/// Asserts that all verdicts of `measured` pass.
pub(crate) fn assert_passes<E: Experiment>(experiment: &E, measured: &E::Measured) {
    assert_eq!(failing(experiment, measured), Vec::<String>::new());
}

/// Asserts that a verdict fails where NaN, of either sign, is in the place of one number of what was measured.
#[track_caller]
pub(crate) fn assert_notices_nan<E>(experiment: &E, sound: &E::Measured, place: impl Fn(&mut E::Measured) -> &mut f64)
where
    E: Experiment,
    E::Measured: Clone,
{
    for nan in [f64::NAN, -f64::NAN] {
        let mut broken = sound.clone();
        *place(&mut broken) = nan;
        assert!(!failing(experiment, &broken).is_empty(), "{} takes {nan} for a number", E::NAME);
    }
}

/// The verdicts of `measured` that fail.
pub(crate) fn failing<E: Experiment>(experiment: &E, measured: &E::Measured) -> Vec<String> {
    let verdicts = experiment.show(measured).verdicts;
    verdicts.iter().filter(|verdict| !verdict.passed()).map(ToString::to_string).collect()
}

/// Asserts that `found` is `expected` but for the last digit of numbers, of two where there are as many: exponentials of another machine end in another bit.
pub(crate) fn assert_alike(found: &str, expected: &str) {
    assert_eq!(found.lines().count(), expected.lines().count(), "{found}");
    let alike = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(found), Ok(expected)) => {
            let digits = if b.contains('e') { 1 } else { 2 };
            let unit = 10.0_f64.powi((expected.abs().max(f64::MIN_POSITIVE).log10().floor() as i32 + 1) - digits);
            (found - expected).abs() <= 1.001 * unit
        }
        _ => a == b,
    };
    for (found, expected) in found.lines().zip(expected.lines()) {
        let [a, b]: [Vec<&str>; 2] = [found, expected].map(|line| line.split_whitespace().collect());
        assert!(a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| alike(a, b)), "{found}\n{expected}");
    }
}
