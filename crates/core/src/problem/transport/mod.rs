//! Entropic optimal transport between x and b, by its dual and its semi-dual.
//!
//! With costs C (n x k, n the length of x and k that of b), eps > 0 and both marginals of the same sum,
//!
//! ```text
//! W(x) = max_{u, v} <u, x> + <v, b> - eps sum_ij exp((u_i + v_j - C_ij) / eps) = max_z <z, x> - eps sum_j b_j logsumexp_i((z_i - C_ij) / eps) + constants
//! ```
//!
//! up to a constant of eps and the marginals, the cost of moving x to b. l(x) = min_z L(z, x) is -W: a maximum is the minimum of what is negated, and its gradient that of l,
//! negated. z are the potentials.
//!
//! | | dual, z = (u, v) in R^(n+k) | semi-dual, z in R^n |
//! |---|---|---|
//! | L | -<u, x> - <v, b> + eps sum P | -<z, x> + eps sum_j b_j logsumexp_i((z_i - C_ij) / eps) |
//! | grad_z L | (P 1 - x, P^T 1 - b) | S b - x |
//! | grad_x L | -u | -z |
//! | L_zz | 1/eps [diag(P 1), P; P^T, diag(P^T 1)] | 1/eps (diag(S b) - S diag(b) S^T) |
//! | L_xz | (-I, 0) | -I |
//!
//! with P_ij = exp((u_i + v_j - C_ij) / eps), and S_ij its share of column j. L_zz is singular along (1, -1), or along 1: a potential moved by a constant moves nothing, and
//! gradients are known up to a constant, as x has a given sum. g3 takes a method that solves on the range of L_zz ([`Problem::flat_along`]): conjugate gradient without a preconditioner.
//!
//! Source: M. Cuturi, Sinkhorn distances: lightspeed computation of optimal transport, NeurIPS 2013; G. Peyré and M. Cuturi, Computational optimal transport,
//! Foundations and Trends in Machine Learning 11, 2019, sections 4.4 and 5.4.

mod kernel;

use std::sync::Arc;

pub use kernel::Kernel;
pub(crate) use kernel::{are_scalings, are_sums};
use rayon::prelude::*;
use thiserror::Error;

use super::{AssembleHessian, Objective, Point, Problem, Work};
use crate::ctx::Ctx;
use crate::design::{Design, DesignError};
use crate::simd::{Loop, exp, widest};
use crate::solver::SolveError;
use crate::vector::{LANES, axpy, dot};

/// Rows whose exponentials one thread computes at a time.
const ROWS_AT_A_TIME: usize = 16;
/// Columns whose exponentials one thread adds up at a time.
const COLUMNS_AT_A_TIME: usize = 64;

/// Numbers that do not make a transport problem.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum TransportError {
    /// One of the measures has no points.
    #[error("{rows} x {columns} points, expected at least one of each measure")]
    Empty {
        /// n.
        rows: usize,
        /// k, the length of b.
        columns: usize,
    },
    /// There is not one cost for each pair.
    #[error("{found} costs, expected {rows} x {columns}")]
    Costs {
        /// n.
        rows: usize,
        /// k, the length of b.
        columns: usize,
        /// What was given.
        found: usize,
    },
    /// The costs are no matrix of finite numbers.
    #[error("costs: {0}")]
    Matrix(#[from] DesignError),
    /// An entry of b is not a positive finite number.
    #[error("entry {position} (from 0) of b is {mass}, expected a finite number above 0")]
    Mass {
        /// Where, from 0.
        position: usize,
        /// What was given.
        mass: f64,
    },
    /// eps is not a positive finite number.
    #[error("eps is {eps}, expected a finite number above 0")]
    Regularisation {
        /// What was given.
        eps: f64,
    },
}

/// C, b and eps.
#[derive(Clone, Debug, PartialEq)]
struct Instance {
    /// Dense; K is read in its shape.
    cost: Design,
    b: Vec<f64>,
    eps: f64,
    rows: usize,
}

