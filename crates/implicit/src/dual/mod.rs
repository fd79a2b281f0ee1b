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
//! within Q alone: they are kept. Where few entries of K are other than 0, it and the factors are sparse. Each solve is refined.
//!
//! Source: Golub and Van Loan, Matrix Computations, 4th ed., section 2.1.4 for the identity; for the split, Saunders, Gammerman, Vovk,
//! "Ridge regression learning algorithm in dual variables", ICML 1998.

mod kernel;

use std::time::Instant;

use danskin_core::ctx::{Ctx, bytes_of};
use danskin_core::design::{Fingerprint, GramPattern, Matrix};
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve, Stages};
use danskin_core::problem::AssembleHessian;
use danskin_core::vector::{axpy, max_abs};

use self::kernel::{Factors, Kernel};
use crate::dense::DenseTriangle;
use crate::form::{BYTES_PER_ENTRY, gram_pattern, is_sparse};
use crate::refine::Refined;
use crate::sparse::SparseTriangle;

/// Numbers in three n x n matrices: K, its factor, and that of S^(1/2) K S^(1/2) + 1.
const MATRICES: u64 = 3;
/// Times that the part of b within the span is computed; each divides what is left of it in the rest by the accuracy of a factor.
const SPLITS: usize = 2;

/// Cholesky factorisation of the dual, n x n, sparse where D D^T is.
///
/// For problems whose Hessian is D^T S D + Q ([`AssembleHessian::as_gram`]) with S >= 0 and Q > 0; no m x m matrix is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DualCholesky {
    limit: u64,
}

impl Default for DualCholesky {
    /// With at most 2 GiB, enough for n = 9459 where D D^T is dense.
    fn default() -> Self {
        Self::within(2 << 30)
    }
}

impl DualCholesky {
    /// With at most `bytes` for K, the two factors and what assembling and factorising take; transposing D takes its size besides,
    /// for a while.
    #[must_use]
    pub fn within(bytes: u64) -> Self {
        Self { limit: bytes }
    }

    /// Bytes of the matrices for n rows, dense.
    #[must_use]
    pub fn bytes(n: usize) -> u64 {
        bytes_of(n).saturating_mul(n as u64).saturating_mul(MATRICES)
    }

    /// Whether n rows fit the limit, dense.
    #[must_use]
    pub fn fits(&self, n: usize) -> bool {
        Self::bytes(n) <= self.limit
    }

    /// Whether a sparse K with so many entries may fit the limit, the fill of its factors left out.
    pub(crate) fn may_fit(self, entries: f64) -> bool {
        MATRICES as f64 * BYTES_PER_ENTRY as f64 * entries <= self.limit as f64
    }
}

/// K and what is factorised with it, in the storage that suits.
#[derive(Debug)]
enum Stored {
    Dense(Kernel<DenseTriangle>),
    Sparse { kernel: Kernel<SparseTriangle>, pattern: Box<GramPattern> },
}

impl Default for Stored {
    fn default() -> Self {
        Self::Dense(Kernel::default())
    }
}

impl Stored {
    fn factors(&mut self) -> &mut dyn Factors {
        match self {
            Self::Dense(kernel) => kernel,
            Self::Sparse { kernel, .. } => kernel,
        }
    }

    /// Bytes held.
    fn bytes(&self) -> u64 {
        match self {
            Self::Dense(kernel) => MATRICES * bytes_of(kernel.entries.len()),
            Self::Sparse { kernel, pattern } => {
                let triangles = kernel.range.matrix.bytes() + kernel.system.matrix.bytes();
                pattern.bytes() + bytes_of(kernel.entries.len()) + triangles
            }
        }
    }

