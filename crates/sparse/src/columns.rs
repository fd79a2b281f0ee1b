//! D by columns: `c = D^T r` for all columns or some, and for one column `d_j . r` and `r += a d_j`.
//!
//! A solver that moves one coordinate after another reads a column at a time, where a [`Design`] lies by rows. Sums are in an order
//! that the shape and the pattern of D fix, so that results have the same bits at every number of threads and with every set of
//! vector instructions.

use std::sync::atomic::{AtomicU64, Ordering};

use danskin_core::design::{Design, DesignError};
use danskin_core::simd::{Loop, widest};
use rayon::prelude::*;

/// Lanes of a dense column that are summed apart: two of the widest vectors, whose additions wait for each other no longer than
/// the reads take.
const LANES: usize = 16;
/// Sums apart of a sparse column.
const SPARSE_LANES: usize = 4;
/// Stored entries that one task reads, at the least: fewer take less time than to wake a thread.
const ENTRIES_A_TASK: usize = 1 << 15;
/// Rows and columns of a tile of a dense transposition.
const TILE: usize = 32;

/// The matrix D, n x m, by columns.
#[derive(Clone, Debug)]
pub struct Columns {
    rows: usize,
    columns: usize,
    storage: Storage,
    /// What tells this D from others, for what is kept from one solve to the next.
    id: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Storage {
    /// All entries, column by column.
    Dense(Vec<f64>),
    /// Compressed columns, each by rising row.
    Sparse { pointers: Vec<usize>, indices: Vec<u32>, values: Vec<f64> },
}

/// One column of D.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column<'a> {
    Dense(&'a [f64]),
    Sparse(&'a [u32], &'a [f64]),
}

impl Columns {
    /// The columns of a design. A sparse one that is at least half full is taken as dense, which reads faster and takes no more
    /// memory.
    ///
    /// # Errors
    ///
    /// [`DesignError::TooManyRows`] where D has more rows than an index can name.
    pub fn new(design: &Design) -> Result<Self, DesignError> {
        let (n, m) = (design.rows(), design.columns());
        if u32::try_from(n).is_err() {
            return Err(DesignError::TooManyRows { rows: n });
        }
        let storage = if design.is_dense() {
            Storage::Dense(transposed(n, m, design.dense_values()))
        } else if design.entries() >= (n * m).div_ceil(2) {
            Storage::Dense(transposed(n, m, &by_rows(m, design)))
        } else {
            compressed(m, design)
        };
        Ok(Self { rows: n, columns: m, storage, id: new_id() })
    }

