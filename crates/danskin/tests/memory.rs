//! g2 in a budget of memory, over the last steps, and of quadratic problems: the bits are those over a full tape, what is held
//! stays within the budget, and the steps taken again are those of the formula.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use danskin::ctx::{Phase, bytes_of};
use danskin::estimator::EstimateError;
use danskin::prelude::*;
use danskin::solve::Recorder;
use danskin::testing::{check_problem, check_replay, random};
use danskin::unrolled::{Schedule, Sizes};
use danskin::vector::{axpy, norm};
use proptest::prelude::*;

/// What every solver that can take its steps again is put to. A new one is one line here.
trait ForEachReplayed {
    fn with<P: Problem, S: Replay<P>>(&mut self, name: &str, problem: &P, x: &[f64], solver: &S);

    fn for_each<P: FiniteSum>(&mut self, problem: &P, x: &[f64]) {
        self.with("gradient descent", problem, x, &GradientDescent::default());
        self.with("gradient descent, a step given", problem, x, &GradientDescent::new(StepSize::Fixed(0.01)));
        self.with("nesterov", problem, x, &Nesterov::default());
        let restarted = Nesterov::default().momentum(Momentum::Fixed(0.95)).restart(true);
        self.with("nesterov restarted", problem, x, &restarted);
        self.with("heavy ball", problem, x, &HeavyBall::default());
        self.with("backtracking", problem, x, &Backtracking::default());
        let stochastic = Sgd::new(Decay::constant(0.005)).batch(3);
        self.with("stochastic", problem, x, &stochastic);
        self.with("stochastic, averaged", problem, x, &stochastic.averaged());
        self.with("svrg", problem, x, &Svrg::new(0.005).batch(3).epoch(9));
    }

    /// Rows more and fewer than columns, all parameters, with and without strong convexity, a quadratic problem.
    fn for_each_problem(&mut self, n: usize, m: usize, seed: u64, wrt: Wrt) {
        let design = Arc::new(random::design(n, m, 4, seed));
        let labels = random::labels(n, seed + 1);
        let (problem, x) = Glm::new(Arc::clone(&design), Logistic, 0.05).unwrap().wrt(wrt, labels.clone()).unwrap();
        self.for_each(&problem, &x);
        let lambda = if wrt == Wrt::Regularisation { 0.1 } else { 0.0 };
        let (problem, x) = Glm::new(Arc::clone(&design), Squared, lambda).unwrap().wrt(wrt, labels).unwrap();
        self.for_each(&problem, &x);
    }
}

/// Numbers of a budget, `share` of the way from the least to what holds every record.
fn budget(sizes: Sizes, steps: usize, share: f64) -> usize {
    let all = sizes.checkpoint + steps * sizes.record;
    sizes.least() + (share * all.saturating_sub(sizes.least()) as f64) as usize
}

/// Over a solve of `steps` steps, stopped on the way at `first`, with or without a gradient there; either number is known
/// beforehand or not.
struct SameBits {
    steps: usize,
    first: usize,
    known: [bool; 2],
    gradient_on_the_way: bool,
    share: f64,
}

