//! D as an operator, its entries those stored or others in their places.

use super::storage::{Compressed, Rows, Storage, transposed};
use super::{Design, DesignError, check_columns};

/// The matrix that every pass reads: the pattern of a [`Design`] with its own values, or with values given for the moment,
/// by row and then by column.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    pub(super) design: &'a Design,
    /// Other values than its own.
    pub(super) values: Option<&'a [f64]>,
}

/// Runs `$body` with `$rows` bound to the rows of the storage in use.
macro_rules! with_rows {
    ($matrix:expr, $rows:ident => $body:expr) => {{
        let matrix: $crate::design::Matrix<'_> = $matrix;
        match (&matrix.design.storage, matrix.values) {
            ($crate::design::storage::Storage::Sparse(compressed), None) => {
                $crate::design::storage::with_compressed!(compressed, $rows => $body)
            }
            ($crate::design::storage::Storage::Sparse(compressed), Some(values)) => {
                $crate::design::storage::with_indices!(compressed, values, $rows => $body)
            }
            ($crate::design::storage::Storage::Dense { rows, columns, values }, others) => {
                let values = others.unwrap_or(values);
                let $rows = $crate::design::storage::DenseRows { rows: *rows, columns: *columns, values };
                $body
            }
        }
    }};
}
pub(super) use with_rows;

impl<'a> Matrix<'a> {
    /// Number of rows, n.
    #[must_use]
    pub fn rows(self) -> usize {
        self.design.rows()
    }

    /// Number of columns, m.
    #[must_use]
    pub fn columns(self) -> usize {
        self.design.columns()
    }

    /// Number of stored entries; all n m of a dense design.
    #[must_use]
    pub fn entries(self) -> usize {
        self.design.entries()
    }

    /// D^T as a design of its own.
    ///
    /// # Errors
    ///
    /// [`DesignError::TooManyColumns`] where D has more rows than an index can name.
    pub fn transposed(self) -> Result<Design, DesignError> {
        let (n, m) = (self.rows(), self.columns());
        check_columns(n)?;
        if self.is_dense() {
            let mut values = vec![0.0; n * m];
            with_rows!(self, rows => for row in 0..n {
                rows.each(row, |column, value| values[column * n + row] = value);
            });
            return Ok(Design::new(Storage::Dense { rows: m, columns: n, values }));
        }
        Ok(Design::new(Storage::Sparse(with_rows!(self, rows => transposed(rows)))))
    }

    /// Some columns of D as a design of their own, in the order of `columns`, which increase.
    ///
    /// # Panics
    ///
    /// If they do not increase, or one is not below m.
    #[must_use]
    pub fn columns_of(self, columns: &[usize]) -> Design {
        assert!(columns.is_sorted_by(|a, b| a < b), "columns increase");
        assert!(columns.last().is_none_or(|&last| last < self.columns()), "columns below m");
        let (n, k) = (self.rows(), columns.len());
        if let (Storage::Dense { columns: m, values, .. }, others) = (&self.design.storage, self.values) {
            let values = others.unwrap_or(values);
            let of_row = |row: usize| columns.iter().map(move |&j| values[row * m + j]);
            return Design::new(Storage::Dense { rows: n, columns: k, values: (0..n).flat_map(of_row).collect() });
        }
        let mut place = vec![u32::MAX; self.columns()];
        // There are no more columns than an index can name.
        columns.iter().enumerate().for_each(|(to, &from)| place[from] = to as u32);
        let (mut pointers, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
        with_rows!(self, rows => for row in 0..n {
            rows.each(row, |column, value| if place[column] != u32::MAX {
                indices.push(place[column]);
                values.push(value);
            });
            pointers.push(indices.len());
        });
        Design::new(Storage::Sparse(Compressed::new(k, pointers, indices, values)))
    }

    /// Whether D is stored without a pattern.
    #[must_use]
    pub fn is_dense(self) -> bool {
        self.design.is_dense()
    }

    /// The transpose, where it is stored and has these values.
    pub(super) fn transpose(self) -> Option<&'a Transpose> {
        if self.values.is_none() { self.design.transpose.as_ref() } else { None }
    }
}

/// The transpose of D, for sums down its columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Transpose {
    pub(super) columns: Compressed,
    /// Columns that cut the work, first 0 and last m.
    pub(super) cuts: Vec<usize>,
    /// Rows that cut the work of what comes before, which needs no accumulators.
    pub(super) row_cuts: Vec<usize>,
}

impl Design {
    /// D with its own values.
    #[must_use]
    pub fn matrix(&self) -> Matrix<'_> {
        Matrix { design: self, values: None }
    }

    /// D with `values` in the places of its stored entries.
    ///
    /// # Panics
    ///
    /// If there is not one value for each stored entry.
    #[must_use]
    pub fn with_values<'a>(&'a self, values: &'a [f64]) -> Matrix<'a> {
        assert_eq!(values.len(), self.entries(), "one value for each stored entry");
        Matrix { design: self, values: Some(values) }
    }

    /// The entries of a dense design, row by row; none of a sparse one.
    #[must_use]
    pub fn dense_values(&self) -> &[f64] {
        match &self.storage {
            Storage::Dense { values, .. } => values,
            Storage::Sparse(_) => &[],
        }
    }

    /// A copy of the stored values, by row and then by column, explicit zeros included; all entries of a dense design.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        match &self.storage {
            Storage::Sparse(compressed) => compressed.values(),
            Storage::Dense { values, .. } => values.clone(),
        }
    }
}
