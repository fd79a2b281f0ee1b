//! A gradient to a tolerance: how z is computed, how accurately, and when to stop are chosen on the way.
//!
//! Among the estimators, g1 at a better point is never worse certified than any other through that point (the bound of the others is the distance from it more), so that the question is how to get at such a point
//! for the fewest passes over D. Two ways are taken in turn, each as long as it is predicted to be the shorter one:
//!
//! - steps of a solver, L-BFGS unless another is given: a pass each, and vector operations beside it. What is left is predicted by the rate of the last ones. Of another
//!   solver's last iterates an Anderson mixture is looked at as well, a pass, and taken where it halves the gradient; L-BFGS makes as much of its own;
//! - Newton steps z - v, v solved for as exactly as the tolerance needs and no more: L_zz v = grad_z L to a relative residual of about half of what the bound has to fall by. g1 there is what g3 is
//!   compared with. What a solve takes is predicted by the rate of the one before.
//!
//! g2 is not among the ways, and nothing is recorded: z_T - s, what a reverse pass over T steps comes by, is T iterations of the same solver on the linear system of the Newton
//! step, with the Hessians of the way to z_T; for gradient descent a polynomial of degree T in the Hessian, of which conjugate gradient finds the best.
//!
//! The bound B1(z) ([`Problem::analytic_bound`]) costs no pass, and is looked at whenever it is predicted to be met, or has not been for a while.
//! No clock takes part but in [`Adaptive::seconds`]: the same request gives the same bits.

use std::time::Instant;

use danskin_core::certificate::{AnalyticBound, Basis, Certificate, Effort, Parts, Reference, Uncertified, Unproved};
use danskin_core::ctx::{Cost, Ctx};
use danskin_core::estimator::{EstimateError, Gradient};
use danskin_core::linear::{Factored, Hessian, HessianSolver, LinearSolve, LinearStatus};
use danskin_core::problem::{AssembleHessian, Point, Problem};
use danskin_core::solve::{Solution, Solve, Status, Stop};
use danskin_core::solver::{Lbfgs, SolveError, Solver, State};
use danskin_core::vector::{distance, dot, norm};
use danskin_implicit::{Auto, Cg};
use thiserror::Error;

/// Passes of the first solver before another way is tried.
const FIRST: u64 = 16;
/// The bound is looked at again after so many times the passes spent at the last look.
const LOOK_AGAIN: f64 = 1.15;
/// Relative residual of a Newton step that nothing is known about.
const COARSE: f64 = 0.1;
/// Below this relative residual, and from so many iterations predicted, a factorisation may be worth it: [`Auto`] decides, else conjugate gradient is taken.
const FINE: f64 = 1e-3;
const FEW: f64 = 24.0;
/// What a linear solve is asked for, as a share of what the bound has to fall to.
const SHARE: f64 = 0.5;
/// Iterations that a coarse solve may take at least.
const LEAST_ITERATIONS: usize = 100;
/// Halvings of a Newton step.
const HALVINGS: usize = 12;
/// What ‖grad_z L‖ must fall by, of the least so far, for a look to count as progress.
const PROGRESS: f64 = 1e-3;
/// Looks in a row without progress after which this arithmetic has no better.
const VAIN: usize = 10;
/// Pairs that mixtures are made of, what a mixture must leave of ‖grad_z L‖ to be taken, and mixtures in a row that did not after which none is tried.
const MIXED: usize = 10;
const GAIN: f64 = 0.5;
const VAIN_MIXTURES: usize = 4;
/// An estimate is taken so many times.
const SAFETY: f64 = 3.0;
/// What a gradient must have fallen to for what is left to be estimated by the change until then.
const BETTER: f64 = 0.5;

/// How accurate a gradient is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// ‖g - grad l(x)‖ at most this.
    Absolute(f64),
    /// ‖g - grad l(x)‖ at most so many times ‖grad l(x)‖.
    Relative(f64),
}

impl Accuracy {
    /// What the bound of a gradient of norm `size` must be at most: ‖grad l‖ is at least the norm less the bound.
    fn bound(self, size: f64) -> f64 {
        match self {
            Self::Absolute(bound) => bound,
            Self::Relative(share) => share / (1.0 + share) * size,
        }
    }
}