impl ForEachReplayed for SameBits {
    fn with<P: Problem, S: Replay<P>>(&mut self, name: &str, problem: &P, x: &[f64], solver: &S) {
        let Self { steps, first, known, gradient_on_the_way, share } = *self;
        // A tolerance that is never met leaves the number of steps open.
        let stop = |k: usize, t| if known[k] { Stop::steps(t) } else { Stop::tolerance(0.0).within(t) };
        let outer = Linear(random::vector(problem.latent_len(), 9));
        let mut taped = Solve::new(problem, solver, x).stop(stop(0, first)).record(Tape::new()).run().unwrap();
        taped.resume(stop(1, steps), &mut Ctx::new()).unwrap();
        let expected = taped.gradient_of(&outer, &Automatic).unwrap();

        let sizes = Sizes::of(problem, solver);
        let bytes = bytes_of(budget(sizes, steps, share)) + 7;
        let solve = Solve::new(problem, solver, x).record(Checkpoints::within(bytes)).stop(stop(0, first));
        let mut solution = solve.run().unwrap();
        if gradient_on_the_way {
            let early = Solve::new(problem, solver, x).stop(stop(0, first)).record(Tape::new()).run().unwrap();
            let early = early.gradient_of(&outer, &Automatic).unwrap().value;
            assert!(solution.gradient_of(&outer, &Automatic).unwrap().value == early, "{name}, on the way");
        }
        solution.resume(stop(1, steps), &mut Ctx::new()).unwrap();
        assert_eq!((solution.steps(), solution.status()), (taped.steps(), taped.status()), "{name}");
        assert!(solution.z() == taped.z(), "{name}: z");
        assert_eq!(solution.cost_of_z().passes, taped.cost_of_z().passes, "{name}");
        for again in 0..2 {
            let found = solution.gradient_of(&outer, &Automatic).unwrap();
            assert!(found.value == expected.value, "{name}, gradient {again}: {}", first_difference(&found, &expected));
            assert!(found.cost.passes >= expected.cost.passes);
            let held = Recorder::<P, S>::cost(solution.recorder()).peak_bytes;
            assert!(held <= bytes, "{name}: {held} bytes held, {bytes} allowed");
        }
    }
}

