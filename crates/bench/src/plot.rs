//! A comparison as SVG: error against iterations, seconds and passes, on a logarithmic scale.
//!
//! The background is painted, so that the drawings read the same on light and dark pages; the colours are told apart by
//! colour-blind readers too (Okabe and Ito 2008).

use plotters::coord::Shift;
use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;
use thiserror::Error;

use crate::choice::EstimatorKind;
use crate::compare::{Comparison, Measure, Rate, Row};

const SIZE: (u32, u32) = (900, 560);

/// Why a plot could not be drawn.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlotError {
    /// No error is a positive finite number.
    #[error("no error above 0 to draw")]
    NothingToDraw,
    /// The drawing library failed.
    #[error("drawing failed: {0}")]
    Drawing(String),
}

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

fn colour(kind: EstimatorKind) -> RGBColor {
    match kind {
        EstimatorKind::Analytic => RGBColor(0, 114, 178),
        EstimatorKind::Automatic => RGBColor(213, 94, 0),
        EstimatorKind::Implicit => RGBColor(0, 158, 115),
    }
}

/// One estimator's curve.
struct Curve {
    kind: EstimatorKind,
    points: Vec<(f64, f64)>,
}

/// ln(error), or ln(error / t), as a line in t, drawn from t = `from` on.
struct Expected {
    from: f64,
    intercept: f64,
    slope: f64,
    over_t: bool,
}

impl Expected {
    fn at(&self, t: f64) -> f64 {
        let line = (self.intercept + self.slope * t).exp();
        if self.over_t { t * line } else { line }
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
        let curves = self.curves(against);
        let expected = if against == Against::Iterations { self.expected() } else { Vec::new() };
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
            draw(&area, title, &curves, &expected, against)?;
            area.present().map_err(|error| PlotError::Drawing(error.to_string()))?;
        }
        Ok(text)
    }

    fn expected(&self) -> Vec<Expected> {
        let Some(analytic) = self.rates.iter().find(|rate| rate.estimator == EstimatorKind::Analytic) else {
            return Vec::new();
        };
        let last = self.rows.last().map_or(0, |row| row.steps);
        let middle = f64::midpoint(self.fit_from as f64, last as f64);
        let line = |rate: &Rate| {
            let slope = rate.expected? * analytic.line.slope;
            let at_middle = rate.line.intercept + rate.line.slope * middle;
            let from = self.fit_from as f64 / 2.0;
            Some(Expected { from, intercept: at_middle - slope * middle, slope, over_t: rate.over_t })
        };
        self.rates.iter().filter_map(line).collect()
    }

    fn curves(&self, against: Against) -> Vec<Curve> {
        EstimatorKind::ALL
            .iter()
            .map(|&kind| {
                let points = self.rows.iter().filter_map(|row| {
                    let measure = row.measures.iter().find(|measure| measure.estimator == kind)?;
                    Some((against.of(row, measure), measure.error.ok().filter(|error| *error > 0.0)?))
                });
                Curve { kind, points: points.collect() }
            })
            .filter(|curve| !curve.points.is_empty())
            .collect()
    }
}

/// A number without the digits that adding up steps leaves behind.
fn short(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    curves: &[Curve],
    expected: &[Expected],
    against: Against,
) -> Result<(), PlotError> {
    let failed = |error: &dyn std::fmt::Display| PlotError::Drawing(error.to_string());
    let points = || curves.iter().flat_map(|curve| curve.points.iter());
    let (_, right) = range(points().map(|p| p.0)).ok_or(PlotError::NothingToDraw)?;
    let (low, high) = range(points().map(|p| p.1)).ok_or(PlotError::NothingToDraw)?;
    // Room above the curves for the legend, a share of what the errors span.
    let (bottom, top) = (low / 2.0, 2.0 * high * (high / low).powf(0.3));
    area.fill(&WHITE).map_err(|e| failed(&e))?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 19))
        .margin(16)
        .set_label_area_size(LabelAreaPosition::Left, 76)
        .set_label_area_size(LabelAreaPosition::Bottom, 48)
        .build_cartesian_2d(0.0..right * 1.02, (bottom..top).log_scale())
        .map_err(|e| failed(&e))?;
    chart
        .configure_mesh()
        .x_desc(against.label())
        .y_desc("error of the gradient, ‖g - g*‖")
        .x_labels(9)
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| format!("{value:.0e}"))
        .label_style(("sans-serif", 15))
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .draw()
        .map_err(|e| failed(&e))?;
    for curve in curves {
        let colour = colour(curve.kind);
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2)).point_size(3))
            .map_err(|e| failed(&e))?
            .label(curve.kind.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(2)));
    }
    let dashes = BLACK.mix(0.55).stroke_width(1);
    for line in expected {
        let steps = (0..=100).map(|k| line.from + (right - line.from) * f64::from(k) / 100.0);
        let inside = steps.map(|t| (t, line.at(t))).filter(|(_, error)| (bottom..top).contains(error));
        chart.draw_series(DashedLineSeries::new(inside, 6, 4, dashes)).map_err(|e| failed(&e))?;
    }
    if !expected.is_empty() {
        let dash = move |x, y| PathElement::new([(x, y), (x + 6, y)], dashes);
        chart
            .draw_series(std::iter::empty::<PathElement<(f64, f64)>>())
            .map_err(|e| failed(&e))?
            .label("theory, from the rate of g1")
            .legend(move |(x, y)| EmptyElement::at((x, y)) + dash(0, 0) + dash(9, 0) + dash(18, 0));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.9))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 16))
        .draw()
        .map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        for (value, text) in [(0.1 + 0.2, "0.3"), (400.0, "400"), (0.0, "0"), (2.5e-4, "0.00025")] {
            assert_eq!(short(value), text);
        }
    }
}
