//! What a problem says of its curvature, against the Rayleigh quotients of L_zz.
//!
//! Those lie between the smallest and the largest eigenvalue. A bound of the largest that is below one of them is
//! wrong, and so is a bound of the smallest that is above one. Where neither is, nothing is proved.

use super::check::{Check, Mismatch, ROUNDING};
use crate::design::spectrum::largest_eigenvalue;
use crate::problem::{Point, Problem};
use crate::vector::norm;

/// Smoothness may be an estimate, and Lanczos' method may settle early. Below half of the curvature, steps of 1/L
/// diverge.
const SMOOTHNESS: f64 = 0.5;
const CONVEXITY: f64 = 1e-6;
/// Units of rounding of the largest eigenvalue in a Rayleigh quotient.
const NOISE: f64 = 1e3;

impl<P: Problem + ?Sized> Check<'_, P> {
    pub(super) fn bounds(&mut self) -> Result<(), Mismatch> {
        let (problem, z, x) = (self.problem, self.z, self.x);
        if z.is_empty() {
            return Ok(());
        }
        let convexity = problem.strong_convexity(x);
        if convexity > 0.0 {
            let (rank, m) = (problem.hessian_rank_bound() as f64, z.len() as f64);
            exceeds("hessian_rank_bound", "m, for strong_convexity is above 0,", m, rank, m, 0.0)?;
        }
        self.recession()?;
        self.flatness()?;
        // Smoothness is told best where curvature is large, often 0; convexity where it is small, often far off.
        let origin = vec![0.0; z.len()];
        let far: Vec<f64> = z.iter().map(|z| 8.0 * z).collect();
        for z in [z, &origin, &far] {
            let (mut grad_z, mut memo) = (vec![f64::NAN; z.len()], vec![f64::NAN; problem.memo_len()]);
            problem.grad_z(z, x, &mut grad_z, &mut memo, &mut self.ctx);
            let plain = Point::new(z, x);
            let Some((smallest, largest)) = self.rayleigh(plain) else { continue };
            for at in [plain, Point { memo: &memo, grad_z: &grad_z, ..plain }] {
                if let Some(smoothness) = problem.smoothness(at, &mut self.ctx) {
                    let against = "a Rayleigh quotient of hess, which it bounds from above,";
                    exceeds("smoothness", against, largest, smoothness, largest, SMOOTHNESS)?;
                }
            }
            let against = "a Rayleigh quotient of hess, which it bounds from below,";
            let scale = convexity.max(NOISE * f64::EPSILON * largest.abs() / CONVEXITY);
            exceeds("strong_convexity", against, convexity, smallest, scale, CONVEXITY)?;
        }
        Ok(())
    }

    /// L(z + d) is no more than L(z) where it is said to fall along d.
    fn recession(&mut self) -> Result<(), Mismatch> {
        let at = Point::new(self.z, self.x);
        let Some(mut farther) = self.problem.falls_along(at, &mut self.ctx) else { return Ok(()) };
        crate::vector::axpy(1.0, self.z, &mut farther);
        let (here, there) = (self.value(at), self.value(Point { z: &farther, ..at }));
        let against = "value, which rises along it,";
        exceeds("falls_along", against, there, here, here.abs().max(there.abs()), ROUNDING)
    }

    /// L_zz d is 0 for the d along which L is said to be flat.
    fn flatness(&mut self) -> Result<(), Mismatch> {
        let (problem, at) = (self.problem, Point::new(self.z, self.x));
        let Some(flat) = problem.flat_along() else { return Ok(()) };
        let Some((_, largest)) = self.rayleigh(at) else { return Ok(()) };
        let mut image = vec![f64::NAN; flat.len()];
        problem.hess(at, &flat, &mut image, &mut self.ctx);
        exceeds("flat_along", "hess along it,", norm(&image), 0.0, largest * norm(&flat), ROUNDING)
    }

    /// A small and a large Rayleigh quotient of L_zz; `None` where a product overflows.
    fn rayleigh(&mut self, at: Point<'_>) -> Option<(f64, f64)> {
        let problem = self.problem;
        let mut finite = true;
        let largest = largest_eigenvalue(at.z.len(), 0.0, &mut self.ctx, |v, out, ctx| {
            problem.hess(at, v, out, ctx);
            finite &= out.iter().all(|out| out.is_finite());
        });
        let largest = Some(largest).filter(|largest| finite && largest.is_finite())?;
        let below = largest_eigenvalue(at.z.len(), 0.0, &mut self.ctx, |v, out, ctx| {
            problem.hess(at, v, out, ctx);
            out.iter_mut().zip(v).for_each(|(out, v)| *out = largest * v - *out);
        });
        Some((largest - below, largest))
    }
}

/// That `above` exceeds `below` by no more than `allowed` of `scale`. A NaN does.
fn exceeds(
    product: &'static str,
    against: &'static str,
    above: f64,
    below: f64,
    scale: f64,
    allowed: f64,
) -> Result<(), Mismatch> {
    let difference = above - below;
    let within = difference <= allowed * scale.abs();
    if within { Ok(()) } else { Err(Mismatch { product, against, difference, scale, allowed }) }
}