fn first_difference(a: &Gradient, b: &Gradient) -> String {
    let differ = a.value.iter().zip(&b.value).position(|(a, b)| a.to_bits() != b.to_bits());
    format!("{differ:?} of {}", a.value.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_bits_are_the_same_at_every_budget(
        (n, m) in (1usize..20, 1usize..20),
        seed in 0u64..10_000,
        wrt in proptest::sample::select(&Wrt::ALL[..]),
        (steps, first) in (0usize..60, 0.0f64..1.0),
        known: [bool; 2],
        gradient_on_the_way: bool,
        share in prop_oneof![Just(0.0), 0.0f64..1.0, Just(1.0)],
    ) {
        let first = (first * steps as f64) as usize;
        SameBits { steps, first, known, gradient_on_the_way, share }.for_each_problem(n, m, seed, wrt);
    }
}

/// Passes of a gradient beyond its pulls, as counted by the context, against the formula.
struct Counted {
    steps: usize,
    share: f64,
}

impl ForEachReplayed for Counted {
    fn with<P: Problem, S: Replay<P>>(&mut self, name: &str, problem: &P, x: &[f64], solver: &S) {
        let Self { steps, share } = *self;
        let sizes = Sizes::of(problem, solver);
        let budget = budget(sizes, steps, share);
        let solve = |stop| Solve::new(problem, solver, x).stop(stop).record(Checkpoints::within(bytes_of(budget)));
        let taped = Solve::new(problem, solver, x).stop(Stop::steps(steps)).record(Tape::new()).run().unwrap();
        let pulls = taped.gradient(&Automatic).unwrap().cost.passes;
        let z = taped.cost().passes;

        let known = solve(Stop::steps(steps)).run().unwrap();
        let schedule = Schedule::fewest(budget, sizes, steps).unwrap();
        assert_eq!((known.cost().passes, known.recorder().schedule()), (z, schedule), "{name}");
        let cost = known.gradient(&Automatic).unwrap().cost;
        let again = schedule.recomputed(steps) + schedule.restores(steps);
        let what = format!("{name}, {steps} steps, {budget} numbers: {schedule:?}");
        assert_eq!(cost.passes, pulls + again, "{what}");
        assert_eq!(cost.second_order_products, steps as u64);

        let unknown = solve(Stop::tolerance(0.0).within(steps)).run().unwrap();
        assert_eq!(unknown.cost().passes, z, "{name}");
        let cost = unknown.gradient(&Automatic).unwrap().cost;
        // All of the steps, from z_0, and then as before.
        let fits = again == 0;
        assert_eq!(cost.passes, pulls + again + if fits { 0 } else { steps as u64 + 1 }, "{what}");
    }
}

/// The solvers each of whose steps takes one pass.
struct OfOnePass<T>(T);

impl<T: ForEachReplayed> ForEachReplayed for OfOnePass<T> {
    fn with<P: Problem, S: Replay<P>>(&mut self, name: &str, problem: &P, x: &[f64], solver: &S) {
        // As many passes as it has trials, and some rows of one.
        if !["backtracking", "stochastic", "stochastic, averaged", "svrg"].contains(&name) {
            self.0.with(name, problem, x, solver);
        }
    }
}

#[test]
fn steps_taken_again_are_those_of_the_formula() {
    for (n, m) in [(30, 8), (8, 30)] {
        for steps in [1, 2, 17, 60, 150] {
            for share in [0.0, 0.02, 0.1, 0.3, 0.7, 0.99, 1.0] {
                let counted = Counted { steps, share };
                OfOnePass(counted).for_each_problem(n, m, 1, Wrt::Targets);
            }
        }
    }
}

#[test]
fn a_solve_that_goes_on_before_a_checkpoint_is_used_loses_nothing() {
    // Stopped where it was going to, and gone on within the block: nothing is taken again that the formula would not.
    let problem = Glm::new(random::design(30, 8, 4, 1), Logistic, 0.1).unwrap();
    let (x, solver) = (random::labels(30, 2), GradientDescent::new(StepSize::Fixed(0.05)));
    let bytes = 8 * 8 * 41;
    let whole =
        Solve::new(&problem, &solver, &x).stop(Stop::steps(40)).record(Checkpoints::within(bytes)).run().unwrap();
    assert_eq!(whole.gradient(&Automatic).unwrap().cost.passes, 40);
    let mut parts =
        Solve::new(&problem, &solver, &x).stop(Stop::steps(3)).record(Checkpoints::within(bytes)).run().unwrap();
    for t in [10, 25, 40] {
        parts.resume(Stop::steps(t), &mut Ctx::new()).unwrap();
        assert_eq!(parts.gradient(&Automatic).unwrap().cost.passes, t as u64);
    }
    // One step more than fits, and everything from z_0 is taken again.
    parts.resume(Stop::steps(41), &mut Ctx::new()).unwrap();
    let (again, whole) = (parts.gradient(&Automatic).unwrap(), whole.gradient(&Automatic).unwrap());
    assert!(again.cost.passes > 41 + 40 && again.cost.passes < 41 + 40 + 10, "{}", again.cost.passes);
    assert_ne!(again.value, whole.value);
    // A solve that goes on to many more steps before its first checkpoint is as one that expected them.
    let mut early =
        Solve::new(&problem, &solver, &x).stop(Stop::steps(3)).record(Checkpoints::within(bytes)).run().unwrap();
    early.resume(Stop::steps(400), &mut Ctx::new()).unwrap();
    let schedule = Schedule::fewest(bytes as usize / 8, Sizes::of(&problem, &solver), 400).unwrap();
    assert_eq!(early.recorder().schedule(), schedule);
    let again = schedule.recomputed(400) + schedule.restores(400);
    assert_eq!(early.gradient(&Automatic).unwrap().cost.passes, 400 + again);
}

/// A problem that says this of itself instead of what is so.
struct Saying<P> {
    problem: P,
    has_constant_second_derivatives: bool,
    /// What its smoothness is multiplied by.
    smoothness: f64,
}

impl<P: Problem> Objective for Saying<P> {
    fn dims(&self) -> (usize, usize) {
        self.problem.dims()
    }

    fn memo_len(&self) -> usize {
        self.problem.memo_len()
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        self.problem.value(at, ctx)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
        self.problem.grad_z(z, x, out, memo, ctx);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        self.problem.grad_x(at, scale, out, ctx);
    }
}

impl<P: Problem> Problem for Saying<P> {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.problem.hess(at, v, out, ctx);
    }

    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        self.problem.cross(at, v, scale, out, ctx);
    }

    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.problem.cross_t(at, w, out, ctx);
    }

    fn hess_cross(
        &self,
        at: Point<'_>,
        v: &[f64],
        hess_out: &mut [f64],
        scale: f64,
        cross_out: &mut [f64],
        ctx: &mut Ctx,
    ) {
        self.problem.hess_cross(at, v, hess_out, scale, cross_out, ctx);
    }

    fn grad_z_tangent(&self, at: Point<'_>, dz: &[f64], dx: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.problem.grad_z_tangent(at, dz, dx, out, ctx);
    }

    fn has_constant_second_derivatives(&self) -> bool {
        self.has_constant_second_derivatives
    }

    fn memo_replaces_latent(&self) -> bool {
        self.problem.memo_replaces_latent()
    }

    fn smoothness(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<f64> {
        Some(self.smoothness * self.problem.smoothness(at, ctx)?)
    }

    fn strong_convexity(&self, x: &[f64]) -> f64 {
        self.problem.strong_convexity(x)
    }
}

