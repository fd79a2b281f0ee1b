//! The design D, n rows by m columns: checked once at construction, owner of every pass over its entries.
//!
//! A [`Design`] is sparse (compressed rows, built on sprs) or dense (row by row); both storages implement one private
//! trait, `Rows`, through which [`Matrix::pass`] and everything else reads them. Values are finite; an index takes 1, 2 or 4 bytes,
//! a value 8, or 4 or none where nothing is lost by it ([`Design::rounded`] loses). Arithmetic is in f64. Where D itself is the parameter, its values come from x: [`Design::with_values`].

mod bounds;
mod fingerprint;
mod footprint;
mod gram;
mod kernel;
mod matrix;
mod pass;
mod plan;
mod rounding;
mod rows;
mod sparse_gram;
pub(crate) mod spectrum;
mod storage;

use sprs::{CsMatI, SpIndex};
use thiserror::Error;

pub use bounds::{UNDERFLOW, gamma};
pub use fingerprint::Fingerprint;
pub use footprint::Footprint;
pub use gram::blocks_len;
pub use matrix::Matrix;
use matrix::{Transpose, with_rows};
pub use pass::{Block, EntryOutput, Link, Pass};
pub use plan::BLOCK_ROWS;
use plan::Order;
pub use rounding::Rounding;
pub use sparse_gram::GramPattern;
use storage::{Compressed, DenseRows, Rows, Storage, with_compressed};

/// Why a matrix is not a design.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum DesignError {
    /// An array has the wrong length.
    #[error("{found} {what}, expected {expected}")]
    Length {
        /// Which array.
        what: &'static str,
        /// The length that the dimensions ask for.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// Row pointers do not start at 0, decrease, or run past the entries.
    #[error("row pointer {position} is {found}, expected {expected}")]
    RowPointer {
        /// Which pointer, from 0.
        position: usize,
        /// What was expected, in words.
        expected: &'static str,
        /// Its value.
        found: usize,
    },
    /// An entry lies outside the matrix.
    #[error("entry at row {row}, column {column} lies outside a {rows} x {columns} matrix (indices from 0)")]
    OutOfRange {
        /// Row of the entry, from 0.
        row: usize,
        /// Column of the entry, from 0.
        column: usize,
        /// Number of rows, n.
        rows: usize,
        /// Number of columns, m.
        columns: usize,
    },
    /// Two entries share a place.
    #[error("two entries at row {row}, column {column} (indices from 0)")]
    Duplicate {
        /// Row of both, from 0.
        row: usize,
        /// Column of both, from 0.
        column: usize,
    },
    /// An entry is NaN or infinite.
    #[error("entry at row {row}, column {column} (indices from 0) is {value}, expected a finite number")]
    NotFinite {
        /// Row of the entry, from 0.
        row: usize,
        /// Column of the entry, from 0.
        column: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// A value to be rounded to f32 is larger than any.
    #[error("entry at row {row}, column {column} (indices from 0) is {value:e}, beyond the range of f32")]
    BeyondF32 {
        /// Row of the entry, from 0.
        row: usize,
        /// Column of the entry, from 0.
        column: usize,
        /// Its value.
        value: f64,
    },
    /// More rows than pointers to them fit into memory.
    #[error("{rows} rows, more than fit into memory")]
    TooManyRows {
        /// Number of rows, n.
        rows: usize,
    },
    /// More columns than a 32-bit index can name.
    #[error("{columns} columns, expected at most {}", u32::MAX)]
    TooManyColumns {
        /// Number of columns, m.
        columns: usize,
    },
}

/// The matrix D, n x m, sparse or dense.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    storage: Storage,
    /// Row boundaries that cut the work; a function of the shape and pattern of D alone.
    cuts: Vec<usize>,
    order: Order,
    /// The transpose, where sums down the columns are faster by it.
    transpose: Option<Transpose>,
    /// The square of the norm of each row.
    row_squares: Vec<f64>,
}

impl Design {
    /// A sparse design of `rows` x `columns` from compressed rows. Entries within a row may come in any order; explicit
    /// zeros are kept.
    ///
    /// # Errors
    ///
    /// [`DesignError`] if the arrays disagree, an index is out of range, two entries share a place or a value is not
    /// finite.
    pub fn from_csr(
        rows: usize,
        columns: usize,
        pointers: Vec<usize>,
        indices: Vec<u32>,
        values: Vec<f64>,
    ) -> Result<Self, DesignError> {
        check_columns(columns)?;
        check_length("row pointers", rows.saturating_add(1), pointers.len())?;
        check_length("values", indices.len(), values.len())?;
        check_pointers(&pointers, indices.len())?;
        let mut sorted = true;
        for row in 0..rows {
            let entries = pointers[row]..pointers[row + 1];
            for (&column, &value) in indices[entries.clone()].iter().zip(&values[entries.clone()]) {
                let column = column as usize;
                if column >= columns {
                    return Err(DesignError::OutOfRange { row, column, rows, columns });
                }
                check_finite(row, column, value)?;
            }
            sorted &= indices[entries].is_sorted_by(|a, b| a < b);
        }
        let matrix = if sorted {
            CsMatI::try_new((rows, columns), pointers, indices, values)
        } else {
            CsMatI::new_from_unsorted((rows, columns), pointers, indices, values)
        };
        match matrix {
            Ok(matrix) => Self::from_sorted(matrix),
            // The structure was checked above: what sorting can still find is a repeated column.
            Err((pointers, indices, ..)) => Err(find_duplicate(&pointers, &indices)),
        }
    }

