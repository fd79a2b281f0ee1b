//! D as an operator, its entries those stored or others in their places.

use super::Design;
use super::storage::{DenseRows, SparseRows, Storage};

/// The matrix that every pass reads: the pattern of a [`Design`] with its own values, or with values given for the moment,
/// by row and then by column.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    pub(super) design: &'a Design,
    values: &'a [f64],
}

/// A matrix by its storage.
#[derive(Clone, Copy, Debug)]
pub(super) enum AnyRows<'a> {
    Sparse(SparseRows<'a>),
    Dense(DenseRows<'a>),
}

/// Runs `$body` with `$rows` bound to the storage in use; a new storage is one line here.
macro_rules! with_rows {
    ($matrix:expr, $rows:ident => $body:expr) => {
        match $matrix.any_rows() {
            $crate::design::matrix::AnyRows::Sparse($rows) => $body,
            $crate::design::matrix::AnyRows::Dense($rows) => $body,
        }
    };
}
pub(super) use with_rows;

impl<'a> Matrix<'a> {
    pub(super) fn any_rows(self) -> AnyRows<'a> {
        let values = self.values;
        match &self.design.storage {
            Storage::Sparse(matrix) => AnyRows::Sparse(SparseRows {
                columns: matrix.cols(),
                // Compressed rows start at 0, and are kept so.
                pointers: matrix.indptr().into_raw_storage(),
                indices: matrix.indices(),
                values,
            }),
            &Storage::Dense { rows, columns, .. } => AnyRows::Dense(DenseRows { rows, columns, values }),
        }
    }

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
        self.values.len()
    }

    /// Where the work of a pass is cut: rows, first 0 and last n.
    pub(super) fn cuts(self) -> &'a [usize] {
        &self.design.cuts
    }
}

impl Design {
    /// D with its own values.
    #[must_use]
    pub fn matrix(&self) -> Matrix<'_> {
        Matrix { design: self, values: self.values() }
    }

    /// D with `values` in the places of its stored entries.
    ///
    /// # Panics
    ///
    /// If there is not one value for each stored entry.
    #[must_use]
    pub fn with_values<'a>(&'a self, values: &'a [f64]) -> Matrix<'a> {
        assert_eq!(values.len(), self.entries(), "one value for each stored entry");
        Matrix { design: self, values }
    }

    /// The stored values, by row and then by column, explicit zeros included; all entries of a dense design.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        match &self.storage {
            Storage::Sparse(matrix) => matrix.data(),
            Storage::Dense { values, .. } => values,
        }
    }
}
