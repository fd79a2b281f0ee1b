//! `report.json` and the path of `danskin lasso`; `docs/schemas/lasso-report.json` says the same.

use std::collections::BTreeMap;

use danskin::prelude::Kinks;
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, PlotError, RGBColor, Stroke, svg};
use danskin_bench::report::{CostReport, EstimateReport};
use serde::Serialize;

/// What was solved.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LassoReport {
    pub(super) schema: u32,
    pub(super) problem: String,
    pub(super) design: String,
    pub(super) target: Option<String>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) entries: usize,
    pub(super) lambda: f64,
    pub(super) lambda_max: f64,
    pub(super) l1_ratio: f64,
    pub(super) nonnegative: bool,
    pub(super) penalty_weights: Option<String>,
    pub(super) weights: Option<String>,
    pub(super) wrt: &'static str,
    pub(super) parameters: usize,
    pub(super) method: &'static str,
    pub(super) tolerance: f64,
    pub(super) status: &'static str,
    pub(super) iterations: usize,
    /// L(z).
    pub(super) objective: f64,
    /// `None` where the dual problem is not known.
    pub(super) gap: Option<f64>,
    pub(super) relative_gap: Option<f64>,
    pub(super) support: usize,
    pub(super) intercept: Option<f64>,
    pub(super) kinks: KinksReport,
    pub(super) cost: CostReport,
    pub(super) columns_seconds: f64,
    pub(super) sweeps: Option<SweepsReport>,
    pub(super) estimators: BTreeMap<&'static str, EstimateReport>,
    pub(super) path: Vec<PathReport>,
}

/// [`Kinks`]; `None` where there is no such coordinate.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct KinksReport {
    least_coefficient: Option<f64>,
    least_slack: Option<f64>,
    /// Whether either is within rounding or the accuracy of z.
    met: bool,
}

impl KinksReport {
    /// Of a z that is known to `accuracy`, relative to its `largest` entry.
    pub(super) fn new(kinks: Kinks, accuracy: f64, largest: f64) -> Self {
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        Self {
            least_coefficient: finite(kinks.least),
            least_slack: finite(kinks.slack),
            met: kinks.are_met(accuracy, largest),
        }
    }

    /// What to know of a kink that is met.
    pub(super) fn note(&self) -> Option<String> {
        let number = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |value| format!("{value:.1e}"));
        self.met.then(|| {
            format!(
                "z* has a kink at this x, or may have: least coefficient {}, least slack off the support {} of lambda; \
                 derivatives differ on its two sides",
                number(self.least_coefficient),
                number(self.least_slack)
            )
        })
    }
}

/// The sweeps that the automatic estimator differentiated.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct SweepsReport {
    pub(super) count: usize,
    pub(super) converged: bool,
}

/// A point of a path.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PathReport {
    pub(super) lambda: f64,
    pub(super) objective: f64,
    /// `None` where the dual problem is not known.
    pub(super) gap: Option<f64>,
    pub(super) support: usize,
    pub(super) converged: bool,
    pub(super) seconds: f64,
}

/// A line of `path-z.csv`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Coefficient {
    pub(super) lambda: f64,
    /// From 0.
    pub(super) column: usize,
    pub(super) z: f64,
}

/// Coefficients drawn each as a curve of its own, the largest at the end of the path.
const CURVES: usize = 30;
/// Curves that the legend names.
const NAMED: usize = 6;

/// The path: coefficients, and how many are in use, against lambda.
pub(super) fn plot(title: &str, path: &[PathReport], coefficients: &[Coefficient]) -> Result<String, PlotError> {
    // Of each column, its coefficients in the order of the path.
    let mut of_column: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    for coefficient in coefficients {
        of_column.entry(coefficient.column).or_default().push((coefficient.lambda, coefficient.z));
    }
    let largest = |(column, found): (&usize, &Vec<(f64, f64)>)| {
        (*column, found.iter().fold(0.0_f64, |largest, (_, z)| largest.max(z.abs())))
    };
    let mut columns: Vec<(usize, f64)> = of_column.iter().map(largest).collect();
    columns.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    columns.truncate(CURVES);
    let colours = [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115)].into_iter().chain(MORE_COLOURS);
    let colours: Vec<RGBColor> = colours.collect();
    let curves = columns.iter().enumerate().map(|(rank, &(column, _))| {
        let mut found = of_column[&column].iter().peekable();
        let mut of = |lambda: f64| (lambda, found.next_if(|one| one.0 == lambda).map_or(0.0, |one| one.1));
        let name = if rank < NAMED { format!("column {column}") } else { String::new() };
        let points = path.iter().map(|point| of(point.lambda)).collect();
        Curve { stroke: Stroke::Plain, ..Curve::measured(name, colours[rank % colours.len()], points) }
    });
    let used = path.iter().map(|point| (point.lambda, point.support as f64)).collect();
    svg(vec![
        Drawing {
            title: title.to_owned(),
            across: Axis::logarithmic("lambda"),
            up: Axis::even("coefficient z_j"),
            curves: curves.collect(),
        },
        Drawing {
            title: "coefficients in use".to_owned(),
            across: Axis::logarithmic("lambda"),
            up: Axis::from_zero("support, of z"),
            curves: vec![Curve::measured("", RGBColor(0, 114, 178), used)],
        },
    ])
}