/// A gradient of l(x) to a tolerance, by whatever takes the fewest passes.
///
/// ```
/// use danskin::adaptive::{Accuracy, Adaptive, Outcome};
/// use danskin::prelude::*;
///
/// let design = Design::from_triplets(3, 2, &[(0, 0, 1.0), (1, 1, 2.0), (2, 0, -1.0), (2, 1, 0.5)])?;
/// let problem = Glm::new(design, Logistic, 0.1)?;
/// let found = Adaptive::new(Accuracy::Relative(1e-6)).gradient(&problem, &[1.0, -1.0, 1.0])?;
/// assert_eq!(found.outcome, Outcome::Met);
/// println!("{:?} within {:.1e}: {}", found.gradient.value, found.gradient.certificate?.bound, found.why());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "nothing is computed before `gradient`"]
pub struct Adaptive<S = Lbfgs> {
    accuracy: Accuracy,
    solver: S,
    name: &'static str,
    /// Pairs of the solver's trail.
    trail: usize,
    steps: usize,
    seconds: f64,
    bytes: u64,
}

impl Adaptive {
    /// To `accuracy`, by L-BFGS and Newton steps.
    pub fn new(accuracy: Accuracy) -> Self {
        let (steps, seconds, bytes) = (usize::MAX, f64::INFINITY, u64::MAX);
        Self { accuracy, solver: Lbfgs::default(), name: "lbfgs", trail: 0, steps, seconds, bytes }
    }
}

impl<S> Adaptive<S> {
    /// With the steps of `solver`, called `name`, in the place of L-BFGS's, and mixtures of them.
    pub fn solver<S2>(self, solver: S2, name: &'static str) -> Adaptive<S2> {
        let Self { accuracy, steps, seconds, bytes, .. } = self;
        Adaptive { accuracy, solver, name, trail: MIXED, steps, seconds, bytes }
    }

    /// With at most so many steps, of whatever kind. Where they do not do, g1 after one Newton step more is the estimator, as g3 would be.
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// With no step begun after so many seconds.
    pub fn seconds(self, seconds: f64) -> Self {
        Self { seconds, ..self }
    }

    /// With at most so many bytes for factorisations.
    pub fn memory(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The bound is within the tolerance.
    Met,
    /// Rounding is more than the tolerance, or z cannot be improved in this arithmetic.
    FloorReached,
    /// The steps or seconds were used up.
    BudgetExhausted,
    /// The same, or the floor, with z so far from z* that the bound says little.
    NotLocalised,
    /// Whoever watches asked to end.
    Interrupted,
}

impl Outcome {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::FloorReached => "floor-reached",
            Self::BudgetExhausted => "budget-exhausted",
            Self::NotLocalised => "not-localised",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Some steps of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The solver's name, or `newton`.
    pub method: &'static str,
    /// Steps taken.
    pub steps: usize,
    /// Anderson mixtures of them that were taken.
    pub mixtures: usize,
    /// What they cost.
    pub cost: Cost,
    /// The linear solve of a Newton step, and the relative residual asked of it.
    pub linear: Option<(LinearSolve, f64)>,
    /// ‖grad_z L‖ at its end.
    pub residual: f64,
    /// The bound at its end; infinite where there is none.
    pub bound: f64,
    /// Passes predicted for the rest by the first solver, and by Newton's method, before it: `None` where nothing is known yet.
    pub predicted: [Option<f64>; 2],
}

/// A gradient, how it came about and how well it met what was asked.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// g1 at `z`, with its certificate.
    pub gradient: Gradient,
    /// z, length m.
    pub z: Vec<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// The bound that was to be met.
    pub asked: f64,
    /// L(z, x).
    pub value: f64,
    /// ‖grad_z L(z, x)‖.
    pub residual: f64,
    /// All of it.
    pub cost: Cost,
    /// What was done, in order.
    pub stages: Vec<Stage>,
}

