//! The errors of g1, g2 and g3 along a trajectory of gradient descent, over seeds:
//!
//! ```text
//! L(z, x) = 1/n sum_i phi((D z)_i, x_i) + lambda/2 ‖z‖²,   n = 50, m = 100, lambda = 1/n, D and x normal, z_0 = 0
//! ```
//!
//! with step 1/L, L = c ‖D‖²/n + lambda: c = 1 for ridge regression, 1/4 for logistic regression, where x_i of modulus 1 are what c is a bound for. It is the step
//! that gives the source's orders of magnitude; with that of the x at hand, three times shorter, the errors are those of a third of the steps.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::{distance, norm};
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, Stroke, colour};

use crate::experiment::Failure;
use crate::fit::{FLOOR, is_seen, later_slope};
use crate::instance::Instance;
use crate::random::Random;
use crate::repeat::{median, quantile, repeat};
use crate::spectrum;
use crate::table::Table;

/// n, the rows of D and the length of x.
pub(crate) const ROWS: usize = 50;
/// m, the length of z.
const LATENT: usize = 100;

/// One trajectory.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// 1 - rho mu, mu the least eigenvalue of L_zz at z* that z_t - z* can see: z_t never leaves the span of the rows of D.
    pub(crate) kappa: f64,
    /// ‖g*‖.
    pub(crate) scale: f64,
    /// Condition of L_zz on that span.
    pub(crate) condition: f64,
    /// ‖g1 - g*‖, ‖g2 - g*‖, ‖g3 - g*‖ at each t.
    pub(crate) errors: Vec<[f64; 3]>,
    /// ‖g2 at t - g1 at 2t‖ at each t whose double was looked at.
    pub(crate) doubling: Vec<f64>,
}

/// Trajectories over seeds.
#[derive(Clone, Debug)]
pub(crate) struct Trajectories {
    /// The t looked at.
    pub(crate) steps: Vec<usize>,
    /// One for each seed.
    pub(crate) runs: Vec<Run>,
}

/// Measures `seeds` trajectories of `last` steps at every `every`-th.
pub(crate) fn measure<L: Loss + Copy>(
    loss: L,
    curvature: f64,
    (seeds, last, every): (usize, usize, usize),
    ctx: &mut Ctx,
) -> Result<Trajectories, Failure> {
    let steps: Vec<usize> = (0..=last).step_by(every).collect();
    let runs = repeat(seeds, ctx, |seed, ctx| once(loss, curvature, seed, &steps, ctx))?;
    Ok(Trajectories { steps, runs })
}

fn once<L: Loss + Copy>(loss: L, curvature: f64, seed: u64, steps: &[usize], ctx: &mut Ctx) -> Result<Run, Failure> {
    let mut random = Random::new(seed);
    let (design, lambda) = (random.design(ROWS, LATENT), 1.0 / ROWS as f64);
    let instance = Instance::new(loss, design, random.normal(ROWS), lambda, ctx)?;
    let Instance { problem, x, exact, curvature: at_minimum, .. } = &instance;
    let spectrum = spectrum::of_gram(problem.design(), at_minimum);
    let (mu, largest) = (spectrum[0] + lambda, spectrum[ROWS - 1] + lambda);
    let smoothness = instance.smoothness(curvature, lambda);

    let implicit = Implicit::new(DenseCholesky::default());
    let solver = GradientDescent::new(StepSize::Fixed(1.0 / smoothness));
    let mut solution = Solve::new(problem, &solver, x).stop(Stop::steps(0)).record(Tape::new()).run_in(ctx)?;
    let (mut errors, mut analytic, mut automatic) = (Vec::new(), Vec::new(), Vec::new());
    for &t in steps {
        solution.resume(Stop::steps(t), ctx)?;
        let g1 = solution.gradient_in(&Envelope, &Analytic, ctx)?.value;
        let g2 = solution.gradient_in(&Envelope, &Automatic, ctx)?.value;
        let g3 = solution.gradient_in(&Envelope, &implicit, ctx)?.value;
        errors.push([&g1, &g2, &g3].map(|g| distance(g, exact)));
        analytic.push(g1);
        automatic.push(g2);
    }
    // The steps are evenly spaced from 0.
    let doubling = (0..steps.len().div_ceil(2)).map(|k| distance(&automatic[k], &analytic[2 * k])).collect();
    Ok(Run { kappa: 1.0 - mu / smoothness, scale: norm(exact), condition: largest / mu, errors, doubling })
}

impl Trajectories {
    /// The median over seeds of the error of estimator `k` at t, which must be one of those looked at; NaN otherwise.
    pub(crate) fn median(&self, k: usize, t: usize) -> f64 {
        let place = self.steps.iter().position(|step| *step == t);
        place.map_or(f64::NAN, |place| median(self.runs.iter().map(|run| run.errors[place][k])))
    }

    /// The median over seeds of the slope of ln ‖g1 - g*‖ in t over ln(kappa).
    pub(crate) fn rate(&self) -> f64 {
        self.slope(0, |run, t, _| t * run.kappa.ln(), false)
    }

    /// The median over seeds of the slope of ln(error) of estimator `k`, or of ln(error / t), in ln ‖g1 - g*‖ at the same t: where rates are, the power of kappa^t.
    pub(crate) fn power(&self, k: usize, over_t: bool) -> f64 {
        self.slope(k, |_, _, errors| errors[0].ln(), over_t)
    }

