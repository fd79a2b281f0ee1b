//! The rule of Sinkhorn's algorithm, recorded by the old v and the new u. With R the shares of the rows of the plan at (new u, old v), S those of its columns at
//! (new u, new v):
//!
//! ```text
//! forwards, (du, dv) with dx     du <- eps dx / x - R dv;  dv <- -S^T du
//! backwards, (a, c)              a <- a - S c;  x += eps a / x;  c <- -R^T a;  a <- 0
//! ```

use danskin_core::ctx::Ctx;
use danskin_core::problem::transport::Transport;
use danskin_core::solver::{Sinkhorn, SinkhornState, SolveError, Solver, State, Step};
use danskin_core::vector::{axpy, dot};

use crate::replay::Replay;
use crate::rule::{Pulled, Recorded, Unroll};

/// `with(i, S_i)` for the rows of S.
fn shares_of_columns(problem: &Transport, u: &[f64], with: impl FnMut(usize, &[f64]), ctx: &mut Ctx) {
    let mut v = ctx.take(problem.second_marginal().len());
    problem.soft_columns(u, &mut v, ctx);
    v.iter_mut().for_each(|v| *v = -*v);
    problem.each_row_of_plan(u, &v, with, ctx);
    ctx.give(v);
}

/// `with(i, R_i)` for the rows of R: u is the new one, of which each row of the plan sums to x_i.
fn shares_of_rows(step: &Recorded<'_, Transport, SinkhornState>, mut with: impl FnMut(usize, &[f64]), ctx: &mut Ctx) {
    let (problem, (u, v)) = (step.problem, step.record.split_at(step.problem.rows()));
    let mut soft = ctx.take(u.len());
    // The new u is eps log x less the soft minimum that R is scaled by.
    soft.iter_mut().zip(u).zip(step.x).for_each(|((soft, u), x)| *soft = u - problem.eps() * x.ln());
    problem.each_row_of_plan(&soft, v, |i, row| with(i, row), ctx);
    ctx.give(soft);
}

impl Unroll<Transport> for Sinkhorn {
    fn step_recorded(
        &self,
        problem: &Transport,
        x: &[f64],
        state: &mut SinkhornState,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let (u, v) = record.split_at_mut(problem.rows());
        v.copy_from_slice(&state.latent()[problem.rows()..]);
        let step = self.step(problem, x, state, ctx)?;
        u.copy_from_slice(&state.latent()[..problem.rows()]);
        Ok(step)
    }

    fn pull(
        &self,
        step: Recorded<'_, Transport, SinkhornState>,
        dual: &mut [f64],
        out: &mut Pulled<'_>,
        ctx: &mut Ctx,
    ) {
        let (problem, rows) = (step.problem, step.problem.rows());
        let (a, c) = dual.split_at_mut(rows);
        shares_of_columns(problem, &step.record[..rows], |i, row| a[i] -= dot(row, c), ctx);
        c.fill(0.0);
        let visit = |i: usize, row: &[f64]| {
            out.x[i] += problem.eps() / step.x[i] * a[i];
            axpy(-a[i], row, c);
        };
        shares_of_rows(&step, visit, ctx);
        a.fill(0.0);
    }

    fn push(&self, step: Recorded<'_, Transport, SinkhornState>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let (problem, rows) = (step.problem, step.problem.rows());
        let (du, dv) = tangent.split_at_mut(rows);
        shares_of_rows(&step, |i, row| du[i] = problem.eps() * dx[i] / step.x[i] - dot(row, dv), ctx);
        dv.fill(0.0);
        shares_of_columns(problem, &step.record[..rows], |i, row| axpy(-du[i], row, dv), ctx);
    }
}

impl Replay<Transport> for Sinkhorn {
    fn checkpoint_len(&self, problem: &Transport) -> usize {
        problem.rows() + problem.second_marginal().len()
    }

    fn save(&self, state: &SinkhornState, checkpoint: &mut [f64]) {
        checkpoint.copy_from_slice(state.latent());
    }

    fn restore(&self, problem: &Transport, x: &[f64], checkpoint: &[f64], state: &mut SinkhornState, ctx: &mut Ctx) {
        state.restore(problem, x, checkpoint, ctx);
    }

    fn blank(&self, state: &SinkhornState) -> SinkhornState {
        state.clone()
    }
}
