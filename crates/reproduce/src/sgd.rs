//! Stochastic inner solvers: with steps c (t0 + t)^-a the squared errors of g1, g2 and g3 fall like t^-a, t^-2a and t^-2a, half of that in norm.
//!
//! ```text
//! L(z, x) = 1/n sum_i log(1 + exp(-x_i (D z)_i)) + lambda/2 ‖z‖²,   n = 30, m = 10, lambda = 0.1, D normal, x labels, one term a step
//! ```
//!
//! As E ‖z_t - z*‖² = O(rho_t), g1 is off by its root, g3 by what is second order in it, and g2 by a product of ‖J_t - J*‖ and ‖z_t - z*‖. For a = 1 that holds where
//! 2 c mu > 1, mu the least eigenvalue of L_zz at z*; else ‖z_t - z*‖² falls like t^(-2 c mu). With the same step rho at every t they stop at floors: rho, rho², rho².
//! Not on ridge regression, where g3 is exact.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::distance;
use danskin_bench::Line;
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, colour};

use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::instance::Instance;
use crate::random::Random;
use crate::repeat::{quantile, repeat};
use crate::spectrum;
use crate::table::Table;
use crate::verdict::{Rule, Verdict};

const ROWS: usize = 30;
const LATENT: usize = 10;
const LAMBDA: f64 = 0.1;
const OFFSET: f64 = 300.0;
const SEED: u64 = 1;
/// c for a = 0.8, for a = 1 where its condition holds, and where it does not.
const SCALES: [f64; 3] = [2.0, 10.0, 1.0];
/// The constant steps.
const CONSTANT: [f64; 5] = [0.0025, 0.005, 0.01, 0.02, 0.04];
/// Stops a decade.
const STOPS: usize = 6;

/// The experiment.
pub(crate) struct StochasticDescent;

/// Squared errors of z_t, g1, g2 and g3.
type Squares = [f64; 4];

/// A rule for the steps, and what it led to.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    steps: Decay,
    /// t0 + t, or the step, in increasing order.
    across: Vec<f64>,
    /// For each of `across` one of each repetition.
    squares: Vec<Vec<Squares>>,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// The least eigenvalue of L_zz at z*.
    mu: f64,
    /// For each of `SCALES`.
    decreasing: Vec<Series>,
    constant: Series,
}

/// The problem, and the least eigenvalue of L_zz at its minimum.
fn instance(ctx: &mut Ctx) -> Result<(Instance<Logistic>, f64), Failure> {
    let mut random = Random::new(SEED);
    let design = random.design(ROWS, LATENT);
    let labels = random.normal(ROWS).iter().map(|x| x.signum()).collect();
    let instance = Instance::new(Logistic, design, labels, LAMBDA, ctx)?;
    // D has more rows than columns: the first of the eigenvalues are 0, and no matter.
    let mu = spectrum::of_gram(instance.problem.design(), &instance.curvature)[ROWS - LATENT] + LAMBDA;
    Ok((instance, mu))
}

impl Instance<Logistic> {
    /// The squared errors at each of `stops` of one trajectory.
    fn trajectory(&self, solver: &Sgd, stops: &[usize], ctx: &mut Ctx) -> Result<Vec<Squares>, Failure> {
        let solve = Solve::new(&self.problem, solver, &self.x).stop(Stop::steps(0)).record(Tape::new());
        let mut solution = solve.run_in(ctx)?;
        let implicit = Implicit::new(DenseCholesky::default());
        let mut all = Vec::new();
        for &t in stops {
            solution.resume(Stop::steps(t), ctx)?;
            let g1 = solution.gradient_in(&Envelope, &Analytic, ctx)?.value;
            let g2 = solution.gradient_in(&Envelope, &Automatic, ctx)?.value;
            let g3 = solution.gradient_in(&Envelope, &implicit, ctx)?.value;
            let of_z = distance(solution.z(), &self.minimum);
            let [a, b, c] = [g1, g2, g3].map(|g| distance(&g, &self.exact));
            all.push([of_z, a, b, c].map(|error| error * error));
        }
        Ok(all)
    }
}

impl Series {
    /// The mean over repetitions of squared error `k` at place `place`.
    fn mean(&self, place: usize, k: usize) -> f64 {
        let squares = &self.squares[place];
        squares.iter().map(|squares| squares[k]).sum::<f64>() / squares.len() as f64
    }

