//! The report as drawings: for each design one, below one another.

use super::report::{BenchReport, DesignReport, EstimatorReport, FoundReport};
use crate::choice::EstimatorKind;
use crate::plot::{Axis, Curve, Drawing, MORE_COLOURS, PlotError, colour, svg};
use crate::table::bytes;

/// A drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Seconds of z_T and the gradient against the number of threads, at the largest T.
    Threads,
    /// Memory that z_T and the gradient took, beyond what the process had with the problem read, against T, on the most threads.
    Memory,
    /// Error against seconds, on the most threads.
    Error,
}

impl Figure {
    /// Every drawing.
    pub const ALL: [Self; 3] = [Self::Threads, Self::Memory, Self::Error];

    /// A short name, for files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Threads => "seconds-threads",
            Self::Memory => "memory-iterations",
            Self::Error => "error-seconds",
        }
    }

    fn across(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Memory => "iterations T",
            Self::Error => "seconds, z_T included",
        }
    }

    fn up(self) -> Axis {
        match self {
            Self::Threads => Axis::from_zero("seconds, z_T included"),
            Self::Memory => {
                Axis { number: |value| bytes(value as u64), ..Axis::from_zero("memory beyond the problem's") }
            }
            Self::Error => Axis::logarithmic("error of the gradient, ‖g - g*‖ / ‖g*‖"),
        }
    }

    /// Across and up.
    fn point(self, one: &EstimatorReport, found: FoundReport) -> (f64, Option<f64>) {
        let seconds = found.seconds.together.min;
        match self {
            Self::Threads => (one.threads as f64, Some(seconds)),
            // Where the system does not tell, what was counted.
            Self::Memory => {
                let grown = found.resident.map(|resident| resident.peak_bytes.saturating_sub(resident.before_bytes));
                (one.iterations as f64, Some(grown.unwrap_or(found.peak_bytes) as f64))
            }
            Self::Error => (seconds, found.relative_error),
        }
    }

    fn draws(self, one: &EstimatorReport, most: &EstimatorReport) -> bool {
        match self {
            Self::Threads => one.iterations == most.iterations,
            Self::Memory | Self::Error => one.threads == most.threads,
        }
    }

    fn drawing(self, design: &DesignReport) -> Drawing {
        // The last one is that of the most threads and the largest T.
        let drawn: Vec<_> = design
            .estimators
            .last()
            .map_or_else(Vec::new, |most| design.estimators.iter().filter(|one| self.draws(one, most)).collect());
        let mut curves: Vec<Curve> = Vec::new();
        let mut more = MORE_COLOURS.iter().cycle();
        for one in &drawn {
            let point = one.found.and_then(|found| {
                let (across, up) = self.point(one, found);
                Some((across, up.filter(|up| *up > 0.0)?))
            });
            let Some(point) = point else { continue };
            let name = one.name();
            if let Some(curve) = curves.iter_mut().find(|curve| curve.name == name) {
                curve.points.push(point);
                continue;
            }
            let own = colour(one.estimator);
            let is_taken = one.estimator == EstimatorKind::Automatic && curves.iter().any(|curve| curve.colour == own);
            let colour = if is_taken { more.next().copied().unwrap_or(own) } else { own };
            curves.push(Curve::measured(name, colour, vec![point]));
        }
        let threads = drawn.last().map_or(1, |most| most.threads);
        let of = match self {
            Self::Threads => drawn.last().map_or(String::new(), |most| format!(", T = {}", most.iterations)),
            Self::Memory | Self::Error => format!(", {threads} thread{}", if threads == 1 { "" } else { "s" }),
        };
        Drawing {
            title: format!("{} on {}{of}", design.instance.problem, design.instance.design),
            across: Axis {
                ticks: if self == Self::Threads { (threads + 1).min(9) } else { 9 },
                ..Axis::from_zero(self.across())
            },
            up: self.up(),
            curves,
        }
    }
}

impl BenchReport {
    /// `figure` as the text of an SVG file.
    ///
    /// # Errors
    ///
    /// [`PlotError`] where there is nothing to draw.
    pub fn plot(&self, figure: Figure) -> Result<String, PlotError> {
        svg(self.designs.iter().map(|design| figure.drawing(design)).collect())
    }
}
