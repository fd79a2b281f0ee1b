//! One trajectory of gradient descent, looked at on the way: at each stop, z_t and the gradients chosen.

use danskin::ctx::{Cost, Ctx};
use danskin::estimator::EstimateError;
use danskin::prelude::*;
use danskin::solve::NoTape;

use crate::choice::{AnyProblem, Choices, EstimatorKind, Mode, Recording};

/// z_t and the gradients there.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// How the solve stands.
    pub status: Status,
    /// t.
    pub steps: usize,
    /// rho.
    pub step: f64,
    /// Times that an automatic rho was halved.
    pub step_halvings: usize,
    /// L(z_t, x).
    pub value: f64,
    /// ‖grad_z L(z_t, x)‖.
    pub residual: f64,
    /// z_t.
    pub z: Vec<f64>,
    /// What z_t cost, without what recording holds.
    pub cost: Cost,
    /// Bytes that recording holds.
    pub recorded_bytes: u64,
    /// The gradients asked for, in order.
    pub estimates: Vec<(EstimatorKind, Result<Gradient, EstimateError>)>,
}

/// Runs gradient descent on `problem` at x from z_0 (0 where `None`) and takes a snapshot at each of `stops`, which must
/// be in increasing order of their steps. The last one is where the solve converged, diverged or was interrupted.
///
/// # Errors
///
/// [`SolveError`], as of [`Solve::run`].
pub fn trajectory(
    problem: &AnyProblem,
    x: &[f64],
    initial: Option<&[f64]>,
    choices: &Choices,
    stops: &[Stop],
    ctx: &mut Ctx,
) -> Result<Vec<Snapshot>, SolveError> {
    let run = Run { problem, x, initial, choices, stops };
    match (choices.estimators.contains(&EstimatorKind::Automatic), choices.mode) {
        (false, _) => run.record(NoTape, ctx),
        (true, Mode::Reverse) => run.record(Tape::new(), ctx),
        (true, Mode::Forward) => run.record(Tangents::full(), ctx),
    }
}

struct Run<'a> {
    problem: &'a AnyProblem,
    x: &'a [f64],
    initial: Option<&'a [f64]>,
    choices: &'a Choices,
    stops: &'a [Stop],
}

impl Run<'_> {
    fn record<R: Recording>(&self, recorder: R, ctx: &mut Ctx) -> Result<Vec<Snapshot>, SolveError> {
        let solver = GradientDescent::new(self.choices.step);
        let mut solve = Solve::new(self.problem, &solver, self.x).stop(Stop::steps(0)).record(recorder);
        if let Some(initial) = self.initial {
            solve = solve.from(initial);
        }
        let mut solution = solve.run_in(ctx)?;
        let mut snapshots = Vec::new();
        for &stop in self.stops {
            solution.resume(stop, ctx)?;
            let estimates = self.choices.estimators.iter();
            let estimates = estimates.filter_map(|&kind| Some((kind, self.choices.gradient(kind, &solution, ctx)?)));
            let recorded_bytes = solution.recorder().bytes();
            let cost = solution.cost();
            snapshots.push(Snapshot {
                status: solution.status(),
                steps: solution.steps(),
                step: solution.state().carried.rho(),
                step_halvings: solution.state().carried.halvings(),
                residual: solution.residual(),
                z: solution.z().to_vec(),
                cost: cost.with_peak_bytes(cost.peak_bytes - recorded_bytes),
                recorded_bytes,
                estimates: estimates.collect(),
                value: self.problem.value(solution.point(), ctx),
            });
            if matches!(solution.status(), Status::Converged | Status::Diverged | Status::Interrupted) {
                break;
            }
        }
        Ok(snapshots)
    }
}
