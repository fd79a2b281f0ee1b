//! Curves as SVG: one drawing, or several below one another.
//!
//! The background is painted, so that the drawings read the same on light and dark pages; the colours are told apart by
//! colour-blind readers too (Okabe and Ito 2008).

mod comparison;

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::combinators::IntoLogRange;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use thiserror::Error;

pub use comparison::Against;

use crate::choice::EstimatorKind;

const SIZE: (u32, u32) = (900, 560);

/// Why a plot could not be drawn.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlotError {
    /// No number to draw is positive and finite.
    #[error("no number above 0 to draw")]
    NothingToDraw,
    /// The drawing library failed.
    #[error("drawing failed: {0}")]
    Drawing(String),
}

/// The colour of an estimator.
pub(crate) fn colour(kind: EstimatorKind) -> RGBColor {
    match kind {
        EstimatorKind::Analytic => RGBColor(0, 114, 178),
        EstimatorKind::Automatic => RGBColor(213, 94, 0),
        EstimatorKind::Implicit => RGBColor(0, 158, 115),
    }
}

/// Colours of none of the estimators, for more curves than one of an estimator.
pub(crate) const MORE_COLOURS: [RGBColor; 4] =
    [RGBColor(230, 159, 0), RGBColor(204, 121, 167), RGBColor(86, 180, 233), RGBColor(120, 120, 120)];

/// An axis upwards: what it says, and how its numbers are written; logarithmic, or from 0.
#[derive(Clone, Copy)]
pub(crate) struct Up {
    pub(crate) logarithmic: bool,
    pub(crate) label: &'static str,
    pub(crate) number: fn(f64) -> String,
}

/// Errors upwards.
pub(crate) const ERROR: Up = Up { logarithmic: true, label: "error of the gradient, ‖g - g*‖", number: power };

/// 0.001 as "1e-3".
pub(crate) fn power(value: f64) -> String {
    format!("{value:.0e}")
}

/// One curve, of positive finite ordinates.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) colour: RGBColor,
    pub(crate) points: Vec<(f64, f64)>,
}

/// ln(error), or ln(error / t), as a line in t, drawn from t = `from` on.
pub(crate) struct Expected {
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

/// Curves over an axis from 0.
pub(crate) struct Drawing {
    pub(crate) title: String,
    /// What the axis across says.
    pub(crate) across: &'static str,
    /// Numbers on the axis across, at the most.
    pub(crate) ticks: usize,
    pub(crate) up: Up,
    pub(crate) curves: Vec<Curve>,
    pub(crate) expected: Vec<Expected>,
}

/// The text of an SVG file with those of `drawings` that have a curve, one below the other.
///
/// # Errors
///
/// [`PlotError`] where there is nothing to draw.
pub(crate) fn svg(drawings: &[Drawing]) -> Result<String, PlotError> {
    let drawings: Vec<_> =
        drawings.iter().filter(|drawing| drawing.curves.iter().any(|curve| !curve.points.is_empty())).collect();
    if drawings.is_empty() {
        return Err(PlotError::NothingToDraw);
    }
    let mut text = String::new();
    {
        let size = (SIZE.0, SIZE.1 * drawings.len() as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        for (part, drawing) in area.split_evenly((drawings.len(), 1)).iter().zip(drawings) {
            let points = || drawing.curves.iter().flat_map(|curve| curve.points.iter());
            let (_, right) = range(points().map(|p| p.0)).ok_or(PlotError::NothingToDraw)?;
            let (low, high) = range(points().map(|p| p.1)).ok_or(PlotError::NothingToDraw)?;
            // Room above the curves for the legend, a share of what the curves span.
            if drawing.up.logarithmic {
                let within = low / 2.0..2.0 * high * (high / low).powf(0.3);
                draw(part, drawing, right, within.clone(), within.log_scale())?;
            } else {
                let within = 0.0..1.4 * high;
                draw(part, drawing, right, within.clone(), within)?;
            }
        }
        area.present().map_err(|error| PlotError::Drawing(error.to_string()))?;
    }
    Ok(text)
}

/// A number without the digits that adding up steps leaves behind.
pub(crate) fn short(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

/// Draws over 0 to `right` and `within`, which `coordinate` has as an axis.
fn draw<Y>(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    drawing: &Drawing,
    right: f64,
    within: Range<f64>,
    coordinate: Y,
) -> Result<(), PlotError>
where
    Y: AsRangedCoord<Value = f64, CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>>,
{
    let Drawing { title, across, ticks, up, curves, expected } = drawing;
    let failed = |error: &dyn std::fmt::Display| PlotError::Drawing(error.to_string());
    area.fill(&WHITE).map_err(|e| failed(&e))?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 19))
        .margin(16)
        .set_label_area_size(LabelAreaPosition::Left, 76)
        .set_label_area_size(LabelAreaPosition::Bottom, 48)
        .build_cartesian_2d(0.0..right * 1.02, coordinate)
        .map_err(|e| failed(&e))?;
    chart
        .configure_mesh()
        .x_desc(*across)
        .y_desc(up.label)
        .x_labels(*ticks)
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| (up.number)(*value))
        .label_style(("sans-serif", 15))
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .draw()
        .map_err(|e| failed(&e))?;
    for curve in curves {
        let colour = curve.colour;
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2)).point_size(3))
            .map_err(|e| failed(&e))?
            .label(&*curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(2)));
    }
    let dashes = BLACK.mix(0.55).stroke_width(1);
    for line in expected {
        let steps = (0..=100).map(|k| line.from + (right - line.from) * f64::from(k) / 100.0);
        let inside = steps.map(|t| (t, line.at(t))).filter(|(_, error)| within.contains(error));
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
