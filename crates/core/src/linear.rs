//! Linear systems with the Hessian, L_zz v = b: the trait between those who need them and the methods that solve them.
//!
//! A [`HessianSolver`] is immutable settings; its workspace keeps what can be reused (a pattern's analysis, a factor, a
//! preconditioner) from one point to the next. [`Factored`] binds a workspace to the Hessian it was prepared for.

use thiserror::Error;

use crate::ctx::Ctx;
use crate::problem::{Point, Problem};
use crate::vector::norm;

/// How a linear solve ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinearStatus {
    /// The true relative residual is at most the tolerance asked.
    Converged,
    /// The iteration cap came first.
    IterationCap,
    /// The residual cannot be lowered further in this arithmetic.
    Stalled,
    /// Whoever watches asked to end.
    Interrupted,
}

impl LinearStatus {
    /// A short name for reports, in kebab case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::IterationCap => "iteration-cap",
            Self::Stalled => "stalled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a linear solve reached; the solution itself is in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LinearSolve {
    /// The method used.
    pub method: &'static str,
    /// How it ended.
    pub status: LinearStatus,
    /// Iterations, or steps of refinement.
    pub iterations: usize,
    /// Times that iterations began again, from a residual computed anew as the updated one had drifted: a product with L_zz each.
    pub restarts: usize,
    /// `‖b - L_zz v‖ / ‖b‖`, computed from the returned v; 0 where b = 0.
    pub residual: f64,
    /// Whether the Hessian is known to be positive definite, by its factorisation or by strong convexity. Where it is
    /// not, the solution may be one of many: the one of least norm by conjugate gradient without a preconditioner from 0.
    pub positive_definite: bool,
    /// The preconditioner used, if any.
    pub preconditioner: Option<&'static str>,
    /// About the largest over the smallest eigenvalue of the system as it was solved: after scaling to unit diagonal where it was
    /// factorised, after preconditioning where it was iterated on. `None` where it is not known.
    pub condition: Option<f64>,
    /// Numbers in the factors that were made, the preconditioner's among them; `None` where none was.
    pub factor_entries: Option<u64>,
    /// What was added to the diagonal of a Hessian scaled to unit diagonal so that it could be factorised incompletely; 0 otherwise.
    pub shift: f64,
    /// Where the time went.
    pub seconds: Stages,
    /// What was considered before this method, by one that chooses.
    pub tried: Tried,
}

/// Methods that were considered and not used, in the order in which they were.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tried([Option<Attempt>; 4]);

impl Tried {
    /// Notes `attempt`; the fifth and later ones are not kept.
    pub fn note(&mut self, attempt: Attempt) {
        if let Some(free) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(attempt);
        }
    }

    /// The attempts, from the first.
    pub fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.0.iter().flatten()
    }
}

/// A method that was considered, and why it was not used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    /// The method.
    pub method: &'static str,
    /// Why not.
    pub outcome: Outcome,
}

/// Why a method that was considered was not used.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was begun, and given up for another that was predicted to be faster.
    #[error("given up after {iterations} iterations at a relative residual of {residual:.1e}")]
    GivenUp {
        /// Iterations until then.
        iterations: usize,
        /// The relative residual that they had reached.
        residual: f64,
    },
    /// It failed.
    #[error(transparent)]
    Failed(LinearError),
}

/// Seconds of the stages of a linear solve; 0 for what was not done, or had been done before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stages {
    /// Writing the Hessian down, as far as the method asks.
    pub form: f64,
    /// Analysing its pattern.
    pub analyse: f64,
    /// Factorising, or making the preconditioner.
    pub factor: f64,
    /// Solving.
    pub solve: f64,
}

impl LinearSolve {
    /// A record of a solve by `method`.
    #[must_use]
    pub fn new(
        method: &'static str,
        status: LinearStatus,
        iterations: usize,
        residual: f64,
        positive_definite: bool,
    ) -> Self {
        Self {
            method,
            status,
            iterations,
            restarts: 0,
            residual,
            positive_definite,
            preconditioner: None,
            condition: None,
            factor_entries: None,
            shift: 0.0,
            seconds: Stages::default(),
            tried: Tried::default(),
        }
    }

    /// Whether a factorisation found the Hessian singular to working precision, before another method gave this solution: along what is nearly
    /// free it may then be anything.
    #[must_use]
    pub fn met_singular(&self) -> bool {
        self.tried.iter().any(|attempt| matches!(attempt.outcome, Outcome::Failed(LinearError::Singular { .. })))
    }
}

