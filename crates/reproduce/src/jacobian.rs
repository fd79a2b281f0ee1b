//! The Jacobian of the iterates converges to that of the minimiser, by a factor t slower than the iterates where L_zz depends on z.
//!
//! With z_{t+1} = z_t - rho grad_z L(z_t, x), J_t = dz_t/dx, and v the eigenvector of L_zz at z* that is slowest, z_t - z* is about c kappa^t v. Then
//!
//! ```text
//! J_{t+1} - J* = (I - rho L_zz(z*)) (J_t - J*) - rho c kappa^t W + smaller terms,   W = d/ds (L_zz J* + L_zx)(z* + s v) at s = 0
//! v^T (J_t - J*) / kappa^t = a - (rho c / kappa) v^T W t
//! ```
//!
//! a line in t, of which W tells the slope: ‖J_t - J*‖ = O(t kappa^(t-1)). Of ridge regression W is 0, and the factor t with it.
//!
//! Source: J. C. Gilbert, Automatic differentiation and iterative processes, Optimization Methods and Software 1, 1992.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::{axpy, distance, dot, norm};
use danskin_bench::Line;
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, Stroke};

use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::instance::Instance;
use crate::random::Random;
use crate::repeat::{median, repeat};
use crate::spectrum;
use crate::table::Table;
use crate::verdict::{Rule, Verdict};

/// n and m.
const SIDES: (usize, usize) = (10, 30);
const STEPS: usize = 2000;
/// ‖J_t - J*‖ / ‖J*‖ below which rounding, blown up by 1 / kappa^t, shows.
const FLOOR: f64 = 1e-11;
/// Step of the difference quotient of L_zz J* + L_zx.
const DIFFERENCE: f64 = 1e-5;

/// The experiment.
pub(crate) struct Jacobian;

/// One trajectory.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    kappa: f64,
    /// ‖J*‖, of Frobenius.
    scale: f64,
    /// ‖J_t - J*‖ for t = 0, 1, ..., down to rounding.
    errors: Vec<f64>,
    /// v^T (J_t - J*) / kappa^t, of length n.
    along: Vec<Vec<f64>>,
    /// -(rho c / kappa) v^T W, of length n.
    slope: Vec<f64>,
}

/// Trajectories over seeds.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    ridge: Vec<Run>,
    logistic: Vec<Run>,
}

fn once<L: Loss + Copy>(loss: L, curvature: f64, seed: u64, ctx: &mut Ctx) -> Result<Run, Failure> {
    let (n, m) = SIDES;
    let mut random = Random::new(seed);
    let (design, lambda) = (random.design(n, m), 1.0 / n as f64);
    let instance = Instance::new(loss, design, random.normal(n), lambda, ctx)?;
    let Instance { problem, x, minimum, curvature: at_minimum, .. } = &instance;
    let (least, v) = spectrum::slowest(problem.design(), at_minimum);
    let smoothness = instance.smoothness(curvature, lambda);
    let solver = GradientDescent::new(StepSize::Fixed(1.0 / smoothness));
    let mut exact = vec![0.0; n * m];
    let there = Solve::new(problem, &solver, x).from(minimum).stop(Stop::steps(0)).run_in(ctx)?;
    let implicit = Implicit::new(DenseCholesky::default());
    implicit.jacobian_in(&there, 0..n, |j, column, _| exact[j * m..][..m].copy_from_slice(column), ctx)?;
    let (scale, kappa) = (norm(&exact), 1.0 - (least + lambda) / smoothness);

    let mut solution = Solve::new(problem, &solver, x).stop(Stop::steps(0)).record(Tangents::full()).run_in(ctx)?;
    let (mut errors, mut along, mut c) = (Vec::new(), Vec::new(), 0.0);
    for t in 0..=STEPS {
        solution.resume(Stop::steps(t), ctx)?;
        let tangents = solution.recorder();
        let jacobian: Vec<f64> = (0..n).flat_map(|j| tangents.tangent(j).iter().copied()).collect();
        let error = distance(&jacobian, &exact);
        if error <= FLOOR * scale {
            break;
        }
        errors.push(error);
        let blown = kappa.powf(t as f64);
        along.push((0..n).map(|j| (dot(&v, tangents.tangent(j)) - dot(&v, &exact[j * m..][..m])) / blown).collect());
        c = (dot(&v, solution.z()) - dot(&v, minimum)) / blown;
    }
    let mut slope = vec![0.0; n];
    let (mut unit, mut image) = (vec![0.0; n], vec![0.0; m]);
    for (j, slope) in slope.iter_mut().enumerate() {
        unit[j] = 1.0;
        for side in [-1.0, 1.0] {
            let mut z = minimum.clone();
            axpy(side * DIFFERENCE, &v, &mut z);
            problem.grad_z_tangent(Point::new(&z, x), &exact[j * m..][..m], &unit, &mut image, ctx);
            *slope -= side * dot(&v, &image) * c / (2.0 * DIFFERENCE * smoothness * kappa);
        }
        unit[j] = 0.0;
    }
    Ok(Run { kappa, scale, errors, along, slope })
}

