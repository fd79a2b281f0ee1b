//! K_ij = exp((û_i + v̂_j - C_ij) / eps), the plan at potentials of reference û and v̂: near them, the plan at (u, v) is K with its rows scaled by
//! a_i = exp((u_i - û_i) / eps) and its columns by b_j = exp((v_j - v̂_j) / eps), and its sums are products with K, which take no exponential.
//!
//! Scalings are taken within [1e-50, 1e50], sums within [1e-100, 1e100], and entries of K below 1e-200 for 0: what that leaves out of a sum is at most 1e-50 of it for each
//! entry, and no product is subnormal. Where they leave these, the reference is to be moved, or the sums to be computed in the log domain.
//!
//! Source: B. Schmitzer, Stabilized sparse scaling algorithms for entropy regularized transport problems, SIAM Journal on Scientific Computing 41, 2019, section 3.1.

use std::ops::RangeInclusive;

use rayon::prelude::*;

use super::{Instance, PlanRow, ROWS_AT_A_TIME, Transport};
use crate::ctx::Ctx;
use crate::design::{Block, Pass};
use crate::simd::{Loop, exp, widest};

/// Entries of K below it are taken for 0.
const LEAST_ENTRY: f64 = 1e-200;
/// Where scalings can be relied on.
const SCALINGS: RangeInclusive<f64> = 1e-50..=1e50;
/// Where sums can be relied on.
const SUMS: RangeInclusive<f64> = 1e-100..=1e100;

/// K with its potentials of reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// (û, v̂), length n + k.
    reference: Vec<f64>,
    /// Row by row.
    values: Vec<f64>,
}

/// Whether sums of scaled entries of K can be relied on.
pub(crate) fn are_sums(sums: &[f64]) -> bool {
    sums.iter().all(|sum| SUMS.contains(sum))
}

/// Whether scalings of rows or columns of K can be relied on.
pub(crate) fn are_scalings(mut scalings: impl Iterator<Item = f64>) -> bool {
    scalings.all(|scaling| SCALINGS.contains(&scaling))
}

impl Kernel {
    /// K at (û, v̂) = `reference`, of length n + k.
    ///
    /// # Panics
    ///
    /// If its length is wrong.
    #[must_use]
    pub fn new(problem: &Transport, reference: Vec<f64>, ctx: &mut Ctx) -> Self {
        let mut kernel = Self { reference, values: vec![0.0; problem.instance.entries()] };
        kernel.fill(problem, ctx);
        kernel
    }

    /// Moves the reference to (û, v̂) = `reference`.
    ///
    /// # Panics
    ///
    /// If its length is wrong.
    pub fn move_to(&mut self, problem: &Transport, reference: &[f64], ctx: &mut Ctx) {
        if self.reference != reference {
            self.reference.copy_from_slice(reference);
            self.fill(problem, ctx);
        }
    }

    fn fill(&mut self, problem: &Transport, ctx: &mut Ctx) {
        ctx.count_pass();
        let (u, v) = self.reference.split_at(problem.rows());
        let instance = &*problem.instance;
        let rows = self.values.par_chunks_mut(ROWS_AT_A_TIME * v.len()).zip(u.par_chunks(ROWS_AT_A_TIME));
        rows.enumerate().for_each(|(chunk, (values, u))| {
            widest(Fill { instance, first: ROWS_AT_A_TIME * chunk, u, v, values });
        });
    }

    /// (û, v̂), length n + k.
    #[must_use]
    pub fn reference(&self) -> &[f64] {
        &self.reference
    }

    /// a of u, length n, or `false` where one of them cannot be relied on.
    #[must_use]
    pub fn scale_rows(&self, problem: &Transport, u: &[f64], out: &mut [f64]) -> bool {
        scale(&self.reference[..problem.rows()], u, problem.eps(), out)
    }

    /// b of v, length k, or `false` where one of them cannot be relied on.
    #[must_use]
    pub fn scale_columns(&self, problem: &Transport, v: &[f64], out: &mut [f64]) -> bool {
        scale(&self.reference[problem.rows()..], v, problem.eps(), out)
    }

    /// In one pass over K, `out = K^T w` (length k), where `weight(i, (K c)_i, row)` is w_i and writes `rows_i`; c = `columns`, length k, and rows of length n.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn pass(
        &self,
        problem: &Transport,
        columns: &[f64],
        rows: &mut [f64],
        out: &mut [f64],
        weight: impl Fn(usize, f64, &mut f64) -> f64 + Sync,
        ctx: &mut Ctx,
    ) {
        let link = |block: Block<'_>| {
            let numbers = block.dots[0].iter().zip(block.row_output).zip(block.weights).enumerate();
            numbers.for_each(|(i, ((sum, row), out))| *out = weight(block.first + i, *sum, row));
        };
        let pass = Pass { inputs: &[columns], row_output: rows, out, ..Pass::default() };
        problem.instance.cost.with_values(&self.values).pass(pass, &link, ctx);
    }
}

/// Rows of K, from `first`.
struct Fill<'a> {
    instance: &'a Instance,
    first: usize,
    u: &'a [f64],
    v: &'a [f64],
    values: &'a mut [f64],
}

impl Loop for Fill<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { instance, first, u, v, values } = self;
        for (i, (row, u)) in values.chunks_exact_mut(v.len()).zip(u).enumerate() {
            PlanRow { u: *u, v, costs: instance.row(first + i), eps: instance.eps, out: &mut *row }.run();
            row.iter_mut().for_each(|entry| *entry = if *entry < LEAST_ENTRY { 0.0 } else { *entry });
        }
    }
}

/// exp((potential - reference) / eps).
struct Scale<'a> {
    reference: &'a [f64],
    potentials: &'a [f64],
    eps: f64,
    out: &'a mut [f64],
}

impl Loop for Scale<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { reference, potentials, eps, out } = self;
        for ((out, potential), reference) in out.iter_mut().zip(potentials).zip(reference) {
            *out = exp((potential - reference) / eps);
        }
    }
}

fn scale(reference: &[f64], potentials: &[f64], eps: f64, out: &mut [f64]) -> bool {
    widest(Scale { reference, potentials, eps, out: &mut *out });
    are_scalings(out.iter().copied())
}
