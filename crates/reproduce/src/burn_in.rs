//! The curse of unrolling: a step that is best for z lets the Jacobian of the iterates grow before it converges.
//!
//! ```text
//! L(z, x) = 1/2 ‖delta z - y‖² + 1/2 sum_j exp(x_j) z_j²,   h_j = delta² + exp(x_j) from mu = 1 to L = 1000
//! ```
//!
//! L_zz = diag(h) depends on x, and coordinate by coordinate gradient descent with step rho from z_0 = 0 has
//!
//! ```text
//! J_t - J* = exp(x) z* / h  ((1 - rho h)^t + t rho h (1 - rho h)^(t-1)),   J* = -exp(x) z* / h
//! ```
//!
//! With rho = 2 / (L + mu) the largest |1 - rho h| is kappa = (L - mu) / (L + mu), at h = L too, where rho h is about 2: that coordinate of J_t - J* rises to
//! 2 t kappa^(t-1), which is largest at t = -1 / ln kappa = 500, 368 times its start for L / mu = 1000. With rho = 1 / L the bracket is the chance that a
//! coin of probability rho h shows at most one head in t throws: at most 1, always. Where the first s steps are not differentiated, z_s is nearer to
//! z* by kappa^s, and so is the peak lower.
//!
//! Source: D. Scieur, G. Gidel, Q. Bertrand, F. Pedregosa, The curse of unrolling: rate of differentiating through optimization, NeurIPS 2022.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::{distance, norm};
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, Stroke, colour};

use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::random::Random;
use crate::repeat::largest;
use crate::table::Table;
use crate::verdict::{Rule, Verdict};

const MU: f64 = 1.0;
const L: f64 = 1000.0;
/// m, and p.
const LATENT: usize = 10;
/// delta.
const DESIGN: f64 = 0.5;
const STEPS: usize = 8000;
/// Steps that are not differentiated: kappa^s is then 1 / 403, less than the peak is high.
const BURN_IN: usize = 3000;

/// The experiment.
pub(crate) struct BurnIn;

/// ‖J_t - J*‖ / ‖J_0 - J*‖ for t = 0, 1, ...
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// y along the coordinate of L, the worst there is; step 2 / (L + mu).
    worst: Vec<f64>,
    /// The same, its first steps not differentiated: from t = s on, over ‖J*‖.
    burnt_in: Vec<f64>,
    /// y normal; step 2 / (L + mu).
    normal: Vec<f64>,
    /// y normal; step 1 / L.
    short: Vec<f64>,
    /// y along the coordinate of mu; step 1 / L.
    short_worst: Vec<f64>,
}

/// Differentiates from step `burn_in` on.
fn growth(y: Vec<f64>, rho: f64, burn_in: usize, ctx: &mut Ctx) -> Result<Vec<f64>, Failure> {
    let ratio = (L / MU).ln() / (LATENT - 1) as f64;
    let lambdas: Vec<f64> = (0..LATENT).map(|j| MU * (ratio * j as f64).exp() - DESIGN * DESIGN).collect();
    let entries: Vec<_> = (0..LATENT).map(|j| (j, j, DESIGN)).collect();
    let design = Design::from_triplets(LATENT, LATENT, &entries).expect("the diagonal is in range");
    let exact: Vec<f64> =
        y.iter().zip(&lambdas).map(|(y, lambda)| -lambda * DESIGN * y / (DESIGN * DESIGN + lambda).powi(2)).collect();
    let problem = Glm::new(design, Squared, 0.0)
        .and_then(|problem| problem.grouped(lambdas, (0..LATENT as u32).collect()))
        .and_then(|problem| problem.wrt(Wrt::Regularisation, y));
    let (problem, x) = problem.expect("the penalties are above 0, one for each group");
    let solver = GradientDescent::new(StepSize::Fixed(rho));
    let start = Solve::new(&problem, &solver, &x).stop(Stop::steps(burn_in)).run_in(ctx)?.into_z();
    let mut solution =
        Solve::new(&problem, &solver, &x).from(&start).stop(Stop::steps(0)).record(Tangents::full()).run_in(ctx)?;
    let mut all = Vec::new();
    for t in 0..=STEPS {
        solution.resume(Stop::steps(t), ctx)?;
        // Diagonal: each coordinate of z has a penalty of its own.
        let diagonal: Vec<f64> = (0..LATENT).map(|j| solution.recorder().tangent(j)[j]).collect();
        all.push(distance(&diagonal, &exact) / norm(&exact));
    }
    if solution.status() == Status::Interrupted { Err(Failure::Interrupted) } else { Ok(all) }
}

/// The place of the largest value, and that value; NaN of none, and where there is one.
fn peak(values: &[f64]) -> (f64, f64) {
    let height = largest(values.iter().copied());
    (values.iter().position(|value| *value == height).map_or(f64::NAN, |place| place as f64), height)
}

impl Experiment for BurnIn {
    type Measured = Measured;

    const NAME: &'static str = "burn-in";
    const ABOUT: &'static str = "the curse of unrolling: J_t grows 368 times before it converges, unless the step is short or the first steps are not differentiated";

