//! A symmetric positive definite matrix, scaled to unit diagonal and factorised: what every direct method shares.

use std::time::Instant;

use danskin_core::ctx::{Ctx, Phase};
use danskin_core::linear::{LinearError, LinearSolve, Stages};
use danskin_core::vector::{dot, norm};
use faer::Par;

use crate::curvature::{Product, or_indefinite, smallest_eigenvalue};
use crate::refine::Refined;

/// Steps of inverse iteration; each gains the square of the gap between the two smallest eigenvalues, and a matrix that is
/// singular to working precision has a wide one.
const INVERSE_STEPS: usize = 3;
/// A smallest eigenvalue, of the matrix scaled to unit diagonal, below this many times m eps is rounding of 0.
const SINGULAR: f64 = 2.0;
/// A matrix, scaled to unit diagonal, that is not positive definite but is after adding this to its diagonal is singular
/// to working precision; one that still is not has negative curvature.
const SHIFT: f64 = 1e-8;
/// Numbers in a column from which a factorisation is cut. On two threads a sparse one with 1000 took 0.32 s instead of 0.48, with 200
/// 0.020 instead of 0.012, with 60 0.054 instead of 0.047; a dense one with 1000 0.042 instead of 0.065.
const LEAST_CUT: usize = 500;
/// Parts.
const PARTS: usize = 4;

/// How the factorisation of a matrix with so many numbers in a column of its factor, on average, is cut: into a number of parts that
/// depends on that alone, never on how many threads there are, so that its bits do not either.
pub(crate) fn cut(factor_entries_per_column: usize) -> Par {
    if factor_entries_per_column < LEAST_CUT { Par::Seq } else { Par::rayon(PARTS) }
}

/// How a symmetric matrix lies in memory while it is factorised.
pub(crate) trait Storage: Default {
    /// The diagonal.
    fn diagonal(&self, out: &mut Vec<f64>);

    /// `A_ij <- s_i A_ij s_j`, and 1 + shift on the diagonal. Returns the largest sum of absolute values down a column, NaN or
    /// infinite if an entry is.
    fn rescale(&mut self, scale: &[f64], shift: f64) -> f64;

    /// Factorises what was rescaled; whether it was positive definite.
    fn factorise(&mut self) -> bool;

    /// `v <- A^{-1} v`, by the factor, for one vector or several one after another.
    fn solve(&mut self, v: &mut [f64]);

    /// Numbers in the factor.
    fn factor_entries(&self) -> u64;
}

/// The factor of a matrix that was scaled to unit diagonal, and the scales.
#[derive(Debug, Default)]
pub(crate) struct Spd<F> {
    pub(crate) matrix: F,
    /// 1 / sqrt(diagonal).
    scale: Vec<f64>,
    /// An estimate from above of the smallest eigenvalue of the scaled matrix.
    smallest: f64,
    /// Largest column sum of the scaled matrix, from above of its largest eigenvalue.
    norm: f64,
}

impl<F: Storage> Spd<F> {
    /// Writes the matrix A down by `fill` and factorises it. `product(v, out)` is `out = A v`.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where A is not positive definite, or `ctx` says to end.
    pub(crate) fn prepare(
        &mut self,
        fill: &mut dyn FnMut(&mut F, &mut Ctx),
        product: &Product<'_>,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        fill(&mut self.matrix, ctx);
        if let Err(error) = self.rescale(0.0, ctx) {
            return Err(self.of_zero_diagonal(error, product, ctx));
        }
        let norm = self.norm;
        if self.matrix.factorise() {
            self.smallest = self.smallest_eigenvalue(product, ctx);
            if self.smallest > SINGULAR * self.scale.len() as f64 * f64::EPSILON {
                return Ok(());
            }
            return Err(self.singular());
        }
        fill(&mut self.matrix, ctx);
        self.rescale(SHIFT, ctx)?;
        (self.norm, self.smallest) = (norm, 0.0);
        if self.matrix.factorise() {
            Err(self.singular())
        } else {
            let curvature = smallest_eigenvalue(self.scale.len(), self.negative(), product, ctx);
            Err(LinearError::NegativeCurvature { curvature })
        }
    }

    /// What `error`, met in scaling, is of: where a diagonal entry is 0, the rest of its row tells singular from indefinite.
    fn of_zero_diagonal(&self, error: LinearError, product: &Product<'_>, ctx: &mut Ctx) -> LinearError {
        let mut diagonal = Vec::new();
        self.matrix.diagonal(&mut diagonal);
        let Some(zero) = diagonal.iter().position(|&diagonal| diagonal == 0.0) else { return error };
        if !matches!(error, LinearError::Singular { .. }) {
            return error;
        }
        diagonal.fill(0.0);
        diagonal[zero] = 1.0;
        or_indefinite(error, &diagonal, product, ctx)
    }

