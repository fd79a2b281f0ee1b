//! The Lasso by proximal gradient descent: g2 is no better than g1 until z_t has the support of z*, and its square from then on.
//!
//! ```text
//! L(z, D) = 1/2 ‖u - D z‖² + lambda ‖z‖_1,   D 10 x 30, its columns and u normal and of norm 1, lambda = lambda_max / 10
//! z_{t+1} = prox(z_t - rho D^T (D z_t - u)),   rho = 1 / ‖D‖²,   z_0 = 0
//! ```
//!
//! x are the entries of D, f = L. With t_S the first t from which on the signs of z_t, 0 among them, are those of z*, S the support of z*, H = D_S^T D_S, mu its least eigenvalue and
//! kappa = 1 - rho mu:
//!
//! | | t < t_S | t >= t_S, d = z_t - z* |
//! |---|---|---|
//! | ‖g1 - g*‖ | | kappa^t |
//! | ‖g2 - g*‖ | about ‖g1 - g*‖, as at t = 0, where g2 is g1 | t kappa^2t, as L_zx is linear in z |
//! | ‖g3 - g*‖ | a step of Newton's method on another support, or none where that has more columns than rows | ‖D d‖ ‖d‖, exactly: L_z is linear, L_x = (D z - u) z^T of the second degree |
//! | dz_t / dlog lambda off S | -rho lambda sign(z_1) at t = 1, where z_1 is not 0 | 0 |
//!
//! The ratio of the first two before t_S has no law, as coordinates come and go: it is 1 at t = 0, and nothing contracts it. It is looked at up to t_S / 2, since it can be any number as
//! the last coordinate comes or goes, and by its median. After t_S the error of g2 over t is (a + b (t - t_S)) / t kappa^2t. Where a and b have one sign, that is a power of the error of
//! g1 that differs from 2 by 1 / ((t - t_S) |ln kappa|) at the most: on average a tenth over the later half of the steps before rounding, as kappa^2(t - t_S) ends at 1e-12.
//!
//! kappa nears 1 where columns of D_S are nearly dependent: a run ends at rounding, or after 20 000 steps.
//!
//! Source: B. Malezieux, T. Moreau, M. Kowalski, Understanding approximate and unrolled dictionary learning for pattern recovery, ICLR 2022.

use danskin::ctx::Ctx;
use danskin::estimator::EstimateError;
use danskin::prelude::*;
use danskin::vector::{distance, dot, max_abs, norm};
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, Stroke};

use crate::errors::Errors;
use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::fit::{FLOOR, is_seen, later_slope};
use crate::random::Random;
use crate::repeat::{largest, median, quantile, repeat};
use crate::spectrum;
use crate::table::Table;
use crate::verdict::{Rule, Verdict};

/// n and m.
const SIDES: (usize, usize) = (10, 30);
/// lambda / lambda_max.
const SHARE: f64 = 0.1;
/// Steps at the most.
const MOST: usize = 20_000;
/// Places before and after t_S at which gradients are looked at.
const LOOKS: (usize, usize) = (30, 60);
/// Seeds that are drawn.
const DRAWN: usize = 3;

/// The experiment.
pub(crate) struct Support;

/// One trajectory.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    kappa: f64,
    /// Of H.
    condition: f64,
    /// t_S; the number of steps and 1 where there is none.
    found: usize,
    /// Of g1, g2 and g3 over ‖g*‖ at some t < t_S; NaN where there is no g3.
    before: Errors,
    /// The same at some t >= t_S.
    after: Errors,
    /// ‖D d‖ ‖d‖ / ‖g*‖ at all of these t.
    second_order: Vec<f64>,
    /// ‖dz_t / dlog lambda‖ off S over ‖dz* / dlog lambda‖, for t = 0, 1, ...
    off: Vec<f64>,
    /// ‖dz_t / dlog lambda - dz* / dlog lambda‖ on S, over the same.
    on: Vec<f64>,
    /// rho lambda times the root of the number of coordinates off S in which z_1 is not 0, over the same.
    first_off: f64,
}

/// The Lasso, with what is known of its minimum.
struct Instance {
    design: Design,
    targets: Vec<f64>,
    lambda: f64,
    rho: f64,
    minimum: Vec<f64>,
    /// S.
    support: Vec<usize>,
}

