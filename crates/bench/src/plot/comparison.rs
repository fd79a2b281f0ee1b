//! A comparison as SVG: error against iterations, seconds and passes.

use super::{Axis, Curve, Drawing, PlotError, colour, error_axis, svg};
use crate::choice::EstimatorKind;
use crate::compare::{Comparison, Measure, Rate, Row};

/// What an error is drawn against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// t.
    Iterations,
    /// Seconds of z_t and the gradient.
    Seconds,
    /// Passes over D of z_t and the gradient.
    Passes,
}

impl Against {
    /// Every axis.
    pub const ALL: [Self; 3] = [Self::Iterations, Self::Seconds, Self::Passes];

    /// A short name, for files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iterations => "iterations",
            Self::Seconds => "seconds",
            Self::Passes => "passes",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Iterations => "iterations t",
            Self::Seconds => "seconds, z_t included",
            Self::Passes => "passes over D, z_t included",
        }
    }

    fn of(self, row: &Row, measure: &Measure) -> f64 {
        match self {
            Self::Iterations => row.steps as f64,
            Self::Seconds => measure.cost.seconds,
            Self::Passes => measure.cost.passes as f64,
        }
    }
}

impl Comparison {
    /// The errors of every estimator against `against`, under `title`, as the text of an SVG file. Against iterations, what
    /// theory expects is drawn beside them, dashed: the fitted rate of g1, and twice that rate for g2 and g3, each
    /// through the middle of the estimator's own fit.
    ///
    /// # Errors
    ///
    /// [`PlotError`] where there is nothing to draw.
    pub fn plot(&self, against: Against, title: &str) -> Result<String, PlotError> {
        let mut curves = self.curves(against);
        if against == Against::Iterations {
            curves.extend(self.expected());
        }
        svg(vec![Drawing {
            title: title.to_owned(),
            across: Axis::from_zero(against.label()),
            up: error_axis(),
            curves,
        }])
    }

    /// ln(error), or ln(error / t), as a line in t.
    fn expected(&self) -> Vec<Curve> {
        let Some(analytic) = self.rates.iter().find(|rate| rate.estimator == EstimatorKind::Analytic) else {
            return Vec::new();
        };
        let last = self.rows.last().map_or(0.0, |row| row.steps as f64);
        let middle = f64::midpoint(self.fit_from as f64, last);
        let from = self.fit_from as f64 / 2.0;
        let line = |rate: &Rate| {
            let slope = rate.expected? * analytic.line.slope;
            let intercept = rate.line.intercept + (rate.line.slope - slope) * middle;
            let at = |t: f64| (intercept + slope * t).exp() * if rate.over_t { t } else { 1.0 };
            Some((0..=100).map(|k| from + (last - from) * f64::from(k) / 100.0).map(|t| (t, at(t))).collect())
        };
        // One of them in the legend.
        let names = std::iter::once("theory, from the rate of g1").chain(std::iter::repeat(""));
        self.rates.iter().filter_map(line).zip(names).map(|(points, name)| Curve::theory(name, points)).collect()
    }

    fn curves(&self, against: Against) -> Vec<Curve> {
        EstimatorKind::ALL
            .iter()
            .map(|&kind| {
                let points = self.rows.iter().filter_map(|row| {
                    let measure = row.measures.iter().find(|measure| measure.estimator == kind)?;
                    Some((against.of(row, measure), measure.error.ok().filter(|error| *error > 0.0)?))
                });
                Curve::measured(kind.to_string(), colour(kind), points.collect())
            })
            .filter(|curve| !curve.points.is_empty())
            .collect()
    }
}
