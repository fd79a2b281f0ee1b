//! Distributionally robust logistic regression:
//!
//! ```text
//! min_x max_z 1/n sum_i [log(1 + exp(-y_i <d_i + z_i, x>)) - gamma/2 ‖z_i‖²] + mu/2 ‖x‖²,   n = 40, x in R^5, gamma = 0.15, mu = 0.1
//! ```
//!
//! D normal, and y the signs of a plane with noise. As L of each z_i is curved by gamma but along x, and there by gamma - c_i ‖x‖², steps 1/gamma
//! leave kappa = max_i c_i ‖x‖² / gamma of an error: g1 at x* is off by kappa^t, g2 by t kappa^2t, g3 by kappa^2t.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::{axpy, distance, dot, norm};
use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::Axis;

use super::{Paths, descend, drawing, paths, table};
use crate::errors::Errors;
use crate::estimate::estimate;
use crate::experiment::{Failure, Outcome};
use crate::random::Random;
use crate::repeat::largest;
use crate::verdict::{Rule, Verdict};

const ROWS: usize = 40;
const COLUMNS: usize = 5;
const GAMMA: f64 = 0.15;
const MU: f64 = 0.1;
/// Steps on x.
const OUTER: usize = 300;
/// Steps of the reference, on z and on x.
const CONVERGED: usize = 2000;
/// t looked at, at x*.
const LAST: usize = 20;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// max_i c_i ‖x*‖² / gamma.
    pub(super) kappa: f64,
    /// ‖g - g*‖ / ‖g*‖ at x*.
    pub(super) errors: Errors,
    paths: Paths,
    /// The worst loss of x*, with its penalty, over that of the x that is best where nothing moves.
    pub(super) worst: f64,
}

/// The gradient of mu/2 ‖x‖² - l(x), of which `gradient` is that of l.
fn outer(x: &[f64], gradient: &[f64]) -> Vec<f64> {
    gradient.iter().zip(x).map(|(g, x)| MU * x - g).collect()
}

pub(crate) fn measure(ctx: &mut Ctx) -> Result<Measured, Failure> {
    let mut random = Random::new(5);
    let (design, plane, noise) = (random.design(ROWS, COLUMNS), random.normal(COLUMNS), random.normal(ROWS));
    let mut labels = noise;
    let mut margins = vec![0.0; ROWS];
    design.matrix().apply(&plane, &mut margins, ctx);
    labels.iter_mut().zip(&margins).for_each(|(y, margin)| *y = (margin + *y).signum());
    let problem = Robust::new(design.clone(), labels.clone(), Logistic, GAMMA).expect("one label a row, gamma above 0");

    let (solver, implicit) = (GradientDescent::default(), Implicit::new(Cg::default()));
    let zero = vec![0.0; ROWS * COLUMNS];
    // F'' is at most that without z over 1 - kappa, and this far more.
    let eta = 1.0 / (0.25 * norm(design.row_squares()) + MU);
    let mut gradient = |kind, t, x: &[f64]| estimate((&problem, &solver, &implicit), kind, t, (&zero, x), ctx);
    let mut saddle = vec![0.0; COLUMNS];
    for _ in 0..CONVERGED {
        let (found, _) = gradient(EstimatorKind::Implicit, 300, &saddle)?;
        axpy(-eta, &outer(&saddle, &found), &mut saddle);
    }
    let (exact, z) = gradient(EstimatorKind::Analytic, CONVERGED, &saddle)?;
    let mut errors = Vec::new();
    for t in 1..=LAST {
        let mut three = [0.0; 3];
        for (error, &kind) in three.iter_mut().zip(EstimatorKind::ALL) {
            *error = distance(&gradient(kind, t, &saddle)?.0, &exact) / norm(&exact);
        }
        errors.push(three);
    }
    let paths = paths(|kind, t| descend(OUTER, eta, &saddle, |x| Ok(outer(x, &gradient(kind, t, x)?.0))))?;

    let plain = Glm::new(design, Logistic, MU * ROWS as f64).expect("mu is above 0");
    let newton = Newton::new(DenseCholesky::default());
    let erm = Solve::new(&plain, &newton, &labels).stop(Stop::tolerance(1e-12).within(100)).run_in(ctx)?.into_z();
    let mut worst = |x: &[f64]| -> Result<f64, Failure> {
        let solution = Solve::new(&problem, &solver, x).stop(Stop::steps(CONVERGED)).run_in(ctx)?;
        Ok(0.5 * MU * dot(x, x) - problem.value(solution.point(), ctx))
    };
    let worst = worst(&saddle)? / worst(&erm)?;

    let mut u = vec![0.0; ROWS];
    problem.design().matrix().apply(&saddle, &mut u, ctx);
    let square = dot(&saddle, &saddle);
    let slowest = u
        .iter()
        .zip(z.chunks_exact(COLUMNS))
        .zip(&labels)
        .map(|((u, z), y)| Logistic.second(u + dot(z, &saddle), *y).0 * square / GAMMA);
    let errors = Errors { steps: (1..=LAST).collect(), errors };
    Ok(Measured { kappa: largest(slowest), errors, paths, worst })
}

impl Measured {
    pub(crate) fn show(&self, outcome: &mut Outcome) {
        let mut verdict = |claim: &str, predicted, rule, found| {
            outcome.verdicts.push(Verdict::new(format!("robust training: {claim}"), predicted, rule, found));
        };
        verdict("rate of g1 at x* over ln kappa", 1.0, Rule::Within(0.05), self.errors.rate(self.kappa));
        for (k, what) in [(1, "g2 over t"), (2, "g3")] {
            let claim = format!("power of the error of g1 that the error of {what} is");
            verdict(&claim, 2.0, Rule::Within(0.15), self.errors.power(k, k == 1));
        }
        // x* minimises the worst loss, and the other x the loss of rows that do not move.
        verdict("worst loss of x* over that of plain training", 1.0 - 1e-6, Rule::AtMost, self.worst);

        outcome.tables.push(self.errors.table("robust-errors"));
        outcome.tables.push(table("robust", &self.paths));
        let up = Axis::logarithmic("distance to the best model, ‖x_k - x*‖ / ‖x*‖");
        let descent = drawing("robust logistic regression, z_0 = 0 at each step", up, &self.paths);
        let axes = ("inner iterations t", "error of the gradient at x*, ‖g - g*‖ / ‖g*‖");
        let errors = self.errors.drawing("robust logistic regression, 40 x 5", axes, self.kappa);
        outcome.drawings.push(("robust", vec![errors, descent]));
    }

    /// Measurements that are wrong, and the claims that find out.
    #[cfg(test)]
    pub(crate) fn broken(&self) -> Vec<(&'static str, Self)> {
        let with = |k: usize| {
            let mut broken = self.clone();
            broken.errors.errors.iter_mut().for_each(|errors| errors[k] = errors[0]);
            broken
        };
        vec![
            ("rate of g1", Self { kappa: self.kappa.powf(1.2), ..self.clone() }),
            ("error of g2", with(1)),
            ("error of g3", with(2)),
            ("worst loss", Self { worst: 1.01, ..self.clone() }),
        ]
    }
}
