//! A generator of points in the plane against a discriminator whose best answer is a logistic regression:
//!
//! ```text
//! max over theta of min_w 1/2N sum_i log(1 + exp(-y_i <phi(s_i), w>)) + lambda/2 ‖w‖²
//! ```
//!
//! y = 1 for N points s_i of eight normal distributions on a circle, -1 for N points G(theta, e_i) of a network with one hidden layer, e_i normal and fixed;
//! phi(s)_k = sqrt(2/m) cos(<omega_k, s> + b_k), random Fourier features of a Gaussian kernel. D are the features: the gradient of l with respect to its entries goes back through
//! phi and G by hand. l is at most log 2, where nothing tells the points apart.
//!
//! Source: I. Goodfellow et al., Generative adversarial nets, NeurIPS 2014; A. Rahimi, B. Recht, Random features for large-scale kernel machines, NeurIPS 2007; Adam: D. P. Kingma, J. Ba, ICLR
//! 2015.

use std::f64::consts::{LN_2, TAU};

use danskin::ctx::{Ctx, Phase};
use danskin::prelude::*;
use danskin::vector::{distance, norm};
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, Stroke, colour};
use rayon::prelude::*;

use super::{Paths, STEPS, drawing, paths, table};
use crate::estimate::estimate;
use crate::experiment::{Failure, Outcome};
use crate::fit::is_seen;
use crate::random::Random;
use crate::repeat::median;
use crate::table::Table;
use crate::verdict::{Rule, Verdict};

/// N.
const POINTS: usize = 128;
/// m.
const FEATURES: usize = 64;
const HIDDEN: usize = 24;
const LAMBDA: f64 = 0.03;
/// Deviation of each of the eight, and of the kernel.
const SPREAD: f64 = 0.08;
const WIDTH: f64 = 0.5;
const LEARNING_RATE: f64 = 0.02;
/// Steps on theta.
pub(crate) const SHORT: usize = 300;
pub(crate) const FULL: usize = 2000;
/// Gradients are compared after so many steps on w, at every so many on theta.
const COMPARED: [usize; 5] = [1, 3, 10, 20, 30];
const EVERY: usize = 20;

type Plane = [f64; 2];

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// 1 - l / log 2 at the best discriminator, at each step.
    pub(super) gaps: Paths,
    /// ‖g - g*‖ / ‖g*‖ of g1, g2 and g3 in theta at each of `COMPARED`, medians along the path of exact gradients.
    pub(super) errors: Vec<[f64; 3]>,
    real: Vec<Plane>,
    /// In the beginning, and in the end by each estimator at t = 1 and 30.
    samples: Vec<(String, Vec<Plane>)>,
}

/// The discriminator's problem and the generator's.
struct Game {
    /// The parameter are all features, of real points first.
    problem: Glm<Logistic>,
    real: Vec<Plane>,
    noise: Vec<Plane>,
    frequencies: Vec<Plane>,
    phases: Vec<f64>,
}

/// theta: two weights and a bias of each hidden unit, its two weights of the output, and the biases of those.
struct Generator(Vec<f64>);

impl Generator {
    fn new(random: &mut Random) -> Self {
        Self(random.normal(5 * HIDDEN + 2).iter().map(|weight| 0.3 * weight).collect())
    }

    /// What a hidden unit puts out.
    fn unit(&self, k: usize, e: Plane) -> f64 {
        let [a, b, bias] = [0, 1, 2].map(|j| self.0[5 * k + j]);
        (a * e[0] + b * e[1] + bias).tanh()
    }

    fn point(&self, e: Plane) -> Plane {
        [0, 1].map(|j| {
            let units = (0..HIDDEN).map(|k| self.0[5 * k + 3 + j] * self.unit(k, e));
            self.0[5 * HIDDEN + j] + units.sum::<f64>()
        })
    }

    /// `out += (dG/dtheta)^T dual` at e.
    fn pull(&self, e: Plane, dual: Plane, out: &mut [f64]) {
        for k in 0..HIDDEN {
            let (unit, weights) = (self.unit(k, e), [3, 4].map(|j| self.0[5 * k + j]));
            let inside = (weights[0] * dual[0] + weights[1] * dual[1]) * (1.0 - unit * unit);
            for (out, part) in out[5 * k..].iter_mut().zip([e[0], e[1], 1.0].map(|input| inside * input)) {
                *out += part;
            }
            for (out, dual) in out[5 * k + 3..].iter_mut().zip(dual) {
                *out += unit * dual;
            }
        }
        out[5 * HIDDEN..].iter_mut().zip(dual).for_each(|(out, dual)| *out += dual);
    }
}

