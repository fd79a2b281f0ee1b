//! From the command line to a problem: files are read and checked before any work.

use std::mem::replace;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use danskin::ctx::Ctx;
use danskin::design::{Design, Matrix, Rounding};
use danskin::prelude::{Glm, LossName, LossVisitor, Multinomial, NamedLoss, Objective, Point, Ridge, Targets, Wrt};
use danskin_bench::choice::{AnyProblem, Choices, EstimatorKind, SolverKind};
use danskin_bench::report::Instance;
use danskin_data::{Cache, Dataset, ReadOptions, Registered, Shipped, read_vector_within};

use crate::args::{PenaltyName, ProblemArgs, ReadArgs, Values};
use crate::failure::Failure;
use crate::progress::{self, check_interrupt};

/// The penalty: given, or to be chosen by the condition.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Penalty {
    /// That of `--lambda`, or of each group by `--lambdas`.
    Lambda(Option<f64>),
    /// L / lambda.
    Condition(f64),
}

/// L / lambda where neither lambda nor a condition is given.
const CONDITION: f64 = 100.0;

impl Penalty {
    /// `lambda`, else `--lambdas` of `args`, else `condition`, 100 if there is none.
    pub(crate) fn chosen(lambda: Option<f64>, condition: Option<f64>, args: &ProblemArgs) -> Self {
        if lambda.is_some() || args.lambdas.is_some() {
            Self::Lambda(lambda)
        } else {
            Self::Condition(condition.unwrap_or(CONDITION))
        }
    }
}

/// A problem and where to start.
pub(crate) struct Input {
    pub(crate) design: Arc<Design>,
    pub(crate) wrt: Wrt,
    pub(crate) problem: Box<AnyProblem>,
    pub(crate) x: Vec<f64>,
    pub(crate) initial: Option<Vec<f64>>,
    pub(crate) instance: Instance,
    /// The problem with the values of D as they were read, where those of `problem` are rounded.
    pub(crate) exact: Option<(Box<AnyProblem>, Rounding)>,
}

impl Input {
    /// D at x.
    pub(crate) fn matrix(&self) -> Matrix<'_> {
        if self.wrt == Wrt::Design { self.design.with_values(&self.x) } else { self.design.matrix() }
    }
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
    name: LossName,
    design: &Path,
    penalty: Penalty,
    values: Values,
    args: &ProblemArgs,
    choices: &Choices,
    ctx: &mut Ctx,
) -> Result<Input, Failure> {
    let input = read_and_check(name, design, penalty, values, args, choices, ctx);
    check_interrupt()?;
    input.map_err(Failure::Input)
}