    /// D with `replacement(k)`, of length n, or nothing but 0 in the place of the k-th column of `list`.
    pub(crate) fn with(&self, list: &[u32], replacement: impl Fn(usize) -> Option<Vec<f64>>) -> Self {
        let n = self.rows;
        let storage = match &self.storage {
            Storage::Dense(values) => {
                let mut values = values.clone();
                for (k, &j) in list.iter().enumerate() {
                    let column = &mut values[j as usize * n..][..n];
                    match replacement(k) {
                        Some(other) => column.copy_from_slice(&other),
                        None => column.fill(0.0),
                    }
                }
                Storage::Dense(values)
            }
            Storage::Sparse { .. } => {
                let mut place = vec![None; self.columns];
                list.iter().enumerate().for_each(|(k, &j)| place[j as usize] = Some(k));
                let (mut pointers, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
                for (j, place) in place.into_iter().enumerate() {
                    if let Some(k) = place {
                        let other = replacement(k).unwrap_or_default();
                        let entries = other.iter().enumerate().filter(|(_, value)| **value != 0.0);
                        entries.for_each(|(i, value)| {
                            indices.push(i as u32);
                            values.push(*value);
                        });
                    } else if let Column::Sparse(rows, numbers) = self.column(j) {
                        indices.extend_from_slice(rows);
                        values.extend_from_slice(numbers);
                    }
                    pointers.push(indices.len());
                }
                Storage::Sparse { pointers, indices, values }
            }
        };
        Self { rows: n, columns: self.columns, storage, id: new_id() }
    }

    /// Number of rows, n.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns, m.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Whether all entries are stored.
    #[must_use]
    pub fn is_dense(&self) -> bool {
        matches!(self.storage, Storage::Dense(_))
    }

    /// Number of stored entries of column j.
    ///
    /// # Panics
    ///
    /// If j is not below m.
    #[must_use]
    pub fn entries_of(&self, j: usize) -> usize {
        match self.column(j) {
            Column::Dense(column) => column.len(),
            Column::Sparse(indices, _) => indices.len(),
        }
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    #[inline(always)]
    pub(crate) fn column(&self, j: usize) -> Column<'_> {
        match &self.storage {
            Storage::Dense(values) => Column::Dense(&values[j * self.rows..][..self.rows]),
            Storage::Sparse { pointers, indices, values } => {
                let entries = pointers[j]..pointers[j + 1];
                Column::Sparse(&indices[entries.clone()], &values[entries])
            }
        }
    }

    /// `d_j . r`, r of length n.
    ///
    /// # Panics
    ///
    /// If j is not below m, or r is not of length n.
    #[must_use]
    pub fn dot(&self, j: usize, r: &[f64]) -> f64 {
        assert_eq!(r.len(), self.rows, "one number for each row");
        let mut out = [0.0];
        widest(Some { columns: self, list: &[j as u32], r, out: &mut out });
        out[0]
    }

    /// `r += a d_j`, r of length n.
    ///
    /// # Panics
    ///
    /// As [`Columns::dot`].
    pub fn axpy(&self, j: usize, a: f64, r: &mut [f64]) {
        assert_eq!(r.len(), self.rows, "one number for each row");
        self.column(j).axpy(a, &[], r);
    }

    /// `out = D^T r`, length m.
    ///
    /// # Panics
    ///
    /// If r is not of length n, or `out` not of length m.
    pub fn correlations(&self, r: &[f64], out: &mut [f64]) {
        let all: Vec<u32> = (0..self.columns as u32).collect();
        self.correlations_of(&all, r, out);
    }

    /// `out_k = d_j . r` for the k-th column j of `list`, each with the bits of [`Columns::dot`].
    ///
    /// # Panics
    ///
    /// If a column is not below m, r not of length n, or `out` not as long as `list`.
    pub fn correlations_of(&self, list: &[u32], r: &[f64], out: &mut [f64]) {
        assert_eq!(r.len(), self.rows, "one number for each row");
        self.in_tasks(list, out, |list, out| widest(Some { columns: self, list, r, out }));
    }

    /// `out_k = sum_i w_i d_ij²` for the k-th column j of `list`; w empty for ones.
    ///
    /// # Panics
    ///
    /// If a column is not below m, w neither empty nor of length n, or `out` not as long as `list`.
    pub fn squares_of(&self, list: &[u32], weights: &[f64], out: &mut [f64]) {
        assert!(weights.is_empty() || weights.len() == self.rows, "one weight for each row");
        self.in_tasks(list, out, |list, out| widest(Squares { columns: self, list, weights, out }));
    }

    /// Runs `task` on pieces of `list` and `out`, side by side where there is enough to do. What a column gives does not depend
    /// on its piece.
    fn in_tasks(&self, list: &[u32], out: &mut [f64], task: impl Fn(&[u32], &mut [f64]) + Sync) {
        assert_eq!(out.len(), list.len(), "one number for each column of the list");
        let (entries, parts) = match &self.storage {
            Storage::Dense(values) => (self.rows * list.len(), values.len()),
            // Some columns have many times the entries of others: smaller pieces are shared out better.
            Storage::Sparse { values, .. } => {
                (list.iter().map(|&j| self.entries_of(j as usize)).sum(), 16 * (values.len() + 4 * self.columns))
            }
        };
        if entries <= ENTRIES_A_TASK {
            return task(list, out);
        }
        let a_task = (ENTRIES_A_TASK / (parts / self.columns.max(1)).max(1)).max(1);
        list.par_chunks(a_task).zip(out.par_chunks_mut(a_task)).for_each(|(list, out)| task(list, out));
    }
}

/// A number that no other D has.
fn new_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// All entries of a sparse D of m columns, row by row.
fn by_rows(m: usize, design: &Design) -> Vec<f64> {
    let mut values = vec![0.0; design.rows() * m];
    let matrix = design.matrix();
    values.par_chunks_mut(TILE * m.max(1)).enumerate().for_each(|(tile, rows)| {
        for (i, row) in rows.chunks_exact_mut(m).enumerate() {
            matrix.each_of_row(tile * TILE + i, |j, value| row[j] = value);
        }
    });
    values
}

/// The entries of a D, n x m, column by column, from those row by row.
fn transposed(n: usize, m: usize, by_rows: &[f64]) -> Vec<f64> {
    let mut values = vec![0.0; n * m];
    if n == 0 {
        return values;
    }
    values.par_chunks_mut(TILE * n).enumerate().for_each(|(tile, out)| {
        let first = tile * TILE;
        for rows in (0..n).step_by(TILE) {
            for (j, column) in out.chunks_exact_mut(n).enumerate() {
                let rows = rows..(rows + TILE).min(n);
                for (i, value) in rows.clone().zip(&mut column[rows]) {
                    *value = by_rows[i * m + first + j];
                }
            }
        }
    });
    values
}

/// Compressed columns of a sparse D of m columns. Each thread takes a range of columns with as many entries as any other, reads all rows, and keeps what is in its range.
fn compressed(m: usize, design: &Design) -> Storage {
    let parts = if design.entries() < ENTRIES_A_TASK { 1 } else { rayon::current_num_threads() };
    let (matrix, rows) = (design.matrix(), design.rows());
    let count = |part: usize| {
        let mut counts = vec![0_usize; m];
        (part * rows / parts..(part + 1) * rows / parts).for_each(|i| matrix.each_of_row(i, |j, _| counts[j] += 1));
        counts
    };
    let add = |mut a: Vec<usize>, b: Vec<usize>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let mut pointers = vec![0];
    pointers.extend((0..parts).into_par_iter().map(count).reduce(|| vec![0; m], add));
    (0..m).for_each(|j| pointers[j + 1] += pointers[j]);
    let entries = pointers[m];
    let (mut indices, mut values) = (vec![0; entries], vec![0.0; entries]);
    let mut tasks = Vec::with_capacity(parts);
    let (mut indices_left, mut values_left, mut first) = (&mut indices[..], &mut values[..], 0);
    for part in 1..=parts {
        let end = pointers.partition_point(|&before| before < part * entries / parts).clamp(first, m);
        let end = if part == parts { m } else { end };
        let len = pointers[end] - pointers[first];
        let (indices, values);
        (indices, indices_left) = indices_left.split_at_mut(len);
        (values, values_left) = values_left.split_at_mut(len);
        tasks.push((first, &pointers[first..=end], indices, values));
        first = end;
    }
    tasks.into_par_iter().for_each(|(first, pointers, indices, values)| {
        let columns = pointers.len() - 1;
        let mut next: Vec<usize> = pointers[..columns].iter().map(|pointer| pointer - pointers[0]).collect();
        design.for_each_entry(|i, j, value| {
            let j = j.wrapping_sub(first);
            if j < columns {
                let at = next[j];
                indices[at] = i as u32;
                values[at] = value;
                next[j] = at + 1;
            }
        });
    });
    Storage::Sparse { pointers, indices, values }
}

impl Column<'_> {
    /// `d . r`.
    #[inline(always)]
    pub(crate) fn dot(self, r: &[f64]) -> f64 {
        match self {
            Self::Dense(column) => dense_dot(column, r),
            Self::Sparse(indices, values) => sparse_sum(indices, values, |i, value| value * r[i]),
        }
    }