impl Game {
    fn new(random: &mut Random) -> Self {
        let mut plane = |count: usize| -> Vec<Plane> { random.normal(2 * count).as_chunks().0.to_vec() };
        let centre = |i: usize| (TAU * (i % 8) as f64 / 8.0).sin_cos();
        let real = plane(POINTS).into_iter().enumerate().map(|(i, [a, b])| {
            let (sin, cos) = centre(i);
            [cos + SPREAD * a, sin + SPREAD * b]
        });
        let (real, noise): (Vec<Plane>, _) = (real.collect(), plane(POINTS));
        let frequencies = plane(FEATURES).into_iter().map(|omega| omega.map(|omega| omega / WIDTH)).collect();
        let phases = random.normal(FEATURES).iter().map(|phase| TAU * phase).collect();
        let blank = Design::dense(2 * POINTS, FEATURES, vec![0.0; 2 * POINTS * FEATURES]).expect("zeros are finite");
        let labels = (0..2 * POINTS).map(|i| if i < POINTS { 1.0 } else { -1.0 }).collect();
        let problem = Glm::new(blank, Logistic, LAMBDA)
            .and_then(|problem| problem.weighted(vec![0.5 / POINTS as f64; 2 * POINTS])?.wrt(Wrt::Design, labels));
        let (problem, _) = problem.expect("weights and penalty are above 0");
        Self { problem, real, noise, frequencies, phases }
    }

    fn features(&self, s: Plane) -> impl Iterator<Item = f64> + '_ {
        self.angles(s).map(|angle| (2.0 / FEATURES as f64).sqrt() * angle.cos())
    }

    fn angles(&self, s: Plane) -> impl Iterator<Item = f64> + '_ {
        self.frequencies.iter().zip(&self.phases).map(move |([a, b], phase)| a * s[0] + b * s[1] + phase)
    }

    /// x: the features of all points.
    fn design(&self, generator: &Generator) -> Vec<f64> {
        let made = self.noise.iter().map(|e| generator.point(*e));
        self.real.iter().copied().chain(made).flat_map(|s| self.features(s)).collect()
    }

    /// The gradient in theta of what has `gradient` in the features.
    fn pull(&self, generator: &Generator, gradient: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; generator.0.len()];
        for (e, dual) in self.noise.iter().zip(gradient.chunks_exact(FEATURES).skip(POINTS)) {
            let mut moved = [0.0; 2];
            for ((angle, dual), omega) in self.angles(generator.point(*e)).zip(dual).zip(&self.frequencies) {
                let slope = -(2.0 / FEATURES as f64).sqrt() * angle.sin() * dual;
                moved.iter_mut().zip(omega).for_each(|(moved, omega)| *moved += slope * omega);
            }
            generator.pull(*e, moved, &mut out);
        }
        out
    }

    /// The gradient of l in theta at the best discriminator, and l.
    fn exact(&self, generator: &Generator, ctx: &mut Ctx) -> Result<(Vec<f64>, f64), Failure> {
        let (x, newton) = (self.design(generator), Newton::new(DenseCholesky::default()));
        let solution = Solve::new(&self.problem, &newton, &x).stop(Stop::tolerance(1e-12).within(50)).run_in(ctx)?;
        let gradient = solution.gradient_in(&Envelope, &Analytic, ctx)?.value;
        Ok((self.pull(generator, &gradient), self.problem.value(solution.point(), ctx)))
    }

    /// That by `kind` after `t` steps of the discriminator.
    fn estimate(
        &self,
        generator: &Generator,
        kind: EstimatorKind,
        t: usize,
        ctx: &mut Ctx,
    ) -> Result<Vec<f64>, Failure> {
        let by = (&self.problem, &GradientDescent::default(), &Implicit::new(DenseCholesky::default()));
        let (gradient, _) = estimate(by, kind, t, (&[0.0; FEATURES], &self.design(generator)), ctx)?;
        Ok(self.pull(generator, &gradient))
    }
}

/// Adam, upwards.
struct Adam {
    means: Vec<f64>,
    squares: Vec<f64>,
    steps: i32,
}

impl Adam {
    fn new(len: usize) -> Self {
        Self { means: vec![0.0; len], squares: vec![0.0; len], steps: 0 }
    }

    fn climb(&mut self, theta: &mut [f64], gradient: &[f64]) {
        let (of_means, of_squares): (f64, f64) = (0.9, 0.999);
        self.steps += 1;
        let moments = self.means.iter_mut().zip(&mut self.squares);
        for ((theta, g), (mean, square)) in theta.iter_mut().zip(gradient).zip(moments) {
            *mean = of_means * *mean + (1.0 - of_means) * g;
            *square = of_squares * *square + (1.0 - of_squares) * g * g;
            let [mean, square] =
                [*mean / (1.0 - of_means.powi(self.steps)), *square / (1.0 - of_squares.powi(self.steps))];
            *theta += LEARNING_RATE * mean / (square.sqrt() + 1e-8);
        }
    }
}

