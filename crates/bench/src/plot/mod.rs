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

/// Of a drawing without its legend.
const SIZE: (u32, u32) = (900, 520);
/// The height of a line of a legend, the length of what it shows of a curve, and the place left of it; about how wide a letter is.
const LINE: i32 = 24;
const SHOWN: i32 = 30;
const LEFT: i32 = 76;
const LETTER: i32 = 8;
/// Lengths of the dashes of what theory predicts, of the gaps between them, and their grey: one after another in a drawing.
const DASHES: [(u32, u32, u8); 4] = [(7, 4, 70), (2, 4, 70), (16, 5, 110), (4, 7, 110)];

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

/// What theory predicts, in greys.
const THEORY: RGBColor = RGBColor(90, 90, 90);

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
        Self { name: name.into(), colour: THEORY, stroke: Stroke::Dashed, points, band: Vec::new() }
    }

    /// The dashes, the gaps and the colour of what theory predicts, after so many others of it.
    fn dashes(&self, before: usize) -> (u32, u32, RGBColor) {
        let (dash, gap, grey) = DASHES[before % DASHES.len()];
        (dash, gap, if self.colour == THEORY { RGBColor(grey, grey, grey) } else { self.colour })
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

/// What is below a drawing: each named curve, with the number of dashed ones before it.
struct Legend<'a> {
    entries: Vec<(&'a Curve, usize)>,
    columns: usize,
    /// Of a column.
    width: i32,
}

impl Legend<'_> {
    fn height(&self) -> u32 {
        (self.entries.len().div_ceil(self.columns) as i32 * LINE + LINE / 2) as u32
    }

    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), PlotError> {
        let failed = |error: &dyn std::fmt::Display| PlotError::Drawing(error.to_string());
        let text = TextStyle::from(("sans-serif", 16).into_font()).color(&BLACK);
        for (place, (curve, theories)) in self.entries.iter().enumerate() {
            let at =
                (LEFT + (place % self.columns) as i32 * self.width, (place / self.columns) as i32 * LINE + LINE / 2);
            let colour = curve.colour;
            let stretch = |from: i32, to: i32, style: ShapeStyle| {
                let ends = [(at.0 + from, at.1), (at.0 + to.min(SHOWN), at.1)];
                area.draw(&PathElement::new(ends, style)).map_err(|e| failed(&e))
            };
            let mark = |size: i32| {
                area.draw(&Circle::new((at.0 + SHOWN / 2, at.1), size, colour.filled())).map_err(|e| failed(&e))
            };
            match curve.stroke {
                Stroke::Dashed => {
                    let (dash, gap, colour) = curve.dashes(*theories);
                    for from in (0..SHOWN).step_by((dash + gap) as usize) {
                        stretch(from, from + dash as i32, colour.stroke_width(1))?;
                    }
                }
                Stroke::Marked => {
                    stretch(0, SHOWN, colour.stroke_width(2))?;
                    mark(3)?;
                }
                Stroke::Plain => stretch(0, SHOWN, colour.stroke_width(2))?,
                Stroke::Dots => mark(2)?,
            }
            let name = Text::new(&*curve.name, (at.0 + SHOWN + 8, at.1 - LINE / 3), text.clone());
            area.draw(&name).map_err(|e| failed(&e))?;
        }
        Ok(())
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
        let heights = || drawings.iter().map(|ready| SIZE.1 + ready.legend().height());
        let area = SVGBackend::with_string(&mut text, (SIZE.0, heights().sum())).into_drawing_area();
        let mut rest = area.clone();
        for (ready, height) in drawings.iter().zip(heights()) {
            let (part, below) = rest.split_vertically(height);
            rest = below;
            let (right, up) = (ready.right.clone(), ready.up.clone());
            let logarithmic = |axis: &Axis| axis.scale == Scale::Logarithmic;
            match (logarithmic(&ready.drawing.across), logarithmic(&ready.drawing.up)) {
                (false, false) => ready.draw(&part, right, up),
                (false, true) => ready.draw(&part, right, up.log_scale()),
                (true, false) => ready.draw(&part, right.log_scale(), up),
                (true, true) => ready.draw(&part, right.log_scale(), up.log_scale()),
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
        let up = match up {
            Scale::FromZero => 0.0..1.1 * high,
            Scale::Even => wider(low, high, 0.05),
            Scale::Logarithmic => low / 2.0..3.0 * high,
        };
        Some(Self { drawing: Drawing { curves, ..drawing }, right, up })
    }

    /// What is in the legend, and where.
    fn legend(&self) -> Legend<'_> {
        let (mut entries, mut theories) = (Vec::new(), 0);
        for curve in &self.drawing.curves {
            entries.extend((!curve.name.is_empty()).then_some((curve, theories)));
            theories += usize::from(curve.stroke == Stroke::Dashed);
        }
        let longest = entries.iter().map(|(curve, _)| curve.name.chars().count()).max().unwrap_or(0) as i32;
        let width = SHOWN + 8 + LETTER * longest + 16;
        let columns = ((SIZE.0 as i32 - LEFT) / width).clamp(1, 4) as usize;
        Legend { entries, columns, width }
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
        let (above, below) = area.split_vertically(SIZE.1);
        self.legend().draw(&below)?;
        let mut chart = ChartBuilder::on(&above)
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
        let mut theories = 0;
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
                    let (dash, gap, colour) = curve.dashes(theories);
                    theories += 1;
                    chart.draw_series(DashedLineSeries::new(inside, dash, gap, colour.stroke_width(1)))
                }
            };
            series.map_err(|e| failed(&e))?;
        }
        Ok(())
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
    fn legends_are_below_and_theories_differ() {
        let points = vec![(1.0, 1.0), (2.0, 0.5), (3.0, 0.1)];
        let drawing = |curves: usize| Drawing {
            title: "a".to_owned(),
            across: Axis::from_zero("t"),
            up: Axis::logarithmic("error"),
            curves: (0..curves)
                .flat_map(|k| {
                    let measured = Curve::measured(format!("measured {k}"), MORE_COLOURS[k], points.clone());
                    [measured, Curve::theory(format!("theory {k}"), points.clone())]
                })
                .collect(),
        };
        let text = svg(vec![drawing(1), drawing(4)]).unwrap();
        let dashes: Vec<_> = (0..4).map(|k| Curve::theory("", Vec::new()).dashes(k)).collect();
        assert!((0..4).all(|k| !dashes[..k].contains(&dashes[k])), "{dashes:?}");
        // Every name is below the axis of its own drawing, within the picture.
        let heights: Vec<u32> =
            [1, 4].iter().map(|k| SIZE.1 + Ready::new(drawing(*k)).unwrap().legend().height()).collect();
        assert!(text.contains(&format!("height=\"{}\"", heights[0] + heights[1])));
        let place_of = |line: &str| -> Option<u32> {
            let from = line.find(" y=\"")? + 4;
            line[from..].split('"').next()?.parse().ok()
        };
        let lines: Vec<&str> = text.lines().collect();
        let places = |name: &str| -> Vec<u32> {
            let named = lines.windows(2).filter(|pair| pair[1].trim() == name);
            named.filter_map(|pair| place_of(pair[0])).collect()
        };
        for name in ["measured 0", "theory 0"] {
            let found = places(name);
            assert!(found.len() == 2 && found[0] > SIZE.1 && found[0] < heights[0], "{found:?}");
            assert!(found[1] > heights[0] + SIZE.1 && found[1] < heights[0] + heights[1], "{found:?}");
        }
        assert_eq!(places("measured 3").len(), 1);
    }

    #[test]
    fn labels_are_short() {
        for (value, text) in [(0.1 + 0.2, "0.3"), (400.0, "400"), (0.0, "0"), (2.5e-4, "0.00025")] {
            assert_eq!(short(value), text);
        }
    }
}
