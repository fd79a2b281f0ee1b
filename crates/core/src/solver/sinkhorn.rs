//! Sinkhorn's algorithm, in the log domain: each potential in turn is set to where the derivative in it is 0.
//!
//! ```text
//! u_i <- eps log x_i - eps logsumexp_j((v_j - C_ij) / eps)
//! v_j <- eps log b_j - eps logsumexp_i((u_i - C_ij) / eps)
//! ```
//!
//! Potentials are what is kept, and no exponential of one overflows, but in the gradient at a z_0 that is far from every plan, so that eps may be as small as one likes; the number of steps grows as it shrinks. Sums are products
//! with a [`Kernel`] near the potentials, one pass over it a step: what the next u needs tells the residual at this one, and what the next v needs is added up row by row
//! as soon as u is known there. A step that the kernel is too far from is taken in the log domain, and the kernel moves to where it ends.
//!
//! Source: R. Sinkhorn, A relationship between arbitrary positive matrices and doubly stochastic matrices, Annals of Mathematical Statistics 35, 1964; in the log
//! domain, Peyré and Cuturi 2019, section 4.4.

use super::{SolveError, Solver, State, Step};
use crate::ctx::Ctx;
use crate::problem::Objective;
use crate::problem::transport::{Kernel, Transport, are_scalings, are_sums, check_masses};
use crate::simd::{Loop, ln, widest};
use crate::vector::{axpy, norm};

/// Sinkhorn's algorithm, for [`Transport`]. It needs no step size, and starts at v alone.
///
/// [`State::residual`] is ‖grad_z L‖ after each step, where the columns of the plan have the sums b. At z_0 the plan may be of any size, and overflow: there its
/// rows' part is that of each mass, x_i at the most, and its columns' part that of the plan at the u of the first step. A constant added to costs or potentials that is
/// large against eps changes neither what is relative to it nor anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sinkhorn;

/// Where Sinkhorn's algorithm stands. It holds a kernel, n k numbers.
#[derive(Clone, Debug)]
pub struct SinkhornState {
    z: Vec<f64>,
    grad_z: Vec<f64>,
    kernel: Kernel,
    /// b, length k: the scalings of the columns of the kernel at v.
    scaling: Vec<f64>,
    /// K b, length n.
    of_rows: Vec<f64>,
    /// K^T a, length k, with a the scalings of its rows at the next u.
    of_columns: Vec<f64>,
    residual: f64,
}

impl SinkhornState {
    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Stands at (u, v) = `z` as after a step there, the kernel at `reference`.
    pub fn restore(&mut self, problem: &Transport, x: &[f64], (z, reference): (&[f64], &[f64]), ctx: &mut Ctx) {
        self.z.copy_from_slice(z);
        self.kernel.move_to(problem, reference, ctx);
        self.settle(problem, x, ctx);
    }

    /// The gradient at z_0, of which nothing is known, infinite where the plan there overflows; the kernel stands at its v.
    fn start(&mut self, problem: &Transport, x: &[f64], ctx: &mut Ctx) {
        let Self { z, grad_z, kernel, scaling, .. } = self;
        let mut rows = ctx.take(problem.rows());
        if kernel.scale_rows(problem, &z[..problem.rows()], &mut rows) {
            let (of_u, of_v) = grad_z.split_at_mut(problem.rows());
            scaling.fill(1.0);
            let weight = |i: usize, sum: f64, row: &mut f64| {
                *row = rows[i] * sum - x[i];
                rows[i]
            };
            kernel.pass(problem, scaling, of_u, of_v, weight, ctx);
            axpy(-1.0, problem.second_marginal(), of_v);
        } else {
            problem.grad_z(z, x, grad_z, &mut [], ctx);
        }
        ctx.give(rows);
    }

    /// ‖(x_i min(1, |exp((u_i - u*_i) / eps) - 1|), P(u*, v)^T 1 - b)‖ at z = (u, v), u* the u of the first step; the sums for that step are known.
    fn residual_at_start(&self, problem: &Transport, x: &[f64], ctx: &mut Ctx) -> f64 {
        let (u, v) = self.z.split_at(problem.rows());
        let [mut parts, mut best] = [self.z.len(), u.len()].map(|len| ctx.take(len));
        let reference = &self.kernel.reference()[..u.len()];
        for (((out, mass), sum), reference) in best.iter_mut().zip(x).zip(&self.of_rows).zip(reference) {
            *out = reference + problem.eps() * (mass / sum).ln();
        }
        let (of_u, of_v) = parts.split_at_mut(u.len());
        for (((out, u), best), x) in of_u.iter_mut().zip(u).zip(&best).zip(x) {
            // An exponential that overflows is infinite, and the minimum is 1.
            *out = x * ((u - best) / problem.eps()).exp_m1().abs().min(1.0);
        }
        if self.is_near(problem, x) {
            of_v.iter_mut().zip(&self.of_columns).zip(&self.scaling).for_each(|((out, sum), b)| *out = sum * b);
        } else {
            of_v.fill(0.0);
            problem.each_row_of_plan(&best, v, |_, row| axpy(1.0, row, of_v), ctx);
        }
        axpy(-1.0, problem.second_marginal(), of_v);
        let residual = norm(&parts);
        [best, parts].into_iter().for_each(|buffer| ctx.give(buffer));
        residual
    }

