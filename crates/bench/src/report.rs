//! What is written to `report.json` and `report.csv`. Seconds are wall-clock, bytes are beyond problem, x and z.
//!
//! `docs/schemas` says the same of `report.json` as JSON Schema: a field here has its line there. Numbers that are not finite
//! become null.

use danskin::certificate::{Certificate, Parts, Theorem, Uncertified};
use danskin::ctx::Cost;
use danskin::design::Rounding;
use danskin::estimator::EstimateError;
use danskin::linear::{LinearSolve, LinearStatus, Stages};
use danskin::prelude::{Gradient, SolveError};
use danskin::vector::norm;
use serde::Serialize;
use std::collections::BTreeMap;

use crate::choice::{Choices, EstimatorKind, Kept};
use crate::compare::{Comparison, Measure, Reference, Row};
use crate::resident::Resident;
use crate::trajectory::Snapshot;

/// The version of the layout.
pub const SCHEMA: u32 = 1;

/// A [`Cost`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CostReport {
    passes: u64,
    second_order_products: u64,
    solves: u64,
    peak_bytes: u64,
    seconds: f64,
}

impl From<Cost> for CostReport {
    fn from(cost: Cost) -> Self {
        Self {
            passes: cost.passes,
            second_order_products: cost.second_order_products,
            solves: cost.solves,
            peak_bytes: cost.peak_bytes,
            seconds: cost.seconds,
        }
    }
}

/// A [`LinearSolve`].
#[derive(Clone, Debug, Serialize)]
pub struct LinearReport {
    method: &'static str,
    preconditioner: Option<&'static str>,
    status: &'static str,
    iterations: usize,
    relative_residual: f64,
    positive_definite: bool,
    condition: Option<f64>,
    factor_entries: Option<u64>,
    shift: f64,
    seconds: StagesReport,
    tried: Vec<AttemptReport>,
}

/// A method that was considered and not used.
#[derive(Clone, Debug, Serialize)]
struct AttemptReport {
    method: &'static str,
    why: String,
}

/// [`Stages`], in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct StagesReport {
    form: f64,
    analyse: f64,
    factor: f64,
    solve: f64,
}

impl From<LinearSolve> for LinearReport {
    fn from(linear: LinearSolve) -> Self {
        let Stages { form, analyse, factor, solve } = linear.seconds;
        Self {
            method: linear.method,
            preconditioner: linear.preconditioner,
            status: linear.status.name(),
            iterations: linear.iterations,
            relative_residual: linear.residual,
            positive_definite: linear.positive_definite,
            condition: linear.condition.filter(|condition| condition.is_finite()),
            factor_entries: linear.factor_entries,
            shift: linear.shift,
            seconds: StagesReport { form, analyse, factor, solve },
            tried: linear
                .tried
                .iter()
                .map(|one| AttemptReport { method: one.method, why: one.outcome.to_string() })
                .collect(),
        }
    }
}

/// `"ok"`; `"inexact"` for a gradient whose linear solve ended above its tolerance; `"unverified"` for one whose Hessian is
/// not known to be positive definite; else why there is none.
#[must_use]
pub fn status<T>(result: &Result<T, EstimateError>, linear: Option<LinearSolve>) -> &'static str {
    match (result, linear) {
        (Err(error), _) => error.name(),
        (Ok(_), Some(linear)) if linear.status != LinearStatus::Converged => "inexact",
        (Ok(_), Some(linear)) if !linear.positive_definite => "unverified",
        (Ok(_), _) => "ok",
    }
}

/// One estimator in a report of `danskin gradient`.
#[derive(Clone, Debug, Serialize)]
pub struct EstimateReport {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    norm: Option<f64>,
    cost: Option<CostReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linear: Option<LinearReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateReport>,
}

/// A [`Certificate`], or why there is none.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CertificateReport {
    bound: Option<f64>,
    basis: &'static str,
    reference: Option<&'static str>,
    localised: Option<bool>,
    parts: Option<PartsReport>,
    theorem: Option<&'static str>,
    why: Option<String>,
    cost: Option<CostReport>,
}

/// [`Parts`].
#[derive(Clone, Copy, Debug, Serialize)]
struct PartsReport {
    reference: f64,
    iterate: f64,
    linear: f64,
    rounding: f64,
}

