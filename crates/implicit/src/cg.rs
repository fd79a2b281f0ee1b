//! Preconditioned conjugate gradient, matrix-free: one product with L_zz an iteration.
//!
//! Source: Hestenes and Stiefel 1952; Golub and Van Loan, Matrix Computations, 4th ed., sections 11.3 and 11.5.2.

use std::time::Instant;

use danskin_core::ctx::{Ctx, Phase};
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve, LinearStatus, Stages};
use danskin_core::problem::Problem;
use danskin_core::vector::{axpy, dot, max_abs, norm};

use crate::precondition::{Identity, Made, Preconditioner};
use crate::ritz::Ritz;

/// A breakdown at a residual below this one is a solution that cannot be improved, not a singular system.
const SOLVED: f64 = 1e-8;
/// A negative curvature, over the largest one met, that is none of rounding although a preconditioner magnifies it.
const CLEAR: f64 = 1e-6;

/// The method of conjugate gradient, over any [`Preconditioner`] M of L_zz.
///
/// The residual that it reports is computed from the solution it returns. Where the Hessian is singular and the system
/// consistent, it converges, without a preconditioner, to the solution of least norm; where it is inconsistent, it reports a
/// singular Hessian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cg<M = Identity> {
    preconditioner: M,
    max_iterations: Option<usize>,
    warm: bool,
}

impl Default for Cg {
    /// Without a preconditioner.
    fn default() -> Self {
        Self::preconditioned(Identity)
    }
}

impl Cg {
    /// Without a preconditioner, with at most `max_iterations` iterations; by default twice the number of latent variables, and 1000 at least.
    #[must_use]
    pub fn within(max_iterations: usize) -> Self {
        Self { max_iterations: Some(max_iterations), ..Self::default() }
    }
}

impl<M> Cg<M> {
    /// Over `preconditioner`.
    #[must_use]
    pub fn preconditioned(preconditioner: M) -> Self {
        Self { preconditioner, max_iterations: None, warm: false }
    }

    /// With at most `max_iterations` iterations.
    #[must_use]
    pub fn at_most(self, max_iterations: usize) -> Self {
        Self { max_iterations: Some(max_iterations), ..self }
    }

    /// Beginning each solve at the solution of the one before, scaled as suits best, where that is better than beginning at 0. It
    /// costs a product. What is returned then depends, within the tolerance, on what was solved before.
    #[must_use]
    pub fn warm_started(self) -> Self {
        Self { warm: true, ..self }
    }
}

/// What conjugate gradient keeps: the preconditioner, and the last solution where it begins there.
#[derive(Debug, Default)]
pub struct CgWorkspace<W> {
    preconditioner: W,
    made: Made,
    last: Vec<f64>,
}

/// How a run of iterations ended.
enum Ended {
    With(LinearStatus),
    /// p^T L_zz p / p^T M p vanished or was negative.
    Breakdown {
        /// That number over the largest one met.
        relative: f64,
        /// p^T L_zz p / p^T p.
        curvature: f64,
    },
    /// r^T M^{-1} r was not positive.
    Preconditioner,
    /// Whoever asked for the solution would rather have it otherwise.
    GivenUp,
}

/// How far the iterations have come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) iterations: usize,
    /// The relative residual, of the updated one.
    pub(crate) residual: f64,
    /// Iterations in all that the tolerance is predicted to take, from how the residual fell so far and lately.
    pub(crate) predicted: f64,
}

/// Asked at iterations 8, 12, 18, ... whether to give up.
pub(crate) type GiveUp<'a> = dyn Fn(Progress) -> bool + 'a;

/// The first iteration at which it is asked.
const FIRST_ASKED: usize = 8;

impl<P: Problem + ?Sized, M: Preconditioner<P>> HessianSolver<P> for Cg<M> {
    type Workspace = CgWorkspace<M::Workspace>;

    fn prepare(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        workspace.made = self.preconditioner.prepare(hessian, &mut workspace.preconditioner, ctx)?;
        Ok(())
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
        let solve = self.solve_unless(hessian, workspace, (rhs, tolerance), solution, &|_| false, ctx)?;
        // Never given up.
        solve.map_err(|_| LinearError::Interrupted)
    }
}

