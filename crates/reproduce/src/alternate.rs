//! Minimisation over z and over x by turns, beside descent on x whose z goes on from where it was: four ways to one minimum, each at the rate of its linear map.
//!
//! By `min_min`, phi the pseudo-Huber loss. Each turn exact: the rate is the largest eigenvalue of L_xx^-1 L_xz L_zz^-1 L_zx, mu in L_xx; where L is quadratic in x, with L_xx
//! the same at every row, that is descent on F by g1 with step 1 / L_xx. Exact over z, a step eta on x: 1 - eta mu_l, mu_l the least eigenvalue of F''. With t steps on z in
//! the place of its minimum: the spectral radius of the map of (x, z), which g1 couples by L_xz A^t, g2 by L_xz A^2t, A = 1 - rho L_zz; g3 is off by the square of z_t - z*(x)
//! alone, so that x goes at 1 - eta mu_l, or at kappa^2t where that is slower.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::{distance, norm};
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, Stroke, colour};

use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::fit::{FLOOR, is_seen, later_slope};
use crate::min_min::{CONVERGED, MinMin, Start};
use crate::repeat::{largest, median, repeat};
use crate::table::Table;
use crate::verdict::{Rule, Verdict};

/// The t of the inner steps.
const INNER: [usize; 3] = [1, 3, 10];
/// Steps on x with those.
const STEPS: usize = 400;

/// The experiment.
pub(crate) struct ByTurns;

/// ‖x_k - x*‖ / ‖x*‖ at each k, and what theory says that a step leaves of it in the end.
#[derive(Clone, Debug)]
struct Way {
    distances: Vec<f64>,
    rate: f64,
}

/// One problem.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Both turns exact.
    turns: Way,
    /// Exact over z, a step on x.
    exact: Way,
    /// For each of `INNER`, by g1, g2 and g3.
    warm: Vec<[Way; 3]>,
    /// The squared loss: the largest ‖x_k - x'_k‖ / ‖x*‖ between turns and descent.
    apart: f64,
}

fn once(seed: u64, ctx: &mut Ctx) -> Result<Run, Failure> {
    let problem = MinMin::new(PseudoHuber::new(1.0).expect("1 is above 0"), seed, ctx)?;
    let way = |path: &[Vec<f64>], rate| Way { distances: problem.distances(path), rate };
    let turns = way(&problem.alternate(CONVERGED, ctx)?, problem.alternate_rate());
    let exact = way(&problem.exact_descent(CONVERGED, ctx)?, problem.exact_rate());
    let mut warm = Vec::new();
    for t in INNER {
        let mut by = |kind| -> Result<Way, Failure> {
            Ok(way(&problem.descent(kind, (t, Start::Warm), STEPS, ctx)?, problem.warm_rate(kind, t)))
        };
        warm.push([by(EstimatorKind::Analytic)?, by(EstimatorKind::Automatic)?, by(EstimatorKind::Implicit)?]);
    }
    let quadratic = MinMin::new(Squared, seed, ctx)?;
    let pairs = quadratic.alternate(CONVERGED, ctx)?.into_iter().zip(quadratic.exact_descent(CONVERGED, ctx)?);
    let apart = largest(pairs.map(|(x, other)| distance(&x, &other))) / norm(&quadratic.instance.x);
    Ok(Run { turns, exact, warm, apart })
}

impl Way {
    /// The slope of ln ‖x_k - x*‖ in k over ln rate.
    fn rate(&self) -> f64 {
        let seen = self.distances.iter().enumerate().filter(|(_, distance)| is_seen(**distance, 1.0));
        later_slope(seen.map(|(k, distance)| (k as f64 * self.rate.ln(), distance.ln())))
    }

    /// The last of them.
    fn left(&self) -> f64 {
        self.distances.last().copied().unwrap_or(f64::NAN)
    }

    /// What was measured, and theory beside it, `across` a step apart.
    fn curves(&self, name: &str, across: usize, measured: Curve) -> [Curve; 2] {
        let seen = self.distances.iter().take_while(|distance| **distance > FLOOR).count();
        let at = |k: usize| (k * across) as f64;
        let points = (0..seen).map(|k| (at(k), self.distances[k])).collect();
        let middle = 3 * seen / 4;
        let height = self.distances.get(middle).map_or(f64::NAN, |distance| 1.5 * distance);
        let theory = (0..seen).map(|k| (at(k), height * self.rate.powi(k as i32 - middle as i32))).collect();
        let what = format!("theory: {:.3}^k, {name}", self.rate);
        [Curve { name: name.to_owned(), points, ..measured }, Curve::theory(what, theory)]
    }
}

/// A way with its name, from a run.
type Named<'a> = (String, &'a Way);

