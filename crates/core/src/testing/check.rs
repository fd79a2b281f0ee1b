//! Every product of a problem against finite differences ([`derivative`]) and against the other products.
//!
//! [`Differences::SMOOTH`] leaves room for losses whose fourth derivative is large. Identities between products hold to
//! rounding.

use std::convert::Infallible;

use thiserror::Error;

use super::{Differences, derivative, random, step};
use crate::ctx::Ctx;
use crate::problem::{AssembleHessian, Point, Problem};
use crate::vector::{distance, dot, max_abs, norm};

/// Relative error allowed between two ways to compute the same product.
const ROUNDING: f64 = 1e-11;
/// Units of rounding in a number that is differenced.
const NOISE: f64 = 4.0;

/// A product that is not what it should be.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{product}: {against} differs by {difference:e} at a scale of {scale:e} (allowed {allowed:e} of it)")]
pub struct Mismatch {
    /// The product that is wrong.
    pub product: &'static str,
    /// What it was compared with.
    pub against: &'static str,
    /// Norm of the difference.
    pub difference: f64,
    /// Norm of what was compared.
    pub scale: f64,
    /// The relative error allowed.
    pub allowed: f64,
}

fn compare(
    product: &'static str,
    against: &'static str,
    found: &[f64],
    expected: &[f64],
    floor: f64,
    allowed: f64,
) -> Result<(), Mismatch> {
    let difference = distance(found, expected);
    let scale = norm(found).max(norm(expected)).max(floor);
    // A NaN must not pass.
    if difference <= allowed * scale { Ok(()) } else { Err(Mismatch { product, against, difference, scale, allowed }) }
}

/// [`derivative`] of a function that cannot fail.
fn difference(step: f64, mut f: impl FnMut(f64) -> Vec<f64>) -> Vec<f64> {
    match derivative(step, |h| Ok::<_, Infallible>(f(h))) {
        Ok(derivative) => derivative,
    }
}

fn along(from: &[f64], direction: &[f64], h: f64) -> Vec<f64> {
    from.iter().zip(direction).map(|(a, d)| a + h * d).collect()
}

/// One problem at one point, with a random direction in each space.
struct Check<'a, P: ?Sized> {
    problem: &'a P,
    z: &'a [f64],
    x: &'a [f64],
    v: Vec<f64>,
    w: Vec<f64>,
    differences: Differences,
    ctx: Ctx,
}

