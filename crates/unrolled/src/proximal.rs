//! The rules of proximal gradient descent, s_{t+1} = prox(y_t - rho grad F(y_t)), y_{t+1} = s_{t+1} + beta (s_{t+1} - s_t).
//!
//! With R = I - rho F_zz and N = -rho F_zx at y_t, and Q, K the derivatives of prox in its argument and in x at s_{t+1}:
//!
//! | | forwards, with dx | backwards |
//! |---|---|---|
//! | ISTA | a <- Q (R a + N dx) + K dx | x += K^T a; q = Q^T a; x += N^T q; a <- R q |
//! | FISTA, (a of s, c of y) | q = Q (R c + N dx) + K dx; (a, c) <- (q, (1 + beta) q - beta a) | q = a + (1 + beta) c; x += K^T q; q <- Q^T q; x += N^T q; (a, c) <- (-beta c, R q) |
//!
//! Recorded are s_{t+1}, whose support says where prox has a derivative other than 0, beta, and the point y_t unless F is quadratic with constant F_xz.
//!
//! Source: Malezieux, Moreau, Kowalski, Understanding approximate and unrolled dictionary learning for pattern recovery, ICLR 2022.

use danskin_core::ctx::Ctx;
use danskin_core::problem::Point;
use danskin_core::problem::composite::Composite;
use danskin_core::solver::{Fista, Ista, ProximalState, SolveError, Solver, Step};

use crate::gradient_descent;
use crate::recorded_point::{point_len, read_point, write_point};
use crate::replay::Replay;
use crate::rule::{Pulled, Recorded, Unroll};

/// A recorded step: y_t, s_{t+1} and beta.
struct Taken<'a> {
    ahead: Point<'a>,
    next: &'a [f64],
    beta: f64,
}

fn record_len<P: Composite + ?Sized>(problem: &P) -> usize {
    point_len(problem.smooth()) + problem.latent_len() + 1
}

fn step_recorded<P: Composite + ?Sized, S: Solver<P, State = ProximalState>>(
    solver: &S,
    problem: &P,
    x: &[f64],
    state: &mut ProximalState,
    record: &mut [f64],
    ctx: &mut Ctx,
) -> Result<Step, SolveError> {
    use danskin_core::solver::State;
    let (point, after) = record.split_at_mut(point_len(problem.smooth()));
    write_point(problem.smooth(), state.ahead(x), point);
    let step = solver.step(problem, x, state, ctx)?;
    let (next, beta) = after.split_at_mut(problem.latent_len());
    next.copy_from_slice(state.latent());
    beta[0] = state.beta();
    Ok(step)
}

fn taken<'a, P: Composite + ?Sized>(step: &Recorded<'a, P, ProximalState>) -> Taken<'a> {
    let smooth = step.problem.smooth();
    let (point, after) = step.record.split_at(point_len(smooth));
    let (next, beta) = after.split_at(step.problem.latent_len());
    Taken { ahead: read_point(smooth, point, step.state.ahead(step.x)), next, beta: beta[0] }
}

/// Through prox and then through the step of F: `dual` is that of s_{t+1}, and becomes that of y_t.
fn pull<P: Composite + ?Sized>(
    step: &Recorded<'_, P, ProximalState>,
    taken: &Taken<'_>,
    dual: &mut [f64],
    out: &mut Pulled<'_>,
    ctx: &mut Ctx,
) {
    let rho = step.state.rho();
    step.problem.prox_pull(rho, step.x, taken.next, dual, out.x);
    gradient_descent::pull(step.problem.smooth(), taken.ahead, rho, dual, out, ctx);
}

fn push<P: Composite + ?Sized>(
    step: &Recorded<'_, P, ProximalState>,
    taken: &Taken<'_>,
    dx: &[f64],
    tangent: &mut [f64],
    ctx: &mut Ctx,
) {
    let rho = step.state.rho();
    gradient_descent::push(step.problem.smooth(), taken.ahead, rho, dx, tangent, ctx);
    step.problem.prox_push(rho, step.x, taken.next, dx, tangent);
}

impl<P: Composite + ?Sized> Unroll<P> for Ista {
    fn record_len(&self, problem: &P) -> usize {
        record_len(problem)
    }

    fn step_recorded(
        &self,
        problem: &P,
        x: &[f64],
        state: &mut ProximalState,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        step_recorded(self, problem, x, state, record, ctx)
    }

    fn pull(&self, step: Recorded<'_, P, ProximalState>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        pull(&step, &taken(&step), dual, out, ctx);
    }

    fn push(&self, step: Recorded<'_, P, ProximalState>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        push(&step, &taken(&step), dx, tangent, ctx);
    }
}

impl<P: Composite + ?Sized> Unroll<P> for Fista {
    fn tangent_len(&self, problem: &P) -> usize {
        2 * problem.latent_len()
    }

    fn record_len(&self, problem: &P) -> usize {
        record_len(problem)
    }

    fn step_recorded(
        &self,
        problem: &P,
        x: &[f64],
        state: &mut ProximalState,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        step_recorded(self, problem, x, state, record, ctx)
    }

    fn pull(&self, step: Recorded<'_, P, ProximalState>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {
        let taken = taken(&step);
        let (a, c) = dual.split_at_mut(dual.len() / 2);
        for (a, c) in a.iter_mut().zip(&mut *c) {
            (*a, *c) = (-taken.beta * *c, *a + (1.0 + taken.beta) * *c);
        }
        pull(&step, &taken, c, out, ctx);
    }

    fn push(&self, step: Recorded<'_, P, ProximalState>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {
        let taken = taken(&step);
        let (a, c) = tangent.split_at_mut(tangent.len() / 2);
        push(&step, &taken, dx, c, ctx);
        for (a, c) in a.iter_mut().zip(c) {
            (*a, *c) = (*c, (1.0 + taken.beta) * *c - taken.beta * *a);
        }
    }
}

macro_rules! replayed {
    ($($solver:ty: $inert:literal,)*) => {
        $(impl<P: Composite + ?Sized> Replay<P> for $solver {
            fn checkpoint_len(&self, problem: &P) -> usize {
                ProximalState::checkpoint_len(problem.latent_len(), $inert)
            }

            fn save(&self, state: &ProximalState, checkpoint: &mut [f64]) {
                state.save(checkpoint);
            }

            fn restore(&self, problem: &P, x: &[f64], checkpoint: &[f64], state: &mut ProximalState, ctx: &mut Ctx) {
                state.restore(problem, x, checkpoint, ctx);
            }

            fn blank(&self, state: &ProximalState) -> ProximalState {
                state.clone()
            }

            fn state_len(&self, problem: &P) -> usize {
                let (m, n) = (problem.latent_len(), problem.memo_len());
                if $inert { 4 * m + 2 * n } else { 4 * m + n }
            }
        })*
    };
}

replayed! {
    Ista: false,
    Fista: true,
}