impl Run {
    /// The slope of v^T (J_t - J*) / kappa^t in t, of length n, over the last quarter of the steps.
    fn fitted(&self) -> Vec<f64> {
        let later = 3 * self.along.len() / 4..self.along.len();
        let of = |j: usize| {
            let points: Vec<_> = later.clone().map(|t| (t as f64, self.along[t][j])).collect();
            Line::fit(&points).map_or(f64::NAN, |line| line.slope)
        };
        (0..self.slope.len()).map(of).collect()
    }

    /// The share of the last v^T (J_t - J*) / kappa^t that t adds, by the line fitted.
    fn share_of_t(&self) -> f64 {
        let last = self.along.last().map_or(f64::NAN, |last| norm(last));
        norm(&self.fitted()) * self.along.len() as f64 / last
    }
}

impl Experiment for Jacobian {
    type Measured = Measured;

    const NAME: &'static str = "jacobian";
    const ABOUT: &'static str =
        "the Jacobian of the iterates converges like t kappa^(t-1), of ridge regression like kappa^t";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Measured, Failure> {
        let seeds = size.pick(20, 200);
        Ok(Measured {
            ridge: repeat(seeds, ctx, |seed, ctx| once(Squared, 1.0, seed, ctx))?,
            logistic: repeat(seeds, ctx, |seed, ctx| once(Logistic, 0.25, seed, ctx))?,
        })
    }

