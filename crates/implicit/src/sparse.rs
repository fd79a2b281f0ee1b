//! Sparse Cholesky: the pattern of L_zz analysed once, its values assembled, scaled to unit diagonal and factorised once a point;
//! each solve is refined.
//!
//! Columns are put in an order of approximate minimum degree, unless they have next to no fill in their own. Source: Davis, Direct Methods for Sparse Linear Systems, SIAM 2006;
//! the ordering and the factorisation are faer's.

use std::sync::Arc;
use std::time::Instant;

use danskin_core::ctx::{Ctx, bytes_of};
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve, Stages};
use danskin_core::problem::AssembleHessian;
use danskin_core::symmetric::SymmetricPattern;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::factor::LltRegularization;
use faer::perm::PermRef;
use faer::sparse::linalg::SupernodalThreshold;
use faer::sparse::linalg::cholesky::{
    CholeskySymbolicParams, LltRef, SymbolicCholesky, SymmetricOrdering, factorize_symbolic_cholesky,
};
use faer::sparse::{FaerError, SparseColMatRef, SymbolicSparseColMatRef};
use faer::{Conj, MatMut, Par, Side};

use crate::columns::TOGETHER;
use crate::form::{BYTES_PER_ENTRY, SparseForm};
use crate::spd::{Spd, Storage, cut};

/// Fill, over the entries of a matrix, up to which it is factorised in its own order: to look for a better one takes longer.
const BAND: f64 = 1.2;

/// Columns of about the same pattern are factorised as a dense block from half the operations on that faer takes as enough: a band of
/// 60 took 0.024 s instead of 0.045.
const SUPERNODAL: SupernodalThreshold = SupernodalThreshold(0.5);

/// Cholesky factorisation of a sparse Hessian.
///
/// The pattern comes from that of D where L_zz = D^T S D + diag(q) ([`AssembleHessian::as_gram`]), or is known
/// ([`AssembleHessian::as_sparse`]); it is analysed again only where it changed. What would exceed the memory allowed is refused
/// before it is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseCholesky {
    limit: u64,
}

impl Default for SparseCholesky {
    /// With at most 4 GiB.
    fn default() -> Self {
        Self::within(4 << 30)
    }
}

impl SparseCholesky {
    /// With at most `bytes` for the Hessian, its factor and what assembling and factorising take; analysing the pattern takes more for a
    /// while, of the order of D.
    #[must_use]
    pub fn within(bytes: u64) -> Self {
        Self { limit: bytes }
    }

    /// Whether a lower triangle of so many entries fits the limit, its factor left out.
    pub(crate) fn may_fit(self, entries: f64) -> bool {
        BYTES_PER_ENTRY as f64 * entries <= self.limit as f64
    }
}

/// The lower triangle of a sparse symmetric matrix, and its factor.
#[derive(Default)]
pub(crate) struct SparseTriangle {
    pattern: SymmetricPattern,
    values: Vec<f64>,
    symbolic: Option<Arc<SymbolicCholesky<u32>>>,
    factor: Vec<f64>,
    memory: Option<MemBuffer>,
}

impl std::fmt::Debug for SparseTriangle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (m, entries, factor) = (self.pattern.len(), self.values.len(), self.factor.len());
        write!(f, "SparseTriangle {{ m: {m}, entries: {entries}, factor: {factor} }}")
    }
}

fn symbolic_of(pattern: &SymmetricPattern) -> SymbolicSparseColMatRef<'_, u32> {
    let m = pattern.len();
    SymbolicSparseColMatRef::new_checked(m, m, pattern.pointers(), None, pattern.rows())
}

