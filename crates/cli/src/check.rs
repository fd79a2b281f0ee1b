//! `danskin check`.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::testing::{
    Differences, EstimatorMismatch, RuleMismatch, check_estimators_from, check_hessian, check_problem_by,
    check_rule_from, random,
};
use danskin::vector::{max_abs, norm};
use danskin_bench::choice::{AnyProblem, Choices};

use crate::args::CheckArgs;
use crate::failure::{ESTIMATOR_FAILED, Failure, warn};
use crate::input::{self, Input, Penalty};
use crate::output::print;
use crate::progress;

/// Latent variables up to which the Hessian is written down.
const HESSIAN_UP_TO: usize = 500;
/// Steps that rules are checked over.
const STEPS: usize = 3;
/// The longest that a minimum is looked for: Newton-CG may need as many iterations as z has numbers, at each step.
const SEARCH: Duration = Duration::from_secs(30);

pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let penalty = Penalty::chosen(args.penalty.lambda, args.penalty.condition, &args.inputs);
    let mut ctx = Ctx::new();
    let input = input::read(args.problem, &args.design, penalty, &args.inputs, &Choices::default(), &mut ctx)?;
    progress::stop_watching_for_interrupts();
    let smooth = args.problem.regularity() <= Regularity::Smooth;
    let differences = if smooth { Differences::SMOOTH } else { Differences::KINKS };
    let allowed = args.allowed.unwrap_or(differences.allowed);
    let differences = Differences { allowed, ..differences };
    let Input { problem, x, initial, instance, .. } = &input;
    print(&format!(
        "{} on {}: {} rows, {} columns, {}, x: {} ({} numbers); {allowed:e} allowed against finite differences\n",
        instance.problem,
        instance.design,
        instance.rows,
        instance.columns,
        instance.lambda_text(),
        instance.wrt,
        instance.parameters
    ))?;
    let z = match initial {
        Some(initial) => initial.clone(),
        None => place(problem.as_ref(), x, &mut ctx),
    };
    Table { problem: problem.as_ref(), z: &z, x, differences, failed: false }.fill(&mut ctx)
}

/// A random z at which predictions are about 2 at the most, whatever the scale of D; the memo is D z. Not 2 itself: losses
/// may have kinks at round numbers.
fn place(problem: &AnyProblem, x: &[f64], ctx: &mut Ctx) -> Vec<f64> {
    let mut z = random::vector(problem.latent_len(), 7);
    let (mut grad_z, mut u) = (vec![0.0; z.len()], vec![0.0; problem.memo_len()]);
    problem.grad_z(&z, x, &mut grad_z, &mut u, ctx);
    let size = max_abs(&u).max(norm(&z) / (z.len().max(1) as f64).sqrt());
    z.iter_mut().for_each(|z| *z *= 1.9 / size);
    z
}

struct Table<'a> {
    problem: &'a AnyProblem,
    z: &'a [f64],
    x: &'a [f64],
    differences: Differences,
    failed: bool,
}

impl Table<'_> {
    fn fill(mut self, ctx: &mut Ctx) -> Result<ExitCode, Failure> {
        let (problem, z, x) = (self.problem, self.z, self.x);
        self.line("products", &check_problem_by(self.differences, problem, z, x))?;
        if problem.latent_len() <= HESSIAN_UP_TO {
            self.line("assembled Hessian", &check_hessian(problem, z, x))?;
        }
        match problem.smoothness(Point::new(z, x), ctx).filter(|l| *l > 0.0 && l.is_finite()) {
            Some(smoothness) => {
                let step = StepSize::Fixed(0.3 / smoothness);
                self.rule("rule of gd", &GradientDescent::new(step))?;
                self.rule("rule of nesterov", &Nesterov::new(step).momentum(Momentum::Fixed(0.5)))?;
                self.rule("rule of heavy-ball", &HeavyBall::new(step).momentum(Momentum::Fixed(0.5)))?;
            }
            None => print("rules               skipped: no bound on the curvature to choose a step from\n")?,
        }
        let end = Instant::now() + SEARCH;
        let watch = move |_| if Instant::now() < end { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let mut watched = Ctx::watched(Box::new(watch));
        let found = check_estimators_from(self.differences, problem, x, z, &mut watched);
        self.unless_skipped("estimators", found, EstimatorMismatch::accuses)?;
        Ok(if self.failed { ExitCode::from(ESTIMATOR_FAILED) } else { ExitCode::SUCCESS })
    }

    fn rule<S: Unroll<AnyProblem>>(&mut self, what: &str, solver: &S) -> Result<(), Failure> {
        let found = check_rule_from(self.differences, self.problem, solver, self.x, self.z, STEPS);
        self.unless_skipped(what, found, |error| !matches!(error, RuleMismatch::Solve(_)))
    }

    /// Where an error accuses nobody there was nothing to compare.
    fn unless_skipped<E: Display>(
        &mut self,
        what: &str,
        found: Result<(), E>,
        accuses: impl Fn(&E) -> bool,
    ) -> Result<(), Failure> {
        match found {
            Err(reason) if !accuses(&reason) => print(&format!("{what:<20}skipped: {reason}\n")),
            found => self.line(what, &found),
        }
    }

    fn line<E: Display>(&mut self, what: &str, result: &Result<(), E>) -> Result<(), Failure> {
        if let Err(error) = result {
            self.failed = true;
            warn(&format!("{what}: {error}"));
        }
        print(&format!("{what:<20}{}\n", if result.is_ok() { "ok" } else { "FAILED" }))
    }
}
