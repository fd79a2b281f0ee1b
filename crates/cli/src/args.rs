//! The command line.

use std::fmt;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Parser, Subcommand, ValueEnum};
use danskin::adaptive::Accuracy;
use danskin::prelude::{LossName, Momentum, SmoothElastic, StepSize, Wrt};
use danskin_bench::choice::{
    Choices, EstimatorKind, Kept, Linear, LinearMethod, Mode, Preconditioning, SolverKind, UnknownName,
};
use danskin_bench::measure::Budget;
use danskin_data::make;
use danskin_data::make::Kind;
use danskin_data::{Checksum, IndexBase, LabelColumn, ReadOptions};

use crate::failure::Failure;
use crate::lasso::LassoArgs;
use crate::measure::Task;

const EXIT_CODES: &str = "Exit codes: 0 done (an iteration cap reached included); 1 an output could not be written; \
    2 bad input, said in one line before any work; 3 an estimator that was asked for failed (the others are written, \
    report.json says why); 130 interrupted.";

/// Threads at the most: a pass is cut into fewer pieces, and starting thousands takes minutes.
const MAX_THREADS: i64 = 1024;

/// Gradients of functions defined as a minimum, l(x) = min_z L(z, x), by three estimators on one trajectory:
/// analytic (g1), automatic (g2) and implicit (g3).
///
/// Without a subcommand, `danskin compare` runs on the shipped data.
#[derive(Debug, Parser)]
#[command(name = "danskin", version, after_help = EXIT_CODES, allow_negative_numbers = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Threads to use; all cores if absent. Results are the same at every number.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub(crate) threads: Option<u16>,
    /// Print no progress bars and no notes; tables and errors are still printed.
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compute z_T and the gradients of l at x, and write them as .npy files.
    #[command(after_help = EXIT_CODES, allow_negative_numbers = true)]
    Gradient(GradientArgs),
    /// Compare the errors and costs of the estimators over a number of iterations.
    #[command(after_help = EXIT_CODES, allow_negative_numbers = true)]
    Compare(CompareArgs),
    /// Measure on this machine what the passes over a design and the estimators take, over T, budgets of memory and threads.
    #[command(after_help = EXIT_CODES, allow_negative_numbers = true)]
    Bench(BenchArgs),
    /// Check every product, rule and estimator of a problem on your data against finite differences and identities.
    #[command(after_help = EXIT_CODES, allow_negative_numbers = true)]
    Check(CheckArgs),
    /// List the data sets shipped with danskin, describe one or a file, fetch one, or make a synthetic one.
    #[command(subcommand)]
    Data(DataCommand),
    /// Solve the Lasso and other sparse regressions to a duality gap, along a path if asked, and differentiate them.
    #[command(after_help = EXIT_CODES, allow_negative_numbers = true)]
    Lasso(Box<LassoArgs>),
    /// Run experiments of the source again: what theory predicts beside what is fitted here, with tables and plots.
    #[command(after_help = REPRODUCE_CODES)]
    Reproduce(ReproduceArgs),
}

const REPRODUCE_CODES: &str = "One line for each claim, `NAME: pass|fail: the claim: what theory predicts, what was found`; the times taken decide nothing. \
    Exit codes: 0 all pass; 1 an output could not be written; 2 no such experiment; 3 a claim failed; 130 interrupted.";

/// What is run again.
#[derive(Debug, clap::Args)]
pub(crate) struct ReproduceArgs {
    /// Names of experiments, or `all`.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// List the experiments, and what each shows.
    #[arg(long)]
    pub(crate) list: bool,
    /// More repetitions and steps, as many as in the source; minutes each instead of seconds.
    #[arg(long)]
    pub(crate) full: bool,
    /// Where to write, one folder for each experiment: report.json, tables (.csv) and plots (.svg).
    #[arg(long, value_name = "DIR", default_value = "danskin-reproduce")]
    pub(crate) output: PathBuf,
}

