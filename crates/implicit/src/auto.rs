//! The solver that suits the size: dense Cholesky for few latent variables, conjugate gradient for many.

use danskin_core::ctx::Ctx;
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve};
use danskin_core::problem::AssembleHessian;

use crate::cg::Cg;
use crate::dense::{DenseCholesky, DenseWorkspace};

/// Latent variables up to which the Hessian is factorised: up to here a factor (8 MB, a third of a gigaflop) costs less
/// than the hundreds of passes that conjugate gradient may take, and it says whether the Hessian is singular.
const DENSE_UP_TO: usize = 1000;

/// Chooses [`DenseCholesky`] or [`Cg`] by the number of latent variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auto {
    cg: Cg,
    dense: DenseCholesky,
}

impl Auto {
    fn factorises(m: usize) -> bool {
        m <= DENSE_UP_TO
    }
}

/// What the method chosen keeps.
#[derive(Debug, Default)]
pub struct AutoWorkspace {
    dense: DenseWorkspace,
}

impl<P: AssembleHessian + ?Sized> HessianSolver<P> for Auto {
    type Workspace = AutoWorkspace;

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        if Self::factorises(hessian.problem.latent_len()) {
            self.dense.prepare(hessian, &mut workspace.dense, ctx)
        } else {
            self.cg.prepare(hessian, &mut (), ctx)
        }
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
        if Self::factorises(hessian.problem.latent_len()) {
            self.dense.solve(hessian, &mut workspace.dense, rhs, tolerance, solution, ctx)
        } else {
            self.cg.solve(hessian, &mut (), rhs, tolerance, solution, ctx)
        }
    }
}
