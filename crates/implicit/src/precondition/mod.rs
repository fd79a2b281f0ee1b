//! Preconditioners of L_zz for conjugate gradient, one file each: M that is close to L_zz and easy to solve with.
//!
//! | | M | made from |
//! |---|---|---|
//! | [`Identity`] | I | nothing |
//! | [`Jacobi`] | the diagonal | one pass |
//! | [`BlockJacobi`] | blocks of the diagonal | one pass |
//! | [`IncompleteCholesky`] | L L^T in the pattern of L_zz | L_zz, sparse |
//! | [`Nystrom`] | the largest eigenvalues, of a random sketch | products with L_zz |

mod block_jacobi;
mod incomplete;
mod jacobi;
mod nystrom;

use danskin_core::ctx::Ctx;
use danskin_core::linear::{Hessian, LinearError, Stages};
use danskin_core::problem::Problem;

pub use block_jacobi::{BlockJacobi, BlockJacobiWorkspace};
pub use incomplete::{IncompleteCholesky, IncompleteWorkspace};
pub use jacobi::Jacobi;
pub use nystrom::{Nystrom, NystromWorkspace};

/// What making a preconditioner came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Made {
    /// Numbers in its factor, if it has one.
    pub factor_entries: Option<u64>,
    /// What was added to the diagonal of the Hessian, scaled to unit diagonal.
    pub shift: f64,
    /// Where the time went.
    pub seconds: Stages,
}

/// A positive definite M, close to L_zz, whose inverse is cheap to apply.
pub trait Preconditioner<P: ?Sized>: Sync {
    /// What is kept from one point to the next.
    type Workspace: Default + Send;

    /// A short name for reports; `None` for the identity, which is then not applied at all.
    fn name(&self) -> Option<&'static str>;

    /// Makes M for `hessian`.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where there is none.
    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<Made, LinearError>;

    /// `out = M^{-1} r`, with the M made last; both of length m.
    fn apply(&self, workspace: &mut Self::Workspace, r: &[f64], out: &mut [f64], ctx: &mut Ctx);
}

/// No preconditioner: M = I.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity;

impl<P: Problem + ?Sized> Preconditioner<P> for Identity {
    type Workspace = ();

    fn name(&self) -> Option<&'static str> {
        None
    }

    fn prepare(&self, _: Hessian<'_, P>, (): &mut (), _: &mut Ctx) -> Result<Made, LinearError> {
        Ok(Made::default())
    }

    fn apply(&self, (): &mut (), r: &[f64], out: &mut [f64], _: &mut Ctx) {
        out.copy_from_slice(r);
    }
}
