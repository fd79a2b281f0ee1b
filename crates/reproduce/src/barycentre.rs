//! The entropic barycentre of measures, by mirror descent with the gradients after t sweeps of Sinkhorn's algorithm: it ends kappa^t from it by g1, and the square by g2 and g3.
//!
//! ```text
//! min over x in the simplex of F(x) = 1/N sum_k W(x, b_k),   x_i <- x_i exp(-eta g_i) / sum_j x_j exp(-eta g_j)
//! ```
//!
//! g is the mean over k of minus g1, g2 or g3 of `Transport`, after t sweeps from 0 at each step on x; descent knows no constants, and neither do gradients. With P_k the
//! plan at x*, A_k = diag(x*)^-1/2 P_k diag(b_k)^-1/2 and, on what has sum 0,
//!
//! ```text
//! F'' = eps/N sum_k diag(x*)^-1/2 (I - A_k A_k^T)^-1 diag(x*)^-1/2,   eps diag(1/x*) <= F'' <= eps / (1 - kappa) diag(1/x*)
//! ```
//!
//! kappa the largest over k of the second eigenvalues of A_k A_k^T. So mirror descent, whose metric is diag(1/x), converges for eta eps < 2 (1 - kappa), in the end by
//! 1 - eta eps a step or faster. By g it goes
//! to the x at which g(x) is constant, and there, to first order, x - x* = -F''^-1 (g - grad F)(x*): it ends as far from x* as g is off there, and F is above its
//! minimum by the square of that. g1 is off by kappa^t, g2 by t kappa^2t, g3 by kappa^2t, and so the ends by g2 and g3 are better ones than that by g1 once t kappa^t is
//! below 1. The first u, eps log x_i - eps logsumexp_j(-C_ij / eps), does not know b: where g1 leads for t = 1 is a blur of nothing.
//!
//! Source: M. Agueh and G. Carlier, Barycenters in the Wasserstein space, SIAM Journal on Mathematical Analysis 43, 2011; M. Cuturi and A. Doucet, Fast computation of
//! Wasserstein barycenters, ICML 2014, for descent on x by potentials.

use std::time::Instant;

use danskin::ctx::Ctx;
use danskin::data::Shipped;
use danskin::prelude::*;
use danskin::vector::{axpy, distance, norm};
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, Picture, RGBColor, Stroke, colour};
use rand_distr::{Distribution, Uniform};

use crate::errors::Errors;
use crate::estimate::estimate;
use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::fit::later_slope;
use crate::random::Random;
use crate::repeat::{largest, repeat};
use crate::rise::rise;
use crate::sinkhorn::{bump, centred, contraction, gradients};
use crate::table::Table;
use crate::verdict::{Rule, Verdict};

const EPS: f64 = 0.05;
/// eta eps.
const ETA: f64 = 0.25;
/// The t at which there is descent; gradients at x* are looked at for each t up to the last.
const STEPS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Steps on x after which they are looked at.
const LOOKS: [usize; 9] = [0, 1, 2, 4, 8, 16, 24, 32, 48];
/// Sweeps at each step towards x*, which go on from where the last ones ended.
const WARM: usize = 20;
/// Sweeps from there after which the error is rounding.
const CONVERGED: usize = 250;
/// A mass is at least about this share of the mean.
const LEAST: f64 = 1e-3;
/// Measures that are shown.
const SHOWN: usize = 5;
/// Which of the digits.
const DIGIT: f64 = 0.0;

/// The experiment.
pub(crate) struct Barycentre;

/// How much is run.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    measures: usize,
    /// Of the grid in one dimension.
    points: usize,
    /// On x.
    steps: usize,
}

/// Measures on the same points.
struct Family {
    title: String,
    /// From x to each.
    problems: Vec<Transport>,
}

/// Descent by the gradients of one estimator after t sweeps.
#[derive(Clone, Debug)]
struct Path {
    /// k and F(x_k) - F(x*), and the seconds that it took to get there; the first and the last x always.
    excess: Vec<(usize, f64, f64)>,
    /// ‖x - x*‖ / ‖x*‖ at the end.
    distance: f64,
    end: Vec<f64>,
}

