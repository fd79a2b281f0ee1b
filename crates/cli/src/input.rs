//! From the command line to a problem: files are read and checked before any work.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use danskin::ctx::Ctx;
use danskin::design::Design;
use danskin::prelude::{AssembleHessian, DenseCholesky, Glm, Logistic, Loss, Point, Squared};
use danskin_bench::choice::{AnyProblem, Choices, EstimatorKind, LinearMethod};
use danskin_bench::report::Instance;
use danskin_data::{Cache, Dataset, ReadOptions, Registered, Shipped, read_vector_within};

use crate::args::{ProblemArgs, ProblemName, ReadArgs};
use crate::failure::Failure;
use crate::progress::{self, check_interrupt};

/// The penalty: given, or to be chosen by the condition.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Penalty {
    Lambda(f64),
    /// L / lambda.
    Condition(f64),
}

/// A problem and where to start.
pub(crate) struct Input {
    pub(crate) problem: Box<AnyProblem>,
    pub(crate) x: Vec<f64>,
    pub(crate) initial: Option<Vec<f64>>,
    pub(crate) instance: Instance,
}

/// A shipped set by its name, else a file here or in the cache, else a registered set.
pub(crate) fn read_design(name: &Path, args: &ReadArgs) -> anyhow::Result<Dataset> {
    let known = |set, how| {
        ensure!(args.are_absent(), "{set} is {how}: --index-base, --columns and --label-column are for files");
        Ok(())
    };
    if let Some(shipped) = name.to_str().and_then(Shipped::find) {
        known(shipped.name, "shipped")?;
        return Ok(shipped.load()?);
    }
    let path = find_file(name);
    if !path.exists()
        && let Some((set, file)) = registered(name)?
    {
        known(&set.name, "registered")?;
        return Ok(danskin_data::read(&file, &ReadOptions { max_bytes: args.max_bytes, ..set.options })?);
    }
    Ok(danskin_data::read(&path, &args.options())?)
}

/// The file called `name`: here, else in the cache, else it is missing here.
fn find_file(name: &Path) -> PathBuf {
    let fetched = || Cache::from_environment().ok()?.find(name.to_str()?);
    if name.exists() { name.to_owned() } else { fetched().unwrap_or_else(|| name.to_owned()) }
}

/// The registered set called `name`, if there is one, and its file, which must be there.
fn registered(name: &Path) -> anyhow::Result<Option<(Registered, PathBuf)>> {
    // No set's name has a dot; what is wrong with a registry matters to nobody who names a file.
    let (Some(name), Ok(cache)) = (name.to_str().filter(|name| !name.contains('.')), Cache::from_environment()) else {
        return Ok(None);
    };
    let Some(set) = cache.registered()?.into_iter().find(|set| set.name == name) else { return Ok(None) };
    let file = cache.find(set.file());
    let file = file.with_context(|| format!("{name} is registered, but not there yet: danskin data fetch {name}"))?;
    Ok(Some((set, file)))
}

/// Reads and checks everything that the command line names.
pub(crate) fn read(
    name: ProblemName,
    design: &Path,
    penalty: Penalty,
    args: &ProblemArgs,
    choices: &Choices,
    ctx: &mut Ctx,
) -> Result<Input, Failure> {
    let input = read_and_check(name, design, penalty, args, choices, ctx);
    check_interrupt()?;
    input.map_err(Failure::Input)
}

