//! One driver for every solver: it owns stopping, the check for non-finite numbers, the clock, recording and observing.
//!
//! [`Solve`] binds problem, solver and parameter; its result, a [`Solution`], keeps them bound to z_T and to what was
//! recorded on the way, so that an estimator cannot be given pieces that do not belong together.

use std::ops::ControlFlow;

use thiserror::Error;

use crate::ctx::{Cost, Ctx, Phase};
use crate::estimator::{EstimateError, Estimator, Gradient};
use crate::linear::LinearError;
use crate::outer::Envelope;
use crate::problem::{Objective, Point};
use crate::solver::{Solver, State, Step};

/// Why a solve could not be done.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum SolveError {
    /// A vector has the wrong length.
    #[error("{what} has length {found}, expected {expected}")]
    Length {
        /// Which vector.
        what: &'static str,
        /// The length that the problem asks for.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// A vector holds NaN or infinity.
    #[error("{what}: entry {position} (from 0) is {value}, expected a finite number")]
    NotFinite {
        /// Which vector.
        what: &'static str,
        /// Where, from 0.
        position: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// The step size is not a positive finite number.
    #[error("step is {step}, expected a finite number above 0")]
    InvalidStep {
        /// What was given.
        step: f64,
    },
    /// The tolerance is negative or NaN.
    #[error("tolerance is {tolerance}, expected a number at least 0")]
    InvalidTolerance {
        /// What was given.
        tolerance: f64,
    },
    /// An automatic step was asked for, and the problem knows no bound on its curvature.
    #[error("the problem knows no bound on its curvature to choose a step from: give a step")]
    UnknownSmoothness,
    /// L rose at every automatic step tried, down to the one told.
    #[error("L rises even with a step of {step:e}: its derivatives are wrong, or it is not convex")]
    NoDescent {
        /// The last step tried.
        step: f64,
    },
    /// A step's linear system has no usable solution.
    #[error(transparent)]
    Linear(#[from] LinearError),
    /// What is to be recorded does not fit into memory.
    #[error("{bytes} bytes to record the solve could not be allocated")]
    OutOfMemory {
        /// What was asked for.
        bytes: u64,
    },
}

/// When a solve ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    steps: usize,
    tolerance: Option<f64>,
}

/// Steps at the most where only a tolerance is given.
const DEFAULT_CAP: usize = 10_000;

impl Default for Stop {
    /// A residual 1e-8 times that of z_0, or 10,000 steps.
    fn default() -> Self {
        Self::tolerance(1e-8)
    }
}

impl Stop {
    /// After exactly `steps` steps; 0 is valid.
    #[must_use]
    pub fn steps(steps: usize) -> Self {
        Self { steps, tolerance: None }
    }

    /// As soon as the residual of z_t is at most `tolerance` times that of z_0, within 10,000 steps unless
    /// [`Stop::within`] says otherwise.
    #[must_use]
    pub fn tolerance(tolerance: f64) -> Self {
        Self { steps: DEFAULT_CAP, tolerance: Some(tolerance) }
    }

    /// With at most `steps` steps.
    #[must_use]
    pub fn within(self, steps: usize) -> Self {
        Self { steps, ..self }
    }
}

/// How a solve ended. Stopping early is no error: inexact z_t are what this project is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The number of steps asked for was taken; no tolerance was asked.
    StepsTaken,
    /// The tolerance was met.
    Converged,
    /// The tolerance was not met within the steps allowed.
    IterationCap,
    /// The solver found nothing better than z_t in this arithmetic before the tolerance was met.
    Stalled,
    /// An observer, or whoever watches, asked to end.
    Interrupted,
    /// A number overflowed: z_t or its gradient is not finite, and no gradient can be had from it.
    Diverged,
}

impl Status {
    /// A short name for reports, in kebab case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StepsTaken => "steps-taken",
            Self::Converged => "converged",
            Self::IterationCap => "iteration-cap",
            Self::Stalled => "stalled",
            Self::Interrupted => "interrupted",
            Self::Diverged => "diverged",
        }
    }
}

/// Takes each step of a solver and keeps what its gradients will need.
pub trait Recorder<P: ?Sized, S: Solver<P>> {
    /// Called at z_0, and again whenever the solver went back to z_0: what was recorded before is void.
    ///
    /// # Errors
    ///
    /// [`SolveError`] where the recorder's settings do not suit the problem.
    fn begin(&mut self, problem: &P, solver: &S, x: &[f64], state: &S::State, ctx: &mut Ctx) -> Result<(), SolveError>;

