//! Why there is no synthetic design.

use std::io;

use thiserror::Error;

/// A recipe asks for what cannot be made. Displays as one line.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum MakeError {
    /// One of the sides is 0.
    #[error("expected at least one {what}, found none")]
    Empty {
        /// Row or column.
        what: &'static str,
    },
    /// No row can have so many entries.
    #[error("{found} entries a row, expected 1 to {columns}, the number of columns")]
    PerRow {
        /// Entries asked for.
        found: usize,
        /// Number of columns, m.
        columns: usize,
    },
    /// A density is no share.
    #[error("a density of {found}, expected a number above 0 and at most 1")]
    Density {
        /// Density asked for.
        found: f64,
    },
    /// The entries of a row are not said, and must be.
    #[error("{kind}: expected the number of entries a row, or their density")]
    NoFill {
        /// Name of the kind.
        kind: &'static str,
    },
    /// The entries of a row are said, and all of them are there.
    #[error("{kind}: every row is full, expected neither a number of entries a row nor a density")]
    FillOfDense {
        /// Name of the kind.
        kind: &'static str,
    },
    /// The parameter of a kind does not fit.
    #[error("a {what} of {found}, expected {least} to {most}")]
    Parameter {
        /// What it is called.
        what: &'static str,
        /// Its value.
        found: usize,
        /// The least that fits.
        least: usize,
        /// The most that fits.
        most: usize,
    },
    /// The noise is negative, not finite, or so large that targets overflow.
    #[error("a noise of {found}, expected a number at least 0 and at most {most:e}")]
    Noise {
        /// Noise asked for.
        found: f64,
        /// The most there may be.
        most: f64,
    },
    /// Far more columns than entries: a reader would refuse the file unless it is told their number.
    #[error("{columns} columns for {entries} entries, expected at most {limit}")]
    TooManyColumns {
        /// Number of columns, m.
        columns: usize,
        /// Number of entries, as far as it is known.
        entries: u64,
        /// The most columns that so many entries allow.
        limit: usize,
    },
    /// More entries than any file holds.
    #[error("{rows} rows of {per_row} entries, expected at most {most} entries")]
    TooManyEntries {
        /// Number of rows, n.
        rows: usize,
        /// Entries of a row.
        per_row: usize,
        /// The most entries there may be.
        most: u64,
    },
    /// Memory is too small.
    #[error("expected {bytes} bytes of memory, found fewer")]
    OutOfMemory {
        /// Bytes that are needed at once.
        bytes: u64,
    },
}

/// A synthetic design could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Whoever watched asked for the end.
    #[error("interrupted")]
    Interrupted,
}

/// A word that stands for nothing. Displays as one line, which lists the words that do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("expected {}", list(.expected))]
pub struct UnknownName {
    /// The names there are.
    pub expected: Vec<String>,
}

fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => name.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Makes room for `len` more elements.
pub(crate) fn reserve<T>(vector: &mut Vec<T>, len: u64) -> Result<(), MakeError> {
    let reserved = usize::try_from(len).is_ok_and(|len| vector.try_reserve_exact(len).is_ok());
    if reserved { Ok(()) } else { Err(MakeError::OutOfMemory { bytes: len.saturating_mul(size_of::<T>() as u64) }) }
}