impl SparseTriangle {
    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        BYTES_PER_ENTRY * self.values.len() as u64 + bytes_of(self.factor.len())
    }

    /// The pattern.
    pub(crate) fn pattern(&self) -> &SymmetricPattern {
        &self.pattern
    }

    /// The pattern and the values in it, to be written.
    pub(crate) fn parts_mut(&mut self) -> (&SymmetricPattern, &mut [f64]) {
        (&self.pattern, &mut self.values)
    }

    /// Takes a pattern, of which the factorisation is analysed.
    ///
    /// # Errors
    ///
    /// [`LinearError::TooLarge`] or [`LinearError::OutOfMemory`].
    pub(crate) fn analyse(&mut self, pattern: SymmetricPattern, limit: u64) -> Result<(), LinearError> {
        *self = Self::default();
        let needed = BYTES_PER_ENTRY * pattern.entries() as u64;
        let out_of_memory = |error| match error {
            FaerError::IndexOverflow => LinearError::TooLarge { needed: bytes_of(i32::MAX as usize), limit },
            _ => LinearError::OutOfMemory { bytes: needed + bytes_of(pattern.entries()) },
        };
        if needed > limit {
            return Err(LinearError::TooLarge { needed, limit });
        }
        if !pattern.is_empty() {
            // A band has next to no fill in its own order. (`SymmetricOrdering::Identity` panics in faer 0.24.4.)
            let own: Vec<u32> = (0..pattern.len() as u32).collect();
            let is_band = pattern.profile() as f64 <= BAND * pattern.entries() as f64;
            let ordering = if is_band {
                SymmetricOrdering::Custom(PermRef::new_checked(&own, &own, own.len()))
            } else {
                SymmetricOrdering::Amd
            };
            let parameters =
                CholeskySymbolicParams { supernodal_flop_ratio_threshold: SUPERNODAL, ..Default::default() };
            let symbolic = factorize_symbolic_cholesky(symbolic_of(&pattern), Side::Lower, ordering, parameters)
                .map_err(out_of_memory)?;
            self.symbolic = Some(Arc::new(symbolic));
        }
        self.pattern = pattern;
        self.allocate(limit)
    }

    /// Another matrix of the same pattern, whose analysis they share.
    ///
    /// # Errors
    ///
    /// [`LinearError::TooLarge`] or [`LinearError::OutOfMemory`].
    pub(crate) fn twin(&self, limit: u64) -> Result<Self, LinearError> {
        let mut twin = Self { pattern: self.pattern.clone(), symbolic: self.symbolic.clone(), ..Self::default() };
        twin.allocate(limit)?;
        Ok(twin)
    }

    fn allocate(&mut self, limit: u64) -> Result<(), LinearError> {
        let entries = self.pattern.entries();
        let symbolic = self.symbolic.as_ref();
        let factor = symbolic.map_or(0, |symbolic| symbolic.len_val());
        let scratch = symbolic.map_or(StackReq::EMPTY, |symbolic| {
            StackReq::any_of(&[
                symbolic.factorize_numeric_llt_scratch::<f64>(cut(factor / self.pattern.len()), Default::default()),
                symbolic.solve_in_place_scratch::<f64>(TOGETHER, Par::Seq),
            ])
        });
        let bytes = (BYTES_PER_ENTRY * entries as u64 + bytes_of(factor)).saturating_add(scratch.size_bytes() as u64);
        if bytes > limit {
            return Err(LinearError::TooLarge { needed: bytes, limit });
        }
        self.memory = Some(MemBuffer::try_new(scratch).map_err(|_| LinearError::OutOfMemory { bytes })?);
        for (numbers, len) in [(&mut self.factor, factor), (&mut self.values, entries)] {
            numbers.try_reserve_exact(len).map_err(|_| LinearError::OutOfMemory { bytes })?;
            numbers.resize(len, 0.0);
        }
        Ok(())
    }
}

impl Storage for SparseTriangle {
    fn diagonal(&self, out: &mut Vec<f64>) {
        out.clear();
        out.extend((0..self.pattern.len()).map(|j| self.values[self.pattern.range(j).start]));
    }

    fn rescale(&mut self, scale: &[f64], shift: f64) -> f64 {
        let mut sums = vec![0.0; self.pattern.len()];
        for j in 0..self.pattern.len() {
            let entries = self.pattern.range(j);
            let mut sum = 0.0;
            for (&i, value) in self.pattern.column(j).iter().zip(&mut self.values[entries.clone()]) {
                *value = *value * scale[j] * scale[i as usize];
                sums[i as usize] += value.abs();
                sum += value.abs();
            }
            let diagonal = &mut self.values[entries.start];
            // The diagonal entry was counted twice.
            sums[j] += sum - diagonal.abs();
            *diagonal = 1.0 + shift;
        }
        sums.iter().fold(0.0, |largest, &sum| if sum.is_nan() || sum > largest { sum } else { largest })
    }