fn read_and_check(
    name: LossName,
    path: &Path,
    penalty: Penalty,
    values: Values,
    args: &ProblemArgs,
    choices: &Choices,
    ctx: &mut Ctx,
) -> anyhow::Result<Input> {
    ensure!(
        values == Values::F64 || args.wrt != Wrt::Design,
        "--values f32 does not go with --wrt design: x are the values of D, in f64"
    );
    let Dataset { design, labels } = read_design(path, &args.reading)?;
    progress::watch_for_interrupts();
    check_memory(&design, 1, choices)?;
    let Rows { y, width, classes } = targets(name, path, &design, labels, args)?;
    check_memory(&design, width, choices)?;
    let latent = design.columns() * width;
    let what = if width == 1 { "design's columns" } else { "design's columns and classes" };
    let initial = match &args.initial {
        Some(file) => Some(vector(file, args, what, latent)?),
        None => None,
    };
    let solves = choices.estimators.contains(&EstimatorKind::Implicit) || choices.solver == SolverKind::Newton;
    if let Some(needed) = choices.linear.too_large(design.rows(), latent).filter(|_| solves) {
        let (method, n) = (choices.linear.method, design.rows());
        bail!(
            "--linear-solver {method} needs {needed} bytes for {n} rows and {latent} entries of z, more than it may use: \
             take cg"
        );
    }
    let mut design = Arc::new(design);
    let parts = Parts { design: Arc::clone(&design), y, start: initial.clone(), penalty, args };
    let mut exact = None;
    let Built { mut problem, x, lambda } = name.visit(width, Build { parts: parts.clone(), ctx })??;
    if values == Values::F32 {
        let (rounded, rounding) = design.rounded().with_context(|| format!("--values f32: {}", path.display()))?;
        design = Arc::new(rounded);
        let parts = Parts { design: Arc::clone(&design), penalty: Penalty::Lambda(lambda), ..parts };
        let as_read = replace(&mut problem, name.visit(width, Build { parts, ctx })??.problem);
        exact = Some((as_read, rounding));
    }
    let instance = Instance {
        problem: name.to_string(),
        design: path.display().to_string(),
        rows: design.rows(),
        columns: design.columns(),
        entries: design.entries(),
        lambda,
        penalty: args.penalty.to_string(),
        weights: args.weights.as_ref().map(|file| file.display().to_string()),
        lambdas: args.lambdas.as_ref().map(|file| file.display().to_string()),
        groups: args.groups.as_ref().map(|file| file.display().to_string()),
        wrt: args.wrt.name(),
        parameters: x.len(),
        classes,
        solver: choices.solver.name(),
    };
    Ok(Input { design, wrt: args.wrt, problem, x, initial, instance, exact })
}

/// Vectors of length m and n, times the classes, that a solve, its gradients and their scratch hold, about.
const VECTORS: usize = 12;
/// Vectors that L-BFGS holds besides.
const PAIRS: usize = 20;

/// That vectors as long as the design's sides fit into memory at all; one absurd index in a small file is enough that
/// they do not.
fn check_memory(design: &Design, width: usize, choices: &Choices) -> anyhow::Result<()> {
    let (rows, columns) = (design.rows(), design.columns());
    let vectors = VECTORS + if choices.solver == SolverKind::Lbfgs { PAIRS } else { 0 };
    let numbers = rows.saturating_add(columns).saturating_mul(vectors).saturating_mul(width);
    let fits = Vec::<f64>::new().try_reserve_exact(numbers).is_ok();
    let classes = if width > 1 { format!(" for each of {width} classes") } else { String::new() };
    ensure!(
        fits,
        "{rows} rows and {columns} columns need more memory than there is for {vectors} vectors of each length{classes}"
    );
    Ok(())
}

/// What a problem is made of besides its loss.
#[derive(Clone)]
struct Parts<'a> {
    design: Arc<Design>,
    y: Vec<f64>,
    start: Option<Vec<f64>>,
    penalty: Penalty,
    args: &'a ProblemArgs,
}

struct Built {
    problem: Box<AnyProblem>,
    x: Vec<f64>,
    /// One for all columns; `None` where each group has its own.
    lambda: Option<f64>,
}

struct Build<'a> {
    parts: Parts<'a>,
    ctx: &'a mut Ctx,
}

impl LossVisitor for Build<'_> {
    type Output = anyhow::Result<Built>;

    fn visit<L: NamedLoss>(self, loss: L) -> anyhow::Result<Built> {
        let Self { parts, ctx } = self;
        match parts.args.penalty {
            PenaltyName::Ridge => parts.penalised(loss, Ridge, ctx),
            PenaltyName::Elastic(elastic) => parts.penalised(loss, elastic, ctx),
        }
    }
}

