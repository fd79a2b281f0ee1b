//! Preconditioned conjugate gradient, matrix-free: one product with L_zz an iteration.
//!
//! Source: Hestenes and Stiefel 1952; Golub and Van Loan, Matrix Computations, 4th ed., sections 11.3 and 11.5.2.

use std::time::Instant;

use danskin_core::ctx::{Ctx, Phase};
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve, LinearStatus, Stages};
use danskin_core::problem::Problem;
use danskin_core::vector::{axpy, dot, max_abs, norm};

use crate::columns::{TOGETHER, is_exact, power_of_two};
use crate::curvature::or_indefinite;
use crate::precondition::{Identity, Made, Preconditioner};
use crate::ritz::Ritz;

/// A breakdown at a residual below this one is a solution that cannot be improved, not a singular system.
const SOLVED: f64 = 1e-8;

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
    lagged: bool,
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
        Self { preconditioner, max_iterations: None, warm: false, lagged: false }
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

    /// Keeping the preconditioner from one point to the next until solves take half as many iterations again as they did at first.
    /// What is returned then depends, within the tolerance, on where it was made.
    #[must_use]
    pub fn lagged(self) -> Self {
        Self { lagged: true, ..self }
    }
}

/// What conjugate gradient keeps: the preconditioner, and the last solution where it begins there.
#[derive(Debug, Default)]
pub struct CgWorkspace<W> {
    preconditioner: W,
    made: Made,
    last: Vec<f64>,
    lag: Option<Lag>,
}

/// How a preconditioner that is kept does.
#[derive(Clone, Copy, Debug)]
struct Lag {
    m: usize,
    /// Iterations of the first solve with it.
    first: usize,
    /// Of the last one.
    last: usize,
}

impl Lag {
    fn will_do(self, m: usize) -> bool {
        self.m == m && self.last <= self.first + self.first / 2 + FEW
    }
}

/// How far the iterations have come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) iterations: usize,
    /// The relative residual, of the updated one.
    pub(crate) residual: f64,
    /// Iterations in all that the tolerance is predicted to take, from how the residual fell so far and lately.
    pub(crate) predicted: f64,
    /// The condition of what was iterated on, as far as it was met.
    pub(crate) condition: f64,
}

/// Asked at iterations 8, 12, 18, ... whether to pause.
pub(crate) type Pause<'a> = dyn Fn(Progress) -> bool + 'a;

/// Iterations that a lagged preconditioner may take more than at first, whatever that was.
const FEW: usize = 4;
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
        if self.lagged && workspace.lag.is_some_and(|lag| lag.will_do(hessian.problem.latent_len())) {
            workspace.made.seconds = Stages::default();
            return Ok(());
        }
        workspace.lag = None;
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
        let mut run = self.begin(hessian, workspace, (rhs, tolerance), ctx)?;
        let ended = run.proceed(workspace, &|_| false, ctx);
        let solve = run.end(ended, solution, ctx);
        if self.warm && solve.is_ok() {
            workspace.last.clear();
            workspace.last.extend_from_slice(solution);
        }
        if self.lagged {
            // After a solve that failed or did not converge it is made anew.
            let converged = solve.as_ref().ok().filter(|solve| solve.status == LinearStatus::Converged);
            workspace.lag = converged.map(|solve| {
                let (m, last) = (rhs.len(), solve.iterations);
                Lag { m, first: workspace.lag.map_or(last, |lag| lag.first), last }
            });
        }
        solve
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
        let m = hessian.problem.latent_len().max(1);
        let mut solves = Vec::with_capacity(rhs.len() / m);
        for (rhs, solutions) in rhs.chunks(m * TOGETHER).zip(solutions.chunks_mut(m * TOGETHER)) {
            let mut runs = Vec::with_capacity(TOGETHER);
            for rhs in rhs.chunks_exact(m) {
                runs.push(self.begin(hessian, workspace, (rhs, tolerance), ctx)?);
            }
            let ended = proceed_together(hessian, &mut runs, workspace, ctx);
            for ((run, ended), solution) in runs.into_iter().zip(ended).zip(solutions.chunks_exact_mut(m)) {
                solves.push(run.end(ended, solution, ctx)?);
            }
        }
        Ok(solves)
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

    /// At the time when it was asked last.
    fn progress(&self, tolerance: f64) -> Progress {
        let [(now, residual), (before, residual_before)] = self.asked;
        let goal = (tolerance * self.first / residual).ln();
        let rate = |fell: f64, over: usize| {
            if fell < 1.0 { now as f64 + goal / fell.ln() * over as f64 } else { f64::INFINITY }
        };
        let so_far = rate(residual / self.first, now);
        let lately = if before > 0 { rate(residual / residual_before, now - before) } else { f64::INFINITY };
        let predicted = so_far.min(lately);
        Progress { iterations: now, residual: residual / self.first, predicted, condition: f64::NAN }
    }
}