/// What a design's file leaves open.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ReadArgs {
    /// Index of the first column in svmlight text; 1 if absent.
    #[arg(long, value_name = "0|1")]
    index_base: Option<Base>,
    /// Number of columns; if absent, that of the file, or the largest index of svmlight text.
    #[arg(long, value_name = "M")]
    columns: Option<usize>,
    /// Where a CSV has its labels.
    #[arg(long, value_name = "WHERE")]
    label_column: Option<Labels>,
    /// The most bytes that a file read here may hold after decompression. If absent, 64 GiB, and of a compressed file
    /// 64 MiB and 100 for each compressed byte.
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes: Option<u64>,
}

impl ReadArgs {
    /// Whether nothing was said of what a file leaves open.
    pub(crate) fn are_absent(&self) -> bool {
        self.index_base.is_none() && self.columns.is_none() && self.label_column.is_none()
    }

    pub(crate) fn options(&self) -> ReadOptions {
        ReadOptions {
            index_base: self.index_base.map(Into::into),
            columns: self.columns,
            label_column: self.label_column.map(Into::into),
            max_bytes: self.max_bytes,
        }
    }
}

/// L(z, x) = sum_i w_i phi((D z)_i, y_i) + sum_j lambda r(z_j); x is one of its pieces.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ProblemArgs {
    /// The piece that is x: targets (y), weights (w), regularisation (log lambda) or design (the stored entries of D).
    #[arg(long, value_name = "PIECE", default_value = "targets", value_parser = wrt)]
    pub(crate) wrt: Wrt,
    /// The targets y: a .npy, .idx or text file of n numbers (n times the classes for multinomial), taken as they are. Without
    /// it, y are the design's labels.
    #[arg(long, value_name = "FILE")]
    pub(crate) targets: Option<PathBuf>,
    /// The weights w: a .npy or text file of n numbers at least 0; 1 if absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// The group of each column, from 0: a .npy or text file of m integers. Each group has a log lambda of its own in x.
    #[arg(long, value_name = "FILE")]
    pub(crate) groups: Option<PathBuf>,
    /// lambda of each group: a .npy or text file of so many numbers at least 0.
    #[arg(long, value_name = "FILE", requires = "groups", conflicts_with_all = ["lambda", "condition"])]
    pub(crate) lambdas: Option<PathBuf>,
    /// The penalty r: ridge, z²/2; or elastic:A,W, (1 - A) z²/2 + A (sqrt(z² + W²) - W).
    #[arg(long, value_name = "NAME", default_value = "ridge")]
    pub(crate) penalty: PenaltyName,
    /// Where labels must be -1 and +1 (logistic, squared-hinge): this label is +1, all others are -1.
    #[arg(long, value_name = "LABEL", conflicts_with = "targets")]
    pub(crate) positive: Option<f64>,
    #[command(flatten)]
    pub(crate) reading: ReadArgs,
    /// z_0: a .npy, .idx or text file of m numbers (m times the classes for multinomial, column by column of D); 0 if absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) initial: Option<PathBuf>,
}

const LINEAR_TOLERANCE: f64 = 1e-12;
const SOLVER: &str = "The inner solver: gd, nesterov, heavy-ball, backtracking, lbfgs or newton; of the last two there is no automatic \
    gradient. gd if absent; with --estimator auto, what is predicted to take least";