/// Why a linear system has no usable solution.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum LinearError {
    /// The Hessian is singular whatever its entries are.
    #[error("the Hessian is singular: its rank is at most {rank}, for {latent} latent variables")]
    RankDeficient {
        /// A bound on its rank.
        rank: usize,
        /// m.
        latent: usize,
    },
    /// The Hessian is singular to working precision.
    #[error(
        "the Hessian is singular to working precision: its reciprocal condition is at most {reciprocal_condition:.1e}"
    )]
    Singular {
        /// A bound on smallest over largest eigenvalue, after scaling to unit diagonal where the method does so.
        reciprocal_condition: f64,
    },
    /// The Hessian has a negative eigenvalue.
    #[error("the Hessian has negative curvature: v^T L_zz v / v^T v is at most {curvature:e} for some v")]
    NegativeCurvature {
        /// The curvature met, or where none was what it is at most.
        curvature: f64,
    },
    /// The Hessian, the right-hand side or the solution holds NaN or infinity.
    #[error("the Hessian, the right-hand side or the solution is not finite")]
    NotFinite,
    /// The method does not suit the problem, whatever its size.
    #[error("the method {method} cannot be used: {why}")]
    Unsuited {
        /// The method.
        method: &'static str,
        /// Why, in words.
        why: &'static str,
    },
    /// The preconditioner is not positive definite.
    #[error("the preconditioner {preconditioner} is not positive definite")]
    Preconditioner {
        /// Which one.
        preconditioner: &'static str,
    },
    /// Whoever watches asked to end before there was a solution.
    #[error("interrupted")]
    Interrupted,
    /// What the method needs could not be allocated.
    #[error("{bytes} bytes for the linear solve could not be allocated")]
    OutOfMemory {
        /// What was asked for.
        bytes: u64,
    },
    /// The method needs more memory than it may use.
    #[error("the method needs at least {needed} bytes, its limit is {limit} bytes")]
    TooLarge {
        /// What it needs, at least.
        needed: u64,
        /// What it may use.
        limit: u64,
    },
}

/// The Hessian L_zz of a problem at one point, as an operator on R^m.
#[derive(Debug)]
pub struct Hessian<'a, P: ?Sized> {
    /// The problem.
    pub problem: &'a P,
    /// (z, x), with what is known there.
    pub at: Point<'a>,
}

impl<P: ?Sized> Clone for Hessian<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: ?Sized> Copy for Hessian<'_, P> {}

impl<P: Problem + ?Sized> Hessian<'_, P> {
    /// `out = L_zz v`.
    pub fn apply(&self, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.problem.hess(self.at, v, out, ctx);
    }

    /// `r = rhs - L_zz v`; returns `‖r‖`.
    pub fn residual(&self, rhs: &[f64], v: &[f64], r: &mut [f64], ctx: &mut Ctx) -> f64 {
        self.apply(v, r, ctx);
        r.iter_mut().zip(rhs).for_each(|(r, b)| *r = b - *r);
        norm(r)
    }
}

/// A method for L_zz v = b.
pub trait HessianSolver<P: ?Sized>: Sync {
    /// What is kept from one solve to the next, and from one point to the next.
    type Workspace: Default + Send;

    /// Makes the workspace ready for solves with `hessian`.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where the Hessian cannot be used.
    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError>;

    /// `solution = L_zz^{-1} rhs` to a relative residual of `tolerance`, with the Hessian prepared last. Callers go through
    /// [`Factored`], which sees to that.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where there is no usable solution; an iteration cap is a status, not an error.
    fn solve(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        rhs: &[f64],
        tolerance: f64,
        solution: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<LinearSolve, LinearError>;

    /// The same for several right-hand sides, one after another in `rhs`, as the solutions are in `solutions`. Override it where they
    /// can share passes over D or over a factor.
    ///
    /// # Errors
    ///
    /// As [`HessianSolver::solve`], of the first right-hand side that has an error.
    fn solve_columns(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        rhs: &[f64],
        tolerance: f64,
        solutions: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Vec<LinearSolve>, LinearError>
    where
        P: Problem,
    {
        let m = hessian.problem.latent_len().max(1);
        let columns = rhs.chunks_exact(m).zip(solutions.chunks_exact_mut(m));
        columns.map(|(rhs, solution)| self.solve(hessian, workspace, rhs, tolerance, solution, ctx)).collect()
    }
}

/// A Hessian solver prepared at one point: as many solves as wanted, all at that point.
#[derive(Debug)]
pub struct Factored<'a, P: ?Sized, H: HessianSolver<P>> {
    method: &'a H,
    hessian: Hessian<'a, P>,
    workspace: &'a mut H::Workspace,
}

impl<'a, P: Problem + ?Sized, H: HessianSolver<P>> Factored<'a, P, H> {
    /// Prepares `method` for `hessian`.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where the Hessian cannot be used.
    pub fn new(
        method: &'a H,
        hessian: Hessian<'a, P>,
        workspace: &'a mut H::Workspace,
        ctx: &mut Ctx,
    ) -> Result<Self, LinearError> {
        method.prepare(hessian, workspace, ctx)?;
        Ok(Self { method, hessian, workspace })
    }

    /// `solution = L_zz^{-1} rhs` to a relative residual of `tolerance`; both of length m.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where there is no usable solution.
    pub fn solve(
        &mut self,
        rhs: &[f64],
        tolerance: f64,
        solution: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<LinearSolve, LinearError> {
        ctx.count_solve();
        self.method.solve(self.hessian, self.workspace, rhs, tolerance, solution, ctx)
    }

    /// The same for several right-hand sides, one after another in `rhs`, as the solutions are in `solutions`: methods share passes
    /// over D, or over a factor, among them. Each solution is that of [`Factored::solve`] within the tolerance.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where one of them has no usable solution.
    ///
    /// # Panics
    ///
    /// If `rhs` and `solutions` do not have the same length, a multiple of m.
    pub fn solve_columns(
        &mut self,
        rhs: &[f64],
        tolerance: f64,
        solutions: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Vec<LinearSolve>, LinearError> {
        let m = self.hessian.problem.latent_len();
        assert!(rhs.len() == solutions.len() && rhs.len().is_multiple_of(m.max(1)), "columns of length m = {m}");
        rhs.chunks_exact(m.max(1)).for_each(|_| ctx.count_solve());
        self.method.solve_columns(self.hessian, self.workspace, rhs, tolerance, solutions, ctx)
    }
}
