//! Descent on x by gradients that are wrong: it ends near the minimum, as near as they are right, and at it if z goes on from where it was.
//!
//! F(x) = l(x) + mu/2 ‖x - a‖² of `min_min`, phi the pseudo-Huber loss, not quadratic so that g3 is off too. Descent by the gradients after t steps from z_0 = 0 goes to
//! the x at which those vanish; F'' there is at least mu, and so it is as far from x* as they are off: kappa^t for g1, t kappa^2t for g2, kappa^2t for g3. F is above
//! its minimum by the square of that. Where z goes on from where the last step on x left it, z_t - z*(x) and x - x* go to 0 together, whatever t.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::{distance, norm};
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, Stroke, colour};

use crate::decay::{self, ONCE, TWICE, TWICE_AND_T, Trajectories};
use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::fit::{FLOOR, is_seen, later_slope};
use crate::min_min::{CONVERGED, MinMin, Start};
use crate::repeat::{largest, median, repeat};
use crate::table::Table;
use crate::verdict::{Rule, Verdict};

const LAST: usize = 160;
const EVERY: usize = 4;
/// The t whose paths are kept.
const KEPT: [usize; 2] = [16, 48];
/// t, and steps on x, where z goes on from where it was.
const WARM: (usize, usize) = (5, 400);

/// The experiment.
pub(crate) struct Descended;

/// ‖x_k - x*‖ / ‖x*‖ at each k, of one problem.
#[derive(Clone, Debug)]
struct Paths {
    /// What an exact step leaves of the error in the end.
    rate: f64,
    /// For each of `KEPT`, by g1, g2 and g3.
    afresh: Vec<[Vec<f64>; 3]>,
    warm: [Vec<f64>; 3],
}

/// One problem.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// F(x) - F(x*) where descent by g1, g2 and g3 ended, at each t.
    excess: Vec<[f64; 3]>,
    paths: Paths,
}

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// The errors are ‖x - x*‖ where descent ended.
    floors: Trajectories,
    /// For each seed.
    runs: Vec<Run>,
}

fn once(seed: u64, steps: &[usize], ctx: &mut Ctx) -> Result<(decay::Run, Run), Failure> {
    let problem = MinMin::new(PseudoHuber::new(1.0).expect("1 is above 0"), seed, ctx)?;
    let exact = &problem.instance.x;
    let (mut errors, mut excess, mut afresh) = (Vec::new(), Vec::new(), Vec::new());
    for &t in steps {
        let (mut floor, mut above, mut paths) = ([0.0; 3], [0.0; 3], [const { Vec::new() }; 3]);
        for (k, &kind) in EstimatorKind::ALL.iter().enumerate() {
            let path = problem.descent(kind, (t, Start::Afresh), CONVERGED, ctx)?;
            let end = &path[CONVERGED];
            floor[k] = distance(end, exact);
            above[k] = problem.excess(end, ctx)?;
            paths[k] = problem.distances(&path);
        }
        errors.push(floor);
        excess.push(above);
        if KEPT.contains(&t) {
            afresh.push(paths);
        }
    }
    let mut warm = [const { Vec::new() }; 3];
    for (path, &kind) in warm.iter_mut().zip(EstimatorKind::ALL) {
        *path = problem.distances(&problem.descent(kind, (WARM.0, Start::Warm), WARM.1, ctx)?);
    }
    let (kappa, condition) = (problem.kappa(), problem.condition());
    let floors = decay::Run { kappa, scale: norm(exact), condition, errors, doubling: Vec::new() };
    Ok((floors, Run { excess, paths: Paths { rate: problem.exact_rate(), afresh, warm } }))
}

impl Descended {
    fn over(seeds: usize, ctx: &mut Ctx) -> Result<Measured, Failure> {
        let steps: Vec<usize> = (0..=LAST).step_by(EVERY).collect();
        let found = repeat(seeds, ctx, |seed, ctx| once(seed, &steps, ctx))?;
        let (floors, runs) = found.into_iter().unzip();
        Ok(Measured { floors: Trajectories { steps, runs: floors }, runs })
    }
}

