//! Losses by name, as command lines and tables have them: `logistic`, `huber:0.5`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{ALL, Family, RowLoss};

/// Why a loss refuses its parameter or its number of classes.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// A loss that has a name, and says what else is to be known of it.
pub trait NamedLoss: RowLoss + Copy + 'static {
    /// The name, in small letters.
    const NAME: &'static str;

    /// What the parameter is called, of a loss that has one, and values of it that stand for all in tests.
    const PARAMETER: Option<(&'static str, &'static [f64])> = None;

    /// What y is.
    const TARGETS: Targets;

    /// The loss with this parameter (NaN where it has none) over so many classes (1 where y is a number).
    ///
    /// # Errors
    ///
    /// What is wrong with the parameter or the number of classes.
    fn named(parameter: f64, classes: usize) -> Result<Self, Refusal>;

    /// How smooth it is.
    fn regularity(&self) -> Regularity {
        Regularity::Smooth
    }

    /// How far (u, y) is from where the loss lacks a third derivative, in units of u; infinite where it has all of them.
    fn distance_from_kinks(&self, _u: &[f64], _y: &[f64]) -> f64 {
        f64::INFINITY
    }
}

/// What the targets of a loss are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Targets {
    /// Any number.
    Real,
    /// A label, -1 or +1.
    Signed,
    /// A number at least 0.
    NotNegative,
    /// A number above 0.
    Positive,
    /// One of at least two classes; y is a vector of as many weights, which sum to 1.
    Classes,
}

impl Targets {
    /// Whether `label` is one. Of classes every number is.
    #[must_use]
    pub fn include(self, label: f64) -> bool {
        match self {
            Self::Real | Self::Classes => true,
            Self::Signed => label.abs() == 1.0,
            Self::NotNegative => label >= 0.0,
            Self::Positive => label > 0.0,
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "any numbers",
            Self::Signed => "-1 and +1",
            Self::NotNegative => "numbers at least 0",
            Self::Positive => "numbers above 0",
            Self::Classes => "classes",
        })
    }
}

/// How smooth a loss is, the smoothest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Regularity {
    /// A quadratic function of (u, y): [`RowLoss::is_quadratic`].
    Quadratic,
    /// Three derivatives at least, continuous.
    Smooth,
    /// Two derivatives, the second ones Lipschitz continuous.
    LipschitzSecond,
    /// Second derivatives that jump, or are no more than Hölder continuous.
    Kinked,
}

/// A loss by its name and parameter: what `--problem` has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossName {
    family: Family,
    parameter: f64,
    regularity: Regularity,
}

/// There is no such loss.
#[derive(Debug, Error)]
pub enum InvalidLoss {
    /// No loss is called so.
    #[error("expected one of {}", LossName::usage())]
    Unknown,
    /// The parameter is no number, missing, or not asked for.
    #[error("{found:?}, expected {usage}{}", if usage.contains(':') { " with a number" } else { "" })]
    NotANumber {
        /// How the loss is written.
        usage: String,
        /// What was given.
        found: String,
    },
    /// The loss refuses its parameter, or the number of classes.
    #[error(transparent)]
    Refused(Refusal),
}

/// What is done with a loss whose type its name decides.
pub trait LossVisitor {
    /// What comes of it.
    type Output;

    /// Does it.
    fn visit<L: NamedLoss>(self, loss: L) -> Self::Output;
}

impl LossName {
    fn new(family: Family, parameter: f64) -> Result<Self, InvalidLoss> {
        struct Inspect;
        impl LossVisitor for Inspect {
            type Output = Regularity;
            fn visit<L: NamedLoss>(self, loss: L) -> Regularity {
                loss.regularity()
            }
        }
        let regularity = family.visit(parameter, 2, Inspect).map_err(InvalidLoss::Refused)?;
        Ok(Self { family, parameter, regularity })
    }

    /// How losses are written, in a list: `ridge, huber:DELTA, multinomial`.
    #[must_use]
    pub fn usage() -> String {
        ALL.iter().map(|family| family.facts().usage()).collect::<Vec<_>>().join(", ")
    }