    /// Fitted over the later half of the steps at which the error is above rounding.
    fn slope(&self, k: usize, across: impl Fn(&Run, f64, &[f64; 3]) -> f64, over_t: bool) -> f64 {
        let of = |run: &Run| {
            let points = self.steps.iter().zip(&run.errors).skip(1);
            later_slope(points.filter(|(_, errors)| is_seen(errors[k], run.scale)).map(|(t, errors)| {
                let t = *t as f64;
                (across(run, t, errors), (errors[k] / if over_t { t } else { 1.0 }).ln())
            }))
        };
        median(self.runs.iter().map(of))
    }

    /// The medians of all estimators, with their quartiles.
    pub(crate) fn table(&self) -> Table {
        let header = EstimatorKind::ALL
            .iter()
            .flat_map(|kind| ["median", "lower quartile", "upper quartile"].map(|q| format!("{kind} {q}")));
        let rows = self.steps.iter().enumerate().map(|(place, &t)| {
            let quantiles = (0..3).flat_map(|k| [0.5, 0.25, 0.75].map(|q| self.quantile(k, place, q)));
            std::iter::once(t as f64).chain(quantiles).collect()
        });
        Table::new("errors", std::iter::once("t".to_owned()).chain(header)).with(rows)
    }

    /// The same drawn, over curves `theory` of the median kappa and t, each through the middle of what was measured of its estimator.
    pub(crate) fn drawing(&self, title: &str, theory: [Option<Law>; 3]) -> Drawing {
        let kappa = median(self.runs.iter().map(|run| run.kappa));
        let floor = FLOOR * median(self.runs.iter().map(|run| run.scale));
        let mut curves = Vec::new();
        for (k, &kind) in EstimatorKind::ALL.iter().enumerate() {
            let seen: Vec<usize> =
                (1..self.steps.len()).filter(|&place| self.quantile(k, place, 0.5) > floor).collect();
            let at = |place: usize| self.steps[place] as f64;
            let points = (0..self.steps.len()).map(|place| (at(place), self.quantile(k, place, 0.5))).collect();
            let band =
                (0..self.steps.len()).map(|place| (self.quantile(k, place, 0.25), self.quantile(k, place, 0.75)));
            curves.push(Curve {
                band: band.collect(),
                stroke: Stroke::Plain,
                ..Curve::measured(kind.to_string(), colour(kind), points)
            });
            let middle = seen.get(3 * seen.len() / 4).copied();
            if let Some(((name, law), middle)) = theory[k].zip(middle) {
                let factor = 1.5 * self.quantile(k, middle, 0.5) / law(kappa, at(middle));
                let points = seen.iter().map(|&place| (at(place), factor * law(kappa, at(place)))).collect();
                curves.push(Curve::theory(name, points));
            }
        }
        let up = Axis::logarithmic("error of the gradient, ‖g - g*‖, median and quartiles");
        Drawing { title: title.to_owned(), across: Axis::from_zero("iterations t"), up, curves }
    }

    fn quantile(&self, k: usize, place: usize, q: f64) -> f64 {
        quantile(self.runs.iter().map(|run| run.errors[place][k]), q)
    }
}

/// A name, and what an error is proportional to at kappa and t.
pub(crate) type Law = (&'static str, fn(f64, f64) -> f64);

/// kappa^t.
pub(crate) const ONCE: Law = ("theory: kappa^t", |kappa, t| kappa.powf(t));
/// kappa^2t.
pub(crate) const TWICE: Law = ("theory: kappa^2t", |kappa, t| kappa.powf(2.0 * t));
/// t kappa^2t.
pub(crate) const TWICE_AND_T: Law = ("theory: t kappa^2t", |kappa, t| t * kappa.powf(2.0 * t));

#[cfg(test)]
mod tests {
    use super::*;

    /// mu is the least eigenvalue of L_zz above those that are lambda alone, which belong to what D does not see.
    #[test]
    fn kappa_is_of_the_slowest_direction_that_is_seen() {
        let (mut ctx, seed) = (Ctx::new(), 3);
        let run = once(Logistic, 0.25, seed, &[0], &mut ctx).unwrap();
        let mut random = Random::new(seed);
        let (design, lambda) = (random.design(ROWS, LATENT), 1.0 / ROWS as f64);
        let instance = Instance::new(Logistic, design, random.normal(ROWS), lambda, &mut ctx).unwrap();
        let mut hessian = vec![0.0; LATENT * LATENT];
        let at = Point::new(&instance.minimum, &instance.x);
        instance.problem.assemble_hessian(at, &mut hessian, &mut ctx);
        let eigenvalues = spectrum::of_symmetric(LATENT, &hessian);
        let (unseen, seen) = eigenvalues.split_at(LATENT - ROWS);
        assert!(unseen.iter().all(|value| (value - lambda).abs() < 1e-12));
        let kappa = 1.0 - seen[0] / instance.smoothness(0.25, lambda);
        assert!((run.kappa - kappa).abs() < 1e-12, "{} {kappa}", run.kappa);
        assert!((run.condition - seen[ROWS - 1] / seen[0]).abs() < 1e-9 * run.condition);
        // The next one is told from it.
        assert!(seen[1] > 1.001 * seen[0]);
    }
}
