//! The rule of Sinkhorn's algorithm, recorded by the old v, the new u and the new v. With R the shares of the rows of the plan at (new u, old v), S those of its columns at
//! (new u, new v):
//!
//! ```text
//! forwards, (du, dv) with dx     du <- eps dx / x - R dv;  dv <- -S^T du
//! backwards, (a, c)              a <- a - S c;  x += eps a / x;  c <- -R^T a;  a <- 0
//! ```
//!
//! R and S are scalings of the kernel at which the solver stands, K, one of rows r_i and one of columns: R_ij = r_i K_ij exp((v_j - v̂_j) / eps) / x_i and
//! S_ij = r_i K_ij exp((v_j - v̂_j) / eps) / b_j, of the old v and the new: one pass over K a step. Where the potentials of a step are too far from those of the kernel, both are
//! computed from the costs.

use danskin_core::ctx::Ctx;
use danskin_core::problem::transport::Transport;
use danskin_core::solver::{Sinkhorn, SinkhornState, SolveError, Solver, State, Step};
use danskin_core::vector::{axpy, dot};

use crate::replay::Replay;
use crate::rule::{Pulled, Recorded, Unroll};

/// What a step is recorded by.
#[derive(Clone, Copy)]
struct Potentials<'a> {
    u: &'a [f64],
    old_v: &'a [f64],
    v: &'a [f64],
}

impl<'a> Potentials<'a> {
    fn of(problem: &Transport, record: &'a [f64]) -> Self {
        let (u, rest) = record.split_at(problem.rows());
        let (old_v, v) = rest.split_at(problem.second_marginal().len());
        Self { u, old_v, v }
    }
}

/// The scalings of the kernel at a step: of rows at the new u, of columns at the old v and at the new one.
struct Scalings {
    rows: Vec<f64>,
    old_columns: Vec<f64>,
    columns: Vec<f64>,
}

impl Scalings {
    /// Calls `with` with them, or says that they cannot be relied on.
    fn with(step: &Recorded<'_, Transport, SinkhornState>, with: impl FnOnce(&Self, &mut Ctx), ctx: &mut Ctx) -> bool {
        let (problem, kernel) = (step.problem, step.state.kernel());
        let at = Potentials::of(problem, step.record);
        let [mut rows, mut old_columns, mut columns] = [at.u, at.old_v, at.v].map(|v| ctx.take(v.len()));
        let near = kernel.scale_rows(problem, at.u, &mut rows)
            && kernel.scale_columns(problem, at.old_v, &mut old_columns)
            && kernel.scale_columns(problem, at.v, &mut columns);
        let scalings = Self { rows, old_columns, columns };
        if near {
            with(&scalings, ctx);
        }
        let Self { rows, old_columns, columns } = scalings;
        [columns, old_columns, rows].into_iter().for_each(|buffer| ctx.give(buffer));
        near
    }
}

/// The shares by the costs.
struct ByCosts<'a, 'b>(&'a Recorded<'b, Transport, SinkhornState>);

impl ByCosts<'_, '_> {
    /// `with(i, S_i)` for the rows of S.
    fn shares_of_columns(&self, mut with: impl FnMut(usize, &[f64]), ctx: &mut Ctx) {
        let (problem, at) = (self.0.problem, Potentials::of(self.0.problem, self.0.record));
        let mut soft = ctx.take(at.v.len());
        // The new v is eps log b less the soft minimum that S is scaled by.
        soft.iter_mut()
            .zip(at.v)
            .zip(problem.second_marginal())
            .for_each(|((soft, v), b)| *soft = v - problem.eps() * b.ln());
        problem.each_row_of_plan(at.u, &soft, &mut with, ctx);
        ctx.give(soft);
    }

    /// `with(i, R_i)` for the rows of R: each row of the plan at the new u sums to x_i.
    fn shares_of_rows(&self, mut with: impl FnMut(usize, &[f64]), ctx: &mut Ctx) {
        let (problem, at) = (self.0.problem, Potentials::of(self.0.problem, self.0.record));
        let mut soft = ctx.take(at.u.len());
        soft.iter_mut().zip(at.u).zip(self.0.x).for_each(|((soft, u), x)| *soft = u - problem.eps() * x.ln());
        problem.each_row_of_plan(&soft, at.old_v, &mut with, ctx);
        ctx.give(soft);
    }
}

impl Unroll<Transport> for Sinkhorn {
    fn record_len(&self, problem: &Transport) -> usize {
        problem.rows() + 2 * problem.second_marginal().len()
    }