impl Chosen {
    /// Steps of all kinds.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.stages.iter().map(|stage| stage.steps).sum()
    }

    /// What was done and why, on one line.
    #[must_use]
    pub fn why(&self) -> String {
        let mut parts = Vec::new();
        for stage in &self.stages {
            let reason = match (stage.predicted, stage.method) {
                ([Some(first), Some(newton)], "newton") => {
                    format!(", {newton:.0} passes predicted instead of {first:.0}")
                }
                ([Some(first), Some(newton)], _) => format!(", {first:.0} passes predicted instead of {newton:.0}"),
                _ => String::new(),
            };
            let how = match &stage.linear {
                Some((linear, tolerance)) => {
                    format!("a Newton step by {} to {tolerance:.0e}{reason}", linear.method)
                }
                None => {
                    let steps = if stage.steps == 1 { "a step".to_owned() } else { format!("{} steps", stage.steps) };
                    let mixtures = match stage.mixtures {
                        0 => String::new(),
                        1 => " and a mixture".to_owned(),
                        count => format!(" and {count} mixtures"),
                    };
                    format!("{steps} of {}{mixtures}{reason}", stage.method)
                }
            };
            parts.push(how);
        }
        if parts.is_empty() { "no step was taken".to_owned() } else { parts.join("; then ") }
    }
}

/// Why there is no gradient at all.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum AdaptiveError {
    /// The solver could not begin, or failed.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// z is not finite, or the gradient is not.
    #[error(transparent)]
    Estimate(#[from] EstimateError),
    /// The accuracy asked for is no number above 0.
    #[error("a tolerance of {tolerance}, expected a finite number above 0")]
    Tolerance {
        /// What was asked for.
        tolerance: f64,
    },
}

impl<S> Adaptive<S> {
    /// The gradient of l at x, from z_0 = 0.
    ///
    /// # Errors
    ///
    /// [`AdaptiveError`] where there is none. A tolerance that was not met is an [`Outcome`].
    pub fn gradient<P>(&self, problem: &P, x: &[f64]) -> Result<Chosen, AdaptiveError>
    where
        P: AssembleHessian + ?Sized,
        S: Solver<P>,
        Auto: HessianSolver<P>,
    {
        self.gradient_in(problem, x, None, &mut Ctx::new())
    }

    /// The same from `initial` (length m; 0 where `None`), within `ctx`.
    ///
    /// # Errors
    ///
    /// As [`Adaptive::gradient`].
    pub fn gradient_in<P>(
        &self,
        problem: &P,
        x: &[f64],
        initial: Option<&[f64]>,
        ctx: &mut Ctx,
    ) -> Result<Chosen, AdaptiveError>
    where
        P: AssembleHessian + ?Sized,
        S: Solver<P>,
        Auto: HessianSolver<P>,
    {
        let (Accuracy::Absolute(tolerance) | Accuracy::Relative(tolerance)) = self.accuracy;
        if !(tolerance > 0.0 && tolerance.is_finite()) {
            return Err(AdaptiveError::Tolerance { tolerance });
        }
        let mark = ctx.mark();
        let zeros = if initial.is_none() { vec![0.0; problem.latent_len()] } else { Vec::new() };
        let run = Run { settings: self, problem, x, begun: Instant::now() };
        let mut chosen = run.go(initial.unwrap_or(&zeros), ctx)?;
        chosen.cost = ctx.since(mark);
        chosen.gradient.cost = Cost::default();
        match chosen.gradient.value.iter().position(|v| !v.is_finite()) {
            Some(position) => Err(EstimateError::NotFinite { position, value: chosen.gradient.value[position] }.into()),
            None => Ok(chosen),
        }
    }
}

/// g1 at a point, and how wrong it can be.
#[derive(Clone, Debug)]
struct Look {
    g1: Vec<f64>,
    residual: f64,
    bound: Result<AnalyticBound, Unproved>,
    /// Where nothing is proved: three times an estimate.
    estimate: Option<f64>,
    /// What is asked of the bound.
    asked: f64,
}

impl Look {
    fn total(&self) -> f64 {
        self.bound.map_or(self.estimate.unwrap_or(f64::INFINITY), |bound| bound.total())
    }

    fn is_met(&self) -> bool {
        self.total() <= self.asked
    }

    /// Whether rounding alone is too much.
    fn is_floor(&self) -> bool {
        self.bound.is_ok_and(|bound| bound.rounding > self.asked && bound.iterate <= bound.rounding)
    }

    fn is_localised(&self) -> bool {
        self.bound.is_ok_and(|bound| bound.localised) || self.bound.is_err() && self.estimate.is_some()
    }

    /// ln of what the bound must fall by.
    fn left(&self) -> f64 {
        (self.total() / self.asked).ln().max(0.0)
    }

