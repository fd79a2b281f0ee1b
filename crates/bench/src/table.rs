//! Aligned tables for a terminal, and a comparison as one.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use crate::choice::EstimatorKind;
use crate::compare::{Comparison, Measure, Row};

/// An aligned table without lines: the columns that `left` names to the left, the others to the right.
#[must_use]
pub fn aligned(header: Vec<String>, rows: Vec<Vec<String>>, left: &[usize]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header).add_rows(rows);
    for (k, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(if left.contains(&k) { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// 1,234,567 bytes as "1.2 MB".
#[must_use]
pub fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") }
}

impl Comparison {
    /// The errors, costs and rates, one line for each t; lines end without white space.
    #[must_use]
    pub fn table(&self) -> String {
        let asked: Vec<EstimatorKind> = self
            .rows
            .first()
            .map(|row| row.measures.iter().map(|measure| measure.estimator).collect())
            .unwrap_or_default();
        let mut header = vec!["t".to_owned()];
        for what in ["error", "seconds", "passes", "memory"] {
            header.extend(asked.iter().map(|kind| format!("{kind}\n{what}")));
        }
        let mut text = aligned(header, self.rows.iter().map(cells).collect(), &[]);
        if self.rows.iter().flat_map(|row| &row.measures).any(Measure::is_inexact) {
            text += "* the linear solve ended above its tolerance\n";
        }
        text.push('\n');
        if self.rates.is_empty() {
            let _ = writeln!(text, "no rates: fewer than 3 errors above rounding at t >= {}", self.fit_from);
        } else {
            text += &self.rates_table();
        }
        text
    }

    fn rates_table(&self) -> String {
        let header = ["", "fitted", "slope in t", "over that of g1", "theory", "points", "R²"].map(str::to_owned);
        let rows = self.rates.iter().map(|rate| {
            vec![
                rate.estimator.to_string(),
                if rate.over_t { "ln(error / t)" } else { "ln(error)" }.to_owned(),
                format!("{:.6}", rate.line.slope),
                rate.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.4}")),
                rate.expected.map_or_else(|| "-".to_owned(), |expected| expected.to_string()),
                rate.line.points.to_string(),
                format!("{:.6}", rate.line.r_squared),
            ]
        });
        let mut text = aligned(header.to_vec(), rows.collect(), &[0, 1]);
        let condition = |kappa: f64| 1.0 / (1.0 - kappa);
        let _ = write!(text, "fitted over t >= {}", self.fit_from);
        if let Some(kappa) = self.effective_kappa() {
            let _ = write!(text, "; effective kappa {kappa:.6} (condition {:.4})", condition(kappa));
        }
        if let Some(kappa) = self.nominal_kappa {
            let _ = write!(text, ", nominal {kappa:.6} (condition {:.4})", condition(kappa));
        }
        text.push('\n');
        text
    }
}

fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.steps.to_string()];
    cells.extend(row.measures.iter().map(|measure| match measure.error {
        Ok(error) => format!("{error:.3e}{}", if measure.is_inexact() { "*" } else { "" }),
        Err(error) => error.name().to_owned(),
    }));
    let costs: [fn(&Measure) -> String; 3] = [
        |measure| match measure.cost.seconds {
            seconds if seconds < 1e-3 => format!("{seconds:.1e}"),
            seconds => format!("{seconds:.4}"),
        },
        |measure| measure.cost.passes.to_string(),
        |measure| bytes(measure.cost.peak_bytes),
    ];
    for cost in costs {
        cells.extend(row.measures.iter().map(|m| if m.error.is_ok() { cost(m) } else { "-".to_owned() }));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable() {
        for (count, text) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (19_200_000, "19.2 MB"), (3 << 40, "3.3 TB")]
        {
            assert_eq!(bytes(count), text);
        }
    }
}
