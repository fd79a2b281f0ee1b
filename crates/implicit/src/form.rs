//! A sparse Hessian written down: its pattern, known or from that of D, and its values.

use danskin_core::ctx::Ctx;
use danskin_core::design::{GramPattern, Matrix};
use danskin_core::linear::{Hessian, LinearError};
use danskin_core::problem::AssembleHessian;
use danskin_core::symmetric::SymmetricPattern;

/// Bytes that an entry of the lower triangle takes until it is factorised: its value and row, both again in the order of
/// elimination, and one number of the factor at least.
pub(crate) const BYTES_PER_ENTRY: u64 = 32;

/// Share of the lower triangle from which a matrix is not taken for sparse.
const SPARSE_SHARE: f64 = 0.25;

/// Whether the lower triangle of an m x m matrix with so many entries is sparse.
pub(crate) fn is_sparse(entries: f64, m: usize) -> bool {
    entries < SPARSE_SHARE * 0.5 * m as f64 * (m as f64 + 1.0)
}

/// The pattern of D^T S D, of which the lower triangle and what assembling and factorising it takes fit in `limit` bytes.
///
/// # Errors
///
/// [`LinearError::TooLarge`].
pub(crate) fn gram_pattern(matrix: Matrix<'_>, limit: u64) -> Result<GramPattern, LinearError> {
    let entries = limit / BYTES_PER_ENTRY;
    let needed = BYTES_PER_ENTRY.saturating_mul(entries + 1);
    let gram = matrix.gram_pattern(entries as usize).ok_or(LinearError::TooLarge { needed, limit })?;
    let needed = BYTES_PER_ENTRY * gram.lower().entries() as u64 + gram.bytes() + gram.scratch_bytes();
    if needed > limit { Err(LinearError::TooLarge { needed, limit }) } else { Ok(gram) }
}

/// The pattern of a sparse Hessian, kept as long as it is that of the problem at hand.
#[derive(Debug, Default)]
pub(crate) enum SparseForm {
    #[default]
    Unknown,
    /// From the pattern of D.
    Gram(Box<GramPattern>),
    /// The problem's own.
    Own(SymmetricPattern),
}

impl SparseForm {
    /// The pattern; `None` where it is not known yet.
    pub(crate) fn pattern(&self) -> Option<&SymmetricPattern> {
        match self {
            Self::Unknown => None,
            Self::Gram(gram) => Some(gram.lower()),
            Self::Own(pattern) => Some(pattern),
        }
    }

    /// Bytes that the pattern takes, without its values.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Gram(gram) => gram.bytes(),
            Self::Unknown | Self::Own(_) => 0,
        }
    }

    /// The same, and what assembling takes besides.
    pub(crate) fn bytes_assembling(&self) -> u64 {
        match self {
            Self::Gram(gram) => gram.bytes() + gram.scratch_bytes(),
            Self::Unknown | Self::Own(_) => 0,
        }
    }

    /// Sees to it that the pattern is that of `hessian`; whether it changed.
    ///
    /// # Errors
    ///
    /// [`LinearError::Unsuited`], in the name of `method`, where there is no pattern; [`LinearError::TooLarge`] where what has it
    /// would exceed `limit` bytes.
    pub(crate) fn update<P: AssembleHessian + ?Sized>(
        &mut self,
        Hessian { problem, at }: Hessian<'_, P>,
        method: &'static str,
        limit: u64,
    ) -> Result<bool, LinearError> {
        let unknown = LinearError::Unsuited { method, why: "the pattern of the Hessian is not known, or it is dense" };
        if let Some(sparse) = problem.as_sparse() {
            let changed = !matches!(self, Self::Own(pattern) if pattern == sparse.pattern());
            if changed {
                *self = Self::Own(sparse.pattern().clone());
            }
            return Ok(changed);
        }
        let matrix = problem.as_gram().ok_or(unknown)?.matrix(at.x);
        if matrix.is_dense() {
            return Err(unknown);
        }
        if matches!(self, Self::Gram(gram) if gram.belongs_to(matrix)) {
            return Ok(false);
        }
        *self = Self::Unknown;
        *self = Self::Gram(Box::new(gram_pattern(matrix, limit)?));
        Ok(true)
    }

    /// `values` = the lower triangle of L_zz in the pattern.
    pub(crate) fn assemble<P: AssembleHessian + ?Sized>(
        &self,
        Hessian { problem, at }: Hessian<'_, P>,
        values: &mut [f64],
        ctx: &mut Ctx,
    ) {
        match (self, problem.as_gram(), problem.as_sparse()) {
            (Self::Gram(pattern), Some(gram), _) => {
                let matrix = gram.matrix(at.x);
                let (mut s, mut q) = (ctx.take(matrix.rows()), ctx.take(matrix.columns()));
                gram.curvatures(at, &mut s, &mut q, ctx);
                matrix.sparse_gram(pattern, &s, &q, values, ctx);
                ctx.give(q);
                ctx.give(s);
            }
            (_, _, Some(sparse)) => sparse.assemble_sparse(at, values, ctx),
            // Never: `update` came before, and found one of them.
            _ => values.fill(f64::NAN),
        }
    }
}
