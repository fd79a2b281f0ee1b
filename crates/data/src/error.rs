//! Why a file could not be read, and where in it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use danskin_core::design::DesignError;
use thiserror::Error;

use crate::limit::TooManyBytes;
use crate::source;

/// A file could not be read. Displays as one line, `PATH:LINE: REASON` for text; there is no more to say, so its
/// `source` is `None`, and `kind` holds the cause.
#[derive(Debug, Error)]
#[error("{}{place}: {kind}", .path.display())]
#[non_exhaustive]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// Where in the file.
    pub place: Place,
    /// What is wrong there.
    pub kind: ReadErrorKind,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line of a text.
    Line {
        /// Number of the line, from 1.
        line: u64,
    },
    /// A field of a CSV.
    Field {
        /// Number of the line, from 1.
        line: u64,
        /// Number of the field in its row, from 1.
        field: usize,
    },
    /// An array of an `.npz` archive.
    Array {
        /// Name of the array, without its ending `.npy`.
        name: &'static str,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Line { line } => write!(f, ":{line}"),
            Self::Field { line, field } => write!(f, ":{line}: field {field}"),
            Self::Array { name } => write!(f, ": array {name}"),
        }
    }
}

/// What is wrong with a file.
///
/// A `found: String` is an excerpt: at most 40 characters of what the file holds, escaped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The file is missing, unreadable, truncated, or not compressed as its ending says.
    #[error(transparent)]
    Io(io::Error),
    /// The file, decompressed, is larger than it may be.
    #[error("expected at most {limit} bytes{}, found more: if so many are meant, set max_bytes (--max-bytes)", from(*.compressed))]
    TooManyBytes {
        /// The most bytes that the file may hold after decompression.
        limit: u64,
        /// The compressed bytes that they come from, where the limit is in proportion to these: unless
        /// [`crate::ReadOptions::max_bytes`] says how many there may be.
        compressed: Option<u64>,
    },
    /// The path is a directory.
    #[error("expected a file, found a directory")]
    Directory,
    /// The ending names no format.
    #[error("expected a name that ends in {}, then optionally {}", source::endings(), source::compressed_endings())]
    UnknownEnding,
    /// An option for files of another format.
    #[error("{option} was given, expected one for {format} alone")]
    OptionOfAnotherFormat {
        /// The option.
        option: &'static str,
        /// The format that has it.
        format: &'static str,
    },
    /// There is no row.
    #[error("expected at least one row, found none")]
    NoRows,
    /// There is no number.
    #[error("expected at least one number, found none")]
    NoNumbers,
    /// [`crate::ReadOptions::label_column`] is not said for a CSV.
    #[error(
        "a CSV does not tell its labels from its entries: say whether the label column is the first, last or absent"
    )]
    UnknownLabelColumn,
    /// The contents break the format.
    #[error("expected {expected}, found \"{found}\"")]
    Syntax {
        /// What was expected, in words.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// An index names no column.
    #[error("expected an index into {columns} columns counted from {base}, found {found}")]
    Index {
        /// Number of columns, or the largest possible one.
        columns: usize,
        /// Index of the first column.
        base: usize,
        /// The digits that were found.
        found: String,
    },
    /// An index names no row.
    #[error("expected an index into {rows} rows counted from {base}, found {found}")]
    RowIndex {
        /// Number of rows.
        rows: usize,
        /// Index of the first row.
        base: usize,
        /// What was found.
        found: String,
    },
    /// Two lines hold an entry in one place.
    #[error(
        "expected each entry once, found row {row}, column {column} as on line {first} (indices as the file counts)"
    )]
    DuplicateEntry {
        /// Row, as the file counts.
        row: usize,
        /// Column, as the file counts.
        column: usize,
        /// The line of the first of them.
        first: u64,
    },
    /// A matrix has more entries than can be counted.
    #[error("expected less than 2^64 entries, found {rows} x {columns}")]
    SizeOverflow {
        /// Number of rows declared.
        rows: usize,
        /// Number of columns declared.
        columns: usize,
    },
    /// An index appears twice in one row.
    #[error("expected each index once in a row, found {index} twice")]
    DuplicateIndex {
        /// The index, as the file counts.
        index: usize,
    },
    /// A row of a CSV does not have as many fields as the first.
    #[error("expected {expected} fields as in the first row, found {found}")]
    FieldCount {
        /// Number of fields in the first row.
        expected: usize,
        /// Number of fields in this row.
        found: usize,
    },
    /// The file does not have as many columns as was asked.
    #[error("expected {expected} columns, found {found}")]
    ColumnCount {
        /// What [`crate::ReadOptions::columns`] asks for.
        expected: usize,
        /// What the file has.
        found: usize,
    },
    /// The shape declares far more rows than there are entries.
    #[error("expected at most {limit} rows for {entries} entries, found {rows}")]
    TooManyRows {
        /// Number of rows declared.
        rows: usize,
        /// Number of entries in the file.
        entries: usize,
        /// The most rows that so many entries allow.
        limit: usize,
    },
    /// The shape or the largest index stands for far more columns than there are entries.
    #[error(
        "expected at most {limit} columns for {entries} entries, found {columns}: if so many are meant, set columns (--columns)"
    )]
    TooManyColumns {
        /// Number of columns.
        columns: usize,
        /// Number of entries in the file.
        entries: usize,
        /// The most columns that so many entries allow, unless [`crate::ReadOptions::columns`] says how many there are.
        limit: usize,
    },
    /// The header of a binary array is too long.
    #[error("expected a header of at most {limit} bytes, found {found}")]
    HeaderLength {
        /// Bytes allowed.
        limit: u32,
        /// Bytes declared.
        found: u32,
    },
    /// A binary array has a shape that does not fit its purpose.
    #[error("expected {expected}, found an array of shape {found:?}")]
    Shape {
        /// What was expected, in words.
        expected: &'static str,
        /// The dimensions found.
        found: Vec<u64>,
    },
    /// A binary array has elements that are not of a fitting type.
    #[error("expected {expected}, found elements of type {found}")]
    ElementType {
        /// What was expected, in words.
        expected: &'static str,
        /// The type in the notation of NumPy.
        found: String,
    },
    /// A binary array ends early.
    #[error("expected {expected} element(s) as its header says, found {found}")]
    Truncated {
        /// Number of elements declared.
        expected: u64,
        /// Number of whole elements found.
        found: u64,
    },
    /// Bytes follow a binary array.
    #[error("expected the end after {expected} element(s) as its header says, found more bytes")]
    TrailingBytes {
        /// Number of elements declared.
        expected: u64,
    },
    /// A number is NaN or infinite.
    #[error("number {position} (from 0) is {value}, expected a finite number")]
    NotFinite {
        /// Where, from 0.
        position: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// A size, index or pointer of a sparse matrix is negative.
    #[error("expected a number at least 0, found {found}")]
    Negative {
        /// What was found.
        found: i64,
    },
    /// An archive lacks an array.
    #[error("expected this array in the archive, found none")]
    MissingArray,
    /// An archive holds a sparse matrix in a format that is not read.
    #[error("expected sparse format csr, csc or coo, found \"{found}\"")]
    SparseFormat {
        /// The name found.
        found: String,
    },
    /// Column pointers do not start at 0, decrease, or do not end at the number of entries.
    #[error("column pointer {position} is {found}, expected {expected}")]
    ColumnPointer {
        /// Which pointer, from 0.
        position: usize,
        /// What was expected, in words.
        expected: &'static str,
        /// Its value.
        found: usize,
    },
    /// The contents are no design.
    #[error(transparent)]
    Design(#[from] DesignError),
}

/// What a limit is in proportion to.
fn from(compressed: Option<u64>) -> String {
    compressed.map_or_else(String::new, |bytes| format!(" from {bytes} compressed ones"))
}

impl From<io::Error> for ReadErrorKind {
    fn from(error: io::Error) -> Self {
        match error.downcast() {
            Ok(TooManyBytes { limit, compressed }) => Self::TooManyBytes { limit, compressed },
            Err(error) => Self::Io(error),
        }
    }
}

/// A [`ReadError`] that does not know its path yet.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) kind: ReadErrorKind,
}

