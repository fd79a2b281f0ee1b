//! `danskin bench`.

use std::fs::File;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::{Context, anyhow};
use danskin::prelude::Targets;
use danskin::unrolled::Sizes;
use danskin_bench::choice::{Choices, Kept};
use danskin_bench::compare::reference;
use danskin_bench::measure::{BenchReport, Budget, Figure, Machine, Plan, Subject, rounds};
use danskin_data::make::{Recipe, Task as Labels, Zipf};
use danskin_data::write_vector;

use crate::args::BenchArgs;
use crate::compare::about;
use crate::failure::{ESTIMATOR_FAILED, Failure, warn};
use crate::input::Input;
use crate::make::{self, unwritten};
use crate::measure::{self, Made, Task};
use crate::output::{Folder, print};
use crate::progress::{self, check_interrupt};

/// Entries of a row of a synthetic design.
const PER_ROW: usize = 50;
/// Its rows for each column.
const ROWS_PER_COLUMN: usize = 5;
/// A budget, where none is given.
const TENTH: Budget = Budget::Share { part: NonZeroU32::MIN, of: NonZeroU32::MIN.saturating_add(9) };

/// A design to measure on, and what its processes are told.
struct Prepared {
    subject: Subject,
    sizes: Option<Sizes>,
    made: Option<Made>,
    /// The file of g*.
    reference: PathBuf,
}

pub(crate) fn run(args: &BenchArgs, threads: Option<u16>, quiet: bool) -> Result<ExitCode, Failure> {
    if let Some(task) = &args.task {
        return measure::serve(args, task);
    }
    let choices = args.method.choices_of_any(Kept::Steps)?;
    let (threads, budgets) = (over_threads(args, threads)?, budgets(args)?);
    let labels = labels(args)?;
    let mut iterations = args.iterations.clone();
    iterations.sort_unstable();
    iterations.dedup();

    // A file of the user's is read before there is anything to take away on an interrupt.
    let read = |made: Option<&Made>| measure::read(args, made, &choices, &mut progress::context(quiet));
    let mut own = if labels.is_none() { Some(read(None)?) } else { None };
    progress::watch_for_interrupts();
    let files = tempfile::tempdir().context("a temporary folder").map_err(Failure::Output)?;
    let mut designs = Vec::new();
    match labels {
        Some(labels) => {
            for entries in &args.entries {
                designs.push(Some(make_design(entries.get(), labels, files.path(), quiet)?));
            }
        }
        None => designs.push(None),
    }
    let folder = Folder::open(&args.output)?;
    let prepare = |made: Option<Made>| {
        let input = own.take().map_or_else(|| read(made.as_ref()), Ok)?;
        prepare(&input, made, args, &choices, &budgets, files.path(), quiet)
    };
    let prepared: Result<Vec<Prepared>, Failure> = designs.into_iter().map(prepare).collect();
    let prepared = prepared.map_err(|failure| folder.without_results(failure, Figure::ALL.map(plot)))?;

    let plan = Plan { threads: &threads, iterations: &iterations, budgets: &budgets, choices: &choices };
    let cases: Vec<_> = prepared.iter().enumerate().flat_map(|(k, design)| plan.cases(k, design.sizes)).collect();
    let samples = usize::from(args.samples.get());
    let (mut done, total) = (0, (cases.len() * samples) as u64);
    let mut count = progress::count("measurements", quiet);
    let measured = rounds(&plan, cases, samples, |case| {
        let Prepared { made, reference, .. } = &prepared[case.design];
        let (made, reference) = (made.clone(), reference.clone());
        let outcome = measure::start(&Task { made, threads: case.threads, work: case.work, reference }, files.path())?;
        done += 1;
        if count(done, total).is_break() { Err(Failure::Interrupted) } else { Ok(outcome) }
    });
    drop(count);
    let subjects: Vec<_> = prepared.into_iter().map(|design| design.subject).collect();
    let report = BenchReport::new(Machine::this(), samples, &subjects, &measured?);
    check_interrupt()?;

    folder.write_report(&report)?;
    folder.write_table(report.csv())?;
    let plots = folder.write_plots(Figure::ALL.map(|figure| (plot(figure), report.plot(figure))))?;
    print(&report.table())?;
    if !quiet {
        print(&folder.written(&plots))?;
    }
    let failures = report.failures();
    failures.iter().for_each(|failure| warn(failure));
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(ESTIMATOR_FAILED) })
}

fn plot(figure: Figure) -> String {
    format!("{}.svg", figure.name())
}