impl Run {
    fn each(&self) -> Vec<Named<'_>> {
        let mut all = vec![("exact turns".to_owned(), &self.turns), ("descent by exact g1".to_owned(), &self.exact)];
        for (t, ways) in INNER.iter().zip(&self.warm) {
            for (kind, way) in EstimatorKind::ALL.iter().zip(ways) {
                all.push((format!("{kind} t = {t}"), way));
            }
        }
        all
    }

    fn table(&self) -> Table {
        let each = self.each();
        let header = std::iter::once("k".to_owned()).chain(each.iter().map(|(name, _)| name.clone()));
        let at = |way: &Way, k: usize| way.distances.get(k).copied().unwrap_or(f64::NAN);
        let row = |k: usize| std::iter::once(k as f64).chain(each.iter().map(|(_, way)| at(way, k))).collect();
        Table::new("distances", header).with((0..=STEPS).map(row))
    }

    fn drawings(&self) -> Vec<Drawing> {
        let plain = |colour| Curve { stroke: Stroke::Plain, ..Curve::measured("", colour, Vec::new()) };
        let mut by_rounds = Vec::new();
        by_rounds.extend(self.turns.curves("exact turns", 1, plain(MORE_COLOURS[0])));
        by_rounds.extend(self.exact.curves("descent by exact g1", 1, plain(MORE_COLOURS[1])));
        let t = INNER[0];
        for (kind, way) in EstimatorKind::ALL.iter().zip(&self.warm[0]) {
            by_rounds.extend(way.curves(&format!("{kind} t = {t}"), 1, plain(colour(*kind))));
        }
        let mut by_inner = Vec::new();
        for ((t, ways), colour) in INNER.iter().zip(&self.warm).zip(MORE_COLOURS) {
            by_inner.extend(ways[0].curves(&format!("analytic t = {t}"), *t, plain(colour)));
        }
        let up = || Axis::logarithmic("‖x_k - x*‖ / ‖x*‖");
        vec![
            Drawing {
                title: "turns, and steps on x with z warm, seed 0".to_owned(),
                across: Axis::from_zero("rounds k"),
                up: up(),
                curves: by_rounds,
            },
            Drawing {
                title: "g1, z warm: t steps on z for each on x, seed 0".to_owned(),
                across: Axis::from_zero("inner iterations taken, t k"),
                up: up(),
                curves: by_inner,
            },
        ]
    }
}

impl Experiment for ByTurns {
    type Measured = Vec<Run>;

    const NAME: &'static str = "alternate";
    const ABOUT: &'static str = "minimisation over z and x by turns, and descent on x with z warm: each at the rate of its linear map, to the same minimum";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Vec<Run>, Failure> {
        repeat(size.pick(10, 100), ctx, once)
    }

    fn show(&self, runs: &Vec<Run>) -> Outcome {
        let each: Vec<_> = runs.iter().map(Run::each).collect();
        let mut verdicts = Vec::new();
        for (place, (name, _)) in each.first().into_iter().flatten().enumerate() {
            let ways = || each.iter().map(|ways| ways[place].1);
            // Directions that are nearly as slow leave percents of a slope; at t = 1 the ways differ by much more.
            verdicts.push(Verdict::new(
                format!("{name}: rate over the ln of that of the linear map, median"),
                1.0,
                Rule::Within(0.05),
                median(ways().map(Way::rate)),
            ));
            let left = largest(ways().map(Way::left));
            verdicts.push(Verdict::new(
                format!("{name}: largest ‖x - x*‖ / ‖x*‖ at the end"),
                FLOOR,
                Rule::AtMost,
                left,
            ));
        }
        verdicts.push(Verdict::new(
            "squared loss: largest ‖x_k - x'_k‖ / ‖x*‖ between exact turns and descent by exact g1 over L_xx",
            1e-13,
            Rule::AtMost,
            largest(runs.iter().map(|run| run.apart)),
        ));
        let (mut tables, mut drawings) = (Vec::new(), Vec::new());
        if let Some(run) = runs.first() {
            tables.push(run.table());
            drawings.push(("distances", run.drawings()));
        }
        Outcome { verdicts, tables, drawings, ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_notices_nan, assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = repeat(3, &mut Ctx::new(), once).unwrap();
        assert_passes(&ByTurns, &sound);
        let broken = |damage: &dyn Fn(&mut Run)| {
            let mut broken = sound.clone();
            broken.iter_mut().for_each(damage);
            failing(&ByTurns, &broken)
        };
        // One way in the place of another.
        let exact = broken(&|run| run.exact.distances.clone_from(&run.turns.distances));
        assert!(exact.len() == 1 && exact[0].starts_with("descent"), "{exact:?}");
        let turns = broken(&|run| run.turns.distances.clone_from(&run.exact.distances));
        assert!(turns.len() == 1 && turns[0].starts_with("exact turns"), "{turns:?}");
        let g1 = broken(&|run| run.warm[0][0].distances = run.warm[0][2].distances.clone());
        assert!(g1.len() == 1 && g1[0].starts_with("analytic t = 1:"), "{g1:?}");
        for (place, t) in INNER.iter().enumerate() {
            for (k, kind) in EstimatorKind::ALL.iter().enumerate() {
                // A rate of the map that is off, and a floor.
                let found = broken(&|run| {
                    let way = &mut run.warm[place][k];
                    way.rate = way.rate.powf(1.15);
                    way.distances.iter_mut().for_each(|distance| *distance = distance.max(1.1 * FLOOR));
                });
                let name = format!("{kind} t = {t}:");
                assert!(found.len() == 2 && found.iter().all(|claim| claim.starts_with(&name)), "{found:?}");
            }
        }
        for k in 0..3 {
            assert_notices_nan(&ByTurns, &sound, |runs| &mut runs[2].warm[1][k].distances[5]);
            assert_notices_nan(&ByTurns, &sound, |runs| &mut runs[2].warm[1][k].rate);
        }
        assert_notices_nan(&ByTurns, &sound, |runs| &mut runs[2].turns.distances[5]);
        assert_notices_nan(&ByTurns, &sound, |runs| &mut runs[2].exact.distances[5]);
        assert_notices_nan(&ByTurns, &sound, |runs| &mut runs[2].apart);
        let apart = broken(&|run| run.apart = 1e-12);
        assert!(apart.len() == 1 && apart[0].starts_with("squared loss"), "{apart:?}");
    }
}
