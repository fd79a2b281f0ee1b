//! A gradient to a tolerance, with the solver chosen at run time, and its report.

use std::collections::BTreeMap;

use danskin::adaptive::{Accuracy, Adaptive, AdaptiveError, Chosen, Stage};
use danskin::ctx::Ctx;
use danskin::prelude::*;
use danskin::vector::norm;
use serde::Serialize;

use crate::choice::{AnyProblem, Choices, EstimatorKind, SolverKind};
use crate::report::{CertificateReport, CostReport, Instance, SCHEMA};
use crate::resident::Resident;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// How accurate the gradient is to be.
    pub accuracy: Accuracy,
    /// The solver, if it was named.
    pub solver: Option<SolverKind>,
    /// Steps at the most.
    pub steps: Option<usize>,
    /// Seconds at the most.
    pub seconds: Option<f64>,
    /// Bytes for factorisations at the most.
    pub bytes: Option<u64>,
}

/// Does what `request` says, the solver with the settings of `choices`.
///
/// # Errors
///
/// [`AdaptiveError`] where there is no gradient.
pub fn adaptive(
    problem: &AnyProblem,
    x: &[f64],
    initial: Option<&[f64]>,
    request: &Request,
    choices: &Choices,
    ctx: &mut Ctx,
) -> Result<Chosen, AdaptiveError> {
    let Choices { step, momentum, restart, .. } = *choices;
    let mut asked = Adaptive::new(request.accuracy);
    if let Some(steps) = request.steps {
        asked = asked.steps(steps);
    }
    if let Some(seconds) = request.seconds {
        asked = asked.seconds(seconds);
    }
    if let Some(bytes) = request.bytes {
        asked = asked.memory(bytes);
    }
    let Some(kind) = request.solver else { return asked.gradient_in(problem, x, initial, ctx) };
    macro_rules! by {
        ($solver:expr) => {
            asked.solver($solver, kind.name()).gradient_in(problem, x, initial, ctx)
        };
    }
    match kind {
        SolverKind::GradientDescent => by!(GradientDescent::new(step)),
        SolverKind::Nesterov => by!(Nesterov::new(step).momentum(momentum).restart(restart)),
        SolverKind::HeavyBall => by!(HeavyBall::new(step).momentum(momentum)),
        SolverKind::Backtracking => match step {
            StepSize::Auto => by!(Backtracking::default()),
            StepSize::Fixed(first) => by!(Backtracking::new(first)),
        },
        SolverKind::Lbfgs => asked.gradient_in(problem, x, initial, ctx),
        SolverKind::Newton => by!(Newton::new(choices.linear)),
    }
}

/// `report.json` of `danskin gradient --estimator auto`.
#[derive(Clone, Debug, Serialize)]
pub struct AdaptiveReport {
    schema: u32,
    #[serde(flatten)]
    instance: Instance,
    memory: Option<u64>,
    status: &'static str,
    iterations: usize,
    value: f64,
    grad_z_norm: f64,
    cost: CostReport,
    estimators: BTreeMap<&'static str, ChosenReport>,
    resident: Option<Resident>,
}

#[derive(Clone, Debug, Serialize)]
struct ChosenReport {
    status: &'static str,
    why: String,
    norm: f64,
    tolerance: f64,
    relative: bool,
    asked_bound: f64,
    estimator: &'static str,
    certificate: CertificateReport,
    stages: Vec<StageReport>,
}

#[derive(Clone, Debug, Serialize)]
struct StageReport {
    method: &'static str,
    steps: usize,
    mixtures: usize,
    cost: CostReport,
    linear_method: Option<&'static str>,
    linear_tolerance: Option<f64>,
    linear_iterations: Option<usize>,
    grad_z_norm: f64,
    bound: Option<f64>,
    predicted_solver_passes: Option<f64>,
    predicted_newton_passes: Option<f64>,
}

impl From<&Stage> for StageReport {
    fn from(stage: &Stage) -> Self {
        let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
        Self {
            method: stage.method,
            steps: stage.steps,
            mixtures: stage.mixtures,
            cost: stage.cost.into(),
            linear_method: stage.linear.map(|(linear, _)| linear.method),
            linear_tolerance: stage.linear.map(|(_, tolerance)| tolerance),
            linear_iterations: stage.linear.map(|(linear, _)| linear.iterations),
            grad_z_norm: stage.residual,
            bound: finite(Some(stage.bound)),
            predicted_solver_passes: finite(stage.predicted[0]),
            predicted_newton_passes: finite(stage.predicted[1]),
        }
    }
}

impl AdaptiveReport {
    /// Of what was chosen.
    #[must_use]
    pub fn new(instance: Instance, request: &Request, chosen: &Chosen, resident: Option<Resident>) -> Self {
        let (tolerance, relative) = match request.accuracy {
            Accuracy::Absolute(tolerance) => (tolerance, false),
            Accuracy::Relative(tolerance) => (tolerance, true),
        };
        let report = ChosenReport {
            status: chosen.outcome.name(),
            why: chosen.why(),
            norm: norm(&chosen.gradient.value),
            tolerance,
            relative,
            asked_bound: chosen.asked,
            estimator: EstimatorKind::Analytic.name(),
            certificate: (&chosen.gradient.certificate).into(),
            stages: chosen.stages.iter().map(Into::into).collect(),
        };
        Self {
            schema: SCHEMA,
            instance,
            memory: request.bytes,
            status: chosen.outcome.name(),
            iterations: chosen.steps(),
            value: chosen.value,
            grad_z_norm: chosen.residual,
            cost: chosen.cost.into(),
            estimators: BTreeMap::from([("auto", report)]),
            resident,
        }
    }
}