/// How z and the gradients are computed.
#[derive(Debug, clap::Args)]
pub(crate) struct MethodArgs {
    #[arg(long, value_name = "NAME", help = SOLVER)]
    solver: Option<SolverKind>,
    /// Step of gd, nesterov and heavy-ball: a number above 0, or auto for 1/L with L estimated. For backtracking the first
    /// trial, auto for 1.
    #[arg(long, value_name = "F|auto", default_value = "auto", value_parser = step)]
    pub(crate) step: StepSize,
    /// Momentum of nesterov and heavy-ball: at least 0 and below 1, or auto, from lambda.
    #[arg(long, value_name = "F|auto", default_value = "auto", value_parser = momentum)]
    momentum: Momentum,
    /// Restart the momentum of nesterov where it leads uphill.
    #[arg(long)]
    restart: bool,
    /// Stop as soon as ‖grad_z‖ is at most F times that at z_0.
    #[arg(long, value_name = "F", value_parser = not_negative)]
    pub(crate) tolerance: Option<f64>,
    /// Estimators to compute: all, or some of analytic,automatic,implicit; or, of danskin gradient, auto for whatever meets a gradient tolerance.
    #[arg(long, value_name = "NAMES", default_value = "all")]
    pub(crate) estimator: Estimators,
    /// Automatic differentiation backwards over a tape, or forwards with one tangent for each entry of x: reverse or
    /// forward.
    #[arg(long, value_name = "MODE", default_value_t = Mode::Reverse)]
    pub(crate) mode: Mode,
    /// How the implicit estimator, and newton, solve their linear systems: auto, dense, sparse (Cholesky, dense or sparse), dual
    /// (Cholesky of an n x n system, for fewer rows than columns) or cg (conjugate gradient).
    #[arg(long, value_name = "NAME", default_value_t = LinearMethod::Auto)]
    linear_solver: LinearMethod,
    /// What cg is preconditioned by: none, jacobi, block-jacobi, ic0 or nystrom. Another than none makes auto take cg.
    #[arg(long, value_name = "NAME", default_value_t = Preconditioning::None)]
    preconditioner: Preconditioning,
    /// Relative residual asked of that system.
    #[arg(long, value_name = "F", default_value = "1e-12", value_parser = not_negative)]
    pub(crate) linear_tolerance: f64,
}

/// What reverse mode records.
#[derive(Debug, clap::Args)]
pub(crate) struct TapeArgs {
    /// Bytes that reverse mode may record in, as 1000000, 64MiB or 1GiB; what does not fit is computed again. No limit if
    /// absent. With --estimator auto, which records nothing, bytes for factorisations.
    #[arg(long, value_name = "BYTES", value_parser = bytes, conflicts_with = "last")]
    pub(crate) memory: Option<u64>,
    /// Differentiate the last K steps alone, taking z_{T-K} for a constant; 1 is one-step differentiation. All if absent.
    #[arg(long, value_name = "K", value_parser = whole)]
    pub(crate) last: Option<NonZeroUsize>,
}

impl TapeArgs {
    pub(crate) fn kept(&self) -> Kept {
        match (self.memory, self.last) {
            (Some(bytes), _) => Kept::Within(bytes),
            (None, Some(steps)) => Kept::Last(steps.get()),
            (None, None) => Kept::Steps,
        }
    }
}

impl MethodArgs {
    /// The choices with what reverse mode records, if they go together.
    pub(crate) fn choices(&self, kept: Kept) -> Result<Choices, Failure> {
        let solver = self.solver();
        if self.estimator.is_auto() {
            let message =
                "--estimator auto is for danskin gradient, with --gradient-tolerance or --relative-gradient-tolerance";
            return Err(Failure::Input(anyhow!(message)));
        }
        if self.estimator.0.contains(&EstimatorKind::Automatic) && !solver.is_unrolled() {
            return unsupported(
                "the automatic estimator",
                solver,
                "take --estimator analytic,implicit, or another solver",
            );
        }
        self.choices_of_any(kept)
    }

