//! Dense Cholesky: L_zz assembled, scaled to unit diagonal, factorised once a point; each solve is refined.
//!
//! Source: Golub and Van Loan, Matrix Computations, 4th ed., sections 4.2 and 3.5.3; the factorisation is faer's.

use danskin_core::ctx::{Ctx, Phase, bytes_of};
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve, LinearStatus};
use danskin_core::problem::AssembleHessian;
use danskin_core::vector::{axpy, dot, max_abs, norm};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::{MatMut, MatRef, Par};

/// Steps of refinement at the most; each costs one product with L_zz.
const MAX_REFINEMENTS: usize = 5;
/// Steps of inverse iteration; each gains the square of the gap between the two smallest eigenvalues, and a Hessian that is
/// singular to working precision has a wide one.
const INVERSE_STEPS: usize = 3;
/// A smallest eigenvalue, of the Hessian scaled to unit diagonal, below this many times m eps is rounding of 0.
const SINGULAR: f64 = 2.0;
/// A Hessian, scaled to unit diagonal, that is not positive definite but is after adding this to its diagonal is singular
/// to working precision; one that still is not has negative curvature.
const SHIFT: f64 = 1e-8;

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

/// The factor of the scaled Hessian, and the scales.
#[derive(Debug, Default)]
pub struct DenseWorkspace {
    /// Lower triangle, m x m by columns.
    factor: Vec<f64>,
    /// 1 / sqrt(diagonal of L_zz).
    scale: Vec<f64>,
    /// An estimate from above of the smallest eigenvalue of the scaled Hessian.
    smallest: f64,
}

impl DenseWorkspace {
    fn assemble<P: AssembleHessian + ?Sized>(
        &mut self,
        hessian: Hessian<'_, P>,
        shift: f64,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        let m = hessian.problem.latent_len();
        hessian.problem.assemble_hessian(hessian.at, &mut self.factor, ctx);
        if ctx.tick(Phase::Linear, 0, 1).is_break() {
            return Err(LinearError::Interrupted);
        }
        self.scale.clear();
        for &diagonal in self.factor.iter().step_by(m + 1) {
            if diagonal < 0.0 {
                return Err(LinearError::NegativeCurvature { curvature: diagonal });
            }
            if diagonal == 0.0 {
                return Err(LinearError::Singular { reciprocal_condition: 0.0 });
            }
            self.scale.push(diagonal.sqrt().recip());
        }
        for (j, column) in self.factor.chunks_exact_mut(m.max(1)).enumerate() {
            for (value, scale) in column[j..].iter_mut().zip(&self.scale[j..]) {
                // The product of the scales may overflow where the scaled entry does not.
                *value = *value * self.scale[j] * scale;
            }
            // Their sum is finite only if each of them is, barring overflow, which is as bad.
            if !column[j..].iter().sum::<f64>().is_finite() {
                return Err(LinearError::NotFinite);
            }
            column[j] = 1.0 + shift;
        }
        Ok(())
    }

    /// Whether the matrix was positive definite; `factor` then holds its factor.
    fn factorise(&mut self) -> bool {
        let m = self.scale.len();
        let parameters = Default::default();
        let mut memory = MemBuffer::new(llt::factor::cholesky_in_place_scratch::<f64>(m, Par::Seq, parameters));
        // One thread: faer cuts its work by their number, and the bits would depend on it.
        llt::factor::cholesky_in_place(
            MatMut::from_column_major_slice_mut(&mut self.factor, m, m),
            Default::default(),
            Par::Seq,
            MemStack::new(&mut memory),
            parameters,
        )
        .is_ok()
    }

    /// Assembles and factorises.
    fn prepare<P: AssembleHessian + ?Sized>(
        &mut self,
        hessian: Hessian<'_, P>,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        let m = hessian.problem.latent_len();
        self.assemble(hessian, 0.0, ctx)?;
        if self.factorise() {
            self.smallest = self.smallest_eigenvalue(hessian, ctx);
            if self.smallest > SINGULAR * m as f64 * f64::EPSILON {
                return Ok(());
            }
            return Err(LinearError::Singular { reciprocal_condition: self.smallest.max(0.0) });
        }
        self.assemble(hessian, SHIFT, ctx)?;
        if self.factorise() {
            Err(LinearError::Singular { reciprocal_condition: 0.0 })
        } else {
            Err(LinearError::NegativeCurvature { curvature: -SHIFT })
        }
    }

