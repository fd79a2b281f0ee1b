//! Curves as SVG: one drawing, or several below one another.
//!
//! The background is painted, so that the drawings read the same on light and dark pages; the colours are told apart by
//! colour-blind readers too (Okabe and Ito 2008).

mod comparison;
mod picture;

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::combinators::IntoLogRange;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
pub use plotters::style::RGBColor;
use thiserror::Error;

pub use comparison::Against;
pub use picture::{Picture, sheet};

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
#[must_use]
pub fn colour(kind: EstimatorKind) -> RGBColor {
    match kind {
        EstimatorKind::Analytic => RGBColor(0, 114, 178),
        EstimatorKind::Automatic => RGBColor(213, 94, 0),
        EstimatorKind::Implicit => RGBColor(0, 158, 115),
    }
}

/// Colours of none of the estimators, for more curves than one of an estimator.
pub const MORE_COLOURS: [RGBColor; 4] =
    [RGBColor(230, 159, 0), RGBColor(204, 121, 167), RGBColor(86, 180, 233), RGBColor(120, 120, 120)];

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from 0.
    FromZero,
    /// Evenly, over what is drawn.
    Even,
    /// By powers of ten.
    Logarithmic,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it says.
    pub label: String,
    /// How it is divided.
    pub scale: Scale,
    /// How its numbers are written.
    pub number: fn(f64) -> String,
    /// Numbers on it, at the most.
    pub ticks: usize,
}

impl Axis {
    /// Powers of ten.
    #[must_use]
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Logarithmic, number: power, ticks: 10 }
    }

    /// Numbers of any sign.
    #[must_use]
    pub fn even(label: impl Into<String>) -> Self {
        Self { scale: Scale::Even, ..Self::from_zero(label) }
    }

    /// Numbers from 0 on.
    #[must_use]
    pub fn from_zero(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::FromZero, number: short, ticks: 9 }
    }
}

/// Errors upwards.
pub(crate) fn error_axis() -> Axis {
    Axis::logarithmic("error of the gradient, ‖g - g*‖")
}

/// 0.001 as "1e-3".
fn power(value: f64) -> String {
    format!("{value:.0e}")
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// A line with a mark at each point: what was measured, at few points.
    Marked,
    /// A line: what was measured, at many points.
    Plain,
    /// Marks alone: points in no order.
    Dots,
    /// Dashes: what theory predicts. They are cut off where nothing was measured.
    Dashed,
}

/// One curve of finite points, positive along a logarithmic axis.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What the legend says; nothing for a curve that is not in it.
    pub name: String,
    /// Its colour.
    pub colour: RGBColor,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Across and up.
    pub points: Vec<(f64, f64)>,
    /// The lower and the upper end of what is shaded about each point; empty for none.
    pub band: Vec<(f64, f64)>,
}

impl Curve {
    /// What was measured.
    #[must_use]
    pub fn measured(name: impl Into<String>, colour: RGBColor, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), colour, stroke: Stroke::Marked, points, band: Vec::new() }
    }

    /// What theory predicts.
    #[must_use]
    pub fn theory(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), colour: RGBColor(90, 90, 90), stroke: Stroke::Dashed, points, band: Vec::new() }
    }

    /// The points that can be drawn on these axes, each with its band where there is one.
    fn drawable(self, across: Scale, up: Scale) -> Self {
        let fits = |value: f64, scale| value.is_finite() && (value > 0.0 || scale != Scale::Logarithmic);
        let kept = |k: usize| fits(self.points[k].0, across) && fits(self.points[k].1, up);
        let kept: Vec<usize> = (0..self.points.len()).filter(|&k| kept(k)).collect();
        let points = kept.iter().map(|&k| self.points[k]).collect();
        let band = kept.iter().filter_map(|&k| self.band.get(k).copied()).collect();
        Self { points, band, ..self }
    }
}

/// Curves over two axes.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// Above it.
    pub title: String,
    /// The axis across.
    pub across: Axis,
    /// The axis upwards.
    pub up: Axis,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// The text of an SVG file with those of `drawings` that have a measured curve, one below the other. What cannot be drawn on a logarithmic
