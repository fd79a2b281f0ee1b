//! The flags of `danskin lasso`.

use std::path::PathBuf;

use clap::ValueEnum;
use danskin::prelude::{LossName, Wrt};

use crate::args::{Estimators, ReadArgs, not_negative, number, positive, wrt};

/// Points of a path at the most.
const MAX_POINTS: i64 = 10_000;

/// How z is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// Coordinate descent on working sets, with screening and Newton steps on supports.
    Cd,
    /// Proximal gradient descent.
    Ista,
    /// The same, accelerated, with restarts.
    Fista,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cd => "cd",
            Self::Ista => "ista",
            Self::Fista => "fista",
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct LassoArgs {
    /// The design D: a file (.svm .svmlight .libsvm .mtx .npz .npy .csv .idx -ubyte, then optionally .gz .bz2 .xz), the name of a
    /// fetched one, or that of a shipped or registered set.
    #[arg(long, value_name = "FILE|NAME")]
    pub(crate) design: PathBuf,
    /// The signal u: a .npy, .idx or text file of n numbers, taken as they are. Without it, the design's labels.
    #[arg(long, value_name = "FILE")]
    pub(crate) target: Option<PathBuf>,
    /// The loss: ridge is the Lasso, 1/2 (D z - u)²; logistic, huber:DELTA, squared-hinge, poisson and the other losses of one prediction a row are sparse regressions.
    #[arg(long, value_name = "NAME", default_value = "ridge")]
    pub(crate) problem: LossName,
    /// Where labels must be -1 and +1: this label is +1, all others are -1.
    #[arg(long, value_name = "LABEL", conflicts_with = "target")]
    pub(crate) positive: Option<f64>,
    /// The penalty, at least 0: of plain sums over rows, n times the alpha of scikit-learn.
    #[arg(long, value_name = "F", value_parser = not_negative)]
    #[arg(required_unless_present = "lambda_ratio", conflicts_with = "lambda_ratio")]
    pub(crate) lambda: Option<f64>,
    /// The penalty as a share of lambda_max, from which on z is 0; above 0.
    #[arg(long, value_name = "F", value_parser = positive)]
    pub(crate) lambda_ratio: Option<f64>,
    /// The share A of |z| in an elastic net, lambda (A |z| + (1 - A) z²/2); above 0 and at most 1.
    #[arg(long, value_name = "A", default_value = "1", value_parser = share)]
    pub(crate) l1_ratio: f64,
    /// Over z >= 0, but for the column of ones.
    #[arg(long)]
    pub(crate) nonnegative: bool,
    /// What lambda is multiplied by in each column: a .npy or text file of m numbers at least 0; 0 leaves a column free. x of --wrt regularisation is then per feature.
    #[arg(long, value_name = "FILE")]
    pub(crate) penalty_weights: Option<PathBuf>,
    /// The weights of the rows: a .npy or text file of n numbers at least 0; 1 if absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Add a column of ones that has no penalty, and no bound; its coefficient is in report.json.
    #[arg(long)]
    pub(crate) intercept: bool,
    #[command(flatten)]
    pub(crate) reading: ReadArgs,
    /// Minima at K lambdas, evenly in their logarithms from lambda_max down to lambda, each from the one before and all by cd: path.csv, path-z.csv and path.svg.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=MAX_POINTS))]
    pub(crate) path: Option<u32>,
    /// How z is found.
    #[arg(long, value_name = "NAME", default_value = "cd")]
    pub(crate) method: Method,
    /// Stop at a duality gap of F times L at z = 0.
    #[arg(long, value_name = "F", default_value = "1e-8", value_parser = not_negative)]
    pub(crate) tolerance: f64,
    /// Steps at the most: proximal steps of ista and fista, sweeps of the automatic estimator of cd; of cd itself solves of the quadratic problem or models, few of which do.
    #[arg(long, value_name = "T", default_value = "100000")]
    pub(crate) iterations: usize,
    /// The piece that is x: targets (u), weights (of the rows), regularisation (log lambda) or design (the stored entries of D).
    #[arg(long, value_name = "PIECE", default_value = "targets", value_parser = wrt)]
    pub(crate) wrt: Wrt,
    /// With --wrt regularisation, a log lambda of its own for each column with a penalty.
    #[arg(long)]
    pub(crate) per_feature: bool,
    /// Gradients to compute: all, or some of analytic,automatic,implicit; none if absent. The automatic one goes through the proximal steps of ista and fista, and through plain sweeps
    /// where the method is cd.
    #[arg(long, value_name = "NAMES")]
    pub(crate) estimator: Option<Estimators>,
    /// Differentiate the loss on these rows instead of L: a hypergradient, by the automatic and the implicit estimator.
    #[arg(long, value_name = "FILE|NAME", requires = "estimator")]
    pub(crate) validation_design: Option<PathBuf>,
    /// Their signal; without it, the labels of --validation-design.
    #[arg(long, value_name = "FILE", requires = "validation_design")]
    pub(crate) validation_target: Option<PathBuf>,
    /// Folder for z.npy, one .npy a gradient, report.json and the path; made if missing, files of these names are replaced.
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

fn share(text: &str) -> Result<f64, String> {
    number(text, "a number above 0 and at most 1", |value| value > 0.0 && value <= 1.0)
}
