//! `danskin data`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow, ensure};
use danskin_bench::table::aligned;
use danskin_data::{Cache, Distinct, FetchError, Fetcher, LabelSummary, Registered, Shipped, Summary, shipped};

use crate::args::{DataCommand, FetchArgs, ShowArgs};
use crate::failure::Failure;
use crate::input::read_design;
use crate::make;
use crate::output::print;
use crate::progress;

pub(crate) fn run(command: &DataCommand, quiet: bool) -> Result<ExitCode, Failure> {
    match command {
        DataCommand::List => list(),
        DataCommand::Show(args) => show(args),
        DataCommand::Fetch(args) => fetch(args, quiet),
        DataCommand::Make(args) => make::run(args, quiet),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn fetch(args: &FetchArgs, quiet: bool) -> Result<(), Failure> {
    let folder = || args.to.clone().map_or_else(|| Ok(Cache::from_environment()?.folder().to_owned()), Ok);
    let fetcher = Fetcher { stall: args.timeout, attempts: args.attempts.get().into(), ..Fetcher::default() };
    let mut progress = progress::download(quiet);
    let fetched = if args.what.contains("://") {
        fetcher.fetch(&args.what, args.sha256.as_ref(), &folder().map_err(Failure::Input)?, &mut progress)
    } else {
        let set = registered(&args.what).map_err(Failure::Input)?;
        if args.sha256.is_some() {
            return Err(Failure::Input(anyhow!("{}: registered with its sha256: --sha256 is for a URL", set.name)));
        }
        set.fetch(&fetcher, &folder().map_err(Failure::Input)?, &mut progress)
    };
    drop(progress);
    let fetched = fetched.map_err(|error| match error {
        FetchError::File { .. } => Failure::Output(error.into()),
        _ => Failure::Input(error.into()),
    })?;
    let found = if fetched.was_there { ", there already" } else { "" };
    print(&format!("{}: {} bytes{found}\nsha256 {}\n", fetched.path.display(), fetched.bytes, fetched.sha256))
}

/// The registered set called `name`.
fn registered(name: &str) -> anyhow::Result<Registered> {
    ensure!(Shipped::find(name).is_none(), "{name} is shipped with danskin: there is nothing to fetch");
    let cache = Cache::from_environment()?;
    cache.registered()?.into_iter().find(|set| set.name == name).with_context(|| {
        format!("{name}: expected a URL or the name of a set in {}", cache.folder().join("registry.json").display())
    })
}

fn list() -> Result<(), Failure> {
    let header = ["name", "rows", "columns", "entries", "what"].map(str::to_owned).to_vec();
    let shipped = shipped().iter().map(|set| {
        vec![
            set.name.to_owned(),
            set.rows.to_string(),
            set.columns.to_string(),
            set.entries.to_string(),
            set.description.to_owned(),
        ]
    });
    let cache = Cache::from_environment().ok();
    let sets = cache.as_ref().map_or_else(|| Ok(Vec::new()), Cache::registered);
    let sets = sets.map_err(|error| Failure::Input(error.into()))?;
    let registered = sets.into_iter().map(|set| {
        let is_there = cache.as_ref().is_some_and(|cache| cache.find(set.file()).is_some());
        let state = if is_there { "fetched" } else { "not fetched" };
        let what = if set.description.is_empty() { set.url } else { set.description };
        let unknown = || "-".to_owned();
        vec![set.name, unknown(), unknown(), unknown(), format!("{what} ({state})")]
    });
    print(&aligned(header, shipped.chain(registered).collect(), &[0, 4]))
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