    /// The choices, if they go together but for the automatic estimator of a solver that has none.
    pub(crate) fn choices_of_any(&self, kept: Kept) -> Result<Choices, Failure> {
        let Self { step, momentum, restart, mode, .. } = *self;
        let solver = self.solver();
        if step != StepSize::Auto && !solver.has_step() {
            return unsupported("--step", solver, "it finds its steps itself");
        }
        if momentum != Momentum::Auto && !solver.has_momentum() {
            return unsupported("--momentum", solver, "it is for nesterov and heavy-ball");
        }
        if restart && solver != SolverKind::Nesterov {
            return unsupported("--restart", solver, "it is for nesterov");
        }
        if mode == Mode::Forward && !self.estimator.0.contains(&EstimatorKind::Automatic) {
            return Err(Failure::Input(anyhow!("--mode is for the automatic estimator, which --estimator leaves out")));
        }
        let flag = match kept {
            Kept::Steps => None,
            Kept::Within(_) => Some("--memory"),
            Kept::Last(_) => Some("--last"),
        };
        if let Some(flag) = flag {
            let refused = |with: &str| {
                Err(Failure::Input(anyhow!(
                    "{flag} does not go with {with}: it is for the automatic estimator in reverse mode"
                )))
            };
            if !self.estimator.0.contains(&EstimatorKind::Automatic) {
                return refused("these estimators");
            }
            if mode == Mode::Forward {
                return refused("--mode forward");
            }
        }
        Ok(Choices {
            solver,
            step,
            momentum,
            restart,
            estimators: self.estimator.0.clone(),
            mode,
            kept,
            linear: self.linear()?,
            linear_tolerance: self.linear_tolerance,
            certify: false,
        })
    }
}

impl MethodArgs {
    fn solver(&self) -> SolverKind {
        // L-BFGS is what auto begins with, and what takes most memory.
        let absent = if self.estimator.is_auto() { SolverKind::Lbfgs } else { SolverKind::GradientDescent };
        self.solver.unwrap_or(absent)
    }

    /// The solver, if it was named.
    pub(crate) fn named_solver(&self) -> Option<SolverKind> {
        self.solver
    }

    /// The choices for auto, which leave it what it chooses itself.
    pub(crate) fn choices_of_auto(&self) -> Result<Choices, Failure> {
        let refused = [
            ("--tolerance", self.tolerance.is_some()),
            ("--linear-solver", self.linear_solver != LinearMethod::Auto),
            ("--preconditioner", self.preconditioner != Preconditioning::None),
            ("--linear-tolerance", self.linear_tolerance != LINEAR_TOLERANCE),
            ("--mode", self.mode != Mode::Reverse),
        ];
        if let Some((flag, _)) = refused.iter().find(|(_, is_given)| *is_given) {
            return Err(Failure::Input(anyhow!("{flag} does not go with --estimator auto, which chooses it")));
        }
        self.choices_of_any(Kept::Steps)
    }

    /// The linear solver, if its preconditioner goes with it.
    fn linear(&self) -> Result<Linear, Failure> {
        let Self { linear_solver, preconditioner, .. } = *self;
        let method = match (linear_solver, preconditioner) {
            (method, Preconditioning::None) => method,
            (LinearMethod::Auto | LinearMethod::Cg, _) => LinearMethod::Cg,
            (method, _) => {
                let message = anyhow!("--preconditioner does not go with --linear-solver {method}: it is for cg");
                return Err(Failure::Input(message));
            }
        };
        Ok(Linear { method, preconditioner })
    }
}

fn unsupported(flag: &str, solver: SolverKind, instead: &str) -> Result<Choices, Failure> {
    Err(Failure::Input(anyhow!("{flag} does not go with --solver {solver}: {instead}")))
}

