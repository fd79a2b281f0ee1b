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
use danskin_core::problem::glm::GlmError;
use danskin_core::problem::loss::Loss;
use danskin_core::problem::sparse_glm::SparseGlm;
use danskin_core::problem::{Objective, Point, Problem};
use danskin_core::solver::{SolveError, Solver, State, Step};
use danskin_core::vector::norm;
use thiserror::Error;

use crate::active_set::ActiveSet;

/// Why there is no path, or no lambda_max.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum PathError {
    /// The lambdas cannot be scaled by these factors.
    #[error(transparent)]
    Problem(#[from] GlmError),
    /// A solve could not be done, or was interrupted.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// The columns without a penalty separate the targets.
    #[error(
        "the columns without a penalty fit the targets ever better the further they go: L has no minimum, only smaller values"
    )]
    Unbounded,
    /// The minimum over the columns without a penalty was not reached.
    #[error(
        "the minimum over the columns without a penalty, from which lambda_max is told, was not reached: a residual of \
         {residual:e} after {steps} steps, expected at most {tolerance:e}"
    )]
    NotReached {
        /// The duality gap, or the norm of the gradient where none is known.
        residual: f64,
        /// What it was to be.
        tolerance: f64,
        /// Steps taken.
        steps: usize,
    },
}

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
    /// Whether that is a gap.
    pub residual_is_gap: bool,
    /// What it was to be.
    pub tolerance: f64,
    /// Whether it is; else it falls no more in this arithmetic, or the steps are used up.
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