    /// Takes step t -> t + 1, with exactly the result of [`Solver::step`].
    ///
    /// # Errors
    ///
    /// Those of the step.
    fn step(
        &mut self,
        problem: &P,
        solver: &S,
        x: &[f64],
        state: &mut S::State,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError>;

    /// Bytes held by what is recorded.
    fn bytes(&self) -> u64;
}

/// Records nothing: enough for g1 and g3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoTape;

impl<P: ?Sized, S: Solver<P>> Recorder<P, S> for NoTape {
    fn begin(&mut self, _: &P, _: &S, _: &[f64], _: &S::State, _: &mut Ctx) -> Result<(), SolveError> {
        Ok(())
    }

    fn step(
        &mut self,
        problem: &P,
        solver: &S,
        x: &[f64],
        state: &mut S::State,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        solver.step(problem, x, state, ctx)
    }

    fn bytes(&self) -> u64 {
        0
    }
}

/// What an [`Observer`] sees after each step, and once at z_0.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// t.
    pub steps: usize,
    /// z_t, length m.
    pub z: &'a [f64],
    /// The residual of z_t.
    pub residual: f64,
}

/// Looks at a solve; it never changes it, but may end it by `Break`. Any `FnMut(Seen) -> ControlFlow<()>` is one.
pub trait Observer {
    /// Called at z_0 and after each step.
    fn see(&mut self, seen: Seen<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(Seen<'_>) -> ControlFlow<()>> Observer for F {
    fn see(&mut self, seen: Seen<'_>) -> ControlFlow<()> {
        self(seen)
    }
}

/// A solve to be done: problem, solver and parameter, and when to stop.
///
/// Bind the solver to a name of its own (`let solver = GradientDescent::default();`): the solution borrows it.
#[must_use = "nothing is computed before `run`"]
pub struct Solve<'a, P: ?Sized, S, R = NoTape> {
    problem: &'a P,
    solver: &'a S,
    x: &'a [f64],
    initial: Option<&'a [f64]>,
    stop: Stop,
    recorder: R,
    observer: Option<&'a mut dyn Observer>,
}

impl<'a, P: Objective + ?Sized, S: Solver<P>> Solve<'a, P, S> {
    /// Minimise `problem` in z at the parameter `x` (length p) by `solver`, from z_0 = 0, to the default [`Stop`].
    pub fn new(problem: &'a P, solver: &'a S, x: &'a [f64]) -> Self {
        Self { problem, solver, x, initial: None, stop: Stop::default(), recorder: NoTape, observer: None }
    }
}

impl<'a, P: Objective + ?Sized, S: Solver<P>, R: Recorder<P, S>> Solve<'a, P, S, R> {
    /// When to stop.
    pub fn stop(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// Start from z_0 = `initial` (length m) instead of 0; a warm start.
    pub fn from(self, initial: &'a [f64]) -> Self {
        Self { initial: Some(initial), ..self }
    }

    /// Record with `recorder`, which the unrolled estimators need.
    pub fn record<R2: Recorder<P, S>>(self, recorder: R2) -> Solve<'a, P, S, R2> {
        let Self { problem, solver, x, initial, stop, recorder: _, observer } = self;
        Solve { problem, solver, x, initial, stop, recorder, observer }
    }

    /// Let `observer` look at each step.
    pub fn observe(self, observer: &'a mut dyn Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Solves.
    ///
    /// # Errors
    ///
    /// [`SolveError`] for a vector of the wrong length or not finite, and for settings that do not suit the problem.
    /// Running out of steps, or diverging, is a [`Status`].
    pub fn run(self) -> Result<Solution<'a, P, S, R>, SolveError> {
        self.run_in(&mut Ctx::new())
    }

    /// Solves within `ctx`: its scratch memory is reused, its watch is called at each step.
    ///
    /// # Errors
    ///
    /// As [`Solve::run`].
    pub fn run_in(self, ctx: &mut Ctx) -> Result<Solution<'a, P, S, R>, SolveError> {
        let Self { problem, solver, x, initial, stop, mut recorder, observer } = self;
        check_vector("x", problem.parameter_len(), x)?;
        let zeros = if initial.is_none() { vec![0.0; problem.latent_len()] } else { Vec::new() };
        let initial = initial.unwrap_or(&zeros);
        check_vector("the initial z", problem.latent_len(), initial)?;
        let mark = ctx.mark();
        let state = solver.init(problem, x, initial, ctx)?;
        recorder.begin(problem, solver, x, &state, ctx)?;
        let initial_residual = state.residual();
        let cost = ctx.since(mark);
        let mut solution = Solution {
            problem,
            solver,
            x,
            state,
            recorder,
            status: Status::StepsTaken,
            steps: 0,
            initial_residual,
            cost,
        };
        solution.advance(stop, observer, ctx)?;
        Ok(solution)
    }
}

