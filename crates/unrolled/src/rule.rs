//! The rule of a solver: how one of its steps is recorded and differentiated.

use danskin_core::ctx::Ctx;
use danskin_core::problem::Objective;
use danskin_core::solver::{SolveError, Solver, State, Step};

/// A step to differentiate.
#[derive(Debug)]
pub struct Recorded<'a, P: ?Sized, T> {
    /// The problem.
    pub problem: &'a P,
    /// The parameter, length p.
    pub x: &'a [f64],
    /// The solver's state: at z_T in reverse mode, just after the step in forward mode. Only for what is the same at
    /// every step, a step size for instance.
    pub state: &'a T,
    /// t, for the step from t to t + 1.
    pub index: usize,
    /// What [`Unroll::step_recorded`] wrote at this step.
    pub record: &'a [f64],
}

/// What a reverse pass sums up.
#[derive(Debug)]
pub struct Pulled<'a> {
    /// The derivative in x, length p.
    pub x: &'a mut [f64],
    /// s with which z_T - s is nearer to z* than z_T: `+= rho a` of each step that adds `-rho L_xz a` to the derivative in x. Length m; a
    /// rule that has no such form leaves it as it is.
    pub shift: &'a mut [f64],
}

/// The derivative of one whole step of a solver, z_{t+1} = A(z_t, x), momentum and inner blocks included.
///
/// A solver that carries more than z_t (a momentum) has tangents and duals longer than m; the part of z comes first.
/// Settings that depend on x (a step 1/L(x)) are held constant. By default a step is recorded by z_t.
#[diagnostic::on_unimplemented(
    message = "the iterations of `{Self}` cannot be differentiated",
    note = "implement `Unroll` for it, or take an estimator that needs z_T alone: `Analytic`, `Implicit`"
)]
pub trait Unroll<P: Objective + ?Sized>: Solver<P> {
    /// Backwards: `out.x += (dA/dx)^T dual`, then `dual <- (dA/dz)^T dual`, both at the old dual; and `out.shift`, as [`Pulled`] says.
    fn pull(&self, step: Recorded<'_, P, Self::State>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx);

    /// Forwards: `tangent <- dA/dz tangent + dA/dx dx`, with `dx` of length p.
    fn push(&self, step: Recorded<'_, P, Self::State>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx);

    /// Length of a tangent, and of a dual: m, or more.
    fn tangent_len(&self, problem: &P) -> usize {
        problem.latent_len()
    }

    /// Numbers to record a step.
    fn record_len(&self, problem: &P) -> usize {
        problem.latent_len()
    }

    /// Takes a step with exactly the result of [`Solver::step`], and writes what its derivative needs to `record`.
    ///
    /// # Errors
    ///
    /// Those of the step.
    fn step_recorded(
        &self,
        problem: &P,
        x: &[f64],
        state: &mut Self::State,
        record: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        record.copy_from_slice(state.latent());
        self.step(problem, x, state, ctx)
    }
}