impl Fault {
    pub(crate) fn in_file(self, path: &Path) -> ReadError {
        ReadError { path: path.to_owned(), place: self.place, kind: self.kind }
    }
}

impl<E: Into<ReadErrorKind>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self { place: Place::File, kind: error.into() }
    }
}

impl ReadErrorKind {
    pub(crate) fn at(self, place: Place) -> Fault {
        Fault { place, kind: self }
    }

    pub(crate) fn syntax(expected: &'static str, found: &[u8]) -> Self {
        Self::Syntax { expected, found: excerpt(found) }
    }
}

/// Characters of a file that a message quotes.
const EXCERPT: usize = 40;

/// The beginning of `bytes` on one line of printable characters.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let mut text = String::new();
    // No character takes more than 4 bytes, so what is cut off here would not be quoted.
    for chunk in bytes[..bytes.len().min(4 * EXCERPT + 4)].utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\'' => text.push(character),
                _ => text.extend(character.escape_debug()),
            }
        }
        text.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    if let Some((end, _)) = text.char_indices().nth(EXCERPT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_printable() {
        assert_eq!(excerpt(b"abc"), "abc");
        assert_eq!(excerpt("é".as_bytes()), "é");
        assert_eq!(excerpt(b"'a'\n\"\xff"), "'a'\\n\\\"\\xff");
        assert_eq!(excerpt("é".repeat(1000).as_bytes()), format!("{}…", "é".repeat(40)));
        assert_eq!(excerpt(&[b'x'; 40]), "x".repeat(40));
        assert_eq!(excerpt(&[b'x'; 41]), format!("{}…", "x".repeat(40)));
    }

    #[test]
    fn errors_name_file_and_place() {
        let shown = |place| ReadErrorKind::NoRows.at(place).in_file(Path::new("a.npz")).to_string();
        assert_eq!(shown(Place::File), "a.npz: expected at least one row, found none");
        assert_eq!(shown(Place::Line { line: 3 }), "a.npz:3: expected at least one row, found none");
        assert_eq!(
            shown(Place::Field { line: 3, field: 2 }),
            "a.npz:3: field 2: expected at least one row, found none"
        );
        assert_eq!(shown(Place::Array { name: "data" }), "a.npz: array data: expected at least one row, found none");
    }
}