/// What is measured of a family.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    title: String,
    /// Of each measure, at x*.
    kappas: Vec<f64>,
    /// What steps on x leave of the first distance, at the most.
    rest: f64,
    /// ‖grad F(x*)‖ over the mean over k of ‖u_k‖, all up to a constant, of which it is the mean.
    stationarity: f64,
    exact: Vec<f64>,
    /// Of g1, g2 and g3 at x*, over the same mean.
    errors: Errors,
    /// By g1, g2 and g3 for each of `STEPS`.
    paths: Vec<[Path; 3]>,
    measures: Vec<Vec<f64>>,
}

/// Masses above 0 of sum 1.
fn normalised(masses: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let masses: Vec<f64> = masses.into_iter().collect();
    let sum: f64 = masses.iter().sum();
    let least = LEAST * sum / masses.len() as f64;
    let sum = sum + least * masses.len() as f64;
    masses.into_iter().map(|mass| (mass + least) / sum).collect()
}

/// The mean of vectors of the same length, added up in their order.
fn mean<'a>(vectors: impl ExactSizeIterator<Item = &'a [f64]>) -> Vec<f64> {
    let (share, mut mean) = (1.0 / vectors.len() as f64, Vec::new());
    for vector in vectors {
        mean.resize(vector.len(), 0.0);
        axpy(share, vector, &mut mean);
    }
    mean
}

/// The gradient of F, of length p, by exact potentials.
fn gradient(potentials: &[Vec<f64>], p: usize) -> Vec<f64> {
    mean(potentials.iter().map(|z| &z[..p]))
}

/// A step of mirror descent.
fn descend(x: &mut [f64], gradient: &[f64]) {
    // An exponent of at most 0, and masses above 0, whatever the gradient; one that is no number leaves none.
    let least = -largest(gradient.iter().map(|g| -g));
    for (x, g) in x.iter_mut().zip(gradient) {
        *x *= (-ETA / EPS * (g - least)).exp();
        *x = if *x < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { *x };
    }
    let sum: f64 = x.iter().sum();
    x.iter_mut().for_each(|x| *x /= sum);
}