/// The dual of entropic optimal transport, z = (u, v); the parameter x is the first marginal, p = n.
#[derive(Clone, Debug, PartialEq)]
pub struct Transport {
    instance: Arc<Instance>,
}

/// The semi-dual of entropic optimal transport, z the first potential; the parameter x is the first marginal, p = n.
#[derive(Clone, Debug, PartialEq)]
pub struct SemiDual {
    instance: Arc<Instance>,
}

impl Transport {
    /// Between measures on n and k points, `cost` row by row (n x k), the second of them `b`, with regularisation `eps`.
    ///
    /// # Errors
    ///
    /// [`TransportError`] for a measure without points, for a cost that is not finite, or not one for each pair, and for masses and eps that are not above 0.
    pub fn new(rows: usize, cost: Vec<f64>, b: Vec<f64>, eps: f64) -> Result<Self, TransportError> {
        let columns = b.len();
        if rows == 0 || columns == 0 {
            return Err(TransportError::Empty { rows, columns });
        }
        if rows.checked_mul(columns) != Some(cost.len()) {
            return Err(TransportError::Costs { rows, columns, found: cost.len() });
        }
        if let Some(position) = b.iter().position(|mass| !(*mass > 0.0 && mass.is_finite())) {
            return Err(TransportError::Mass { position, mass: b[position] });
        }
        if !(eps > 0.0 && eps.is_finite()) {
            return Err(TransportError::Regularisation { eps });
        }
        let cost = Design::dense(rows, columns, cost)?;
        Ok(Self { instance: Arc::new(Instance { cost, b, eps, rows }) })
    }

    /// The same problem by its semi-dual.
    #[must_use]
    pub fn semi_dual(&self) -> SemiDual {
        SemiDual { instance: Arc::clone(&self.instance) }
    }

    /// n, the length of u and of x.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.instance.rows
    }

    /// eps.
    #[must_use]
    pub fn eps(&self) -> f64 {
        self.instance.eps
    }

    /// b, of length k.
    #[must_use]
    pub fn second_marginal(&self) -> &[f64] {
        &self.instance.b
    }

    /// `out_i = max_j v_j - C_ij`, which [`Transport::soft_rows`] tends to as eps vanishes: v of length k, out of length n. It reads the costs once.
    pub(crate) fn largest_rows(&self, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.instance.largest_rows(v, out, ctx);
    }

    /// `out_i = eps logsumexp_j((v_j - C_ij) / eps)`: v of length k, out of length n. It reads the costs once.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn soft_rows(&self, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.instance.soft_rows(v, out, ctx);
    }

    /// `out_j = eps logsumexp_i((u_i - C_ij) / eps)`: u of length n, out of length k. It reads the costs once.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn soft_columns(&self, u: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.instance.soft_columns(u, out, ctx);
    }

    /// Calls `visit(i, P_i)` on the rows of P = exp((u_i + v_j - C_ij) / eps), of length k each.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn each_row_of_plan(&self, u: &[f64], v: &[f64], visit: impl FnMut(usize, &[f64]), ctx: &mut Ctx) {
        self.instance.each_row(u, v, visit, ctx);
    }
}

impl Instance {
    fn columns(&self) -> usize {
        self.b.len()
    }

    fn entries(&self) -> usize {
        self.cost.entries()
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.cost.dense_values()[i * self.columns()..][..self.columns()]
    }

    fn largest_rows(&self, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_pass();
        out.par_chunks_mut(ROWS_AT_A_TIME).enumerate().for_each(|(chunk, out)| {
            widest(LargestRows { instance: self, first: ROWS_AT_A_TIME * chunk, v, out });
        });
    }

