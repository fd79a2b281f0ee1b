//! g3 = grad_x f - L_xz v with L_zz v = grad_z f, all at (z_T, x).

use danskin_core::ctx::Ctx;
use danskin_core::estimator::{EstimateError, Estimator, Gradient};
use danskin_core::linear::{Factored, Hessian, HessianSolver, LinearError, LinearSolve, LinearStatus};
use danskin_core::outer::Outer;
use danskin_core::problem::{Evaluated, Point, Problem};
use danskin_core::solve::Solution;
use danskin_core::solver::Solver;
use danskin_core::vector::{axpy, dot};

/// The implicit estimator g3, over any Hessian solver `H`.
///
/// Its gradient carries what the linear solve reached ([`Gradient::linear`]); a solve that ended above its tolerance is
/// said there, and the gradient is in error by at most `‖L_xz‖ ‖residual‖ / mu` on its account.
///
/// An L known to have no minimum ([`Problem::falls_along`]) is an error, as is a Hessian known to be singular
/// ([`Problem::hessian_rank_bound`]): z* does not exist, or need not be unique. Where the Hessian is neither known to be
/// singular nor known to be positive definite, conjugate gradient may have returned the solution of least norm (over a
/// preconditioner, another one), and [`LinearSolve::positive_definite`](danskin_core::linear::LinearSolve) is false.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Implicit<H> {
    pub(crate) hessian: H,
    pub(crate) tolerance: f64,
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

/// That z* is known to exist and to be unique, as far as that is known.
fn check<P: Problem + ?Sized>(problem: &P, at: Point<'_>, ctx: &mut Ctx) -> Result<(), EstimateError> {
    let (rank, m) = (problem.hessian_rank_bound(), problem.latent_len());
    if rank < m {
        return Err(LinearError::RankDeficient { rank, latent: m }.into());
    }
    if problem.falls_along(at, ctx).is_some() {
        return Err(EstimateError::Unbounded);
    }
    Ok(())
}

/// Columns of the Jacobian that are there at a time.
const BLOCK: usize = 32;

impl<H> Implicit<H> {
    /// Calls `each(j, column, solve)` with columns j of the Jacobian dz*/dx = -L_zz^{-1} L_zx, each of length m, in the order of
    /// `columns`, and with what its linear solve reached.
    ///
    /// One factorisation or preconditioner serves them all, and no more than 32 columns are there at a time: the whole, m x p, is
    /// never made. For a gradient it is not needed: g3 takes one solve.
    ///
    /// # Errors
    ///
    /// [`EstimateError`], as for a gradient; columns that came before have been given to `each`.
    ///
    /// # Panics
    ///
    /// If a column is not below p.
    pub fn jacobian<P, S, R>(
        &self,
        solution: &Solution<'_, P, S, R>,
        columns: impl IntoIterator<Item = usize>,
        each: impl FnMut(usize, &[f64], LinearSolve),
    ) -> Result<(), EstimateError>
    where
        P: Problem + ?Sized,
        S: Solver<P>,
        H: HessianSolver<P>,
    {
        self.jacobian_in(solution, columns, each, &mut Ctx::new())
    }

    /// The same within `ctx`.
    ///
    /// # Errors
    ///
    /// As [`Implicit::jacobian`].
    ///
    /// # Panics
    ///
    /// As [`Implicit::jacobian`].
    pub fn jacobian_in<P, S, R>(
        &self,
        solution: &Solution<'_, P, S, R>,
        columns: impl IntoIterator<Item = usize>,
        mut each: impl FnMut(usize, &[f64], LinearSolve),
        ctx: &mut Ctx,
    ) -> Result<(), EstimateError>
    where
        P: Problem + ?Sized,
        S: Solver<P>,
        H: HessianSolver<P>,
    {
        let (problem, at) = (solution.problem(), solution.point());
        let (m, p) = (problem.latent_len(), problem.parameter_len());
        check(problem, at, ctx)?;
        let mut workspace = H::Workspace::default();
        let mut factored = Factored::new(&self.hessian, Hessian { problem, at }, &mut workspace, ctx)?;
        let (mut unit, mut columns) = (ctx.take_zeroed(p), columns.into_iter());
        let (mut rhs, mut solutions) = (Vec::new(), Vec::new());
        loop {
            let block: Vec<usize> = columns.by_ref().take(BLOCK).collect();
            if block.is_empty() {
                break;
            }
            rhs.resize(block.len() * m, 0.0);
            solutions.resize(block.len() * m, 0.0);
            for (k, &j) in block.iter().enumerate() {
                assert!(j < p, "column {j} of the Jacobian, which has p = {p} columns");
                unit[j] = -1.0;
                problem.cross_t(at, &unit, &mut rhs[k * m..(k + 1) * m], ctx);
                unit[j] = 0.0;
            }
            let solves = factored.solve_columns(&rhs, self.tolerance, &mut solutions, ctx)?;
            for (k, (j, solve)) in block.into_iter().zip(solves).enumerate() {
                if solve.status == LinearStatus::Interrupted {
                    return Err(EstimateError::Interrupted);
                }
                each(j, &solutions[k * m..(k + 1) * m], solve);
            }
        }
        ctx.give(unit);
        Ok(())
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
        let mut v = vec![0.0; problem.latent_len()];
        let solved = solve_for_step(&self.hessian, self.tolerance, problem, at, outer, &mut v, ctx);
        let linear = solved?;
        let mut gradient = Gradient::new(vec![0.0; problem.parameter_len()]);
        problem.cross(at, &v, -1.0, &mut gradient.value, ctx);
        outer.grad_x(problem, at, 1.0, &mut gradient.value, ctx);
        (gradient.linear, gradient.adjoint) = (Some(linear), Some(v));
        Ok(gradient)
    }
}

/// L_zz v = grad_z f at a point, where z* is known to exist and to be unique as far as that is known.
pub(crate) fn solve_for_step<P, F, H>(
    hessian: &H,
    tolerance: f64,
    problem: &P,
    at: Point<'_>,
    outer: &F,
    v: &mut [f64],
    ctx: &mut Ctx,
) -> Result<LinearSolve, EstimateError>
where
    P: Problem + ?Sized,
    F: Outer<P> + ?Sized,
    H: HessianSolver<P>,
{
    check(problem, at, ctx)?;
    // A pass, once, for what each product would compute again.
    let remembered =
        (at.memo.is_empty() && problem.memo_len() > 0).then(|| Evaluated::new(problem, at.z.to_vec(), at.x, ctx));
    let at = remembered.as_ref().map_or(at, |known| Point { memo: &known.memo, ..at });
    let mut grad_z = ctx.take(problem.latent_len());
    outer.grad_z(problem, at, &mut grad_z, ctx);
    if let Some(flat) = problem.flat_along() {
        // What rounding, or an outer function, leaves along it has no solution.
        axpy(-dot(&flat, &grad_z) / dot(&flat, &flat), &flat, &mut grad_z);
    }
    let mut workspace = H::Workspace::default();
    let solved = Factored::new(hessian, Hessian { problem, at }, &mut workspace, ctx)
        .and_then(|mut factored| factored.solve(&grad_z, tolerance, v, ctx));
    ctx.give(grad_z);
    match solved? {
        linear if linear.status == LinearStatus::Interrupted => Err(EstimateError::Interrupted),
        linear => Ok(linear),
    }
}