    /// A sparse design from an sprs matrix in either orientation.
    ///
    /// # Errors
    ///
    /// As [`Design::from_csr`].
    pub fn from_sprs<I: SpIndex, P: SpIndex>(matrix: CsMatI<f64, I, P>) -> Result<Self, DesignError> {
        let matrix = matrix.into_csr();
        let (rows, columns) = matrix.shape();
        check_columns(columns)?;
        let (pointers, indices, values) = matrix.into_raw_storage();
        let pointers = pointers.into_iter().map(SpIndex::index).collect();
        // Every index is below `columns`, which fits.
        let indices = indices.into_iter().map(|j| j.index() as u32).collect();
        Self::from_csr(rows, columns, pointers, indices, values)
    }

    /// A sparse design of `rows` x `columns` from (row, column, value) triplets in any order, indices from 0.
    ///
    /// # Errors
    ///
    /// As [`Design::from_csr`].
    pub fn from_triplets(rows: usize, columns: usize, triplets: &[(usize, usize, f64)]) -> Result<Self, DesignError> {
        check_columns(columns)?;
        let mut pointers = Vec::new();
        let len = rows.saturating_add(1);
        pointers.try_reserve_exact(len).map_err(|_| DesignError::TooManyRows { rows })?;
        pointers.resize(len, 0);
        for &(row, column, _) in triplets {
            if row >= rows || column >= columns {
                return Err(DesignError::OutOfRange { row, column, rows, columns });
            }
            pointers[row + 1] += 1;
        }
        for row in 0..rows {
            pointers[row + 1] += pointers[row];
        }
        let mut next = pointers.clone();
        let (mut indices, mut values) = (vec![0; triplets.len()], vec![0.0; triplets.len()]);
        for &(row, column, value) in triplets {
            indices[next[row]] = column as u32;
            values[next[row]] = value;
            next[row] += 1;
        }
        Self::from_csr(rows, columns, pointers, indices, values)
    }

    /// A dense design of `rows` x `columns`, `values` row by row.
    ///
    /// # Errors
    ///
    /// [`DesignError`] if there are not `rows * columns` values or one is not finite.
    pub fn dense(rows: usize, columns: usize, values: Vec<f64>) -> Result<Self, DesignError> {
        check_columns(columns)?;
        check_length("values", rows.saturating_mul(columns), values.len())?;
        if let Some(position) = values.iter().position(|v| !v.is_finite()) {
            check_finite(position / columns, position % columns, values[position])?;
        }
        Ok(Self::new(Storage::Dense { rows, columns, values }))
    }