impl<M> Cg<M> {
    /// As [`HessianSolver::solve`], but given up where `give_up` says so: then how far it came.
    pub(crate) fn solve_unless<P: Problem + ?Sized>(
        &self,
        hessian: Hessian<'_, P>,
        workspace: &mut CgWorkspace<M::Workspace>,
        (rhs, tolerance): (&[f64], f64),
        solution: &mut [f64],
        give_up: &GiveUp<'_>,
        ctx: &mut Ctx,
    ) -> Result<Result<LinearSolve, Progress>, LinearError>
    where
        M: Preconditioner<P>,
    {
        let start = Instant::now();
        solution.fill(0.0);
        let definite = hessian.problem.strong_convexity(hessian.at.x) > 0.0;
        let made = workspace.made;
        let of = |status, iterations, residual, condition| {
            let mut solve = LinearSolve::new("cg", status, iterations, residual, definite);
            solve.preconditioner = self.preconditioner.name();
            solve.condition = condition;
            solve.factor_entries = made.factor_entries;
            solve.shift = made.shift;
            solve.seconds = Stages { solve: start.elapsed().as_secs_f64(), ..made.seconds };
            solve
        };
        // The system is solved for rhs / scale, so that no square under- or overflows.
        let scale = max_abs(rhs);
        if !scale.is_finite() {
            return Err(LinearError::NotFinite);
        }
        if scale == 0.0 {
            return Ok(Ok(of(LinearStatus::Converged, 0, 0.0, None)));
        }
        let m = rhs.len();
        let mut rhs_scaled = ctx.take(m);
        rhs_scaled.iter_mut().zip(rhs).for_each(|(b, rhs)| *b = rhs / scale);
        let length = norm(&rhs_scaled);
        let mut run = Run {
            hessian,
            preconditioner: &self.preconditioner,
            workspace: &mut workspace.preconditioner,
            b: rhs_scaled,
            r: ctx.take(m),
            q: ctx.take(if self.preconditioner.name().is_some() { m } else { 0 }),
            p: ctx.take(m),
            product: ctx.take(m),
            ritz: Ritz::new(ctx),
            target: tolerance * length,
            give_up,
            fallen: Fallen { first: length, ..Fallen::default() },
            definite,
            cap: self.max_iterations.unwrap_or((2 * m).max(1000)),
            iterations: 0,
        };
        if self.warm && workspace.last.len() == m {
            run.begin_at(&workspace.last, solution, ctx);
        }
        let ended = run.until_true(solution, ctx);
        let residual = norm(&run.r) / length;
        let (iterations, fallen) = (run.iterations, run.fallen);
        let condition = run.ritz.condition();
        run.ritz.end(ctx);
        for buffer in [run.product, run.p, run.q, run.r, run.b] {
            ctx.give(buffer);
        }
        if !residual.is_finite() {
            return Err(LinearError::NotFinite);
        }
        let status = match ended {
            Ended::With(status) => status,
            Ended::GivenUp => return Ok(Err(fallen.progress(iterations, tolerance))),
            Ended::Preconditioner => {
                return Err(LinearError::Preconditioner {
                    preconditioner: self.preconditioner.name().unwrap_or("none"),
                });
            }
            Ended::Breakdown { .. } if definite || residual <= SOLVED => LinearStatus::Stalled,
            Ended::Breakdown { relative, curvature } => {
                let noise = if self.preconditioner.name().is_some() { CLEAR } else { no_curvature(m) };
                return Err(if relative < -noise {
                    LinearError::NegativeCurvature { curvature }
                } else {
                    LinearError::Singular { reciprocal_condition: relative.max(0.0) }
                });
            }
        };
        solution.iter_mut().for_each(|v| *v *= scale);
        if self.warm {
            workspace.last.clear();
            workspace.last.extend_from_slice(solution);
        }
        Ok(Ok(of(status, iterations, residual, condition)))
    }
}

/// Curvature that cannot be told from 0 in m coordinates, over the largest one met.
fn no_curvature(m: usize) -> f64 {
    m as f64 * f64::EPSILON
}

/// How the residual fell.
#[derive(Clone, Copy, Debug, Default)]
struct Fallen {
    first: f64,
    /// When it was asked last, and the time before: iterations and residual.
    asked: [(usize, f64); 2],
}

impl Fallen {
    /// Notes the residual after some iterations.
    fn note(&mut self, iterations: usize, residual: f64) {
        self.asked = [(iterations, residual), self.asked[0]];
    }

    /// When to ask next.
    fn next(&self) -> usize {
        FIRST_ASKED.max(self.asked[0].0 * 3 / 2)
    }

    fn progress(&self, iterations: usize, tolerance: f64) -> Progress {
        let [(now, residual), (before, residual_before)] = self.asked;
        let goal = (tolerance * self.first / residual).ln();
        let rate = |fell: f64, over: usize| {
            if fell < 1.0 { now as f64 + goal / fell.ln() * over as f64 } else { f64::INFINITY }
        };
        let so_far = rate(residual / self.first, now);
        let lately = if before > 0 { rate(residual / residual_before, now - before) } else { f64::INFINITY };
        Progress { iterations, residual: residual / self.first, predicted: so_far.min(lately) }
    }
}

/// A system L_zz v = b with the entries of b at most 1.
struct Run<'a, P: ?Sized, M: Preconditioner<P>> {
    hessian: Hessian<'a, P>,
    preconditioner: &'a M,
    workspace: &'a mut M::Workspace,
    b: Vec<f64>,
    r: Vec<f64>,
    /// M^{-1} r; empty without a preconditioner.
    q: Vec<f64>,
    p: Vec<f64>,
    product: Vec<f64>,
    ritz: Ritz,
    target: f64,
    give_up: &'a GiveUp<'a>,
    fallen: Fallen,
    /// Whether only rounding can make a curvature vanish.
    definite: bool,
    cap: usize,
    iterations: usize,
}

