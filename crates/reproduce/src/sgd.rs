//! Stochastic inner solvers: with steps c (t0 + t)^-a the squared errors of g1, g2 and g3 fall like t^-a, t^-2a and t^-2a, half of that in norm.
//!
//! ```text
//! L(z, x) = 1/n sum_i log(1 + exp(-x_i (D z)_i)) + lambda/2 ‖z‖²,   n = 30, m = 10, lambda = 0.1, D normal, x labels, one term a step
//! ```
//!
//! As E ‖z_t - z*‖² = O(rho_t), g1 is off by its root, g3 by what is second order in it, and g2 by a product of ‖J_t - J*‖ and ‖z_t - z*‖. For a = 1 that holds where
//! 2 c mu > 1, mu the least eigenvalue of L_zz at z*. With the same step rho at every t they stop at floors: rho, rho², rho². Not on ridge regression, where g3 is exact.
//!
//! For a = 1 and 2 c mu < 1 what is left of the start and of the noise along the slowest eigenvector is of order t^(-2 c mu), that along others t^(-min(1, 2 c lambda)): the sum falls
//! by some power between -1 and -2 c mu, which it comes to when the slowest is all that is left, long after the last t. It is foretold by the linear model at z*, for each
//! eigenvector v of L_zz with eigenvalue lambda, and the noise of one term i of n,
//!
//! ```text
//! e <- (1 - rho_t lambda)² e + rho_t² 1/n sum_i (v^T grad_z L_i(z*))²,   e = (v^T z*)² at first
//! ```
//!
//! and nothing is claimed of the gradients there. Squared errors at a few t of each bin of ln t, the bins equal, are averaged, and then over repetitions.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::problem::Batch;
use danskin::vector::{distance, dot};
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
/// What noise and later terms leave of an exponent; of products of two errors twice that.
const NEAR: f64 = 0.075;
/// Bins a decade, from t = 100 on, and t in each.
const BINS: usize = 4;
const STOPS: usize = 3;

/// The experiment.
pub(crate) struct StochasticDescent;

/// Squared errors of z_t, g1, g2 and g3.
type Squares = [f64; 4];

/// A rule for the steps, and what it led to.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    steps: Decay,
    /// t0 + t in the middle of each bin, or the step, in increasing order.
    across: Vec<f64>,
    /// For each of `across` one of each repetition, for bins a mean.
    squares: Vec<Vec<Squares>>,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// The least eigenvalue of L_zz at z*.
    mu: f64,
    /// For each of `SCALES`.
    decreasing: Vec<Series>,
    /// ‖z_t - z*‖² by the linear model, for the last of `SCALES`.
    foretold: Vec<f64>,
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

/// E ‖z_t - z*‖² by the linear model at z*, at each of `stops`, in increasing order.
fn foretell(instance: &Instance<Logistic>, steps: Decay, stops: &[usize], ctx: &mut Ctx) -> Vec<f64> {
    let Instance { problem, x, minimum, .. } = instance;
    let at = Point::new(minimum, x);
    let mut hessian = vec![0.0; LATENT * LATENT];
    problem.assemble_hessian(at, &mut hessian, ctx);
    let (eigenvalues, vectors) = spectrum::eigen(LATENT, &hessian);
    let (mut noise, mut gradient) = (vec![0.0; LATENT], vec![0.0; LATENT]);
    for i in 0..ROWS {
        problem.batch_grad_z(Batch { terms: &[i], at }, &mut gradient, ctx);
        for (noise, v) in noise.iter_mut().zip(&vectors) {
            *noise += dot(v, &gradient).powi(2) / ROWS as f64;
        }
    }
    let (mut left, mut t, mut all) = (Vec::new(), 0, Vec::new());
    left.extend(vectors.iter().map(|v| dot(v, minimum).powi(2)));
    for &stop in stops {
        while t < stop {
            let rho = steps.at(t);
            for ((left, lambda), noise) in left.iter_mut().zip(&eigenvalues).zip(&noise) {
                *left = (1.0 - rho * lambda).powi(2) * *left + rho * rho * noise;
            }
            t += 1;
        }
        all.push(left.iter().sum());
    }
    all
}

impl Series {
    /// The mean over repetitions of squared error `k` at place `place`.
    fn mean(&self, place: usize, k: usize) -> f64 {
        let squares = &self.squares[place];
        squares.iter().map(|squares| squares[k]).sum::<f64>() / squares.len() as f64
    }

    /// The exponent of that mean in what is across, over the places from `from` on.
    fn exponent(&self, k: usize, from: f64) -> f64 {
        self.exponent_of(|place| self.mean(place, k), from)
    }