    fn certificate(&self) -> Result<Certificate, Uncertified> {
        let certificate = |basis, iterate, rounding, localised, theorem| Certificate {
            bound: iterate + rounding,
            basis,
            reference: Reference::Iterate,
            localised,
            parts: Parts { reference: 0.0, iterate, rounding, linear: 0.0 },
            theorem,
            cost: Cost::default(),
        };
        match (self.bound, self.estimate) {
            (Ok(bound), _) => {
                Ok(certificate(Basis::Proved, bound.iterate, bound.rounding, bound.localised, Some(bound.theorem)))
            }
            (Err(_), Some(estimate)) => Ok(certificate(Basis::Estimated, estimate, 0.0, false, None)),
            (Err(why), None) => Err(Uncertified::Unproved(why)),
        }
    }
}

/// What was seen at the looks so far.
struct Seen {
    /// The least ‖grad_z L‖, and looks in a row that brought it no lower.
    least: f64,
    vain: usize,
    /// g1 and ‖grad_z L‖ at the last look whose gradient had fallen to a half of that before.
    base: Option<(Vec<f64>, f64)>,
}

impl Seen {
    /// What is left of the error of g1, where the gradient has fallen by half: in proportion to what that changed.
    fn estimate(&mut self, g1: &[f64], residual: f64) -> Option<f64> {
        let left = match &self.base {
            None => None,
            Some((_, before)) if residual > BETTER * before => return None,
            Some((base, before)) => {
                let share = residual / before;
                Some(SAFETY * distance(g1, base) * share / (1.0 - share))
            }
        };
        self.base = Some((g1.to_vec(), residual));
        left
    }
}

/// What a Newton step did.
struct Newton {
    linear: LinearSolve,
    tolerance: f64,
    /// ‖grad_z L‖ after it over that before.
    reduction: f64,
}

/// A point with everything known there.
#[derive(Clone, Debug)]
struct At {
    z: Vec<f64>,
    grad_z: Vec<f64>,
    memo: Vec<f64>,
}

impl At {
    fn evaluate<P: Problem + ?Sized>(problem: &P, x: &[f64], z: Vec<f64>, ctx: &mut Ctx) -> Self {
        let (mut grad_z, mut memo) = (vec![0.0; z.len()], vec![0.0; problem.memo_len()]);
        problem.grad_z(&z, x, &mut grad_z, &mut memo, ctx);
        Self { z, grad_z, memo }
    }

    fn of(point: Point<'_>) -> Self {
        Self { z: point.z.to_vec(), grad_z: point.grad_z.to_vec(), memo: point.memo.to_vec() }
    }

    fn point<'a>(&'a self, x: &'a [f64]) -> Point<'a> {
        Point { z: &self.z, x, memo: &self.memo, grad_z: &self.grad_z }
    }
}

struct Run<'a, P: ?Sized, S> {
    settings: &'a Adaptive<S>,
    problem: &'a P,
    x: &'a [f64],
    begun: Instant,
}

/// What is known of the two ways.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    /// ln of what ‖grad_z L‖ fell by, a pass, in the last steps of the first solver.
    first: Option<f64>,
    /// The same, of the residual of the last solve by conjugate gradient, an iteration.
    linear: Option<f64>,
    /// What the last Newton step left of the gradient, where it was solved for more exactly than that.
    left: Option<f64>,
    /// What it left in any case.
    reduction: Option<f64>,
}

impl Rates {
    /// Passes until ‖grad_z L‖ has fallen by exp(`left`).
    fn predict(self, left: f64, weight: f64) -> [Option<f64>; 2] {
        let first = self.first.map(|rate| if rate > 0.0 { weight * left / rate } else { f64::INFINITY });
        let newton = self.linear.map(|rate| {
            let left = left - SHARE.ln();
            // Where the next step leaves more than is asked, another follows, and begins from nothing.
            let again = self.left.is_some_and(|share| -(share * share).ln() < left);
            if rate > 0.0 { left / rate + if again { 0.3 * left / rate + 2.0 } else { 2.0 } } else { f64::INFINITY }
        });
        [first, newton]
    }
}