impl Parts<'_> {
    fn penalised<L, R>(self, loss: L, r: R, ctx: &mut Ctx) -> anyhow::Result<Built>
    where
        L: NamedLoss,
        R: danskin::problem::penalty::Penalty + 'static,
    {
        let weights = match &self.args.weights {
            Some(file) => Some((file, vector(file, self.args, "design's rows", self.design.rows())?)),
            None => None,
        };
        let weighted = |problem: Glm<L>| match &weights {
            Some((file, weights)) => problem.weighted(weights.clone()).with_context(|| file.display().to_string()),
            None => Ok(problem),
        };
        let lambda = match self.penalty {
            // Where each group has its own, this one is of no account.
            Penalty::Lambda(lambda) => lambda.unwrap_or_default(),
            Penalty::Condition(condition) => {
                let unpenalised = weighted(Glm::new(Arc::clone(&self.design), loss, 0.0)?)?;
                let zeros = vec![0.0; unpenalised.latent_len()];
                let start = self.start.as_ref().unwrap_or(&zeros);
                let smoothness = unpenalised.loss_smoothness(Point::new(start, &self.y), ctx);
                // L = smoothness + lambda r'' = condition * lambda, r'' at its largest.
                let smoothness = smoothness.context("--condition: the loss knows no bound on its curvature here")?;
                let share = condition - r.curvature().1;
                ensure!(smoothness > 0.0 && smoothness.is_finite(), "--condition: L is {smoothness}, give --lambda");
                ensure!(share > 0.0, "--condition {condition}: the penalty alone has {}, give more", r.curvature().1);
                smoothness / share
            }
        };
        let mut problem = weighted(Glm::new(Arc::clone(&self.design), loss, lambda)?)?;
        if let Some(file) = &self.args.groups {
            let groups = groups(file, self.args, self.design.columns())?;
            let count = groups.iter().max().map_or(0, |&group| group as usize + 1);
            let lambdas = match &self.args.lambdas {
                Some(file) => vector(file, self.args, "groups", count)?,
                None => vec![lambda; count],
            };
            let from = self.args.lambdas.as_ref().unwrap_or(file);
            problem = problem.grouped(lambdas, groups).with_context(|| from.display().to_string())?;
        }
        let (problem, x) = problem.penalised_by(r).wrt(self.args.wrt, self.y).context("--wrt")?;
        let lambda = if self.args.lambdas.is_some() { None } else { Some(lambda) };
        Ok(Built { problem: Box::new(problem), x, lambda })
    }
}

/// The group of each column; the numbers of the groups are 0, 1, 2, ... without a gap, so that each is in use.
fn groups(file: &Path, args: &ProblemArgs, columns: usize) -> anyhow::Result<Vec<u32>> {
    let numbers = vector(file, args, "design's columns", columns)?;
    let mut used = vec![false; columns];
    for (position, &number) in numbers.iter().enumerate() {
        ensure!(
            number.fract() == 0.0 && number >= 0.0 && number < columns as f64,
            "{}: entry {position} (from 0) is {number}, expected a group, an integer from 0 and below {columns}",
            file.display()
        );
        used[number as usize] = true;
    }
    let count = used.iter().rposition(|&used| used).map_or(0, |last| last + 1);
    if let Some(missing) = used[..count].iter().position(|&used| !used) {
        return Err(anyhow!("{}: no column is in group {missing}, but one is in group {}", file.display(), count - 1));
    }
    Ok(numbers.into_iter().map(|number| number as u32).collect())
}

fn vector(file: &Path, args: &ProblemArgs, what: &str, expected: usize) -> anyhow::Result<Vec<f64>> {
    read_vector_of(file, &args.reading, what, expected)
}

/// `expected` numbers, one for each of the `what`.
pub(crate) fn read_vector_of(file: &Path, args: &ReadArgs, what: &str, expected: usize) -> anyhow::Result<Vec<f64>> {
    let vector = read_vector_within(&find_file(file), args.max_bytes)?;
    ensure!(
        vector.len() == expected,
        "{}: {} numbers, expected {expected}, one for each of the {what}",
        file.display(),
        vector.len()
    );
    Ok(vector)
}

/// y, the numbers of it for each row, and the labels that stand for the classes.
struct Rows {
    y: Vec<f64>,
    width: usize,
    classes: Vec<f64>,
}

