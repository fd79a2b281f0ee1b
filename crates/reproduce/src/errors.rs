//! Errors of g1, g2 and g3 along one trajectory, of kappa^t, t kappa^2t and kappa^2t in theory.

use danskin_bench::choice::EstimatorKind;
use danskin_bench::plot::{Axis, Curve, Drawing, Stroke, colour};

use crate::fit::{is_seen, later_slope};
use crate::table::Table;

/// What g1, g2 and g3 are off by at each t, relative to what they are of.
#[derive(Clone, Debug)]
pub(crate) struct Errors {
    pub(crate) steps: Vec<usize>,
    pub(crate) errors: Vec<[f64; 3]>,
}

impl Errors {
    /// Places at which error `k` is above rounding, from the first step on.
    pub(crate) fn seen(&self, k: usize) -> impl Iterator<Item = usize> + '_ {
        let stepped = self.steps.iter().take_while(|t| **t == 0).count();
        (stepped..self.steps.len()).take_while(move |&place| is_seen(self.errors[place][k], 1.0))
    }

    /// The rate of g1 over ln kappa.
    pub(crate) fn rate(&self, kappa: f64) -> f64 {
        later_slope(self.seen(0).map(|place| (self.steps[place] as f64 * kappa.ln(), self.errors[place][0].ln())))
    }

    /// The power of the error of g1 that the error of `k` is, over t where `over_t`.
    pub(crate) fn power(&self, k: usize, over_t: bool) -> f64 {
        let of = |place: usize| self.errors[place][k] / if over_t { self.steps[place] as f64 } else { 1.0 };
        later_slope(self.seen(k).map(|place| (self.errors[place][0].ln(), of(place).ln())))
    }

    /// A column for each estimator.
    pub(crate) fn table(&self, name: &'static str) -> Table {
        let rows = self.steps.iter().zip(&self.errors).map(|(t, errors)| [&[*t as f64], &errors[..]].concat());
        Table::new(name, ["t", "analytic", "automatic", "implicit"]).with(rows)
    }

    /// Over curves of theory, each through the middle of what was measured.
    pub(crate) fn drawing(&self, title: &str, (across, up): (&str, &str), kappa: f64) -> Drawing {
        let mut curves = Vec::new();
        for (k, (&kind, power)) in EstimatorKind::ALL.iter().zip([1.0, 2.0, 2.0]).enumerate() {
            let points: Vec<_> =
                self.steps.iter().zip(&self.errors).map(|(t, errors)| (*t as f64, errors[k])).collect();
            let seen: Vec<_> = self.seen(k).map(|place| points[place]).collect();
            if let Some(middle) = seen.get(seen.len() * 2 / 3) {
                let over_t = kind == EstimatorKind::Automatic;
                let factor = |t: f64| if over_t { t / middle.0 } else { 1.0 };
                let law = |t: f64| 1.5 * middle.1 * factor(t) * kappa.powf(power * (t - middle.0));
                let name = ["theory: kappa^t", "theory: t kappa^2t", "theory: kappa^2t"][k];
                curves.push(Curve::theory(name, seen.iter().map(|(t, _)| (*t, law(*t))).collect()));
            }
            curves.push(Curve { stroke: Stroke::Plain, ..Curve::measured(kind.to_string(), colour(kind), points) });
        }
        Drawing { title: title.to_owned(), across: Axis::from_zero(across), up: Axis::logarithmic(up), curves }
    }
}
