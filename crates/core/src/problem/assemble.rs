//! Hessians that can be written down, whole or in parts, for factorisations and preconditioners.

use super::{Point, Problem};
use crate::ctx::Ctx;
use crate::design::{Matrix, blocks_len};
use crate::symmetric::SymmetricPattern;

/// A problem whose Hessian can be written down, for factorisations.
///
/// One that also knows the form of its Hessian says so by [`as_gram`](Self::as_gram) or [`as_sparse`](Self::as_sparse): more methods
/// can then be used.
#[diagnostic::on_unimplemented(
    message = "the Hessian of `{Self}` cannot be written down to be factorised",
    note = "implement `AssembleHessian` for it, or take a solver that needs products alone: `Cg`"
)]
pub trait AssembleHessian: Problem {
    /// `out = L_zz`, m x m by columns; only the lower triangle is meaningful. Where whoever watches asks to end, it may
    /// return early, with anything in `out`.
    fn assemble_hessian(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx);

    /// Latent variables that belong together, one after another: as many for each column of D as there are predictions a row.
    fn unit(&self) -> usize {
        1
    }

    /// `out` = the diagonal blocks of L_zz, `size` latent variables each and the last what is left, of length
    /// [`blocks_len`](crate::design::blocks_len)`(m, size)`: one after another, each by columns; only lower triangles are
    /// meaningful. `size` is a multiple of [`unit`](Self::unit). Override it where the whole need not be assembled for its blocks.
    fn assemble_blocks(&self, at: Point<'_>, size: usize, out: &mut [f64], ctx: &mut Ctx) {
        let m = self.latent_len();
        let mut whole = ctx.take(m * m);
        self.assemble_hessian(at, &mut whole, ctx);
        let mut position = 0;
        for start in (0..m).step_by(size) {
            let end = m.min(start + size);
            for column in start..end {
                out[position..][..end - start].copy_from_slice(&whole[column * m + start..column * m + end]);
                position += end - start;
            }
        }
        ctx.give(whole);
    }

    /// `out` = the diagonal of L_zz, of length m.
    fn assemble_diagonal(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        let (unit, m) = (self.unit(), out.len());
        let mut blocks = ctx.take(blocks_len(m, unit));
        self.assemble_blocks(at, unit, &mut blocks, ctx);
        for (j, out) in out.iter_mut().enumerate() {
            *out = blocks[j / unit * unit * unit + (j % unit) * (unit + 1)];
        }
        ctx.give(blocks);
    }

    /// The work that products and assembling take, by which a method is chosen.
    fn work(&self) -> Work;

    /// This problem as one whose Hessian is a weighted Gram matrix and a diagonal; `None` if it is not.
    fn as_gram(&self) -> Option<&dyn GramHessian> {
        None
    }

    /// This problem as one whose Hessian is sparse in a pattern known beforehand; `None` if it is not, or the pattern follows from
    /// [`as_gram`](Self::as_gram).
    fn as_sparse(&self) -> Option<&dyn SparseHessian> {
        None
    }
}

/// A Hessian L_zz = D^T diag(s) D + diag(q), with D n x m, s in R^n and q in R^m.
pub trait GramHessian: Sync {
    /// D at x.
    fn matrix<'a>(&'a self, x: &'a [f64]) -> Matrix<'a>;

    /// s and q, of length n and m; both are overwritten.
    fn curvatures(&self, at: Point<'_>, s: &mut [f64], q: &mut [f64], ctx: &mut Ctx);
}

/// A Hessian with few entries that can be other than 0, always in the same places.
pub trait SparseHessian: Sync {
    /// Those places.
    fn pattern(&self) -> &SymmetricPattern;

    /// The entries, one for each place.
    fn assemble_sparse(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx);
}

/// Multiplications that a Hessian takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// For one product L_zz v.
    pub product: f64,
    /// For writing L_zz down.
    pub assembly: f64,
}
