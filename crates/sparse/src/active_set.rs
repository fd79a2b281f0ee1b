//! Sparse generalised linear problems by working sets: of the squared loss the problem itself, of any other a quadratic model at a time,
//!
//! ```text
//! min_z  1/2 sum_i h_i (u_i - (u_t,i - w_i phi_u / h_i))² + R(z),   h_i = w_i max(phi_uu, |phi_u| / 20),
//! ```
//!
//! solved until its gap is a tenth of that of L at z_t, and a line search along what it gives. The bound on h keeps each prediction from moving further than curvature
//! at u_t can say.
//!
//! Source: Lee, Sun, Saunders, Proximal Newton-type methods for minimizing composite functions, SIAM J. Optimization 24, 2014; working sets, Massias, Gramfort,
//! Salmon, Celer: a fast solver for the Lasso with dual extrapolation, ICML 2018.

use std::ops::ControlFlow;
use std::time::Instant;

use danskin_core::ctx::{Ctx, Phase};
use danskin_core::linear::LinearError;
use danskin_core::problem::composite::Composite;
use danskin_core::problem::loss::Loss;
use danskin_core::problem::sparse_glm::SparseGlm;
use danskin_core::problem::{Objective, Point};
use danskin_core::solver::{SolveError, Solver, State, Step};
use danskin_core::vector::{dot, norm};

use crate::columns::Columns;
use crate::working_sets::{Each, Progress, Quadratic, Status, WorkingSets, Workspace};

/// The furthest that a prediction is thought to move in a step.
const REACH: f64 = 20.0;
/// The share of the gap to which a model is solved.
const MODEL: f64 = 0.1;
/// The least such share.
const LEAST_MODEL: f64 = 1e-12;
/// The share of the predicted decrease that a step has to bring.
const ARMIJO: f64 = 1e-4;
/// Times that a step is halved.
const HALVINGS: usize = 40;
/// The share of the gap that is left after a step that used up its rounds or sweeps, from which on it counts as stalled.
const SLOW: f64 = 0.9;
/// A change of L of this share of it is rounding.
const ROUNDING: f64 = 1e-14;

/// Coordinate descent on working sets, with Newton's steps on supports.
///
/// A step takes the duality gap to a share of what it was, by as many passes over D as that asks for. Residuals are gaps, or, of losses whose dual problem is not known and of
/// others than the squared loss with columns that have no penalty, the norm of the least subgradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActiveSet {
    share: f64,
    gap: f64,
}

impl Default for ActiveSet {
    fn default() -> Self {
        Self { share: 1e-2, gap: 0.0 }
    }
}

impl ActiveSet {
    /// With steps that take the gap of the squared loss to this share of what it was: 1e-2 unless said. Other losses take one model a step.
    #[must_use]
    pub fn to_share(share: f64) -> Self {
        Self { share, gap: 0.0 }
    }

    /// With a first step that takes the gap of the squared loss to `gap` at once, where it is known what is wanted: steps on the way there each begin their working sets anew.
    #[must_use]
    pub fn to_gap(gap: f64) -> Self {
        Self { gap, ..Self::default() }
    }
}

/// Where working sets stand.
#[derive(Debug)]
pub struct ActiveState {
    z: Vec<f64>,
    /// D z.
    memo: Vec<f64>,
    /// grad F, of losses that are not quadratic.
    gradient: Vec<f64>,
    residual: f64,
    residual_is_gap: bool,
    columns: Columns,
    parts: [Vec<f64>; 2],
    /// Whether each column is without a penalty.
    free: Vec<bool>,
    workspace: Workspace,
    /// Of a model: its targets less D z, its targets, and its weights, empty where they are those of the rows.
    difference: Vec<f64>,
    targets: Vec<f64>,
    weights: Vec<f64>,
    epochs: usize,
    /// What laying D out by columns took.
    seconds: f64,
}

impl State for ActiveState {
    fn latent(&self) -> &[f64] {
        &self.z
    }

    fn memo(&self) -> &[f64] {
        &self.memo
    }

    fn residual(&self) -> f64 {
        self.residual
    }

    fn residual_is_gap(&self) -> bool {
        self.residual_is_gap
    }
}

