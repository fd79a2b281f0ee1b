//! The dual of a regularised system with fewer rows than latent variables: n x n matrices in the place of one of m x m.
//!
//! With L_zz = D^T S D + Q, S and Q diagonal, Q > 0, and K = D Q^{-1} D^T, a right-hand side is split into what the rows of D span and
//! the rest, b = D^T beta + rho with D Q^{-1} rho = 0. Then
//!
//! ```text
//! v = Q^{-1} (D^T y + rho),     (S K + 1) y = beta,     K beta = D Q^{-1} b
//! ```
//!
//! and (S K + 1) y = beta is solved by the positive definite S^(1/2) K S^(1/2) + 1 where S > 0; where S_i = 0, y_i = beta_i. The
//! identity of Woodbury, v = Q^{-1} (b - D^T S^(1/2) (1 + S^(1/2) K S^(1/2))^{-1} S^(1/2) D Q^{-1} b), takes two numbers apart that are as
//! close as ‖L_zz‖ / Q where b lies in the span, as a gradient does; the split does not. K and its factor depend on D and the ratios
//! within Q alone: they are kept. Each solve is refined.
//!
//! Source: Golub and Van Loan, Matrix Computations, 4th ed., section 2.1.4 for the identity; for the split, Saunders, Gammerman, Vovk,
//! "Ridge regression learning algorithm in dual variables", ICML 1998.

use std::time::Instant;

use danskin_core::ctx::{Ctx, bytes_of};
use danskin_core::design::{Fingerprint, Matrix};
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve, Stages};
use danskin_core::problem::AssembleHessian;
use danskin_core::vector::{axpy, dot, max_abs};

use crate::dense::DenseTriangle;
use crate::refine::Refined;
use crate::spd::Spd;

/// Numbers in three n x n matrices: K, its factor, and that of S^(1/2) K S^(1/2) + 1.
const MATRICES: u64 = 3;
/// Times that the part of b within the span is computed; each divides what is left of it in the rest by the accuracy of a factor.
const SPLITS: usize = 2;

/// Cholesky factorisation of the dual, n x n.
///
/// For problems whose Hessian is D^T S D + Q ([`AssembleHessian::as_gram`]) with S >= 0 and Q > 0; no m x m matrix is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DualCholesky {
    limit: u64,
}

impl Default for DualCholesky {
    /// With at most 2 GiB, enough for n = 9459.
    fn default() -> Self {
        Self::within(2 << 30)
    }
}

impl DualCholesky {
    /// With at most `bytes` for the three n x n matrices.
    #[must_use]
    pub fn within(bytes: u64) -> Self {
        Self { limit: bytes }
    }

    /// Bytes of the matrices for n rows.
    #[must_use]
    pub fn bytes(n: usize) -> u64 {
        bytes_of(n).saturating_mul(n as u64).saturating_mul(MATRICES)
    }

    /// Whether n rows fit the limit.
    #[must_use]
    pub fn fits(&self, n: usize) -> bool {
        Self::bytes(n) <= self.limit
    }
}

/// K with its factor, and the factor of the system at the point prepared last.
#[derive(Debug, Default)]
pub struct DualWorkspace {
    /// What K belongs to.
    matrix: Option<Fingerprint>,
    /// q_0 / q, with which K is made.
    ratios: Vec<f64>,
    /// q_0.
    penalty: f64,
    /// The lower triangle of q_0 K, n x n by columns.
    kernel: Vec<f64>,
    /// The factor of q_0 K, raised on its diagonal by its rounding.
    range: Spd<DenseTriangle>,
    /// The factor of S^(1/2) K S^(1/2) + 1.
    system: Spd<DenseTriangle>,
    curvature: Vec<f64>,
    /// S^(1/2).
    root: Vec<f64>,
    /// The largest sum of absolute values down a column of S^(1/2) K S^(1/2) + 1, of which no eigenvalue is below 1.
    norm: f64,
    seconds: Stages,
}