impl From<&Result<Certificate, Uncertified>> for CertificateReport {
    fn from(certificate: &Result<Certificate, Uncertified>) -> Self {
        match certificate {
            Ok(Certificate { bound, basis, reference, localised, parts, theorem, cost }) => {
                let Parts { reference: distance, iterate, rounding, linear } = *parts;
                Self {
                    bound: Some(*bound),
                    basis: basis.name(),
                    reference: Some(reference.name()),
                    localised: Some(*localised),
                    parts: Some(PartsReport { reference: distance, iterate, linear, rounding }),
                    theorem: theorem.map(Theorem::name),
                    why: None,
                    cost: Some((*cost).into()),
                }
            }
            Err(reason) => Self {
                bound: None,
                basis: "none",
                reference: None,
                localised: None,
                parts: None,
                theorem: None,
                why: Some(reason.to_string()),
                cost: None,
            },
        }
    }
}

/// What a reader of an estimate should know beyond its status, on one line.
#[must_use]
pub fn message<T>(result: &Result<T, EstimateError>, linear: Option<LinearSolve>) -> Option<String> {
    match (result, linear) {
        (Err(error), _) => Some(error.to_string()),
        (Ok(_), Some(linear)) if linear.status != LinearStatus::Converged => Some(format!(
            "the linear solve ended ({}) at a relative residual of {:.1e}, above its tolerance",
            linear.status.name(),
            linear.residual
        )),
        (Ok(_), Some(linear)) if !linear.positive_definite => Some(
            "the Hessian is not known to be positive definite; if it is singular, this is the least-norm answer"
                .to_owned(),
        ),
        (Ok(_), _) => None,
    }
}

impl EstimateReport {
    /// Of a gradient, or why there is none, with what it cost.
    #[must_use]
    pub fn new(result: &Result<Gradient, EstimateError>, cost: Option<Cost>) -> Self {
        let gradient = result.as_ref().ok();
        let linear = gradient.and_then(|gradient| gradient.linear);
        Self {
            status: status(result, linear),
            message: message(result, linear),
            norm: gradient.map(|gradient| norm(&gradient.value)),
            cost: cost.map(Into::into),
            linear: linear.map(Into::into),
            certificate: gradient.map(|gradient| (&gradient.certificate).into()),
        }
    }
}

/// The instance that a report is about.
#[derive(Clone, Debug, Serialize)]
pub struct Instance {
    /// The problem's name, as given.
    pub problem: String,
    /// The design's file or name, as given.
    pub design: String,
    /// n.
    pub rows: usize,
    /// m.
    pub columns: usize,
    /// Stored entries of D.
    pub entries: usize,
    /// The penalty; `None` where each group has its own.
    pub lambda: Option<f64>,
    /// The file of the groups' penalties; `None` where there is one.
    pub lambdas: Option<String>,
    /// The penalty's name, as given.
    pub penalty: String,
    /// The file of the weights; `None` for ones.
    pub weights: Option<String>,
    /// The file of the groups; `None` for one group.
    pub groups: Option<String>,
    /// What x is.
    pub wrt: &'static str,
    /// p, the length of x.
    pub parameters: usize,
    /// The labels of the classes, in the order of the columns of z; empty where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<f64>,
    /// The solver's name.
    pub solver: &'static str,
}

impl Instance {
    /// What it is, on two lines without an end; `origin` follows the design's name.
    #[must_use]
    pub fn describe(&self, origin: &str) -> String {
        let Self { problem, design, rows, columns, entries, wrt, parameters, solver, .. } = self;
        let lambda = self.lambda_text();
        format!(
            "{problem} on {design}{origin}: {rows} rows, {columns} columns, {entries} entries\n\
             {lambda}, x: {wrt} ({parameters} numbers), solver {solver}"
        )
    }

    /// The penalty, for headings.
    #[must_use]
    pub fn lambda_text(&self) -> String {
        match (self.lambda, &self.lambdas) {
            (Some(lambda), _) => format!("lambda {lambda:.6e}"),
            (None, file) => format!("lambda of each group from {}", file.as_deref().unwrap_or_default()),
        }
    }
}

/// What g2 may record.
#[derive(Clone, Copy, Debug, Serialize)]
struct KeptReport {
    /// Bytes; `None` without a limit.
    memory: Option<u64>,
    /// K of a truncated g2; `None` for all steps.
    last: Option<usize>,
}

