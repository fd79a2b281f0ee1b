//! What is shown: the decision with what it rests on, tables and drawings.

use danskin_bench::choice::{EstimatorKind, SolverKind};
use danskin_bench::plot::{Axis, Curve, Drawing, MORE_COLOURS, colour};
use danskin_bench::table::bytes;

use super::measured::steps;
use super::{ADAPTIVE, FIXED, HINDSIGHT, LAST, OF_ANY, Of, Reading, Run, WANTED, Way, fewest};
use crate::fit::FLOOR;
use crate::repeat::median;
use crate::table::Table;

/// The T of which the guide tells what each estimator takes there.
const GIVEN: usize = 128;

/// Two digits, for numbers that may differ in the last place between machines; a dash where there is none.
fn rounded(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let unit = 10.0_f64.powi((value.abs().max(1.0).log10().floor() as i32 - 1).max(-1));
    let text = format!("{:.1}", (value / unit).round() * unit);
    text.trim_end_matches(".0").to_owned()
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    format!("| {} |\n", cells.into_iter().collect::<Vec<_>>().join(" | "))
}

fn heading<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<_> = cells.into_iter().map(str::to_owned).collect();
    let lines = format!("|{}\n", "---|".repeat(cells.len()));
    row(cells) + &lines
}

/// The columns that say which instance.
const INSTANCE: [&str; 4] = ["instance", "n", "m", "L / lambda"];

/// The decision, and what it rests on.
pub(super) fn document(all: &[Run]) -> String {
    let runs: Vec<&Run> = all.iter().filter(|run| !run.is_ridge).collect();
    let names = || FIXED.iter().map(|(name, ..)| *name);
    let mut text =
        String::from("Passes over D for z_T and the gradient, over the fewest; medians over the instances below.\n\n");
    text += &heading(["f", "relative error", "D", "take"].into_iter().chain(names()).chain([ADAPTIVE]));
    for of in Of::ALL {
        for wanted in WANTED {
            for (shape, is_wide) in [("n < m", true), ("n >= m", false)] {
                let runs = runs.iter().filter(|run| (run.n < run.m) == is_wide);
                let each: Vec<Vec<f64>> = runs
                    .map(|run| run.fixed(of, wanted).into_iter().chain([run.adaptive(of, wanted)]).collect())
                    .collect();
                let over = |k: usize| median(each.iter().map(|passes: &Vec<f64>| passes[k] / fewest(passes)));
                let over: Vec<f64> = (0..=FIXED.len()).map(over).collect();
                let take = match over.split_last() {
                    // The others' T was known beforehand.
                    Some((adaptive, fixed)) if *adaptive <= HINDSIGHT * fewest(fixed) => ADAPTIVE,
                    _ => names().zip(&over).min_by(|a, b| a.1.total_cmp(b.1)).map_or("-", |(name, _)| name),
                };
                let cells = [of.name(), &format!("{wanted:.0e}"), shape, take].map(str::to_owned);
                text += &row(cells.into_iter().chain(over.into_iter().map(rounded)));
            }
        }
    }
    for of in Of::ALL {
        let (what, columns): (_, Vec<usize>) = match of {
            Of::Itself => ("f = L", (0..FIXED.len()).collect()),
            Of::HeldOut => ("f the loss on the rows held out", OF_ANY.to_vec()),
        };
        let adaptive = (of == Of::Itself).then_some(ADAPTIVE);
        text += &format!(
            "\nPasses to relative errors of 1e-2, 1e-4 and 1e-8, {what}; - where {LAST} steps, {} of g2, were not enough:\n\n",
            LAST / 2
        );
        text += &heading(INSTANCE.into_iter().chain(columns.iter().map(|k| FIXED[*k].0)).chain(adaptive));
        for run in &runs {
            let joined = |passes: &dyn Fn(f64) -> f64| WANTED.map(|wanted| rounded(passes(wanted))).join(" / ");
            let cells = columns.iter().map(|&k| joined(&|wanted| run.fixed(of, wanted)[k]));
            let adaptive = adaptive.map(|_| joined(&|wanted| run.adaptive(of, wanted)));
            text += &row(run.cells().into_iter().chain(cells).chain(adaptive));
        }
    }
    text += &format!("\nAt z_T for T = {GIVEN}, f = L: passes and memory beyond it, and the relative error:\n\n");
    let ways = [Way::Analytic, Way::Tape, Way::Checkpoints, Way::Cg(2), Way::Cholesky];
    let names = ways.map(Way::name);
    text += &heading(INSTANCE.into_iter().chain(names.iter().map(String::as_str)));
    for run in &runs {
        let cell = |way: Way| {
            let reading = run.of(way).find(|one| one.t == GIVEN);
            reading.map_or("-".to_owned(), |one| {
                let error = if one.error < FLOOR { "rounding".to_owned() } else { format!("{:.0e}", one.error) };
                format!("{} / {} / {error}", rounded(one.passes as f64), bytes(one.bytes))
            })
        };
        text += &row(run.cells().into_iter().chain(ways.map(cell)));
    }
    text + &unproved(all)
}

/// A line for each gradient of which `Adaptive` did not prove what was asked; nothing where there is none.
fn unproved(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in runs {
        for one in run.chosen.iter().filter(|one| !one.is_met()) {
            text += &format!(
                "\n{ADAPTIVE} did not prove a relative error of {:.0e}, {}: it ended with {}, its error {:.1e}, its bound {:.1e}, of which rounding {:.1e}.\n",
                one.wanted,
                run.title(),
                one.ended.name(),
                one.error,
                one.bound,
                one.rounding
            );
        }
    }
    text
}