    fn measure(&self, _: Size, ctx: &mut Ctx) -> Result<Measured, Failure> {
        let along = |j: usize| (0..LATENT).map(|k| if k == j { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
        let normal = Random::new(1).normal(LATENT);
        let (long, short) = (2.0 / (L + MU), 1.0 / L);
        Ok(Measured {
            worst: growth(along(LATENT - 1), long, 0, ctx)?,
            burnt_in: growth(along(LATENT - 1), long, BURN_IN, ctx)?,
            normal: growth(normal.clone(), long, 0, ctx)?,
            short: growth(normal, short, 0, ctx)?,
            short_worst: growth(along(0), short, 0, ctx)?,
        })
    }

    fn show(&self, measured: &Measured) -> Outcome {
        let kappa = (L - MU) / (L + MU);
        let rho_h = 2.0 * L / (L + MU);
        let theory = |t: f64, s: f64| (kappa.powf(t) - t * rho_h * kappa.powf(t - 1.0 + s)).abs();
        let farthest = measured.worst.iter().enumerate().map(|(t, found)| (found - theory(t as f64, 0.0)).abs());
        let ((at, height), steps) = (peak(&measured.worst), STEPS as f64);
        let verdicts = vec![
            Verdict::new(
                "‖J_t - J*‖ / ‖J*‖ at its largest, y along L, step 2 / (L + mu)",
                368.0,
                Rule::Within(1.5),
                height,
            ),
            Verdict::new("the t of that", 500.0, Rule::Within(2.0), at),
            // What t roundings of a product of t factors, and of a sum of as many, leave of a peak.
            Verdict::new(
                "farthest from the formula",
                4.0 * steps * f64::EPSILON * height,
                Rule::AtMost,
                largest(farthest),
            ),
            Verdict::new(
                "largest ‖J_t - J*‖ / ‖J*‖ with step 1 / L, y normal",
                1.0 + 1e-12,
                Rule::AtMost,
                peak(&measured.short).1,
            ),
            Verdict::new(
                "largest ‖J_t - J*‖ / ‖J*‖ with step 1 / L, y along mu",
                1.0 + 1e-12,
                Rule::AtMost,
                peak(&measured.short_worst).1,
            ),
            Verdict::new(
                format!("the same, step 2 / (L + mu), the first {BURN_IN} steps not differentiated"),
                1.0 + 1e-12,
                Rule::AtMost,
                peak(&measured.burnt_in).1,
            ),
        ];
        let series: [(&str, &[f64]); 5] = [
            ("step 2 / (L + mu), y along L", &measured.worst),
            ("the same, 3000 steps not differentiated", &measured.burnt_in),
            ("step 2 / (L + mu), y normal", &measured.normal),
            ("step 1 / L, y normal", &measured.short),
            ("step 1 / L, y along mu", &measured.short_worst),
        ];
        let colours = MORE_COLOURS.into_iter().chain([colour(EstimatorKind::Analytic)]);
        let mut curves: Vec<_> = series
            .iter()
            .zip(colours)
            .map(|((name, values), colour)| {
                let points = values.iter().enumerate().step_by(10).map(|(t, v)| (t as f64, *v)).collect();
                Curve { stroke: Stroke::Plain, ..Curve::measured(*name, colour, points) }
            })
            .collect();
        let dashes = (0..=STEPS).step_by(10).map(|t| (t as f64, 1.5 * theory(t as f64, 0.0)));
        curves.push(Curve::theory("theory, times 1.5: 2 t kappa^(t-1), y along L", dashes.collect()));
        let rows = (0..=STEPS).map(|t| std::iter::once(t as f64).chain(series.iter().map(|(_, v)| v[t])).collect());
        let header = series.iter().map(|(name, _)| name.replace(',', ""));
        let table = Table::new("growth", std::iter::once("t".to_owned()).chain(header)).with(rows);
        let drawing = Drawing {
            title: "the Jacobian of the iterates, L / mu = 1000".to_owned(),
            across: Axis::from_zero("differentiated iterations t"),
            up: Axis::logarithmic("‖J_t - J*‖ / ‖J*‖"),
            curves,
        };
        Outcome { verdicts, tables: vec![table], drawings: vec![("growth", vec![drawing])], ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_notices_nan, assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = BurnIn.measure(Size::Short, &mut Ctx::new()).unwrap();
        assert_passes(&BurnIn, &sound);
        let grown = sound.worst.clone();
        for broken in [
            Measured { short: grown.clone(), ..sound.clone() },
            Measured { short_worst: grown.clone(), ..sound.clone() },
            Measured { burnt_in: grown, ..sound.clone() },
        ] {
            assert_eq!(failing(&BurnIn, &broken).len(), 1);
        }
        assert_eq!(failing(&BurnIn, &Measured { worst: sound.normal.clone(), ..sound.clone() }).len(), 3);
        for t in [1, 7000] {
            assert_notices_nan(&BurnIn, &sound, |m| &mut m.worst[t]);
            assert_notices_nan(&BurnIn, &sound, |m| &mut m.burnt_in[t]);
            assert_notices_nan(&BurnIn, &sound, |m| &mut m.short[t]);
            assert_notices_nan(&BurnIn, &sound, |m| &mut m.short_worst[t]);
        }
    }
}