impl From<Kept> for KeptReport {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Steps => Self { memory: None, last: None },
            Kept::Within(bytes) => Self { memory: Some(bytes), last: None },
            Kept::Last(steps) => Self { memory: None, last: Some(steps) },
        }
    }
}

/// `report.json` of `danskin gradient`.
#[derive(Clone, Debug, Serialize)]
pub struct GradientReport {
    schema: u32,
    #[serde(flatten)]
    instance: Instance,
    #[serde(flatten)]
    kept: KeptReport,
    status: &'static str,
    iterations: usize,
    step: Option<f64>,
    step_halvings: usize,
    value: f64,
    grad_z_norm: f64,
    cost: CostReport,
    estimators: BTreeMap<&'static str, EstimateReport>,
    rounding: Option<RoundingReport>,
    resident: Option<Resident>,
}

impl GradientReport {
    /// Of one snapshot, and the memory of the process while it was taken.
    #[must_use]
    pub fn new(instance: Instance, choices: &Choices, snapshot: &Snapshot, resident: Option<Resident>) -> Self {
        let report = |(kind, gradient): &(EstimatorKind, Result<Gradient, EstimateError>)| {
            let cost = gradient.as_ref().ok().map(|gradient| snapshot.own_cost(*kind, gradient.cost));
            (kind.name(), EstimateReport::new(gradient, cost))
        };
        Self {
            schema: SCHEMA,
            instance,
            kept: choices.kept.into(),
            status: snapshot.status.name(),
            iterations: snapshot.steps,
            step: snapshot.step,
            step_halvings: snapshot.step_halvings,
            value: snapshot.value,
            grad_z_norm: snapshot.residual,
            cost: snapshot.cost.into(),
            estimators: snapshot.estimates.iter().map(report).collect(),
            rounding: None,
            resident,
        }
    }

    /// With what rounding did to the values of D, and what that changes in the gradient; `None` where z_T diverged.
    #[must_use]
    pub fn rounded(self, rounding: Rounding, effect: Option<&Result<Gradient, EstimateError>>) -> Self {
        let report = |effect: &Result<Gradient, EstimateError>| {
            EstimateReport::new(effect, effect.as_ref().ok().map(|gradient| gradient.cost))
        };
        let rounding = RoundingReport {
            changed_values: rounding.changed,
            largest_relative_change: rounding.largest,
            effect: effect.map(report),
        };
        Self { rounding: Some(rounding), ..self }
    }
}

/// A [`Rounding`], and its effect on the gradient.
#[derive(Clone, Debug, Serialize)]
struct RoundingReport {
    changed_values: usize,
    largest_relative_change: f64,
    effect: Option<EstimateReport>,
}

/// `report.json` of a `danskin gradient` that came to nothing.
#[derive(Clone, Debug, Serialize)]
pub struct FailureReport {
    schema: u32,
    #[serde(flatten)]
    instance: Instance,
    #[serde(flatten)]
    kept: KeptReport,
    status: &'static str,
    message: String,
    estimators: BTreeMap<&'static str, EstimateReport>,
}

impl FailureReport {
    /// Of a solve that failed.
    #[must_use]
    pub fn new(instance: Instance, choices: &Choices, error: &SolveError) -> Self {
        Self::of(instance, choices.kept, choices.estimators.iter().map(|kind| kind.name()), error)
    }

    /// The same, of gradients with these names.
    #[must_use]
    pub fn of(
        instance: Instance,
        kept: Kept,
        names: impl IntoIterator<Item = &'static str>,
        error: &SolveError,
    ) -> Self {
        let status = error.name();
        let absent = EstimateReport { status, message: None, norm: None, cost: None, linear: None, certificate: None };
        let estimators = names.into_iter().map(|name| (name, absent.clone())).collect();
        Self { schema: SCHEMA, instance, kept: kept.into(), status, message: error.to_string(), estimators }
    }
}

/// A [`Reference`].
#[derive(Clone, Debug, Serialize)]
pub struct ReferenceReport {
    estimator: &'static str,
    status: &'static str,
    newton_steps: usize,
    relative_residual: f64,
    pub(crate) gradient_norm: f64,
    cost: CostReport,
}

