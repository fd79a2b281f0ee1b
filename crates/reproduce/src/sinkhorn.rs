//! Entropic optimal transport: the potential of Sinkhorn's algorithm is the gradient, and unrolling the sweeps or solving with the Hessian squares its error.
//!
//! Between x and b on grids of 100 and 30 points of [0, 1], costs (s - t)², eps = 0.1. Near the optimum a sweep multiplies the error of the potential by
//! A A^T, A = diag(x)^-1/2 P diag(b)^-1/2, whose largest eigenvalue, 1, belongs to the constants, of which gradients know nothing, and whose second is kappa: g1 = -u_t
//! is off by kappa^t, g2 by t kappa^2t and g3 by kappa^2t. The semi-dual by gradient ascent has another kappa, 1 - rho mu, and the same powers.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::{distance, norm};

use crate::errors::Errors;
use crate::experiment::{Experiment, Failure, Outcome, Size};
use crate::spectrum;
use crate::verdict::{Rule, Verdict};

/// n and k.
const POINTS: (usize, usize) = (100, 30);
const EPS: f64 = 0.1;
const SMALL_EPS: f64 = 1e-3;
/// Sweeps of the reference, and at the small eps.
const CONVERGED: usize = 3000;
const AT_SMALL_EPS: usize = 20_000;

const UP: &str = "error of the gradient, up to a constant, ‖g - g*‖ / ‖g*‖";

/// The experiment.
pub(crate) struct Transported;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// The second eigenvalue of A A^T.
    kappa: f64,
    sweeps: Errors,
    /// 1 - rho mu of the ascent.
    kappa_of_ascent: f64,
    ascent: Errors,
    /// The residual, ‖grad_z L‖, after `AT_SMALL_EPS` sweeps at the small eps, relative to that at the start.
    residual: f64,
    /// (l(x + h d) - l(x - h d)) / 2 h against <g1, d>, relative.
    difference: f64,
}

pub(crate) fn bump(t: f64, at: f64, width: f64) -> f64 {
    (-((t - at) / width).powi(2)).exp()
}

/// x, b and the problem, at this eps.
fn instance(eps: f64) -> (Transport, Vec<f64>) {
    let grid = |points: usize| (0..points).map(move |i| i as f64 / (points - 1) as f64);
    let measure = |points: usize, density: fn(f64) -> f64| {
        let masses: Vec<f64> = grid(points).map(density).collect();
        let sum: f64 = masses.iter().sum();
        masses.into_iter().map(|mass| mass / sum).collect::<Vec<_>>()
    };
    let (n, k) = POINTS;
    let x = measure(n, |t| 0.3 + bump(t, 0.25, 0.1));
    let b = measure(k, |t| 0.3 + bump(t, 0.55, 0.1) + 0.6 * bump(t, 0.85, 0.05));
    let cost = grid(n).flat_map(|s| grid(k).map(move |t| (s - t) * (s - t))).collect();
    (Transport::new(n, cost, b, eps).expect("masses, costs and eps are in range"), x)
}

/// A gradient without its mean, of which nothing is known.
pub(crate) fn centred(mut gradient: Vec<f64>) -> Vec<f64> {
    let mean = gradient.iter().sum::<f64>() / gradient.len() as f64;
    gradient.iter_mut().for_each(|g| *g -= mean);
    gradient
}

/// g1, g2 and g3 at each of `steps`, which increase, along one trajectory.
pub(crate) fn gradients<P, S>(
    (problem, x): (&P, &[f64]),
    solver: &S,
    steps: &[usize],
    ctx: &mut Ctx,
) -> Result<Vec<[Vec<f64>; 3]>, Failure>
where
    P: Problem,
    S: Unroll<P>,
{
    let mut solution = Solve::new(problem, solver, x).stop(Stop::steps(0)).record(Tape::new()).run_in(ctx)?;
    let implicit = Implicit::new(Cg::default());
    let mut gradients = Vec::new();
    for &t in steps {
        solution.resume(Stop::steps(t), ctx)?;
        let g1 = solution.gradient_in(&Envelope, &Analytic, ctx)?.value;
        let g2 = solution.gradient_in(&Envelope, &Automatic, ctx)?.value;
        let g3 = solution.gradient_in(&Envelope, &implicit, ctx)?.value;
        gradients.push([g1, g2, g3]);
    }
    Ok(gradients)
}