#[derive(Debug, clap::Args)]
pub(crate) struct GradientArgs {
    #[arg(long, value_name = "NAME", help = losses())]
    pub(crate) problem: LossName,
    /// The design D: a file (.svm .svmlight .libsvm .mtx .npz .npy .csv .idx -ubyte, then optionally .gz .bz2 .xz), the name of a
    /// fetched one, or that of a shipped or registered set.
    #[arg(long, value_name = "FILE|NAME")]
    pub(crate) design: PathBuf,
    /// The penalty, at least 0.
    #[arg(long, value_name = "F", value_parser = not_negative)]
    #[arg(required_unless_present_any = ["condition", "lambdas"], conflicts_with = "condition")]
    pub(crate) lambda: Option<f64>,
    /// Choose lambda so that L / lambda is this, L the smoothness at z_0; above 1.
    #[arg(long, value_name = "F", value_parser = condition)]
    pub(crate) condition: Option<f64>,
    #[command(flatten)]
    pub(crate) inputs: ProblemArgs,
    /// How the values of D are stored: f64, or f32, to which they are rounded. Where that takes fewer bytes it is faster, and
    /// report.json tells what it changes in the gradient. Values that f32 holds exactly are stored so in any case.
    #[arg(long, value_name = "TYPE", default_value = "f64")]
    pub(crate) values: Values,
    /// Steps T; with --tolerance at the most. With --estimator auto, which alone does without it, at the most but for a last Newton step.
    #[arg(long, value_name = "T")]
    pub(crate) iterations: Option<usize>,
    #[command(flatten)]
    pub(crate) method: MethodArgs,
    #[command(flatten)]
    pub(crate) tape: TapeArgs,
    #[command(flatten)]
    pub(crate) accuracy: AccuracyArgs,
    /// Folder for z.npy, one .npy a gradient, and report.json; made if missing, files of these names are replaced.
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

/// What `--estimator auto` is to meet.
#[derive(Debug, clap::Args)]
pub(crate) struct AccuracyArgs {
    /// With --estimator auto: the gradient is to be within F of that of l, in norm, and certified to be.
    #[arg(long, value_name = "F", value_parser = positive, conflicts_with = "relative_gradient_tolerance")]
    gradient_tolerance: Option<f64>,
    /// The same, F times the norm of the gradient of l.
    #[arg(long, value_name = "F", value_parser = positive)]
    relative_gradient_tolerance: Option<f64>,
    /// With --estimator auto: no step is begun after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) time: Option<Duration>,
}

impl AccuracyArgs {
    /// The accuracy, if one was given.
    pub(crate) fn accuracy(&self) -> Option<Accuracy> {
        let relative = self.relative_gradient_tolerance.map(Accuracy::Relative);
        self.gradient_tolerance.map(Accuracy::Absolute).or(relative)
    }
}

/// `--values`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Values {
    F64,
    F32,
}

/// How large the penalty is, where that need not be said.
#[derive(Debug, clap::Args)]
pub(crate) struct PenaltyArgs {
    /// The penalty, at least 0.
    #[arg(long, value_name = "F", value_parser = not_negative)]
    #[arg(conflicts_with = "condition")]
    pub(crate) lambda: Option<f64>,
    /// Choose lambda so that L / lambda is this, L the smoothness at z_0; above 1. 100 if neither is given.
    #[arg(long, value_name = "F", value_parser = condition)]
    pub(crate) condition: Option<f64>,
}

#[derive(Debug, Parser)]
pub(crate) struct CompareArgs {
    #[arg(long, value_name = "NAME", default_value = "logistic", help = losses())]
    pub(crate) problem: LossName,
    /// The design D: a file (.svm .svmlight .libsvm .mtx .npz .npy .csv .idx -ubyte, then optionally .gz .bz2 .xz), the name of a
    /// fetched one, or that of a shipped or registered set.
    #[arg(long, value_name = "FILE|NAME", default_value = "debian_small")]
    pub(crate) design: PathBuf,
    #[command(flatten)]
    pub(crate) penalty: PenaltyArgs,
    #[command(flatten)]
    pub(crate) inputs: ProblemArgs,
    /// The numbers of steps to look at, in any order; rates are fitted over the upper half.
    #[arg(long, value_name = "T,T,...", value_delimiter = ',')]
    #[arg(default_value = "10,20,50,100,150,200,225,250,275,300,325,350,375,400")]
    pub(crate) iterations: Vec<usize>,
    #[command(flatten)]
    pub(crate) method: MethodArgs,
    #[command(flatten)]
    pub(crate) tape: TapeArgs,
    /// Folder for report.json, report.csv and the plots; made if missing, files of these names are replaced.
    #[arg(long, value_name = "DIR", default_value = "danskin-compare")]
    pub(crate) output: PathBuf,
}

