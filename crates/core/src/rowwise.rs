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
pub(crate) fn for_each(width: usize, out: &mut [f64], update: impl Fn(usize, &mut [f64]) + Sync) {
    let chunk = |(k, chunk): (usize, &mut [f64])| {
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

/// `max_i of(i)` over the rows of `from`, `width` numbers each; minus infinity where there is none. The order of rows is of no account.
pub(crate) fn largest(width: usize, from: &[f64], of: impl Fn(&[f64]) -> f64 + Sync) -> f64 {
    let chunk = |chunk: &[f64]| chunk.chunks_exact(width).fold(f64::NEG_INFINITY, |most, row| most.max(of(row)));
    if from.len() > CHUNK * width {
        from.par_chunks(CHUNK * width).map(chunk).reduce(|| f64::NEG_INFINITY, f64::max)
    } else {
        chunk(from)
    }
}
