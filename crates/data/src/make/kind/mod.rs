//! Kinds of synthetic rows, one file each.

use std::fmt;
use std::str::FromStr;

use super::draw::{Draw, Taken};
use super::error::{MakeError, UnknownName};

/// One line for each kind: its module and its type. Names, help and the tables of tests follow from it.
macro_rules! kinds {
    ($($module:ident::$kind:ident,)*) => {
        $(
            mod $module;
            pub use $module::$kind;
        )*

        /// A kind of synthetic rows, by its name: `zipf`, `banded:60`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Kind {
            $(
                #[doc = concat!("[`", stringify!($kind), "`].")]
                $kind($kind),
            )*
        }

        $(
            impl From<$kind> for Kind {
                fn from(kind: $kind) -> Self {
                    Self::$kind(kind)
                }
            }
        )*

        const ALL: &[Facts] = &[$(Facts::of::<$kind>(),)*];

        impl Kind {
            fn as_rows(&self) -> &dyn Prepare {
                match self {
                    $(Self::$kind(kind) => kind,)*
                }
            }

            fn facts(&self) -> Facts {
                match self {
                    $(Self::$kind(_) => Facts::of::<$kind>(),)*
                }
            }
        }
    };
}

kinds! {
    zipf::Zipf,
    banded::Banded,
    ragged::Ragged,
    binary::Binary,
    gaussian::Gaussian,
    low_rank::LowRank,
}

/// A kind that has a name.
trait NamedKind: Prepare + Into<Kind> {
    /// The name, in small letters.
    const NAME: &'static str;
    /// What rows look like, in a few words.
    const ABOUT: &'static str;
    /// What the parameter is called, of a kind that has one, and whether it must be said.
    const PARAMETER: Option<(&'static str, bool)> = None;

    /// The kind with this parameter, which is not 0; `None` only where it need not be said.
    fn named(parameter: Option<usize>) -> Self;
}

/// How rows come about.
trait Prepare {
    /// The parameter, if there is one.
    fn parameter(&self) -> Option<usize> {
        None
    }

    /// How rows are stored.
    fn storage(&self) -> Storage {
        Storage::Sparse
    }

    /// What all rows share, drawn from `draw`.
    fn prepare(&self, shape: Shape, draw: &mut Draw) -> Result<Rows, MakeError>;
}

/// How rows are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    Sparse,
    Dense,
    /// Dense unless the entries of a row are said.
    Either,
}

/// How large a design is. Neither side is 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Entries of a row, in the mean where rows differ, from 1 to all; those of a dense row are all.
    pub(crate) per_row: usize,
    pub(crate) is_dense: bool,
}

/// Makes rows.
pub(crate) enum Rows {
    Sparse { pattern: Box<dyn Pattern>, values: Values },
    Dense(Box<dyn Dense>),
}

/// Makes the columns of sparse rows.
pub(crate) trait Pattern: Send + Sync {
    /// The number of entries of a row. Called before [`Pattern::fill`], with the same stream.
    fn len(&self, draw: &mut Draw) -> usize;

    /// Whether rows differ in it.
    fn is_ragged(&self) -> bool {
        false
    }

    /// Fills `out` with the `len` distinct columns of row `row`, sorted.
    fn fill(&self, row: usize, len: usize, draw: &mut Draw, taken: &mut Taken, out: &mut Vec<u32>);
}

/// Makes dense rows.
pub(crate) trait Dense: Send + Sync {
    /// Fills a row.
    fn fill(&self, draw: &mut Draw, out: &mut [f64]);
}

/// Makes the values of sparse rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values {
    /// Normal, with this standard deviation.
    Normal(f64),
    Ones,
}

impl Values {
    /// Normal values of which a row has a norm of about 1.
    fn normal(shape: Shape) -> Self {
        Self::Normal(1.0 / (shape.per_row as f64).sqrt())
    }

    pub(crate) fn fill(self, draw: &mut Draw, out: &mut [f64]) {
        match self {
            Self::Normal(deviation) => out.fill_with(|| deviation * draw.normal()),
            Self::Ones => out.fill(1.0),
        }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Dense(_)) { "Dense" } else { "Sparse" })
    }
}

/// What is known of a kind without one at hand.
#[derive(Clone, Copy)]
struct Facts {
    name: &'static str,
    about: &'static str,
    parameter: Option<(&'static str, bool)>,
    named: fn(Option<usize>) -> Kind,
}

impl Facts {
    const fn of<K: NamedKind>() -> Self {
        Self { name: K::NAME, about: K::ABOUT, parameter: K::PARAMETER, named: |parameter| K::named(parameter).into() }
    }

    fn usage(self) -> String {
        match self.parameter {
            None => self.name.to_owned(),
            Some((parameter, true)) => format!("{}:{parameter}", self.name),
            Some((parameter, false)) => format!("{}[:{parameter}]", self.name),
        }
    }
}

impl Kind {
    /// How each kind is written, and what its rows look like in a few words.
    pub fn list() -> impl Iterator<Item = (String, &'static str)> {
        ALL.iter().map(|facts| (facts.usage(), facts.about))
    }

    /// The name without a parameter.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.facts().name
    }

    pub(crate) fn storage(&self) -> Storage {
        self.as_rows().storage()
    }

    pub(crate) fn prepare(&self, shape: Shape, draw: &mut Draw) -> Result<Rows, MakeError> {
        self.as_rows().prepare(shape, draw)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_rows().parameter() {
            None => f.write_str(self.name()),
            Some(parameter) => write!(f, "{}:{parameter}", self.name()),
        }
    }
}

impl FromStr for Kind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let unknown = || UnknownName { expected: Self::list().map(|(usage, _)| usage).collect() };
        let (name, parameter) = match text.split_once(':') {
            None => (text, None),
            Some((name, parameter)) => {
                let number = parameter.parse().ok().filter(|&number: &usize| number > 0);
                (name, Some(number.ok_or_else(unknown)?))
            }
        };
        let facts = ALL.iter().find(|facts| facts.name == name).ok_or_else(unknown)?;
        match (facts.parameter, parameter) {
            (None, Some(_)) | (Some((_, true)), None) => Err(unknown()),
            _ => Ok((facts.named)(parameter)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for facts in ALL {
            for parameter in [None, Some(7)] {
                let fits = match facts.parameter {
                    None => parameter.is_none(),
                    Some((_, needed)) => parameter.is_some() || !needed,
                };
                let text = facts.name.to_owned() + parameter.map_or("", |_| ":7");
                let read = text.parse::<Kind>();
                assert_eq!(read.map(|kind| kind.to_string()).ok(), fits.then_some(text));
            }
        }
        for wrong in ["", "Zipf", "zipf:", "banded:0", "banded:-1", "banded:1:2", "banded:x", "low-rank", ":7"] {
            assert!(wrong.parse::<Kind>().is_err(), "{wrong}");
        }
        let expected = "expected zipf, banded[:WIDTH], ragged, binary, gaussian or low-rank:RANK";
        assert_eq!("".parse::<Kind>().unwrap_err().to_string(), expected);
    }
}