impl<P: Problem + ?Sized> Check<'_, P> {
    fn step(&self, around: &[f64]) -> f64 {
        self.differences.step * step(around)
    }

    /// A scale of which the error allowed is the rounding of a finite difference with step `h` of something of size `size`.
    fn noise(&self, size: f64, h: f64) -> f64 {
        NOISE * f64::EPSILON / h * size / self.differences.allowed
    }

    fn grad_z(&mut self, z: &[f64], x: &[f64]) -> Vec<f64> {
        // Outputs in z-space overwrite: what stands there before must not matter.
        let mut out = vec![f64::NAN; z.len()];
        self.problem.grad_z(z, x, &mut out, &mut [], &mut self.ctx);
        out
    }

    fn grad_x(&mut self, at: Point<'_>) -> Vec<f64> {
        accumulated(at.x.len(), |scale, out| self.problem.grad_x(at, scale, out, &mut self.ctx))
    }

    fn hess(&mut self, at: Point<'_>, v: &[f64]) -> Vec<f64> {
        let mut out = vec![f64::NAN; v.len()];
        self.problem.hess(at, v, &mut out, &mut self.ctx);
        out
    }

    fn cross(&mut self, at: Point<'_>, v: &[f64]) -> Vec<f64> {
        accumulated(at.x.len(), |scale, out| self.problem.cross(at, v, scale, out, &mut self.ctx))
    }

    fn cross_t(&mut self, at: Point<'_>, w: &[f64]) -> Vec<f64> {
        let mut out = vec![f64::NAN; self.z.len()];
        self.problem.cross_t(at, w, &mut out, &mut self.ctx);
        out
    }

    fn first_derivatives(&mut self) -> Result<(), Mismatch> {
        let (problem, z, x) = (self.problem, self.z, self.x);
        let (v, w) = (self.v.clone(), self.w.clone());
        let value = |z: &[f64], x: &[f64], ctx: &mut Ctx| problem.value(Point::new(z, x), ctx);
        let size = value(z, x, &mut self.ctx).abs();
        let along_v = dot(&self.grad_z(z, x), &v);
        let numeric = difference(self.step(z), |h| vec![value(&along(z, &v, h), x, &mut self.ctx)]);
        compare(
            "grad_z",
            "finite difference of value",
            &[along_v],
            &numeric,
            self.noise(size, self.step(z)),
            self.differences.allowed,
        )?;
        let along_w = dot(&self.grad_x(Point::new(z, x)), &w);
        let numeric = difference(self.step(x), |h| vec![value(z, &along(x, &w, h), &mut self.ctx)]);
        compare(
            "grad_x",
            "finite difference of value",
            &[along_w],
            &numeric,
            self.noise(size, self.step(x)),
            self.differences.allowed,
        )
    }

    fn second_derivatives(&mut self) -> Result<(), Mismatch> {
        let (z, x) = (self.z, self.x);
        let (v, w) = (self.v.clone(), self.w.clone());
        let at = Point::new(z, x);
        let size = norm(&self.grad_z(z, x));
        let hess = self.hess(at, &v);
        let numeric = difference(self.step(z), |h| self.grad_z(&along(z, &v, h), x));
        compare(
            "hess",
            "finite difference of grad_z",
            &hess,
            &numeric,
            self.noise(size, self.step(z)),
            self.differences.allowed,
        )?;
        let cross_t = self.cross_t(at, &w);
        let numeric = difference(self.step(x), |h| self.grad_z(z, &along(x, &w, h)));
        compare(
            "cross_t",
            "finite difference of grad_z in x",
            &cross_t,
            &numeric,
            self.noise(size, self.step(x)),
            self.differences.allowed,
        )?;
        let size = norm(&self.grad_x(at));
        let cross = self.cross(at, &v);
        let numeric = difference(self.step(z), |h| self.grad_x(Point::new(&along(z, &v, h), x)));
        compare(
            "cross",
            "finite difference of grad_x in z",
            &cross,
            &numeric,
            self.noise(size, self.step(z)),
            self.differences.allowed,
        )
    }

    fn identities(&mut self) -> Result<(), Mismatch> {
        let at = Point::new(self.z, self.x);
        let (v, w) = (self.v.clone(), self.w.clone());
        let other = random::vector(self.z.len(), 3);
        let (hess, hess_other) = (self.hess(at, &v), self.hess(at, &other));
        // Either side may be a sum that cancels.
        let scale = (norm(&hess) * norm(&other)).max(norm(&hess_other) * norm(&v));
        compare("hess", "symmetry", &[dot(&other, &hess)], &[dot(&v, &hess_other)], scale, ROUNDING)?;
        let (cross, cross_t) = (self.cross(at, &v), self.cross_t(at, &w));
        let scale = (norm(&cross) * norm(&w)).max(norm(&cross_t) * norm(&v));
        compare("cross_t", "adjoint of cross", &[dot(&v, &cross_t)], &[dot(&w, &cross)], scale, ROUNDING)?;

        let mut pair = vec![f64::NAN; v.len()];
        let pair_cross = accumulated(w.len(), |scale, out| {
            self.problem.hess_cross(at, &v, &mut pair, scale, out, &mut self.ctx);
        });
        compare("hess_cross", "hess", &pair, &hess, norm(&hess), ROUNDING)?;
        compare("hess_cross", "cross", &pair_cross, &cross, norm(&cross), ROUNDING)?;

        let mut tangent = vec![f64::NAN; v.len()];
        self.problem.grad_z_tangent(at, &v, &w, &mut tangent, &mut self.ctx);
        let sum: Vec<f64> = hess.iter().zip(&cross_t).map(|(h, c)| h + c).collect();
        compare("grad_z_tangent", "hess + cross_t", &tangent, &sum, norm(&hess) + norm(&cross_t), ROUNDING)
    }

    /// That second derivatives which are said to be constant are.
    fn constants(&mut self) -> Result<(), Mismatch> {
        if !self.problem.has_constant_second_derivatives() {
            return Ok(());
        }
        let (v, elsewhere) = (self.v.clone(), random::vector(self.z.len(), 4));
        let points = [Point::new(self.z, self.x), Point::new(&elsewhere, self.x)];
        let hess = points.map(|at| self.hess(at, &v));
        compare("has_constant_second_derivatives", "hess at another z", &hess[0], &hess[1], 0.0, ROUNDING)?;
        let cross = points.map(|at| self.cross(at, &v));
        compare("has_constant_second_derivatives", "cross at another z", &cross[0], &cross[1], 0.0, ROUNDING)
    }

    /// Every method with the memo that grad_z leaves, and with the memo alone where that is said to be enough.
    fn memo(&mut self) -> Result<(), Mismatch> {
        let (problem, z, x) = (self.problem, self.z, self.x);
        if problem.memo_len() == 0 {
            return Ok(());
        }
        let (v, w) = (self.v.clone(), self.w.clone());
        let plain = Point::new(z, x);
        let (mut grad_z, mut memo) = (vec![f64::NAN; z.len()], vec![f64::NAN; problem.memo_len()]);
        problem.grad_z(z, x, &mut grad_z, &mut memo, &mut self.ctx);
        let noted = Point { memo: &memo, ..plain };
        let expected = self.grad_z(z, x);
        compare("grad_z", "itself without a memo", &grad_z, &expected, norm(&expected), ROUNDING)?;
        let values = [noted, plain].map(|at| problem.value(at, &mut self.ctx));
        compare("value", "itself without the memo", &values[..1], &values[1..], 0.0, ROUNDING)?;
        let (found, expected) = (self.grad_x(noted), self.grad_x(plain));
        compare("grad_x", "itself without the memo", &found, &expected, 0.0, ROUNDING)?;
        let alone = Point { z: &[], ..noted };
        let points = if problem.memo_replaces_latent() { vec![noted, alone] } else { vec![noted] };
        for at in points {
            let (found, expected) = (self.hess(at, &v), self.hess(plain, &v));
            compare("hess", "itself without the memo", &found, &expected, 0.0, ROUNDING)?;
            let (found, expected) = (self.cross(at, &v), self.cross(plain, &v));
            compare("cross", "itself without the memo", &found, &expected, 0.0, ROUNDING)?;
            let (found, expected) = (self.cross_t(at, &w), self.cross_t(plain, &w));
            compare("cross_t", "itself without the memo", &found, &expected, 0.0, ROUNDING)?;
        }
        Ok(())
    }
}