/// A problem that counts how often its value is asked for, and a product without the memo.
struct Watched<P> {
    problem: P,
    values: AtomicUsize,
    without_memo: AtomicUsize,
}

impl<P> Watched<P> {
    fn new(problem: P) -> Self {
        Self { problem, values: AtomicUsize::new(0), without_memo: AtomicUsize::new(0) }
    }

    fn count(&self, at: Point<'_>) {
        self.without_memo.fetch_add(usize::from(at.memo.is_empty()), Ordering::Relaxed);
    }
}

impl<P: Problem> Objective for Watched<P> {
    fn dims(&self) -> (usize, usize) {
        self.problem.dims()
    }

    fn memo_len(&self) -> usize {
        self.problem.memo_len()
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        self.values.fetch_add(1, Ordering::Relaxed);
        self.problem.value(at, ctx)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
        self.problem.grad_z(z, x, out, memo, ctx);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        self.problem.grad_x(at, scale, out, ctx);
    }
}

impl<P: Problem> Problem for Watched<P> {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.count(at);
        self.problem.hess(at, v, out, ctx);
    }

    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        self.count(at);
        self.problem.cross(at, v, scale, out, ctx);
    }

    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.problem.cross_t(at, w, out, ctx);
    }

    fn has_constant_second_derivatives(&self) -> bool {
        self.problem.has_constant_second_derivatives()
    }

    fn smoothness(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<f64> {
        self.problem.smoothness(at, ctx)
    }
}

#[test]
fn automatic_steps_that_were_kept_are_not_judged_again() {
    // At other steps than before, a rise that was not looked at might be found, and the replay go back to z_0.
    let problem = Glm::new(random::design(30, 8, 4, 1), Logistic, 0.1).unwrap();
    let problem = Watched::new(problem);
    let (x, solver) = (random::labels(30, 2), GradientDescent::default());
    let solve = Solve::new(&problem, &solver, &x).stop(Stop::steps(80)).record(Checkpoints::within(bytes_of(50)));
    let solution = solve.run().unwrap();
    let before = problem.values.load(Ordering::Relaxed);
    assert!(before > 0 && solution.gradient(&Automatic).unwrap().cost.passes > 160);
    assert_eq!(problem.values.load(Ordering::Relaxed), before);
}

#[test]
fn automatic_steps_that_are_halved_void_what_was_recorded() {
    for (n, m) in [(40, 12), (12, 40)] {
        // Automatic steps are ten times too long.
        let problem = Saying {
            problem: Glm::new(random::design(n, m, 4, 1), Power::new(3.0).unwrap(), 0.1).unwrap(),
            has_constant_second_derivatives: false,
            smoothness: 0.1,
        };
        let (x, solver) = (random::vector(n, 2), GradientDescent::default());
        for known in [true, false] {
            let stop = if known { Stop::steps(50) } else { Stop::tolerance(0.0).within(50) };
            let taped = Solve::new(&problem, &solver, &x).stop(stop).record(Tape::new()).run().unwrap();
            assert!(taped.state().halvings() > 0);
            let expected = taped.gradient(&Automatic).unwrap();
            for numbers in [2 * n.max(m), 200, 400, 1000, 5000] {
                let solve = Solve::new(&problem, &solver, &x).stop(stop).record(Checkpoints::within(bytes_of(numbers)));
                let solution = solve.run().unwrap();
                let found = solution.gradient(&Automatic).unwrap();
                assert!(found.value == expected.value, "{n} x {m}, {numbers}, {known}");
                let schedule = Schedule::fewest(numbers, Sizes::of(&problem, &solver), 50).unwrap();
                let again = schedule.recomputed(50) + schedule.restores(50);
                let count = if known || again == 0 { 0 } else { 50 + 1 };
                assert_eq!(found.cost.passes, expected.cost.passes + again + count, "{n} x {m}, {numbers}, {known}");
            }
        }
    }
}

