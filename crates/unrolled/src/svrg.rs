//! The rule of SVRG, with the terms of the step drawn again, z_t and w recorded.
//!
//! A step carries three vectors, z, w and mu = grad_z L(w, x), and so do its tangents and duals, in this order: mu changes where w does, so that one step of an
//! epoch takes a product with L_zz and the others those with the terms of B, as many passes as the steps themselves. With H and K for L_zz and L_xz,
//! H_B and K_B for those of L_B:
//!
//! ```text
//! w <- z there, forwards with dx    c <- a;  e <- H(w) c + K(w)^T dx;  a <- a - rho e
//! elsewhere                         a <- a - rho (H_B(z) a + K_B(z)^T dx - H_B(w) c - K_B(w)^T dx + e)
//! w <- z there, backwards           e <- e - rho a;  x += K(w) e;  a <- a + c + H(w) e;  c <- 0;  e <- 0
//! elsewhere                         e <- e - rho a;  x += rho (K_B(w) - K_B(z)) a;  c <- c + rho H_B(w) a;  a <- a - rho H_B(z) a
//! ```

use danskin_core::ctx::Ctx;
use danskin_core::problem::{Batch, FiniteSum, Point};
use danskin_core::solver::{SolveError, Solver, State, Step, Svrg, SvrgState};
use danskin_core::vector::axpy;

use crate::replay::Replay;
use crate::rule::{Pulled, Recorded, Unroll};
use crate::terms::with_terms;

/// The parts of a tangent or of a dual: of z, w and mu.
fn parts(vector: &mut [f64]) -> [&mut [f64]; 3] {
    let (a, rest) = vector.split_at_mut(vector.len() / 3);
    let (c, e) = rest.split_at_mut(a.len());
    [a, c, e]
}

impl<P: FiniteSum + ?Sized> Unroll<P> for Svrg {
    fn tangent_len(&self, problem: &P) -> usize {
        3 * problem.latent_len()
    }

    fn record_len(&self, problem: &P) -> usize {
        2 * problem.latent_len()
    }

    fn step_recorded(
        &self,
        problem: &P,
        x: &[f64],
        state: &mut SvrgState,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let (z, anchor) = record.split_at_mut(problem.latent_len());
        z.copy_from_slice(state.latent());
        anchor.copy_from_slice(state.anchor());
        self.step(problem, x, state, ctx)
    }

    fn pull(&self, step: Recorded<'_, P, SvrgState>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        let (problem, rho, terms) = (step.problem, self.step_len(), step.problem.terms());
        let (z, anchor) = step.record.split_at(problem.latent_len());
        let [a, c, e] = parts(dual);
        axpy(-rho, a, e);
        let mut hess = ctx.take(a.len());
        if self.is_anchor(step.index, terms) {
            problem.hess_cross(Point::new(anchor, step.x), e, &mut hess, 1.0, out.x, ctx);
            axpy(1.0, c, a);
            axpy(1.0, &hess, a);
            c.fill(0.0);
            e.fill(0.0);
        } else {
            with_terms(self.draws(), step.index, terms, |terms| {
                let of = |z| Batch { terms, at: Point::new(z, step.x) };
                problem.batch_hess_cross(of(anchor), a, &mut hess, rho, out.x, ctx);
                axpy(rho, &hess, c);
                problem.batch_hess_cross(of(z), a, &mut hess, -rho, out.x, ctx);
                axpy(-rho, &hess, a);
            });
        }
        ctx.give(hess);
    }

    fn push(&self, step: Recorded<'_, P, SvrgState>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let (problem, rho, terms) = (step.problem, self.step_len(), step.problem.terms());
        let (z, anchor) = step.record.split_at(problem.latent_len());
        let [a, c, e] = parts(tangent);
        if self.is_anchor(step.index, terms) {
            c.copy_from_slice(a);
            problem.grad_z_tangent(Point::new(anchor, step.x), c, dx, e, ctx);
        } else {
            let mut change = ctx.take(a.len());
            with_terms(self.draws(), step.index, terms, |terms| {
                let of = |z| Batch { terms, at: Point::new(z, step.x) };
                problem.batch_grad_z_tangent(of(z), a, dx, &mut change, ctx);
                axpy(-rho, &change, a);
                problem.batch_grad_z_tangent(of(anchor), c, dx, &mut change, ctx);
                axpy(rho, &change, a);
            });
            ctx.give(change);
        }
        axpy(-rho, e, a);
    }
}

impl<P: FiniteSum + ?Sized> Replay<P> for Svrg {
    /// With the gradient at w, which would take as long as many steps to compute again.
    fn checkpoint_len(&self, problem: &P) -> usize {
        3 * problem.latent_len() + 1
    }

    fn save(&self, state: &SvrgState, checkpoint: &mut [f64]) {
        let (steps, vectors) = checkpoint.split_at_mut(1);
        let [z, anchor, gradient] = parts(vectors);
        steps[0] = state.steps() as f64;
        z.copy_from_slice(state.latent());
        anchor.copy_from_slice(state.anchor());
        gradient.copy_from_slice(state.gradient());
    }

    fn restore(&self, problem: &P, _: &[f64], checkpoint: &[f64], state: &mut SvrgState, _: &mut Ctx) {
        let (m, vectors) = (problem.latent_len(), &checkpoint[1..]);
        // A whole number below 2^53.
        state.restore(&vectors[..m], &vectors[m..2 * m], &vectors[2 * m..], checkpoint[0] as usize);
    }

    fn blank(&self, state: &SvrgState) -> SvrgState {
        state.clone()
    }

    fn state_len(&self, problem: &P) -> usize {
        self.checkpoint_len(problem) + self.draws().batch_len()
    }

    fn restore_steps(&self) -> usize {
        0
    }
}