    fn from_sorted(matrix: CsMatI<f64, u32, usize>) -> Result<Self, DesignError> {
        let columns = matrix.cols();
        for (row, entries) in matrix.outer_iterator().enumerate() {
            if let Some(pair) = entries.indices().windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(DesignError::Duplicate { row, column: pair[0] as usize });
            }
        }
        let (pointers, indices, values) = matrix.into_raw_storage();
        Ok(Self::new(Storage::Sparse(Compressed::new(columns, pointers, indices, values))))
    }

    fn new(storage: Storage) -> Self {
        let (cuts, order) = match &storage {
            Storage::Sparse(compressed) => {
                with_compressed!(compressed, rows => (plan::cut(&rows, compressed.columns), Order::of(&rows)))
            }
            Storage::Dense { rows, columns, values } => {
                let order = Order::of_dense(*rows, *columns);
                (plan::cut(&DenseRows { rows: *rows, columns: *columns, values }, *columns), order)
            }
        };
        let transpose = match &storage {
            Storage::Sparse(compressed)
                if u32::try_from(compressed.rows()).is_ok() && plan::gathers(compressed, &order) =>
            {
                let columns = with_compressed!(compressed, rows => storage::transposed(rows));
                Some(Transpose {
                    cuts: with_compressed!(columns, rows => plan::cut(&rows, 0)),
                    row_cuts: with_compressed!(compressed, rows => plan::cut(&rows, 0)),
                    columns,
                })
            }
            _ => None,
        };
        let mut design = Self { storage, cuts, order, transpose, row_squares: Vec::new() };
        let mut row_squares = vec![0.0; design.rows()];
        design.matrix().sum_squares(&[], &mut row_squares);
        design.row_squares = row_squares;
        design
    }

    /// ‖d_i‖² of each row, length n.
    #[must_use]
    pub fn row_squares(&self) -> &[f64] {
        &self.row_squares
    }

    /// Number of rows, n.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.storage {
            Storage::Sparse(compressed) => compressed.rows(),
            Storage::Dense { rows, .. } => *rows,
        }
    }

    /// Number of columns, m.
    #[must_use]
    pub fn columns(&self) -> usize {
        match &self.storage {
            Storage::Sparse(compressed) => compressed.columns,
            Storage::Dense { columns, .. } => *columns,
        }
    }

    /// Number of stored entries; all n m of a dense design.
    #[must_use]
    pub fn entries(&self) -> usize {
        match &self.storage {
            Storage::Sparse(compressed) => compressed.entries(),
            Storage::Dense { values, .. } => values.len(),
        }
    }

    /// Whether D is stored without a pattern.
    #[must_use]
    pub fn is_dense(&self) -> bool {
        matches!(self.storage, Storage::Dense { .. })
    }

    /// Calls `visit(row, column, value)` on each stored entry, row by row.
    pub fn for_each_entry(&self, mut visit: impl FnMut(usize, usize, f64)) {
        with_rows!(self.matrix(), rows => for row in 0..rows.rows() {
            rows.each(row, |column, value| visit(row, column, value));
        });
    }

    /// A bound on the rank of D: the rows, or the columns, that hold an entry other than 0, whichever are fewer.
    #[must_use]
    pub fn rank_bound(&self) -> usize {
        self.rank_bound_where(|value| value != 0.0)
    }

    /// [`Design::rank_bound`], with `counts` to say of a stored entry whether it may be other than 0.
    pub(crate) fn rank_bound_where(&self, counts: impl Fn(f64) -> bool) -> usize {
        let (mut rows, mut columns) = (vec![false; self.rows()], vec![false; self.columns()]);
        self.for_each_entry(|row, column, value| {
            rows[row] |= counts(value);
            columns[column] |= counts(value);
        });
        let count = |filled: Vec<bool>| filled.into_iter().filter(|&filled| filled).count();
        count(rows).min(count(columns))
    }
}

fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), DesignError> {
    if expected == found { Ok(()) } else { Err(DesignError::Length { what, expected, found }) }
}

fn check_columns(columns: usize) -> Result<(), DesignError> {
    if u32::try_from(columns).is_ok() { Ok(()) } else { Err(DesignError::TooManyColumns { columns }) }
}

fn check_finite(row: usize, column: usize, value: f64) -> Result<(), DesignError> {
    if value.is_finite() { Ok(()) } else { Err(DesignError::NotFinite { row, column, value }) }
}

fn check_pointers(pointers: &[usize], entries: usize) -> Result<(), DesignError> {
    let wrong = |position: usize, expected| DesignError::RowPointer { position, expected, found: pointers[position] };
    if pointers[0] != 0 {
        return Err(wrong(0, "0"));
    }
    if let Some(position) = (1..pointers.len()).find(|&i| pointers[i] < pointers[i - 1]) {
        return Err(wrong(position, "at least the one before"));
    }
    if pointers[pointers.len() - 1] != entries {
        return Err(wrong(pointers.len() - 1, "the number of entries"));
    }
    Ok(())
}