impl CompareArgs {
    pub(crate) fn default_values() -> Self {
        Self::parse_from(["compare"])
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    #[arg(long, value_name = "NAME", default_value = "logistic", help = losses())]
    pub(crate) problem: LossName,
    /// The design D: a file, as for `danskin gradient`, or the name of a shipped set. If absent, synthetic ones.
    #[arg(long, value_name = "FILE|NAME")]
    pub(crate) design: Option<PathBuf>,
    /// The entries of each synthetic design, about: zipf with 50 entries a row and 5 rows a column, as `danskin data make`
    /// makes it.
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', conflicts_with = "design")]
    #[arg(default_value = "100000,1000000")]
    pub(crate) entries: Vec<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) penalty: PenaltyArgs,
    #[command(flatten)]
    pub(crate) inputs: ProblemArgs,
    /// The T to measure at, in any order; with --tolerance, at the most.
    #[arg(long, value_name = "T,T,...", value_delimiter = ',', default_value = "100,400")]
    pub(crate) iterations: Vec<usize>,
    #[command(flatten)]
    pub(crate) method: MethodArgs,
    /// What reverse mode may record in: none (no limit), bytes as 64MiB, or a share of the full tape as 1/10, but z_0 and
    /// one record at the least. none,1/10 if absent.
    #[arg(long, value_name = "BUDGET,...", value_delimiter = ',', value_parser = budget)]
    pub(crate) memory: Vec<Budget>,
    /// The numbers of threads to measure on; if absent --threads, and without it 1 and all cores.
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=MAX_THREADS))]
    pub(crate) over_threads: Vec<u16>,
    /// Samples of each measurement, each taken by a process of its own.
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) samples: NonZeroU16,
    /// Folder for report.json, report.csv and the plots; made if missing, files of these names are replaced.
    #[arg(long, value_name = "DIR", default_value = "danskin-bench")]
    pub(crate) output: PathBuf,
    /// What to measure as one of those processes, whose input ends when the one that started it does.
    #[arg(long, value_name = "JSON", hide = true)]
    pub(crate) task: Option<Task>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    #[arg(long, value_name = "NAME", help = losses())]
    pub(crate) problem: LossName,
    /// The design D: a file, as for `danskin gradient`, or the name of a shipped set.
    #[arg(long, value_name = "FILE|NAME")]
    pub(crate) design: PathBuf,
    #[command(flatten)]
    pub(crate) penalty: PenaltyArgs,
    #[command(flatten)]
    pub(crate) inputs: ProblemArgs,
    /// Relative error allowed against finite differences; 1e-6, or 1e-3 for losses with kinks in a derivative (huber,
    /// squared-hinge, pnorm:P with P <= 3), over which differences step.
    #[arg(long, value_name = "F", value_parser = not_negative)]
    pub(crate) allowed: Option<f64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// List the data sets shipped with danskin, and those of the cache's registry.json.
    List,
    /// Rows, columns, entries, values and labels of a shipped set or a file.
    Show(ShowArgs),
    /// Fetch a file over HTTP into the cache, from where --design and its like find it by its name.
    Fetch(FetchArgs),
    /// Make a synthetic design of any size with targets from a planted z: FILE, and beside it .targets.npy and .z.npy.
    ///
    /// The same flags make the same bytes on every machine. No more than a row and a few vectors as long as a row are in
    /// memory.
    #[command(allow_negative_numbers = true)]
    Make(MakeArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// A shipped set's name, or a file.
    #[arg(value_name = "NAME|FILE")]
    pub(crate) name: PathBuf,
    #[command(flatten)]
    pub(crate) reading: ReadArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FetchArgs {
    /// A URL over http or https that ends in the name of a file, or the name of a set in the cache's registry.json.
    #[arg(value_name = "NAME|URL")]
    pub(crate) what: String,
    /// SHA-256 that the file of a URL must have, in hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    pub(crate) sha256: Option<Checksum>,
    /// Folder for the file; if absent, $DANSKIN_CACHE, $XDG_CACHE_HOME/danskin or ~/.cache/danskin.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// Give a connection up on which nothing happened for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// How often to try without a byte more than before.
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) attempts: NonZeroU16,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MakeArgs {
    #[arg(value_name = "KIND", help = kinds())]
    pub(crate) kind: Kind,
    /// Rows, n.
    #[arg(long, value_name = "N")]
    pub(crate) rows: usize,
    /// Columns, m.
    #[arg(long, value_name = "M")]
    pub(crate) columns: usize,
    /// Entries of a row, in the mean where rows differ.
    #[arg(long, value_name = "K", conflicts_with = "density")]
    pub(crate) per_row: Option<usize>,
    /// Entries of a row as a share of its columns, above 0 and at most 1.
    #[arg(long, value_name = "F")]
    pub(crate) density: Option<f64>,
    /// Targets from u = D z + noise: regression, u; logistic, +1 with probability 1 / (1 + exp(-u)), else -1; counts,
    /// Poisson of mean exp(u).
    #[arg(long, value_name = "NAME", default_value_t)]
    pub(crate) task: make::Task,
    /// Standard deviation of the noise; if absent, 0.1 for regression and 0 else.
    #[arg(long, value_name = "F")]
    pub(crate) noise: Option<f64>,
    /// Where all random numbers begin.
    #[arg(long, value_name = "SEED", default_value = "0")]
    pub(crate) seed: u64,
    /// The design's file, .npz where it is sparse and .npy where it is dense; files of these names are replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Base {
    #[value(name = "0")]
    Zero,
    #[value(name = "1")]
    One,
}

impl From<Base> for IndexBase {
    fn from(base: Base) -> Self {
        match base {
            Base::Zero => Self::Zero,
            Base::One => Self::One,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Labels {
    First,
    Last,
    Absent,
}

impl From<Labels> for LabelColumn {
    fn from(labels: Labels) -> Self {
        match labels {
            Labels::First => Self::First,
            Labels::Last => Self::Last,
            Labels::Absent => Self::Absent,
        }
    }
}

/// The penalty, by name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PenaltyName {
    Ridge,
    Elastic(SmoothElastic),
}

impl fmt::Display for PenaltyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ridge => f.write_str("ridge"),
            Self::Elastic(elastic) => write!(f, "elastic:{},{}", elastic.share(), elastic.width()),
        }
    }
}