impl DualWorkspace {
    /// S and Q at `hessian`, and D.
    fn read<'a, P: AssembleHessian + ?Sized>(
        &mut self,
        Hessian { problem, at }: Hessian<'a, P>,
        ratios: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Matrix<'a>, LinearError> {
        let unsuited = |why| LinearError::Unsuited { method: "dual", why };
        let gram = problem.as_gram().ok_or(unsuited("the Hessian is not known to be D^T S D and a diagonal"))?;
        let matrix = gram.matrix(at.x);
        self.curvature.resize(matrix.rows(), 0.0);
        gram.curvatures(at, &mut self.curvature, ratios, ctx);
        if !(max_abs(&self.curvature).is_finite() && max_abs(ratios).is_finite()) {
            return Err(LinearError::NotFinite);
        }
        if ratios.iter().any(|q| *q <= 0.0) {
            return Err(unsuited("it needs a penalty above 0 on every latent variable"));
        }
        if self.curvature.iter().any(|s| *s < 0.0) {
            return Err(unsuited("it needs a curvature of at least 0 in every row"));
        }
        self.penalty = ratios.first().copied().unwrap_or(1.0);
        ratios.iter_mut().for_each(|q| *q = self.penalty / *q);
        Ok(matrix)
    }

    /// K for `matrix` and `ratios`, and its factor, unless they are at hand.
    fn make_kernel(&mut self, matrix: Matrix<'_>, ratios: &[f64], ctx: &mut Ctx) -> Result<(), LinearError> {
        let (start, n) = (Instant::now(), matrix.rows());
        let fingerprint = Some(matrix.fingerprint());
        if self.matrix == fingerprint && self.ratios == ratios {
            return Ok(());
        }
        self.matrix = None;
        let bytes = DualCholesky::bytes(n);
        self.kernel.clear();
        self.kernel.try_reserve_exact(n * n).map_err(|_| LinearError::OutOfMemory { bytes })?;
        self.kernel.resize(n * n, 0.0);
        let transpose = matrix.transposed().map_err(|_| LinearError::TooLarge { needed: bytes, limit: bytes })?;
        transpose.matrix().weighted_gram(ratios, &mut self.kernel, ctx);
        self.seconds.form += start.elapsed().as_secs_f64();
        let start = Instant::now();
        let largest = self.kernel.iter().step_by(n + 1).fold(0.0, |a: f64, &b| a.max(b));
        // Directions of D below this one count as the rest; they are as good as orthogonal to the rows.
        let rounding = if largest > 0.0 { n as f64 * f64::EPSILON * largest } else { 1.0 };
        self.range.matrix.resize(n)?;
        let mut fill = |matrix: &mut DenseTriangle| {
            matrix.entries_mut().copy_from_slice(&self.kernel);
            matrix.entries_mut().iter_mut().step_by(n + 1).for_each(|diagonal| *diagonal += rounding);
        };
        self.range.prepare_raised(&mut fill, ctx)?;
        self.seconds.factor += start.elapsed().as_secs_f64();
        self.ratios.clear();
        self.ratios.extend_from_slice(ratios);
        self.matrix = fingerprint;
        Ok(())
    }

    /// The factor of S^(1/2) K S^(1/2) + 1.
    fn make_system(&mut self, ctx: &mut Ctx) -> Result<(), LinearError> {
        let (start, n) = (Instant::now(), self.curvature.len());
        self.root.clear();
        self.root.extend(self.curvature.iter().map(|s| s.sqrt()));
        self.system.matrix.resize(n)?;
        let mut sums = ctx.take(n);
        let mut fill = |matrix: &mut DenseTriangle| {
            sums.fill(1.0);
            let columns = matrix.entries_mut().chunks_exact_mut(n.max(1)).zip(self.kernel.chunks_exact(n.max(1)));
            for (j, (out, kernel)) in columns.enumerate() {
                for (i, (out, kernel)) in out.iter_mut().zip(kernel).enumerate().skip(j) {
                    *out = kernel * self.root[i] * self.root[j] / self.penalty;
                    sums[i] += out.abs();
                    sums[j] += if i == j { 0.0 } else { out.abs() };
                }
                out[j] += 1.0;
            }
        };
        let prepared = self.system.prepare_raised(&mut fill, ctx);
        self.norm = max_abs(&sums).max(1.0);
        ctx.give(sums);
        self.seconds.factor += start.elapsed().as_secs_f64();
        prepared
    }

    /// `b <- about L_zz^{-1} b`.
    fn apply_inverse(&mut self, matrix: Matrix<'_>, b: &mut [f64], ctx: &mut Ctx) {
        let (n, m) = (matrix.rows(), matrix.columns());
        let (mut beta, mut step, mut y) = (ctx.take_zeroed(n), ctx.take(n), ctx.take(n));
        let (mut rest, mut part) = (ctx.take(m), ctx.take(m));
        rest.copy_from_slice(b);
        for _ in 0..SPLITS {
            part.iter_mut().zip(&rest).zip(&self.ratios).for_each(|((part, rest), ratio)| *part = rest * ratio);
            matrix.apply(&part, &mut step, ctx);
            self.range.apply_inverse(&mut step);
            axpy(1.0, &step, &mut beta);
            matrix.apply_transpose(&beta, &mut part, ctx);
            rest.iter_mut().zip(&*b).zip(&part).for_each(|((rest, b), part)| *rest = b - part);
        }
        // Rows without curvature first: they act on the others.
        let flat = |s: f64| s == 0.0;
        y.iter_mut().zip(&beta).zip(&self.curvature).for_each(|((y, beta), &s)| *y = if flat(s) { *beta } else { 0.0 });
        step.fill(0.0);
        if self.curvature.iter().any(|&s| flat(s)) {
            symmetric_product(&self.kernel, &y, &mut step);
        }
        for (i, step) in step.iter_mut().enumerate() {
            let (s, root) = (self.curvature[i], self.root[i]);
            *step = if flat(s) { 0.0 } else { beta[i] / root - root * *step / self.penalty };
        }
        self.system.apply_inverse(&mut step);
        y.iter_mut().zip(&step).zip(&self.root).for_each(|((y, step), root)| *y += root * step);
        matrix.apply_transpose(&y, &mut part, ctx);
        for (((b, part), rest), ratio) in b.iter_mut().zip(&part).zip(&rest).zip(&self.ratios) {
            *b = (part + rest) * ratio / self.penalty;
        }
        [part, rest, y, step, beta].into_iter().for_each(|buffer| ctx.give(buffer));
    }
}

