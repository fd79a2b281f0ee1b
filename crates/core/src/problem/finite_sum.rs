//! Objectives that are sums of terms, of which a few tell about the whole: what stochastic solvers ask for.
//!
//! ```text
//! L(z, x) = sum_i L_i(z, x) + R(z, x),     L_B(z, x) = (terms / |B|) sum_{i in B} L_i(z, x) + R(z, x)
//! ```
//!
//! With B drawn evenly, the mean of L_B is L, and so is that of its derivatives. A term may be in B more than once, and then counts as often.

use super::{Point, Problem};
use crate::ctx::Ctx;

/// A batch B of terms, and where the derivatives of L_B are taken.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Terms, one or more of them.
    pub terms: &'a [usize],
    /// (z, x); what is known there of L tells nothing of L_B.
    pub at: Point<'a>,
}

/// An objective that is a sum of terms, with the derivatives of L_B.
///
/// # Panics
///
/// Methods may panic where a slice has the wrong length, or a term is not below [`FiniteSum::terms`].
pub trait FiniteSum: Problem {
    /// Number of terms.
    fn terms(&self) -> usize;

    /// `out = grad_z L_B`.
    fn batch_grad_z(&self, batch: Batch<'_>, out: &mut [f64], ctx: &mut Ctx);

    /// `hess_out = (L_B)_zz v` and `cross_out += scale (L_B)_xz v`.
    fn batch_hess_cross(
        &self,
        batch: Batch<'_>,
        v: &[f64],
        hess_out: &mut [f64],
        scale: f64,
        cross_out: &mut [f64],
        ctx: &mut Ctx,
    );

    /// `out = (L_B)_zz dz + (L_B)_zx dx`.
    fn batch_grad_z_tangent(&self, batch: Batch<'_>, dz: &[f64], dx: &[f64], out: &mut [f64], ctx: &mut Ctx);
}