    /// Room for K, `sparse` or dense, of the design whose transpose this is; whether it had to be analysed.
    fn make_room(&mut self, transpose: Matrix<'_>, sparse: bool, limit: u64) -> Result<bool, LinearError> {
        let (n, fits) = (transpose.columns(), self.bytes() <= limit);
        match self {
            Self::Sparse { pattern, .. } if fits && pattern.belongs_to(transpose) => return Ok(false),
            _ => *self = Self::default(),
        }
        let needed = DualCholesky::bytes(n);
        if sparse {
            match Self::sparse(transpose, limit) {
                Ok(stored) => {
                    *self = stored;
                    return Ok(true);
                }
                Err(LinearError::TooLarge { needed: sparse, .. }) if needed > limit => {
                    return Err(LinearError::TooLarge { needed: needed.min(sparse), limit });
                }
                Err(LinearError::TooLarge { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if needed > limit {
            return Err(LinearError::TooLarge { needed, limit });
        }
        let mut kernel = Kernel::<DenseTriangle> { entries: zeros(n * n)?, ..Kernel::default() };
        kernel.range.matrix.resize(n)?;
        kernel.system.matrix.resize(n)?;
        *self = Self::Dense(kernel);
        Ok(false)
    }

    fn sparse(transpose: Matrix<'_>, limit: u64) -> Result<Self, LinearError> {
        let pattern = gram_pattern(transpose, limit)?;
        let entries = pattern.lower().entries();
        let taken = pattern.bytes() + pattern.scratch_bytes() + bytes_of(entries);
        // Each is told what is left, and tells what it needs: together they need twice that.
        let beyond = |error| match error {
            LinearError::TooLarge { needed, .. } => LinearError::TooLarge { needed: taken + 2 * needed, limit },
            error => error,
        };
        let each = limit.saturating_sub(taken) / 2;
        let mut kernel = Kernel::<SparseTriangle> { entries: zeros(entries)?, ..Kernel::default() };
        kernel.range.matrix.analyse(pattern.lower().clone(), each).map_err(beyond)?;
        kernel.system.matrix = kernel.range.matrix.twin(each).map_err(beyond)?;
        Ok(Self::Sparse { kernel, pattern: Box::new(pattern) })
    }

    /// Writes q_0 K down and factorises it. Returns the seconds of forming.
    fn form(&mut self, transpose: Matrix<'_>, ratios: &[f64], ctx: &mut Ctx) -> Result<f64, LinearError> {
        let (start, n) = (Instant::now(), transpose.columns());
        let formed = match self {
            Self::Dense(kernel) => {
                transpose.weighted_gram(ratios, &mut kernel.entries, ctx);
                let formed = start.elapsed();
                kernel.factorise(n, ctx).map(|()| formed)
            }
            Self::Sparse { kernel, pattern } => {
                let none = ctx.take_zeroed(n);
                transpose.sparse_gram(pattern, ratios, &none, &mut kernel.entries, ctx);
                ctx.give(none);
                let formed = start.elapsed();
                kernel.factorise(n, ctx).map(|()| formed)
            }
        };
        formed.map(|formed| formed.as_secs_f64())
    }
}

/// `len` zeros.
fn zeros(len: usize) -> Result<Vec<f64>, LinearError> {
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(len).map_err(|_| LinearError::OutOfMemory { bytes: bytes_of(len) })?;
    zeros.resize(len, 0.0);
    Ok(zeros)
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
    stored: Stored,
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
    fn make_kernel(
        &mut self,
        matrix: Matrix<'_>,
        ratios: &[f64],
        limit: u64,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        let start = Instant::now();
        let fingerprint = Some(matrix.fingerprint());
        if self.matrix == fingerprint && self.ratios == ratios && self.stored.bytes() <= limit {
            return Ok(());
        }
        self.matrix = None;
        let (n, method) = (matrix.rows(), DualCholesky { limit });
        let entries = matrix.transposed_gram_entries();
        let sparse = !matrix.is_dense() && is_sparse(entries, n);
        let may_fit = method.fits(n) || (sparse && method.may_fit(entries));
        if !may_fit {
            return Err(LinearError::TooLarge { needed: DualCholesky::bytes(n), limit });
        }
        let bytes = bytes_of(n);
        let transpose = matrix.transposed().map_err(|_| LinearError::TooLarge { needed: bytes, limit: bytes })?;
        let transposed = start.elapsed().as_secs_f64();
        let analysed = self.stored.make_room(transpose.matrix(), sparse, limit)?;
        let room = start.elapsed().as_secs_f64();
        let bytes = self.stored.bytes();
        ctx.hold(bytes);
        let formed = self.stored.form(transpose.matrix(), ratios, ctx);
        ctx.release(bytes);
        let formed = formed?;
        if analysed {
            self.seconds.analyse = room - transposed;
            self.seconds.form = transposed + formed;
        } else {
            self.seconds.form = room + formed;
        }
        self.seconds.factor = start.elapsed().as_secs_f64() - room - formed;
        self.ratios.clear();
        self.ratios.extend_from_slice(ratios);
        self.matrix = fingerprint;
        Ok(())
    }

    /// The factor of S^(1/2) K S^(1/2) + 1.
    fn make_system(&mut self, ctx: &mut Ctx) -> Result<(), LinearError> {
        let start = Instant::now();
        self.root.clear();
        self.root.extend(self.curvature.iter().map(|s| s.sqrt()));
        let bytes = self.stored.bytes();
        ctx.hold(bytes);
        let norm = self.stored.factors().make_system(&self.root, self.penalty, ctx);
        ctx.release(bytes);
        self.seconds.factor += start.elapsed().as_secs_f64();
        self.norm = norm?;
        Ok(())
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
            self.stored.factors().solve_range(&mut step);
            axpy(1.0, &step, &mut beta);
            matrix.apply_transpose(&beta, &mut part, ctx);
            rest.iter_mut().zip(&*b).zip(&part).for_each(|((rest, b), part)| *rest = b - part);
        }
        // Rows without curvature first: they act on the others.
        let flat = |s: f64| s == 0.0;
        y.iter_mut().zip(&beta).zip(&self.curvature).for_each(|((y, beta), &s)| *y = if flat(s) { *beta } else { 0.0 });
        step.fill(0.0);
        if self.curvature.iter().any(|&s| flat(s)) {
            self.stored.factors().multiply(&y, &mut step);
        }
        for (i, step) in step.iter_mut().enumerate() {
            let (s, root) = (self.curvature[i], self.root[i]);
            *step = if flat(s) { 0.0 } else { beta[i] / root - root * *step / self.penalty };
        }
        self.stored.factors().solve_system(&mut step);
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
        let unsuited = |why| LinearError::Unsuited { method: "dual", why };
        let unprepared = unsuited("the Hessian changed since it was prepared");
        let matrix = hessian.problem.as_gram().ok_or(unprepared)?.matrix(hessian.at.x);
        // The Hessian is positive definite, whatever the dual makes of it.
        let singular = unsuited("rows of D are too nearly dependent, or too unequal in size, at this penalty");
        let mut inverse = |v: &mut [f64], ctx: &mut Ctx| {
            v.chunks_exact_mut(matrix.columns().max(1)).for_each(|v| self.apply_inverse(matrix, v, ctx));
        };
        Ok(solve(&mut Refined { method: "dual", inverse: &mut inverse, singular }))
    }

    fn describe(&mut self, solve: &mut LinearSolve, start: Instant) {
        solve.condition = Some(self.norm);
        solve.factor_entries = Some(self.stored.factors().factor_entries());
        solve.seconds = Stages { solve: start.elapsed().as_secs_f64(), ..self.seconds };
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
            workspace.make_kernel(matrix, &ratios, self.limit, ctx)?;
            workspace.make_system(ctx)
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