/// How a run of iterations ended, or was paused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
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
    /// It was asked to pause; it can proceed.
    Paused(Progress),
}

/// What a run needs next.
#[derive(Clone, Copy, Debug)]
enum Wants {
    /// The product of L_zz with v, the guess that it begins at.
    Guess,
    /// That with the direction p.
    Direction,
    /// That with v, for the residual with which a sequence of directions ended.
    Residual(Ended),
    Nothing(Ended),
}

/// Iterations for one system L_zz v = b with the entries of b at most 2. It asks for products one at a time, so that several runs can
/// share a pass over D.
pub(crate) struct Run<'a, P: ?Sized, M> {
    hessian: Hessian<'a, P>,
    preconditioner: &'a M,
    made: Made,
    start: Instant,
    /// The right-hand side is `scale b`.
    scale: f64,
    b: Vec<f64>,
    length: f64,
    v: Vec<f64>,
    r: Vec<f64>,
    /// M^{-1} r; empty without a preconditioner.
    q: Vec<f64>,
    p: Vec<f64>,
    product: Vec<f64>,
    ritz: Ritz,
    tolerance: f64,
    fallen: Fallen,
    /// Whether only rounding can make a curvature vanish.
    definite: bool,
    cap: usize,
    iterations: usize,
    restarts: usize,
    wants: Wants,
    /// The computed residual where the present sequence of directions began.
    before: f64,
    /// The updated residual at which the sequence ends.
    floor: f64,
    /// r^T M^{-1} r, p^T M p, and the largest p^T L_zz p / p^T M p of the sequence.
    squared: f64,
    size: f64,
    largest: f64,
}

impl<M> Cg<M> {
    /// The state before the first iteration.
    pub(crate) fn begin<'a, P: Problem + ?Sized>(
        &'a self,
        hessian: Hessian<'a, P>,
        workspace: &mut CgWorkspace<M::Workspace>,
        (rhs, tolerance): (&[f64], f64),
        ctx: &mut Ctx,
    ) -> Result<Run<'a, P, M>, LinearError>
    where
        M: Preconditioner<P>,
    {
        let start = Instant::now();
        let largest = max_abs(rhs);
        if !largest.is_finite() {
            return Err(LinearError::NotFinite);
        }
        let (m, scale) = (rhs.len(), power_of_two(largest));
        let mut b = ctx.take(m);
        b.iter_mut().zip(rhs).for_each(|(b, rhs)| *b = rhs / scale);
        let length = norm(&b);
        let mut run = Run {
            hessian,
            preconditioner: &self.preconditioner,
            made: workspace.made,
            start,
            scale,
            length,
            v: ctx.take_zeroed(m),
            r: ctx.take(m),
            q: ctx.take(if self.preconditioner.name().is_some() { m } else { 0 }),
            p: ctx.take(m),
            product: ctx.take(m),
            ritz: Ritz::new(ctx),
            tolerance,
            fallen: Fallen { first: length, ..Fallen::default() },
            definite: hessian.problem.strong_convexity(hessian.at.x) > 0.0,
            cap: self.max_iterations.unwrap_or((2 * m).max(1000)),
            iterations: 0,
            restarts: 0,
            wants: Wants::Guess,
            before: length,
            floor: 0.0,
            squared: 0.0,
            size: 0.0,
            largest: 0.0,
            b,
        };
        let last = &workspace.last;
        let size = max_abs(last);
        if self.warm && last.len() == m && size > 0.0 && size.is_finite() {
            run.v.iter_mut().zip(last).for_each(|(v, guess)| *v = guess / size);
        } else {
            run.r.copy_from_slice(&run.b);
            run.begin_sequence(&mut workspace.preconditioner, ctx);
        }
        Ok(run)
    }
}