    fn show(&self, Measured { ridge, logistic }: &Measured) -> Outcome {
        let ratio = |run: &Run| dot(&run.fitted(), &run.slope) / dot(&run.slope, &run.slope);
        let cosine = |run: &Run| dot(&run.fitted(), &run.slope) / (norm(&run.fitted()) * norm(&run.slope));
        let verdicts = vec![
            Verdict::new(
                "ridge: share of t in v^T (J_t - J*) / kappa^t at the last t, median",
                1e-3,
                Rule::AtMost,
                median(ridge.iter().map(Run::share_of_t)),
            ),
            Verdict::new(
                "logistic: the slope of v^T (J_t - J*) / kappa^t in t over -(rho c / kappa) v^T W, median",
                1.0,
                Rule::Within(0.05),
                median(logistic.iter().map(ratio)),
            ),
            Verdict::new(
                "logistic: cosine between the two, as vectors of R^n, median",
                0.98,
                Rule::AtLeast,
                median(logistic.iter().map(cosine)),
            ),
        ];
        // The seeds differ in kappa: that of them is drawn in which t adds most, and does not cancel first.
        let of_t =
            |run: &&Run| norm(&run.slope) * run.along.len() as f64 / run.along.last().map_or(1.0, |last| norm(last));
        let grows = |run: &&Run| run.along.get(run.along.len() / 4).is_some_and(|along| dot(along, &run.slope) > 0.0);
        let most = logistic.iter().filter(grows).max_by(|a, b| of_t(a).total_cmp(&of_t(b)));
        let drawn: Vec<(&str, &Run)> =
            ridge.first().map(|run| ("ridge", run)).into_iter().chain(most.map(|run| ("logistic", run))).collect();
        let mut table = Table::new("errors", ["t", "ridge", "logistic", "ridge along v", "logistic along v"]);
        let longest = drawn.iter().map(|(_, run)| run.errors.len()).max().unwrap_or(0);
        for t in 0..longest {
            let of = |pick: &dyn Fn(&Run) -> Option<f64>| {
                drawn.iter().map(|(_, run)| pick(run).unwrap_or(f64::NAN)).collect::<Vec<_>>()
            };
            let errors = of(&|run| Some(run.errors.get(t)? / run.scale));
            let along = of(&|run| Some(norm(run.along.get(t)?)));
            table.rows.push([vec![t as f64], errors, along].concat());
        }
        let (mut of_errors, mut of_along) = (Vec::new(), Vec::new());
        for ((name, run), colour) in drawn.iter().zip(MORE_COLOURS) {
            let steps = run.errors.len();
            let plain =
                |points: Vec<(f64, f64)>| Curve { stroke: Stroke::Plain, ..Curve::measured(*name, colour, points) };
            of_errors.push(plain((0..steps).map(|t| (t as f64, run.errors[t] / run.scale)).collect()));
            of_along.push(plain((0..steps).map(|t| (t as f64, norm(&run.along[t]))).collect()));
            // a of the line is what was found in the middle.
            let middle = 3 * steps / 4;
            let theory = (1..steps).map(|t| {
                let mut at = run.along[middle].clone();
                axpy(t as f64 - middle as f64, &run.slope, &mut at);
                (t as f64, norm(&at))
            });
            let line: Vec<(f64, f64)> = theory.collect();
            let factor = 1.5 * run.errors[middle] / (run.scale * line[middle - 1].1 * run.kappa.powf(middle as f64));
            let curve = line.iter().map(|(t, height)| (*t, factor * height * run.kappa.powf(*t))).collect();
            of_errors.push(Curve::theory(format!("theory, {name}: |a + b t| kappa^t, times 1.5"), curve));
            of_along.push(Curve::theory(format!("theory, {name}: |a + b t|"), line));
        }
        let across = || Axis::from_zero("iterations t");
        let drawings = vec![
            Drawing {
                title: "Jacobian of the iterates, n = 10, m = 30".to_owned(),
                across: across(),
                up: Axis::logarithmic("‖J_t - J*‖ / ‖J*‖"),
                curves: of_errors,
            },
            Drawing {
                title: "along the slowest eigenvector v, over kappa^t".to_owned(),
                across: across(),
                up: Axis::from_zero("‖v^T (J_t - J*)‖ / kappa^t"),
                curves: of_along,
            },
        ];
        Outcome { verdicts, tables: vec![table], drawings: vec![("errors", drawings)], ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_notices_nan, assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = Jacobian.measure(Size::Short, &mut Ctx::new()).unwrap();
        assert_passes(&Jacobian, &sound);
        let swapped = Measured { ridge: sound.logistic.clone(), ..sound.clone() };
        let found = failing(&Jacobian, &swapped);
        assert!(found.len() == 1 && found[0].starts_with("ridge: share of t"), "{found:?}");
        let [slope, cosine] = ["logistic: the slope", "logistic: cosine"];
        // A slope that is a tenth larger, one in another direction, and no factor t at all.
        let longer = |run: &mut Run| run.slope.iter_mut().for_each(|slope| *slope *= 1.1);
        let turned = |run: &mut Run| {
            // As much again at a right angle: <fitted, slope> / ‖slope‖² is what it was.
            let (mut other, square) = (run.slope.clone(), dot(&run.slope, &run.slope));
            other.rotate_left(1);
            let along = dot(&other, &run.slope) / square;
            axpy(-along, &run.slope, &mut other);
            let size = norm(&other);
            for (t, along) in run.along.iter_mut().enumerate() {
                axpy(t as f64 * square.sqrt() / size, &other, along);
            }
        };
        let level = |run: &mut Run| {
            let last = run.along[run.along.len() - 1].clone();
            run.along.fill(last);
        };
        let check = |damage: fn(&mut Run), claims: &[&str]| {
            let mut broken = sound.clone();
            broken.logistic.iter_mut().for_each(damage);
            let found = failing(&Jacobian, &broken);
            let is_meant = found.len() == claims.len() && found.iter().zip(claims).all(|(a, b)| a.starts_with(b));
            assert!(is_meant, "{claims:?}: {found:?}");
        };
        check(longer, &[slope]);
        check(turned, &[cosine]);
        check(level, &[slope, cosine]);
        assert_notices_nan(&Jacobian, &sound, |m| &mut m.logistic[19].slope[3]);
        assert_notices_nan(&Jacobian, &sound, |m| m.logistic[19].along.last_mut().unwrap().last_mut().unwrap());
        assert_notices_nan(&Jacobian, &sound, |m| m.ridge[19].along.last_mut().unwrap().last_mut().unwrap());
    }
}