impl Family {
    fn new(title: String, points: &[[f64; 2]], measures: Vec<Vec<f64>>) -> Self {
        let cost = |a: &[f64; 2], b: &[f64; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
        let costs: Vec<f64> = points.iter().flat_map(|a| points.iter().map(move |b| cost(a, b))).collect();
        let problem = |b| Transport::new(points.len(), costs.clone(), b, EPS).expect("masses and eps are above 0");
        Self { title, problems: measures.into_iter().map(problem).collect() }
    }

    /// Two bumps each, on a grid of [0, 1].
    fn bumps(Sizes { measures, points, .. }: Sizes) -> Self {
        let mut random = Random::new(0);
        let unit = Uniform::new(0.0, 1.0).expect("0 is below 1");
        let grid: Vec<[f64; 2]> = (0..points).map(|i| [i as f64 / (points - 1) as f64, 0.0]).collect();
        let mut measure = |_| {
            let drawn: Vec<f64> = unit.sample_iter(&mut random.0).take(6).collect();
            let of = |t: f64| {
                let bumps = drawn.chunks_exact(3);
                0.2 + bumps.map(|d| (0.3 + 0.7 * d[0]) * bump(t, 0.15 + 0.7 * d[1], 0.04 + 0.08 * d[2])).sum::<f64>()
            };
            normalised(grid.iter().map(|[t, _]| of(*t)))
        };
        let all = (0..measures).map(&mut measure).collect();
        Self::new(format!("{measures} measures on {points} points of [0, 1], eps = {EPS}"), &grid, all)
    }

    /// Handwritten digits, the cells of an image in the unit square.
    fn digits(Sizes { measures, .. }: Sizes) -> Self {
        let data = Shipped::find("digits").map(Shipped::load).and_then(Result::ok).expect("digits are shipped");
        let labels = data.labels.unwrap_or_default();
        let rows = data.design.values();
        let images = rows.chunks_exact(data.design.columns()).zip(labels).filter(|(_, label)| *label == DIGIT);
        let all: Vec<_> = images.take(measures).map(|(image, _)| normalised(image.iter().copied())).collect();
        let cells: Vec<[f64; 2]> = (0..64).map(|i| [(i / 8) as f64 / 7.0, (i % 8) as f64 / 7.0]).collect();
        Self::new(format!("{measures} handwritten digits, 8 x 8, eps = {EPS}"), &cells, all)
    }

    /// The gradient of F by `kind` after `t` sweeps from 0.
    fn estimate(&self, kind: EstimatorKind, t: usize, x: &[f64], ctx: &mut Ctx) -> Result<Vec<f64>, Failure> {
        let of_l = repeat(self.problems.len(), ctx, |k, ctx| {
            let problem = &self.problems[k as usize];
            let by = (problem, &Sinkhorn, &Implicit::new(Cg::default()));
            Ok(estimate(by, kind, t, (&vec![0.0; problem.latent_len()], x), ctx)?.0)
        })?;
        // l is minus W.
        Ok(mean(of_l.iter().map(|g| &g[..])).iter().map(|g| -g).collect())
    }

    /// The potentials after `sweeps` from `start`, each of them.
    fn potentials(
        &self,
        sweeps: usize,
        (start, x): (&[Vec<f64>], &[f64]),
        ctx: &mut Ctx,
    ) -> Result<Vec<Vec<f64>>, Failure> {
        repeat(self.problems.len(), ctx, |k, ctx| {
            let k = k as usize;
            let solve = Solve::new(&self.problems[k], &Sinkhorn, x).from(&start[k]).stop(Stop::steps(sweeps));
            Ok(solve.run_in(ctx)?.into_z())
        })
    }

    /// x*, and the potentials there.
    fn minimum(&self, steps: usize, ctx: &mut Ctx) -> Result<(Vec<f64>, Vec<Vec<f64>>), Failure> {
        let p = self.problems[0].rows();
        let mut x = vec![1.0 / p as f64; p];
        let mut z: Vec<Vec<f64>> = self.problems.iter().map(|problem| vec![0.0; problem.latent_len()]).collect();
        for _ in 0..steps {
            z = self.potentials(WARM, (&z, &x), ctx)?;
            descend(&mut x, &gradient(&z, p));
        }
        z = self.potentials(CONVERGED, (&z, &x), ctx)?;
        Ok((x, z))
    }

    /// Descent by the gradients of `kind` after `t` sweeps from the uniform x, looked at after `looks` steps, in increasing order.
    fn descent(
        &self,
        (kind, t): (EstimatorKind, usize),
        looks: &[usize],
        (exact, potentials): (&[f64], &[Vec<f64>]),
        ctx: &mut Ctx,
    ) -> Result<Path, Failure> {
        let mut x = vec![1.0 / exact.len() as f64; exact.len()];
        let (mut excess, mut seconds, mut done) = (Vec::new(), 0.0, 0);
        for &look in looks {
            let start = Instant::now();
            for _ in done..look {
                let gradient = self.estimate(kind, t, &x, ctx)?;
                descend(&mut x, &gradient);
            }
            seconds += start.elapsed().as_secs_f64();
            done = look;
            let above = rise(exact, &x, |x| {
                // What rounding leaves of sum (x - x*) is not to be multiplied by a constant.
                Ok(centred(gradient(&self.potentials(CONVERGED, (potentials, x), ctx)?, x.len())))
            })?;
            excess.push((look, above, seconds));
        }
        Ok(Path { excess, distance: distance(&x, exact) / norm(exact), end: x })
    }

    fn measure(&self, Sizes { steps, .. }: Sizes, ctx: &mut Ctx) -> Result<Found, Failure> {
        let (exact, potentials) = self.minimum(3 * steps, ctx)?;
        let each = self.problems.iter().zip(&potentials);
        let kappas = each.map(|(problem, z)| contraction(problem, &exact, z, ctx)).collect();
        let sizes = potentials.iter().map(|z| norm(&centred(z[..exact.len()].to_vec())));
        let size = sizes.sum::<f64>() / potentials.len() as f64;
        let stationarity = norm(&centred(gradient(&potentials, exact.len()))) / size;

        let last = STEPS[STEPS.len() - 1];
        let ts: Vec<usize> = [0, 1].into_iter().chain((2..=last).step_by(2)).collect();
        let each = repeat(self.problems.len(), ctx, |k, ctx| {
            gradients((&self.problems[k as usize], &exact), &Sinkhorn, &ts, ctx)
        })?;
        // The gradient of F is 0 here, and so what there is of one is its error.
        let error = |place: usize, k: usize| norm(&centred(mean(each.iter().map(|one| &one[place][k][..])))) / size;
        let errors = (0..ts.len()).map(|place| [0, 1, 2].map(|k| error(place, k))).collect();
        let mut paths = Vec::new();
        for t in STEPS {
            let looks: Vec<usize> = LOOKS.into_iter().take_while(|k| *k < steps).chain([steps]).collect();
            let mut by = |kind| self.descent((kind, t), &looks, (&exact, &potentials), ctx);
            paths.push([by(EstimatorKind::Analytic)?, by(EstimatorKind::Automatic)?, by(EstimatorKind::Implicit)?]);
        }
        let measures = self.problems.iter().map(|problem| problem.second_marginal().to_vec()).collect();
        Ok(Found {
            title: self.title.clone(),
            rest: (1.0 - ETA).powi(steps as i32),
            kappas,
            stationarity,
            exact,
            errors: Errors { steps: ts, errors },
            paths,
            measures,
        })
    }
}

impl Found {
    /// ‖x - x*‖ / ‖x*‖ where descent ended, at each of `STEPS`; 0 where that is not the end yet.
    fn distances(&self) -> Errors {
        let settled = |path: &Path| if path.distance <= self.rest { 0.0 } else { path.distance };
        Errors { steps: STEPS.to_vec(), errors: self.paths.iter().map(|by| by.each_ref().map(settled)).collect() }
    }

