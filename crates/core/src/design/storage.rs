//! How D lies in memory, seen row by row.

use std::ops::Range;

use super::kernel::{self, Index, Values};
use super::plan::AHEAD;
use crate::simd::{Loop, widest};
use crate::vector::{self, LANES};

/// One storage of D. Everything else reads D through these. Vectors of width k hold k numbers a column, one after another.
pub(super) trait Rows: Copy + Sync {
    fn rows(&self) -> usize;
    fn columns(&self) -> usize;
    fn entries(&self) -> usize;
    /// Stored entries of the rows before `row`, for `row` in `0..=n`.
    fn entries_before(&self, row: usize) -> usize;
    /// `d_row . v`.
    fn dot(&self, row: usize, v: &[f64]) -> f64;
    /// `d_row . v` and `d_row . w`, each with the bits of [`Rows::dot`]; `pairs` are v_j and w_j side by side, so that
    /// one access brings both, and empty for dense rows.
    #[inline]
    fn dot2(&self, row: usize, v: &[f64], w: &[f64], _pairs: &[[f64; 2]]) -> [f64; 2] {
        [self.dot(row, v), self.dot(row, w)]
    }
    /// Asks for the entries some rows after this one, at its first visit.
    fn look_ahead(&self, _row: usize) {}
    /// `out += a d_row`.
    fn axpy(&self, row: usize, a: f64, out: &mut [f64]);
    /// The products of the rows from `first` on with v into `dots`, each with the bits of [`Rows::dot`]; or `false`, where rows are better read one by one.
    #[inline]
    fn dots_at_once(&self, _first: usize, _v: &[f64], _dots: &mut [f64]) -> bool {
        false
    }
    /// [`Rows::axpy`] of the rows from `first` on, one after another; or `false`, where they are better read one by one.
    #[inline]
    fn axpys_at_once(&self, _first: usize, _weights: &[f64], _out: &mut [f64]) -> bool {
        false
    }
    /// Adds the lower triangle of `sum_row weights_row d_row d_row^T`, over `rows`, to those `columns` of an m x m matrix that
    /// `out` holds.
    fn add_gram(&self, rows: Range<usize>, weights: &[f64], columns: Range<usize>, out: &mut [f64]);
    /// Calls `visit(column, value)` on each stored entry of the row.
    fn each(&self, row: usize, visit: impl FnMut(usize, f64));

    /// `dots = d_row V` for V of the width of `dots`.
    #[inline]
    fn dot_wide(&self, row: usize, v: &[f64], dots: &mut [f64]) {
        let width = dots.len();
        for_each_lane(width, |lane| match lane {
            Lane::Eight(first) => dot_lane::<8>(self, row, v, width, first, dots),
            Lane::Four(first) => dot_lane::<4>(self, row, v, width, first, dots),
            Lane::One(first) => dot_lane::<1>(self, row, v, width, first, dots),
        });
    }

    /// `out += d_row^T weights` for out of the width of `weights`.
    #[inline]
    fn axpy_wide(&self, row: usize, weights: &[f64], out: &mut [f64]) {
        let width = weights.len();
        for_each_lane(width, |lane| match lane {
            Lane::Eight(first) => axpy_lane::<8>(self, row, weights, width, first, out),
            Lane::Four(first) => axpy_lane::<4>(self, row, weights, width, first, out),
            Lane::One(first) => axpy_lane::<1>(self, row, weights, width, first, out),
        });
    }

    /// `out_k += weights . factor_j` at the stored entries k = (row, j), `out` holding those of the row.
    fn add_outer(&self, row: usize, weights: &[f64], factor: &[f64], out: &mut [f64]) {
        let (width, mut k) = (weights.len(), 0);
        self.each(row, |column, _| {
            let factor = &factor[column * width..][..width];
            out[k] += weights.iter().zip(factor).fold(0.0, |sum, (a, f)| sum + a * f);
            k += 1;
        });
    }
}