impl Instance {
    fn new(seed: u64, ctx: &mut Ctx) -> Result<Self, Failure> {
        let (n, m) = SIDES;
        let mut random = Random::new(seed);
        let (mut entries, mut targets) = (random.normal(n * m), random.normal(n));
        for j in 0..m {
            let length = (0..n).map(|i| entries[i * m + j].powi(2)).sum::<f64>().sqrt();
            (0..n).for_each(|i| entries[i * m + j] /= length);
        }
        let length = norm(&targets);
        targets.iter_mut().for_each(|u| *u /= length);
        let design = Design::dense(n, m, entries).expect("normal numbers are finite, one for each entry");
        let mut slopes = vec![0.0; m];
        design.matrix().apply_transpose(&targets, &mut slopes, ctx);
        let (lambda, rho) = (SHARE * max_abs(&slopes), 1.0 / spectrum::of_gram(&design, &[1.0; SIDES.0])[n - 1]);
        let problem = Lasso::new(design.clone(), Squared, lambda).expect("lambda is above 0");
        let solver = ActiveSet::default();
        // To rounding: it stalls where no more is to be had.
        let solved = Solve::new(&problem, &solver, &targets).stop(Stop::tolerance(1e-30).within(100)).run_in(ctx)?;
        let minimum = solved.into_z();
        let support = (0..m).filter(|&j| minimum[j] != 0.0).collect();
        Ok(Self { design, targets, lambda, rho, minimum, support })
    }

    /// The same, with x one of its parameters, and where it stands.
    fn wrt(&self, wrt: Wrt) -> (Lasso, Vec<f64>) {
        let problem = Lasso::new(self.design.clone(), Squared, self.lambda);
        problem.and_then(|problem| problem.wrt(wrt, self.targets.clone())).expect("lambda is above 0")
    }

    /// The eigenvalues of H, in increasing order.
    fn eigenvalues(&self) -> Vec<f64> {
        let ((n, m), k) = (SIDES, self.support.len());
        let values = self.design.values();
        let column = |j: usize| (0..n).map(|i| values[i * m + j]).collect::<Vec<_>>();
        let columns: Vec<_> = self.support.iter().map(|&j| column(j)).collect();
        let entries: Vec<f64> = columns.iter().flat_map(|a| columns.iter().map(|b| dot(a, b))).collect();
        spectrum::of_symmetric(k, &entries)
    }

    /// Whether z has the signs of z*, 0 among them.
    fn is_found(&self, z: &[f64]) -> bool {
        z.iter().zip(&self.minimum).all(|(z, minimum)| z * minimum > 0.0 || (*z == 0.0 && *minimum == 0.0))
    }
}

/// `count` steps from `from` to `to`, evenly spaced.
fn spread(from: usize, to: usize, count: usize) -> Vec<usize> {
    let mut steps: Vec<usize> = (0..=count).map(|k| from + (to - from) * k / count).collect();
    steps.dedup();
    steps
}