    /// The exponent of what `of` gives for each place.
    fn exponent_of(&self, of: impl Fn(usize) -> f64, from: f64) -> f64 {
        let places = (0..self.across.len()).filter(|&place| self.across[place] >= from);
        let points = places.map(|place| (self.across[place].ln(), of(place).ln()));
        Line::fit(&points.collect::<Vec<_>>()).map_or(f64::NAN, |line| line.slope)
    }

    /// Where the last decade begins.
    fn late(&self) -> f64 {
        self.across.last().map_or(0.0, |last| last / 10.0)
    }

    /// The exponent over the last decade.
    fn rate(&self, k: usize) -> f64 {
        self.exponent(k, self.late())
    }

    /// This power of what is across, through twice the last mean of squared error `k`.
    fn law(&self, k: usize, exponent: f64) -> Curve {
        let last = self.across.len() - 1;
        let law = |at: f64| 2.0 * self.mean(last, k) * (at / self.across[last]).powf(exponent);
        Curve::theory(format!("theory: power {exponent:.3}"), self.across.iter().map(|at| (*at, law(*at))).collect())
    }

    fn table(&self, name: &'static str, across: &str) -> Table {
        let header = std::iter::once(across).chain(["z", "analytic", "automatic", "implicit"]);
        let rows = (0..self.across.len())
            .map(|place| std::iter::once(self.across[place]).chain((0..4).map(|k| self.mean(place, k))).collect());
        Table::new(name, header).with(rows)
    }

