//! How a pass goes over D, decided once, by the shape, the pattern and the kind of the values of D alone: never by the number of
//! threads, so that results have the same bits at any.
//!
//! The constants come from measurements on an EPYC of family 25 (2 cores, 1 MiB of second-level cache each), in nanoseconds an
//! entry of a gradient D^T f(D z) of logistic regression on two threads unless another pass is named; they are a matter of speed
//! alone.

use super::storage::{Compressed, Rows};

/// Rows that a [`Block`](super::Block) holds at the most.
pub const BLOCK_ROWS: usize = 128;
/// Rows of a block that is read as it comes: few enough that their entries are still in the first-level cache for the second
/// visit.
const UNSORTED_BLOCK_ROWS: usize = 32;
/// Entries of a block of dense rows, of which as many are in the first-level cache for the second visit; of fewer than
/// [`DENSE_ROWS_AT_ONCE`] rows no block is, as those are read together, unless they were too long for the second-level cache.
const DENSE_BLOCK_ENTRIES: usize = 2048;
const DENSE_BLOCK_ENTRIES_AT_MOST: usize = 32_768;
const DENSE_ROWS_AT_ONCE: usize = 4;
/// Entries a row up to which the rows of a block are read in the order of their lengths, if these vary: each length foretold
/// wrongly costs about twenty cycles, as much as some ten entries. At 12 entries a row on average (49,749 x 300, 579,586 entries)
/// D z took 0.27 instead of 0.62, a gradient 0.76 instead of 1.15; at 5 to 45 entries (60,000 x 2000) a gradient 0.78 instead of
/// 0.91. Rows of 80 and more entries lose more by the jumps in memory than they gain.
const SORTED_ENTRIES_PER_ROW: usize = 32;

/// Entries a column from which D^T w is gathered from a stored transpose, as far as [`GATHER_ENTRIES_PER_ROW`] allows: each column
/// costs a length foretold wrongly.
const GATHER_ENTRIES_PER_COLUMN: usize = 64;
/// Entries a row up to which D^T w is gathered where values are ones or rows vary in length: fused, rows this short wait for the
/// additions of those before them. Gathered instead of fused: 0.63 instead of 0.68 at 14 ones a row (32,561 x 123), 1.15 instead
/// of 1.63 at 12 varying (49,749 x 300), of f64 1.34 instead of 1.77; at 25 and more entries a row, or 14 in f64 all in rows of a
/// length, a second read of D costs more than it saves (0.60 instead of 0.55 at 25 ones, 0.68 instead of 0.53 at 50, 0.92 instead
/// of 0.82 at 14 in f64).
const GATHER_ENTRIES_PER_ROW: usize = 16;

/// Entries that are asked for ahead. On one thread D z took 1.02 without asking and 0.98, 0.90, 0.99, 1.04 asking 64, 256, 512,
/// 1024 ahead on 100,000 x 20,000 with 5,000,000 entries; on 61,089 x 351,949 with 5,383,730 entries, 1.34 without and 1.28, 1.07,
/// 1.10, 1.23.
pub(super) const AHEAD: usize = 256;

/// Pieces at the most; enough to feed 16 threads.
const MAX_PIECES: usize = 16;
/// Entries below which a piece is not worth a task.
const MIN_PIECE_ENTRIES: usize = 8192;
/// Entries of a piece per column: below it, clearing and adding the piece's own accumulator costs too much. At 15 entries a column
/// (61,089 x 351,949) a gradient took 1.22 in four pieces and 1.05 in two; at 20 (15,935 x 62,061) 0.84 in eight and 0.80 in four.
/// More than so many threads then wait.
const MIN_ENTRIES_PER_COLUMN: usize = 8;

/// Row boundaries of the pieces, first 0 and last n, for accumulators of length `columns`.
pub(super) fn cut<R: Rows>(rows: &R, columns: usize) -> Vec<usize> {
    let entries = rows.entries();
    let per_piece = MIN_PIECE_ENTRIES.max(MIN_ENTRIES_PER_COLUMN * columns);
    // A power of two, so that as many threads have as much to do.
    let pieces = entries.div_ceil(per_piece).clamp(1, MAX_PIECES).next_power_of_two();
    let mut cuts = vec![0];
    for piece in 1..pieces {
        let target = entries / pieces * piece;
        let (mut low, mut high) = (cuts[piece - 1], rows.rows());
        while low < high {
            let middle = low + (high - low) / 2;
            if rows.entries_before(middle) < target { low = middle + 1 } else { high = middle }
        }
        cuts.push(low);
    }
    cuts.push(rows.rows());
    cuts
}