/// Columns of a wide vector that are taken together, from the first of them on: as many as fit into registers.
enum Lane {
    Eight(usize),
    Four(usize),
    One(usize),
}

/// The lanes of `width` columns.
#[inline]
fn for_each_lane(width: usize, mut each: impl FnMut(Lane)) {
    let mut first = 0;
    while first < width {
        let (lane, len) = match width - first {
            8.. => (Lane::Eight(first), 8),
            4..8 => (Lane::Four(first), 4),
            _ => (Lane::One(first), 1),
        };
        each(lane);
        first += len;
    }
}

#[inline]
fn dot_lane<const K: usize>(rows: &impl Rows, row: usize, v: &[f64], width: usize, first: usize, dots: &mut [f64]) {
    let mut sums = [0.0; K];
    rows.each(row, |column, d| {
        let v = &v[column * width + first..][..K];
        sums.iter_mut().zip(v).for_each(|(sum, v)| *sum += d * v);
    });
    dots[first..][..K].copy_from_slice(&sums);
}

#[inline]
fn axpy_lane<const K: usize>(
    rows: &impl Rows,
    row: usize,
    weights: &[f64],
    width: usize,
    first: usize,
    out: &mut [f64],
) {
    let mut lane = [0.0; K];
    lane.copy_from_slice(&weights[first..][..K]);
    rows.each(row, |column, d| {
        let out = &mut out[column * width + first..][..K];
        out.iter_mut().zip(&lane).for_each(|(out, weight)| *out += d * weight);
    });
}

/// How a design lies in memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Storage {
    /// Compressed rows.
    Sparse(Compressed),
    /// All entries, row by row.
    Dense { rows: usize, columns: usize, values: Vec<f64> },
}

/// Compressed rows: indices in the narrowest type that names every column, values in the narrowest that loses nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Compressed {
    pub(super) columns: usize,
    pub(super) pointers: Vec<usize>,
    pub(super) indices: Indices,
    pub(super) values: Narrowed,
}

/// Column indices.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Indices {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

/// Values without loss.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Narrowed {
    /// So many, each of them 1.
    Ones(usize),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Indices {
    /// # Panics
    ///
    /// If an index is not below `columns`: the inner loops rely on it.
    fn new(columns: usize, indices: Vec<u32>) -> Self {
        assert!(indices.iter().all(|&index| (index as usize) < columns), "every index names a column");
        if columns <= 1 << 8 {
            Self::U8(indices.into_iter().map(|index| index as u8).collect())
        } else if columns <= 1 << 16 {
            Self::U16(indices.into_iter().map(|index| index as u16).collect())
        } else {
            Self::U32(indices)
        }
    }
}

impl Narrowed {
    fn new(values: Vec<f64>) -> Self {
        if values.iter().all(|&value| value == 1.0) {
            Self::Ones(values.len())
        } else if values.iter().all(|&value| f64::from(value as f32).to_bits() == value.to_bits()) {
            Self::F32(values.into_iter().map(|value| value as f32).collect())
        } else {
            Self::F64(values)
        }
    }
}

/// Runs `$body` with `$rows` bound to compressed rows with their own values, each in its type.
macro_rules! with_compressed {
    ($compressed:expr, $rows:ident => $body:expr) => {
        match &$compressed.values {
            $crate::design::storage::Narrowed::Ones(len) => {
                $crate::design::storage::with_indices!(
                    $compressed, $crate::design::kernel::Ones(*len), $rows => $body)
            }
            $crate::design::storage::Narrowed::F32(values) => {
                $crate::design::storage::with_indices!($compressed, &values[..], $rows => $body)
            }
            $crate::design::storage::Narrowed::F64(values) => {
                $crate::design::storage::with_indices!($compressed, &values[..], $rows => $body)
            }
        }
    };
}
pub(super) use with_compressed;