/// Where a plan with the marginals x and b is P: the second eigenvalue of A A^T, A = diag(x)^-1/2 P diag(b)^-1/2.
pub(crate) fn contraction(problem: &Transport, x: &[f64], z: &[f64], ctx: &mut Ctx) -> f64 {
    // A^T, row by row.
    let (u, v) = z.split_at(x.len());
    let (b, mut scaled) = (problem.second_marginal(), vec![0.0; x.len() * v.len()]);
    let visit = |i: usize, row: &[f64]| {
        row.iter().enumerate().for_each(|(j, p)| scaled[j * x.len() + i] = p / (x[i] * b[j]).sqrt());
    };
    problem.each_row_of_plan(u, v, visit, ctx);
    let shares = Design::dense(v.len(), x.len(), scaled).expect("masses are above 0");
    spectrum::of_gram(&shares, &vec![1.0; v.len()])[v.len() - 2]
}

/// The errors of `gradients` up to a constant, at each of `steps`; `exact` is centred.
fn errors(gradients: Vec<[Vec<f64>; 3]>, exact: &[f64], steps: Vec<usize>) -> Errors {
    let error = |g: Vec<f64>| distance(&centred(g), exact) / norm(exact);
    Errors { steps, errors: gradients.into_iter().map(|each| each.map(error)).collect() }
}

impl Experiment for Transported {
    type Measured = Measured;

    const NAME: &'static str = "sinkhorn";
    const ABOUT: &'static str = "entropic optimal transport: the potential after t sweeps is off by kappa^t, unrolled or solved for by its square";

    fn measure(&self, _: Size, ctx: &mut Ctx) -> Result<Measured, Failure> {
        let ((n, _), (problem, x)) = (POINTS, instance(EPS));
        let converged = Solve::new(&problem, &Sinkhorn, &x).stop(Stop::steps(CONVERGED)).run_in(ctx)?;
        let exact = centred(converged.gradient_in(&Envelope, &Analytic, ctx)?.value);
        let kappa = contraction(&problem, &x, converged.z(), ctx);
        let u = &converged.z()[..n];

        let steps: Vec<usize> = (0..=40).collect();
        let sweeps = errors(gradients((&problem, &x), &Sinkhorn, &steps, ctx)?, &exact, steps);
        let semi_dual = problem.semi_dual();
        let smoothness = semi_dual.smoothness(Point::new(u, &x), ctx).unwrap_or(f64::NAN);
        let mut hessian = vec![0.0; n * n];
        semi_dual.assemble_hessian(Point::new(u, &x), &mut hessian, ctx);
        let mu = spectrum::of_symmetric(n, &hessian)[1];
        let ascent = GradientDescent::new(StepSize::Fixed(1.0 / smoothness));
        let steps: Vec<usize> = (0..=2000).step_by(50).collect();
        let ascent = errors(gradients((&semi_dual, &x), &ascent, &steps, ctx)?, &exact, steps);

        let (small, x_small) = instance(SMALL_EPS);
        let found = Solve::new(&small, &Sinkhorn, &x_small).stop(Stop::steps(AT_SMALL_EPS)).run_in(ctx)?;
        let residual = found.residual() / found.initial_residual();

        // Mass that moves from one end to the other.
        let step = 1e-3 * x[0];
        let mut value = |side: f64| -> Result<f64, Failure> {
            let mut moved = x.clone();
            moved[0] += side * step;
            moved[n - 1] -= side * step;
            let solve = Solve::new(&problem, &Sinkhorn, &moved).stop(Stop::steps(CONVERGED));
            Ok(problem.value(Point::new(solve.run_in(ctx)?.z(), &moved), ctx))
        };
        let slope = (value(1.0)? - value(-1.0)?) / (2.0 * step);
        let along = exact[0] - exact[n - 1];
        Ok(Measured {
            kappa,
            sweeps,
            kappa_of_ascent: 1.0 - mu / smoothness,
            ascent,
            residual,
            difference: (slope - along).abs() / along.abs(),
        })
    }

