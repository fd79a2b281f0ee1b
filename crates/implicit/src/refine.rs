//! Iterative refinement: a solution by an inexact inverse, improved by the true residual as long as that helps.
//!
//! Source: Golub and Van Loan, Matrix Computations, 4th ed., section 3.5.3.

use danskin_core::ctx::Ctx;
use danskin_core::linear::{Hessian, LinearError, LinearSolve, LinearStatus};
use danskin_core::problem::Problem;
use danskin_core::vector::{axpy, max_abs, norm};

/// Steps of refinement at the most; each costs one product with L_zz.
const MAX_REFINEMENTS: usize = 5;

/// Solves L_zz v = rhs by `inverse(r, ctx)`, which overwrites r by about L_zz^{-1} r, to a relative residual of `tolerance` if that
/// can be reached. `singular` is the error where even a first solution is no better than 0.
///
/// # Errors
///
/// [`LinearError`] where there is no usable solution.
pub(crate) fn solve_refined<P: Problem + ?Sized>(
    method: &'static str,
    hessian: Hessian<'_, P>,
    (rhs, tolerance): (&[f64], f64),
    solution: &mut [f64],
    inverse: &mut dyn FnMut(&mut [f64], &mut Ctx),
    singular: LinearError,
    ctx: &mut Ctx,
) -> Result<LinearSolve, LinearError> {
    if !max_abs(rhs).is_finite() {
        return Err(LinearError::NotFinite);
    }
    solution.fill(0.0);
    let length = norm(rhs);
    if length == 0.0 {
        return Ok(LinearSolve::new(method, LinearStatus::Converged, 0, 0.0, true));
    }
    let (mut r, mut trial, mut unit) = (ctx.take(rhs.len()), ctx.take(rhs.len()), ctx.take(rhs.len()));
    // Of a size about 1, by a power of two, so that neither a product nor a residual underflows.
    let scale = 2.0_f64.powi(length.log2().floor().clamp(-1000.0, 1000.0) as i32);
    unit.iter_mut().zip(rhs).for_each(|(unit, rhs)| *unit = rhs / scale);
    let length = norm(&unit);
    r.copy_from_slice(&unit);
    let (mut residual, mut refinements, mut finite) = (1.0, 0, true);
    loop {
        inverse(&mut r, ctx);
        trial.copy_from_slice(solution);
        axpy(1.0, &r, &mut trial);
        let before = residual;
        let after = hessian.residual(&unit, &trial, &mut r, ctx) / length;
        if after < before {
            solution.copy_from_slice(&trial);
            residual = after;
        }
        finite &= after.is_finite();
        // One step is always taken: the factor carries the rounding of the assembly, products with L_zz do not.
        let done = residual <= tolerance && refinements > 0;
        if done || after.is_nan() || after >= 0.5 * before || refinements == MAX_REFINEMENTS {
            break;
        }
        refinements += 1;
    }
    solution.iter_mut().for_each(|v| *v *= scale);
    [unit, trial, r].into_iter().for_each(|buffer| ctx.give(buffer));
    // No better than v = 0: what was factorised is not the Hessian.
    if residual < 1.0 {
        let status = if residual <= tolerance { LinearStatus::Converged } else { LinearStatus::Stalled };
        Ok(LinearSolve::new(method, status, refinements, residual, true))
    } else if finite {
        Err(singular)
    } else {
        Err(LinearError::NotFinite)
    }
}
