//! Sparse matrices of SciPy (`scipy.sparse.save_npz`): a zip archive of NumPy arrays, compressed or not.
//!
//! | array | holds | in format |
//! |---|---|---|
//! | `format` | `csr`, `csc` or `coo` | all |
//! | `shape` | rows, columns | all |
//! | `data` | values | all |
//! | `indices` | the column (csr) or row (csc) of each value | csr, csc |
//! | `indptr` | where each row (csr) or column (csc) begins, and the number of values | csr, csc |
//! | `row`, `col`, or `coords` with both as its rows | the row and column of each value | coo |
//!
//! Sizes and indices are signed integers of 32 or 64 bits. Indices may be unsorted. Two values in one place are
//! refused, though SciPy would add them.

use std::cell::Cell;
use std::io::{self, BufReader, Read, Seek};
use std::rc::Rc;

use danskin_core::design::{Design, DesignError};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::error::{Fault, Place, ReadErrorKind, excerpt};
use crate::limit::{Count, Limit, Limited};
use crate::npy::Array;
use crate::proportion::check_rows;

/// Reads the archive `input`, of a file of `file_size` bytes.
pub(crate) fn read(input: impl Read + Seek, limit: Limit, file_size: u64) -> Result<Design, Fault> {
    let mut archive = Archive::open(input, limit, file_size)?;
    let format = archive.get("format", |array| array.single()?.string())?;
    let read = match &format[..] {
        b"csr" => read_csr,
        b"csc" => read_csc,
        b"coo" => read_coo,
        _ => {
            let kind = ReadErrorKind::SparseFormat { found: excerpt(&format) };
            return Err(kind.at(Place::Array { name: "format" }));
        }
    };
    let (rows, columns) = archive.get("shape", |array| match array.flat()?.integers(size)?[..] {
        [rows, columns] => Ok((rows, columns)),
        ref sizes => {
            Err(ReadErrorKind::Shape { expected: "two dimensions", found: sizes.iter().map(|&n| n as u64).collect() })
        }
    })?;
    read(&mut archive, rows, columns)
}

fn read_csr<R: Read + Seek>(archive: &mut Archive<R>, rows: usize, columns: usize) -> Result<Design, Fault> {
    let pointers = archive.sizes("indptr")?;
    let indices = archive.get("indices", |array| array.flat()?.integers(|index| column(index, columns)))?;
    Ok(Design::from_csr(rows, columns, pointers, indices, archive.values()?)?)
}

fn read_csc<R: Read + Seek>(archive: &mut Archive<R>, rows: usize, columns: usize) -> Result<Design, Fault> {
    let pointers = archive.sizes("indptr")?;
    let (row, values) = (archive.sizes("indices")?, archive.values()?);
    let column = expand(&pointers, columns, values.len())?;
    from_coordinates(rows, columns, &row, &column, &values)
}

fn read_coo<R: Read + Seek>(archive: &mut Archive<R>, rows: usize, columns: usize) -> Result<Design, Fault> {
    let (row, column) = if archive.contains("coords") {
        archive.get("coords", |array| {
            let &[2, _] = array.shape() else { return Err(array.wrong_shape("two rows")) };
            let mut row = array.integers(size)?;
            let column = row.split_off(row.len() / 2);
            Ok((row, column))
        })?
    } else {
        (archive.sizes("row")?, archive.sizes("col")?)
    };
    from_coordinates(rows, columns, &row, &column, &archive.values()?)
}

fn from_coordinates(
    rows: usize,
    columns: usize,
    row: &[usize],
    column: &[usize],
    values: &[f64],
) -> Result<Design, Fault> {
    check_length("row indices", values.len(), row.len())?;
    check_length("column indices", values.len(), column.len())?;
    check_rows(rows, values.len())?;
    let triplets: Vec<_> = row.iter().zip(column).zip(values).map(|((&i, &j), &v)| (i, j, v)).collect();
    Ok(Design::from_triplets(rows, columns, &triplets)?)
}