impl DualWorkspace {
    /// Calls `solve` with the factors.
    fn refined<P: AssembleHessian + ?Sized, T>(
        &mut self,
        hessian: Hessian<'_, P>,
        solve: impl FnOnce(&mut Refined<'_>) -> T,
    ) -> Result<T, LinearError> {
        let unprepared = LinearError::Unsuited { method: "dual", why: "the Hessian changed since it was prepared" };
        let matrix = hessian.problem.as_gram().ok_or(unprepared)?.matrix(hessian.at.x);
        let singular = self.system.singular();
        let mut inverse = |v: &mut [f64], ctx: &mut Ctx| {
            v.chunks_exact_mut(matrix.columns().max(1)).for_each(|v| self.apply_inverse(matrix, v, ctx));
        };
        Ok(solve(&mut Refined { method: "dual", inverse: &mut inverse, singular }))
    }

    fn describe(&self, solve: &mut LinearSolve, start: Instant) {
        solve.condition = Some(self.norm);
        solve.factor_entries = Some(self.range.factor_entries() + self.system.factor_entries());
        solve.seconds = Stages { solve: start.elapsed().as_secs_f64(), ..self.seconds };
    }
}

/// `out = A v`, A symmetric, n x n, given by its lower triangle.
fn symmetric_product(lower: &[f64], v: &[f64], out: &mut [f64]) {
    let n = v.len();
    out.fill(0.0);
    for (j, column) in lower.chunks_exact(n.max(1)).enumerate() {
        out[j] += dot(&column[j..], &v[j..]);
        axpy(v[j], &column[j + 1..], &mut out[j + 1..]);
    }
}

impl<P: AssembleHessian + ?Sized> HessianSolver<P> for DualCholesky {
    type Workspace = DualWorkspace;

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        workspace.seconds = Stages::default();
        let mut ratios = ctx.take(hessian.problem.latent_len());
        let read = workspace.read(hessian, &mut ratios, ctx);
        let prepared = read.and_then(|matrix| {
            let bytes = Self::bytes(matrix.rows());
            if !self.fits(matrix.rows()) {
                return Err(LinearError::TooLarge { needed: bytes, limit: self.limit });
            }
            ctx.hold(bytes);
            let made = workspace.make_kernel(matrix, &ratios, ctx).and_then(|()| workspace.make_system(ctx));
            ctx.release(bytes);
            made
        });
        ctx.give(ratios);
        prepared
    }

    fn solve(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        rhs: &[f64],
        tolerance: f64,
        solution: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<LinearSolve, LinearError> {
        let start = Instant::now();
        let mut solve =
            workspace.refined(hessian, |refined| refined.solve(hessian, (rhs, tolerance), solution, ctx))??;
        workspace.describe(&mut solve, start);
        Ok(solve)
    }

    fn solve_columns(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        rhs: &[f64],
        tolerance: f64,
        solutions: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Vec<LinearSolve>, LinearError> {
        let start = Instant::now();
        let solves =
            workspace.refined(hessian, |refined| refined.solve_columns(hessian, (rhs, tolerance), solutions, ctx))?;
        let mut solves = solves?;
        solves.iter_mut().for_each(|solve| workspace.describe(solve, start));
        Ok(solves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_triangle_is_the_whole_matrix() {
        let mut out = [f64::NAN; 2];
        symmetric_product(&[1.0, 2.0, f64::NAN, 3.0], &[10.0, 100.0], &mut out);
        assert_eq!(out, [210.0, 320.0]);
    }
}