    /// Every loss, those with a parameter at some values of it.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let values = |family: &Family| family.facts().parameter.map_or(&[f64::NAN] as &[f64], |(_, values)| values);
        let named = ALL.iter().flat_map(|family| values(family).iter().map(|value| Self::new(*family, *value)));
        named.filter_map(Result::ok).collect()
    }

    /// What its targets are.
    #[must_use]
    pub fn targets(&self) -> Targets {
        self.family.facts().targets
    }

    /// How smooth it is.
    #[must_use]
    pub fn regularity(&self) -> Regularity {
        self.regularity
    }

    /// Does what `visitor` does with the loss itself, over so many classes (of no account where y is a number).
    ///
    /// # Errors
    ///
    /// [`InvalidLoss::Refused`] where there are too few classes.
    pub fn visit<V: LossVisitor>(&self, classes: usize, visitor: V) -> Result<V::Output, InvalidLoss> {
        self.family.visit(self.parameter, classes, visitor).map_err(InvalidLoss::Refused)
    }
}

impl fmt::Display for LossName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.family.facts();
        match facts.parameter {
            None => f.write_str(facts.name),
            Some(_) => write!(f, "{}:{}", facts.name, self.parameter),
        }
    }
}

impl FromStr for LossName {
    type Err = InvalidLoss;

    fn from_str(text: &str) -> Result<Self, InvalidLoss> {
        let (name, parameter) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let family = *ALL.iter().find(|family| family.facts().name == name).ok_or(InvalidLoss::Unknown)?;
        let facts = family.facts();
        let parameter = match (facts.parameter, parameter) {
            (None, None) => Some(f64::NAN),
            (Some(_), Some(number)) => number.parse().ok(),
            _ => None,
        };
        let invalid = || InvalidLoss::NotANumber { usage: facts.usage(), found: text.to_owned() };
        Self::new(family, parameter.ok_or_else(invalid)?)
    }
}

/// What [`NamedLoss`] says of the type alone.
pub(super) struct Facts {
    name: &'static str,
    parameter: Option<(&'static str, &'static [f64])>,
    targets: Targets,
}

impl Facts {
    pub(super) const fn of<L: NamedLoss>() -> Self {
        Self { name: L::NAME, parameter: L::PARAMETER, targets: L::TARGETS }
    }

    fn usage(&self) -> String {
        match self.parameter {
            None => self.name.to_owned(),
            Some((parameter, _)) => format!("{}:{parameter}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(LossName::all().len() >= ALL.len());
        for name in LossName::all() {
            let text = name.to_string();
            assert_eq!(text.parse::<LossName>().unwrap().to_string(), text);
            assert!(LossName::usage().contains(text.split(':').next().unwrap()), "{text}");
        }
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|family| family.facts().name).collect();
        assert_eq!(names.len(), ALL.len(), "one name twice");
    }

    #[test]
    fn a_loss_is_quadratic_in_one_way() {
        struct Quadratic;
        impl LossVisitor for Quadratic {
            type Output = bool;
            fn visit<L: NamedLoss>(self, loss: L) -> bool {
                loss.is_quadratic()
            }
        }
        for name in LossName::all() {
            let quadratic = name.visit(3, Quadratic).unwrap();
            assert_eq!(quadratic, name.regularity() == Regularity::Quadratic, "{name}");
        }
    }

    #[test]
    fn what_is_no_loss_is_refused() {
        for (text, expected) in [
            ("hinge", "squared-hinge"),
            ("", "ridge"),
            ("huber", "huber:DELTA with a number"),
            ("huber:", "huber:DELTA with a number"),
            ("huber:x", "huber:DELTA with a number"),
            ("huber:-1", "above 0"),
            ("pnorm:1.5", "at least 2"),
            ("pnorm:NaN", "at least 2"),
            ("ridge:2", "expected ridge"),
        ] {
            let error = text.parse::<LossName>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn classes_are_two_at_least() {
        struct Width;
        impl LossVisitor for Width {
            type Output = usize;
            fn visit<L: NamedLoss>(self, loss: L) -> usize {
                loss.width()
            }
        }
        for name in LossName::all() {
            let classes = name.targets() == Targets::Classes;
            assert_eq!(name.visit(5, Width).unwrap(), if classes { 5 } else { 1 }, "{name}");
            assert_eq!(name.visit(1, Width).is_err(), classes, "{name}");
        }
    }
}