    /// The slope of ln ‖x - x*‖, estimator `k`, in the ln of the error of its gradient at x*.
    fn power_of_distance(&self, k: usize) -> f64 {
        let distances = self.distances();
        let errors = self.errors.steps.iter().zip(&self.errors.errors).filter(|(t, _)| STEPS.contains(t));
        let errors: Vec<f64> = errors.map(|(_, error)| error[k].ln()).collect();
        later_slope(distances.seen(k).map(|place| (errors[place], distances.errors[place][k].ln())))
    }

    /// The slope of the ln of g1's error at x* in ln mean_k kappa_k^t.
    fn rate(&self) -> f64 {
        let mean = |t: f64| self.kappas.iter().map(|kappa| kappa.powf(t)).sum::<f64>() / self.kappas.len() as f64;
        let errors = &self.errors;
        later_slope(errors.seen(0).map(|place| (mean(errors.steps[place] as f64).ln(), errors.errors[place][0].ln())))
    }

    fn kappa(&self) -> f64 {
        largest(self.kappas.iter().copied())
    }

    fn excess(&self, place: usize, k: usize) -> f64 {
        self.paths[place][k].excess.last().map_or(f64::NAN, |(_, above, _)| *above)
    }

    /// That of ln (F - F*) in ln ‖x - x*‖.
    fn power_of_excess(&self, k: usize) -> f64 {
        let distances = self.distances();
        later_slope(distances.seen(k).map(|place| (distances.errors[place][k].ln(), self.excess(place, k).ln())))
    }

    /// The largest F - F* by estimator `k` over that by g1, over the t from which on t kappa^t is below 1 and at which g1 has come to its end.
    fn worst(&self, k: usize) -> f64 {
        let distances = self.distances();
        // t kappa^t falls from t = 1 / ln(1 / kappa) on.
        let late = distances.seen(0).filter(|place| {
            let t = STEPS[*place] as f64;
            t * -self.kappa().ln() >= 1.0 && t * self.kappa().powf(t) <= 1.0
        });
        largest(late.map(|place| self.excess(place, k) / self.excess(place, 0)))
    }

