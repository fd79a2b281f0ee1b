//! Dense Cholesky: L_zz assembled, scaled to unit diagonal, factorised once a point; each solve is refined.
//!
//! Source: Golub and Van Loan, Matrix Computations, 4th ed., section 4.2; the factorisation is faer's.

use std::time::Instant;

use danskin_core::ctx::{Ctx, bytes_of};
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve, Stages};
use danskin_core::problem::AssembleHessian;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::{MatMut, MatRef, Par};

use crate::spd::{Spd, Storage, cut};

/// Cholesky factorisation of the assembled m x m Hessian.
///
/// Needs [`AssembleHessian`]: of a problem that cannot write its Hessian down, it is no solver, and using it as one does
/// not compile.
///
/// ```
/// use danskin_core::{design::Design, linear::HessianSolver, problem::{Problem, glm::Glm, loss::Squared}};
/// use danskin_implicit::{Cg, DenseCholesky};
///
/// fn accept<P: Problem>(problem: &P, solver: impl HessianSolver<P>) {}
/// accept(&Glm::new(Design::dense(1, 1, vec![2.0])?, Squared, 0.1)?, DenseCholesky::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Any problem can be used with [`Cg`](crate::Cg), but not with this:
///
/// ```
/// use danskin_core::{linear::HessianSolver, problem::Problem};
/// use danskin_implicit::{Cg, DenseCholesky};
///
/// fn accept<P: Problem>(solver: impl HessianSolver<P>) {}
/// fn any<P: Problem>() {
///     accept::<P>(Cg::default());
/// }
/// ```
///
/// ```compile_fail,E0277
/// use danskin_core::{linear::HessianSolver, problem::Problem};
/// use danskin_implicit::{Cg, DenseCholesky};
///
/// fn accept<P: Problem>(solver: impl HessianSolver<P>) {}
/// fn any<P: Problem>() {
///     accept::<P>(DenseCholesky::default());
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenseCholesky {
    limit: u64,
}

impl Default for DenseCholesky {
    /// With at most 2 GiB, enough for m = 16,384.
    fn default() -> Self {
        Self::within(2 << 30)
    }
}

impl DenseCholesky {
    /// With at most `bytes` for the factor, 8 m².
    #[must_use]
    pub fn within(bytes: u64) -> Self {
        Self { limit: bytes }
    }

    /// Bytes of the factor for m latent variables.
    #[must_use]
    pub fn bytes(m: usize) -> u64 {
        bytes_of(m).saturating_mul(m as u64)
    }

    /// Whether m latent variables fit the limit.
    #[must_use]
    pub fn fits(&self, m: usize) -> bool {
        Self::bytes(m) <= self.limit
    }
}

/// The lower triangle of a symmetric matrix, all of it; then its factor.
#[derive(Debug, Default)]
pub(crate) struct DenseTriangle {
    m: usize,
    /// m x m by columns.
    entries: Vec<f64>,
}

impl DenseTriangle {
    /// Room for an m x m matrix, whatever it holds.
    ///
    /// # Errors
    ///
    /// [`LinearError::OutOfMemory`].
    pub(crate) fn resize(&mut self, m: usize) -> Result<(), LinearError> {
        let missing = (m * m).saturating_sub(self.entries.len());
        let bytes = DenseCholesky::bytes(m);
        self.entries.try_reserve_exact(missing).map_err(|_| LinearError::OutOfMemory { bytes })?;
        self.entries.resize(m * m, 0.0);
        self.m = m;
        Ok(())
    }

    /// m.
    pub(crate) fn len(&self) -> usize {
        self.m
    }

    /// The entries, to be written.
    pub(crate) fn entries_mut(&mut self) -> &mut [f64] {
        &mut self.entries
    }

    /// Its entries, or those of its factor once it is factorised.
    pub(crate) fn into_entries(self) -> Vec<f64> {
        self.entries
    }
}

impl Storage for DenseTriangle {
    fn diagonal(&self, out: &mut Vec<f64>) {
        out.clear();
        out.extend(self.entries.iter().step_by(self.m + 1));
    }

    fn rescale(&mut self, scale: &[f64], shift: f64) -> f64 {
        let mut sums = vec![0.0; self.m];
        for (j, column) in self.entries.chunks_exact_mut(self.m.max(1)).enumerate() {
            let mut sum = 0.0;
            for ((value, scale_i), sum_i) in column[j..].iter_mut().zip(&scale[j..]).zip(&mut sums[j..]) {
                // The product of the scales may overflow where the scaled entry does not.
                *value = *value * scale[j] * scale_i;
                *sum_i += value.abs();
                sum += value.abs();
            }
            // The diagonal entry was counted twice.
            sums[j] += sum - column[j].abs();
            column[j] = 1.0 + shift;
        }
        sums.iter().fold(0.0, |largest, &sum| if sum.is_nan() || sum > largest { sum } else { largest })
    }

    fn factorise(&mut self) -> bool {
        let parameters = Default::default();
        let cut = cut(self.m / 2);
        let mut memory = MemBuffer::new(llt::factor::cholesky_in_place_scratch::<f64>(self.m, cut, parameters));
        llt::factor::cholesky_in_place(
            MatMut::from_column_major_slice_mut(&mut self.entries, self.m, self.m),
            Default::default(),
            cut,
            MemStack::new(&mut memory),
            parameters,
        )
        .is_ok()
    }

    fn solve(&mut self, v: &mut [f64]) {
        llt::solve::solve_in_place(
            MatRef::from_column_major_slice(&self.entries, self.m, self.m),
            MatMut::from_column_major_slice_mut(v, self.m, v.len() / self.m.max(1)),
            Par::Seq,
            MemStack::new(&mut []),
        );
    }

    fn factor_entries(&self) -> u64 {
        let m = self.m as u64;
        m * (m + 1) / 2
    }
}

/// The factor of the scaled Hessian.
#[derive(Debug, Default)]
pub struct DenseWorkspace {
    spd: Spd<DenseTriangle>,
    seconds: Stages,
}

impl<P: AssembleHessian + ?Sized> HessianSolver<P> for DenseCholesky {
    type Workspace = DenseWorkspace;

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        let m = hessian.problem.latent_len();
        if !self.fits(m) {
            return Err(LinearError::TooLarge { needed: Self::bytes(m), limit: self.limit });
        }
        workspace.spd.matrix.resize(m)?;
        ctx.hold(Self::bytes(m));
        let (start, mut form) = (Instant::now(), 0.0);
        let mut fill = |matrix: &mut DenseTriangle, ctx: &mut Ctx| {
            let start = Instant::now();
            hessian.problem.assemble_hessian(hessian.at, &mut matrix.entries, ctx);
            form += start.elapsed().as_secs_f64();
        };
        let prepared = workspace.spd.prepare(&mut fill, &|v, out, ctx| hessian.apply(v, out, ctx), ctx);
        ctx.release(Self::bytes(m));
        workspace.seconds = Stages { form, factor: start.elapsed().as_secs_f64() - form, ..Stages::default() };
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
            workspace.spd.refined("dense", |refined| refined.solve(hessian, (rhs, tolerance), solution, ctx))?;
        workspace.spd.describe(&mut solve, workspace.seconds, start);
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
        let mut solves = workspace
            .spd
            .refined("dense", |refined| refined.solve_columns(hessian, (rhs, tolerance), solutions, ctx))?;
        solves.iter_mut().for_each(|solve| workspace.spd.describe(solve, workspace.seconds, start));
        Ok(solves)
    }
}