/// Runs `$body` with `$rows` bound to compressed rows with `$values`, the indices in their type.
macro_rules! with_indices {
    ($compressed:expr, $values:expr, $rows:ident => $body:expr) => {
        match &$compressed.indices {
            $crate::design::storage::Indices::U8(indices) => {
                let $rows = $compressed.rows_of(&indices[..], $values);
                $body
            }
            $crate::design::storage::Indices::U16(indices) => {
                let $rows = $compressed.rows_of(&indices[..], $values);
                $body
            }
            $crate::design::storage::Indices::U32(indices) => {
                let $rows = $compressed.rows_of(&indices[..], $values);
                $body
            }
        }
    };
}
pub(super) use with_indices;

impl Compressed {
    /// Rows of sorted indices below `columns`.
    pub(super) fn new(columns: usize, pointers: Vec<usize>, indices: Vec<u32>, values: Vec<f64>) -> Self {
        Self { columns, pointers, indices: Indices::new(columns, indices), values: Narrowed::new(values) }
    }

    /// The same pattern with other values.
    pub(super) fn with_values(&self, values: Vec<f64>) -> Self {
        Self { values: Narrowed::new(values), pointers: self.pointers.clone(), indices: self.indices.clone(), ..*self }
    }

    pub(super) fn rows(&self) -> usize {
        self.pointers.len() - 1
    }

    pub(super) fn entries(&self) -> usize {
        self.pointers[self.rows()]
    }

    /// Whether each value is 1.
    pub(super) fn is_ones(&self) -> bool {
        matches!(self.values, Narrowed::Ones(_))
    }

    pub(super) fn values(&self) -> Vec<f64> {
        match &self.values {
            Narrowed::Ones(len) => vec![1.0; *len],
            Narrowed::F32(values) => values.iter().map(|&value| value.into()).collect(),
            Narrowed::F64(values) => values.clone(),
        }
    }

    /// The rows borrowed, as `indices`, which are these, and `values` have them.
    pub(super) fn rows_of<'a, I, V>(&'a self, indices: &'a [I], values: V) -> SparseRows<'a, I, V> {
        SparseRows { columns: self.columns, pointers: &self.pointers, indices, values }
    }
}

/// The transpose of `rows`, which have no more than an index can name, again by rows.
pub(super) fn transposed<R: Rows>(rows: R) -> Compressed {
    let (n, m) = (rows.rows(), rows.columns());
    let mut pointers = vec![0; m + 1];
    (0..n).for_each(|row| rows.each(row, |column, _| pointers[column + 1] += 1));
    (0..m).for_each(|column| pointers[column + 1] += pointers[column]);
    let (mut next, mut indices, mut values) = (pointers.clone(), vec![0; pointers[m]], vec![0.0; pointers[m]]);
    for row in 0..n {
        rows.each(row, |column, value| {
            indices[next[column]] = row as u32;
            values[next[column]] = value;
            next[column] += 1;
        });
    }
    Compressed::new(n, pointers, indices, values)
}

/// Compressed rows, borrowed, with indices in the type `I` and values in `V`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SparseRows<'a, I, V> {
    columns: usize,
    pointers: &'a [usize],
    /// Each below `columns`.
    indices: &'a [I],
    values: V,
}

/// Bytes of a cache line.
const LINE: usize = 64;

impl<'a, I: Index, V: Values> SparseRows<'a, I, V> {
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> (&'a [I], V) {
        let entries = self.pointers[row]..self.pointers[row + 1];
        (&self.indices[entries.clone()], self.values.slice(entries))
    }

    #[expect(unsafe_code, reason = "the promise that the kernels ask for is this type's")]
    #[inline(always)]
    fn dots<const K: usize>(&self, row: usize, v: &[[f64; K]]) -> [f64; K] {
        assert!(v.len() >= self.columns, "vectors of length m");
        let (indices, values) = self.row(row);
        // SAFETY: every index is below `columns`, and `v` is not shorter.
        unsafe { kernel::dots(indices, values, v) }
    }
}

