//! What the gradient is taken of: an outer function f(z, x), evaluated at the minimiser z*(x).
//!
//! F(x) = f(z*(x), x). The default, [`Envelope`], is f = L, so that F(x) = l(x) = min_z L(z, x). Any other f makes F a
//! bilevel objective and its gradient a hypergradient; a validation loss is one.

use crate::certificate::Changes;
use crate::ctx::Ctx;
use crate::problem::{Objective, Point};
use crate::solver::{SolveError, check_vector};
use crate::vector::{axpy, dot};

/// An outer function f(z, x) and its first derivatives.
///
/// `at` is a point of the inner problem, with whatever is known there; `problem` is that problem.
pub trait Outer<P: ?Sized>: Sync {
    /// f(z, x). No estimator needs it; whoever optimises or verifies F does.
    fn value(&self, problem: &P, at: Point<'_>, ctx: &mut Ctx) -> f64;

    /// `out = grad_z f(z, x)`, length m.
    fn grad_z(&self, problem: &P, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx);

    /// `out += scale grad_x f(z, x)`, length p.
    fn grad_x(&self, problem: &P, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx);

    /// How far grad_z f and grad_x f can be from what was computed at `at`, over the points whose z is within `radius` of it; `None` where
    /// nothing is known, and gradients are then not certified.
    fn changes_within(&self, _problem: &P, _at: Point<'_>, _radius: f64, _ctx: &mut Ctx) -> Option<Changes> {
        None
    }

    /// Whether f is L itself.
    fn is_envelope(&self) -> bool {
        false
    }
}

/// f = L: the gradient of l(x) = min_z L(z, x).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope;

impl<P: Objective + ?Sized> Outer<P> for Envelope {
    fn value(&self, problem: &P, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        problem.value(at, ctx)
    }

    fn grad_z(&self, problem: &P, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        if at.grad_z.is_empty() {
            problem.grad_z(at.z, at.x, out, &mut [], ctx);
        } else {
            out.copy_from_slice(at.grad_z);
        }
    }

    fn grad_x(&self, problem: &P, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        problem.grad_x(at, scale, out, ctx);
    }

    fn is_envelope(&self) -> bool {
        true
    }
}

/// f(z, x) = <c, z> with c of length m: the gradient is the vector-Jacobian product (dz*/dx)^T c.
///
/// # Panics
///
/// Its gradient panics if c has another length.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear(pub Vec<f64>);

impl<P: ?Sized> Outer<P> for Linear {
    fn value(&self, _: &P, at: Point<'_>, _: &mut Ctx) -> f64 {
        dot(&self.0, at.z)
    }

    fn grad_z(&self, _: &P, _: Point<'_>, out: &mut [f64], _: &mut Ctx) {
        out.copy_from_slice(&self.0);
    }

    fn grad_x(&self, _: &P, _: Point<'_>, _: f64, _: &mut [f64], _: &mut Ctx) {}

    fn changes_within(&self, _: &P, _: Point<'_>, _: f64, _: &mut Ctx) -> Option<Changes> {
        Some(Changes::default())
    }
}

/// f(z, x) = Q(z, y): another objective of the same z, with a parameter y of its own; it does not depend on x. A loss on
/// held-out rows is one, and its gradient says how x should move for that loss to fall.
///
/// # Panics
///
/// Its methods panic if Q is a function of another number of latent variables.
#[derive(Debug)]
pub struct HeldOut<'a, Q: ?Sized> {
    objective: &'a Q,
    parameter: &'a [f64],
}

impl<Q: ?Sized> Clone for HeldOut<'_, Q> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q: ?Sized> Copy for HeldOut<'_, Q> {}

impl<'a, Q: Objective + ?Sized> HeldOut<'a, Q> {
    /// Q(z, y) with Q = `objective` and y = `parameter`.
    ///
    /// # Errors
    ///
    /// [`SolveError`] if y has the wrong length or is not finite.
    pub fn new(objective: &'a Q, parameter: &'a [f64]) -> Result<Self, SolveError> {
        check_vector("the parameter of the outer function", objective.parameter_len(), parameter)?;
        Ok(Self { objective, parameter })
    }
}

impl<P: ?Sized, Q: Objective + ?Sized> Outer<P> for HeldOut<'_, Q> {
    fn value(&self, _: &P, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        self.objective.value(Point::new(at.z, self.parameter), ctx)
    }

    fn grad_z(&self, _: &P, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        self.objective.grad_z(at.z, self.parameter, out, &mut [], ctx);
    }

    fn grad_x(&self, _: &P, _: Point<'_>, _: f64, _: &mut [f64], _: &mut Ctx) {}

    fn changes_within(&self, _: &P, at: Point<'_>, radius: f64, ctx: &mut Ctx) -> Option<Changes> {
        let changes = self.objective.changes_within(Point::new(at.z, self.parameter), radius, ctx)?;
        Some(Changes { grad_x: 0.0, ..changes })
    }
}

/// f(z, x) = Q(z, x) - L(z, x): another objective of the same z and x, less that of the problem.
///
/// With l_Q(x) = min_z Q(z, x), the gradient of F is that of l_Q - l to first order in Q - L, as min_z Q is Q at z* to first
/// order: what the gradient of l would change by if L were Q. [`Design::rounded`](crate::design::Design::rounded) makes one L of
/// another.
///
/// # Panics
///
/// Its methods panic if Q is a function of other numbers of variables.
#[derive(Debug)]
pub struct Discrepancy<'a, Q: ?Sized> {
    objective: &'a Q,
}

impl<Q: ?Sized> Clone for Discrepancy<'_, Q> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q: ?Sized> Copy for Discrepancy<'_, Q> {}

impl<'a, Q: Objective + ?Sized> Discrepancy<'a, Q> {
    /// Q - L with Q = `objective`.
    #[must_use]
    pub fn new(objective: &'a Q) -> Self {
        Self { objective }
    }
}

impl<P: Objective + ?Sized, Q: Objective + ?Sized> Outer<P> for Discrepancy<'_, Q> {
    fn value(&self, problem: &P, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        self.objective.value(Point::new(at.z, at.x), ctx) - problem.value(at, ctx)
    }

    fn grad_z(&self, problem: &P, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        let mut part = ctx.take(out.len());
        Envelope.grad_z(problem, at, &mut part, ctx);
        self.objective.grad_z(at.z, at.x, out, &mut [], ctx);
        axpy(-1.0, &part, out);
        ctx.give(part);
    }

    fn grad_x(&self, problem: &P, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        self.objective.grad_x(Point::new(at.z, at.x), scale, out, ctx);
        problem.grad_x(at, -scale, out, ctx);
    }

    fn changes_within(&self, problem: &P, at: Point<'_>, radius: f64, ctx: &mut Ctx) -> Option<Changes> {
        let of_q = self.objective.changes_within(Point::new(at.z, at.x), radius, ctx)?;
        let of_l = problem.changes_within(at, radius, ctx)?;
        Some(Changes { grad_z: of_q.grad_z + of_l.grad_z, grad_x: of_q.grad_x + of_l.grad_x })
    }
}