#[test]
fn the_least_budget_is_said_and_is_enough() {
    let problem = Glm::new(random::design(30, 8, 4, 1), Logistic, 0.1).unwrap();
    let x = random::labels(30, 2);
    let solver = Nesterov::default();
    let solve = |bytes| Solve::new(&problem, &solver, &x).stop(Stop::steps(9)).record(Checkpoints::within(bytes)).run();
    // z_0, s_0 and theta; z_t and beta.
    let least = 8 * (8 + 8 + 1) + 8 * (8 + 1);
    let error = solve(least - 1).unwrap_err();
    assert_eq!(error, SolveError::Budget { budget: least - 1, least });
    assert_eq!(error.to_string(), "a budget of 207 bytes is too small to record the solve: it takes 208 at the least");
    assert!(solve(least).unwrap().gradient(&Automatic).is_ok());
}

#[test]
fn a_replay_ticks_and_can_be_interrupted_and_begun_again() {
    let problem = Glm::new(random::design(30, 8, 4, 1), Logistic, 0.1).unwrap();
    let (x, solver) = (random::labels(30, 2), HeavyBall::default());
    let expected = Solve::new(&problem, &solver, &x).stop(Stop::steps(80)).record(Tape::new()).run().unwrap();
    let expected = expected.gradient(&Automatic).unwrap().value;
    let run = || {
        let solve = Solve::new(&problem, &solver, &x).stop(Stop::steps(80)).record(Checkpoints::within(bytes_of(70)));
        solve.run().unwrap()
    };
    let ticks = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&ticks);
    let mut ctx = Ctx::watched(Box::new(move |tick| {
        let before = seen.fetch_add(1, Ordering::Relaxed);
        assert!(tick.phase == Phase::Reverse && tick.done == before + 1 && tick.done <= tick.total, "{tick:?}");
        ControlFlow::Continue(())
    }));
    let solution = run();
    let found = solution.gradient_in(&Envelope, &Automatic, &mut ctx).unwrap();
    let again = solution.recorder().schedule().recomputed(80);
    assert!(again > 80);
    assert_eq!(ticks.load(Ordering::Relaxed) as u64, 80 + again);
    assert!(found.value == expected);

    for end in (1..80 + again as usize).step_by(7) {
        let mut solution = run();
        let mut ctx =
            Ctx::watched(Box::new(
                move |tick| {
                    if tick.done >= end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                },
            ));
        let error = solution.gradient_in(&Envelope, &Automatic, &mut ctx).unwrap_err();
        assert_eq!(error, EstimateError::Interrupted);
        // What is left of the checkpoints is enough, for a gradient at once or after more steps.
        if end % 2 == 0 {
            assert!(solution.gradient(&Automatic).unwrap().value == expected, "after {end}");
        }
        solution.resume(Stop::steps(100), &mut Ctx::new()).unwrap();
        let later = Solve::new(&problem, &solver, &x).stop(Stop::steps(100)).record(Tape::new()).run().unwrap();
        assert!(solution.gradient(&Automatic).unwrap().value == later.gradient(&Automatic).unwrap().value, "{end}");
    }
}