impl<I: Index, V: Values> Rows for SparseRows<'_, I, V> {
    fn rows(&self) -> usize {
        self.pointers.len() - 1
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn entries(&self) -> usize {
        self.indices.len()
    }

    #[inline]
    fn entries_before(&self, row: usize) -> usize {
        self.pointers[row]
    }

    #[inline(always)]
    fn dot(&self, row: usize, v: &[f64]) -> f64 {
        let [sum] = self.dots(row, v.as_chunks().0);
        sum
    }

    #[inline(always)]
    fn dot2(&self, row: usize, _v: &[f64], _w: &[f64], pairs: &[[f64; 2]]) -> [f64; 2] {
        self.dots(row, pairs)
    }

    #[inline(always)]
    fn look_ahead(&self, row: usize) {
        let (start, end) = (self.pointers[row] + AHEAD, self.pointers[row + 1] + AHEAD);
        for position in (start..end).step_by(LINE / size_of::<f64>()) {
            self.values.prefetch(position);
        }
        for position in (start..end).step_by(LINE / size_of::<I>()) {
            kernel::prefetch(self.indices, position);
        }
    }

    #[expect(unsafe_code, reason = "the promise that the kernels ask for is this type's")]
    #[inline(always)]
    fn axpy(&self, row: usize, a: f64, out: &mut [f64]) {
        assert!(out.len() >= self.columns, "a vector of length m");
        let (indices, values) = self.row(row);
        // SAFETY: every index is below `columns`, and `out` is not shorter.
        unsafe { kernel::axpy(indices, values, a, out) };
    }

    fn add_gram(&self, rows: Range<usize>, weights: &[f64], columns: Range<usize>, out: &mut [f64]) {
        let m = self.columns();
        for row in rows {
            let (indices, values) = self.row(row);
            let position = |column: usize| indices.partition_point(|j| j.at() < column);
            for k in position(columns.start)..position(columns.end) {
                let scaled = weights[row] * values.get(k);
                let column = &mut out[(indices[k].at() - columns.start) * m..][..m];
                for (l, j) in indices.iter().enumerate().skip(k) {
                    column[j.at()] += scaled * values.get(l);
                }
            }
        }
    }

    #[inline]
    fn each(&self, row: usize, mut visit: impl FnMut(usize, f64)) {
        let (indices, values) = self.row(row);
        for (k, j) in indices.iter().enumerate() {
            visit(j.at(), values.get(k));
        }
    }
}

/// All entries, row by row, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct DenseRows<'a> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: &'a [f64],
}

impl DenseRows<'_> {
    #[inline]
    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }
}

/// [`Rows::dots_at_once`] of dense rows.
struct Dots<'a> {
    design: DenseRows<'a>,
    first: usize,
    v: &'a [f64],
    dots: &'a mut [f64],
}

/// Lanes of a row that are summed before those of the next: few enough that the sums of several rows, each waiting for its last addition, go on side by side.
const LANES_AT_ONCE: usize = 8;

impl Loop for Dots<'_> {
    /// The operations of [`vector::dot`], of four rows by turns.
    #[inline(always)]
    fn run(self) {
        let Self { design, first, v, dots } = self;
        let (v_lanes, v_rest) = v.as_chunks::<LANES>();
        for (block, dots) in dots.chunks_mut(4).enumerate() {
            let mut sums = [[0.0; LANES]; 4];
            for (part, v) in v_lanes.chunks(LANES_AT_ONCE).enumerate() {
                for (k, sums) in sums[..dots.len()].iter_mut().enumerate() {
                    let (row, _) = design.row(first + 4 * block + k).as_chunks::<LANES>();
                    let mut lanes = *sums;
                    for (d, v) in row[part * LANES_AT_ONCE..].iter().zip(v) {
                        for k in 0..LANES {
                            lanes[k] += d[k] * v[k];
                        }
                    }
                    *sums = lanes;
                }
            }
            for (k, (dot, lanes)) in dots.iter_mut().zip(&sums).enumerate() {
                let (_, row_rest) = design.row(first + 4 * block + k).as_chunks::<LANES>();
                let rest: f64 = row_rest.iter().zip(v_rest).map(|(d, v)| d * v).sum();
                *dot = lanes.iter().sum::<f64>() + rest;
            }
        }
    }
}