impl<P: Problem + ?Sized, M: Preconditioner<P>> Run<'_, P, M> {
    /// `v = theta guess`, with theta so that the error is least in the norm of L_zz; 0 where there is none.
    fn begin_at(&mut self, guess: &[f64], v: &mut [f64], ctx: &mut Ctx) {
        let size = max_abs(guess);
        if size == 0.0 || !size.is_finite() {
            return;
        }
        v.iter_mut().zip(guess).for_each(|(v, guess)| *v = guess / size);
        self.hessian.apply(v, &mut self.product, ctx);
        self.iterations += 1;
        let (with_rhs, bend) = (dot(v, &self.b), dot(v, &self.product));
        let theta = with_rhs / bend;
        let usable = bend > 0.0 && theta.is_finite();
        v.iter_mut().for_each(|v| *v = if usable { *v * theta } else { 0.0 });
    }

    /// Iterates from v until `‖r‖ <= target` holds for the residual computed from v, not only for the updated one.
    /// Leaves the computed residual in `r`.
    fn until_true(&mut self, v: &mut [f64], ctx: &mut Ctx) -> Ended {
        if v.iter().all(|&v| v == 0.0) {
            self.r.copy_from_slice(&self.b);
        } else {
            self.hessian.residual(&self.b, v, &mut self.r, ctx);
        }
        let mut before = norm(&self.r);
        if before <= self.target {
            return Ended::With(LinearStatus::Converged);
        }
        loop {
            let ended = self.iterate(v, ctx);
            let residual = self.hessian.residual(&self.b, v, &mut self.r, ctx);
            match ended {
                _ if residual <= self.target => return Ended::With(LinearStatus::Converged),
                // The updated residual drifted from the computed one: start again from there while that helps.
                Ended::With(LinearStatus::Converged) if residual < 0.5 * before => before = residual,
                Ended::With(LinearStatus::Converged) => return Ended::With(LinearStatus::Stalled),
                ended => return ended,
            }
        }
    }

    /// `q = M^{-1} r`, and r^T q.
    fn precondition(&mut self, ctx: &mut Ctx) -> f64 {
        if self.q.is_empty() {
            return dot(&self.r, &self.r);
        }
        self.preconditioner.apply(self.workspace, &self.r, &mut self.q, ctx);
        dot(&self.r, &self.q)
    }

    /// Iterates from v with residual `r` until the updated residual is at most `target`, or lost in rounding.
    fn iterate(&mut self, v: &mut [f64], ctx: &mut Ctx) -> Ended {
        let mut squared = self.precondition(ctx);
        self.p.copy_from_slice(if self.q.is_empty() { &self.r } else { &self.q });
        self.ritz.restart();
        // Below rounding of where it started, the updated residual means nothing.
        let target = self.target.max(f64::EPSILON * norm(&self.r));
        // p^T M p and the largest p^T L_zz p / p^T M p.
        let (mut size, mut largest) = (squared, 0.0_f64);
        while norm(&self.r) > target {
            // A residual of NaN ends the loop above; here it is finite, and M^{-1} r need not be.
            if squared.is_nan() || squared <= 0.0 {
                return Ended::Preconditioner;
            }
            if self.iterations >= self.cap {
                return Ended::With(LinearStatus::IterationCap);
            }
            if self.iterations >= self.fallen.next() {
                self.fallen.note(self.iterations, norm(&self.r));
                if (self.give_up)(self.fallen.progress(self.iterations, self.target / self.fallen.first)) {
                    return Ended::GivenUp;
                }
            }
            if ctx.tick(Phase::Linear, self.iterations, self.cap).is_break() {
                return Ended::With(LinearStatus::Interrupted);
            }
            self.hessian.apply(&self.p, &mut self.product, ctx);
            self.iterations += 1;
            let bend = dot(&self.p, &self.product);
            let curvature = bend / size;
            largest = largest.max(curvature.abs());
            let least = if self.definite { 0.0 } else { no_curvature(self.p.len()) * largest };
            if curvature.is_nan() || curvature <= least {
                // The largest eigenvalue of M^{-1} L_zz is about 1, if it was not met.
                let largest = if self.q.is_empty() { largest } else { largest.max(1.0) };
                let relative = if largest > 0.0 { curvature / largest } else { 0.0 };
                let length = norm(&self.p);
                return Ended::Breakdown { relative, curvature: bend / length / length };
            }
            let alpha = squared / bend;
            axpy(alpha, &self.p, v);
            axpy(-alpha, &self.product, &mut self.r);
            let next = self.precondition(ctx);
            let beta = next / squared;
            self.ritz.step(alpha, beta);
            squared = next;
            size = next + beta * beta * size;
            let q = if self.q.is_empty() { &self.r } else { &self.q };
            for (p, q) in self.p.iter_mut().zip(q) {
                *p = q + beta * *p;
            }
        }
        Ended::With(LinearStatus::Converged)
    }
}
