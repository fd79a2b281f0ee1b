//! `danskin reproduce`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::anyhow;
use danskin_bench::plot;
use danskin_reproduce::{ALL, Failure as Ended, Outcome, Report, Reproduction, Size};

use crate::args::ReproduceArgs;
use crate::failure::{ESTIMATOR_FAILED, Failure, warn};
use crate::output::{Folder, print};
use crate::progress;

pub(crate) fn run(args: &ReproduceArgs, quiet: bool) -> Result<ExitCode, Failure> {
    let width = ALL.iter().map(|experiment| experiment.name().len()).max().unwrap_or_default();
    if args.list {
        known(&args.names)?;
        let lines = ALL.iter().map(|experiment| format!("{:width$}  {}\n", experiment.name(), experiment.about()));
        print(&lines.collect::<String>())?;
        return Ok(ExitCode::SUCCESS);
    }
    // Every name is looked up, and every folder made, before the first takes its time.
    let chosen = chosen(&args.names)?;
    let folders: Result<Vec<_>, _> = chosen.iter().map(|one| Folder::open(&args.output.join(one.name()))).collect();
    let size = if args.full { Size::Full } else { Size::Short };
    let mut failed = false;
    for (experiment, folder) in chosen.iter().zip(folders?) {
        let start = Instant::now();
        let mut ctx = progress::context(quiet);
        let found = experiment.run(size, &mut ctx);
        drop(ctx);
        let mut outcome = match found {
            Ok(outcome) => outcome,
            Err(Ended::Interrupted) => return Err(Failure::Interrupted),
            Err(error) => {
                warn(&format!("{}: {error}", experiment.name()));
                failed = true;
                continue;
            }
        };
        progress::check_interrupt()?;
        let report = Report::new(*experiment, size, &outcome, start.elapsed().as_secs_f64());
        let verdicts = std::mem::take(&mut outcome.verdicts);
        write(&folder, &report, outcome)?;
        for verdict in &verdicts {
            print(&format!("{}: {}: {verdict}\n", experiment.name(), verdict.word()))?;
            failed |= !verdict.passed();
        }
    }
    if !quiet {
        print(&format!("\nwritten to {}, one folder for each\n", args.output.display()))?;
    }
    Ok(if failed { ExitCode::from(ESTIMATOR_FAILED) } else { ExitCode::SUCCESS })
}

/// The experiments of these names, each once, in the order of the list.
fn chosen(names: &[String]) -> Result<Vec<&'static dyn Reproduction>, Failure> {
    if names.is_empty() {
        return Err(Failure::Input(anyhow!("no experiment named: give a name or `all`; --list tells which there are")));
    }
    known(names)?;
    let is_asked =
        |experiment: &&&dyn Reproduction| names.iter().any(|name| name == "all" || name == experiment.name());
    Ok(ALL.iter().filter(is_asked).copied().collect())
}

/// That there are experiments of these names.
fn known(names: &[String]) -> Result<(), Failure> {
    let is_known = |name: &String| name == "all" || ALL.iter().any(|experiment| experiment.name() == name);
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        let known: Vec<_> = ALL.iter().map(|experiment| experiment.name()).collect();
        return Err(Failure::Input(anyhow!("no experiment {unknown}: expected all, {}", known.join(", "))));
    }
    Ok(())
}

fn write(folder: &Folder, report: &Report, outcome: Outcome) -> Result<(), Failure> {
    folder.write_report(report)?;
    for table in outcome.tables {
        folder.write_named_table(&format!("{}.csv", table.name), table.csv())?;
    }
    for (name, text) in outcome.documents {
        folder.write(&format!("{name}.md"), |out| out.write_all(text.as_bytes()))?;
    }
    folder.write_plots(
        outcome.drawings.into_iter().map(|(name, drawings)| (format!("{name}.svg"), plot::svg(drawings))),
    )?;
    folder.write_plots(outcome.pictures.iter().map(|(name, sheet)| (format!("{name}.svg"), plot::sheet(sheet))))?;
    Ok(())
}