    /// The sums that the next step needs.
    fn sum(&mut self, problem: &Transport, x: &[f64], ctx: &mut Ctx) {
        let Self { z, kernel, scaling, of_rows, of_columns, .. } = self;
        if !kernel.scale_columns(problem, &z[problem.rows()..], scaling) {
            kernel.move_to(problem, z, ctx);
            scaling.fill(1.0);
        }
        let next = |i: usize, sum: f64, row: &mut f64| {
            *row = sum;
            x[i] / sum
        };
        kernel.pass(problem, scaling, of_rows, of_columns, next, ctx);
    }

    /// These, and the gradient at z, where that in v is 0.
    fn settle(&mut self, problem: &Transport, x: &[f64], ctx: &mut Ctx) {
        self.sum(problem, x, ctx);
        let (of_u, of_v) = self.grad_z.split_at_mut(problem.rows());
        // Far from the kernel too: a residual that overflows says so.
        let _ = self.kernel.scale_rows(problem, &self.z[..of_u.len()], of_u);
        for ((out, sum), x) in of_u.iter_mut().zip(&self.of_rows).zip(x) {
            *out = *out * sum - x;
        }
        of_v.fill(0.0);
        self.residual = norm(&self.grad_z);
    }

    /// Whether the sums are what they would be of the plan, and the scalings that make up for them can be relied on.
    fn is_near(&self, problem: &Transport, x: &[f64]) -> bool {
        let near = |marginal: &[f64], sums: &[f64]| {
            are_sums(sums) && are_scalings(marginal.iter().zip(sums).map(|(mass, sum)| mass / sum))
        };
        near(x, &self.of_rows) && near(problem.second_marginal(), &self.of_columns)
    }
}

/// The potentials that make up for `sums` = K b or K^T a.
struct Balance<'a> {
    marginal: &'a [f64],
    sums: &'a [f64],
    reference: &'a [f64],
    eps: f64,
    out: &'a mut [f64],
}

impl Loop for Balance<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { marginal, sums, reference, eps, out } = self;
        for (((out, mass), sum), reference) in out.iter_mut().zip(marginal).zip(sums).zip(reference) {
            *out = reference + eps * ln(mass / sum);
        }
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

/// u at which the rows of the plan have the sums x, in the log domain.
fn best_u(problem: &Transport, x: &[f64], z: &mut [f64], ctx: &mut Ctx) {
    let (u, v) = z.split_at_mut(problem.rows());
    problem.soft_rows(v, u, ctx);
    u.iter_mut().zip(x).for_each(|(u, x)| *u = problem.eps() * x.ln() - *u);
}

/// v at which its columns have the sums b, in the log domain.
fn best_v(problem: &Transport, z: &mut [f64], ctx: &mut Ctx) {
    let (u, v) = z.split_at_mut(problem.rows());
    problem.soft_columns(u, v, ctx);
    v.iter_mut().zip(problem.second_marginal()).for_each(|(v, b)| *v = problem.eps() * b.ln() - *v);
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
        check_masses(x)?;
        let (rows, columns) = (problem.rows(), problem.second_marginal().len());
        let [of_rows, of_columns, scaling] = [rows, columns, columns].map(|len| vec![0.0; len]);
        // The largest entry of each row of the kernel is 1.
        let mut reference = initial.to_vec();
        let (of_u, of_v) = reference.split_at_mut(rows);
        problem.largest_rows(of_v, of_u, ctx);
        of_u.iter_mut().for_each(|u| *u = -*u);
        let kernel = Kernel::new(problem, reference, ctx);
        let (z, grad_z) = (initial.to_vec(), vec![0.0; problem.latent_len()]);
        let mut state = SinkhornState { z, grad_z, kernel, scaling, of_rows, of_columns, residual: 0.0 };
        state.start(problem, x, ctx);
        state.sum(problem, x, ctx);
        state.residual = state.residual_at_start(problem, x, ctx);
        Ok(state)
    }

    fn step(
        &self,
        problem: &Transport,
        x: &[f64],
        state: &mut SinkhornState,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        if state.is_near(problem, x) {
            let eps = problem.eps();
            let (of_u, of_v) = state.kernel.reference().split_at(problem.rows());
            let (u, v) = state.z.split_at_mut(problem.rows());
            widest(Balance { marginal: x, sums: &state.of_rows, reference: of_u, eps, out: u });
            let marginal = problem.second_marginal();
            widest(Balance { marginal, sums: &state.of_columns, reference: of_v, eps, out: v });
        } else {
            best_u(problem, x, &mut state.z, ctx);
            best_v(problem, &mut state.z, ctx);
            state.kernel.move_to(problem, &state.z, ctx);
        }
        state.settle(problem, x, ctx);
        Ok(Step::Advanced)
    }
}
