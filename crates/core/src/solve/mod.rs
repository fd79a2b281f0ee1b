//! One driver for every solver: it owns stopping, the check for non-finite numbers, the clock, recording and observing.
//!
//! [`Solve`] binds problem, solver and parameter; its result, a [`Solution`], keeps them bound to z_T and to what was
//! recorded on the way, so that an estimator cannot be given pieces that do not belong together.

mod observer;
mod recorder;
mod solution;
mod stop;
mod trail;

pub use observer::{Observer, Seen};
pub use recorder::{NoTape, Recorder};
pub use solution::Solution;
pub use stop::{Status, Stop};
pub use trail::Trail;

use crate::ctx::Ctx;
use crate::problem::Objective;
use crate::solver::{SolveError, Solver, check_vector};

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
    trail: usize,
}

impl<'a, P: Objective + ?Sized, S: Solver<P>> Solve<'a, P, S> {
    /// Minimise `problem` in z at the parameter `x` (length p) by `solver`, from z_0 = 0, to the default [`Stop`].
    pub fn new(problem: &'a P, solver: &'a S, x: &'a [f64]) -> Self {
        Self { problem, solver, x, initial: None, stop: Stop::default(), recorder: NoTape, observer: None, trail: 0 }
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
        let Self { problem, solver, x, initial, stop, recorder: _, observer, trail } = self;
        Solve { problem, solver, x, initial, stop, recorder, observer, trail }
    }

    /// Keep the last `pairs` iterates with their gradients, 2 m numbers each: certificates mix a better point from them. 10 are a
    /// good number.
    pub fn trail(self, pairs: usize) -> Self {
        Self { trail: pairs, ..self }
    }

    /// Let `observer` look at each step.
    pub fn observe(self, observer: &'a mut dyn Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Solves.
    ///
    /// # Errors
    ///
    /// [`SolveError`] for a vector of the wrong length or not finite, for an x that the problem refuses, and for settings that do not suit the problem.
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
        let Self { problem, solver, x, initial, stop, recorder, observer, trail } = self;
        stop.check()?;
        check_vector("x", problem.parameter_len(), x)?;
        problem.check_parameter(x)?;
        let zeros = if initial.is_none() { vec![0.0; problem.latent_len()] } else { Vec::new() };
        let initial = initial.unwrap_or(&zeros);
        check_vector("the initial z", problem.latent_len(), initial)?;
        let mut solution = Solution::start(problem, solver, x, initial, recorder, trail, ctx)?;
        solution.advance(stop, observer, ctx)?;
        Ok(solution)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::design::Design;
    use crate::estimator::{Analytic, EstimateError};
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