/// axis, and what is not finite, is left out.
///
/// # Errors
///
/// [`PlotError`] where there is nothing to draw.
pub fn svg(drawings: Vec<Drawing>) -> Result<String, PlotError> {
    let drawings: Vec<_> = drawings.into_iter().filter_map(Ready::new).collect();
    if drawings.is_empty() {
        return Err(PlotError::NothingToDraw);
    }
    let mut text = String::new();
    {
        let size = (SIZE.0, SIZE.1 * drawings.len() as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        for (part, ready) in area.split_evenly((drawings.len(), 1)).iter().zip(&drawings) {
            let (right, up) = (ready.right.clone(), ready.up.clone());
            let logarithmic = |axis: &Axis| axis.scale == Scale::Logarithmic;
            match (logarithmic(&ready.drawing.across), logarithmic(&ready.drawing.up)) {
                (false, false) => ready.draw(part, right, up),
                (false, true) => ready.draw(part, right, up.log_scale()),
                (true, false) => ready.draw(part, right.log_scale(), up),
                (true, true) => ready.draw(part, right.log_scale(), up.log_scale()),
            }?;
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

/// From below `low` to above `high`, by this share of what lies between; by 1 where nothing does.
fn wider(low: f64, high: f64, share: f64) -> Range<f64> {
    let room = if high > low { share * (high - low) } else { 1.0 };
    low - room..high + room
}

/// A drawing with what its axes span.
struct Ready {
    drawing: Drawing,
    right: Range<f64>,
    up: Range<f64>,
}

impl Ready {
    /// `None` where there is nothing to draw.
    fn new(drawing: Drawing) -> Option<Self> {
        let (across, up) = (drawing.across.scale, drawing.up.scale);
        let curves: Vec<_> = drawing.curves.into_iter().map(|curve| curve.drawable(across, up)).collect();
        let measured = || curves.iter().filter(|curve| curve.stroke != Stroke::Dashed).flat_map(|c| c.points.iter());
        let (left, right) = range(measured().map(|p| p.0))?;
        let (low, high) = range(measured().map(|p| p.1))?;
        let right = match across {
            Scale::FromZero => 0.0..right * 1.02,
            Scale::Even => wider(left, right, 0.05),
            Scale::Logarithmic => left / 1.2..right * 1.2,
        };
        // Room above the curves for the legend, a share of what the curves span.
        let up = match up {
            Scale::FromZero => 0.0..1.4 * high,
            Scale::Even => wider(low, high, 0.05).start..wider(low, high, 0.4).end,
            Scale::Logarithmic => low / 2.0..2.0 * high * (high / low).powf(0.3),
        };
        Some(Self { drawing: Drawing { curves, ..drawing }, right, up })
    }

    /// Draws over `right` and `up`, which the two coordinates have as axes.
    fn draw<X, Y>(&self, area: &DrawingArea<SVGBackend<'_>, Shift>, right: X, up: Y) -> Result<(), PlotError>
    where
        X: AsRangedCoord<Value = f64, CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>>,
        Y: AsRangedCoord<Value = f64, CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>>,
    {
        let Drawing { title, across, up: upwards, curves } = &self.drawing;
        let failed = |error: &dyn std::fmt::Display| PlotError::Drawing(error.to_string());
        area.fill(&WHITE).map_err(|e| failed(&e))?;
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 19))
            .margin(16)
            .set_label_area_size(LabelAreaPosition::Left, 76)
            .set_label_area_size(LabelAreaPosition::Bottom, 48)
            .build_cartesian_2d(right, up)
            .map_err(|e| failed(&e))?;
        chart
            .configure_mesh()
            .x_desc(&*across.label)
            .y_desc(&*upwards.label)
            .x_labels(across.ticks)
            .y_labels(upwards.ticks)
            .x_label_formatter(&|value| (across.number)(*value))
            .y_label_formatter(&|value| (upwards.number)(*value))
            .label_style(("sans-serif", 15))
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .draw()
            .map_err(|e| failed(&e))?;
        for curve in curves {
            let colour = curve.colour;
            if curve.band.len() == curve.points.len() && !curve.band.is_empty() {
                chart
                    .draw_series(std::iter::once(Polygon::new(self.around(curve), colour.mix(0.2))))
                    .map_err(|e| failed(&e))?;
            }
            let points = curve.points.iter().copied();
            let line = colour.stroke_width(2);
            let series = match curve.stroke {
                Stroke::Marked => chart.draw_series(LineSeries::new(points, line).point_size(3)),
                Stroke::Plain => chart.draw_series(LineSeries::new(points, line)),
                Stroke::Dots => {
                    let dots = points.map(|point| Circle::new(point, 2, colour.filled()));
                    chart.draw_series(dots)
                }
                Stroke::Dashed => {
                    let inside = points.filter(|(x, y)| self.right.contains(x) && self.up.contains(y));
                    chart.draw_series(DashedLineSeries::new(inside, 6, 4, colour.stroke_width(1)))
                }
            };
            let series = series.map_err(|e| failed(&e))?;
            if curve.name.is_empty() {
                continue;
            }
            let series = series.label(&*curve.name);
            let stretch = move |from, to, width| PathElement::new([(from, 0), (to, 0)], colour.stroke_width(width));
            match curve.stroke {
                Stroke::Dashed => series
                    .legend(move |at| EmptyElement::at(at) + stretch(0, 6, 1) + stretch(9, 15, 1) + stretch(18, 24, 1)),
                Stroke::Marked => {
                    series.legend(move |at| EmptyElement::at(at) + stretch(0, 22, 2) + Circle::new((11, 0), 3, colour))
                }
                Stroke::Plain => series.legend(move |at| EmptyElement::at(at) + stretch(0, 22, 2)),
                Stroke::Dots => {
                    series.legend(move |at| EmptyElement::at(at) + Circle::new((11, 0), 2, colour.filled()))
                }
            };
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

    /// The outline of a curve's band, as far as the axes go.
    fn around(&self, curve: &Curve) -> Vec<(f64, f64)> {
        let clamp = |value: f64| value.clamp(self.up.start, self.up.end);
        let edge = |end: fn(&(f64, f64)) -> f64| {
            curve.points.iter().zip(&curve.band).map(move |(point, band)| (point.0, clamp(end(band))))
        };
        edge(|band| band.1).chain(edge(|band| band.0).rev()).collect()
    }
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