impl<P, S> Run<'_, P, S>
where
    P: AssembleHessian + ?Sized,
    S: Solver<P>,
    Auto: HessianSolver<P>,
{
    fn go(&self, initial: &[f64], ctx: &mut Ctx) -> Result<Chosen, AdaptiveError> {
        let (settings, problem, x) = (self.settings, self.problem, self.x);
        let spent_before = ctx.passes();
        let solve = Solve::new(problem, &settings.solver, x).from(initial).stop(Stop::steps(0)).trail(settings.trail);
        let mut solution = solve.run_in(ctx)?;
        let mut here = self.known(&solution, ctx);
        let (mut stages, mut rates) = (Vec::new(), Rates::default());
        let mut seen = Seen { least: f64::INFINITY, vain: 0, base: None };
        let mut look = self.look(&here, &mut seen, ctx);
        // Vector operations of the first solver beside a pass, in passes: as measured.
        let weight = 1.0 + 20.0 * problem.latent_len() as f64 / problem.work().product.max(1.0);
        // Whether the first solver stands at `here`.
        let (mut is_there, mut steps, mut newton_fails, mut first_fails) = (true, 0, false, false);
        let (mut vain_mixtures, mut is_last) = (0, false);
        let mut best = None;
        let outcome = loop {
            if look.bound.is_err() && problem.falls_for_ever(here.point(x), ctx) {
                return Err(EstimateError::Unbounded.into());
            }
            if look.is_met() {
                break Outcome::Met;
            }
            if look.total() < best.as_ref().map_or(f64::INFINITY, |(_, look): &(At, Look)| look.total()) {
                best = Some((here.clone(), look.clone()));
            }
            if look.is_floor() || (newton_fails && first_fails) || seen.vain > VAIN {
                break if look.is_localised() { Outcome::FloorReached } else { Outcome::NotLocalised };
            }
            let (is_late, is_capped) = (self.is_late(), steps >= settings.steps);
            if is_late || is_capped && (is_last || newton_fails) {
                break if look.is_localised() { Outcome::BudgetExhausted } else { Outcome::NotLocalised };
            }
            // g1 after a Newton step is an estimator of z_T as g3 is.
            is_last = is_capped;
            let predicted = rates.predict(look.left(), weight);
            let is_newton = !newton_fails
                && match predicted {
                    _ if first_fails || is_last => true,
                    [Some(first), Some(newton)] => newton < first,
                    // Tried once, where the first solver has had its time and is not about to end.
                    [Some(first), None] => {
                        ctx.passes() - spent_before >= FIRST && first > (ctx.passes() - spent_before) as f64
                    }
                    [None, _] => false,
                };
            let mark = ctx.mark();
            if is_newton {
                let spent = ctx.passes() - spent_before;
                let Some((next, newton)) = self.newton(&here, &look, rates, (spent, is_last), ctx) else {
                    newton_fails = true;
                    let _ = ctx.since(mark);
                    continue;
                };
                if newton.linear.status == LinearStatus::Interrupted {
                    break Outcome::Interrupted;
                }
                (here, is_there, first_fails) = (next, false, false);
                steps += usize::from(!is_last);
                let iterations = newton.linear.iterations.max(1) as f64;
                rates.linear = Some(-newton.linear.residual.max(1e-16).ln() / iterations);
                rates.left = Some(newton.reduction).filter(|left| *left > 2.0 * newton.linear.residual);
                rates.reduction = Some(newton.reduction);
                newton_fails = newton.reduction > 0.99;
                look = self.look(&here, &mut seen, ctx);
                stages.push(Stage {
                    method: "newton",
                    steps: 1,
                    mixtures: 0,
                    cost: ctx.since(mark),
                    linear: Some((newton.linear, newton.tolerance)),
                    residual: look.residual,
                    bound: look.total(),
                    predicted,
                });
                continue;
            }
            if !is_there {
                solution.restart(&here.z, ctx)?;
                is_there = true;
            }
            let (begun, passes, at_begin) = (solution.steps(), ctx.passes(), solution.residual());
            let most = (settings.steps - steps).min(usize::MAX - begun);
            let enough = ((LOOK_AGAIN * (passes - spent_before) as f64) as u64 + spent_before).max(passes + 2);
            let enough = enough.max(if stages.is_empty() { spent_before + FIRST / 2 } else { 0 });
            for taken in 1..=most {
                solution.resume(Stop::steps(begun + taken), ctx)?;
                // The bound falls as the gradient does, and faster where z comes near.
                let is_promising = look.total() * solution.residual() / at_begin <= look.asked;
                let is_over = self.is_late() || solution.status() != Status::StepsTaken;
                if is_over || is_promising || ctx.passes() >= enough {
                    break;
                }
            }
            match solution.status() {
                Status::Diverged => return Err(EstimateError::Diverged { steps: solution.steps() }.into()),
                Status::Interrupted => break Outcome::Interrupted,
                _ => {}
            }
            let taken = solution.steps().saturating_sub(begun);
            steps += taken.max(1);
            here = self.known(&solution, ctx);
            look = self.look(&here, &mut seen, ctx);
            let mut mixtures = 0;
            if settings.trail > 0 && !look.is_met() && vain_mixtures < VAIN_MIXTURES {
                let mixed = solution.trail().mixture().map(|z| At::evaluate(problem, x, z, ctx));
                vain_mixtures += 1;
                if let Some(mixed) = mixed.filter(|mixed| norm(&mixed.grad_z) < GAIN * look.residual) {
                    // What is progress is the solver's to show.
                    let (least, vain) = (seen.least, seen.vain);
                    look = self.look(&mixed, &mut seen, ctx);
                    (seen.least, seen.vain) = (least, vain);
                    (here, mixtures, vain_mixtures) = (mixed, 1, 0);
                }
            }
            let spent = (ctx.passes() - passes).max(1);
            rates.first = Some((at_begin / solution.residual()).ln() / spent as f64);
            first_fails = solution.status() == Status::Stalled || taken == 0;
            // A Newton step that was of no use may be, from elsewhere.
            newton_fails &= first_fails;
            stages.push(Stage {
                method: settings.name,
                steps: taken,
                mixtures,
                cost: ctx.since(mark),
                linear: None,
                residual: look.residual,
                bound: look.total(),
                predicted,
            });
        };
        let (here, look) = match best {
            Some((at, least)) if outcome != Outcome::Met && least.total() < look.total() => (at, least),
            _ => (here, look),
        };
        let mut gradient = Gradient::new(look.g1.clone());
        gradient.certificate = look.certificate();
        Ok(Chosen {
            gradient,
            value: problem.value(here.point(x), ctx),
            residual: look.residual,
            z: here.z,
            outcome,
            asked: look.asked,
            cost: Cost::default(),
            stages: joined(stages),
        })
    }

    fn is_late(&self) -> bool {
        self.begun.elapsed().as_secs_f64() > self.settings.seconds
    }

    fn known(&self, solution: &Solution<'_, P, S>, ctx: &mut Ctx) -> At {
        let at = solution.state().at(self.x);
        if at.grad_z.is_empty() { At::evaluate(self.problem, self.x, at.z.to_vec(), ctx) } else { At::of(at) }
    }

    /// g1 at a point, and how wrong it can be.
    fn look(&self, here: &At, seen: &mut Seen, ctx: &mut Ctx) -> Look {
        let (problem, at) = (self.problem, here.point(self.x));
        let mut g1 = vec![0.0; problem.parameter_len()];
        problem.grad_x(at, 1.0, &mut g1, ctx);
        let (residual, asked) = (norm(&here.grad_z), self.settings.accuracy.bound(norm(&g1)));
        let mut bound = problem.analytic_bound(at, Effort::Norms, ctx);
        // A pass, where rounding by norms stands in the way.
        if bound.is_ok_and(|bound| bound.total() > asked && bound.iterate <= asked) {
            bound = problem.analytic_bound(at, Effort::Pass, ctx);
        }
        // Where only the size of numbers keeps a bound from being proved, changes tell nothing of what is left.
        let is_estimated = bound.is_err() && bound != Err(Unproved::Overflow);
        let estimate = if is_estimated { seen.estimate(&g1, residual) } else { None };
        // A point of no slope is a minimum of a convex function.
        let is_convex = !matches!(bound, Err(Unproved::NegativeWeight { .. }));
        let estimate = if is_estimated && is_convex && residual == 0.0 { Some(0.0) } else { estimate };
        seen.vain = if residual < (1.0 - PROGRESS) * seen.least { 0 } else { seen.vain + 1 };
        seen.least = seen.least.min(residual);
        Look { g1, residual, bound, estimate, asked }
    }

    /// A Newton step, halved until L falls; `None` where there is none. `spent` are passes until now; `is_last`, that no other will follow.
    fn newton(
        &self,
        here: &At,
        look: &Look,
        rates: Rates,
        (spent, is_last): (u64, bool),
        ctx: &mut Ctx,
    ) -> Option<(At, Newton)> {
        let (problem, x) = (self.problem, self.x);
        let needed = SHARE * (-look.left()).exp();
        // Of a step that will leave more, no more is asked: what the last one left falls quadratically.
        let tolerance = match (rates.linear, rates.left) {
            (None, _) if is_last => needed.clamp(FINE, COARSE),
            (None, _) => needed.max(COARSE),
            (Some(_), Some(left)) => needed.max((0.3 * left * left).min(COARSE)),
            // It leaves no more than what the last one did of what that left: Eisenstat and Walker, SIAM J. Sci. Comput. 17, 1996.
            (Some(_), None) => needed.max(0.3 * rates.reduction.map_or(0.0, |left| left * left)).min(COARSE),
        };
        let tolerance = if look.total().is_finite() { tolerance.max(1e-14) } else { COARSE };
        let hessian = Hessian { problem, at: here.point(x) };
        let mut step = vec![0.0; here.z.len()];
        // Iterations predicted, against the passes of writing the Hessian down and factorising it.
        let (work, m) = (problem.work(), here.z.len() as f64);
        let direct = (work.assembly + m * m * m / 3.0) / work.product.max(1.0);
        let is_iterative = match rates.linear {
            None => tolerance > FINE,
            Some(rate) => {
                let iterations = -tolerance.ln() / rate;
                iterations <= direct && (tolerance > FINE || iterations <= FEW)
            }
        };
        let solved = if is_iterative {
            // Far from z*, a direction is worth no more than what was spent so far.
            let most = usize::try_from(2 * spent).map_or(usize::MAX, |passes| passes.max(LEAST_ITERATIONS));
            solve(&Cg::within(most), hessian, &here.grad_z, tolerance, &mut step, ctx)
        } else {
            let auto =
                if self.settings.bytes == u64::MAX { Auto::default() } else { Auto::within(self.settings.bytes) };
            solve(&auto, hessian, &here.grad_z, tolerance, &mut step, ctx)
        };
        let linear = solved?;
        let (value, slope) = (problem.value(here.point(x), ctx), dot(&step, &here.grad_z));
        let before = look.residual;
        let mut s = 1.0;
        for _ in 0..HALVINGS {
            let z = here.z.iter().zip(&step).map(|(z, step)| z - s * step).collect();
            let next = At::evaluate(problem, x, z, ctx);
            let after = norm(&next.grad_z);
            // Near z*, where decreases of L drown in rounding, the gradient says the same.
            if after < 0.5 * before || problem.value(next.point(x), ctx) <= value - 1e-4 * s * slope {
                return Some((next, Newton { linear, tolerance, reduction: after / before }));
            }
            s *= 0.5;
        }
        None
    }
}

/// One solve; `None` where it fails.
fn solve<P, H>(
    solver: &H,
    hessian: Hessian<'_, P>,
    rhs: &[f64],
    tolerance: f64,
    step: &mut [f64],
    ctx: &mut Ctx,
) -> Option<LinearSolve>
where
    P: Problem + ?Sized,
    H: HessianSolver<P>,
{
    let mut workspace = H::Workspace::default();
    let mut factored = Factored::new(solver, hessian, &mut workspace, ctx).ok()?;
    factored.solve(rhs, tolerance, step, ctx).ok()
}

/// Stages of the same solver that follow one another, as one.
fn joined(stages: Vec<Stage>) -> Vec<Stage> {
    let mut joined: Vec<Stage> = Vec::new();
    for stage in stages {
        match joined.last_mut() {
            Some(last) if last.linear.is_none() && last.method == stage.method => {
                (last.steps, last.cost) = (last.steps + stage.steps, last.cost.then(stage.cost));
                last.mixtures += stage.mixtures;
                (last.residual, last.bound) = (stage.residual, stage.bound);
                last.predicted = if last.predicted == [None, None] { stage.predicted } else { last.predicted };
            }
            _ => joined.push(stage),
        }
    }
    joined
}