/// `steps` steps of Adam by the gradients of `next`, from the same start.
fn climb(steps: usize, mut next: impl FnMut(&Generator) -> Result<Vec<f64>, Failure>) -> Result<Generator, Failure> {
    let mut generator = Generator::new(&mut Random::new(2));
    let mut adam = Adam::new(generator.0.len());
    for _ in 0..steps {
        let gradient = next(&generator)?;
        adam.climb(&mut generator.0, &gradient);
    }
    next(&generator)?;
    Ok(generator)
}

pub(crate) fn measure(steps: usize, ctx: &mut Ctx) -> Result<Measured, Failure> {
    let game = Game::new(&mut Random::new(1));
    let points = |generator: &Generator| game.noise.iter().map(|e| generator.point(*e)).collect::<Vec<_>>();
    let mut samples = vec![("at first".to_owned(), points(&Generator::new(&mut Random::new(2))))];

    let cases: Vec<_> = STEPS.iter().flat_map(|t| EstimatorKind::ALL.iter().map(move |kind| (*t, *kind))).collect();
    if ctx.tick(Phase::Repetition, 0, 2).is_break() {
        return Err(Failure::Interrupted);
    }
    let found: Result<Vec<_>, Failure> = cases
        .into_par_iter()
        .map(|(t, kind)| {
            let (mut ctx, mut gaps) = (Ctx::new(), Vec::new());
            let generator = climb(steps, |generator| {
                gaps.push(1.0 - game.exact(generator, &mut ctx)?.1 / LN_2);
                game.estimate(generator, kind, t, &mut ctx)
            })?;
            Ok((format!("{kind} t = {t}"), gaps, points(&generator)))
        })
        .collect();
    let mut found = found?.into_iter();
    let ends = [STEPS[0], STEPS[STEPS.len() - 1]];
    let gaps = paths(|_, t| {
        let Some((name, gaps, points)) = found.next() else { return Ok(Vec::new()) };
        if ends.contains(&t) {
            samples.push((name, points));
        }
        Ok(gaps)
    })?;

    if ctx.tick(Phase::Repetition, 1, 2).is_break() {
        return Err(Failure::Interrupted);
    }
    let (mut along, mut k) = (vec![[const { Vec::new() }; 3]; COMPARED.len()], 0);
    climb(steps, |generator| {
        let (exact, _) = game.exact(generator, ctx)?;
        if k % EVERY == 0 {
            for (three, t) in along.iter_mut().zip(COMPARED) {
                for (errors, &kind) in three.iter_mut().zip(EstimatorKind::ALL) {
                    let found = game.estimate(generator, kind, t, ctx)?;
                    errors.push(distance(&found, &exact) / norm(&exact));
                }
            }
        }
        k += 1;
        Ok(exact)
    })?;
    let errors = along.into_iter().map(|three| three.map(median)).collect();
    Ok(Measured { gaps, errors, real: game.real, samples })
}

impl Measured {
    /// How much faster than that of g1 the error of `k` falls, over t where it is that of g2, between the last two of `COMPARED` at which it is above rounding.
    fn power(&self, k: usize) -> f64 {
        let seen = self.errors.iter().take_while(|errors| is_seen(errors[k], 1.0)).count();
        let Some(early) = seen.checked_sub(2) else { return f64::NAN };
        let over = |place: usize| if k == 1 { COMPARED[place] as f64 } else { 1.0 };
        let fall = |of: &dyn Fn(usize) -> f64| (of(early + 1) / of(early)).ln();
        fall(&|place| self.errors[place][k] / over(place)) / fall(&|place| self.errors[place][0])
    }

    pub(crate) fn show(&self, outcome: &mut Outcome) {
        let last = self.gaps.len() - 1;
        for (k, name) in ["g1", "g2", "g3"].into_iter().enumerate() {
            let path = &self.gaps[last][k];
            let share = path.last().copied().unwrap_or(f64::NAN) / path.first().copied().unwrap_or(f64::NAN);
            let claim = format!("gan: what {name} at t = 30 leaves of the distance between l and log 2");
            outcome.verdicts.push(Verdict::new(claim, 0.01, Rule::AtMost, share));
        }
        for (k, what) in [(1, "g2 over t"), (2, "g3")] {
            let claim =
                format!("gan: power of the error of g1 that the error of {what} is, at the last t above rounding");
            // Rather above: the slowest directions are those that D hardly sees, and errors of second order are small in D (z_t - z*) while that of g1 is in z_t - z*.
            outcome.verdicts.push(Verdict::new(claim, 2.0, Rule::Within(0.3), self.power(k)));
        }
        outcome.tables.push(table("gan", &self.gaps));
        let rows = self.errors.iter().zip(COMPARED).map(|(errors, t)| [&[t as f64], &errors[..]].concat());
        outcome.tables.push(Table::new("gan-errors", ["t", "analytic", "automatic", "implicit"]).with(rows));
        let up = Axis::logarithmic("distance of the best discriminator from blindness, 1 - l / log 2");
        let climb = drawing("a generator of points in the plane", up, &self.gaps);
        let scatters = self.samples.iter().map(|(name, points)| self.scatter(name, points));
        outcome.drawings.push(("gan", [self.drawing_of_errors(), climb].into_iter().chain(scatters).collect()));
    }