/// Calls `each` with the minimum of `problem` at x, its lambdas multiplied by each of `factors` in turn; each from the one before, the first from 0. `tolerance` is the
/// gap in parts of |L(0, x)|, or where none is known the norm of the least subgradient in parts of that of the gradient of the losses at 0. x must not be the lambdas.
///
/// # Errors
///
/// [`PathError::Problem`] where x are the logarithms of the lambdas, or a factor is below 0 or not finite; [`PathError::Solve`] where a solve cannot be done, or is
/// interrupted.
pub fn path<L: Loss + Clone>(
    problem: &SparseGlm<L>,
    x: &[f64],
    factors: &[f64],
    tolerance: f64,
    each: &mut dyn FnMut(PathPoint<'_>) -> ControlFlow<()>,
    ctx: &mut Ctx,
) -> Result<(), PathError> {
    let solver = ActiveSet::to_share(0.0);
    let zeros = vec![0.0; problem.latent_len()];
    let mut known = None;
    for &factor in factors {
        let mark = ctx.mark();
        let scaled = problem.scaled(factor)?;
        let (current, tolerance) = match &mut known {
            None => {
                let state = solver.init(&scaled, x, &zeros, ctx)?;
                let size = if state.residual_is_gap() {
                    problem.value(Point::new(&zeros, x), ctx).abs()
                } else {
                    norm(&losses_at_0(problem, x, ctx))
                };
                let (state, tolerance) = known.insert((state, tolerance * size));
                (state, *tolerance)
            }
            Some((state, tolerance)) => {
                state.penalise(&scaled, x, ctx)?;
                (state, *tolerance)
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
            residual_is_gap: current.residual_is_gap(),
            tolerance,
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

/// The gradient of the losses at z = 0.
fn losses_at_0<L: Loss + Clone>(problem: &SparseGlm<L>, x: &[f64], ctx: &mut Ctx) -> Vec<f64> {
    let [z, mut gradient] = [(); 2].map(|()| vec![0.0; problem.latent_len()]);
    problem.smooth().grad_z(&z, x, &mut gradient, &mut [], ctx);
    gradient
}

/// To what the columns without a penalty are fitted.
const FIT: f64 = 1e-14;
/// What has to be reached of it.
const FIT_AT_LEAST: f64 = 1e-9;

/// lambda_max over the lambdas of the problem: the least factor of them for which z is 0 in every column with a penalty.
///
/// # Errors
///
/// [`PathError::Unbounded`] and [`PathError::NotReached`] where the columns without a penalty have no minimum of their own, or it is not reached; else as [`path`].
pub fn factor_to_zero<L: Loss + Clone>(problem: &SparseGlm<L>, x: &[f64], ctx: &mut Ctx) -> Result<f64, PathError> {
    let mut gradient = losses_at_0(problem, x, ctx);
    let [l, _] = problem.penalties(x);
    if l.contains(&0.0) {
        // With so large a lambda nothing but the free columns is in use.
        let factor = 1e3 * (1.0 + problem.factor_to_zero(x, &gradient));
        let (mut z, mut reached) = (vec![0.0; l.len()], Ok(()));
        let fit = |point: PathPoint<'_>| {
            z.copy_from_slice(point.z);
            let (residual, tolerance, steps) = (point.residual, point.tolerance * (FIT_AT_LEAST / FIT), point.steps);
            if residual.is_nan() || residual > tolerance {
                reached = Err(PathError::NotReached { residual, tolerance, steps });
            }
            ControlFlow::Continue(())
        };
        path(problem, x, &[factor], FIT, &mut { fit }, ctx)?;
        // Steps along a direction without an end look as if they converged: its slope vanishes.
        if problem.smooth().falls_along(Point::new(&z, x), ctx).is_some() {
            return Err(PathError::Unbounded);
        }
        reached?;
        problem.smooth().grad_z(&z, x, &mut gradient, &mut [], ctx);
    }
    Ok(problem.factor_to_zero(x, &gradient))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use danskin_core::design::Design;
    use danskin_core::problem::glm::{FREE, Wrt};
    use danskin_core::problem::loss::{Logistic, Squared};
    use danskin_core::testing::random;

    use super::*;

    #[test]
    fn free_columns_that_separate_the_targets_are_told() {
        let n = 20;
        let y: Vec<f64> = (0..n).map(|i| if i < 10 { 1.0 } else { -1.0 }).collect();
        let mut values = random::vector(n * 3, 1);
        for (row, y) in values.chunks_exact_mut(3).zip(&y) {
            row[2] = y * row[2].abs();
        }
        let design = Arc::new(Design::dense(n, 3, values).unwrap());
        let problem = |groups: [u32; 3]| {
            SparseGlm::new(Arc::clone(&design), Logistic, 1.0).unwrap().grouped(vec![1.0], groups.to_vec()).unwrap()
        };
        let found = factor_to_zero(&problem([0, 0, FREE]), &y, &mut Ctx::new());
        assert_eq!(found, Err(PathError::Unbounded));
        let lambda_max = factor_to_zero(&problem([0, FREE, 0]), &y, &mut Ctx::new()).unwrap();
        // Just above it z is 0 but in the free column, and just below it is not.
        for (share, used) in [(1.0 + 1e-6, 0), (1.0 - 1e-3, 1)] {
            let mut each = |point: PathPoint<'_>| {
                assert!(point.converged && !point.residual_is_gap, "{point:?}");
                assert_eq!([point.z[0], point.z[2]].iter().filter(|z| **z != 0.0).count(), used, "{point:?}");
                ControlFlow::Continue(())
            };
            path(&problem([0, FREE, 0]), &y, &[share * lambda_max], 1e-10, &mut each, &mut Ctx::new()).unwrap();
        }
    }

    #[test]
    fn lambda_max_of_nearly_dependent_free_columns_is_that_of_their_span() {
        let (n, m) = (30, 8);
        let d = random::vector(n * m, 2);
        let y: Vec<f64> = (0..n).map(|i| 2.0 * d[i * m + 7] + d[i * m]).collect();
        let lambda_max = |apart: f64| {
            let mut near = d.clone();
            for (row, of) in near.chunks_exact_mut(m).zip(d.chunks_exact(m)) {
                row[7] = if apart > 0.0 { of[6] + apart * of[7] } else { of[7] };
            }
            let groups = (0..m).map(|j| if j < 6 { 0 } else { FREE }).collect();
            let problem = SparseGlm::new(Design::dense(n, m, near).unwrap(), Squared, 1.0).unwrap();
            factor_to_zero(&problem.grouped(vec![1.0], groups).unwrap(), &y, &mut Ctx::new()).unwrap()
        };
        let expected = lambda_max(0.0);
        for apart in [1e-3, 1e-7, 1e-9] {
            // The second direction is known to the rounding of the columns over what tells them apart.
            let found = lambda_max(apart);
            assert!(
                (found - expected).abs() <= 100.0 * f64::EPSILON / apart * expected,
                "{apart:e}: {found} {expected}"
            );
        }
    }

    #[test]
    fn logarithms_of_lambda_and_bad_factors_are_refused() {
        let (problem, y) = (SparseGlm::new(random::design(9, 4, 2, 1), Squared, 0.3).unwrap(), random::vector(9, 2));
        let mut each = |_: PathPoint<'_>| ControlFlow::Continue(());
        for factor in [-1.0, f64::NAN, f64::INFINITY] {
            let found = path(&problem, &y, &[factor], 1e-8, &mut each, &mut Ctx::new());
            assert!(matches!(found, Err(PathError::Problem(GlmError::Lambda { .. }))), "{factor}: {found:?}");
        }
        let (problem, x) = problem.wrt(Wrt::Regularisation, y).unwrap();
        let found = path(&problem, &x, &[1.0], 1e-8, &mut each, &mut Ctx::new());
        assert_eq!(found, Err(PathError::Problem(GlmError::LambdasAreX)));
    }
}
