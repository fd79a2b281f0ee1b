//! One trajectory of a solver, looked at on the way: at each stop, z_t and the gradients chosen.

use danskin::ctx::{Cost, Ctx};
use danskin::estimator::EstimateError;
use danskin::prelude::*;
use danskin::solve::NoTape;

use crate::choice::{AnyProblem, Choices, EstimatorKind, Kept, Mode, Paced, Recording, SolverKind};

/// z_t and the gradients there.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// How the solve stands.
    pub status: Status,
    /// t.
    pub steps: usize,
    /// rho, or that of the last step; `None` for solvers without one.
    pub step: Option<f64>,
    /// Times that an automatic rho was halved.
    pub step_halvings: usize,
    /// L(z_t, x).
    pub value: f64,
    /// ‖grad_z L(z_t, x)‖.
    pub residual: f64,
    /// z_t.
    pub z: Vec<f64>,
    /// What z_t cost, without recording.
    pub cost: Cost,
    /// What recording cost beyond z_t, on behalf of g2; its memory is what it held before the gradients.
    pub recording: Cost,
    /// The gradients asked for, in order.
    pub estimates: Vec<(EstimatorKind, Result<Gradient, EstimateError>)>,
}

/// Runs the chosen solver on `problem` at x from z_0 (0 where `None`) and takes a snapshot at each of `stops`, which must
/// be in increasing order of their steps. The last one is where the solve converged, diverged or was interrupted.
///
/// Where recording does not fit into memory, all is run again without, and g2 is an error of its own. Of a solver whose
/// iterations are not unrolled there is no g2.
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
    choices.check_memory(problem)?;
    let run = Run { problem, x, initial, choices, stops };
    let Choices { step, momentum, .. } = *choices;
    match choices.solver {
        SolverKind::GradientDescent => run.unrolled(&GradientDescent::new(step), ctx),
        SolverKind::Nesterov => run.unrolled(&Nesterov::new(step).momentum(momentum).restart(choices.restart), ctx),
        SolverKind::HeavyBall => run.unrolled(&HeavyBall::new(step).momentum(momentum), ctx),
        SolverKind::Backtracking => match step {
            StepSize::Auto => run.unrolled(&Backtracking::default(), ctx),
            StepSize::Fixed(first) => run.unrolled(&Backtracking::new(first), ctx),
        },
        SolverKind::Lbfgs => run.record(&Lbfgs::default(), NoTape, ctx),
        SolverKind::Newton => run.record(&Newton::new(choices.linear), NoTape, ctx),
    }
}

impl Snapshot {
    /// What `kind` cost together with z_t, where its gradient alone cost `own`.
    #[must_use]
    pub fn cost_with(&self, kind: EstimatorKind, own: Cost) -> Cost {
        self.and_recording(kind, self.cost.then(own))
    }

    /// What `kind` cost beyond z_t, where its gradient alone cost `own`.
    #[must_use]
    pub fn own_cost(&self, kind: EstimatorKind, own: Cost) -> Cost {
        self.and_recording(kind, own)
    }

    /// g2 pays for the recording, whose memory is held all the while.
    fn and_recording(&self, kind: EstimatorKind, cost: Cost) -> Cost {
        if kind != EstimatorKind::Automatic {
            return cost;
        }
        let mut total = cost.then(self.recording);
        total.peak_bytes = cost.peak_bytes + self.recording.peak_bytes;
        total
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
    /// With whatever g2 needs recorded.
    fn unrolled<S>(&self, solver: &S, ctx: &mut Ctx) -> Result<Vec<Snapshot>, SolveError>
    where
        S: Replay<AnyProblem, State: Paced>,
    {
        let recorded = match (self.choices.estimators.contains(&EstimatorKind::Automatic), self.choices.mode) {
            (false, _) => self.record(solver, NoTape, ctx),
            (true, Mode::Reverse) => match self.choices.kept {
                Kept::Steps => self.record(solver, Tape::new(), ctx),
                Kept::Within(bytes) => self.record(solver, Checkpoints::within(bytes), ctx),
                Kept::Last(steps) => self.record(solver, Tape::last(steps), ctx),
            },
            (true, Mode::Forward) => self.record(solver, Tangents::full(), ctx),
        };
        let Err(SolveError::OutOfMemory { bytes }) = recorded else { return recorded };
        let mut snapshots = self.record(solver, NoTape, ctx)?;
        for snapshot in &mut snapshots {
            snapshot.estimates.push((EstimatorKind::Automatic, Err(EstimateError::OutOfMemory { bytes })));
            snapshot.estimates.sort_by_key(|(kind, _)| *kind);
        }
        Ok(snapshots)
    }

    fn record<S, R>(&self, solver: &S, recorder: R, ctx: &mut Ctx) -> Result<Vec<Snapshot>, SolveError>
    where
        S: Solver<AnyProblem, State: Paced>,
        R: Recording<S>,
    {
        let mut solve =
            Solve::new(self.problem, solver, self.x).stop(Stop::steps(0)).trail(self.choices.trail()).record(recorder);
        if let Some(initial) = self.initial {
            solve = solve.from(initial);
        }
        let mut solution = solve.run_in(ctx)?;
        let mut snapshots = Vec::new();
        for &stop in self.stops {
            solution.resume(stop, ctx)?;
            // Before a gradient adds to it, which is in that gradient's own cost.
            let recording = solution.recorder().cost();
            let estimates = self.choices.estimators.iter();
            let estimates = estimates.filter_map(|&kind| Some((kind, self.choices.gradient(kind, &solution, ctx)?)));
            snapshots.push(Snapshot {
                status: solution.status(),
                steps: solution.steps(),
                step: solution.state().rho(),
                step_halvings: solution.state().halvings(),
                residual: solution.residual(),
                z: solution.z().to_vec(),
                cost: solution.cost_of_z(),
                recording,
                estimates: estimates.collect(),
                value: self.problem.value(solution.point(), ctx),
            });
            if matches!(solution.status(), Status::Converged | Status::Diverged | Status::Interrupted | Status::Stalled)
            {
                break;
            }
        }
        Ok(snapshots)
    }
}