/// Whether D^T is stored as well, and D^T w is summed column by column instead of row by row.
pub(super) fn gathers(design: &Compressed, order: &Order) -> bool {
    design.entries() >= GATHER_ENTRIES_PER_COLUMN * design.columns
        && design.entries() <= GATHER_ENTRIES_PER_ROW * design.rows()
        && (design.is_ones() || order.is_sorted())
}

/// The order in which the rows of a block are read for their dots.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    /// Rows of a whole block; blocks begin at multiples of it.
    block_rows: usize,
    /// Rows of the longest block there is.
    rows_at_most: usize,
    /// For each row of each whole block, which of them is read next, from the first; empty where they are read as they come.
    sorted: Vec<u8>,
}

impl Order {
    pub(super) fn of<R: Rows>(rows: &R) -> Self {
        let n = rows.rows();
        let len = |row: usize| rows.entries_before(row + 1) - rows.entries_before(row);
        let changes = (1..n).filter(|&row| len(row) != len(row - 1)).count();
        if rows.entries() > SORTED_ENTRIES_PER_ROW * n || 2 * changes < n {
            return Self::of_blocks(UNSORTED_BLOCK_ROWS, n, Vec::new());
        }
        let mut sorted: Vec<u8> = (0..n).map(|row| (row % BLOCK_ROWS) as u8).collect();
        for (block, sorted) in sorted.chunks_exact_mut(BLOCK_ROWS).enumerate() {
            sorted.sort_by_key(|&k| len(block * BLOCK_ROWS + usize::from(k)));
        }
        Self::of_blocks(BLOCK_ROWS, n, sorted)
    }

    /// That of dense rows of `columns` entries.
    pub(super) fn of_dense(rows: usize, columns: usize) -> Self {
        let columns = columns.max(1);
        let few = if DENSE_ROWS_AT_ONCE * columns <= DENSE_BLOCK_ENTRIES_AT_MOST { DENSE_ROWS_AT_ONCE } else { 1 };
        let block_rows = (DENSE_BLOCK_ENTRIES / columns).clamp(few, UNSORTED_BLOCK_ROWS);
        Self::of_blocks(block_rows - block_rows % few, rows, Vec::new())
    }

    fn of_blocks(block_rows: usize, rows: usize, sorted: Vec<u8>) -> Self {
        // At least 1: buffers are cut into parts of as many.
        Self { block_rows, rows_at_most: rows.clamp(1, block_rows), sorted }
    }

    pub(super) fn rows_at_most(&self) -> usize {
        self.rows_at_most
    }

    pub(super) fn bytes(&self) -> u64 {
        self.sorted.len() as u64
    }

    pub(super) fn is_sorted(&self) -> bool {
        !self.sorted.is_empty()
    }

    /// The end of the block that begins at `first`, before `end`.
    pub(super) fn block_end(&self, first: usize, end: usize) -> usize {
        end.min((first / self.block_rows + 1) * self.block_rows)
    }

    /// The rows of a block from its first, in the order to read them in; `None` to read them as they come, as in a part of a block.
    pub(super) fn of_block(&self, first: usize, rows: usize) -> Option<&[u8]> {
        if rows < self.block_rows { None } else { self.sorted.get(first..first + rows) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Design;

    /// `n` rows of `len(i)` ones each.
    fn ones(n: usize, m: usize, len: impl Fn(usize) -> usize) -> Design {
        let row = |i: usize| (0..len(i)).map(move |k| (i, (7 * i + k) % m, 1.0));
        Design::from_triplets(n, m, &(0..n).flat_map(row).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn blocks_of_short_rows_of_many_lengths_are_sorted() {
        let len = |i: usize| (i * 7919) % 17;
        let design = ones(300, 40, len);
        let (mut first, mut blocks) = (5, Vec::new());
        while first < 300 {
            let next = design.order.block_end(first, 300);
            blocks.push((first, next, design.order.of_block(first, next - first)));
            first = next;
        }
        let ends: Vec<_> = blocks.iter().map(|&(first, end, order)| (first, end, order.is_some())).collect();
        assert_eq!(ends, [(5, 128, false), (128, 256, true), (256, 300, false)]);
        let order: Vec<usize> = blocks[1].2.unwrap().iter().map(|&k| k.into()).collect();
        assert!(order.is_sorted_by_key(|&k| len(128 + k)));
        let mut rows = order;
        rows.sort_unstable();
        assert_eq!(rows, (0..128).collect::<Vec<_>>());
    }

    #[test]
    fn rows_of_a_length_and_long_rows_are_read_as_they_come() {
        for design in
            [ones(300, 40, |_| 9), ones(300, 90, |i| 30 + i % 50), Design::dense(300, 2, vec![1.0; 600]).unwrap()]
        {
            assert!(!design.order.is_sorted());
            assert_eq!((design.order.block_end(5, 300), design.order.block_end(290, 300)), (32, 300));
            assert_eq!(design.order.of_block(32, 32), None);
        }
    }
}