    fn soft_rows(&self, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        assert_eq!((v.len(), out.len()), (self.columns(), self.rows), "one number for each point");
        ctx.count_pass();
        out.par_chunks_mut(ROWS_AT_A_TIME).enumerate().for_each(|(chunk, out)| {
            widest(SoftRows { instance: self, first: ROWS_AT_A_TIME * chunk, v, out });
        });
    }

    fn soft_columns(&self, u: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        assert_eq!((u.len(), out.len()), (self.rows, self.columns()), "one number for each point");
        ctx.count_pass();
        out.par_chunks_mut(COLUMNS_AT_A_TIME).enumerate().for_each(|(chunk, out)| {
            widest(SoftColumns { instance: self, first: COLUMNS_AT_A_TIME * chunk, u, out });
        });
    }

    fn each_row(&self, u: &[f64], v: &[f64], mut visit: impl FnMut(usize, &[f64]), ctx: &mut Ctx) {
        assert_eq!((u.len(), v.len()), (self.rows, self.columns()), "one number for each point");
        ctx.count_pass();
        let mut row = ctx.take(v.len());
        for (i, u) in u.iter().enumerate() {
            widest(PlanRow { u: *u, v, costs: self.row(i), eps: self.eps, out: &mut row });
            visit(i, &row);
        }
        ctx.give(row);
    }

    /// The sums of x and b where they differ by more than rounding.
    fn unequal(&self, x: &[f64]) -> Option<(f64, f64)> {
        let (of_x, of_b): (f64, f64) = (x.iter().sum(), self.b.iter().sum());
        let sizes = x.iter().chain(&self.b).fold(0.0, |sum, mass| sum + mass.abs());
        // Sums of so many roundings.
        let rounding = (x.len() + self.columns()) as f64 * f64::EPSILON * sizes;
        ((of_x - of_b).abs() > rounding).then_some((of_x, of_b))
    }

    /// The direction along which L falls where the marginals have other sums.
    fn falls(&self, x: &[f64], latent: usize) -> Option<Vec<f64>> {
        self.unequal(x).map(|(of_x, of_b)| self.constant(latent, (of_x - of_b).signum()))
    }

    /// That the masses x are above 0, and can be moved to b.
    fn check(&self, x: &[f64]) -> Result<(), SolveError> {
        check_masses(x)?;
        match self.unequal(x) {
            Some((found, expected)) => Err(SolveError::UnequalSums { what: "x", found, against: "b", expected }),
            None => Ok(()),
        }
    }

    /// `by` in u, and as much less in v where z holds it.
    fn constant(&self, latent: usize, by: f64) -> Vec<f64> {
        (0..latent).map(|j| if j < self.rows { by } else { -by }).collect()
    }
}

/// `out_i = max_j v_j - C_ij` of rows from `first`.
struct LargestRows<'a> {
    instance: &'a Instance,
    first: usize,
    v: &'a [f64],
    out: &'a mut [f64],
}

impl Loop for LargestRows<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { instance, first, v, out } = self;
        out.iter_mut().enumerate().for_each(|(i, out)| *out = largest(v, instance.row(first + i)));
    }
}

/// [`Transport::soft_rows`] of rows from `first`.
struct SoftRows<'a> {
    instance: &'a Instance,
    first: usize,
    v: &'a [f64],
    out: &'a mut [f64],
}

impl Loop for SoftRows<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { instance, first, v, out } = self;
        for (i, out) in out.iter_mut().enumerate() {
            let (costs, eps) = (instance.row(first + i), instance.eps);
            let largest = largest(v, costs);
            let terms = |v: f64, cost: f64| exp((v - cost - largest) / eps);
            let sum = by_lanes(v, costs, 0.0, |sum, v, cost| sum + terms(v, cost), |a, b| a + b);
            *out = largest + eps * sum.ln();
        }
    }
}

/// `max_j v_j - c_j`.
#[inline(always)]
fn largest(v: &[f64], costs: &[f64]) -> f64 {
    let larger = |a: f64, b: f64| if b > a { b } else { a };
    by_lanes(v, costs, f64::NEG_INFINITY, |largest, v, cost| larger(largest, v - cost), larger)
}