#[test]
fn peak_bytes_hold_checkpoints_records_and_the_state_of_a_replay() {
    let (n, m, steps) = (300, 200, 100);
    let problem = Glm::new(random::design(n, m, 4, 1), Logistic, 0.1).unwrap();
    let (x, solver) = (random::labels(n, 2), GradientDescent::new(StepSize::Fixed(0.05)));
    let budget = bytes_of(12 * m);
    let solve = |stop| Solve::new(&problem, &solver, &x).stop(stop).record(Checkpoints::within(budget)).run().unwrap();
    let held = |solution: &Solution<'_, Glm<Logistic>, GradientDescent, Checkpoints>| {
        Recorder::<Glm<Logistic>, GradientDescent>::cost(solution.recorder()).peak_bytes
    };
    let taped = Solve::new(&problem, &solver, &x).stop(Stop::steps(steps)).record(Tape::new()).run().unwrap();
    let scratch = taped.gradient(&Automatic).unwrap().cost.peak_bytes;
    let state = bytes_of(2 * m + n);
    for stop in [Stop::steps(steps), Stop::tolerance(0.0).within(steps)] {
        let solution = solve(stop);
        assert_eq!(held(&solution), budget);
        assert_eq!(solution.gradient(&Automatic).unwrap().cost.peak_bytes, scratch + state);
        assert_eq!(held(&solution), budget);
    }
    // What only the gradient holds is its own cost: a solve that ends at once has z_0 alone.
    let mut ctx = Ctx::watched(Box::new(|_| ControlFlow::Break(())));
    let solve = Solve::new(&problem, &solver, &x).stop(Stop::steps(steps)).record(Checkpoints::within(budget));
    let mut solution = solve.run_in(&mut ctx).unwrap();
    assert_eq!((solution.status(), held(&solution)), (Status::Interrupted, bytes_of(m)));
    // Seven steps on the way to a hundred: passed, and recorded by the gradient.
    let mut observer = |seen: danskin::solve::Seen<'_>| {
        if seen.steps == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let solve = Solve::new(&problem, &solver, &x).stop(Stop::steps(steps)).record(Checkpoints::within(budget));
    solution = solve.observe(&mut observer).run().unwrap();
    assert_eq!(held(&solution), bytes_of(m));
    let own = solution.gradient(&Automatic).unwrap().cost.peak_bytes;
    assert_eq!(own, scratch + state + held(&solution) - bytes_of(m));
    assert!(held(&solution) >= bytes_of(8 * m) && held(&solution) <= budget);
}

/// The last `k` steps pulled by hand, over the records of a full tape: the definition, and its products.
fn truncated<P: Problem, S: Unroll<P>>(
    solution: &Solution<'_, P, S, Tape>,
    outer: &Linear,
    k: usize,
) -> (Vec<f64>, u64) {
    let (problem, solver, x, tape) = (solution.problem(), solution.solver(), solution.x(), solution.recorder());
    let mut dual = vec![0.0; solver.tangent_len(problem)];
    dual[..problem.latent_len()].copy_from_slice(&outer.0);
    let (mut value, mut shift) = (vec![0.0; problem.parameter_len()], vec![0.0; problem.latent_len()]);
    let mut ctx = Ctx::new();
    let mark = ctx.mark();
    for index in (solution.steps() - k..solution.steps()).rev() {
        let record = tape.record(index);
        let mut out = Pulled { x: &mut value, shift: &mut shift };
        solver.pull(Recorded { problem, x, state: solution.state(), index, record }, &mut dual, &mut out, &mut ctx);
    }
    (value, ctx.since(mark).second_order_products)
}

struct Truncated;

impl ForEachReplayed for Truncated {
    fn with<P: Problem, S: Replay<P>>(&mut self, name: &str, problem: &P, x: &[f64], solver: &S) {
        let outer = Linear(random::vector(problem.latent_len(), 9));
        let solve = |steps| Solve::new(problem, solver, x).stop(Stop::steps(steps));
        let taped = solve(25).record(Tape::new()).run().unwrap();
        let whole = taped.gradient_of(&outer, &Automatic).unwrap().value;
        let steps = taped.steps();
        for k in [0, 1, 2, 7, 24, 25, 26, 1000] {
            // In two parts, so that the ring turns.
            let mut last = solve(11).record(Tape::last(k)).run().unwrap();
            last.resume(Stop::steps(25), &mut Ctx::new()).unwrap();
            let found = last.gradient_of(&outer, &Automatic).unwrap();
            let kept = k.min(steps);
            let (expected, products) = truncated(&taped, &outer, kept);
            assert_eq!((last.recorder().len(), found.cost.second_order_products), (kept, products), "{name}");
            // Of terms at z and at the anchor there are two products.
            assert!(name == "svrg" || products == kept as u64, "{name}");
            assert_eq!(Recorder::<P, S>::cost(last.recorder()).peak_bytes, bytes_of(kept * solver.record_len(problem)));
            assert!(last.z() == taped.z() && found.value == expected, "{name}, K = {k}");
            if k >= steps {
                assert!(found.value == whole, "{name}, K = {k}");
            }
        }
    }
}