    /// The exponent of that mean in what is across, over the places from `from` on.
    fn exponent(&self, k: usize, from: f64) -> f64 {
        let places = (0..self.across.len()).filter(|&place| self.across[place] >= from);
        let points = places.map(|place| (self.across[place].ln(), self.mean(place, k).ln()));
        Line::fit(&points.collect::<Vec<_>>()).map_or(f64::NAN, |line| line.slope)
    }

    /// The same over the last decade.
    fn rate(&self, k: usize) -> f64 {
        self.exponent(k, self.across.last().map_or(0.0, |last| last / 10.0))
    }

    fn table(&self, name: &'static str, across: &str) -> Table {
        let header = std::iter::once(across).chain(["z", "analytic", "automatic", "implicit"]);
        let rows = (0..self.across.len())
            .map(|place| std::iter::once(self.across[place]).chain((0..4).map(|k| self.mean(place, k))).collect());
        Table::new(name, header).with(rows)
    }

    /// Means and quartiles, over the powers `exponents` of what is across.
    fn drawing(&self, title: &str, across: &str, exponents: [f64; 4]) -> Drawing {
        let names = ["‖z_t - z*‖²", "analytic", "automatic", "implicit"];
        let colours = [MORE_COLOURS[0]].into_iter().chain(EstimatorKind::ALL.iter().map(|kind| colour(*kind)));
        let mut curves = Vec::new();
        for (k, (name, colour)) in names.into_iter().zip(colours).enumerate() {
            let points: Vec<_> =
                (0..self.across.len()).map(|place| (self.across[place], self.mean(place, k))).collect();
            let of = |place: usize, q| quantile(self.squares[place].iter().map(|squares| squares[k]), q);
            let band = (0..self.across.len()).map(|place| (of(place, 0.25), of(place, 0.75))).collect();
            let last = points.last().copied().unwrap_or((1.0, 1.0));
            let law = |at: f64| 2.0 * last.1 * (at / last.0).powf(exponents[k]);
            let theory = points.iter().map(|(at, _)| (*at, law(*at))).collect();
            curves.push(Curve { band, ..Curve::measured(name, colour, points) });
            curves.push(Curve::theory(format!("theory: power {:.3}", exponents[k]), theory));
        }
        let up = Axis::logarithmic("squared error, mean and quartiles");
        Drawing { title: title.to_owned(), across: Axis::logarithmic(across), up, curves }
    }
}

/// For each place the repetitions, of repetitions with all places.
fn by_place(repetitions: &[Vec<Squares>]) -> Vec<Vec<Squares>> {
    let places = repetitions.first().map_or(0, Vec::len);
    (0..places).map(|place| repetitions.iter().map(|all| all[place]).collect()).collect()
}

fn decreasing(
    instance: &Instance<Logistic>,
    steps: Decay,
    size: (usize, usize),
    ctx: &mut Ctx,
) -> Result<Series, Failure> {
    let (repetitions, last) = size;
    let stops = (0..).map(|k| 10_f64.powf(2.0 + f64::from(k) / STOPS as f64).round() as usize);
    let mut stops: Vec<usize> = stops.take_while(|t| *t < last).collect();
    stops.push(last);
    let found = repeat(repetitions, ctx, |seed, ctx| instance.trajectory(&Sgd::new(steps).seed(seed), &stops, ctx))?;
    let across = stops.iter().map(|t| steps.offset + *t as f64).collect();
    Ok(Series { steps, across, squares: by_place(&found) })
}

fn constant((instance, mu): (&Instance<Logistic>, f64), repetitions: usize, ctx: &mut Ctx) -> Result<Series, Failure> {
    let mut squares = Vec::new();
    for step in CONSTANT {
        // Until the start is forgotten, exp(-10) of it left, and then at ten times a time constant apart.
        let time = 1.0 / (mu * step);
        let stops: Vec<usize> = (0..5).map(|k| ((10.0 + 2.0 * f64::from(k)) * time) as usize).collect();
        let solver = Sgd::new(Decay::constant(step));
        let found = repeat(repetitions, ctx, |seed, ctx| instance.trajectory(&solver.seed(seed), &stops, ctx))?;
        squares.push(found.concat());
    }
    Ok(Series { steps: Decay::constant(f64::NAN), across: CONSTANT.to_vec(), squares })
}

impl Experiment for StochasticDescent {
    type Measured = Measured;

