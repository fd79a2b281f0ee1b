//! How many bytes of D a pass brings from memory: those of its rows, and of D^T where that is stored and sums down the columns are
//! asked for.

use super::Matrix;
use super::storage::{Compressed, Indices, Narrowed, Storage};

/// How the entries of D lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes of the index of an entry, 0 of a dense design.
    pub index_bytes: usize,
    /// Bytes of the value of an entry, 0 where each is 1.
    pub value_bytes: usize,
    /// Bytes of all rows: indices, values, where each row begins, and in which order they are read.
    pub row_bytes: u64,
    /// The same of D^T; `None` where it is not stored.
    pub transpose_bytes: Option<u64>,
}

impl Footprint {
    /// Bytes of D that a pass reads: `with_sums` one that computes D^T w, else D v alone.
    #[must_use]
    pub fn bytes_read(self, with_sums: bool) -> u64 {
        self.row_bytes + self.transpose_bytes.filter(|_| with_sums).unwrap_or(0)
    }
}

impl Matrix<'_> {
    /// How its entries lie in memory.
    #[must_use]
    pub fn footprint(self) -> Footprint {
        let (index_bytes, own_bytes) = match &self.design.storage {
            Storage::Sparse(compressed) => compressed.entry_bytes(),
            Storage::Dense { .. } => (0, size_of::<f64>()),
        };
        let value_bytes = if self.values.is_some() { size_of::<f64>() } else { own_bytes };
        let row_bytes = match &self.design.storage {
            Storage::Sparse(compressed) => compressed.bytes(index_bytes + value_bytes) + self.design.order.bytes(),
            Storage::Dense { values, .. } => (values.len() * value_bytes) as u64,
        };
        let transpose_bytes = self.transpose().map(|transpose| {
            let (index_bytes, value_bytes) = transpose.columns.entry_bytes();
            transpose.columns.bytes(index_bytes + value_bytes)
        });
        Footprint { index_bytes, value_bytes, row_bytes, transpose_bytes }
    }
}

impl Compressed {
    /// Bytes of an index and of a value.
    fn entry_bytes(&self) -> (usize, usize) {
        let index = match self.indices {
            Indices::U8(_) => size_of::<u8>(),
            Indices::U16(_) => size_of::<u16>(),
            Indices::U32(_) => size_of::<u32>(),
        };
        let value = match self.values {
            Narrowed::Ones(_) => 0,
            Narrowed::F32(_) => size_of::<f32>(),
            Narrowed::F64(_) => size_of::<f64>(),
        };
        (index, value)
    }

    /// Bytes of its entries, each taking `entry_bytes`, and of its pointers.
    fn bytes(&self, entry_bytes: usize) -> u64 {
        (self.entries() * entry_bytes + size_of_val(&self.pointers[..])) as u64
    }
}

#[cfg(test)]
mod tests {
    use crate::design::Design;

    #[test]
    fn bytes_are_those_of_the_storage() {
        // 200 entries on 3 columns, 2 a row: D^T is stored where all are 1, its indices those of 100 rows.
        let design = |value: f64| {
            let triplets: Vec<_> = (0..200).map(|k| (k / 2, k % 2, value)).collect();
            Design::from_triplets(100, 3, &triplets).unwrap()
        };
        for (value, value_bytes, is_transposed) in [(1.0, 0, true), (0.5, 4, false), (0.1, 8, false)] {
            let (design, others) = (design(value), vec![0.5; 200]);
            let found = design.matrix().footprint();
            assert_eq!((found.index_bytes, found.value_bytes), (1, value_bytes));
            let rows = 8 * 101 + 200 * (1 + value_bytes as u64);
            let columns = 8 * 4 + 200 * (1 + value_bytes as u64);
            assert_eq!(found.bytes_read(false), rows);
            assert_eq!(found.bytes_read(true), rows + if is_transposed { columns } else { 0 });
            let moved = design.with_values(&others).footprint();
            assert_eq!((moved.value_bytes, moved.transpose_bytes, moved.row_bytes), (8, None, 8 * 101 + 200 * 9));
        }
        let dense = Design::dense(5, 4, vec![1.0; 20]).unwrap().matrix().footprint();
        assert_eq!((dense.index_bytes, dense.bytes_read(true)), (0, 160));
    }
}