/// A sum of another kind over v and c: `add(sum, v_j, c_j)` in lanes side by side, and `join` of these.
#[inline(always)]
fn by_lanes(
    v: &[f64],
    costs: &[f64],
    none: f64,
    add: impl Fn(f64, f64, f64) -> f64,
    join: impl Fn(f64, f64) -> f64,
) -> f64 {
    let (v_lanes, v_rest) = v.as_chunks::<LANES>();
    let (cost_lanes, cost_rest) = costs.as_chunks::<LANES>();
    let mut lanes = [none; LANES];
    for (v, costs) in v_lanes.iter().zip(cost_lanes) {
        for k in 0..LANES {
            lanes[k] = add(lanes[k], v[k], costs[k]);
        }
    }
    let rest = v_rest.iter().zip(cost_rest).fold(none, |sum, (v, cost)| add(sum, *v, *cost));
    lanes.into_iter().fold(rest, join)
}

/// [`Transport::soft_columns`] of columns from `first`.
struct SoftColumns<'a> {
    instance: &'a Instance,
    first: usize,
    u: &'a [f64],
    out: &'a mut [f64],
}

impl Loop for SoftColumns<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { instance, first, u, out } = self;
        let (eps, len) = (instance.eps, out.len());
        let costs = |i: usize| &instance.row(i)[first..first + len];
        out.fill(f64::NEG_INFINITY);
        for (i, u) in u.iter().enumerate() {
            for (largest, cost) in out.iter_mut().zip(costs(i)) {
                let term = u - cost;
                *largest = if term > *largest { term } else { *largest };
            }
        }
        let mut sums = [0.0; COLUMNS_AT_A_TIME];
        for (i, u) in u.iter().enumerate() {
            for ((sum, largest), cost) in sums.iter_mut().zip(&*out).zip(costs(i)) {
                *sum += exp((u - cost - largest) / eps);
            }
        }
        out.iter_mut().zip(&sums).for_each(|(out, sum)| *out += eps * sum.ln());
    }
}

/// A row of the plan.
struct PlanRow<'a> {
    u: f64,
    v: &'a [f64],
    costs: &'a [f64],
    eps: f64,
    out: &'a mut [f64],
}

impl Loop for PlanRow<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { u, v, costs, eps, out } = self;
        for ((p, v), cost) in out.iter_mut().zip(v).zip(costs) {
            *p = exp((u + v - cost) / eps);
        }
    }
}

/// That every mass is above 0.
pub(crate) fn check_masses(x: &[f64]) -> Result<(), SolveError> {
    match x.iter().position(|mass| *mass <= 0.0) {
        Some(position) => Err(SolveError::NotPositive { what: "x", position, value: x[position] }),
        None => Ok(()),
    }
}

/// Calls `with(row)` on rows of P: those of the memo, or computed.
fn with_plan(instance: &Instance, at: Point<'_>, mut with: impl FnMut(usize, &[f64]), ctx: &mut Ctx) {
    if at.memo.is_empty() {
        let (u, v) = at.z.split_at(instance.rows);
        instance.each_row(u, v, with, ctx);
    } else {
        ctx.count_pass();
        at.memo.chunks_exact(instance.columns().max(1)).enumerate().for_each(|(i, row)| with(i, row));
    }
}

impl Objective for Transport {
    fn dims(&self) -> (usize, usize) {
        (self.instance.rows + self.instance.columns(), self.instance.rows)
    }