    fn verdicts(&self, family: &str) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        let mut claim = |what: &str, predicted: f64, rule: Rule, found: f64| {
            verdicts.push(Verdict::new(format!("{family}: {what}"), predicted, rule, found));
        };
        claim("‖grad F(x*)‖ over the mean ‖u_k‖", 1e-12, Rule::AtMost, self.stationarity);
        // Measures have their slowest directions in shares of their own.
        claim("power of the mean of kappa^t that g1's error at x* is", 1.0, Rule::Within(0.1), self.rate());
        for (k, what) in [(1, "g2's over t"), (2, "g3's")] {
            let what = format!("power of g1's error at x* that {what} is");
            claim(&what, 2.0, Rule::Within(0.2), self.errors.power(k, k == 1));
        }
        for (k, name) in ["g1", "g2", "g3"].into_iter().enumerate() {
            let what = format!("power of {name}'s error at x* that ‖x - x*‖ is where descent ends");
            claim(&what, 1.0, Rule::Within(0.1), self.power_of_distance(k));
            let what = format!("power of ‖x - x*‖ that F - F* is where descent by {name} ends");
            claim(&what, 2.0, Rule::Within(0.1), self.power_of_excess(k));
        }
        for (k, name) in [(1, "g2"), (2, "g3")] {
            let what = format!("F - F* where descent by {name} ends over that by g1, the largest once t kappa^t < 1");
            claim(&what, 1.0, Rule::AtMost, self.worst(k));
        }
        verdicts
    }