impl<P: Problem + ?Sized, M: Preconditioner<P>> Run<'_, P, M> {
    /// Iterates to the end, or until `pause` says so.
    pub(crate) fn proceed(
        &mut self,
        workspace: &mut CgWorkspace<M::Workspace>,
        pause: &Pause<'_>,
        ctx: &mut Ctx,
    ) -> Ended {
        loop {
            if let Some(ended) = self.look(pause, ctx) {
                return ended;
            }
            let mut product = std::mem::take(&mut self.product);
            self.hessian.apply(self.operand(), &mut product, ctx);
            self.product = product;
            self.receive(&mut workspace.preconditioner, ctx);
        }
    }

    /// How it ended; `None` where the product with [`Run::operand`] is needed, to be put into `product` and then received.
    fn look(&mut self, pause: &Pause<'_>, ctx: &mut Ctx) -> Option<Ended> {
        match self.wants {
            Wants::Guess | Wants::Residual(_) => return None,
            Wants::Nothing(ended) => return Some(ended),
            Wants::Direction => {}
        }
        // Without a preconditioner r^T r is at hand.
        let at_hand = self.q.is_empty() && self.squared.is_normal();
        let residual = if at_hand { self.squared.sqrt() } else { norm(&self.r) };
        let ended = if residual.is_nan() || residual <= self.floor {
            Ended::With(LinearStatus::Converged)
        } else if self.squared.is_nan() || self.squared <= 0.0 {
            // The residual is finite, and M^{-1} r need not be.
            Ended::Preconditioner
        } else if self.iterations >= self.cap {
            Ended::With(LinearStatus::IterationCap)
        } else {
            if self.iterations >= self.fallen.next() {
                self.fallen.note(self.iterations, residual);
                let condition = self.ritz.condition().unwrap_or(f64::NAN);
                let progress = Progress { condition, ..self.fallen.progress(self.tolerance) };
                if pause(progress) {
                    return Some(Ended::Paused(progress));
                }
            }
            if ctx.tick(Phase::Linear, self.iterations, self.cap).is_continue() {
                return None;
            }
            Ended::With(LinearStatus::Interrupted)
        };
        self.wants = Wants::Residual(ended);
        None
    }

    /// What is to be multiplied.
    fn operand(&self) -> &[f64] {
        if matches!(self.wants, Wants::Direction) { &self.p } else { &self.v }
    }

    /// Goes on with the product that was asked for.
    fn receive(&mut self, workspace: &mut M::Workspace, ctx: &mut Ctx) {
        match self.wants {
            Wants::Guess => {
                self.iterations += 1;
                self.scale_guess();
                self.begin_sequence(workspace, ctx);
            }
            Wants::Direction => {
                self.iterations += 1;
                self.step(workspace, ctx);
            }
            Wants::Residual(ended) => {
                self.r.iter_mut().zip(&self.b).zip(&self.product).for_each(|((r, b), product)| *r = b - product);
                let residual = norm(&self.r);
                let converged = Ended::With(LinearStatus::Converged);
                match ended {
                    _ if residual <= self.target() => self.wants = Wants::Nothing(converged),
                    // The updated residual drifted from the computed one: start again from there while that helps.
                    Ended::With(LinearStatus::Converged) if residual < 0.5 * self.before => {
                        self.restarts += 1;
                        self.begin_sequence(workspace, ctx);
                    }
                    Ended::With(LinearStatus::Converged) => {
                        self.wants = Wants::Nothing(Ended::With(LinearStatus::Stalled));
                    }
                    ended => self.wants = Wants::Nothing(ended),
                }
            }
            Wants::Nothing(_) => {}
        }
    }

    /// The largest residual that will do.
    fn target(&self) -> f64 {
        self.tolerance * self.length
    }

    /// `v = theta v`, with theta so that the error is least in the norm of L_zz, 0 where there is none; and its residual.
    fn scale_guess(&mut self) {
        let (with_rhs, bend) = (dot(&self.v, &self.b), dot(&self.v, &self.product));
        let theta = with_rhs / bend;
        let theta = if bend > 0.0 && theta.is_finite() { theta } else { 0.0 };
        self.v.iter_mut().for_each(|v| *v *= theta);
        for ((r, b), product) in self.r.iter_mut().zip(&self.b).zip(&self.product) {
            *r = if theta == 0.0 { *b } else { b - theta * product };
        }
    }

    /// Begins a sequence of conjugate directions at v, whose residual is `r`.
    fn begin_sequence(&mut self, workspace: &mut M::Workspace, ctx: &mut Ctx) {
        let residual = norm(&self.r);
        self.before = residual;
        if residual <= self.target() {
            self.wants = Wants::Nothing(Ended::With(LinearStatus::Converged));
            return;
        }
        // Below rounding of where it started, the updated residual means nothing.
        self.floor = self.target().max(f64::EPSILON * residual);
        self.squared = self.precondition(workspace, ctx);
        self.p.copy_from_slice(if self.q.is_empty() { &self.r } else { &self.q });
        self.ritz.restart();
        (self.size, self.largest) = (self.squared, 0.0);
        self.wants = Wants::Direction;
    }

    /// `q = M^{-1} r`, and r^T q.
    fn precondition(&mut self, workspace: &mut M::Workspace, ctx: &mut Ctx) -> f64 {
        if self.q.is_empty() {
            return dot(&self.r, &self.r);
        }
        self.preconditioner.apply(workspace, &self.r, &mut self.q, ctx);
        dot(&self.r, &self.q)
    }

    /// One iteration, `product` being L_zz p.
    fn step(&mut self, workspace: &mut M::Workspace, ctx: &mut Ctx) {
        let bend = dot(&self.p, &self.product);
        let curvature = bend / self.size;
        self.largest = self.largest.max(curvature.abs());
        let least = if self.definite { 0.0 } else { no_curvature(self.p.len()) * self.largest };
        if curvature.is_nan() || curvature <= least {
            // The largest eigenvalue of M^{-1} L_zz is about 1, if it was not met.
            let largest = if self.q.is_empty() { self.largest } else { self.largest.max(1.0) };
            let relative = if largest > 0.0 { curvature / largest } else { 0.0 };
            let length = norm(&self.p);
            self.wants = Wants::Residual(Ended::Breakdown { relative, curvature: bend / length / length });
            return;
        }
        let alpha = self.squared / bend;
        axpy(alpha, &self.p, &mut self.v);
        axpy(-alpha, &self.product, &mut self.r);
        let next = self.precondition(workspace, ctx);
        let beta = next / self.squared;
        self.ritz.step(alpha, beta);
        self.squared = next;
        self.size = next + beta * beta * self.size;
        let q = if self.q.is_empty() { &self.r } else { &self.q };
        for (p, q) in self.p.iter_mut().zip(q) {
            *p = q + beta * *p;
        }
    }

    /// The solution that it ended with.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where it is of no use.
    pub(crate) fn end(mut self, ended: Ended, solution: &mut [f64], ctx: &mut Ctx) -> Result<LinearSolve, LinearError> {
        solution.copy_from_slice(&self.v);
        let status = self.status(ended, solution, ctx);
        let mut solve = LinearSolve::new("cg", LinearStatus::Stalled, self.iterations, self.residual(), self.definite);
        solve.restarts = self.restarts;
        solve.preconditioner = self.preconditioner.name();
        solve.condition = self.ritz.condition();
        solve.factor_entries = self.made.factor_entries;
        solve.shift = self.made.shift;
        solve.seconds = Stages { solve: self.start.elapsed().as_secs_f64(), ..self.made.seconds };
        self.abandon(ctx);
        solve.status = status?;
        Ok(solve)
    }

    /// The relative residual; 0 for the right-hand side 0, which has the solution 0.
    fn residual(&self) -> f64 {
        if self.length > 0.0 { norm(&self.r) / self.length } else { 0.0 }
    }

    /// What to call the `solution`, which is scaled back.
    fn status(&mut self, ended: Ended, solution: &mut [f64], ctx: &mut Ctx) -> Result<LinearStatus, LinearError> {
        let mut ended = ended;
        if !is_exact(solution, self.scale, &mut self.v) {
            self.hessian.residual(&self.b, &self.v, &mut self.r, ctx);
            if self.residual() > self.tolerance && matches!(ended, Ended::With(LinearStatus::Converged)) {
                ended = Ended::With(LinearStatus::Stalled);
            }
        }
        let residual = self.residual();
        // The scaled solution may be finite where the solution overflows.
        if !residual.is_finite() || !max_abs(solution).is_finite() {
            return Err(LinearError::NotFinite);
        }
        let name = self.preconditioner.name();
        match ended {
            Ended::With(status) => Ok(status),
            Ended::Paused(_) => Ok(LinearStatus::Interrupted),
            Ended::Preconditioner => Err(LinearError::Preconditioner { preconditioner: name.unwrap_or("none") }),
            Ended::Breakdown { .. } if self.definite || residual <= SOLVED => Ok(LinearStatus::Stalled),
            Ended::Breakdown { curvature, .. } if !curvature.is_finite() => Err(LinearError::NotFinite),
            Ended::Breakdown { relative, .. } => {
                let singular = LinearError::Singular { reciprocal_condition: relative.max(0.0) };
                let hessian = self.hessian;
                Err(or_indefinite(singular, &self.p, &|v, out, ctx| hessian.apply(v, out, ctx), ctx))
            }
        }
    }

    /// Gives its memory back.
    pub(crate) fn abandon(self, ctx: &mut Ctx) {
        self.ritz.end(ctx);
        for buffer in [self.product, self.p, self.q, self.r, self.v, self.b] {
            ctx.give(buffer);
        }
    }
}