#[test]
fn the_last_steps_alone_are_the_truncated_gradient() {
    for (n, m) in [(20, 7), (7, 20)] {
        for wrt in Wrt::ALL {
            Truncated.for_each_problem(n, m, 3, wrt);
        }
    }
}

#[test]
fn one_step_is_the_derivative_of_the_last_step() {
    // Of gradient descent: -rho L_xz(z_{T-1}) a, a = grad_z f, without anything of before.
    let problem = Glm::new(random::design(30, 8, 4, 1), Logistic, 0.1).unwrap();
    let (x, rho) = (random::labels(30, 2), 0.05);
    let solver = GradientDescent::new(StepSize::Fixed(rho));
    let outer = Linear(random::vector(8, 3));
    let solve = |steps| Solve::new(&problem, &solver, &x).stop(Stop::steps(steps));
    let found = solve(12).record(Tape::last(1)).run().unwrap().gradient_of(&outer, &Automatic).unwrap().value;
    let before = solve(11).run().unwrap();
    let mut expected = vec![0.0; 30];
    problem.cross(before.point(), &outer.0, -rho, &mut expected, &mut Ctx::new());
    assert!(norm(&expected) > 0.0);
    axpy(-1.0, &found, &mut expected);
    assert!(norm(&expected) <= 1e-15 * norm(&found));
}

fn same_without_a_tape<P: Problem>(problem: P, x: &[f64]) {
    fn with<P: Problem, Q: Problem, S: Replay<P> + Replay<Q>>(solver: &S, plain: &P, taped: &Q, x: &[f64]) {
        fn g2<P: Problem, S: Unroll<P>>(problem: &P, solver: &S, x: &[f64]) -> [Vec<f64>; 2] {
            let solve = || Solve::new(problem, solver, x).stop(Stop::steps(30));
            let reverse = solve().record(Tape::new()).run().unwrap().gradient(&Automatic).unwrap();
            assert_eq!(reverse.cost.passes, 30);
            [reverse.value, solve().record(Tangents::full()).run().unwrap().gradient(&Forward).unwrap().value]
        }
        assert!(g2(plain, solver, x) == g2(taped, solver, x));
        let point = taped.memo_len().min(taped.latent_len());
        let record = <S as Unroll<P>>::record_len(solver, plain);
        assert_eq!(record + point, <S as Unroll<Q>>::record_len(solver, taped));
        assert!(record <= 1);
    }
    let taped = Saying { problem, has_constant_second_derivatives: false, smoothness: 1.0 };
    let (plain, step) = (&taped.problem, StepSize::Fixed(0.01));
    with(&GradientDescent::new(step), plain, &taped, x);
    with(&Nesterov::new(step), plain, &taped, x);
    with(&HeavyBall::new(step), plain, &taped, x);
    with(&Backtracking::default(), plain, &taped, x);
}