    fn step_recorded(
        &self,
        problem: &Transport,
        x: &[f64],
        state: &mut SinkhornState,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let (u, rest) = record.split_at_mut(problem.rows());
        let (old_v, v) = rest.split_at_mut(problem.second_marginal().len());
        old_v.copy_from_slice(&state.latent()[problem.rows()..]);
        let step = self.step(problem, x, state, ctx)?;
        u.copy_from_slice(&state.latent()[..problem.rows()]);
        v.copy_from_slice(&state.latent()[problem.rows()..]);
        Ok(step)
    }

    fn pull(
        &self,
        step: Recorded<'_, Transport, SinkhornState>,
        dual: &mut [f64],
        out: &mut Pulled<'_>,
        ctx: &mut Ctx,
    ) {
        let (problem, x, b) = (step.problem, step.x, step.problem.second_marginal());
        let (a, c) = dual.split_at_mut(problem.rows());
        let mut by_kernel = |scaled: &Scalings, ctx: &mut Ctx| {
            let [mut weighted, mut sums] = [c.len(), a.len()].map(|len| ctx.take(len));
            for (((out, c), scaling), b) in weighted.iter_mut().zip(&*c).zip(&scaled.columns).zip(b) {
                *out = c * scaling / b;
            }
            let weight = |i: usize, sum: f64, row: &mut f64| {
                *row = a[i] - scaled.rows[i] * sum;
                scaled.rows[i] / x[i] * *row
            };
            step.state.kernel().pass(problem, &weighted, &mut sums, c, weight, ctx);
            c.iter_mut().zip(&scaled.old_columns).for_each(|(c, scaling)| *c *= -scaling);
            out.x.iter_mut().zip(&sums).zip(x).for_each(|((out, a), x)| *out += problem.eps() / x * a);
            [sums, weighted].into_iter().for_each(|buffer| ctx.give(buffer));
        };
        if !Scalings::with(&step, &mut by_kernel, ctx) {
            let costs = ByCosts(&step);
            costs.shares_of_columns(|i, row| a[i] -= dot(row, c), ctx);
            c.fill(0.0);
            let visit = |i: usize, row: &[f64]| {
                out.x[i] += problem.eps() / x[i] * a[i];
                axpy(-a[i], row, c);
            };
            costs.shares_of_rows(visit, ctx);
        }
        a.fill(0.0);
    }

    fn push(&self, step: Recorded<'_, Transport, SinkhornState>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let (problem, x, b) = (step.problem, step.x, step.problem.second_marginal());
        let (du, dv) = tangent.split_at_mut(problem.rows());
        let along = |i: usize| problem.eps() * dx[i] / x[i];
        let mut by_kernel = |scaled: &Scalings, ctx: &mut Ctx| {
            let mut weighted = ctx.take(dv.len());
            weighted.iter_mut().zip(&*dv).zip(&scaled.old_columns).for_each(|((out, dv), scaling)| *out = dv * scaling);
            let weight = |i: usize, sum: f64, row: &mut f64| {
                *row = along(i) - scaled.rows[i] / x[i] * sum;
                scaled.rows[i] * *row
            };
            step.state.kernel().pass(problem, &weighted, du, dv, weight, ctx);
            dv.iter_mut().zip(&scaled.columns).zip(b).for_each(|((dv, scaling), b)| *dv *= -scaling / b);
            ctx.give(weighted);
        };
        if !Scalings::with(&step, &mut by_kernel, ctx) {
            let costs = ByCosts(&step);
            costs.shares_of_rows(|i, row| du[i] = along(i) - dot(row, dv), ctx);
            dv.fill(0.0);
            costs.shares_of_columns(|i, row| axpy(-du[i], row, dv), ctx);
        }
    }
}

impl Replay<Transport> for Sinkhorn {
    /// z, and the potentials of the kernel, which the bits of the next step depend on.
    fn checkpoint_len(&self, problem: &Transport) -> usize {
        2 * (problem.rows() + problem.second_marginal().len())
    }

    fn save(&self, state: &SinkhornState, checkpoint: &mut [f64]) {
        let (z, reference) = checkpoint.split_at_mut(state.latent().len());
        z.copy_from_slice(state.latent());
        reference.copy_from_slice(state.kernel().reference());
    }

    fn restore(&self, problem: &Transport, x: &[f64], checkpoint: &[f64], state: &mut SinkhornState, ctx: &mut Ctx) {
        state.restore(problem, x, checkpoint.split_at(checkpoint.len() / 2), ctx);
    }

    fn blank(&self, state: &SinkhornState) -> SinkhornState {
        state.clone()
    }
}
