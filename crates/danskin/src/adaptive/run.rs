//! The two ways in turn, until one of them ends it.

use std::time::Instant;

use danskin_core::ctx::{Cost, Ctx};
use danskin_core::estimator::{EstimateError, Gradient};
use danskin_core::linear::{Factored, Hessian, HessianSolver, LinearSolve, LinearStatus};
use danskin_core::problem::{AssembleHessian, Evaluated, Problem};
use danskin_core::solve::{Solution, Solve, Status, Stop};
use danskin_core::solver::{Solver, State};
use danskin_core::vector::{distance, dot, norm};
use danskin_implicit::{Auto, Cg, DenseCholesky};

use super::look::{Look, Progress};
use super::{Adaptive, AdaptiveError, Chosen, Outcome, Stage};

/// Passes of the first solver before another way is tried.
const FIRST: u64 = 16;
/// The bound is looked at again after so many times the passes spent at the last look.
const LOOK_AGAIN: f64 = 1.15;
/// Relative residual of a Newton step that nothing is known about.
const COARSE: f64 = 0.1;
/// Below this relative residual, and from so many iterations predicted, a factorisation may be worth it: [`Auto`] decides, else conjugate gradient is taken.
const FINE: f64 = 1e-3;
const FEW: f64 = 24.0;
/// Relative residual of a Newton step that is to be estimated by.
const EXACT: f64 = 1e-8;
/// What such a step is to leave of ‖grad_z L‖, or the share of ‖z‖ that it is to be, for it to be estimated by.
const SETTLED: f64 = 0.1;
const TINY: f64 = 1e-6;
/// What a linear solve is asked for, as a share of what the bound has to fall to.
const SHARE: f64 = 0.5;
/// Latent variables up to which a Newton step that is to be estimated by is solved for by a factorisation.
const FACTORISED: usize = 2000;
/// Iterations that a coarse solve may take at least.
const LEAST_ITERATIONS: usize = 100;
/// Halvings of a Newton step.
const HALVINGS: usize = 12;
/// Looks in a row without progress after which this arithmetic has no better.
const VAIN: usize = 10;
/// What a mixture must leave of ‖grad_z L‖ to be taken, and mixtures in a row that did not after which none is tried.
const GAIN: f64 = 0.5;
const VAIN_MIXTURES: usize = 4;

/// What a Newton step did.
struct NewtonStep {
    linear: LinearSolve,
    tolerance: f64,
    /// What the whole of it changed g1 by, where that is something to estimate by.
    change: Option<f64>,
    /// ‖grad_z L‖ after it over that before.
    reduction: f64,
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

    fn note_newton(&mut self, newton: &NewtonStep) {
        let iterations = newton.linear.iterations.max(1) as f64;
        self.linear = Some(-newton.linear.residual.max(1e-16).ln() / iterations);
        self.left = Some(newton.reduction).filter(|left| *left > 2.0 * newton.linear.residual);
        self.reduction = Some(newton.reduction);
    }

    /// The relative residual of the next Newton step, of which `needed` would be enough; `is_last`, where no other will follow.
    fn forcing(&self, needed: f64, is_last: bool) -> f64 {
        // Of a step that will leave more, no more is asked: what the last one left falls quadratically.
        match (self.linear, self.left) {
            (None, _) if is_last => needed.clamp(FINE, COARSE),
            (None, _) => needed.max(COARSE),
            (Some(_), Some(left)) => needed.max((0.3 * left * left).min(COARSE)),
            // It leaves no more than what the last one did of what that left: Eisenstat and Walker, SIAM J. Sci. Comput. 17, 1996.
            (Some(_), None) => needed.max(0.3 * self.reduction.map_or(0.0, |left| left * left)).min(COARSE),
        }
    }
}

/// A gradient on its way.
pub(super) struct Run<'a, P: Problem + ?Sized, S: Solver<P>> {
    settings: &'a Adaptive<S>,
    problem: &'a P,
    x: &'a [f64],
    begun: Instant,
    /// Passes before it began.
    before: u64,
    /// Passes that a step of the first solver counts for, with the vector operations beside its own: as measured.
    weight: f64,
    solution: Solution<'a, P, S>,
    here: Evaluated,
    look: Look,
    /// The least bound that was not enough.
    best: Option<(Evaluated, Look)>,
    progress: Progress,
    rates: Rates,
    stages: Vec<Stage>,
    steps: usize,
    /// Whether the first solver stands at `here`.
    is_there: bool,
    first_fails: bool,
    newton_fails: bool,
    /// Mixtures in a row that were not taken.
    vain_mixtures: usize,
    /// Whether the Newton step after the last step allowed has its turn.
    is_last: bool,
}

