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
        if !self.rates.is_empty() {
            text.push('\n');
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
                format!("{}", rate.expected),
                rate.line.points.to_string(),
                format!("{:.6}", rate.line.r_squared),
            ]
        });
        let mut text = aligned(header.to_vec(), rows.collect(), &[0, 1]);
        if let Some(kappa) = self.effective_kappa() {
            let _ = writeln!(
                text,
                "fitted over t >= {}; effective kappa {kappa:.6} (condition {:.4}), nominal {:.6} (condition {:.4})",
                self.fit_from,
                1.0 / (1.0 - kappa),
                self.nominal_kappa,
                1.0 / (1.0 - self.nominal_kappa),
            );
        }
        text
    }
}

fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.steps.to_string()];
    let columns: [fn(&Measure) -> String; 4] = [
        |measure| measure.error.map_or_else(|error| error.name().to_owned(), |error| format!("{error:.3e}")),
        |measure| format!("{:.4}", measure.cost.seconds),
        |measure| measure.cost.passes.to_string(),
        |measure| bytes(measure.cost.peak_bytes),
    ];
    for column in columns {
        cells.extend(row.measures.iter().map(column));
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
