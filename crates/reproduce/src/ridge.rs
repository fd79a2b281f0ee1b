//! Ridge regression: g3 is exact at every z, and g2 after t steps is g1 after 2t.
//!
//! With L quadratic and L_xz constant, g3 = g* wherever it is taken, and backwards through gradient descent from a z_0 free of x the steps are
//! taken a second time: g2 at t equals g1 at 2t, so that both fall like a power of kappa and no factor t appears.

use danskin::ctx::Ctx;
use danskin::prelude::Squared;

use crate::decay::{self, ONCE, TWICE, Trajectories};
use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::repeat::largest;
use crate::verdict::{Rule, Verdict};

/// The experiment.
pub(crate) struct Ridge;

/// Errors of g1 and g2 at t, as the source's own runs gave them: orders of magnitude, as seeds differ by up to 30 times.
const ROWS: [(usize, f64, f64); 3] = [(50, 2.7e-3, 4e-4), (100, 4e-4, 8e-6), (200, 8e-6, 5e-9)];
const SEEDS_DIFFER: f64 = 30.0;

impl Experiment for Ridge {
    type Measured = Trajectories;

    const NAME: &'static str = "ridge";
    const ABOUT: &'static str = "ridge regression: g3 is exact, g2 after t steps is g1 after 2t";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Trajectories, Failure> {
        decay::measure(Squared, 1.0, (size.pick(20, 100), 700, 10), ctx)
    }

    fn show(&self, measured: &Trajectories) -> Outcome {
        let over = |run: &decay::Run, error: f64| error / (f64::EPSILON * run.condition * run.scale);
        let of_g3 = |run: &decay::Run| over(run, largest(run.errors.iter().map(|errors| errors[2])));
        let implicit = largest(measured.runs.iter().map(of_g3));
        let doubling = largest(measured.runs.iter().map(|run| over(run, largest(run.doubling.iter().copied()))));
        let mut verdicts = vec![
            Verdict::new(
                "largest error of g3, in units of rounding (2^-52 times the condition of L_zz, of ‖g*‖)",
                16.0,
                Rule::AtMost,
                implicit,
            ),
            Verdict::new("largest ‖g2 at t - g1 at 2t‖, in the same units", 16.0, Rule::AtMost, doubling),
            Verdict::new("rate of g1 over ln kappa", 1.0, Rule::Within(0.05), measured.rate()),
            Verdict::new(
                "power of the error of g1 that the error of g2 is",
                2.0,
                Rule::Within(0.1),
                measured.power(1, false),
            ),
        ];
        for (t, g1, g2) in ROWS {
            for (k, name, expected) in [(0, "g1", g1), (1, "g2", g2)] {
                let claim = format!("error of {name} at t = {t}, median");
                verdicts.push(Verdict::new(claim, expected, Rule::Factor(SEEDS_DIFFER), measured.median(k, t)));
            }
        }
        let drawing = measured.drawing("ridge regression, n = 50, m = 100", [Some(ONCE), Some(TWICE), None]);
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
        let sound = decay::measure(Squared, 1.0, (5, 700, 10), &mut Ctx::new()).unwrap();
        assert_passes(&Ridge, &sound);
        let broken = |damage: &dyn Fn(&mut decay::Run)| {
            let mut broken = sound.clone();
            broken.runs.iter_mut().for_each(damage);
            failing(&Ridge, &broken)
        };
        // g1 in the place of another.
        let of_g3 = broken(&|run| run.errors.iter_mut().for_each(|errors| errors[2] = errors[0]));
        assert!(of_g3[0].contains("g3") && of_g3.len() == 1, "{of_g3:?}");
        let of_g2 = broken(&|run| run.errors.iter_mut().for_each(|errors| errors[1] = errors[0]));
        assert!(of_g2.iter().any(|claim| claim.contains("power")), "{of_g2:?}");
        let doubled = broken(&|run| run.doubling = run.errors.iter().map(|errors| errors[0]).collect());
        assert!(doubled[0].contains("2t") && doubled.len() == 1, "{doubled:?}");
        // Another step, and others' orders of magnitude.
        let kappa = broken(&|run| run.kappa = run.kappa.powf(1.1));
        assert!(kappa.len() == 1 && kappa[0].contains("rate of g1"), "{kappa:?}");
        let magnitude = broken(&|run| run.errors.iter_mut().flatten().for_each(|error| *error *= 1e3));
        assert_eq!(magnitude.iter().filter(|claim| claim.contains("median")).count(), 6, "{magnitude:?}");
        for place in [5, 60] {
            for k in 0..3 {
                assert_notices_nan(&Ridge, &sound, |m| &mut m.runs[4].errors[place][k]);
            }
            assert_notices_nan(&Ridge, &sound, |m| &mut m.runs[4].doubling[place / 2]);
        }
        assert_notices_nan(&Ridge, &sound, |m| &mut m.runs[4].kappa);
        assert_notices_nan(&Ridge, &sound, |m| &mut m.runs[4].scale);
        assert_notices_nan(&Ridge, &sound, |m| &mut m.runs[4].condition);
    }
}