/// [`Rows::axpys_at_once`] of dense rows.
struct Axpys<'a> {
    design: DenseRows<'a>,
    first: usize,
    weights: &'a [f64],
    out: &'a mut [f64],
}

impl Loop for Axpys<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { design, mut first, weights, out } = self;
        let (fours, rest) = weights.as_chunks::<4>();
        // Row after row for each number, which is read and written once for four.
        for weights in fours {
            let (a, b) = (design.row(first), design.row(first + 1));
            let (c, d) = (design.row(first + 2), design.row(first + 3));
            for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *out = (((*out + weights[0] * a) + weights[1] * b) + weights[2] * c) + weights[3] * d;
            }
            first += 4;
        }
        for (k, weight) in rest.iter().enumerate() {
            out.iter_mut().zip(design.row(first + k)).for_each(|(out, d)| *out += weight * d);
        }
    }
}

/// [`Rows::add_gram`] of dense rows.
struct AddGram<'a> {
    design: DenseRows<'a>,
    rows: Range<usize>,
    weights: &'a [f64],
    columns: Range<usize>,
    out: &'a mut [f64],
}

impl Loop for AddGram<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { design, rows, weights, columns, out } = self;
        // Column by column: it stays in cache while the rows pass, four at a time, so that it is read and written once for each four.
        for (j, column) in columns.zip(out.chunks_exact_mut(design.columns)) {
            let column = &mut column[j..];
            let len = column.len();
            let tail = |row: usize| &design.row(row)[j..][..len];
            let mut row = rows.start;
            while row + 4 <= rows.end {
                let [a, b, c, d] = [0, 1, 2, 3].map(|k| tail(row + k));
                let [wa, wb, wc, wd] = [(a, 0), (b, 1), (c, 2), (d, 3)].map(|(tail, k)| weights[row + k] * tail[0]);
                for (i, out) in column.iter_mut().enumerate() {
                    *out += (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i]);
                }
                row += 4;
            }
            for (row, weight) in (row..rows.end).zip(&weights[row..rows.end]) {
                let tail = tail(row);
                let weight = weight * tail[0];
                column.iter_mut().zip(tail).for_each(|(out, d)| *out += weight * d);
            }
        }
    }
}

impl Rows for DenseRows<'_> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn entries(&self) -> usize {
        self.values.len()
    }

    fn entries_before(&self, row: usize) -> usize {
        row * self.columns
    }

    #[inline]
    fn dot(&self, row: usize, v: &[f64]) -> f64 {
        vector::dot(self.row(row), v)
    }

    #[inline]
    fn axpy(&self, row: usize, a: f64, out: &mut [f64]) {
        vector::axpy(a, self.row(row), out);
    }

    #[inline]
    fn dots_at_once(&self, first: usize, v: &[f64], dots: &mut [f64]) -> bool {
        widest(Dots { design: *self, first, v, dots });
        true
    }

    #[inline]
    fn axpys_at_once(&self, first: usize, weights: &[f64], out: &mut [f64]) -> bool {
        widest(Axpys { design: *self, first, weights, out });
        true
    }

    fn add_gram(&self, rows: Range<usize>, weights: &[f64], columns: Range<usize>, out: &mut [f64]) {
        widest(AddGram { design: *self, rows, weights, columns, out });
    }

    fn each(&self, row: usize, mut visit: impl FnMut(usize, f64)) {
        for (j, &d) in self.row(row).iter().enumerate() {
            visit(j, d);
        }
    }
}