    const NAME: &'static str = "sgd";
    const ABOUT: &'static str =
        "stochastic gradient descent: squared errors fall like t^-a, t^-2a, t^-2a, and floors are rho, rho², rho²";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Measured, Failure> {
        let (instance, mu) = instance(ctx)?;
        let size = size.pick((50, 100_000), (100, 1_000_000));
        let decreasing = SCALES
            .iter()
            .zip([0.8, 1.0, 1.0])
            .map(|(&scale, exponent)| decreasing(&instance, Decay { scale, offset: OFFSET, exponent }, size, ctx));
        let decreasing = decreasing.collect::<Result<_, _>>()?;
        Ok(Measured { mu, decreasing, constant: constant((&instance, mu), size.0, ctx)? })
    }

    fn show(&self, Measured { mu, decreasing, constant }: &Measured) -> Outcome {
        let mut verdicts = Vec::new();
        let names = ["‖z_t - z*‖²", "squared error of g1", "squared error of g2", "squared error of g3"];
        let powers = [1.0, 1.0, 2.0, 2.0];
        for series in decreasing {
            let Decay { scale, exponent: a, .. } = series.steps;
            let condition = 2.0 * scale * mu;
            if a == 1.0 {
                let (side, rule) = if scale == SCALES[2] { ("below", Rule::AtMost) } else { ("above", Rule::AtLeast) };
                verdicts.push(Verdict::new(format!("2 c mu of c = {scale}, {side} 1"), 1.0, rule, condition));
            }
            if scale == SCALES[2] {
                // Faster directions are still to be seen: t^(-2 c mu) is the slowest of them.
                let claim = format!("exponent in t of the {}, a = {a}, c = {scale}: slower than t^-1", names[0]);
                verdicts.push(Verdict::new(claim, -0.75, Rule::AtLeast, series.rate(0)));
                continue;
            }
            // What noise and later terms leave of a rate; of products of two errors twice that.
            for (k, name) in names.into_iter().enumerate() {
                let claim = format!("exponent in t of the {name}, a = {a}, c = {scale}");
                verdicts.push(Verdict::new(claim, -powers[k] * a, Rule::Within(0.1 * powers[k]), series.rate(k)));
            }
        }
        for (k, name) in names.into_iter().enumerate() {
            let claim = format!("exponent in rho of the floor of the {name}, constant steps");
            verdicts.push(Verdict::new(claim, powers[k], Rule::Within(0.1 * powers[k]), constant.exponent(k, 0.0)));
        }
        let mut tables = vec![constant.table("constant", "rho")];
        let mut drawings = Vec::new();
        for (series, name) in decreasing.iter().zip(["a-0.8", "a-1", "a-1-slow"]) {
            let Decay { scale, exponent: a, .. } = series.steps;
            tables.push(series.table(name, "t0 + t"));
            let rate = if a == 1.0 { (2.0 * scale * mu).min(1.0) } else { a };
            let title = format!("logistic regression, steps {scale} (300 + t)^-{a}");
            drawings.push(series.drawing(&title, "t0 + iterations t", powers.map(|power| -power * rate)));
        }
        drawings.push(constant.drawing(
            "logistic regression, constant steps",
            "step rho (floor over later iterations t)",
            powers,
        ));
        Outcome { verdicts, tables, drawings: vec![("squares", drawings)], ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = StochasticDescent.measure(Size::Short, &mut Ctx::new()).unwrap();
        assert_passes(&StochasticDescent, &sound);
        for k in 1..4 {
            // g1 in the place of g2 and g3, and z off by what is not of first order in the place of g1.
            let instead = if k == 1 { 3 } else { 1 };
            let mut broken = sound.clone();
            let all = broken.decreasing.iter_mut().chain(std::iter::once(&mut broken.constant));
            all.flat_map(|series| series.squares.iter_mut().flatten())
                .for_each(|squares| squares[k] = squares[instead]);
            let failing = failing(&StochasticDescent, &broken);
            assert!(
                failing.len() == 3 && failing.iter().all(|claim| claim.contains(&format!("of g{k}"))),
                "{failing:?}"
            );
        }
        let mut broken = sound.clone();
        broken.decreasing[2].squares = sound.decreasing[1].squares.clone();
        assert!(failing(&StochasticDescent, &broken)[0].contains("slower"));
        let broken = Measured { mu: 4.0 * sound.mu, ..sound };
        assert!(failing(&StochasticDescent, &broken)[0].contains("2 c mu of c = 1"));
    }
}
