//! Loops over rows that read no entry of D: parallel, with a fixed cut.

use rayon::prelude::*;

use crate::ctx::Ctx;

/// Rows a task; part of the definition of a sum's rounding.
const CHUNK: usize = 4096;

/// `sum_i term(i)` for i in 0..n, the same bits at every thread count.
pub(crate) fn sum(n: usize, term: impl Fn(usize) -> f64 + Sync, ctx: &mut Ctx) -> f64 {
    let mut parts = ctx.take(n.div_ceil(CHUNK));
    let part = |(k, part): (usize, &mut f64)| *part = (k * CHUNK..n.min((k + 1) * CHUNK)).map(&term).sum();
    if parts.len() > 1 {
        parts.par_iter_mut().enumerate().for_each(part);
    } else {
        parts.iter_mut().enumerate().for_each(part);
    }
    let total = parts.iter().sum();
    ctx.give(parts);
    total
}

/// `update(i, &mut out[i width..][..width])` for every row i.
pub(crate) fn for_each<T: Send>(width: usize, out: &mut [T], update: impl Fn(usize, &mut [T]) + Sync) {
    let chunk = |(k, chunk): (usize, &mut [T])| {
        for (i, row) in chunk.chunks_exact_mut(width).enumerate() {
            update(k * CHUNK + i, row);
        }
    };
    if out.len() > CHUNK * width {
        out.par_chunks_mut(CHUNK * width).enumerate().for_each(chunk);
    } else {
        chunk((0, out));
    }
}

/// `update(i, &mut out[i width..])` for blocks of at most `rows` rows from row i on, `width` entries each.
pub(crate) fn for_each_block<T: Send>(
    width: usize,
    rows: usize,
    out: &mut [T],
    update: impl Fn(usize, &mut [T]) + Sync,
) {
    let chunk = |(k, chunk): (usize, &mut [T])| {
        for (b, block) in chunk.chunks_mut(rows * width).enumerate() {
            update(k * CHUNK + b * rows, block);
        }
    };
    if out.len() > CHUNK * width {
        out.par_chunks_mut(CHUNK * width).enumerate().for_each(chunk);
    } else {
        chunk((0, out));
    }
}

/// `max_i of(rows[i])` of K numbers at once, none of them NaN; minus infinity where there is none. The order of rows is of no account.
pub(crate) fn largest_of<T: Sync, const K: usize>(rows: &[T], of: impl Fn(&T) -> [f64; K] + Sync) -> [f64; K] {
    let none = [f64::NEG_INFINITY; K];
    let larger = |mut most: [f64; K], row: [f64; K]| {
        most.iter_mut().zip(row).for_each(|(most, row)| *most = most.max(row));
        most
    };
    let chunk = |chunk: &[T]| chunk.iter().map(&of).fold(none, larger);
    if rows.len() > CHUNK { rows.par_chunks(CHUNK).map(chunk).reduce(|| none, larger) } else { chunk(rows) }
}