/// Names the first repeated place; only called where one exists.
fn find_duplicate(pointers: &[usize], indices: &[u32]) -> DesignError {
    for row in 0..pointers.len() - 1 {
        let mut columns = indices[pointers[row]..pointers[row + 1]].to_vec();
        columns.sort_unstable();
        if let Some(pair) = columns.windows(2).find(|pair| pair[0] == pair[1]) {
            return DesignError::Duplicate { row, column: pair[0] as usize };
        }
    }
    DesignError::RowPointer { position: 0, expected: "a valid structure", found: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsorted_rows_are_sorted_and_duplicates_refused() {
        let design = Design::from_csr(2, 3, vec![0, 2, 3], vec![2, 0, 1], vec![3.0, 1.0, 2.0]).unwrap();
        let mut seen = Vec::new();
        design.for_each_entry(|i, j, v| seen.push((i, j, v)));
        assert_eq!(seen, [(0, 0, 1.0), (0, 2, 3.0), (1, 1, 2.0)]);
        for indices in [vec![1, 1, 0], vec![0, 1, 0]] {
            let found = Design::from_csr(1, 3, vec![0, 3], indices.clone(), vec![1.0; 3]);
            let column = indices[1].min(indices[0]) as usize;
            assert_eq!(found, Err(DesignError::Duplicate { row: 0, column }), "{indices:?}");
        }
    }

    /// An index takes 1 byte up to 256 columns, 2 up to 65,536: none is cut short at the last column of each.
    #[test]
    fn the_last_column_is_kept_at_every_width_of_an_index() {
        for columns in [1, 255, 256, 257, 65_535, 65_536, 65_537] {
            let last = columns - 1;
            let design = Design::from_triplets(2, columns, &[(0, last, 2.0), (1, 0, 3.0)]).unwrap();
            let mut seen = Vec::new();
            design.for_each_entry(|i, j, v| seen.push((i, j, v)));
            assert_eq!(seen, [(0, last, 2.0), (1, 0, 3.0)], "{columns} columns");
            let mut v = vec![0.0; columns];
            (v[0], v[last]) = (10.0, 100.0);
            let (mut u, mut ctx) = ([f64::NAN; 2], crate::ctx::Ctx::new());
            design.matrix().apply(&v, &mut u, &mut ctx);
            assert_eq!(u, [200.0, 3.0 * v[0]], "{columns} columns");
            design.matrix().apply_transpose(&[1.0, 5.0], &mut v, &mut ctx);
            let (first, end) = if last == 0 { (17.0, 17.0) } else { (15.0, 2.0) };
            assert_eq!((v[0], v[last]), (first, end), "{columns} columns");
        }
    }

    #[test]
    fn bad_structure_is_named() {
        let csr = |pointers: Vec<usize>, indices: Vec<u32>, values: Vec<f64>| {
            Design::from_csr(2, 3, pointers, indices, values).unwrap_err()
        };
        assert!(matches!(csr(vec![0, 1], vec![0], vec![1.0]), DesignError::Length { expected: 3, found: 2, .. }));
        assert!(matches!(csr(vec![0, 1, 1], vec![0], vec![]), DesignError::Length { what: "values", .. }));
        assert!(matches!(csr(vec![1, 1, 1], vec![0], vec![1.0]), DesignError::RowPointer { position: 0, .. }));
        assert!(matches!(csr(vec![0, 2, 1], vec![0], vec![1.0]), DesignError::RowPointer { position: 2, .. }));
        assert!(matches!(
            csr(vec![0, 0, 2], vec![0], vec![1.0]),
            DesignError::RowPointer { position: 2, found: 2, .. }
        ));
        assert!(matches!(csr(vec![0, 0, 1], vec![3], vec![1.0]), DesignError::OutOfRange { row: 1, column: 3, .. }));
        assert!(matches!(
            csr(vec![0, 1, 1], vec![2], vec![f64::NAN]),
            DesignError::NotFinite { row: 0, column: 2, .. }
        ));
        assert!(matches!(
            Design::dense(2, 2, vec![0.0, 1.0, f64::INFINITY, 2.0]).unwrap_err(),
            DesignError::NotFinite { row: 1, column: 0, .. }
        ));
        assert!(Design::dense(usize::MAX, 2, vec![]).is_err());
    }

    #[test]
    fn csc_and_triplets_give_the_same_design() {
        let triplets = [(1, 0, 2.0), (0, 2, -1.0), (1, 1, 0.0)];
        let design = Design::from_triplets(2, 3, &triplets).unwrap();
        let csc = CsMatI::<f64, u64>::new_csc((2, 3), vec![0, 1, 2, 3], vec![1, 1, 0], vec![2.0, 0.0, -1.0]);
        assert_eq!(Design::from_sprs(csc).unwrap(), design);
        assert_eq!(design.entries(), 3);
    }

    #[test]
    fn rank_is_bounded_by_what_is_filled() {
        let bound =
            |rows, columns, triplets: &[_]| Design::from_triplets(rows, columns, triplets).unwrap().rank_bound();
        assert_eq!(bound(3, 3, &[(0, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0)]), 3);
        assert_eq!(bound(3, 3, &[(0, 0, 1.0), (1, 1, 1.0), (2, 2, 0.0)]), 2);
        assert_eq!(bound(2, 9, &[(0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0)]), 1);
        assert_eq!(bound(0, 4, &[]), 0);
    }

    #[test]
    fn zero_sizes_are_designs() {
        for (n, m) in [(0, 0), (0, 3), (3, 0)] {
            let design = Design::from_triplets(n, m, &[]).unwrap();
            assert_eq!((design.rows(), design.columns(), design.entries()), (n, m, 0));
            assert!(Design::dense(n, m, vec![]).is_ok());
        }
        for rows in [usize::MAX, usize::MAX / 16] {
            assert_eq!(Design::from_triplets(rows, 2, &[]), Err(DesignError::TooManyRows { rows }));
        }
    }
}
