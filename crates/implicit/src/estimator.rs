//! g3 = grad_x f - L_xz v with L_zz v = grad_z f, all at (z_T, x).

use danskin_core::ctx::Ctx;
use danskin_core::estimator::{EstimateError, Estimator, Gradient};
use danskin_core::linear::{Factored, Hessian, HessianSolver, LinearError, LinearStatus};
use danskin_core::outer::Outer;
use danskin_core::problem::Problem;
use danskin_core::solve::Solution;
use danskin_core::solver::Solver;

/// The implicit estimator g3, over any Hessian solver `H`.
///
/// Its gradient carries what the linear solve reached ([`Gradient::linear`]); a solve that ended above its tolerance is
/// said there, and the gradient is in error by at most `‖L_xz‖ ‖residual‖ / mu` on its account.
///
/// An L known to have no minimum ([`Problem::falls_for_ever`]) is an error, as is a Hessian known to be singular
/// ([`Problem::hessian_rank_bound`]): z* does not exist, or need not be unique. Where the Hessian is neither known to be
/// singular nor known to be positive definite, an iterative solver may have returned the solution of least norm, and
/// [`LinearSolve::positive_definite`](danskin_core::linear::LinearSolve) is false.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Implicit<H> {
    hessian: H,
    tolerance: f64,
}

impl<H: Default> Default for Implicit<H> {
    fn default() -> Self {
        Self::new(H::default())
    }
}

impl<H> Implicit<H> {
    /// g3 through `hessian`, to a relative residual of 1e-12.
    #[must_use]
    pub fn new(hessian: H) -> Self {
        Self { hessian, tolerance: 1e-12 }
    }

    /// To a relative residual of `tolerance`.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }
}

impl<P, S, R, F, H> Estimator<P, S, R, F> for Implicit<H>
where
    P: Problem + ?Sized,
    S: Solver<P>,
    F: Outer<P> + ?Sized,
    H: HessianSolver<P>,
{
    fn estimate(&self, solution: &Solution<'_, P, S, R>, outer: &F, ctx: &mut Ctx) -> Result<Gradient, EstimateError> {
        let (problem, at) = (solution.problem(), solution.point());
        let m = problem.latent_len();
        let rank = problem.hessian_rank_bound();
        if rank < m {
            return Err(LinearError::RankDeficient { rank, latent: m }.into());
        }
        if problem.falls_for_ever(at, ctx) {
            return Err(EstimateError::Unbounded);
        }
        let (mut grad_z, mut v) = (ctx.take(m), ctx.take(m));
        outer.grad_z(problem, at, &mut grad_z, ctx);
        let mut workspace = H::Workspace::default();
        let solved = Factored::new(&self.hessian, Hessian { problem, at }, &mut workspace, ctx)
            .and_then(|mut factored| factored.solve(&grad_z, self.tolerance, &mut v, ctx));
        let gradient = solved.map(|linear| {
            let mut gradient = Gradient::new(vec![0.0; problem.parameter_len()]);
            problem.cross(at, &v, -1.0, &mut gradient.value, ctx);
            outer.grad_x(problem, at, 1.0, &mut gradient.value, ctx);
            gradient.linear = Some(linear);
            gradient
        });
        ctx.give(v);
        ctx.give(grad_z);
        match gradient? {
            Gradient { linear: Some(linear), .. } if linear.status == LinearStatus::Interrupted => {
                Err(EstimateError::Interrupted)
            }
            gradient => Ok(gradient),
        }
    }
}
