//! What the gradient is taken of: an outer function f(z, x), evaluated at the minimiser z*(x).
//!
//! F(x) = f(z*(x), x). The default, [`Envelope`], is f = L, so that F(x) = l(x) = min_z L(z, x). Any other f makes F a
//! bilevel objective and its gradient a hypergradient; a validation loss is one.

use crate::ctx::Ctx;
use crate::problem::{Objective, Point};

/// The first derivatives of an outer function f(z, x); its value is not needed.
///
/// `at` is a point of the inner problem, with whatever is known there; `problem` is that problem.
pub trait Outer<P: ?Sized>: Sync {
    /// `out = grad_z f(z, x)`, length m.
    fn grad_z(&self, problem: &P, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx);

    /// `out += scale grad_x f(z, x)`, length p.
    fn grad_x(&self, problem: &P, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx);
}

/// f = L: the gradient of l(x) = min_z L(z, x).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope;

impl<P: Objective + ?Sized> Outer<P> for Envelope {
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
}

/// f(z, x) = <c, z> with c of length m: the gradient is the vector-Jacobian product (dz*/dx)^T c.
///
/// # Panics
///
/// Its gradient panics if c has another length.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear(pub Vec<f64>);

impl<P: ?Sized> Outer<P> for Linear {
    fn grad_z(&self, _: &P, _: Point<'_>, out: &mut [f64], _: &mut Ctx) {
        out.copy_from_slice(&self.0);
    }

    fn grad_x(&self, _: &P, _: Point<'_>, _: f64, _: &mut [f64], _: &mut Ctx) {}
}