    /// P.
    fn memo_len(&self) -> usize {
        self.instance.entries()
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        let (u, v) = at.z.split_at(self.instance.rows);
        let mut mass = 0.0;
        with_plan(&self.instance, at, |_, row| mass += row.iter().sum::<f64>(), ctx);
        self.instance.eps * mass - dot(u, at.x) - dot(v, &self.instance.b)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
        let (u, v) = z.split_at(self.instance.rows);
        let (of_rows, of_columns) = out.split_at_mut(self.instance.rows);
        of_columns.iter_mut().zip(&self.instance.b).for_each(|(out, b)| *out = -b);
        let visit = |i: usize, row: &[f64]| {
            of_rows[i] = row.iter().sum::<f64>() - x[i];
            axpy(1.0, row, of_columns);
            if !memo.is_empty() {
                memo[i * row.len()..][..row.len()].copy_from_slice(row);
            }
        };
        self.instance.each_row(u, v, visit, ctx);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(-scale, &at.z[..self.instance.rows], out);
    }

    /// Masses are above 0, and both marginals of the same sum.
    fn check_parameter(&self, x: &[f64]) -> Result<(), SolveError> {
        self.instance.check(x)
    }
}

impl Problem for Transport {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        let rows = self.instance.rows;
        let (a, c) = v.split_at(rows);
        let (of_rows, of_columns) = out.split_at_mut(rows);
        of_columns.fill(0.0);
        let visit = |i: usize, row: &[f64]| {
            let (sum, along) = (row.iter().sum::<f64>(), dot(row, c));
            of_rows[i] = (sum * a[i] + along) / self.instance.eps;
            for ((out, p), c) in of_columns.iter_mut().zip(row).zip(c) {
                *out += p * (a[i] + c) / self.instance.eps;
            }
        };
        with_plan(&self.instance, at, visit, ctx);
    }

    fn cross(&self, _: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        axpy(-scale, &v[..self.instance.rows], out);
    }

    fn cross_t(&self, _: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        out.fill(0.0);
        axpy(-1.0, w, &mut out[..self.instance.rows]);
    }

    fn falls_along(&self, at: Point<'_>, _: &mut Ctx) -> Option<Vec<f64>> {
        self.instance.falls(at.x, self.latent_len())
    }

    fn flat_along(&self) -> Option<Vec<f64>> {
        Some(self.instance.constant(self.latent_len(), 1.0))
    }
}

/// The Hessian of `problem`, a product for each column.
fn assemble<P: Problem>(problem: &P, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
    let m = problem.latent_len();
    let mut unit = ctx.take_zeroed(m);
    for (j, column) in out.chunks_exact_mut(m.max(1)).enumerate() {
        unit[j] = 1.0;
        problem.hess(at, &unit, column, ctx);
        unit[j] = 0.0;
    }
    ctx.give(unit);
}

impl AssembleHessian for Transport {
    fn assemble_hessian(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        assemble(self, at, out, ctx);
    }

    fn work(&self) -> Work {
        let product = 2.0 * self.instance.entries() as f64;
        Work { product, assembly: product * self.latent_len() as f64 }
    }
}

impl SemiDual {
    /// Calls `with(i, S_i)` on the rows of S.
    fn with_shares(&self, at: Point<'_>, with: impl FnMut(usize, &[f64]), ctx: &mut Ctx) {
        let mut v = ctx.take(self.instance.columns());
        if at.memo.is_empty() {
            self.instance.soft_columns(at.z, &mut v, ctx);
            v.iter_mut().for_each(|v| *v = -*v);
            self.instance.each_row(at.z, &v, with, ctx);
        } else {
            with_plan(&self.instance, at, with, ctx);
        }
        ctx.give(v);
    }
}

impl Objective for SemiDual {
    fn dims(&self) -> (usize, usize) {
        (self.instance.rows, self.instance.rows)
    }