    /// Means and quartiles, each with its theory where there is one.
    fn drawing(&self, title: &str, across: &str, theory: [Option<Curve>; 4]) -> Drawing {
        let names = ["‖z_t - z*‖²", "analytic", "automatic", "implicit"];
        let colours = [MORE_COLOURS[0]].into_iter().chain(EstimatorKind::ALL.iter().map(|kind| colour(*kind)));
        let mut curves = Vec::new();
        for (k, ((name, colour), theory)) in names.into_iter().zip(colours).zip(theory).enumerate() {
            let points: Vec<_> =
                (0..self.across.len()).map(|place| (self.across[place], self.mean(place, k))).collect();
            let of = |place: usize, q| quantile(self.squares[place].iter().map(|squares| squares[k]), q);
            let band = (0..self.across.len()).map(|place| (of(place, 0.25), of(place, 0.75))).collect();
            curves.push(Curve { band, ..Curve::measured(name, colour, points) });
            curves.extend(theory);
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

/// The t looked at, up to 10^`decades`, those of a bin after one another.
fn stops(decades: usize) -> Vec<usize> {
    let a_decade = BINS * STOPS;
    (1..=a_decade * (decades - 2)).map(|k| 10_f64.powf(2.0 + k as f64 / a_decade as f64).round() as usize).collect()
}

/// The means over bins of what there is for each of `stops`.
fn by_bin<T>(of_stops: &[T], mean: impl Fn(&[T]) -> T) -> Vec<T> {
    of_stops.chunks_exact(STOPS).map(mean).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn decreasing(
    instance: &Instance<Logistic>,
    steps: Decay,
    (repetitions, decades): (usize, usize),
    ctx: &mut Ctx,
) -> Result<Series, Failure> {
    let stops = stops(decades);
    let found = repeat(repetitions, ctx, |seed, ctx| {
        let all = instance.trajectory(&Sgd::new(steps).seed(seed), &stops, ctx)?;
        Ok(by_bin(&all, |bin| [0, 1, 2, 3].map(|k| mean(&bin.iter().map(|squares| squares[k]).collect::<Vec<_>>()))))
    })?;
    let logarithms: Vec<f64> = stops.iter().map(|t| (steps.offset + *t as f64).ln()).collect();
    let across = by_bin(&logarithms, mean).iter().map(|middle| middle.exp()).collect();
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
        let size = size.pick((50, 5), (100, 6));
        let decreasing = SCALES
            .iter()
            .zip([0.8, 1.0, 1.0])
            .map(|(&scale, exponent)| decreasing(&instance, Decay { scale, offset: OFFSET, exponent }, size, ctx));
        let decreasing = decreasing.collect::<Result<_, _>>()?;
        let slow = Decay { scale: SCALES[2], offset: OFFSET, exponent: 1.0 };
        let foretold = by_bin(&foretell(&instance, slow, &stops(size.1), ctx), mean);
        Ok(Measured { mu, decreasing, foretold, constant: constant((&instance, mu), size.0, ctx)? })
    }

    fn show(&self, Measured { mu, decreasing, foretold, constant }: &Measured) -> Outcome {
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
                // What noise and the change of L_zz leave of it.
                let claim = format!(
                    "exponent in t of the {}, a = {a}, c = {scale}: that of the linear model, between -1 and -2 c mu = {:.3}",
                    names[0], -condition
                );
                let predicted = series.exponent_of(|place| foretold[place], series.late());
                verdicts.push(Verdict::new(claim, predicted, Rule::Within(0.05), series.rate(0)));
                continue;
            }
            for (k, name) in names.into_iter().enumerate() {
                let claim = format!("exponent in t of the {name}, a = {a}, c = {scale}");
                verdicts.push(Verdict::new(claim, -powers[k] * a, Rule::Within(NEAR * powers[k]), series.rate(k)));
            }
        }
        for (k, name) in names.into_iter().enumerate() {
            let claim = format!("exponent in rho of the floor of the {name}, constant steps");
            verdicts.push(Verdict::new(claim, powers[k], Rule::Within(NEAR * powers[k]), constant.exponent(k, 0.0)));
        }
        let mut tables = vec![constant.table("constant", "rho")];
        let mut drawings = Vec::new();
        for (series, name) in decreasing.iter().zip(["a-0.8", "a-1", "a-1-slow"]) {
            let Decay { scale, exponent: a, .. } = series.steps;
            tables.push(series.table(name, "t0 + t"));
            let title = format!("logistic regression, steps {scale} (300 + t)^-{a}");
            let theory = if scale == SCALES[2] {
                let model = series.across.iter().copied().zip(foretold.iter().copied()).collect();
                [Some(Curve::theory("theory: the linear model at z*", model)), None, None, None]
            } else {
                [0, 1, 2, 3].map(|k| Some(series.law(k, -powers[k] * a)))
            };
            drawings.push(series.drawing(&title, "t0 + iterations t", theory));
        }
        drawings.push(constant.drawing(
            "logistic regression, constant steps",
            "step rho (floor over later iterations t)",
            [0, 1, 2, 3].map(|k| Some(constant.law(k, powers[k]))),
        ));
        Outcome { verdicts, tables, drawings: vec![("squares", drawings)], ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_notices_nan, assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = StochasticDescent.measure(Size::Short, &mut Ctx::new()).unwrap();
        assert_passes(&StochasticDescent, &sound);
        for k in 0..4 {
            // g1 in the place of g2 and g3, and z off by what is not of first order in the place of itself and of g1.
            let instead = if k < 2 { 3 } else { 1 };
            let mut broken = sound.clone();
            let all = broken.decreasing.iter_mut().chain(std::iter::once(&mut broken.constant));
            all.flat_map(|series| series.squares.iter_mut().flatten())
                .for_each(|squares| squares[k] = squares[instead]);
            let failing = failing(&StochasticDescent, &broken);
            let name = if k == 0 { "of the ‖z_t - z*‖²".to_owned() } else { format!("of g{k}") };
            // Of z there is a claim for the slow steps too.
            let count = if k == 0 { 4 } else { 3 };
            assert!(failing.len() == count && failing.iter().all(|claim| claim.contains(&name)), "{failing:?}");
        }
        let mut broken = sound.clone();
        broken.decreasing[2].squares = sound.decreasing[1].squares.clone();
        let found = failing(&StochasticDescent, &broken);
        assert!(found.len() == 1 && found[0].contains("linear model"), "{found:?}");
        for (factor, claim) in [(4.0, "2 c mu of c = 1, below 1"), (0.25, "2 c mu of c = 10, above 1")] {
            let found = failing(&StochasticDescent, &Measured { mu: factor * sound.mu, ..sound.clone() });
            assert!(found.len() == 1 && found[0].starts_with(claim), "{found:?}");
        }
        for place in [8, 11] {
            for k in 0..4 {
                for series in 0..2 {
                    assert_notices_nan(&StochasticDescent, &sound, |m| &mut m.decreasing[series].squares[place][7][k]);
                }
                assert_notices_nan(&StochasticDescent, &sound, |m| &mut m.constant.squares[place % 5][7][k]);
            }
            assert_notices_nan(&StochasticDescent, &sound, |m| &mut m.decreasing[2].squares[place][7][0]);
            assert_notices_nan(&StochasticDescent, &sound, |m| &mut m.foretold[place]);
        }
        assert_notices_nan(&StochasticDescent, &sound, |m| &mut m.mu);
    }
}