impl<'a, P, S> Run<'a, P, S>
where
    P: AssembleHessian + ?Sized,
    S: Solver<P>,
    Auto: HessianSolver<P>,
{
    pub(super) fn begin(
        settings: &'a Adaptive<S>,
        problem: &'a P,
        x: &'a [f64],
        initial: &'a [f64],
        ctx: &mut Ctx,
    ) -> Result<Self, AdaptiveError> {
        let (begun, before) = (Instant::now(), ctx.passes());
        let solve = Solve::new(problem, &settings.solver, x).from(initial).stop(Stop::steps(0)).trail(settings.trail);
        let solution = solve.run_in(ctx)?;
        let here = Evaluated::of(problem, solution.state().at(x), ctx);
        let mut progress = Progress::default();
        let look = Look::new(problem, (&here, x), settings.accuracy, &mut progress, ctx);
        Ok(Self {
            settings,
            problem,
            x,
            begun,
            before,
            weight: 1.0 + 20.0 * problem.latent_len() as f64 / problem.work().product.max(1.0),
            solution,
            here,
            look,
            best: None,
            progress,
            rates: Rates::default(),
            stages: Vec::new(),
            steps: 0,
            is_there: true,
            first_fails: false,
            newton_fails: false,
            vain_mixtures: 0,
            is_last: false,
        })
    }

    pub(super) fn go(mut self, ctx: &mut Ctx) -> Result<Chosen, AdaptiveError> {
        let outcome = loop {
            if let Some(outcome) = self.is_over(ctx)? {
                break outcome;
            }
            let predicted = if self.look.is_estimable() {
                // What is left is not known.
                [None; 2]
            } else {
                self.rates.predict(self.look.left(), self.weight)
            };
            let is_interrupted = if self.is_newton_next(predicted, ctx) {
                self.take_newton(predicted, ctx)
            } else {
                self.take_steps(predicted, ctx)?
            };
            if is_interrupted {
                break Outcome::Interrupted;
            }
        };
        let Self { problem, x, here, look, best, stages, .. } = self;
        let (here, look) = match best {
            Some((at, least)) if outcome != Outcome::Met && least.total() < look.total() => (at, least),
            _ => (here, look),
        };
        let mut gradient = Gradient::new(look.g1.clone());
        gradient.certificate = look.certificate();
        Ok(Chosen {
            gradient,
            value: problem.value(here.at(x), ctx),
            residual: look.residual,
            z: here.z,
            outcome,
            asked: look.asked,
            cost: Cost::default(),
            stages: joined(stages),
        })
    }

    /// How it ends here, if it does.
    fn is_over(&mut self, ctx: &mut Ctx) -> Result<Option<Outcome>, AdaptiveError> {
        let look = &self.look;
        if look.bound.is_err() && self.problem.falls_along(self.here.at(self.x), ctx).is_some() {
            return Err(EstimateError::Unbounded.into());
        }
        if look.is_met() {
            return Ok(Some(Outcome::Met));
        }
        if look.total() < self.best.as_ref().map_or(f64::INFINITY, |(_, best)| best.total()) {
            self.best = Some((self.here.clone(), look.clone()));
        }
        let or_far = |outcome| Some(if look.is_localised() { outcome } else { Outcome::NotLocalised });
        if look.is_floor() || (self.newton_fails && self.first_fails) || self.progress.vain > VAIN {
            return Ok(or_far(Outcome::FloorReached));
        }
        let is_capped = self.steps >= self.settings.steps;
        if self.is_late() || is_capped && (self.is_last || self.newton_fails) {
            return Ok(or_far(Outcome::BudgetExhausted));
        }
        // g1 after a Newton step is an estimator of z_T as g3 is.
        self.is_last = is_capped;
        Ok(None)
    }

    fn is_late(&self) -> bool {
        self.begun.elapsed().as_secs_f64() > self.settings.seconds
    }

    /// Passes since it began.
    fn spent(&self, ctx: &Ctx) -> u64 {
        ctx.passes() - self.before
    }

    fn is_newton_next(&self, predicted: [Option<f64>; 2], ctx: &Ctx) -> bool {
        let spent = self.spent(ctx);
        !self.newton_fails
            && match predicted {
                _ if self.first_fails || self.is_last => true,
                // There is no estimate but by Newton steps.
                _ if self.look.is_estimable() => spent >= FIRST,
                [Some(first), Some(newton)] => newton < first,
                // Tried once, where the first solver has had its time and is not about to end.
                [Some(first), None] => spent >= FIRST && first > spent as f64,
                [None, _] => false,
            }
    }

    fn look(&mut self, ctx: &mut Ctx) -> Look {
        Look::new(self.problem, (&self.here, self.x), self.settings.accuracy, &mut self.progress, ctx)
    }

    /// A Newton step; whether it was interrupted.
    fn take_newton(&mut self, predicted: [Option<f64>; 2], ctx: &mut Ctx) -> bool {
        let mark = ctx.mark();
        let Some((next, newton)) = self.newton(ctx) else {
            self.newton_fails = true;
            let _ = ctx.since(mark);
            return false;
        };
        if newton.linear.status == LinearStatus::Interrupted {
            return true;
        }
        (self.here, self.is_there, self.first_fails) = (next, false, false);
        self.steps += usize::from(!self.is_last);
        self.rates.note_newton(&newton);
        self.newton_fails = newton.reduction > 0.99;
        self.look = self.look(ctx);
        if let Some(change) = newton.change {
            self.look.estimate_by(change);
        }
        self.stages.push(Stage {
            method: "newton",
            steps: 1,
            mixtures: 0,
            cost: ctx.since(mark),
            linear: Some((newton.linear, newton.tolerance)),
            residual: self.look.residual,
            bound: self.look.total(),
            predicted,
        });
        false
    }

    /// Steps of the first solver, and a mixture of its last; whether they were interrupted.
    fn take_steps(&mut self, predicted: [Option<f64>; 2], ctx: &mut Ctx) -> Result<bool, AdaptiveError> {
        let mark = ctx.mark();
        if !self.is_there {
            self.solution.restart(&self.here.z, ctx)?;
            self.is_there = true;
        }
        let (begun, passes, residual) = (self.solution.steps(), ctx.passes(), self.solution.residual());
        self.resume(begun, residual, ctx)?;
        match self.solution.status() {
            Status::Diverged => return Err(EstimateError::Diverged { steps: self.solution.steps() }.into()),
            Status::Interrupted => return Ok(true),
            _ => {}
        }
        let taken = self.solution.steps().saturating_sub(begun);
        self.steps += taken.max(1);
        self.here = Evaluated::of(self.problem, self.solution.state().at(self.x), ctx);
        self.look = self.look(ctx);
        let mixtures = usize::from(self.mix(ctx));
        let spent = (ctx.passes() - passes).max(1);
        self.rates.first = Some((residual / self.solution.residual()).ln() / spent as f64);
        self.first_fails = self.solution.status() == Status::Stalled || taken == 0;
        // A Newton step that was of no use may be, from elsewhere.
        self.newton_fails &= self.first_fails;
        self.stages.push(Stage {
            method: self.settings.name,
            steps: taken,
            mixtures,
            cost: ctx.since(mark),
            linear: None,
            residual: self.look.residual,
            bound: self.look.total(),
            predicted,
        });
        Ok(false)
    }

    /// Steps until the bound is worth a look; step `begun` left ‖grad_z L‖ at `residual`.
    fn resume(&mut self, begun: usize, residual: f64, ctx: &mut Ctx) -> Result<(), AdaptiveError> {
        let most = (self.settings.steps - self.steps).min(usize::MAX - begun);
        let enough = ((LOOK_AGAIN * self.spent(ctx) as f64) as u64).max(self.spent(ctx) + 2);
        let enough = enough.max(if self.stages.is_empty() { FIRST / 2 } else { 0 });
        for taken in 1..=most {
            self.solution.resume(Stop::steps(begun + taken), ctx)?;
            // The bound falls as the gradient does, and faster where z comes near.
            let is_promising = self.look.total() * self.solution.residual() / residual <= self.look.asked;
            let is_over = self.is_late() || self.solution.status() != Status::StepsTaken;
            if is_over || is_promising || self.spent(ctx) >= enough {
                break;
            }
        }
        Ok(())
    }

    /// Takes the mixture of the last iterates where it gains enough; whether it did.
    fn mix(&mut self, ctx: &mut Ctx) -> bool {
        if self.settings.trail == 0 || self.look.is_met() || self.vain_mixtures >= VAIN_MIXTURES {
            return false;
        }
        self.vain_mixtures += 1;
        let mixed = self.solution.trail().mixture().map(|z| Evaluated::new(self.problem, z, self.x, ctx));
        let Some(mixed) = mixed.filter(|mixed| norm(&mixed.grad_z) < GAIN * self.look.residual) else { return false };
        (self.here, self.vain_mixtures) = (mixed, 0);
        // What is progress is the solver's to show.
        let progress = self.progress;
        self.look = self.look(ctx);
        self.progress = progress;
        true
    }

    /// What a Newton step to `next` changed g1 by, if it was solved for and either quadratic convergence has set in, or z is known but for rounding: what is
    /// left is then no more.
    fn change_by(&self, next: &Evaluated, linear: &LinearSolve, step: &[f64], ctx: &mut Ctx) -> Option<f64> {
        let is_settled = norm(&next.grad_z) <= SETTLED * self.look.residual || norm(step) <= TINY * norm(&next.z);
        if !self.look.is_estimable() || linear.residual > EXACT || !is_settled {
            return None;
        }
        let mut g1 = vec![0.0; self.look.g1.len()];
        self.problem.grad_x(next.at(self.x), 1.0, &mut g1, ctx);
        Some(distance(&g1, &self.look.g1))
    }

    /// `step` with L_zz `step` = grad_z L, and whether it may have missed where L is nearly flat; `None` where there is none.
    fn newton_step(&self, tolerance: f64, step: &mut [f64], ctx: &mut Ctx) -> Option<(LinearSolve, bool)> {
        let Self { problem, x, here, look, rates, settings, .. } = self;
        let hessian = Hessian { problem: *problem, at: here.at(x) };
        // Conjugate gradient ends where the residual is small, which says nothing of where L is nearly flat. Of a Hessian that is singular whatever
        // its entries are the solution of least norm is as good as any, and is what it finds.
        let m = here.z.len();
        let is_told = look.is_estimable() && m <= FACTORISED && problem.hessian_rank_bound() == m;
        if is_told {
            let dense = DenseCholesky::within(settings.bytes.min(DenseCholesky::bytes(FACTORISED)));
            if let Some(linear) = solve(&dense, hessian, &here.grad_z, tolerance, step, ctx) {
                return Some((linear, false));
            }
        }
        // Iterations predicted, against the passes of writing the Hessian down and factorising it.
        let (work, m) = (problem.work(), m as f64);
        let direct = (work.assembly + m * m * m / 3.0) / work.product.max(1.0);
        let is_iterative = match rates.linear {
            None => tolerance > FINE,
            Some(rate) => {
                let iterations = -tolerance.ln() / rate;
                iterations <= direct && (tolerance > FINE || iterations <= FEW)
            }
        };
        let linear = if is_iterative {
            // Far from z*, a direction is worth no more than what was spent so far.
            let spent = usize::try_from(2 * self.spent(ctx)).unwrap_or(usize::MAX);
            solve(&Cg::within(spent.max(LEAST_ITERATIONS)), hessian, &here.grad_z, tolerance, step, ctx)
        } else {
            let auto = if settings.bytes == u64::MAX { Auto::default() } else { Auto::within(settings.bytes) };
            solve(&auto, hessian, &here.grad_z, tolerance, step, ctx)
        }?;
        Some((linear, is_told))
    }

    /// A Newton step, halved until L falls; `None` where there is none.
    fn newton(&mut self, ctx: &mut Ctx) -> Option<(Evaluated, NewtonStep)> {
        let Self { problem, x, here, look, rates, .. } = &*self;
        let tolerance = rates.forcing(SHARE * (-look.left()).exp(), self.is_last);
        let tolerance = match look.total() {
            _ if look.is_estimable() => EXACT,
            total if total.is_finite() => tolerance.max(1e-14),
            _ => COARSE,
        };
        let mut step = vec![0.0; here.z.len()];
        let (linear, is_blind) = self.newton_step(tolerance, &mut step, ctx)?;
        let (value, slope) = (problem.value(here.at(x), ctx), dot(&step, &here.grad_z));
        let before = look.residual;
        let (mut s, mut change) = (1.0, None);
        for _ in 0..HALVINGS {
            let z = here.z.iter().zip(&step).map(|(z, step)| z - s * step).collect();
            let next = Evaluated::new(*problem, z, x, ctx);
            let after = norm(&next.grad_z);
            if s == 1.0 {
                change = self.change_by(&next, &linear, &step, ctx).filter(|_| !is_blind);
            }
            // Near z*, where decreases of L drown in rounding, the gradient says the same.
            if after < 0.5 * before || problem.value(next.at(x), ctx) <= value - 1e-4 * s * slope {
                let change = change.filter(|_| s == 1.0);
                return Some((next, NewtonStep { linear, tolerance, change, reduction: after / before }));
            }
            s *= 0.5;
        }
        // Where rounding keeps L from falling, the step tells of where it would have begun.
        if let Some(change) = change {
            self.look.estimate_by(change);
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