fn read_and_check(
    name: ProblemName,
    path: &Path,
    penalty: Penalty,
    args: &ProblemArgs,
    choices: &Choices,
    ctx: &mut Ctx,
) -> anyhow::Result<Input> {
    let Dataset { design, labels } = read_design(path, &args.reading)?;
    progress::watch_for_interrupts();
    check_memory(&design)?;
    let x = targets(name, path, &design, labels, args)?;
    let initial = match &args.initial {
        Some(file) => Some(vector(file, args, "columns", design.columns())?),
        None => None,
    };
    let factorises = choices.linear == LinearMethod::Dense && choices.estimators.contains(&EstimatorKind::Implicit);
    ensure!(
        !factorises || DenseCholesky::default().fits(design.columns()),
        "--linear-solver dense needs {} bytes for {} columns, more than it may use: take cg",
        DenseCholesky::bytes(design.columns()),
        design.columns()
    );
    let start = initial.clone().unwrap_or_else(|| vec![0.0; design.columns()]);
    let design = Arc::new(design);
    let (problem, lambda) = match name {
        ProblemName::Ridge => build(&design, Squared, penalty, &start, &x, ctx),
        ProblemName::Logistic => build(&design, Logistic, penalty, &start, &x, ctx),
        ProblemName::Power(power) => build(&design, power, penalty, &start, &x, ctx),
    }?;
    let instance = Instance {
        problem: name.to_string(),
        design: path.display().to_string(),
        rows: design.rows(),
        columns: design.columns(),
        entries: design.entries(),
        lambda,
    };
    Ok(Input { problem, x, initial, instance })
}

/// Vectors of length m and n that a solve, its gradients and their scratch hold, about.
const VECTORS: usize = 12;

/// That vectors as long as the design's sides fit into memory at all; one absurd index in a small file is enough that
/// they do not.
fn check_memory(design: &Design) -> anyhow::Result<()> {
    let (rows, columns) = (design.rows(), design.columns());
    let numbers = rows.saturating_add(columns).saturating_mul(VECTORS);
    let fits = Vec::<f64>::new().try_reserve_exact(numbers).is_ok();
    ensure!(
        fits,
        "{rows} rows and {columns} columns need more memory than there is for {VECTORS} vectors of each length"
    );
    Ok(())
}

fn build<L: Loss + Copy + 'static>(
    design: &Arc<Design>,
    loss: L,
    penalty: Penalty,
    start: &[f64],
    x: &[f64],
    ctx: &mut Ctx,
) -> anyhow::Result<(Box<dyn AssembleHessian>, f64)> {
    let lambda = match penalty {
        Penalty::Lambda(lambda) => lambda,
        Penalty::Condition(condition) => {
            let unpenalised = Glm::new(Arc::clone(design), loss, 0.0)?;
            let smoothness = unpenalised.loss_smoothness(Point::new(start, x), ctx);
            // L = smoothness + lambda = condition * lambda.
            let smoothness = smoothness.context("--condition: the loss knows no bound on its curvature here")?;
            ensure!(smoothness > 0.0 && smoothness.is_finite(), "--condition: L is {smoothness}, give --lambda");
            smoothness / (condition - 1.0)
        }
    };
    Ok((Box::new(Glm::new(Arc::clone(design), loss, lambda)?), lambda))
}

fn vector(file: &Path, args: &ProblemArgs, what: &str, expected: usize) -> anyhow::Result<Vec<f64>> {
    let vector = read_vector_within(&find_file(file), args.reading.max_bytes)?;
    ensure!(
        vector.len() == expected,
        "{}: {} numbers, expected {expected}, one for each of the design's {what}",
        file.display(),
        vector.len()
    );
    Ok(vector)
}

fn targets(
    name: ProblemName,
    path: &Path,
    design: &Design,
    labels: Option<Vec<f64>>,
    args: &ProblemArgs,
) -> anyhow::Result<Vec<f64>> {
    let logistic = matches!(name, ProblemName::Logistic);
    ensure!(args.positive.is_none() || logistic, "--positive is for logistic labels, the problem is {name}");
    if let Some(file) = &args.targets {
        return vector(file, args, "rows", design.rows());
    }
    let labels = labels.ok_or_else(|| anyhow!("{}: no labels in it: give --targets", path.display()))?;
    match args.positive {
        Some(positive) => {
            ensure!(labels.contains(&positive), "{}: no label is {positive} (--positive)", path.display());
            Ok(labels.into_iter().map(|label| if label == positive { 1.0 } else { -1.0 }).collect())
        }
        None => {
            let other = labels.iter().position(|label| logistic && label.abs() != 1.0);
            match other {
                Some(row) => Err(anyhow!(
                    "{}: the label of row {row} (from 0) is {}, logistic expects -1 and +1: \
                     say which label is +1 by --positive, or give --targets",
                    path.display(),
                    labels[row]
                )),
                None => Ok(labels),
            }
        }
    }
}