fn once(seed: u64, ctx: &mut Ctx) -> Result<Run, Failure> {
    let instance = Instance::new(seed, ctx)?;
    let Instance { design, lambda, rho, minimum, support, .. } = &instance;
    let solver = Ista::new(StepSize::Fixed(*rho));
    let implicit = OnSupport::new(DenseCholesky::default());
    let eigenvalues = instance.eigenvalues();
    let (least, most) = (eigenvalues[0], eigenvalues[support.len() - 1]);

    let (problem, x) = instance.wrt(Wrt::Regularisation);
    let there = Solve::new(&problem, &solver, &x).from(minimum).stop(Stop::steps(0)).run_in(ctx)?;
    let exact = implicit.tangent(&there, &[1.0], ctx)?;
    let mut solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(0)).record(Tangents::full()).run_in(ctx)?;
    let (mut off, mut on, mut found, mut first_off) = (Vec::new(), Vec::new(), 0, f64::NAN);
    for t in 0..=MOST {
        solution.resume(Stop::steps(t), ctx)?;
        if solution.status() == Status::Interrupted {
            return Err(Failure::Interrupted);
        }
        let z = solution.z();
        if !instance.is_found(z) {
            found = t + 1;
        }
        let difference: Vec<f64> = solution.recorder().tangent(0).iter().zip(&exact).map(|(a, b)| a - b).collect();
        let (mut of_on, mut of_off) = (difference.clone(), difference);
        (0..z.len()).for_each(|j| if minimum[j] == 0.0 { of_on[j] = 0.0 } else { of_off[j] = 0.0 });
        off.push(norm(&of_off) / norm(&exact));
        on.push(norm(&of_on) / norm(&exact));
        if t == 1 {
            let extra = z.iter().zip(minimum).filter(|(z, minimum)| **z != 0.0 && **minimum == 0.0).count();
            first_off = rho * lambda * (extra as f64).sqrt() / norm(&exact);
        }
        if distance(z, minimum) <= FLOOR * norm(minimum) {
            break;
        }
    }

    let (problem, x) = instance.wrt(Wrt::Design);
    let exact = Solve::new(&problem, &solver, &x).from(minimum).stop(Stop::steps(0)).run_in(ctx)?;
    let exact = exact.gradient_in(&Envelope, &Analytic, ctx)?.value;
    let scale = norm(&exact);
    let last = off.len() - 1;
    let before = if found > 1 { spread(1, found.min(last) - 1, LOOKS.0) } else { Vec::new() };
    let after = if found <= last { spread(found, last, LOOKS.1) } else { Vec::new() };
    let mut solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(0)).record(Tape::new()).run_in(ctx)?;
    let mut second_order = Vec::new();
    let mut look = |t: usize| -> Result<[f64; 3], Failure> {
        solution.resume(Stop::steps(t), ctx)?;
        let error = |gradient: Gradient| distance(&gradient.value, &exact) / scale;
        let g1 = error(solution.gradient_in(&Envelope, &Analytic, ctx)?);
        let g2 = error(solution.gradient_in(&Envelope, &Automatic, ctx)?);
        let g3 = match solution.gradient_in(&Envelope, &implicit, ctx) {
            Err(EstimateError::Interrupted) => return Err(Failure::Interrupted),
            // Of more columns than rows.
            Err(_) => f64::NAN,
            Ok(gradient) => error(gradient),
        };
        let d: Vec<f64> = solution.z().iter().zip(minimum).map(|(z, minimum)| z - minimum).collect();
        let mut image = vec![0.0; SIDES.0];
        design.matrix().apply(&d, &mut image, ctx);
        second_order.push(norm(&image) * norm(&d) / scale);
        Ok([g1, g2, g3])
    };
    let mut errors = |steps: Vec<usize>| -> Result<Errors, Failure> {
        let errors: Result<_, _> = steps.iter().map(|&t| look(t)).collect();
        Ok(Errors { errors: errors?, steps })
    };
    let (before, after) = (errors(before)?, errors(after)?);
    Ok(Run {
        kappa: 1.0 - rho * least,
        condition: most / least,
        found,
        before,
        after,
        second_order,
        off,
        on,
        first_off,
    })
}

