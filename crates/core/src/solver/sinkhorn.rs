//! Sinkhorn's algorithm, in the log domain: each potential in turn is set to where the derivative in it is 0.
//!
//! ```text
//! u_i <- eps log x_i - eps logsumexp_j((v_j - C_ij) / eps)
//! v_j <- eps log b_j - eps logsumexp_i((u_i - C_ij) / eps)
//! ```
//!
//! No number is scaled by an exponential that could overflow, so that eps may be as small as one likes; the number of steps grows as it shrinks. Two reads of
//! the costs a step: what the next u needs tells the residual at this one.
//!
//! Source: R. Sinkhorn, A relationship between arbitrary positive matrices and doubly stochastic matrices, Annals of Mathematical Statistics 35, 1964; in the log
//! domain, Peyré and Cuturi 2019, section 4.4.

use super::{SolveError, Solver, State, Step};
use crate::ctx::Ctx;
use crate::problem::Objective;
use crate::problem::transport::Transport;
use crate::vector::norm;

/// Sinkhorn's algorithm, for [`Transport`]. It needs no step size, and starts at v alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sinkhorn;

/// Where Sinkhorn's algorithm stands.
#[derive(Clone, Debug)]
pub struct SinkhornState {
    z: Vec<f64>,
    grad_z: Vec<f64>,
    /// eps logsumexp_j((v_j - C_ij) / eps), of length n.
    soft: Vec<f64>,
    residual: f64,
}

impl SinkhornState {
    /// Stands at (u, v) = `z` as after a step there.
    pub fn restore(&mut self, problem: &Transport, x: &[f64], z: &[f64], ctx: &mut Ctx) {
        self.z.copy_from_slice(z);
        problem.soft_rows(&z[problem.rows()..], &mut self.soft, ctx);
        self.settle(problem, x);
    }

    /// The gradient at z, where that in v is 0.
    fn settle(&mut self, problem: &Transport, x: &[f64]) {
        let (of_rows, of_columns) = self.grad_z.split_at_mut(problem.rows());
        for (((out, u), soft), x) in of_rows.iter_mut().zip(&self.z).zip(&self.soft).zip(x) {
            *out = ((u + soft) / problem.eps()).exp() - x;
        }
        of_columns.fill(0.0);
        self.residual = norm(&self.grad_z);
    }
}

impl State for SinkhornState {
    fn latent(&self) -> &[f64] {
        &self.z
    }

    fn grad_z(&self) -> &[f64] {
        &self.grad_z
    }

    fn residual(&self) -> f64 {
        self.residual
    }
}

impl Solver<Transport> for Sinkhorn {
    type State = SinkhornState;

    fn init(
        &self,
        problem: &Transport,
        x: &[f64],
        initial: &[f64],
        ctx: &mut Ctx,
    ) -> Result<SinkhornState, SolveError> {
        if let Some(position) = x.iter().position(|mass| *mass <= 0.0) {
            return Err(SolveError::NotPositive { what: "x", position, value: x[position] });
        }
        let (mut grad_z, mut soft) = (vec![0.0; problem.latent_len()], vec![0.0; problem.rows()]);
        problem.grad_z(initial, x, &mut grad_z, &mut [], ctx);
        problem.soft_rows(&initial[problem.rows()..], &mut soft, ctx);
        let residual = norm(&grad_z);
        Ok(SinkhornState { z: initial.to_vec(), grad_z, soft, residual })
    }

    fn step(
        &self,
        problem: &Transport,
        x: &[f64],
        state: &mut SinkhornState,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let eps = problem.eps();
        let (u, v) = state.z.split_at_mut(problem.rows());
        for ((u, soft), x) in u.iter_mut().zip(&state.soft).zip(x) {
            *u = eps * x.ln() - soft;
        }
        problem.soft_columns(u, v, ctx);
        for (v, b) in v.iter_mut().zip(problem.second_marginal()) {
            *v = eps * b.ln() - *v;
        }
        problem.soft_rows(v, &mut state.soft, ctx);
        state.settle(problem, x);
        Ok(Step::Advanced)
    }
}