/// What `call(scale, out)` adds to `out` for each unit of scale. NaN where it overwrites `out`, or ignores the scale.
fn accumulated(len: usize, mut call: impl FnMut(f64, &mut [f64])) -> Vec<f64> {
    let mut after = |scale: f64, before: f64| {
        let mut out = vec![before; len];
        call(scale, &mut out);
        out
    };
    let once = after(1.0, 0.0);
    // A power of 2 changes no rounding.
    let scaled: Vec<f64> = after(-2.0, 0.0).iter().map(|v| v / -2.0).collect();
    let before = max_abs(&once);
    let added: Vec<f64> = after(1.0, before).iter().map(|v| v - before).collect();
    // What is added may be a sum of larger terms, whose rounding depends on where it starts; overwriting is an error of 1.
    let matches = distance(&scaled, &once) <= ROUNDING * norm(&once) && distance(&added, &once) <= 1e-6 * norm(&once);
    if matches { once } else { vec![f64::NAN; len] }
}

/// Checks every product of `problem` at (z, x): first and second derivatives against finite differences (to 1e-6), symmetry
/// and adjoint identities, the combined products, constants where they are said to be, and every method with and without the memo.
///
/// # Errors
///
/// The first [`Mismatch`], which names the product that is wrong.
///
/// # Panics
///
/// If a length is wrong.
pub fn check_problem<P: Problem + ?Sized>(problem: &P, z: &[f64], x: &[f64]) -> Result<(), Mismatch> {
    check_problem_by(Differences::SMOOTH, problem, z, x)
}

/// As [`check_problem`], by other finite differences: [`Differences::KINKS`] where a derivative has kinks.
///
/// # Errors
///
/// As [`check_problem`].
///
/// # Panics
///
/// If a length is wrong.
pub fn check_problem_by<P: Problem + ?Sized>(
    differences: Differences,
    problem: &P,
    z: &[f64],
    x: &[f64],
) -> Result<(), Mismatch> {
    assert_eq!(z.len(), problem.latent_len(), "z must have length m");
    assert_eq!(x.len(), problem.parameter_len(), "x must have length p");
    let (v, w) = (random::vector(z.len(), 1), random::vector(x.len(), 2));
    let mut check = Check { problem, z, x, v, w, differences, ctx: Ctx::new() };
    check.first_derivatives()?;
    check.second_derivatives()?;
    check.identities()?;
    check.constants()?;
    check.memo()
}

/// Checks the assembled Hessian against products with it.
///
/// # Errors
///
/// [`Mismatch`] if they differ.
///
/// # Panics
///
/// If a length is wrong.
pub fn check_hessian<P: AssembleHessian + ?Sized>(problem: &P, z: &[f64], x: &[f64]) -> Result<(), Mismatch> {
    let (m, at, mut ctx) = (problem.latent_len(), Point::new(z, x), Ctx::new());
    let mut matrix = vec![f64::NAN; m * m];
    problem.assemble_hessian(at, &mut matrix, &mut ctx);
    for j in 0..m {
        let mut unit = vec![0.0; m];
        unit[j] = 1.0;
        let mut column = vec![0.0; m];
        problem.hess(at, &unit, &mut column, &mut ctx);
        let lower = &matrix[j * m + j..(j + 1) * m];
        compare("assemble_hessian", "hess", lower, &column[j..], norm(&column), ROUNDING)?;
    }
    Ok(())
}