impl FromStr for PenaltyName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected ridge, or elastic:A,W with two numbers".to_owned();
        if text == "ridge" {
            return Ok(Self::Ridge);
        }
        let (share, width) =
            text.strip_prefix("elastic:").and_then(|pair| pair.split_once(',')).ok_or_else(expected)?;
        let number = |text: &str| text.trim().parse().map_err(|_| expected());
        SmoothElastic::new(number(share)?, number(width)?).map(Self::Elastic).map_err(|error| error.to_string())
    }
}

/// A list of estimators, each once, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Estimators(
    /// Empty for auto.
    Vec<EstimatorKind>,
);

impl Estimators {
    const EXPECTED: &str = "all, auto, or some of analytic, automatic or implicit";

    pub(crate) fn is_auto(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn kinds(&self) -> &[EstimatorKind] {
        &self.0
    }
}

impl FromStr for Estimators {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "all" => return Ok(Self(EstimatorKind::ALL.to_vec())),
            "auto" => return Ok(Self(Vec::new())),
            _ => {}
        }
        let kind = |name: &str| name.parse().map_err(|error| UnknownName { expected: Self::EXPECTED, ..error });
        let mut kinds = text.split(',').map(kind).collect::<Result<Vec<EstimatorKind>, _>>()?;
        kinds.sort_unstable();
        kinds.dedup();
        Ok(Self(kinds))
    }
}

fn kinds() -> String {
    let kinds: Vec<_> = Kind::list().map(|(usage, about)| format!("{usage} ({about})")).collect();
    format!("What the rows look like: {}", kinds.join("; "))
}

fn losses() -> String {
    format!("The loss phi: {}", LossName::usage())
}