impl Run {
    /// ‖g2 - g*‖ / ‖g1 - g*‖ at the t that were looked at up to t_S / 2.
    fn ratios(&self) -> impl Iterator<Item = f64> + '_ {
        let early = self.before.steps.iter().zip(&self.before.errors).take_while(|(t, _)| 2 * **t <= self.found);
        early.map(|(_, errors)| errors[1] / errors[0])
    }

    /// How far the error of g3 is from ‖D d‖ ‖d‖, in roundings of a solve with H whose sums have n terms: at each t < t_S, or >= t_S.
    fn beside_second_order(&self, is_found: bool) -> impl Iterator<Item = f64> + '_ {
        let rounding = SIDES.0 as f64 * f64::EPSILON * self.condition;
        let (before, after) = self.second_order.split_at(self.before.steps.len());
        let (errors, expected) = if is_found { (&self.after, after) } else { (&self.before, before) };
        errors.errors.iter().zip(expected).map(move |(errors, expected)| (errors[2] - expected).abs() / rounding)
    }

    /// The rate of dz_t / dlog lambda from t_S on, over ln kappa.
    fn rate_of_tangent(&self) -> f64 {
        let seen = self.on.iter().enumerate().skip(self.found).take_while(|(_, error)| is_seen(**error, 1.0));
        later_slope(seen.map(|(t, error)| (t as f64 * self.kappa.ln(), error.ln())))
    }

    fn title(&self, what: &str) -> String {
        format!("{what}: the support is found at t = {}, kappa = {:.4}", self.found, self.kappa)
    }

    /// Of the errors, t_S being 0 on the axis across.
    fn errors_drawing(&self) -> Drawing {
        let start = self.found as f64;
        let axes = ("iterations t - t_S", "‖g - g*‖ / ‖g*‖");
        let mut drawing = self.after.drawing(&self.title("Lasso, x = D"), axes, self.kappa);
        let measured = drawing.curves.iter_mut().filter(|curve| curve.stroke == Stroke::Plain);
        for (k, curve) in measured.enumerate() {
            let before = self.before.steps.iter().zip(&self.before.errors).map(|(t, errors)| (*t as f64, errors[k]));
            curve.points.splice(0..0, before);
        }
        for point in drawing.curves.iter_mut().flat_map(|curve| &mut curve.points) {
            point.0 -= start;
        }
        Drawing { across: Axis::even(axes.0), ..drawing }
    }

    fn tangent_drawing(&self) -> Drawing {
        let across = |t: usize| t as f64 - self.found as f64;
        let every = (self.on.len() / 1000).max(1);
        let points = |values: &[f64]| {
            let points = values.iter().enumerate().filter(|(t, _)| t % every == 0 || *t <= self.found);
            points.map(|(t, value)| (across(t), *value)).collect::<Vec<_>>()
        };
        let plain = |name: &str, k: usize, values: &[f64]| Curve {
            stroke: Stroke::Plain,
            ..Curve::measured(name, MORE_COLOURS[k], points(values))
        };
        let mut curves = vec![plain("dz_t off S", 0, &self.off), plain("dz_t - dz* on S", 1, &self.on)];
        let seen: Vec<_> =
            points(&self.on).into_iter().filter(|(t, error)| *t >= 0.0 && is_seen(*error, 1.0)).collect();
        if let Some(middle) = seen.get(seen.len() * 2 / 3) {
            let law = |t: f64| 1.5 * middle.1 * self.kappa.powf(t - middle.0);
            curves.push(Curve::theory("theory: kappa^t", seen.iter().map(|(t, _)| (*t, law(*t))).collect()));
        }
        Drawing {
            title: self.title("dz_t / dlog lambda"),
            across: Axis::even("iterations t - t_S"),
            up: Axis::logarithmic("norm over ‖dz*‖"),
            curves,
        }
    }
}

impl Experiment for Support {
    type Measured = Vec<Run>;

    const NAME: &'static str = "support";
    const ABOUT: &'static str = "the Lasso: g2 is no better than g1 until the support is found, then their errors fall like t kappa^2t and kappa^t";

    fn measure(&self, size: Size, ctx: &mut Ctx) -> Result<Vec<Run>, Failure> {
        repeat(size.pick(12, 100), ctx, once)
    }

