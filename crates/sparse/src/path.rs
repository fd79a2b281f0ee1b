//! A path: minima at many lambdas, from the largest to the smallest, each from the one before.
//!
//! ```text
//! lambda_k = lambda ratio^(-k / (K - 1)),   k = K - 1 .. 0,   ratio = lambda_max / lambda
//! ```
//!
//! Source: Friedman, Hastie, Tibshirani, Regularization paths for generalized linear models via coordinate descent, Journal of Statistical Software 33, 2010.

use std::ops::ControlFlow;

use danskin_core::ctx::Ctx;
use danskin_core::problem::composite::Composite;
use danskin_core::problem::loss::Loss;
use danskin_core::problem::sparse_glm::SparseGlm;
use danskin_core::problem::{Objective, Point};
use danskin_core::solver::{SolveError, Solver, State, Step};

use crate::active_set::ActiveSet;

/// A point of a path.
#[derive(Clone, Copy, Debug)]
pub struct PathPoint<'a> {
    /// What the lambdas of the problem were multiplied by.
    pub factor: f64,
    /// z, length m.
    pub z: &'a [f64],
    /// L(z, x).
    pub value: f64,
    /// The duality gap, or what stands for it ([`ActiveSet`]).
    pub residual: f64,
    /// Whether the gap is what was asked for; else it falls no more in this arithmetic, or the steps are used up.
    pub converged: bool,
    /// Steps taken at this point.
    pub steps: usize,
    /// What it cost, in seconds.
    pub seconds: f64,
}

/// Factors for [`path`]: `count` of them from `ratio` down to 1, evenly in their logarithms.
#[must_use]
pub fn factors(ratio: f64, count: usize) -> Vec<f64> {
    match count {
        0 => Vec::new(),
        1 => vec![1.0],
        _ => (0..count).rev().map(|k| ratio.powf(k as f64 / (count - 1) as f64)).collect(),
    }
}

/// Steps at one lambda at the most.
const STEPS: usize = 1000;

/// Calls `each` with the minimum of `problem` at x, its lambdas multiplied by each of `factors` in turn, to gaps of `tolerance`; each from the one before, the
/// first from 0. x must not be the lambdas.
///
/// # Errors
///
/// [`SolveError`] where a solve cannot be done, or is interrupted.
///
/// # Panics
///
/// If the problem is differentiated in log lambda.
pub fn path<L: Loss + Clone>(
    problem: &SparseGlm<L>,
    x: &[f64],
    factors: &[f64],
    tolerance: f64,
    each: &mut dyn FnMut(PathPoint<'_>) -> ControlFlow<()>,
    ctx: &mut Ctx,
) -> Result<(), SolveError> {
    let solver = ActiveSet::to_share(0.0);
    let mut state = None;
    for &factor in factors {
        let mark = ctx.mark();
        let scaled = problem.scaled(factor);
        let current = match &mut state {
            None => state.insert(solver.init(&scaled, x, &vec![0.0; problem.latent_len()], ctx)?),
            Some(state) => {
                state.penalise(&scaled, x, ctx)?;
                state
            }
        };
        let (mut steps, mut stalled) = (0, false);
        while current.residual() > tolerance && !stalled && steps < STEPS {
            stalled = current.step_to(&scaled, x, tolerance, ctx)? == Step::Stalled;
            steps += 1;
        }
        let at = Point { z: current.latent(), x, memo: current.memo(), grad_z: &[] };
        let value = scaled.value(at, ctx);
        let point = PathPoint {
            factor,
            z: current.latent(),
            value,
            residual: current.residual(),
            converged: current.residual() <= tolerance,
            steps,
            seconds: ctx.since(mark).seconds,
        };
        if each(point).is_break() {
            break;
        }
    }
    Ok(())
}

/// lambda_max over the lambdas of the problem: the least factor of them for which z is 0 in every column with a penalty.
///
/// # Errors
///
/// [`SolveError`] where the columns without a penalty cannot be fitted.
///
/// # Panics
///
/// As [`path`].
pub fn factor_to_zero<L: Loss + Clone>(problem: &SparseGlm<L>, x: &[f64], ctx: &mut Ctx) -> Result<f64, SolveError> {
    let mut gradient = vec![0.0; problem.latent_len()];
    let mut z = vec![0.0; problem.latent_len()];
    problem.smooth().grad_z(&z, x, &mut gradient, &mut [], ctx);
    let [l, _] = problem.penalties(x);
    if l.contains(&0.0) {
        // With so large a lambda nothing but the free columns is in use.
        let factor = 1e3 * (1.0 + problem.factor_to_zero(x, &gradient));
        let fit = |point: PathPoint<'_>| {
            z.copy_from_slice(point.z);
            ControlFlow::Continue(())
        };
        let scale = problem.value(Point::new(&vec![0.0; l.len()], x), ctx).abs();
        path(problem, x, &[factor], 1e-14 * scale, &mut { fit }, ctx)?;
        problem.smooth().grad_z(&z, x, &mut gradient, &mut [], ctx);
    }
    Ok(problem.factor_to_zero(x, &gradient))
}