pub(crate) fn number(text: &str, expected: &'static str, fits: impl Fn(f64) -> bool) -> Result<f64, String> {
    // What underflows is not the 0 that it would be read as.
    let digits = text.split(['e', 'E']).next().unwrap_or_default();
    let underflows = |value: f64| value == 0.0 && digits.contains(|c| ('1'..='9').contains(&c));
    text.parse()
        .ok()
        .filter(|value: &f64| value.is_finite() && fits(*value) && !underflows(*value))
        .ok_or_else(|| format!("expected {expected}"))
}

pub(crate) fn not_negative(text: &str) -> Result<f64, String> {
    number(text, "a finite number at least 0", |value| value >= 0.0)
}

pub(crate) fn whole(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number above 0".to_owned())
}

/// An integer, and a unit: none or B, kB, MB, GB, TB by thousands, KiB, MiB, GiB, TiB by 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let expected = || "expected a number of bytes above 0, as 1000000, 500MB, 64MiB or 1GiB".to_owned();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit {
        "" | "B" => 1,
        "kB" => 1000,
        "MB" => 1000_u64.pow(2),
        "GB" => 1000_u64.pow(3),
        "TB" => 1000_u64.pow(4),
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(expected()),
    };
    let bytes = number.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(expected)
}

/// `none`, a share A/B of at most 1, or bytes.
fn budget(text: &str) -> Result<Budget, String> {
    if text == "none" {
        return Ok(Budget::Unlimited);
    }
    let Some((part, of)) = text.split_once('/') else {
        return bytes(text).map(Budget::Bytes).map_err(|error| format!("{error}, a share as 1/10, or none"));
    };
    let share = part.parse().ok().zip(of.parse().ok()).filter(|(part, of)| part <= of);
    let (part, of) = share.ok_or("expected a share above 0 and at most 1, as 1/10")?;
    Ok(Budget::Share { part, of })
}

fn seconds(text: &str) -> Result<Duration, String> {
    // A day is longer than any server takes, and short enough for every clock.
    number(text, "a number of seconds from 0.001 to 86400", |value| (1e-3..=86400.0).contains(&value))
        .map(Duration::from_secs_f64)
}

pub(crate) fn positive(text: &str) -> Result<f64, String> {
    number(text, "a finite number above 0", |value| value > 0.0)
}

fn condition(text: &str) -> Result<f64, String> {
    number(text, "a finite number above 1", |value| value > 1.0)
}

fn step(text: &str) -> Result<StepSize, String> {
    if text == "auto" {
        return Ok(StepSize::Auto);
    }
    number(text, "auto or a finite number above 0", |value| value > 0.0).map(StepSize::Fixed)
}

fn momentum(text: &str) -> Result<Momentum, String> {
    if text == "auto" {
        return Ok(Momentum::Auto);
    }
    number(text, "auto or a number at least 0 and below 1", |value| (0.0..1.0).contains(&value)).map(Momentum::Fixed)
}

pub(crate) fn wrt(text: &str) -> Result<Wrt, String> {
    let found = Wrt::ALL.into_iter().find(|wrt| wrt.name() == text);
    found.ok_or_else(|| "expected targets, weights, regularisation or design".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn bytes_are_read_with_their_units() {
        for (text, expected) in [("1", 1), ("7B", 7), ("2kB", 2000), ("64MiB", 64 << 20), ("3TB", 3_000_000_000_000)] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "0GiB", "MiB", "-1", "+1", "1.5GiB", "1e9", "64mib", "64 MiB", "1K", "99999999TiB", "1B2"]
        {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn budgets_are_none_bytes_or_shares() {
        for (text, shown) in [("none", "none"), ("2kB", "2000"), ("1/10", "1/10"), ("3/3", "3/3")] {
            assert_eq!(budget(text).unwrap().to_string(), shown);
        }
        for text in ["", "None", "0", "0/2", "3/2", "1/0", "1/", "/2", "-1/2", "0.5", "1/2/3", "1/2.0"] {
            assert!(budget(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
        assert_eq!(CompareArgs::default_values().iterations.len(), 14);
    }
}