impl ActiveState {
    /// Sweeps over working sets so far.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// The quadratic problem of the squared loss, to a gap of `tolerance` in `rounds` at the most; z and D z move on.
    fn solve_quadratic<L: Loss + Clone>(
        &mut self,
        problem: &SparseGlm<L>,
        x: &[f64],
        tolerance: f64,
        rounds: usize,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let [l1, l2] = &self.parts;
        let quadratic = Quadratic {
            columns: &self.columns,
            weights: if self.weights.is_empty() { problem.weights(x) } else { &self.weights },
            targets: &self.targets,
            l1: Each::Of(l1),
            l2: Each::Of(l2),
            nonnegative: problem.penalty().is_nonnegative(),
            free: &self.free,
        };
        let sets = WorkingSets { tolerance, rounds, ..WorkingSets::default() };
        let mut done = 0;
        let mut watch = |progress: Progress| {
            if let Progress::Round { .. } = progress {
                done += 1;
                ctx.count_pass();
            }
            if rounds == 1 { ControlFlow::Continue(()) } else { ctx.tick(Phase::Solve, done, rounds) }
        };
        let found = sets.solve(&quadratic, &mut self.z, &mut self.difference, &mut self.workspace, &mut watch);
        for ((u, y), difference) in self.memo.iter_mut().zip(quadratic.targets).zip(&self.difference) {
            *u = y - difference;
        }
        self.epochs += found.epochs;
        self.residual_is_gap = found.is_proved;
        let before =
            std::mem::replace(&mut self.residual, if found.status == Status::NotFinite { f64::NAN } else { found.gap });
        match found.status {
            Status::Interrupted => Err(SolveError::Linear(LinearError::Interrupted)),
            Status::Stalled if rounds > 1 => Ok(Step::Stalled),
            // All the rounds or sweeps there are for so little: more would end no sooner.
            Status::Limit if rounds > 1 && found.gap > SLOW * before => Ok(Step::Stalled),
            _ => Ok(Step::Advanced),
        }
    }

    /// grad F and the residual at z as it is now.
    fn evaluate<L: Loss + Clone>(&mut self, problem: &SparseGlm<L>, x: &[f64], ctx: &mut Ctx) {
        problem.smooth().grad_z(&self.z, x, &mut self.gradient, &mut self.memo, ctx);
        let at = Point { z: &self.z, x, memo: &self.memo, grad_z: &self.gradient };
        let gap = problem.gap(at, at);
        self.residual_is_gap = gap.is_some();
        self.residual = gap.unwrap_or_else(|| {
            let mut least = ctx.take(self.z.len());
            least.copy_from_slice(&self.gradient);
            problem.least_subgradient(x, &self.z, &mut least);
            let residual = norm(&least);
            ctx.give(least);
            residual
        });
    }

    /// Seconds that laying D out by columns took, at the start.
    #[must_use]
    pub fn seconds_of_columns(&self) -> f64 {
        self.seconds
    }

    /// Stands at the same z, of `problem` with other lambdas.
    pub(crate) fn penalise<L: Loss + Clone>(
        &mut self,
        problem: &SparseGlm<L>,
        x: &[f64],
        ctx: &mut Ctx,
    ) -> Result<(), SolveError> {
        self.parts = problem.penalties(x);
        if problem.loss().is_quadratic() {
            self.solve_quadratic(problem, x, 0.0, 1, ctx)?;
        } else {
            self.evaluate(problem, x, ctx);
        }
        Ok(())
    }

    /// A step towards a gap of `tolerance`: of a quadratic loss, to it.
    pub(crate) fn step_to<L: Loss + Clone>(
        &mut self,
        problem: &SparseGlm<L>,
        x: &[f64],
        tolerance: f64,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        if problem.loss().is_quadratic() {
            self.solve_quadratic(problem, x, tolerance, WorkingSets::default().rounds, ctx)
        } else {
            self.step_to_model(problem, x, ctx)
        }
    }

    /// The model of a quadratic loss c (u - t)² / 2, which is exact.
    fn set_quadratic<L: Loss + Clone>(&mut self, problem: &SparseGlm<L>, x: &[f64]) {
        let (y, rows) = (problem.targets(x), problem.weights(x));
        let bend = |i: usize| problem.loss().second(0.0, y[i]).0;
        for (i, target) in self.targets.iter_mut().enumerate() {
            let slope = problem.loss().first(0.0, y[i]).0;
            *target = if bend(i) > 0.0 { -slope / bend(i) } else { 0.0 };
        }
        if (0..y.len()).any(|i| bend(i) != 1.0) {
            self.weights = (0..y.len()).map(|i| rows.get(i).copied().unwrap_or(1.0) * bend(i)).collect();
        }
    }

