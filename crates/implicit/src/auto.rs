//! The solver that suits the problem, by the work that each is predicted to take.

use danskin_core::ctx::Ctx;
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve};
use danskin_core::problem::{AssembleHessian, Work};

use crate::cg::{Cg, CgWorkspace};
use crate::dense::{DenseCholesky, DenseWorkspace};

/// Products with L_zz that a factorisation may take as long as: about what conjugate gradient needs at a condition of
/// 1000.
const BUDGET: f64 = 100.0;
/// Latent variables up to which a Hessian that may be singular is factorised whatever that takes: only a factorisation
/// can tell. For so many columns it takes seconds, and assembling the passes that `Work` predicts.
const TELL_UP_TO: usize = 2000;

/// Chooses [`DenseCholesky`] where assembling and factorising is predicted to take no longer than conjugate gradient would,
/// or where the Hessian may be singular and is small; else [`Cg`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auto;

impl Auto {
    fn factorises<P: AssembleHessian + ?Sized>(hessian: Hessian<'_, P>) -> bool {
        let problem = hessian.problem;
        let m = problem.latent_len();
        let Work { product, assembly } = problem.work();
        let factorisation = (m as f64).powi(3) / 6.0;
        let affordable = assembly + factorisation <= BUDGET * product;
        let tells = problem.strong_convexity(hessian.at.x) == 0.0 && m <= TELL_UP_TO;
        (affordable || tells) && DenseCholesky::default().fits(m)
    }
}

/// What the method chosen keeps.
#[derive(Debug, Default)]
pub struct AutoWorkspace {
    dense: DenseWorkspace,
    cg: CgWorkspace<()>,
}

impl<P: AssembleHessian + ?Sized> HessianSolver<P> for Auto {
    type Workspace = AutoWorkspace;

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        if Self::factorises(hessian) {
            DenseCholesky::default().prepare(hessian, &mut workspace.dense, ctx)
        } else {
            Cg::default().prepare(hessian, &mut workspace.cg, ctx)
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
        if Self::factorises(hessian) {
            DenseCholesky::default().solve(hessian, &mut workspace.dense, rhs, tolerance, solution, ctx)
        } else {
            Cg::default().solve(hessian, &mut workspace.cg, rhs, tolerance, solution, ctx)
        }
    }
}