    /// What the smallest eigenvalue is at most, where the scaled matrix raised by [`SHIFT`] is not positive definite.
    fn negative(&self) -> f64 {
        let largest = self.scale.iter().fold(0.0, |largest: f64, &scale| largest.max(scale));
        -SHIFT / largest / largest
    }

    /// Writes the matrix down by `fill` and factorises it, raised a little on its diagonal where it is singular to working precision.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where that is not enough, or `ctx` says to end.
    pub(crate) fn prepare_raised(&mut self, fill: &mut dyn FnMut(&mut F), ctx: &mut Ctx) -> Result<(), LinearError> {
        for shift in [0.0, SHIFT] {
            fill(&mut self.matrix);
            self.rescale(shift, ctx)?;
            self.smallest = shift;
            if self.matrix.factorise() {
                return Ok(());
            }
        }
        Err(LinearError::NegativeCurvature { curvature: self.negative() })
    }

    fn rescale(&mut self, shift: f64, ctx: &mut Ctx) -> Result<(), LinearError> {
        if ctx.tick(Phase::Linear, 0, 1).is_break() {
            return Err(LinearError::Interrupted);
        }
        self.matrix.diagonal(&mut self.scale);
        for scale in &mut self.scale {
            let diagonal = *scale;
            if diagonal < 0.0 {
                return Err(LinearError::NegativeCurvature { curvature: diagonal });
            }
            if diagonal == 0.0 {
                return Err(LinearError::Singular { reciprocal_condition: 0.0 });
            }
            *scale = diagonal.sqrt().recip();
        }
        self.norm = self.matrix.rescale(&self.scale, shift);
        if self.norm.is_finite() { Ok(()) } else { Err(LinearError::NotFinite) }
    }

    /// An estimate from above of the smallest eigenvalue of the scaled matrix, whose largest is between 1 and m: the
    /// eigenvector by inverse iteration, two triangular solves a step, and then its Rayleigh quotient by a product with A.
    /// The factor carries the rounding of the assembly, sums over all rows, in which an eigenvalue of 0 drowns; a product does
    /// not.
    fn smallest_eigenvalue(&mut self, product: &Product<'_>, ctx: &mut Ctx) -> f64 {
        let m = self.scale.len();
        if m == 0 {
            return 1.0;
        }
        let (mut v, mut image) = (ctx.take(m), ctx.take(m));
        // Of one size and of varied signs: as good as surely not orthogonal to the eigenvector.
        v.iter_mut().enumerate().for_each(|(i, v)| *v = if (i * i / 3) % 2 == 0 { 1.0 } else { -1.0 });
        for _ in 0..INVERSE_STEPS {
            self.matrix.solve(&mut v);
            let length = norm(&v);
            v.iter_mut().for_each(|v| *v /= length);
        }
        v.iter_mut().zip(&self.scale).for_each(|(v, s)| *v *= s);
        product(&v, &mut image, ctx);
        let quotient = dot(&v, &image);
        ctx.give(image);
        ctx.give(v);
        quotient
    }

    /// That the matrix is singular, by what its smallest eigenvalue was found to be.
    pub(crate) fn singular(&self) -> LinearError {
        LinearError::Singular { reciprocal_condition: self.smallest.max(0.0) }
    }

    /// About the largest over the smallest eigenvalue of the scaled matrix.
    pub(crate) fn condition(&self) -> f64 {
        self.norm / self.smallest
    }

    /// Numbers in the factor.
    pub(crate) fn factor_entries(&self) -> u64 {
        self.matrix.factor_entries()
    }

    /// Calls `solve` with the factor, as the inverse of `method`.
    pub(crate) fn refined<T>(&mut self, method: &'static str, solve: impl FnOnce(&mut Refined<'_>) -> T) -> T {
        let singular = self.singular();
        let mut inverse = |v: &mut [f64], _: &mut Ctx| self.apply_inverse(v);
        solve(&mut Refined { method, inverse: &mut inverse, singular })
    }

    /// Writes down what a solve since `start` stood on, which took `seconds` to make.
    pub(crate) fn describe(&self, solve: &mut LinearSolve, seconds: Stages, start: Instant) {
        solve.condition = Some(self.condition());
        solve.factor_entries = Some(self.factor_entries());
        solve.seconds = Stages { solve: start.elapsed().as_secs_f64(), ..seconds };
    }

    /// `v <- A^{-1} v`, for one vector or several one after another.
    pub(crate) fn apply_inverse(&mut self, v: &mut [f64]) {
        let rescale = |v: &mut [f64], scale: &[f64]| {
            for v in v.chunks_exact_mut(scale.len().max(1)) {
                v.iter_mut().zip(scale).for_each(|(v, s)| *v *= s);
            }
        };
        rescale(v, &self.scale);
        self.matrix.solve(v);
        rescale(v, &self.scale);
    }
}