    /// `r_i += a w_i d_i`, w empty for ones.
    #[inline(always)]
    pub(crate) fn axpy(self, a: f64, weights: &[f64], r: &mut [f64]) {
        match (self, weights.is_empty()) {
            (Self::Dense(column), true) => r.iter_mut().zip(column).for_each(|(r, d)| *r += a * d),
            (Self::Dense(column), false) => {
                r.iter_mut().zip(column).zip(weights).for_each(|((r, d), w)| *r += a * (w * d));
            }
            (Self::Sparse(indices, values), true) => {
                indices.iter().zip(values).for_each(|(&i, d)| r[i as usize] += a * d);
            }
            (Self::Sparse(indices, values), false) => {
                indices.iter().zip(values).for_each(|(&i, d)| r[i as usize] += a * (weights[i as usize] * d));
            }
        }
    }

    /// `visit(i, d_i)` on its stored entries.
    pub(crate) fn each(self, mut visit: impl FnMut(usize, f64)) {
        match self {
            Self::Dense(column) => column.iter().enumerate().for_each(|(i, d)| visit(i, *d)),
            Self::Sparse(indices, values) => indices.iter().zip(values).for_each(|(&i, d)| visit(i as usize, *d)),
        }
    }

    /// What reading it takes, in numbers of a dense column.
    #[inline(always)]
    pub(crate) fn reads(self) -> f64 {
        match self {
            Self::Dense(column) => column.len() as f64,
            Self::Sparse(indices, _) => 4.0 * indices.len() as f64,
        }
    }