fn targets(
    name: LossName,
    path: &Path,
    design: &Design,
    labels: Option<Vec<f64>>,
    args: &ProblemArgs,
) -> anyhow::Result<Rows> {
    if name.targets() != Targets::Classes {
        let given = Given { flag: "--targets", file: args.targets.as_deref(), positive: args.positive };
        let y = scalar_targets(name, path, design, labels, given, &args.reading)?;
        return Ok(Rows { y, width: 1, classes: Vec::new() });
    }
    ensure!(args.positive.is_none(), "--positive is for losses of labels -1 and +1, the problem is {name}");
    if let Some(file) = &args.targets {
        let (y, rows) = (read_vector_within(&find_file(file), args.reading.max_bytes)?, design.rows());
        ensure!(
            y.len() % rows == 0 && y.len() >= 2 * rows,
            "{}: {} numbers, expected those of at least 2 classes for each of {rows} rows",
            file.display(),
            y.len()
        );
        return Ok(Rows { width: y.len() / rows, y, classes: Vec::new() });
    }
    classes(path, &labels.ok_or_else(|| no_labels(path, "--targets"))?)
}

fn no_labels(path: &Path, flag: &str) -> anyhow::Error {
    anyhow!("{}: no labels in it: give {flag}", path.display())
}

/// What the command line says of y.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// The flag that names its file.
    pub(crate) flag: &'static str,
    /// That file.
    pub(crate) file: Option<&'a Path>,
    /// The label that is +1.
    pub(crate) positive: Option<f64>,
}

/// y of a loss of one prediction a row: a file, if one is given, else labels, one of which may be given as the positive one.
pub(crate) fn scalar_targets(
    name: LossName,
    path: &Path,
    design: &Design,
    labels: Option<Vec<f64>>,
    given: Given<'_>,
    args: &ReadArgs,
) -> anyhow::Result<Vec<f64>> {
    let Given { flag, file, positive } = given;
    let kind = name.targets();
    ensure!(
        positive.is_none() || kind == Targets::Signed,
        "--positive is for losses of labels -1 and +1, the problem is {name}"
    );
    if let Some(file) = file {
        let y = read_vector_of(file, args, "design's rows", design.rows())?;
        // Labels that are no -1 or +1 have a loss; counts below 0 have none with a minimum.
        let unbounded = matches!(kind, Targets::NotNegative | Targets::Positive);
        if let Some(row) = y.iter().position(|&y| unbounded && !kind.include(y)) {
            bail!("{}: the target of row {row} (from 0) is {}, {name} expects {kind}", file.display(), y[row]);
        }
        return Ok(y);
    }
    let labels = labels.ok_or_else(|| no_labels(path, flag))?;
    if let Some(positive) = positive {
        ensure!(labels.contains(&positive), "{}: no label is {positive} (--positive)", path.display());
        return Ok(labels.into_iter().map(|label| if label == positive { 1.0 } else { -1.0 }).collect());
    }
    if let Some(row) = labels.iter().position(|&label| !kind.include(label)) {
        let or = if kind == Targets::Signed { "say which label is +1 by --positive, or " } else { "" };
        return Err(anyhow!(
            "{}: the label of row {row} (from 0) is {}, {name} expects {kind}: {or}give {flag}",
            path.display(),
            labels[row]
        ));
    }
    Ok(labels)
}

/// Labels that are classes, by many more of which than this a mistake is likelier than meant.
const MAX_CLASSES: usize = 1000;

fn classes(path: &Path, labels: &[f64]) -> anyhow::Result<Rows> {
    let mut classes = labels.to_vec();
    classes.sort_by(f64::total_cmp);
    classes.dedup();
    ensure!(
        (2..=MAX_CLASSES).contains(&classes.len()),
        "{}: labels of {} different values, multinomial expects 2 to {MAX_CLASSES} classes, or give --targets",
        path.display(),
        classes.len()
    );
    let class = |label: &f64| classes.partition_point(|class| class < label);
    let y = Multinomial::new(classes.len())?.targets(&labels.iter().map(class).collect::<Vec<_>>());
    Ok(Rows { y, width: classes.len(), classes })
}
