//! Logistic regression: L smooth and strongly convex, where the errors are kappa^t, t kappa^2t and kappa^2t.

use danskin::ctx::Ctx;
use danskin::prelude::Logistic;

use crate::decay::{self, ONCE, TWICE, TWICE_AND_T, Trajectories};
use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::verdict::{Rule, Verdict};

/// The experiment.
pub(crate) struct LogisticRegression;

/// Errors of g1, g2 and g3 at t, as the source's own runs gave them: orders of magnitude, as seeds differ by up to 30 times.
const ROWS: [(usize, [f64; 3]); 4] = [
    (100, [1.5e-2, 2.2e-3, 7.8e-4]),
    (200, [2.7e-3, 1.1e-4, 1.9e-5]),
    (400, [1.3e-4, 3.2e-7, 2.5e-8]),
    (800, [4.4e-7, 2.9e-12, 2.5e-13]),
];
const SEEDS_DIFFER: f64 = 30.0;

impl Experiment for LogisticRegression {
    type Measured = Trajectories;

    const NAME: &'static str = "logistic";
    const ABOUT: &'static str = "logistic regression: the errors fall like kappa^t, t kappa^2t and kappa^2t";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Trajectories, Failure> {
        decay::measure(Logistic, 0.25, (size.pick(10, 100), 2000, 20), ctx)
    }

    fn show(&self, measured: &Trajectories) -> Outcome {
        let mut verdicts = vec![
            Verdict::new("rate of g1 over ln kappa", 1.0, Rule::Within(0.05), measured.rate()),
            Verdict::new(
                "power of the error of g1 that the error of g2 over t is",
                2.0,
                Rule::Within(0.1),
                measured.power(1, true),
            ),
            Verdict::new(
                "power of the error of g1 that the error of g3 is",
                2.0,
                Rule::Within(0.1),
                measured.power(2, false),
            ),
        ];
        for (t, expected) in ROWS {
            for (k, name) in ["g1", "g2", "g3"].into_iter().enumerate() {
                let claim = format!("error of {name} at t = {t}, median");
                verdicts.push(Verdict::new(claim, expected[k], Rule::Factor(SEEDS_DIFFER), measured.median(k, t)));
            }
        }
        let theory = [Some(ONCE), Some(TWICE_AND_T), Some(TWICE)];
        let drawing = measured.drawing("logistic regression, n = 50, m = 100", theory);
        Outcome {
            verdicts,
            tables: vec![measured.table()],
            drawings: vec![("errors", vec![drawing])],
            ..Outcome::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_notices_nan, assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = decay::measure(Logistic, 0.25, (4, 2000, 20), &mut Ctx::new()).unwrap();
        assert_passes(&LogisticRegression, &sound);
        let broken = |damage: &dyn Fn(&mut decay::Run)| {
            let mut broken = sound.clone();
            broken.runs.iter_mut().for_each(damage);
            failing(&LogisticRegression, &broken)
        };
        for k in [1, 2] {
            let as_g1 = broken(&|run| run.errors.iter_mut().for_each(|errors| errors[k] = errors[0]));
            let name = format!("the error of g{}", k + 1);
            assert!(as_g1.iter().any(|claim| claim.contains("power") && claim.contains(&name)), "{as_g1:?}");
        }
        let kappa = broken(&|run| run.kappa = run.kappa.powf(1.2));
        assert!(kappa.len() == 1 && kappa[0].contains("rate of g1"), "{kappa:?}");
        let magnitude = broken(&|run| run.errors.iter_mut().flatten().for_each(|error| *error *= 1e3));
        assert_eq!(magnitude.iter().filter(|claim| claim.contains("median")).count(), 12, "{magnitude:?}");
        for k in 0..3 {
            assert_notices_nan(&LogisticRegression, &sound, |m| &mut m.runs[3].errors[5][k]);
            assert_notices_nan(&LogisticRegression, &sound, |m| &mut m.runs[3].errors[90][k]);
        }
        assert_notices_nan(&LogisticRegression, &sound, |m| &mut m.runs[3].kappa);
        assert_notices_nan(&LogisticRegression, &sound, |m| &mut m.runs[3].scale);
    }
}