/// That `vector`, called `what` in messages, has length `expected` and finite entries.
///
/// # Errors
///
/// [`SolveError::Length`] or [`SolveError::NotFinite`].
pub fn check_vector(what: &'static str, expected: usize, vector: &[f64]) -> Result<(), SolveError> {
    if vector.len() != expected {
        return Err(SolveError::Length { what, expected, found: vector.len() });
    }
    match vector.iter().position(|v| !v.is_finite()) {
        Some(position) => Err(SolveError::NotFinite { what, position, value: vector[position] }),
        None => Ok(()),
    }
}

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
}

impl<'a, P: Objective + ?Sized, S: Solver<P>, R: Recorder<P, S>> Solution<'a, P, S, R> {
    /// Goes on from z_T until `stop`, whose number of steps counts from z_0 on. One trajectory, looked at on the way.
    ///
    /// # Errors
    ///
    /// As [`Solve::run`].
    pub fn resume(&mut self, stop: Stop, ctx: &mut Ctx) -> Result<(), SolveError> {
        self.advance(stop, None, ctx)
    }

    fn advance(
        &mut self,
        stop: Stop,
        mut observer: Option<&mut dyn Observer>,
        ctx: &mut Ctx,
    ) -> Result<(), SolveError> {
        if let Some(tolerance) = stop.tolerance.filter(|t| t.is_nan() || *t < 0.0) {
            return Err(SolveError::InvalidTolerance { tolerance });
        }
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
            match stop.tolerance {
                Some(tolerance) if residual <= tolerance * self.initial_residual => break Status::Converged,
                Some(_) if self.steps >= stop.steps => break Status::IterationCap,
                None if self.steps >= stop.steps => break Status::StepsTaken,
                _ => {}
            }
            if ctx.tick(Phase::Solve, self.steps, stop.steps).is_break() {
                break Status::Interrupted;
            }
            match self.recorder.step(self.problem, self.solver, self.x, &mut self.state, ctx)? {
                Step::Advanced => self.steps += 1,
                Step::Restarted => {
                    self.steps = 0;
                    self.recorder.begin(self.problem, self.solver, self.x, &self.state, ctx)?;
                }
                Step::Stalled => break Status::Stalled,
            }
        };
        self.cost = self.cost.then(ctx.since(mark));
        Ok(())
    }

    /// What the solve cost; its memory is what was recorded, and the scratch of a step.
    #[must_use]
    pub fn cost(&self) -> Cost {
        Cost { peak_bytes: self.cost.peak_bytes + self.recorder.bytes(), ..self.cost }
    }

    /// The gradient of l(x) = min_z L(z, x) by `estimator`.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where the estimator cannot give one here.
    pub fn gradient<E: Estimator<P, S, R>>(&self, estimator: &E) -> Result<Gradient, EstimateError> {
        self.gradient_of(&Envelope, estimator)
    }

    /// The gradient of F(x) = f(z*(x), x) by `estimator`, f = `outer`.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where the estimator cannot give one here.
    pub fn gradient_of<F, E>(&self, outer: &F, estimator: &E) -> Result<Gradient, EstimateError>
    where
        F: ?Sized,
        E: Estimator<P, S, R, F>,
    {
        self.gradient_in(outer, estimator, &mut Ctx::new())
    }

    /// As [`Solution::gradient_of`], within `ctx`: its scratch memory is reused, its watch is called.
    ///
    /// # Errors
    ///
    /// [`EstimateError`] where the estimator cannot give one here.
    pub fn gradient_in<F, E>(&self, outer: &F, estimator: &E, ctx: &mut Ctx) -> Result<Gradient, EstimateError>
    where
        F: ?Sized,
        E: Estimator<P, S, R, F>,
    {
        if self.status == Status::Diverged {
            return Err(EstimateError::Diverged { steps: self.steps });
        }
        let mark = ctx.mark();
        let mut gradient = estimator.estimate(self, outer, ctx)?;
        gradient.cost = ctx.since(mark);
        match gradient.value.iter().position(|v| !v.is_finite()) {
            Some(position) => Err(EstimateError::NotFinite { position, value: gradient.value[position] }),
            None => Ok(gradient),
        }
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
        self.state.latent().to_vec()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::estimator::Analytic;
    use crate::problem::glm::Glm;
    use crate::problem::loss::{Logistic, Squared};
    use crate::solver::{GradientDescent, StepSize};
    use crate::testing::random;

    fn problem() -> Glm<Squared> {
        Glm::new(random::design(20, 6, 3, 1), Squared, 0.1).unwrap()
    }

    #[test]
    fn zero_steps_are_valid() {
        let (problem, x, solver) = (problem(), random::vector(20, 2), GradientDescent::default());
        let z0 = random::vector(6, 3);
        let solution = Solve::new(&problem, &solver, &x).from(&z0).stop(Stop::steps(0)).run().unwrap();
        assert_eq!((solution.z(), solution.steps(), solution.status()), (&z0[..], 0, Status::StepsTaken));
        assert!(solution.gradient(&Analytic).is_ok());
    }

    #[test]
    fn a_tolerance_is_relative_to_the_start() {
        let (problem, x, solver) = (problem(), random::vector(20, 2), GradientDescent::default());
        let residual = |stop| Solve::new(&problem, &solver, &x).stop(stop).run().unwrap();
        let start = residual(Stop::steps(0)).residual();
        let solved = residual(Stop::tolerance(1e-3));
        assert_eq!(solved.status(), Status::Converged);
        assert!(solved.residual() <= 1e-3 * start);
        assert!(residual(Stop::steps(solved.steps() - 1)).residual() > 1e-3 * start);
        let capped = residual(Stop::tolerance(1e-3).within(2));
        assert_eq!((capped.status(), capped.steps()), (Status::IterationCap, 2));
        assert_eq!(residual(Stop::tolerance(1.0)).steps(), 0);
        for tolerance in [f64::NAN, -1.0] {
            let error = Solve::new(&problem, &solver, &x).stop(Stop::tolerance(tolerance)).run().unwrap_err();
            assert!(matches!(error, SolveError::InvalidTolerance { .. }));
        }
    }

    #[test]
    fn resuming_is_the_same_trajectory() {
        let (problem, x, solver) = (problem(), random::vector(20, 2), GradientDescent::default());
        let whole = Solve::new(&problem, &solver, &x).stop(Stop::steps(30)).run().unwrap();
        let mut parts = Solve::new(&problem, &solver, &x).stop(Stop::steps(7)).run().unwrap();
        parts.resume(Stop::steps(30), &mut Ctx::new()).unwrap();
        assert_eq!((whole.z(), whole.steps()), (parts.z(), parts.steps()));
        assert_eq!(whole.cost().passes, parts.cost().passes);
    }

    #[test]
    fn observers_see_every_step_and_may_end() {
        let (problem, x, solver) = (problem(), random::vector(20, 2), GradientDescent::default());
        let mut seen = Vec::new();
        let mut observer = |s: Seen<'_>| {
            seen.push((s.steps, s.residual));
            if s.steps == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let solution = Solve::new(&problem, &solver, &x).observe(&mut observer).run().unwrap();
        assert_eq!((solution.status(), solution.steps()), (Status::Interrupted, 4));
        assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert!(seen.windows(2).all(|pair| pair[1].1 < pair[0].1));
    }

    #[test]
    fn a_watch_may_end() {
        let (problem, x, solver) = (problem(), random::vector(20, 2), GradientDescent::new(StepSize::Fixed(0.1)));
        let mut ctx =
            Ctx::watched(Box::new(
                |tick| {
                    if tick.done == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                },
            ));
        let solution = Solve::new(&problem, &solver, &x).run_in(&mut ctx).unwrap();
        assert_eq!((solution.status(), solution.steps()), (Status::Interrupted, 3));
    }

    #[test]
    fn divergence_is_a_status_and_gives_no_gradient() {
        let (problem, x, solver) = (problem(), random::vector(20, 2), GradientDescent::new(StepSize::Fixed(1e200)));
        let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(50)).run().unwrap();
        assert_eq!(solution.status(), Status::Diverged);
        assert!(solution.steps() < 5, "{solution:?}");
        assert!(matches!(solution.gradient(&Analytic), Err(EstimateError::Diverged { .. })));
    }

    #[test]
    fn vectors_are_checked_before_any_work() {
        let (problem, solver) = (problem(), GradientDescent::default());
        let error = |x: &[f64], z: &[f64]| Solve::new(&problem, &solver, x).from(z).run().unwrap_err();
        assert_eq!(error(&[0.0; 19], &[0.0; 6]).to_string(), "x has length 19, expected 20");
        assert!(matches!(error(&[0.0; 20], &[0.0; 7]), SolveError::Length { expected: 6, found: 7, .. }));
        let mut x = [0.0; 20];
        x[4] = f64::INFINITY;
        assert!(matches!(error(&x, &[0.0; 6]), SolveError::NotFinite { what: "x", position: 4, .. }));
        assert!(matches!(error(&[0.0; 20], &[f64::NAN; 6]), SolveError::NotFinite { position: 0, .. }));
    }

    #[test]
    fn empty_designs_are_solved() {
        for (n, m) in [(0, 0), (0, 3), (3, 0)] {
            let problem = Glm::new(Design::from_triplets(n, m, &[]).unwrap(), Logistic, 0.5).unwrap();
            let (x, solver) = (vec![1.0; n], GradientDescent::default());
            let solution = Solve::new(&problem, &solver, &x).run().unwrap();
            assert_eq!((solution.z().len(), solution.status()), (m, Status::Converged));
            assert_eq!(solution.gradient(&Analytic).unwrap().value, vec![-0.0; n]);
        }
    }
}
