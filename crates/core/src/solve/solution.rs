//! What a solve gives, and the loop that takes its steps.

use super::observer::{Observer, Seen};
use super::recorder::{NoTape, Recorder};
use super::stop::{Status, Stop};
use super::trail::Trail;
use crate::ctx::{Cost, Ctx, Phase};
use crate::linear::LinearError;
use crate::problem::{Objective, Point};
use crate::solver::{SolveError, Solver, State, Step, check_vector};

/// z_T, bound to the problem, solver and parameter it belongs to and to what was recorded on the way.
pub struct Solution<'a, P: ?Sized, S: Solver<P>, R = NoTape> {
    problem: &'a P,
    solver: &'a S,
    x: &'a [f64],
    state: S::State,
    recorder: R,
    status: Status,
    steps: usize,
    initial_residual: f64,
    cost: Cost,
    trail: Trail,
}

impl<'a, P: Objective + ?Sized, S: Solver<P>, R: Recorder<P, S>> Solution<'a, P, S, R> {
    /// At z_0, nothing done yet but what `init` and `begin` do.
    pub(super) fn start(
        problem: &'a P,
        solver: &'a S,
        x: &'a [f64],
        initial: &[f64],
        mut recorder: R,
        trail: usize,
        ctx: &mut Ctx,
    ) -> Result<Self, SolveError> {
        let mark = ctx.mark();
        let state = solver.init(problem, x, initial, ctx)?;
        recorder.begin(problem, solver, x, &state, ctx)?;
        let initial_residual = state.residual();
        let (status, cost) = (Status::StepsTaken, ctx.since(mark));
        let mut trail = Trail::new(trail);
        trail.push(state.latent(), state.grad_z());
        Ok(Self { problem, solver, x, state, recorder, status, steps: 0, initial_residual, cost, trail })
    }

    /// Goes on from z_T until `stop`, whose number of steps counts from z_0 on. One trajectory, looked at on the way.
    ///
    /// # Errors
    ///
    /// As [`Solve::run`](super::Solve::run).
    pub fn resume(&mut self, stop: Stop, ctx: &mut Ctx) -> Result<(), SolveError> {
        self.advance(stop, None, ctx)
    }

    /// Begins again from z_0 = `initial`, length m; what was recorded is void. Costs add up.
    ///
    /// # Errors
    ///
    /// As [`Solve::run`](super::Solve::run).
    pub fn restart(&mut self, initial: &[f64], ctx: &mut Ctx) -> Result<(), SolveError> {
        check_vector("the initial z", self.problem.latent_len(), initial)?;
        let mark = ctx.mark();
        self.state = self.solver.init(self.problem, self.x, initial, ctx)?;
        self.recorder.begin(self.problem, self.solver, self.x, &self.state, ctx)?;
        (self.steps, self.status, self.initial_residual) = (0, Status::StepsTaken, self.state.residual());
        self.trail.clear();
        self.trail.push(self.state.latent(), self.state.grad_z());
        self.cost = self.cost.then(ctx.since(mark));
        Ok(())
    }

    pub(super) fn advance(
        &mut self,
        stop: Stop,
        mut observer: Option<&mut dyn Observer>,
        ctx: &mut Ctx,
    ) -> Result<(), SolveError> {
        stop.check()?;
        self.recorder.expect(stop.expected());
        let mark = ctx.mark();
        self.status = loop {
            let residual = self.state.residual();
            if !residual.is_finite() {
                break Status::Diverged;
            }
            if let Some(observer) = &mut observer {
                let seen = Seen { steps: self.steps, z: self.state.latent(), residual };
                if observer.see(seen).is_break() {
                    break Status::Interrupted;
                }
            }
            if let Some(status) = stop.reached(self.steps, residual, self.initial_residual) {
                break status;
            }
            if ctx.tick(Phase::Solve, self.steps, stop.cap()).is_break() {
                break Status::Interrupted;
            }
            let step = self.recorder.step(self.problem, self.solver, self.x, &mut self.state, ctx);
            if step == Err(SolveError::Linear(LinearError::Interrupted)) {
                break Status::Interrupted;
            }
            match step? {
                Step::Advanced => {
                    self.steps += 1;
                    // Where the number of steps is known, those before the last ones would only be overwritten.
                    if stop.expected().is_none_or(|last| self.steps + self.trail.capacity() > last) {
                        self.trail.push(self.state.latent(), self.state.grad_z());
                    }
                }
                Step::Restarted => {
                    self.steps = 0;
                    self.trail.clear();
                    self.trail.push(self.state.latent(), self.state.grad_z());
                    self.recorder.begin(self.problem, self.solver, self.x, &self.state, ctx)?;
                }
                Step::Stalled => break Status::Stalled,
            }
        };
        self.cost = self.cost.then(ctx.since(mark));
        Ok(())
    }

    /// What the solve cost, recording included; its memory is what was recorded and the scratch of a step.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.cost.and_bytes(self.recorder.cost().peak_bytes)
    }

    /// What z_T alone cost, without recording.
    #[must_use]
    pub fn cost_of_z(&self) -> Cost {
        self.cost.without(self.recorder.cost())
    }
}

impl<'a, P: ?Sized, S: Solver<P>, R> Solution<'a, P, S, R> {
    /// The problem.
    #[must_use]
    pub fn problem(&self) -> &'a P {
        self.problem
    }

    /// The solver.
    #[must_use]
    pub fn solver(&self) -> &'a S {
        self.solver
    }

    /// The parameter x, length p.
    #[must_use]
    pub fn x(&self) -> &'a [f64] {
        self.x
    }

    /// z_T, length m.
    #[must_use]
    pub fn z(&self) -> &[f64] {
        self.state.latent()
    }

    /// (z_T, x), with what is known there.
    #[must_use]
    pub fn point(&self) -> Point<'_> {
        self.state.at(self.x)
    }

    /// The solver's state at z_T.
    #[must_use]
    pub fn state(&self) -> &S::State {
        &self.state
    }

    /// The last iterates with their gradients, as far as [`Solve::trail`](super::Solve::trail) asked for them.
    #[must_use]
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// What was recorded.
    #[must_use]
    pub fn recorder(&self) -> &R {
        &self.recorder
    }

    /// How the solve ended.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// T, the steps taken.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The residual of z_T; `‖grad_z L(z_T, x)‖` for smooth problems.
    #[must_use]
    pub fn residual(&self) -> f64 {
        self.state.residual()
    }

    /// The residual of z_0, which tolerances are relative to.
    #[must_use]
    pub fn initial_residual(&self) -> f64 {
        self.initial_residual
    }

    /// Takes z_T out, for a warm start for instance.
    #[must_use]
    pub fn into_z(self) -> Vec<f64>
    where
        P: Objective,
    {
        self.state.into_latent()
    }
}

impl<P: ?Sized, S: Solver<P>, R> std::fmt::Debug for Solution<'_, P, S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Solution")
            .field("status", &self.status)
            .field("steps", &self.steps)
            .field("residual", &self.state.residual())
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}