    /// S.
    fn memo_len(&self) -> usize {
        self.instance.entries()
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        let mut soft = ctx.take(self.instance.columns());
        self.instance.soft_columns(at.z, &mut soft, ctx);
        let value = dot(&soft, &self.instance.b) - dot(at.z, at.x);
        ctx.give(soft);
        value
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
        let visit = |i: usize, row: &[f64]| {
            out[i] = dot(row, &self.instance.b) - x[i];
            if !memo.is_empty() {
                memo[i * row.len()..][..row.len()].copy_from_slice(row);
            }
        };
        self.with_shares(Point::new(z, x), visit, ctx);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(-scale, at.z, out);
    }

    /// As that of [`Transport`].
    fn check_parameter(&self, x: &[f64]) -> Result<(), SolveError> {
        self.instance.check(x)
    }
}

impl Problem for SemiDual {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        let b = &self.instance.b;
        // The shares are read twice.
        let kept = at.memo.is_empty().then(|| {
            let mut shares = ctx.take(self.memo_len());
            self.with_shares(at, |i, row| shares[i * b.len()..][..b.len()].copy_from_slice(row), ctx);
            shares
        });
        let at = Point { memo: kept.as_deref().unwrap_or(at.memo), ..at };
        // Means of v over each column, and then what v_i is beyond them.
        let mut means = ctx.take_zeroed(b.len());
        self.with_shares(at, |i, row| axpy(v[i], row, &mut means), ctx);
        let visit = |i: usize, row: &[f64]| {
            let sum: f64 = row.iter().zip(b).zip(&means).map(|((share, b), mean)| share * b * (v[i] - mean)).sum();
            out[i] = sum / self.instance.eps;
        };
        self.with_shares(at, visit, ctx);
        ctx.give(means);
        kept.into_iter().for_each(|shares| ctx.give(shares));
    }

    fn cross(&self, _: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        axpy(-scale, v, out);
    }

    fn cross_t(&self, _: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        out.iter_mut().zip(w).for_each(|(out, w)| *out = -w);
    }

    /// diag(s) - s s^T of a share s has no eigenvalue above 1/2.
    fn smoothness(&self, _: Point<'_>, _: &mut Ctx) -> Option<f64> {
        Some(0.5 * self.instance.b.iter().sum::<f64>() / self.instance.eps)
    }

    fn falls_along(&self, at: Point<'_>, _: &mut Ctx) -> Option<Vec<f64>> {
        self.instance.falls(at.x, self.latent_len())
    }

    fn flat_along(&self) -> Option<Vec<f64>> {
        Some(self.instance.constant(self.latent_len(), 1.0))
    }
}

impl AssembleHessian for SemiDual {
    fn assemble_hessian(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        assemble(self, at, out, ctx);
    }

    fn work(&self) -> Work {
        let product = 4.0 * self.instance.entries() as f64;
        Work { product, assembly: product * self.latent_len() as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_transport_is_refused() {
        let new =
            |rows, cost: &[f64], b: &[f64], eps| Transport::new(rows, cost.to_vec(), b.to_vec(), eps).unwrap_err();
        for (rows, columns) in [(0, 0), (0, 2), (2, 0)] {
            assert_eq!(new(rows, &[], &vec![0.5; columns], 0.1), TransportError::Empty { rows, columns });
        }
        assert_eq!(new(2, &[1.0; 3], &[0.5; 2], 0.1), TransportError::Costs { rows: 2, columns: 2, found: 3 });
        let found = new(2, &[1.0, 1.0, f64::INFINITY, 1.0], &[0.5; 2], 0.1);
        let infinite = DesignError::NotFinite { row: 1, column: 0, value: f64::INFINITY };
        assert_eq!(found, TransportError::Matrix(infinite));
        assert_eq!(new(1, &[1.0; 2], &[0.5, 0.0], 0.1), TransportError::Mass { position: 1, mass: 0.0 });
        for eps in [0.0, -1.0, f64::INFINITY] {
            assert_eq!(new(1, &[1.0], &[1.0], eps), TransportError::Regularisation { eps });
        }
        assert!(Transport::new(1, vec![1.0], vec![1.0], f64::NAN).is_err());
    }
}