    /// Errors at x*, ends of descent, and its paths.
    fn tables(&self, [errors, ends, paths]: [&'static str; 3]) -> Vec<Table> {
        let by = |what: &str| EstimatorKind::ALL.iter().map(|kind| format!("{what} {kind}")).collect::<Vec<_>>();
        let header = [vec!["t".to_owned()], by("distance"), by("excess")].concat();
        let rows = STEPS.iter().zip(&self.paths).enumerate().map(|(place, (t, by))| {
            let excess = (0..3).map(|k| self.excess(place, k));
            std::iter::once(*t as f64).chain(by.iter().map(|path| path.distance)).chain(excess).collect()
        });
        let ends = Table::new(ends, header).with(rows);
        let header = [vec!["t".to_owned(), "k".to_owned()], by("excess"), by("seconds")].concat();
        let rows = STEPS.iter().zip(&self.paths).flat_map(|(t, [g1, g2, g3])| {
            g1.excess
                .iter()
                .zip(&g2.excess)
                .zip(&g3.excess)
                .map(|((a, b), c)| vec![*t as f64, a.0 as f64, a.1, b.1, c.1, a.2, b.2, c.2])
        });
        vec![self.errors.table(errors), ends, Table::new(paths, header).with(rows)]
    }

    /// F - F* on the paths of this place in `STEPS`, against `across` of (k, _, seconds).
    fn descent(&self, place: usize, across: Axis, of: fn(&(usize, f64, f64)) -> f64) -> Drawing {
        let curve = |(k, &kind): (usize, &EstimatorKind)| {
            let points = self.paths[place][k].excess.iter().map(|look| (of(look), look.1)).collect();
            Curve::measured(kind.to_string(), colour(kind), points)
        };
        let title = format!("mirror descent, t = {}, {}", STEPS[place], self.title);
        let curves = EstimatorKind::ALL.iter().enumerate().map(curve).collect();
        Drawing { title, across, up: Axis::logarithmic("F(x_k) - F(x*)"), curves }
    }

    /// The paths for each of `STEPS`, against steps and seconds.
    fn descents(&self) -> Vec<Drawing> {
        let each = (0..STEPS.len()).flat_map(|place| {
            let across = Axis::from_zero("steps k on x, each after iterations t from 0");
            let mut steps = self.descent(place, across, |look| look.0 as f64);
            let looks = self.paths[place].iter().flat_map(|path| &path.excess);
            let start = looks.filter(|(k, ..)| *k == 0).map(|(_, above, _)| *above).next().unwrap_or(f64::NAN);
            let law = |k: usize| (k as f64, start * (1.0 - ETA).powi(2 * k as i32));
            let law = (0..=LOOKS[LOOKS.len() - 1]).map(law).collect();
            steps.curves.push(Curve::theory("theory: (1 - eta eps)^2k or faster, until it ends", law));
            let seconds = self.descent(place, Axis::logarithmic("seconds"), |(k, _, seconds)| {
                // The start is at no time, which a logarithm has not.
                if *k == 0 { f64::NAN } else { *seconds }
            });
            [steps, seconds]
        });
        each.collect()
    }

    fn drawings(&self) -> Vec<Drawing> {
        let up = "error of the gradient at x*, up to a constant, over the mean ‖u_k‖";
        let errors = self.errors.drawing(
            &format!("gradients at x*, {}", self.title),
            ("iterations t: sweeps", up),
            self.kappa(),
        );
        let distances = self.distances().drawing(
            &format!("the ends of descent, {}", self.title),
            ("iterations t: sweeps, from 0 at each step on x", "where descent ends, ‖x - x*‖ / ‖x*‖"),
            self.kappa(),
        );
        vec![errors, distances]
    }
}

/// x by g1, g2 and g3 after one and two sweeps, beside x* and some of the measures, on a grid of [0, 1].
fn densities(found: &Found) -> Drawing {
    let curve = |name: String, colour, stroke, masses: &[f64]| {
        let last = (masses.len() - 1) as f64;
        let points = masses.iter().enumerate().map(|(i, mass)| (i as f64 / last, *mass)).collect();
        Curve { stroke, ..Curve::measured(name, colour, points) }
    };
    let [grey, black] = [MORE_COLOURS[3], RGBColor(0, 0, 0)];
    let mut curves: Vec<_> = found
        .measures
        .iter()
        .take(SHOWN)
        .enumerate()
        .map(|(k, b)| {
            curve(if k == 0 { "some of the measures".to_owned() } else { String::new() }, grey, Stroke::Plain, b)
        })
        .collect();
    curves.push(curve("the barycentre".to_owned(), black, Stroke::Plain, &found.exact));
    for ((&kind, path), stroke) in EstimatorKind::ALL.iter().zip(&found.paths[0]).zip([Stroke::Plain; 3]) {
        curves.push(curve(format!("{kind} t = {}", STEPS[0]), colour(kind), stroke, &path.end));
    }
    Drawing {
        title: format!("barycentres, {}", found.title),
        across: Axis::from_zero("position"),
        up: Axis::from_zero("mass of a point"),
        curves,
    }
}

/// Some of the measures and their barycentre, and below where descent by g1, g2 and g3 ends.
fn pictures(found: &Found) -> Vec<Vec<Picture>> {
    let picture = |title: String, values: &[f64]| Picture { title, columns: 8, values: values.to_vec() };
    let mut rows =
        vec![found.measures.iter().take(SHOWN).map(|b| picture("a digit".to_owned(), b)).collect::<Vec<_>>()];
    rows[0].push(picture("the barycentre".to_owned(), &found.exact));
    for (k, &kind) in EstimatorKind::ALL.iter().enumerate() {
        let ends = STEPS.iter().zip(&found.paths).take(SHOWN + 1);
        rows.push(ends.map(|(t, by)| picture(format!("{kind} t = {t}"), &by[k].end)).collect());
    }
    rows
}

impl Experiment for Barycentre {
    type Measured = [Found; 2];

    const NAME: &'static str = "barycentre";
    const ABOUT: &'static str = "entropic barycentres of measures and of digits: descent on x by g1 after t sweeps ends kappa^t from them, by g2 or g3 its square";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<[Found; 2], Failure> {
        Self::of(Sizes { measures: 20, points: size.pick(40, 100), steps: size.pick(72, 120) }, ctx)
    }