/// The numbers of threads, in increasing order.
fn over_threads(args: &BenchArgs, threads: Option<u16>) -> Result<Vec<usize>, Failure> {
    let mut threads: Vec<usize> = match (threads, &args.over_threads[..]) {
        (Some(_), [_, ..]) => {
            return Err(Failure::Input(anyhow!(
                "--threads does not go with --over-threads, which says the same of more"
            )));
        }
        (Some(threads), []) => vec![threads.into()],
        (None, []) => vec![1, available_parallelism().map_or(1, Into::into)],
        (None, threads) => threads.iter().copied().map(usize::from).collect(),
    };
    threads.sort_unstable();
    threads.dedup();
    Ok(threads)
}

/// The budgets, each once.
fn budgets(args: &BenchArgs) -> Result<Vec<Budget>, Failure> {
    let mut budgets = Vec::new();
    for &budget in &args.memory {
        if budget != Budget::Unlimited {
            // However much: what it does not go with is refused.
            args.method.choices(Kept::Within(0))?;
        }
        if !budgets.contains(&budget) {
            budgets.push(budget);
        }
    }
    Ok(if budgets.is_empty() { vec![Budget::Unlimited, TENTH] } else { budgets })
}

/// What the targets of synthetic designs are; `None` where `--design` names one.
fn labels(args: &BenchArgs) -> Result<Option<Labels>, Failure> {
    if args.design.is_some() {
        return Ok(None);
    }
    let inputs = &args.inputs;
    for (flag, is_given) in [
        ("--targets", inputs.targets.is_some()),
        ("--weights", inputs.weights.is_some()),
        ("--groups", inputs.groups.is_some()),
        ("--initial", inputs.initial.is_some()),
        ("--positive", inputs.positive.is_some()),
        ("--index-base, --columns and --label-column", !inputs.reading.are_absent()),
        ("--max-bytes", inputs.reading.max_bytes.is_some()),
    ] {
        if is_given {
            return Err(Failure::Input(anyhow!("{flag} is for a design of yours: give --design")));
        }
    }
    match args.problem.targets() {
        Targets::Real => Ok(Some(Labels::Regression)),
        Targets::Signed => Ok(Some(Labels::Logistic)),
        Targets::NotNegative => Ok(Some(Labels::Counts)),
        _ => Err(Failure::Input(anyhow!("there are no synthetic targets for {}: give --design", args.problem))),
    }
}

/// A synthetic design of about `entries` entries, in files in `folder`.
fn make_design(entries: usize, labels: Labels, folder: &Path, quiet: bool) -> Result<Made, Failure> {
    let rows = entries.div_ceil(PER_ROW);
    let columns = PER_ROW.max(rows / ROWS_PER_COLUMN);
    let recipe = Recipe::new(Zipf, rows, columns).per_row(PER_ROW).task(labels);
    let synthetic = recipe.prepare().with_context(|| format!("--entries {entries}")).map_err(Failure::Input)?;
    let task = if labels == Labels::default() { String::new() } else { format!(" --task {labels}") };
    let made = Made {
        name: format!("zipf --rows {rows} --columns {columns} --per-row {PER_ROW}{task}"),
        design: folder.join(format!("{entries}.npz")),
        targets: folder.join(format!("{entries}.npy")),
    };
    let create = |path: &Path| File::create(path).map_err(|error| unwritten(path, error));
    make::write(&synthetic, &made.design, &mut create(&made.design)?, &mut create(&made.targets)?, quiet)?;
    Ok(made)
}

/// Checks the budgets, and computes g*.
fn prepare(
    input: &Input,
    made: Option<Made>,
    args: &BenchArgs,
    choices: &Choices,
    budgets: &[Budget],
    folder: &Path,
    quiet: bool,
) -> Result<Prepared, Failure> {
    for &budget in budgets {
        if let Budget::Bytes(bytes) = budget {
            Choices { kept: Kept::Within(bytes), ..choices.clone() }.check_memory(input.problem.as_ref())?;
        }
    }
    let found = reference(input.problem.as_ref(), &input.x, input.initial.as_deref(), &mut progress::context(quiet))?;
    let heading = format!(
        "{}\n{}\nseconds are the least and the median over {} processes each; bytes are those of D alone",
        about(&input.instance),
        found.describe(),
        args.samples
    );
    let footprint = input.matrix().footprint();
    let sizes = choices.sizes(input.problem.as_ref());
    let name = made.as_ref().and_then(|made| made.targets.file_stem()).unwrap_or("design".as_ref());
    let file = folder.join(name).with_extension("reference.npy");
    File::create(&file)
        .and_then(|mut out| write_vector(&mut out, &found.gradient))
        .map_err(|error| unwritten(&file, error))?;
    let subject = Subject { instance: input.instance.clone(), footprint, reference: (&found).into(), heading };
    Ok(Prepared { subject, sizes, made, reference: file })
}