impl Run {
    fn cells(&self) -> [String; 4] {
        [self.name.clone(), self.n.to_string(), self.m.to_string(), format!("{:.0}", self.condition)]
    }
}

pub(super) fn instances(runs: &[Run]) -> Table {
    let header = ["instance", "n", "m", "entries", "L / lambda", "quadratic"];
    let rows = runs.iter().enumerate().map(|(k, run)| {
        vec![k as f64, run.n as f64, run.m as f64, run.entries as f64, run.condition, f64::from(u8::from(run.is_ridge))]
    });
    Table::new("instances", header).with(rows)
}

pub(super) fn costs(runs: &[Run]) -> Table {
    let header = ["instance", "f is L", "t", "passes of z", "seconds of z"].map(str::to_owned);
    let each = Way::ALL.into_iter().flat_map(|way| {
        ["error", "passes", "bytes", "recorded", "seconds"].map(|what| format!("{} {what}", way.name()))
    });
    let mut rows = Vec::new();
    for (k, run) in runs.iter().enumerate() {
        for of in Of::ALL {
            for t in steps() {
                let at: Vec<_> = run
                    .readings
                    .iter()
                    .filter(|one| one.by == SolverKind::GradientDescent && one.of == of && one.t == t)
                    .collect();
                let of_z = at.first().map_or([f64::NAN; 2], |one| [one.of_z as f64, one.seconds_of_z]);
                let mut row = vec![k as f64, f64::from(u8::from(of == Of::Itself)), t as f64];
                row.extend(of_z);
                for way in Way::ALL {
                    let one = at.iter().find(|one| one.way == way);
                    row.extend(one.map_or([f64::NAN; 5], |one| {
                        [one.error, one.passes as f64, one.bytes as f64, one.recorded as f64, one.seconds]
                    }));
                }
                rows.push(row);
            }
        }
    }
    Table::new("costs", header.into_iter().chain(each)).with(rows)
}

pub(super) fn least(runs: &[Run]) -> Table {
    let header = ["instance", "f is L", "relative error"].into_iter().chain(FIXED.iter().map(|(name, ..)| *name));
    let header = header.map(|name| name.replace(',', "")).chain(["adaptive".to_owned()]);
    let finite = |passes: f64| if passes.is_finite() { passes } else { f64::NAN };
    let mut rows = Vec::new();
    for (k, run) in runs.iter().enumerate() {
        for of in Of::ALL {
            for wanted in WANTED {
                let passes = run.fixed(of, wanted).into_iter().chain([run.adaptive(of, wanted)]).map(finite);
                rows.push(
                    [k as f64, f64::from(u8::from(of == Of::Itself)), wanted].into_iter().chain(passes).collect(),
                );
            }
        }
    }
    Table::new("fewest-passes", header).with(rows)
}

impl Run {
    fn title(&self) -> String {
        format!("{}, n = {}, m = {}, L / lambda = {}", self.name, self.n, self.m, self.condition)
    }

    pub(super) fn errors(&self) -> Drawing {
        self.errors_over("passes over D, for z after iterations t and the gradient", Reading::total)
    }

    pub(super) fn errors_in_time(&self) -> Drawing {
        let across = "seconds, for z after iterations t and the gradient, several instances sharing the cores";
        self.errors_over(across, |one| one.seconds_of_z + one.seconds)
    }

    fn errors_over(&self, across: &str, of: impl Fn(&Reading) -> f64) -> Drawing {
        let curve = |way: Way, colour| {
            Curve::measured(way.name(), colour, self.of(way).map(|one| (of(one), one.error)).collect())
        };
        Drawing {
            title: self.title(),
            across: Axis::logarithmic(across),
            up: Axis::logarithmic("‖g - g*‖ / ‖g*‖"),
            curves: vec![
                curve(Way::Analytic, colour(EstimatorKind::Analytic)),
                curve(Way::Tape, colour(EstimatorKind::Automatic)),
                curve(Way::Checkpoints, MORE_COLOURS[0]),
                curve(Way::Truncated, MORE_COLOURS[1]),
                curve(Way::Cg(0), MORE_COLOURS[2]),
                curve(Way::Cg(2), colour(EstimatorKind::Implicit)),
            ],
        }
    }

    pub(super) fn memory(&self) -> Drawing {
        let curve = |way: Way, colour| {
            Curve::measured(way.name(), colour, self.of(way).map(|one| (one.t as f64, one.bytes as f64)).collect())
        };
        let tape = self.of(Way::Tape).map(|one| (one.t as f64, (8 * one.t * self.n.min(self.m)) as f64)).collect();
        Drawing {
            title: self.title(),
            across: Axis::logarithmic("iterations t"),
            up: Axis::logarithmic("bytes beyond z"),
            curves: vec![
                curve(Way::Tape, colour(EstimatorKind::Automatic)),
                curve(Way::Checkpoints, MORE_COLOURS[0]),
                curve(Way::Truncated, MORE_COLOURS[1]),
                curve(Way::Cg(2), colour(EstimatorKind::Implicit)),
                Curve::theory("theory: 8 t min(n, m)", tape),
            ],
        }
    }
}