/// Runs to their ends, those that are left sharing passes over D.
fn proceed_together<P: Problem + ?Sized, M: Preconditioner<P>>(
    hessian: Hessian<'_, P>,
    runs: &mut [Run<'_, P, M>],
    workspace: &mut CgWorkspace<M::Workspace>,
    ctx: &mut Ctx,
) -> Vec<Ended> {
    let m = hessian.problem.latent_len();
    let mut ended: Vec<Option<Ended>> = vec![None; runs.len()];
    let (mut operands, mut products) = (ctx.take(m * runs.len()), ctx.take(m * runs.len()));
    loop {
        for (run, ended) in runs.iter_mut().zip(&mut ended) {
            *ended = ended.or_else(|| run.look(&|_| false, ctx));
        }
        let left = || (0..ended.len()).filter(|&k| ended[k].is_none());
        let columns = left().count();
        if columns == 0 {
            break;
        }
        let (operands, products) = (&mut operands[..m * columns], &mut products[..m * columns]);
        for (c, k) in left().enumerate() {
            let to = operands.iter_mut().skip(c).step_by(columns);
            to.zip(runs[k].operand()).for_each(|(to, from)| *to = *from);
        }
        hessian.problem.hess_columns(hessian.at, columns, operands, products, ctx);
        for (c, k) in left().enumerate() {
            let from = products.iter().skip(c).step_by(columns);
            runs[k].product.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            runs[k].receive(&mut workspace.preconditioner, ctx);
        }
    }
    ctx.give(products);
    ctx.give(operands);
    ended.into_iter().flatten().collect()
}
