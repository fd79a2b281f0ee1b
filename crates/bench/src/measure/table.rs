//! The report as tables for a terminal.

use super::Span;
use super::report::{BenchReport, DesignReport, EstimatorReport, PassesReport};
use crate::table::{aligned, bytes};

impl BenchReport {
    /// For each design, the passes over it and the estimators on it; lines end without white space.
    #[must_use]
    pub fn table(&self) -> String {
        let parts = self.designs.iter().map(|design| {
            let (passes, estimators) = (design.passes_table(), design.estimators_table());
            let is_doubtful = design.estimators.iter().any(EstimatorReport::is_doubtful);
            let note = if is_doubtful { "* see the message in the report: of the linear solve\n" } else { "" };
            format!("{}\n\n{passes}\n{estimators}{note}", design.heading)
        });
        parts.collect::<Vec<_>>().join("\n")
    }
}

/// Three or four digits of a number of seconds.
fn seconds(value: f64) -> String {
    if value < 1e-3 { format!("{value:.1e}") } else { format!("{value:.4}") }
}

fn span(span: Span) -> [String; 2] {
    [seconds(span.min), seconds(span.median)]
}

impl DesignReport {
    fn passes_table(&self) -> String {
        let header = ["pass over D", "threads", "seconds\nmin", "\nmedian", "ns an\nentry", "bytes an\nentry", "GB/s"];
        let header = header.into_iter().chain(["of the\nprobe"]).map(str::to_owned);
        let rows = self.passes.iter().flat_map(PassesReport::rows);
        aligned(header.collect(), rows.collect(), &[0])
    }

    fn estimators_table(&self) -> String {
        let header = [
            "estimator",
            "T",
            "threads",
            "z_t, s\nmin",
            "\nmedian",
            "gradient, s\nmin",
            "\nmedian",
            "together, s\nmin",
            "\nmedian",
            "relative\nerror",
            "passes",
            "tape and\nscratch",
            "memory of\nthe process",
        ];
        let rows = self.estimators.iter().map(EstimatorReport::row);
        aligned(header.map(str::to_owned).to_vec(), rows.collect(), &[0])
    }
}

impl PassesReport {
    fn rows(&self) -> Vec<Vec<String>> {
        let line = |name: &str, numbers: [String; 6]| {
            [name.to_owned(), self.threads.to_string()].into_iter().chain(numbers).collect::<Vec<_>>()
        };
        let none = || "-".to_owned();
        let Some(probe) = self.probe else {
            return vec![line(&self.status, [none(), none(), none(), none(), none(), none()])];
        };
        let [min, median] = span(probe.seconds);
        let rate = format!("{:.2}", probe.gigabytes_per_second);
        let mut lines = vec![line("probe: an array", [min, median, none(), none(), rate, "1.00".to_owned()])];
        lines.extend(self.passes.iter().map(|pass| {
            let [min, median] = span(pass.seconds);
            let rates =
                [pass.nanoseconds_per_entry, pass.bytes_per_entry, pass.gigabytes_per_second, pass.share_of_probe];
            let [nanoseconds, bytes, rate, share] = rates.map(|rate| format!("{rate:.2}"));
            line(pass.pass.name(), [min, median, nanoseconds, bytes, rate, share])
        }));
        lines
    }
}

impl EstimatorReport {
    /// Whether there is a gradient, and something to know about it.
    fn is_doubtful(&self) -> bool {
        self.found.is_some() && self.message.is_some()
    }

    fn row(&self) -> Vec<String> {
        let mut row = vec![self.name(), self.iterations.to_string(), self.threads.to_string()];
        let Some(found) = self.found else {
            row.extend(std::iter::repeat_n("-".to_owned(), 6));
            row.push(self.status.clone());
            row.extend(std::iter::repeat_n("-".to_owned(), 3));
            return row;
        };
        row.extend([found.seconds.z, found.seconds.gradient, found.seconds.together].into_iter().flat_map(span));
        let doubt = if self.is_doubtful() { "*" } else { "" };
        row.push(found.relative_error.map_or_else(|| "-".to_owned(), |error| format!("{error:.2e}{doubt}")));
        row.push(found.passes.to_string());
        row.push(bytes(found.peak_bytes));
        row.push(found.resident.map_or_else(|| "-".to_owned(), |resident| bytes(resident.peak_bytes)));
        row
    }
}