    fn show(&self, measured: &Measured) -> Outcome {
        let Measured { kappa, sweeps, kappa_of_ascent, ascent, residual, difference } = measured;
        let mut verdicts = Vec::new();
        for (name, errors, kappa) in [("sweeps", sweeps, *kappa), ("semi-dual ascent", ascent, *kappa_of_ascent)] {
            verdicts.push(Verdict::new(
                format!("{name}: rate of g1 over ln kappa"),
                1.0,
                Rule::Within(0.05),
                errors.rate(kappa),
            ));
            for (k, what) in [(1, "g2 over t"), (2, "g3")] {
                let claim = format!("{name}: power of the error of g1 that the error of {what} is");
                verdicts.push(Verdict::new(claim, 2.0, Rule::Within(0.15), errors.power(k, k == 1)));
            }
        }
        verdicts.push(Verdict::new(
            "the residual after 20,000 sweeps at eps = 0.001, of that at the start",
            1e-6,
            Rule::AtMost,
            *residual,
        ));
        // The difference quotient is off by the square of its step, a millionth of the mass moved.
        verdicts.push(Verdict::new(
            "the potential against a difference quotient of the cost, relative",
            1e-5,
            Rule::AtMost,
            *difference,
        ));
        let drawings = vec![
            sweeps.drawing("Sinkhorn, 100 x 30, eps = 0.1", ("iterations t: sweeps", UP), *kappa),
            ascent.drawing(
                "gradient ascent on the semi-dual, 100 x 30, eps = 0.1",
                ("iterations t: steps 1/L", UP),
                *kappa_of_ascent,
            ),
        ];
        let tables = vec![sweeps.table("sweeps"), ascent.table("ascent")];
        Outcome { verdicts, tables, drawings: vec![("errors", drawings)], ..Outcome::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_notices_nan, assert_passes, failing};

    #[test]
    fn every_claim_passes_and_fails_once_broken() {
        let sound = Transported.measure(Size::Short, &mut Ctx::new()).unwrap();
        assert_passes(&Transported, &sound);
        for k in [1, 2] {
            let mut broken = sound.clone();
            for errors in broken.sweeps.errors.iter_mut().chain(&mut broken.ascent.errors) {
                errors[k] = errors[0];
            }
            assert_eq!(failing(&Transported, &broken).len(), 2);
        }
        let broken = Measured {
            kappa: sound.kappa.powf(1.2),
            kappa_of_ascent: sound.kappa_of_ascent.powf(1.2),
            ..sound.clone()
        };
        assert_eq!(failing(&Transported, &broken).len(), 2);
        for k in 0..3 {
            assert_notices_nan(&Transported, &sound, |m| &mut m.sweeps.errors[4][k]);
            assert_notices_nan(&Transported, &sound, |m| &mut m.ascent.errors[10][k]);
        }
        assert_notices_nan(&Transported, &sound, |m| &mut m.kappa);
        assert_notices_nan(&Transported, &sound, |m| &mut m.kappa_of_ascent);
        assert_notices_nan(&Transported, &sound, |m| &mut m.residual);
        assert_notices_nan(&Transported, &sound, |m| &mut m.difference);
        let broken = Measured { residual: 1e-3, difference: 1e-2, ..sound };
        assert_eq!(failing(&Transported, &broken).len(), 2);
    }
}