    /// One model and the line search along it.
    fn step_to_model<L: Loss + Clone>(
        &mut self,
        problem: &SparseGlm<L>,
        x: &[f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let (y, rows) = (problem.targets(x), problem.weights(x));
        for (i, (&u, &y)) in self.memo.iter().zip(y).enumerate() {
            let (slope, bend) = (problem.loss().first(u, y).0, problem.loss().second(u, y).0);
            let bend = bend.max(slope.abs() / REACH);
            self.weights[i] = rows.get(i).copied().unwrap_or(1.0) * bend;
            self.targets[i] = if bend > 0.0 { u - slope / bend } else { u };
        }
        let [l1, l2] = &self.parts;
        let quadratic = Quadratic {
            columns: &self.columns,
            weights: &self.weights,
            targets: &self.targets,
            l1: Each::Of(l1),
            l2: Each::Of(l2),
            nonnegative: problem.penalty().is_nonnegative(),
            free: &self.free,
        };
        let (mut next, mut ahead) = (ctx.take(self.z.len()), ctx.take(self.memo.len()));
        next.copy_from_slice(&self.z);
        let (mut share, mut done) = (MODEL, 0);
        let found = loop {
            let sets = WorkingSets { tolerance: share * self.residual, ..WorkingSets::default() };
            let mut watch = |progress: Progress| {
                if let Progress::Round { .. } = progress {
                    done += 1;
                    ctx.count_pass();
                }
                ctx.tick(Phase::Solve, done, sets.rounds)
            };
            let found = sets.solve(&quadratic, &mut next, &mut self.difference, &mut self.workspace, &mut watch);
            self.epochs += found.epochs;
            // The dual problem of the model is another than that of L, and z may be near enough to the minimum of the one alone.
            let unmoved = found.status == Status::Converged && found.epochs == 0;
            if !(unmoved && share > LEAST_MODEL) {
                break found;
            }
            share *= MODEL * MODEL;
        };
        for ((u, target), difference) in ahead.iter_mut().zip(&self.targets).zip(&self.difference) {
            *u = target - difference;
        }
        let step = match found.status {
            Status::Interrupted => Err(SolveError::Linear(LinearError::Interrupted)),
            _ => Ok(self.search(problem, x, [&mut next, &mut ahead], ctx)),
        };
        ctx.give(ahead);
        ctx.give(next);
        if step == Ok(Step::Advanced) {
            self.evaluate(problem, x, ctx);
        }
        step
    }

    /// To the first of z + d, z + d / 2, ... at which L falls as it should, d to `next` and its D z.
    fn search<L: Loss + Clone>(
        &mut self,
        problem: &SparseGlm<L>,
        x: &[f64],
        [next, ahead]: [&mut [f64]; 2],
        ctx: &mut Ctx,
    ) -> Step {
        let value = |z: &[f64], u: &[f64], ctx: &mut Ctx| problem.value(Point { z, x, memo: u, grad_z: &[] }, ctx);
        let before = value(&self.z, &self.memo, ctx);
        let losses =
            |z: &[f64], u: &[f64], ctx: &mut Ctx| problem.smooth().value(Point { z, x, memo: u, grad_z: &[] }, ctx);
        let penalty = |z: &[f64], u: &[f64], ctx: &mut Ctx| value(z, u, ctx) - losses(z, u, ctx);
        let rise = penalty(next, ahead, ctx) - penalty(&self.z, &self.memo, ctx);
        let slope = dot(&self.gradient, next) - dot(&self.gradient, &self.z) + rise;
        for halvings in 0..HALVINGS {
            let reached = value(next, ahead, ctx);
            let share = 0.5_f64.powi(halvings as i32);
            if reached <= before + ARMIJO * share * slope.min(0.0) + ROUNDING * before.abs() {
                let moved = self.z.iter().zip(&*next).any(|(z, next)| z != next);
                self.z.copy_from_slice(next);
                self.memo.copy_from_slice(ahead);
                return if moved { Step::Advanced } else { Step::Stalled };
            }
            next.iter_mut().zip(&self.z).for_each(|(next, z)| *next = 0.5 * (*next + z));
            ahead.iter_mut().zip(&self.memo).for_each(|(ahead, u)| *ahead = 0.5 * (*ahead + u));
        }
        Step::Stalled
    }
}

impl<L: Loss + Clone> Solver<SparseGlm<L>> for ActiveSet {
    type State = ActiveState;

    fn init(
        &self,
        problem: &SparseGlm<L>,
        x: &[f64],
        initial: &[f64],
        ctx: &mut Ctx,
    ) -> Result<ActiveState, SolveError> {
        let (m, n) = (initial.len(), problem.memo_len());
        let begun = Instant::now();
        let at_x;
        let design = if problem.is_of_design() {
            at_x = problem.matrix(x).columns_of(&(0..m).collect::<Vec<_>>());
            &at_x
        } else {
            &**problem.design()
        };
        let columns = Columns::new(design).map_err(|_| SolveError::TooManyRows { rows: n })?;
        let seconds = begun.elapsed().as_secs_f64();
        let quadratic = problem.loss().is_quadratic();
        let mut state = ActiveState {
            z: initial.to_vec(),
            memo: vec![0.0; n],
            gradient: vec![0.0; if quadratic { 0 } else { m }],
            residual: f64::NAN,
            residual_is_gap: quadratic,
            columns,
            parts: problem.penalties(x),
            free: problem.free(x),
            workspace: Workspace::new(),
            difference: Vec::new(),
            targets: vec![0.0; n],
            weights: vec![0.0; if quadratic { 0 } else { n }],
            epochs: 0,
            seconds,
        };
        if let Some(row) = problem.weights(x).iter().position(|weight| *weight < 0.0) {
            return Err(SolveError::NegativeWeight { row, weight: problem.weights(x)[row] });
        }
        problem.prox(0.0, x, &mut state.z);
        if quadratic {
            state.set_quadratic(problem, x);
            state.solve_quadratic(problem, x, 0.0, 1, ctx)?;
        } else {
            state.evaluate(problem, x, ctx);
        }
        Ok(state)
    }

    fn step(
        &self,
        problem: &SparseGlm<L>,
        x: &[f64],
        state: &mut ActiveState,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let aim = if state.residual > self.gap && self.gap > 0.0 { self.gap } else { self.share * state.residual };
        state.step_to(problem, x, aim, ctx)
    }
}
