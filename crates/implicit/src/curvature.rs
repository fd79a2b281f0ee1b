//! Negative curvature, measured once a method cannot go on: v^T L_zz v / v^T v for some v.
//!
//! Source: Golub and Van Loan, Matrix Computations, 4th ed., sections 8.1.2 (a Ritz value is no smaller than the smallest eigenvalue) and 10.1.

use danskin_core::ctx::Ctx;
use danskin_core::linear::LinearError;
use danskin_core::symmetric::largest_eigenvalue;
use danskin_core::vector::{axpy, dot, norm};

/// `out = A v`, called with v and out.
pub(crate) type Product<'a> = dyn Fn(&[f64], &mut [f64], &mut Ctx) + 'a;

/// A negative curvature, over the largest eigenvalue, that is none of rounding, for some thousands of coordinates.
const CLEAR: f64 = 1e-12;
/// Rounding of an eigenvalue found by Lanczos' method, over the largest.
const ROUNDING: f64 = 1e-14;
/// Relative change of an eigenvalue below which it is taken.
const SETTLED: f64 = 1e-3;

/// [`LinearError::NegativeCurvature`] where A is seen to have one in the plane of v and A v, and otherwise `error`. Two products, and
/// up to 60 more where one seems to be there, to tell it from rounding.
///
/// Where v^T A v = 0, a matrix without negative curvature has A v = 0.
pub(crate) fn or_indefinite(error: LinearError, v: &[f64], product: &Product<'_>, ctx: &mut Ctx) -> LinearError {
    let m = v.len();
    let [mut p, mut q, mut image] = [(); 3].map(|()| ctx.take(m));
    let length = norm(v);
    p.iter_mut().zip(v).for_each(|(p, v)| *p = v / length);
    product(&p, &mut q, ctx);
    let along = dot(&p, &q);
    axpy(-along, &p, &mut q);
    let beside = norm(&q);
    q.iter_mut().for_each(|q| *q /= beside);
    product(&q, &mut image, ctx);
    let across = dot(&q, &image);
    [p, q, image].into_iter().for_each(|buffer| ctx.give(buffer));
    // The smaller eigenvalue of the 2 x 2 matrix that A is in that plane; v itself where A v vanished.
    let lowest = 0.5 * (along + across) - (0.5 * (along - across)).hypot(beside);
    let curvature = if lowest.is_nan() { along } else { lowest };
    // What A v is may be all of rounding, so that the plane does not tell how large A is.
    let is_clear = curvature < 0.0
        && curvature < -CLEAR.max(m as f64 * f64::EPSILON) * largest_eigenvalue(m, SETTLED, ctx, product).abs();
    if is_clear { LinearError::NegativeCurvature { curvature } } else { error }
}

/// The smallest eigenvalue of A, m x m, from above, by the method of Lanczos; at most `bound`, which it is known not to exceed. Up to
/// 120 products.
pub(crate) fn smallest_eigenvalue(m: usize, bound: f64, product: &Product<'_>, ctx: &mut Ctx) -> f64 {
    let largest_of_minus = largest_eigenvalue(m, SETTLED, ctx, |v, out, ctx| {
        product(v, out, ctx);
        out.iter_mut().for_each(|out| *out = -*out);
    });
    let rounding = ROUNDING * largest_of_minus.abs().max(largest_eigenvalue(m, SETTLED, ctx, product).abs());
    // A NaN of overflow tells nothing.
    (rounding - largest_of_minus).min(bound)
}