    fn show(&self, runs: &Vec<Run>) -> Outcome {
        let wrong = runs.iter().flat_map(|run| run.beside_second_order(false)).filter(|distance| *distance <= 1.0);
        let verdicts = vec![
            Verdict::new(
                "‖g2 - g*‖ / ‖g1 - g*‖ for t <= t_S / 2, median",
                1.0,
                Rule::Factor(2.0),
                median(runs.iter().flat_map(Run::ratios)),
            ),
            Verdict::new(
                "rate of g1 after t_S over ln kappa, median",
                1.0,
                Rule::Within(0.05),
                median(runs.iter().map(|run| run.after.rate(run.kappa))),
            ),
            Verdict::new(
                "power of the error of g1 that the error of g2 over t is after t_S, median",
                2.0,
                Rule::Within(0.1),
                median(runs.iter().map(|run| run.after.power(1, true))),
            ),
            Verdict::new(
                "farthest that ‖g3 - g*‖ is from ‖D d‖ ‖d‖ for t >= t_S, in roundings",
                1.0,
                Rule::AtMost,
                largest(runs.iter().flat_map(|run| run.beside_second_order(true))),
            ),
            Verdict::new("t < t_S looked at where it is as near, in number", 0.0, Rule::Equal, wrong.count() as f64),
            Verdict::new(
                "dz_t / dlog lambda off the support of z*, largest for t >= t_S",
                0.0,
                Rule::Equal,
                largest(runs.iter().flat_map(|run| run.off.iter().skip(run.found).copied())),
            ),
            Verdict::new(
                "the same for t < t_S, over what it is at t = 1, least of the seeds",
                1.0 - SIDES.1 as f64 * f64::EPSILON,
                Rule::AtLeast,
                quantile(runs.iter().map(|run| largest(run.off[..run.found].iter().copied()) / run.first_off), 0.0),
            ),
            Verdict::new(
                "rate of dz_t / dlog lambda after t_S over ln kappa, median",
                1.0,
                Rule::Within(0.05),
                median(runs.iter().map(Run::rate_of_tangent)),
            ),
        ];
        let names = ["seed", "t_S", "kappa", "t"].map(str::to_owned).into_iter();
        let names = names.chain(EstimatorKind::ALL.iter().map(ToString::to_string));
        let mut table = Table::new("errors", names.chain(["‖D d‖ ‖d‖", "dz_t off S", "dz_t on S"].map(str::to_owned)));
        for (seed, run) in runs.iter().enumerate() {
            let looks = [&run.before, &run.after].into_iter().flat_map(|part| part.steps.iter().zip(&part.errors));
            for ((&t, errors), second_order) in looks.zip(&run.second_order) {
                let start = [seed as f64, run.found as f64, run.kappa, t as f64];
                table.rows.push([&start[..], errors, &[*second_order, run.off[t], run.on[t]]].concat());
            }
        }
        let drawn = || runs.iter().take(DRAWN);
        Outcome {
            verdicts,
            tables: vec![table],
            drawings: vec![
                ("errors", drawn().map(Run::errors_drawing).collect()),
                ("tangent", drawn().map(Run::tangent_drawing).collect()),
            ],
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
        let sound = Support.measure(Size::Short, &mut Ctx::new()).unwrap();
        assert_passes(&Support, &sound);
        let check = |damage: &dyn Fn(&mut Run), claims: &[&str]| {
            let mut broken = sound.clone();
            broken.iter_mut().for_each(damage);
            let found = failing(&Support, &broken);
            let is_meant = found.len() == claims.len() && found.iter().zip(claims).all(|(a, b)| a.starts_with(b));
            assert!(is_meant, "{claims:?}: {found:?}");
        };
        let each = |errors: &mut Errors, damage: fn(&mut [f64; 3])| errors.errors.iter_mut().for_each(damage);
        let [ratio, power, third] = ["‖g2 - g*‖ / ‖g1 - g*‖", "power of the error of g1", "farthest that ‖g3 - g*‖"];
        let rates = ["rate of g1", "rate of dz_t / dlog lambda"];
        // As if the support were known from the start, and as if g2 and g3 were g1 for ever.
        check(&|run| each(&mut run.before, |errors| errors[1] = errors[0].powi(2)), &[ratio]);
        check(&|run| each(&mut run.after, |errors| errors[1] = errors[0]), &[power]);
        check(&|run| each(&mut run.after, |errors| errors[2] = errors[0]), &[third]);
        check(&|run| run.kappa = run.kappa.powf(1.1), &rates);
        let exact = |run: &mut Run| {
            run.before.errors.iter_mut().zip(&run.second_order).for_each(|(errors, expected)| errors[2] = *expected);
        };
        check(&exact, &["t < t_S looked at"]);
        let [after, before] = ["dz_t / dlog lambda off the support of z*", "the same for t < t_S"];
        check(&|run| *run.off.last_mut().unwrap() = f64::MIN_POSITIVE, &[after]);
        check(&|run| run.off[..run.found].fill(0.0), &[before]);

        for k in [0, 1] {
            assert_notices_nan(&Support, &sound, |runs| &mut runs[3].before.errors[2][k]);
        }
        for k in 0..3 {
            assert_notices_nan(&Support, &sound, |runs| &mut runs[3].after.errors[20][k]);
        }
        for t in [1, 600] {
            assert_notices_nan(&Support, &sound, |runs| &mut runs[3].off[t]);
        }
        assert_notices_nan(&Support, &sound, |runs| &mut runs[3].on[600]);
        assert_notices_nan(&Support, &sound, |runs| runs[3].second_order.last_mut().unwrap());
        assert_notices_nan(&Support, &sound, |runs| &mut runs[3].kappa);
        assert_notices_nan(&Support, &sound, |runs| &mut runs[3].condition);
        assert_notices_nan(&Support, &sound, |runs| &mut runs[3].first_off);
    }
}