#[test]
fn quadratic_problems_take_no_tape_and_have_the_same_bits() {
    for (n, m) in [(40, 12), (12, 40), (25, 25)] {
        let ridge = || Glm::new(random::design(n, m, 4, 1), Squared, 0.3).unwrap();
        let x = random::vector(n, 2);
        let weights: Vec<f64> = random::vector(n, 3).iter().map(|w| 1.0 + 0.5 * w).collect();
        let groups: Vec<u32> = (0..m as u32).map(|j| j % 2).collect();
        same_without_a_tape(ridge(), &x);
        same_without_a_tape(ridge().weighted(weights.clone()).unwrap(), &x);
        same_without_a_tape(ridge().grouped(vec![0.1, 0.7], groups.clone()).unwrap(), &x);
        let quadratic = SmoothElastic::new(0.0, 0.5).unwrap();
        same_without_a_tape(ridge().penalised_by(quadratic), &x);
        same_without_a_tape(ridge().grouped(vec![0.1, 0.7], groups).unwrap().penalised_by(quadratic), &x);

        // What has second derivatives that depend on z keeps its tape.
        let rounded = SmoothElastic::new(0.5, 0.5).unwrap();
        assert!(!ridge().penalised_by(rounded).has_constant_second_derivatives());
        for wrt in Wrt::ALL {
            let (problem, _) = ridge().wrt(wrt, x.clone()).unwrap();
            assert_eq!(problem.has_constant_second_derivatives(), wrt == Wrt::Targets, "{wrt:?}");
        }
        assert!(!Glm::new(random::design(n, m, 4, 1), Logistic, 0.3).unwrap().has_constant_second_derivatives());
    }
    // Who says so without a reason is found out.
    let problem = Glm::new(random::design(40, 12, 4, 1), Logistic, 0.3).unwrap();
    let problem = Saying { problem, has_constant_second_derivatives: true, smoothness: 1.0 };
    let wrong = check_problem(&problem, &random::vector(12, 5), &random::labels(40, 2)).unwrap_err();
    assert_eq!(wrong.product, "has_constant_second_derivatives");
    // D z_T is known, and not computed at every step.
    let problem = Watched::new(Glm::new(random::design(40, 12, 4, 1), Squared, 0.3).unwrap());
    let (x, solver) = (random::vector(40, 2), GradientDescent::default());
    let solve = Solve::new(&problem, &solver, &x).stop(Stop::steps(30)).record(Tape::new());
    assert_eq!(solve.run().unwrap().gradient(&Automatic).unwrap().cost.second_order_products, 60);
    assert_eq!(problem.without_memo.load(Ordering::Relaxed), 0);
    // In a budget of nothing at all.
    let problem = Glm::new(random::design(40, 12, 4, 1), Squared, 0.3).unwrap();
    let (x, solver) = (random::vector(40, 2), GradientDescent::default());
    let solve = || Solve::new(&problem, &solver, &x).stop(Stop::steps(30));
    let taped = solve().record(Tape::new()).run().unwrap();
    let solution = solve().record(Checkpoints::within(0)).run().unwrap();
    assert_eq!(Recorder::<Glm<Squared>, GradientDescent>::cost(solution.recorder()).peak_bytes, 0);
    let (found, expected) = (solution.gradient(&Automatic).unwrap(), taped.gradient(&Automatic).unwrap());
    assert_eq!((found.value, found.cost.passes), (expected.value, 30));
}

/// Momentum that saves z alone: it does not go back to where it stood.
struct Forgetful(HeavyBall);

impl<P: Problem> Solver<P> for Forgetful {
    type State = <HeavyBall as Solver<P>>::State;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        self.0.init(problem, x, initial, ctx)
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        self.0.step(problem, x, state, ctx)
    }
}

impl<P: Problem> Unroll<P> for Forgetful {
    fn tangent_len(&self, problem: &P) -> usize {
        self.0.tangent_len(problem)
    }

    fn pull(&self, step: Recorded<'_, P, Self::State>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        self.0.pull(step, dual, out, ctx);
    }

    fn push(&self, step: Recorded<'_, P, Self::State>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        self.0.push(step, dx, tangent, ctx);
    }
}

impl<P: Problem> Replay<P> for Forgetful {
    fn checkpoint_len(&self, problem: &P) -> usize {
        problem.latent_len()
    }

    fn save(&self, state: &Self::State, checkpoint: &mut [f64]) {
        checkpoint.copy_from_slice(&state.z);
    }

    fn restore(&self, problem: &P, x: &[f64], checkpoint: &[f64], state: &mut Self::State, ctx: &mut Ctx) {
        state.z.copy_from_slice(checkpoint);
        state.evaluate(problem, x, ctx);
    }

    fn blank(&self, state: &Self::State) -> Self::State {
        state.blank()
    }
}

#[test]
fn the_check_of_a_replay_finds_what_was_not_saved() {
    // n > m: a record is z_t, as this one's.
    let problem = Glm::new(random::design(30, 8, 4, 1), Logistic, 0.1).unwrap();
    let x = random::labels(30, 2);
    let solver = HeavyBall::new(StepSize::Fixed(0.05));
    check_replay(&problem, &solver, &x, 20).unwrap();
    check_replay(&problem, &Nesterov::default(), &x, 20).unwrap();
    check_replay(&problem, &GradientDescent::default(), &x, 0).unwrap();
    let error = check_replay(&problem, &Forgetful(solver), &x, 20).unwrap_err();
    assert!(matches!(error, danskin::testing::RuleMismatch::Replay { difference, .. } if difference > 0.0), "{error}");
}
