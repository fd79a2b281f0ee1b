//! A gradient after t steps, by its kind.

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin_bench::choice::EstimatorKind;

use crate::experiment::Failure;

/// The gradient of l at x that `kind` gives after `t` steps of `solver` from z_0 = `start`, and z_t.
///
/// # Errors
///
/// [`Failure`] of the solve or the estimator.
pub(crate) fn estimate<P: Problem, S: Unroll<P>, H: HessianSolver<P>>(
    (problem, solver, implicit): (&P, &S, &Implicit<H>),
    kind: EstimatorKind,
    t: usize,
    (start, x): (&[f64], &[f64]),
    ctx: &mut Ctx,
) -> Result<(Vec<f64>, Vec<f64>), Failure> {
    let solve = Solve::new(problem, solver, x).from(start).stop(Stop::steps(t));
    let (gradient, z) = match kind {
        EstimatorKind::Analytic => {
            let solution = solve.run_in(ctx)?;
            (solution.gradient_in(&Envelope, &Analytic, ctx)?, solution.into_z())
        }
        EstimatorKind::Automatic => {
            let solution = solve.record(Tape::new()).run_in(ctx)?;
            (solution.gradient_in(&Envelope, &Automatic, ctx)?, solution.into_z())
        }
        EstimatorKind::Implicit => {
            let solution = solve.run_in(ctx)?;
            (solution.gradient_in(&Envelope, implicit, ctx)?, solution.into_z())
        }
    };
    Ok((gradient.value, z))
}
