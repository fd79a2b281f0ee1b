//! `danskin data`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use danskin_bench::table::aligned;
use danskin_data::{Distinct, LabelSummary, Shipped, Summary, shipped};

use crate::args::{DataCommand, ShowArgs};
use crate::failure::Failure;
use crate::input::read_design;
use crate::output::print;

pub(crate) fn run(command: &DataCommand) -> Result<ExitCode, Failure> {
    match command {
        DataCommand::List => list(),
        DataCommand::Show(args) => show(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn list() -> Result<(), Failure> {
    let header = ["name", "rows", "columns", "entries", "what"].map(str::to_owned).to_vec();
    let rows = shipped().iter().map(|set| {
        vec![
            set.name.to_owned(),
            set.rows.to_string(),
            set.columns.to_string(),
            set.entries.to_string(),
            set.description.to_owned(),
        ]
    });
    print(&aligned(header, rows.collect(), &[0, 4]))
}

fn show(args: &ShowArgs) -> Result<(), Failure> {
    let dataset = read_design(&args.name, &args.reading).map_err(Failure::Input)?;
    print(&(about(&args.name) + &describe(&Summary::of(&dataset))))
}

/// What the registry knows beyond the numbers.
fn about(name: &Path) -> String {
    let Some(set) = name.to_str().and_then(Shipped::find) else { return String::new() };
    format!(
        "{}: {}\nsource         {}\nlicence        {}\nsha256         {}  {}\n",
        set.name, set.description, set.source, set.licence, set.sha256, set.file
    )
}

fn describe(summary: &Summary) -> String {
    let cells = summary.rows as f64 * summary.columns as f64;
    let mut text = format!(
        "rows           {} ({} empty)\ncolumns        {} ({} empty)\nentries        {} ({}, {:.4} % of all)\n",
        summary.rows,
        summary.empty_rows,
        summary.columns,
        summary.empty_columns,
        summary.entries,
        if summary.dense { "dense" } else { "sparse" },
        if cells > 0.0 { 100.0 * summary.entries as f64 / cells } else { 0.0 },
    );
    if let Some((minimum, maximum)) = summary.range {
        let distinct = match summary.distinct {
            Distinct::Exactly(count) => count.to_string(),
            Distinct::More => format!("more than {}", Distinct::CAP),
        };
        let zeros = summary.zeros;
        let _ =
            writeln!(text, "values         {minimum} to {maximum}, {distinct} distinct, {zeros} of them stored zeros");
    }
    match &summary.labels {
        None => text += "labels         none\n",
        Some(LabelSummary::Counts(counts)) => {
            for (k, (label, count)) in counts.iter().enumerate() {
                let _ = writeln!(text, "{:15}{label}: {count} rows", if k == 0 { "labels" } else { "" });
            }
        }
        Some(LabelSummary::Range { minimum, maximum, mean }) => {
            let _ = writeln!(text, "labels         {minimum} to {maximum}, mean {mean}");
        }
        Some(_) => {}
    }
    text
}