    /// Beside what they are in theory, as powers of the error of g1, through the last t but one.
    fn drawing_of_errors(&self) -> Drawing {
        let through = COMPARED.len() - 2;
        let at = |place: usize| COMPARED[place] as f64;
        let mut curves = Vec::new();
        for (k, &kind) in EstimatorKind::ALL.iter().enumerate() {
            let points = self.errors.iter().enumerate().map(|(place, errors)| (at(place), errors[k])).collect();
            curves.push(Curve::measured(kind.to_string(), colour(kind), points));
            let law = |place: usize| self.errors[place][0].powi(2) * if k == 1 { at(place) } else { 1.0 };
            if k > 0 {
                let factor = self.errors[through][k] / law(through);
                let name = ["", "theory: t times the square of g1's", "theory: the square of g1's"][k];
                let points = (0..COMPARED.len()).map(|place| (at(place), factor * law(place))).collect();
                curves.push(Curve::theory(name, points));
            }
        }
        Drawing {
            title: "gradients of the generator, medians along its path".to_owned(),
            across: Axis::from_zero("inner iterations t"),
            up: Axis::logarithmic("error of the gradient, ‖g - g*‖ / ‖g*‖"),
            curves,
        }
    }

    fn scatter(&self, name: &str, points: &[Plane]) -> Drawing {
        let dots = |name: &str, colour, points: &[Plane]| {
            let points = points.iter().map(|[a, b]| (*a, *b)).collect();
            Curve { stroke: Stroke::Dots, ..Curve::measured(name, colour, points) }
        };
        let curves =
            vec![dots("real", MORE_COLOURS[3], &self.real), dots("made", colour(EstimatorKind::Automatic), points)];
        Drawing { title: format!("points made, {name}"), across: Axis::even("s_1"), up: Axis::even("s_2"), curves }
    }

    /// Measurements that are wrong, and the claims that find out.
    #[cfg(test)]
    pub(crate) fn broken(&self) -> Vec<(&'static str, Self)> {
        let errors = |k: usize| {
            let mut broken = self.clone();
            broken.errors.iter_mut().for_each(|errors| errors[k] = errors[0]);
            broken
        };
        let gaps = |k: usize| {
            let mut broken = self.clone();
            // Points that never move.
            broken.gaps.iter_mut().map(|three| &mut three[k]).for_each(|gaps| {
                let first = gaps[0];
                gaps.fill(first);
            });
            broken
        };
        vec![
            ("what g1", gaps(0)),
            ("what g2", gaps(1)),
            ("what g3", gaps(2)),
            ("error of g2 over t", errors(1)),
            ("error of g3", errors(2)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use danskin::vector::{axpy, dot};

    use super::*;

    /// The slope of `value` at theta along a direction, by differences, beside that by `gradient`.
    fn assert_slope(value: impl Fn(&Generator) -> f64, gradient: impl Fn(&Generator) -> Vec<f64>) {
        let generator = Generator::new(&mut Random::new(2));
        let step = 1e-5;
        for seed in 0..4 {
            let along = Random::new(seed).normal(generator.0.len());
            let moved = |side: f64| {
                let mut theta = generator.0.clone();
                axpy(side * step, &along, &mut theta);
                value(&Generator(theta))
            };
            let (numeric, found) = ((moved(1.0) - moved(-1.0)) / (2.0 * step), dot(&gradient(&generator), &along));
            // Third derivatives, and rounding over the step, of a value of size 1.
            assert!((numeric - found).abs() <= 1e-7 * (1.0 + found.abs()), "{numeric:e} {found:e}");
        }
    }

    #[test]
    fn products_with_derivatives_are_those_of_differences() {
        let game = Game::new(&mut Random::new(1));
        for (e, dual) in [([0.3, -1.2], [0.7, -0.4]), ([-0.8, 0.1], [0.0, 1.0])] {
            assert_slope(
                |generator| dot(&generator.point(e), &dual),
                |generator| {
                    let mut out = vec![0.0; generator.0.len()];
                    generator.pull(e, dual, &mut out);
                    out
                },
            );
        }
        let mut weights = Random::new(7).normal(2 * POINTS * FEATURES);
        weights.iter_mut().for_each(|weight| *weight /= POINTS as f64);
        assert_slope(|generator| dot(&game.design(generator), &weights), |generator| game.pull(generator, &weights));
    }
}