impl From<&Reference> for ReferenceReport {
    fn from(reference: &Reference) -> Self {
        Self {
            estimator: reference.estimator.name(),
            status: reference.status.name(),
            newton_steps: reference.steps,
            relative_residual: reference.relative_residual,
            gradient_norm: norm(&reference.gradient),
            cost: reference.cost.into(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct MeasureReport {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    error: Option<f64>,
    cost: Option<CostReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linear: Option<LinearReport>,
}

impl From<&Measure> for MeasureReport {
    fn from(measure: &Measure) -> Self {
        Self {
            status: status(&measure.error, measure.linear),
            message: message(&measure.error, measure.linear),
            error: measure.error.ok(),
            cost: measure.error.is_ok().then(|| measure.cost.into()),
            linear: measure.linear.map(Into::into),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct RowReport {
    status: &'static str,
    iterations: usize,
    step: Option<f64>,
    step_halvings: usize,
    grad_z_norm: f64,
    estimators: BTreeMap<&'static str, MeasureReport>,
}

impl From<&Row> for RowReport {
    fn from(row: &Row) -> Self {
        let estimators = row.measures.iter().map(|measure| (measure.estimator.name(), measure.into()));
        Self {
            status: row.status.name(),
            iterations: row.steps,
            step: row.step,
            step_halvings: row.step_halvings,
            grad_z_norm: row.residual,
            estimators: estimators.collect(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct RateReport {
    fitted: &'static str,
    slope: f64,
    ratio_to_analytic: Option<f64>,
    theory: Option<f64>,
    points: usize,
    r_squared: f64,
}

/// `report.json` of `danskin compare`.
#[derive(Clone, Debug, Serialize)]
pub struct CompareReport {
    schema: u32,
    #[serde(flatten)]
    instance: Instance,
    #[serde(flatten)]
    kept: KeptReport,
    step: Option<f64>,
    setup_passes: u64,
    reference: ReferenceReport,
    trajectory: Vec<RowReport>,
    fit_from: usize,
    nominal_kappa: Option<f64>,
    effective_kappa: Option<f64>,
    rates: BTreeMap<&'static str, RateReport>,
}

impl CompareReport {
    /// Of a comparison.
    #[must_use]
    pub fn new(instance: Instance, choices: &Choices, comparison: &Comparison) -> Self {
        let rates = comparison.rates.iter().map(|rate| {
            let report = RateReport {
                fitted: if rate.over_t { "ln(error / t)" } else { "ln(error)" },
                slope: rate.line.slope,
                ratio_to_analytic: rate.ratio,
                theory: rate.expected,
                points: rate.line.points,
                r_squared: rate.line.r_squared,
            };
            (rate.estimator.name(), report)
        });
        Self {
            schema: SCHEMA,
            instance,
            kept: choices.kept.into(),
            step: comparison.step,
            setup_passes: comparison.setup_passes,
            reference: (&comparison.reference).into(),
            trajectory: comparison.rows.iter().map(Into::into).collect(),
            fit_from: comparison.fit_from,
            nominal_kappa: comparison.nominal_kappa,
            effective_kappa: comparison.effective_kappa(),
            rates: rates.collect(),
        }
    }
}

/// A line of `report.csv`: one estimator at one t; without a gradient, neither error nor cost.
#[derive(Clone, Debug, Serialize)]
struct CsvLine {
    iterations: usize,
    estimator: &'static str,
    status: &'static str,
    error: Option<f64>,
    seconds: Option<f64>,
    passes: Option<u64>,
    peak_bytes: Option<u64>,
}

/// `report.csv` of `danskin compare`.
///
/// # Errors
///
/// Those of the csv library.
pub fn csv(comparison: &Comparison) -> Result<String, csv::Error> {
    let measures = comparison.rows.iter().flat_map(|row| row.measures.iter().map(move |measure| (row, measure)));
    csv_of(measures.map(|(row, measure)| {
        let cost = measure.error.is_ok().then_some(measure.cost);
        CsvLine {
            iterations: row.steps,
            estimator: measure.estimator.name(),
            status: status(&measure.error, measure.linear),
            error: measure.error.ok(),
            seconds: cost.map(|cost| cost.seconds),
            passes: cost.map(|cost| cost.passes),
            peak_bytes: cost.map(|cost| cost.peak_bytes),
        }
    }))
}

/// `lines`, under the names of their fields.
///
/// # Errors
///
/// Those of the csv library.
pub fn csv_of(lines: impl Iterator<Item = impl Serialize>) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in lines {
        writer.serialize(line)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
