//! Files in, a [`Design`] and its labels out.
//!
//! | ending | format | read as |
//! |---|---|---|
//! | `.svm` `.svmlight` `.libsvm` | svmlight text, labels in front | sparse |
//! | `.mtx` | Matrix Market: real, integer or pattern | sparse (coordinate) or dense (array), no labels |
//! | `.npz` | `scipy.sparse.save_npz`: csr, csc or coo | sparse, no labels |
//! | `.npy` | NumPy array with two dimensions | dense, no labels |
//! | `.csv` | numbers, comma-separated | dense, labels where [`ReadOptions::label_column`] says |
//! | `.idx` `-ubyte` | images as MNIST has them | dense, a row for each along the first dimension, no labels |
//!
//! `.gz`, `.bz2` or `.xz` may follow each of them; upper and lower case are the same. Text is read line by line, and no
//! size that a file declares is believed before as many bytes were read: memory grows with the data, up to
//! [`ReadOptions::max_bytes`].
//!
//! [`read_vector`] and [`write_vector`] do the same for vectors, [`shipped()`] lists the data sets inside this crate
//! and [`Summary`] describes a data set in numbers. With the feature `fetch`, `Fetcher` fetches files over HTTP, and `Cache`
//! is the folder that holds them; with `make`, `make::Recipe` stands for synthetic designs of any size.
//!
//! ```
//! use danskin_data::{Shipped, Summary};
//!
//! let digits = Shipped::find("digits").expect("a shipped data set").load()?;
//! let summary = Summary::of(&digits);
//! assert_eq!((summary.rows, summary.columns), (1797, 64));
//! # Ok::<(), danskin_data::ReadError>(())
//! ```

mod binary;
#[cfg(feature = "fetch")]
mod cache;
#[cfg(feature = "fetch")]
mod checksum;
mod csv;
mod error;
#[cfg(feature = "fetch")]
mod fetch;
mod idx;
mod limit;
#[cfg(feature = "make")]
pub mod make;
mod mtx;
mod npy;
mod npz;
mod proportion;
mod shipped;
mod source;
mod summary;
mod svmlight;
mod text;
mod vector;

use std::io::{BufRead, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use danskin_core::design::Design;

#[cfg(feature = "fetch")]
pub use cache::{Cache, CacheError, Registered};
#[cfg(feature = "fetch")]
pub use checksum::{Checksum, NoChecksum};
use error::Fault;
pub use error::{Place, ReadError, ReadErrorKind};
#[cfg(feature = "fetch")]
pub use fetch::{FetchError, Fetched, Fetcher, Progress};
use limit::Limit;
use proportion::check_columns;
pub use shipped::{Shipped, shipped};
use source::{Compression, Format, Name};
pub use summary::{Distinct, LabelSummary, Summary};
pub use vector::{read_vector, read_vector_within, write_vector};

/// A design and, where the file has them, its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// D, n x m, with at least one row.
    pub design: Design,
    /// One finite label a row, length n.
    pub labels: Option<Vec<f64>>,
}

/// What a file leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The index of the first column in svmlight text; 1 without it. Other formats fix it, and are refused with it.
    pub index_base: Option<IndexBase>,
    /// Number of columns, m. Without it, m is the largest index of svmlight text; other formats state m, and are
    /// refused where it differs. Far more columns than entries are refused unless they are asked for here.
    pub columns: Option<usize>,
    /// Which column of a CSV holds the labels; a CSV is refused without it. Other formats say it themselves, and are
    /// refused with it.
    pub label_column: Option<LabelColumn>,
    /// The most bytes that the file may hold after decompression. Without it, 64 GiB, and for a compressed file 64 MiB and
    /// 100 bytes for each compressed one.
    pub max_bytes: Option<u64>,
}

/// The index of the first column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IndexBase {
    /// Indices count from 0.
    Zero,
    /// Indices count from 1, as the svmlight format asks.
    #[default]
    One,
}

/// Which column of a CSV holds the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelColumn {
    /// The first.
    First,
    /// The last.
    Last,
    /// None: all columns belong to the design.
    Absent,
}

/// Reads the data set in `path`, in the format that its ending names.
///
/// # Errors
///
/// [`ReadError`] if the file cannot be read, its ending names no format, its contents break the format, or it has no
/// rows.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Dataset, ReadError> {
    source::open(path).and_then(|file| load(Name::of(path), file, options)).map_err(|fault| fault.in_file(path))
}

/// Reads the data set in `input`, whose name is `name`.
fn load(name: Name, input: impl BufRead + Seek, options: &ReadOptions) -> Result<Dataset, Fault> {
    let format = name.format.ok_or(ReadErrorKind::UnknownEnding)?;
    if options.index_base.is_some() && format != Format::Svmlight {
        return Err(ReadErrorKind::OptionOfAnotherFormat { option: "an index base", format: "svmlight text" }.into());
    }
    if options.label_column.is_some() && format != Format::Csv {
        return Err(ReadErrorKind::OptionOfAnotherFormat { option: "a label column", format: "CSV" }.into());
    }
    let limit = Limit::new(options.max_bytes);
    let decoded = |input| name.compression.decode(input, limit);
    let unlabelled = |design| Dataset { design, labels: None };
    let dataset = match format {
        Format::Svmlight => svmlight::read(decoded(input), options)?,
        Format::Csv => csv::read(decoded(input), options)?,
        Format::Mtx => unlabelled(mtx::read(decoded(input))?),
        Format::Npy => unlabelled(npy::read_design(decoded(input))?),
        Format::Idx => unlabelled(idx::read_design(decoded(input))?),
        Format::Npz => unlabelled(load_npz(name.compression, input, limit)?),
    };
    if dataset.design.rows() == 0 {
        return Err(ReadErrorKind::NoRows.into());
    }
    let columns = dataset.design.columns();
    match options.columns {
        Some(expected) if expected != columns => {
            return Err(ReadErrorKind::ColumnCount { expected, found: columns }.into());
        }
        Some(_) => {}
        None => check_columns(columns, dataset.design.entries())?,
    }
    Ok(dataset)
}

/// A zip archive is read from its end, so a compressed one is decompressed into memory first.
fn load_npz(compression: Compression, mut input: impl BufRead + Seek, limit: Limit) -> Result<Design, Fault> {
    // The arrays are in proportion to the file, whether it is compressed once or twice.
    let size = input.seek(SeekFrom::End(0))?;
    input.rewind()?;
    if compression == Compression::None {
        return npz::read(input, limit, size);
    }
    let mut archive = Vec::new();
    compression.decode(input, limit).read_to_end(&mut archive)?;
    npz::read(Cursor::new(archive), limit, size)
}