    fn factorise(&mut self) -> bool {
        let (Some(symbolic), Some(memory)) = (&self.symbolic, &mut self.memory) else { return true };
        let cut = cut(self.factor.len() / self.pattern.len().max(1));
        symbolic
            .factorize_numeric_llt(
                &mut self.factor,
                SparseColMatRef::new(symbolic_of(&self.pattern), &self.values),
                Side::Lower,
                LltRegularization::default(),
                cut,
                MemStack::new(memory),
                Default::default(),
            )
            .is_ok()
    }

    fn solve(&mut self, v: &mut [f64]) {
        let (Some(symbolic), Some(memory)) = (&self.symbolic, &mut self.memory) else { return };
        let m = self.pattern.len().max(1);
        let columns = v.len() / m;
        LltRef::new(symbolic, &self.factor).solve_in_place_with_conj(
            Conj::No,
            MatMut::from_column_major_slice_mut(v, m, columns),
            Par::Seq,
            MemStack::new(memory),
        );
    }

    fn factor_entries(&self) -> u64 {
        self.factor.len() as u64
    }
}

/// What a sparse factorisation keeps: the pattern and its analysis, the values and their factor.
#[derive(Debug, Default)]
pub struct SparseWorkspace {
    form: SparseForm,
    spd: Spd<SparseTriangle>,
    seconds: Stages,
}

impl SparseWorkspace {
    /// Analyses the pattern, if it changed.
    fn analyse<P: AssembleHessian + ?Sized>(&mut self, hessian: Hessian<'_, P>, limit: u64) -> Result<(), LinearError> {
        if !self.form.update(hessian, "sparse", limit)? {
            let needed = self.spd.matrix.bytes() + self.form.bytes();
            return if needed > limit { Err(LinearError::TooLarge { needed, limit }) } else { Ok(()) };
        }
        let pattern = self.form.pattern().cloned().unwrap_or_default();
        let analysed = self.spd.matrix.analyse(pattern, limit.saturating_sub(self.form.bytes_assembling()));
        if analysed.is_err() {
            self.form = SparseForm::Unknown;
        }
        analysed
    }

    /// Assembles and factorises.
    fn factorise<P: AssembleHessian + ?Sized>(
        &mut self,
        hessian: Hessian<'_, P>,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        let (start, mut form) = (Instant::now(), 0.0);
        let mut fill = |matrix: &mut SparseTriangle, ctx: &mut Ctx| {
            let start = Instant::now();
            self.form.assemble(hessian, &mut matrix.values, ctx);
            form += start.elapsed().as_secs_f64();
        };
        let prepared = self.spd.prepare(&mut fill, &|v, out, ctx| hessian.apply(v, out, ctx), ctx);
        self.seconds.form = form;
        self.seconds.factor = start.elapsed().as_secs_f64() - form;
        prepared
    }
}

impl<P: AssembleHessian + ?Sized> HessianSolver<P> for SparseCholesky {
    type Workspace = SparseWorkspace;

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        let start = Instant::now();
        workspace.analyse(hessian, self.limit)?;
        workspace.seconds = Stages { analyse: start.elapsed().as_secs_f64(), ..Stages::default() };
        let bytes = workspace.spd.matrix.bytes() + workspace.form.bytes();
        ctx.hold(bytes);
        let prepared = workspace.factorise(hessian, ctx);
        ctx.release(bytes);
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
            workspace.spd.refined("sparse", |refined| refined.solve(hessian, (rhs, tolerance), solution, ctx))?;
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
            .refined("sparse", |refined| refined.solve_columns(hessian, (rhs, tolerance), solutions, ctx))?;
        solves.iter_mut().for_each(|solve| workspace.spd.describe(solve, workspace.seconds, start));
        Ok(solves)
    }
}