    fn show(&self, [bumps, digits]: &[Found; 2]) -> Outcome {
        let mut of_bumps = bumps.drawings();
        of_bumps.push(densities(bumps));
        Outcome {
            verdicts: [bumps.verdicts("bumps"), digits.verdicts("digits")].concat(),
            tables: [
                bumps.tables(["bumps-errors", "bumps-ends", "bumps-paths"]),
                digits.tables(["digits-errors", "digits-ends", "digits-paths"]),
            ]
            .concat(),
            drawings: vec![
                ("bumps", of_bumps),
                ("bumps-paths", bumps.descents()),
                ("digits", digits.drawings()),
                ("digits-paths", digits.descents()),
            ],
            pictures: vec![("digits-pictures", pictures(digits))],
            ..Outcome::default()
        }
    }
}

impl Barycentre {
    fn of(sizes: Sizes, ctx: &mut Ctx) -> Result<[Found; 2], Failure> {
        Ok([Family::bumps(sizes).measure(sizes, ctx)?, Family::digits(sizes).measure(sizes, ctx)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_notices_nan, assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sizes = Sizes { measures: 5, points: 24, steps: 72 };
        let sound = Barycentre::of(sizes, &mut Ctx::new()).unwrap();
        assert_passes(&Barycentre, &sound);
        let each = |what: &str, count: usize, change: &dyn Fn(&mut Found)| {
            for (family, name) in ["bumps", "digits"].into_iter().enumerate() {
                let mut broken = sound.clone();
                change(&mut broken[family]);
                let found = failing(&Barycentre, &broken);
                let is_of = |line: &String| line.starts_with(name) && line.contains(what);
                assert!(found.len() == count && found.iter().all(is_of), "{what}: {found:?}");
            }
        };
        for family in 0..2 {
            assert_notices_nan(&Barycentre, &sound, |m| &mut m[family].stationarity);
            assert_notices_nan(&Barycentre, &sound, |m| &mut m[family].kappas[3]);
            for k in 0..3 {
                assert_notices_nan(&Barycentre, &sound, |m| &mut m[family].errors.errors[3][k]);
                assert_notices_nan(&Barycentre, &sound, |m| &mut m[family].paths[2][k].distance);
                assert_notices_nan(&Barycentre, &sound, |m| &mut m[family].paths[2][k].excess.last_mut().unwrap().1);
            }
        }
        let mut x = vec![0.5, 0.5];
        descend(&mut x, &[1.0, f64::NAN]);
        assert!(x.iter().any(|x| x.is_nan()), "{x:?}");
        each("grad F(x*)", 1, &|found| found.stationarity = 1e-6);
        each("mean of kappa^t", 1, &|found| found.kappas.iter_mut().for_each(|kappa| *kappa = kappa.powf(1.2)));
        for k in 0..3 {
            let name = ["g1", "g2", "g3"][k];
            // An objective that is above its minimum by the distance alone, or by its cube, and ends that are not as far off as gradients.
            each(&format!("descent by {name} ends"), 1, &|found| {
                let ends = found.paths.iter_mut().filter_map(|by| by[k].excess.last_mut());
                ends.for_each(|(_, above, _)| *above = if k == 0 { above.sqrt() } else { *above * above.sqrt() });
            });
            each(name, 2, &|found| found.paths.iter_mut().for_each(|by| by[k].distance = by[k].distance.powf(0.8)));
        }
        for k in [1, 2] {
            // g1 in the place of another, at x* and where descent ends.
            let swap = |found: &mut Found| found.errors.errors.iter_mut().for_each(|errors| errors[k] = errors[0]);
            each(&format!("g{}", k + 1), 2, &swap);
            each(&format!("g{} ends over that by g1", k + 1), 1, &|found| {
                let ends = found.paths.iter_mut().filter_map(|by| by[k].excess.last_mut());
                ends.for_each(|(_, above, _)| *above *= 1e8);
            });
        }
    }
}