    /// An estimate from above of the smallest eigenvalue of the scaled Hessian, whose largest is between 1 and m: the
    /// eigenvector by inverse iteration, two triangular solves a step, and then its Rayleigh quotient by a product with L_zz.
    /// The factor carries the rounding of the assembly, sums over all rows, in which an eigenvalue of 0 drowns; a product does
    /// not.
    fn smallest_eigenvalue<P: AssembleHessian + ?Sized>(&self, hessian: Hessian<'_, P>, ctx: &mut Ctx) -> f64 {
        let m = self.scale.len();
        if m == 0 {
            return 1.0;
        }
        let (mut v, mut product) = (ctx.take(m), ctx.take(m));
        // Of one size and of varied signs: as good as surely not orthogonal to the eigenvector.
        v.iter_mut().enumerate().for_each(|(i, v)| *v = if (i * i / 3) % 2 == 0 { 1.0 } else { -1.0 });
        for _ in 0..INVERSE_STEPS {
            self.solve_scaled(&mut v);
            let length = norm(&v);
            v.iter_mut().for_each(|v| *v /= length);
        }
        v.iter_mut().zip(&self.scale).for_each(|(v, s)| *v *= s);
        hessian.apply(&v, &mut product, ctx);
        let quotient = dot(&v, &product);
        ctx.give(product);
        ctx.give(v);
        quotient
    }

    /// `v <- (L L^T)^{-1} v`.
    fn solve_scaled(&self, v: &mut [f64]) {
        let m = self.scale.len();
        llt::solve::solve_in_place(
            MatRef::from_column_major_slice(&self.factor, m, m),
            MatMut::from_column_major_slice_mut(v, m, 1),
            Par::Seq,
            MemStack::new(&mut []),
        );
    }

    /// `v <- S (L L^T)^{-1} S v`, S the scales.
    fn apply_inverse(&self, v: &mut [f64]) {
        let rescale = |v: &mut [f64]| v.iter_mut().zip(&self.scale).for_each(|(v, s)| *v *= s);
        rescale(v);
        self.solve_scaled(v);
        rescale(v);
    }
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
        let missing = (m * m).saturating_sub(workspace.factor.len());
        workspace.factor.try_reserve_exact(missing).map_err(|_| LinearError::OutOfMemory { bytes: Self::bytes(m) })?;
        ctx.hold(Self::bytes(m));
        workspace.factor.resize(m * m, 0.0);
        let prepared = workspace.prepare(hessian, ctx);
        ctx.release(Self::bytes(m));
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
        if !max_abs(rhs).is_finite() {
            return Err(LinearError::NotFinite);
        }
        solution.fill(0.0);
        let length = norm(rhs);
        if length == 0.0 {
            return Ok(LinearSolve::new("dense", LinearStatus::Converged, 0, 0.0, true));
        }
        let (mut r, mut trial, mut unit) = (ctx.take(rhs.len()), ctx.take(rhs.len()), ctx.take(rhs.len()));
        // Of a size about 1, by a power of two, so that neither a product nor a residual underflows.
        let scale = 2.0_f64.powi(length.log2().floor().clamp(-1000.0, 1000.0) as i32);
        unit.iter_mut().zip(rhs).for_each(|(unit, rhs)| *unit = rhs / scale);
        let length = norm(&unit);
        r.copy_from_slice(&unit);
        let (mut residual, mut refinements, mut finite) = (1.0, 0, true);
        loop {
            workspace.apply_inverse(&mut r);
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
            Ok(LinearSolve::new("dense", status, refinements, residual, true))
        } else if finite {
            Err(LinearError::Singular { reciprocal_condition: workspace.smallest })
        } else {
            Err(LinearError::NotFinite)
        }
    }
}