impl Measured {
    /// The median over seeds of the slope of ln (F - F*) in ln ‖x - x*‖, by estimator `k`.
    fn power_of_excess(&self, k: usize) -> f64 {
        let of = |(floors, run): (&decay::Run, &Run)| {
            let points = floors.errors.iter().zip(&run.excess).skip(1);
            let seen = points.filter(|(floor, _)| is_seen(floor[k], floors.scale));
            later_slope(seen.map(|(floor, excess)| (floor[k].ln(), excess[k].ln())))
        };
        median(self.floors.runs.iter().zip(&self.runs).map(of))
    }

    fn table_of_excess(&self) -> Table {
        let rows = self.floors.steps.iter().enumerate().map(|(place, t)| {
            let of = |k: usize| median(self.runs.iter().map(|run| run.excess[place][k]));
            vec![*t as f64, of(0), of(1), of(2)]
        });
        Table::new("excess", ["t", "analytic", "automatic", "implicit"]).with(rows)
    }

    /// The largest error left by estimator `k` where z goes on from where it was.
    fn left(&self, k: usize) -> f64 {
        let last = |run: &Run| run.paths.warm[k].last().copied().unwrap_or(f64::NAN);
        largest(self.runs.iter().map(last))
    }
}

impl Paths {
    /// What is measured, by name: those of `KEPT`, and then the warm ones.
    fn each(&self) -> Vec<(String, EstimatorKind, Stroke, &[f64])> {
        let mut all = Vec::new();
        for (k, &kind) in EstimatorKind::ALL.iter().enumerate() {
            for ((t, paths), stroke) in KEPT.iter().zip(&self.afresh).zip([Stroke::Plain, Stroke::Marked]) {
                all.push((format!("{kind} t = {t}"), kind, stroke, &paths[k][..]));
            }
            all.push((format!("{kind} t = {} warm", WARM.0), kind, Stroke::Plain, &self.warm[k][..=CONVERGED]));
        }
        all
    }

    fn table(&self) -> Table {
        let each = self.each();
        let header = std::iter::once("k".to_owned()).chain(each.iter().map(|(name, ..)| name.clone()));
        let row = |k: usize| std::iter::once(k as f64).chain(each.iter().map(|(.., path)| path[k])).collect();
        Table::new("paths", header).with((0..=CONVERGED).map(row))
    }

    fn drawing(&self) -> Drawing {
        let warm = format!("{} t = {} warm", EstimatorKind::Analytic, WARM.0);
        let mut curves = Vec::new();
        for (name, kind, stroke, path) in self.each() {
            // Of the warm ones that which would have the highest floor.
            if name.ends_with("warm") && name != warm {
                continue;
            }
            let colour = if name == warm { MORE_COLOURS[0] } else { colour(kind) };
            let every = if stroke == Stroke::Marked { 10 } else { 1 };
            let points = path.iter().enumerate().step_by(every).map(|(k, error)| (k as f64, *error)).collect();
            curves.push(Curve { stroke, ..Curve::measured(name, colour, points) });
        }
        let theory = (0..=CONVERGED).map(|k| (k as f64, self.warm[0][0] * self.rate.powi(k as i32)));
        curves.push(Curve::theory("theory: exact gradients, (1 - eta mu_l)^k", theory.collect()));
        Drawing {
            title: "descent on x, z_0 = 0 at each step but for the warm one, seed 0".to_owned(),
            across: Axis::from_zero("steps k on x"),
            up: Axis::logarithmic("‖x_k - x*‖ / ‖x*‖"),
            curves,
        }
    }
}

impl Experiment for Descended {
    type Measured = Measured;