    /// `sum_i w_i d_i²`, w empty for ones.
    #[inline(always)]
    fn square(self, weights: &[f64]) -> f64 {
        match (self, weights.is_empty()) {
            (Self::Dense(column), true) => dense_dot(column, column),
            (Self::Dense(column), false) => column.iter().zip(weights).fold(0.0, |sum, (d, w)| sum + w * d * d),
            (Self::Sparse(indices, values), true) => sparse_sum(indices, values, |_, value| value * value),
            (Self::Sparse(indices, values), false) => {
                sparse_sum(indices, values, |i, value| weights[i] * value * value)
            }
        }
    }
}

#[inline(always)]
fn sparse_sum(indices: &[u32], values: &[f64], term: impl Fn(usize, f64) -> f64) -> f64 {
    let (index_lanes, index_rest) = indices.as_chunks::<SPARSE_LANES>();
    let (value_lanes, value_rest) = values.as_chunks::<SPARSE_LANES>();
    let mut lanes = [0.0; SPARSE_LANES];
    for (indices, values) in index_lanes.iter().zip(value_lanes) {
        for k in 0..SPARSE_LANES {
            lanes[k] += term(indices[k] as usize, values[k]);
        }
    }
    let rest = index_rest.iter().zip(value_rest).fold(0.0, |sum, (&i, &value)| sum + term(i as usize, value));
    ((lanes[0] + lanes[2]) + (lanes[1] + lanes[3])) + rest
}

/// `a . b`, b at least as long as a.
#[inline(always)]
fn dense_dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b[..a.len()].as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for k in 0..LANES {
            lanes[k] += a[k] * b[k];
        }
    }
    let rest = a_rest.iter().zip(b_rest).fold(0.0, |sum, (a, b)| sum + a * b);
    lanes.iter().fold(0.0, |sum, lane| sum + lane) + rest
}

/// `out_k = d_j . r` for the columns of a list.
struct Some<'a> {
    columns: &'a Columns,
    list: &'a [u32],
    r: &'a [f64],
    out: &'a mut [f64],
}

impl Loop for Some<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { columns, list, r, out } = self;
        for (&j, out) in list.iter().zip(out) {
            *out = columns.column(j as usize).dot(r);
        }
    }
}

/// `out_k = sum_i w_i d_ij²` for the columns of a list.
struct Squares<'a> {
    columns: &'a Columns,
    list: &'a [u32],
    weights: &'a [f64],
    out: &'a mut [f64],
}