/// The column of each entry, from where each of the `columns` begins.
fn expand(pointers: &[usize], columns: usize, entries: usize) -> Result<Vec<usize>, ReadErrorKind> {
    check_length("column pointers", columns.saturating_add(1), pointers.len())?;
    let wrong =
        |position: usize, expected| Err(ReadErrorKind::ColumnPointer { position, expected, found: pointers[position] });
    if pointers[0] != 0 {
        return wrong(0, "0");
    }
    let mut column = Vec::new();
    for j in 0..columns {
        match pointers[j + 1] {
            end if end < column.len() => return wrong(j + 1, "at least the one before"),
            end if end > entries => return wrong(j + 1, "at most the number of entries"),
            end => column.resize(end, j),
        }
    }
    if column.len() == entries { Ok(column) } else { wrong(columns, "the number of entries") }
}

fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), DesignError> {
    if expected == found { Ok(()) } else { Err(DesignError::Length { what, expected, found }) }
}

fn size(number: i64) -> Result<usize, ReadErrorKind> {
    usize::try_from(number).map_err(|_| ReadErrorKind::Negative { found: number })
}

fn column(index: i64, columns: usize) -> Result<u32, ReadErrorKind> {
    match u32::try_from(index) {
        Ok(column) if (column as usize) < columns => Ok(column),
        _ => Err(ReadErrorKind::Index { columns, base: 0, found: index.to_string() }),
    }
}

/// A zip archive of arrays.
struct Archive<R> {
    zip: ZipArchive<R>,
    /// Of all arrays together.
    limit: Limit,
    read: Count,
    size: Count,
}

impl<R: Read + Seek> Archive<R> {
    fn open(input: R, limit: Limit, size: u64) -> Result<Self, Fault> {
        let zip = ZipArchive::new(input).map_err(io::Error::from)?;
        Ok(Self { zip, limit, read: Count::default(), size: Rc::new(Cell::new(size)) })
    }

    fn contains(&self, name: &str) -> bool {
        self.zip.index_for_name(&file_name(name)).is_some()
    }

    /// The array `name`, through `read`.
    fn get<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Array<&mut dyn Read>) -> Result<T, ReadErrorKind>,
    ) -> Result<T, Fault> {
        let array = match self.zip.by_name(&file_name(name)) {
            Ok(file) => {
                let (read_bytes, size) = (Rc::clone(&self.read), Rc::clone(&self.size));
                let mut file = Limited::new(BufReader::new(file), self.limit, read_bytes, size);
                Array::open(&mut file as &mut dyn Read).and_then(read)
            }
            Err(ZipError::FileNotFound) => Err(ReadErrorKind::MissingArray),
            Err(error) => Err(io::Error::from(error).into()),
        };
        array.map_err(|kind| kind.at(Place::Array { name }))
    }

    fn sizes(&mut self, name: &'static str) -> Result<Vec<usize>, Fault> {
        self.get(name, |array| array.flat()?.integers(size))
    }

    fn values(&mut self) -> Result<Vec<f64>, Fault> {
        self.get("data", |array| array.flat()?.numbers())
    }
}

fn file_name(array: &str) -> String {
    format!("{array}.npy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_expand_to_columns() {
        assert_eq!(expand(&[0, 2, 2, 3], 3, 3).unwrap(), [0, 0, 2]);
        assert!(expand(&[0], 0, 0).unwrap().is_empty());
        for (pointers, wrong) in [([1, 2, 3], 0), ([0, 3, 2], 2), ([0, 4, 3], 1), ([0, 1, 2], 2)] {
            let error = expand(&pointers, 2, 3).unwrap_err();
            let ReadErrorKind::ColumnPointer { position, found, .. } = error else { panic!("{pointers:?}: {error}") };
            assert_eq!((position, found), (wrong, pointers[wrong]), "{pointers:?}");
        }
        assert!(matches!(expand(&[0, 3], 2, 3), Err(ReadErrorKind::Design(DesignError::Length { expected: 3, .. }))));
    }
}
