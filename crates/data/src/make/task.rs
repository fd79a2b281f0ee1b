//! What the targets of synthetic rows are.

use std::fmt;
use std::str::FromStr;

use rand_distr::{Distribution, Poisson};

use super::draw::Draw;
use super::error::UnknownName;

/// What is drawn for a row from u_i = (D z)_i + noise, z the planted latent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Task {
    /// y_i = u_i.
    Regression,
    /// y_i = +1 with probability 1 / (1 + exp(-u_i)), else -1.
    #[default]
    Logistic,
    /// y_i from the Poisson distribution of mean exp(u_i), at most exp(36).
    ///
    /// The one place where a machine may matter: `rand_distr` compares with the system's logarithms, whose last bit can
    /// turn a decision, and with it a count, in about one of 10^12 rows.
    Counts,
}

/// Above its exponential, counts are no longer exact.
const LARGEST_LOG_MEAN: f64 = 36.0;

impl Task {
    /// Every task.
    pub const ALL: [Self; 3] = [Self::Regression, Self::Logistic, Self::Counts];

    /// The name, in small letters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Logistic => "logistic",
            Self::Counts => "counts",
        }
    }

    /// The name of the loss that the targets are for.
    #[must_use]
    pub fn loss(self) -> &'static str {
        match self {
            Self::Regression => "ridge",
            Self::Logistic => "logistic",
            Self::Counts => "poisson",
        }
    }

    /// The standard deviation of (D z)_i, about: large enough that labels follow from it, and counts stay small.
    pub(crate) fn signal(self) -> f64 {
        match self {
            Self::Logistic => 2.0,
            Self::Regression | Self::Counts => 1.0,
        }
    }

    /// The noise where none is said.
    pub(crate) fn noise(self) -> f64 {
        match self {
            Self::Regression => 0.1,
            Self::Logistic | Self::Counts => 0.0,
        }
    }

    /// y_i from u_i.
    pub(crate) fn draw(self, u: f64, draw: &mut Draw) -> f64 {
        match self {
            Self::Regression => u,
            Self::Logistic => {
                if draw.uniform() < 1.0 / (1.0 + libm::exp(-u)) {
                    1.0
                } else {
                    -1.0
                }
            }
            // A mean that underflows to 0 is none for the library.
            Self::Counts => Poisson::new(libm::exp(u.min(LARGEST_LOG_MEAN)))
                .map_or(0.0, |distribution| distribution.sample(&mut draw.bits)),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Task {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let unknown = || UnknownName { expected: Self::ALL.map(|task| task.name().to_owned()).into() };
        Self::ALL.into_iter().find(|task| task.name() == text).ok_or_else(unknown)
    }
}