    const NAME: &'static str = "outer";
    const ABOUT: &'static str = "descent on x by g1, g2 or g3 after t steps ends kappa^t, t kappa^2t or kappa^2t from the minimum, and at it if z is warm";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Measured, Failure> {
        Self::over(size.pick(10, 100), ctx)
    }

    fn show(&self, measured: &Measured) -> Outcome {
        let floors = &measured.floors;
        let names = ["g1", "g2", "g3"];
        let mut verdicts =
            vec![Verdict::new("rate of g1's floor over ln kappa", 1.0, Rule::Within(0.05), floors.rate())];
        for (k, what) in [(1, "g2's floor over t"), (2, "g3's floor")] {
            let claim = format!("power of g1's floor that {what} is");
            verdicts.push(Verdict::new(claim, 2.0, Rule::Within(0.15), floors.power(k, k == 1)));
        }
        for (k, name) in names.into_iter().enumerate() {
            let claim = format!("power of {name}'s floor that F - F* is");
            // x - x* has taken its direction where it is fitted: what is left is cubic.
            verdicts.push(Verdict::new(claim, 2.0, Rule::Within(0.02), measured.power_of_excess(k)));
        }
        for (k, name) in names.into_iter().enumerate() {
            let (t, steps) = WARM;
            let claim = format!("z warm, t = {t}: largest ‖x - x*‖ / ‖x*‖ after {steps} steps by {name}");
            verdicts.push(Verdict::new(claim, FLOOR, Rule::AtMost, measured.left(k)));
        }
        let theory = [Some(ONCE), Some(TWICE_AND_T), Some(TWICE)];
        let mut drawings = vec![Drawing {
            across: Axis::from_zero("inner iterations t, from z_0 = 0 at each step on x"),
            up: Axis::logarithmic("where descent ends, ‖x - x*‖, median and quartiles"),
            ..floors.drawing("the floor of descent on x, n = 5, m = 8", theory)
        }];
        let mut tables = vec![Table { name: "floors", ..floors.table() }, measured.table_of_excess()];
        if let Some(run) = measured.runs.first() {
            drawings.push(run.paths.drawing());
            tables.push(run.paths.table());
        }
        Outcome { verdicts, tables, drawings: vec![("floors", drawings)], ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_notices_nan, assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = Descended::over(3, &mut Ctx::new()).unwrap();
        assert_passes(&Descended, &sound);
        // g1 in the place of another.
        for k in [1, 2] {
            let mut broken = sound.clone();
            broken.floors.runs.iter_mut().flat_map(|run| &mut run.errors).for_each(|floor| floor[k] = floor[0]);
            let failing = failing(&Descended, &broken);
            assert!(failing[0].contains(&format!("that g{}'s floor", k + 1)), "{failing:?}");
        }
        let mut broken = sound.clone();
        broken.floors.runs.iter_mut().for_each(|run| run.kappa = run.kappa.powf(1.2));
        let found = failing(&Descended, &broken);
        assert!(found.len() == 1 && found[0].contains("rate of g1"), "{found:?}");
        assert_notices_nan(&Descended, &sound, |m| &mut m.floors.runs[2].kappa);
        for k in 0..3 {
            assert_notices_nan(&Descended, &sound, |m| &mut m.floors.runs[2].errors[30][k]);
            assert_notices_nan(&Descended, &sound, |m| &mut m.runs[2].excess[3][k]);
            assert_notices_nan(&Descended, &sound, |m| m.runs[2].paths.warm[k].last_mut().unwrap());
            // An objective that is above its minimum by the distance alone, and a start that is not warm.
            let mut broken = sound.clone();
            broken.runs.iter_mut().flat_map(|run| &mut run.excess).for_each(|excess| excess[k] = excess[k].sqrt());
            broken.runs.iter_mut().for_each(|run| run.paths.warm[k] = run.paths.afresh[0][k].clone());
            let found = failing(&Descended, &broken);
            assert!(found.len() == 2 && found.iter().all(|claim| claim.contains(&format!("g{}", k + 1))), "{found:?}");
        }
    }
}