impl Loop for Squares<'_> {
    #[inline(always)]
    fn run(self) {
        for (&j, out) in self.list.iter().zip(self.out) {
            *out = self.columns.column(j as usize).square(self.weights);
        }
    }
}

#[cfg(test)]
mod tests {
    use danskin_core::testing::random;

    use super::*;

    /// Sizes about those of lanes, blocks and tiles.
    #[test]
    fn products_are_those_of_the_entries() {
        for (n, m) in [(1, 1), (15, 3), (16, 4), (33, 9), (70, 131), (700, 90)] {
            let sparse = random::design(n, m, m.div_ceil(4), 3);
            let mut by_rows = vec![0.0; n * m];
            sparse.for_each_entry(|i, j, value| by_rows[i * m + j] = value);
            let dense = Design::dense(n, m, by_rows.clone()).unwrap();
            let (r, weights) = (random::vector(n, 4), random::vector(n, 5));
            for design in [&sparse, &dense] {
                let columns = Columns::new(design).unwrap();
                let all: Vec<u32> = (0..m as u32).collect();
                let (mut c, mut squares) = (vec![0.0; m], vec![0.0; m]);
                columns.correlations(&r, &mut c);
                columns.squares_of(&all, &weights, &mut squares);
                for j in 0..m {
                    let column: Vec<f64> = (0..n).map(|i| by_rows[i * m + j]).collect();
                    let expected: f64 = column.iter().zip(&r).map(|(d, r)| d * r).sum();
                    // n products of numbers of about 1.
                    assert!((c[j] - expected).abs() < 1e-15 * (n as f64 + 4.0), "{n} {m} {j}");
                    assert_eq!(columns.dot(j, &r).to_bits(), c[j].to_bits());
                    let expected: f64 = column.iter().zip(&weights).map(|(d, w)| w * d * d).sum();
                    assert!((squares[j] - expected).abs() < 1e-15 * (n as f64 + 4.0), "{n} {m} {j}");
                    let mut moved = r.clone();
                    columns.axpy(j, 2.0, &mut moved);
                    assert!(moved.iter().zip(r.iter().zip(&column)).all(|(v, (r, d))| *v == r + 2.0 * d));
                }
            }
        }
    }

    #[test]
    fn columns_are_those_of_the_entries_however_they_are_laid_out() {
        for (n, m) in [(1, 1), (50, 64), (40, 65), (300, 1000), (7, 40_000), (3000, 900)] {
            let design = random::design(n, m, m.min(30), 9);
            let mut expected = vec![Vec::new(); m];
            design.for_each_entry(|i, j, value| expected[j].push((i as u32, value)));
            let check = |storage: Storage| {
                let columns = Columns { rows: n, columns: m, storage, id: 0 };
                for (j, expected) in expected.iter().enumerate() {
                    let mut found = Vec::new();
                    columns.column(j).each(|i, d| found.push((i as u32, d)));
                    assert_eq!(&found, expected, "{n} {m} {j}");
                }
            };
            for threads in [1, 3, 8] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                check(pool.install(|| compressed(m, &design)));
            }
            let dense = transposed(n, m, &by_rows(m, &design));
            let mut found = vec![0.0; n * m];
            design.for_each_entry(|i, j, value| found[j * n + i] = value);
            assert_eq!(dense, found);
        }
    }

    #[test]
    fn a_list_gives_the_bits_of_all() {
        let design = Design::dense(300, 1200, random::vector(300 * 1200, 1)).unwrap();
        let columns = Columns::new(&design).unwrap();
        let (r, mut all) = (random::vector(300, 2), vec![0.0; 1200]);
        columns.correlations(&r, &mut all);
        let list: Vec<u32> = (0..1200).filter(|j| j % 3 != 1).collect();
        let mut some = vec![0.0; list.len()];
        columns.correlations_of(&list, &r, &mut some);
        assert!(list.iter().zip(&some).all(|(&j, c)| c.to_bits() == all[j as usize].to_bits()));
    }
}
