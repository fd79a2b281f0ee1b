//! Every product of a problem against finite differences ([`derivative`]) and against the other products.
//!
//! [`Differences::SMOOTH`] leaves room for losses whose fourth derivative is large. Identities between products hold to
//! rounding. Where two functions disagree, a third tells which of them is wrong: a value against both of its gradients,
//! a gradient against its Hessian.

use std::convert::Infallible;

use thiserror::Error;

use super::{Differences, derivative, random};
use crate::ctx::Ctx;
use crate::design::blocks_len;
use crate::problem::{AssembleHessian, Point, Problem};
use crate::vector::{distance, dot, max_abs, norm};

/// Relative error allowed between two ways to compute the same product.
pub(super) const ROUNDING: f64 = 1e-11;
/// Units of rounding in a number that is differenced.
const NOISE: f64 = 4.0;
/// Relative change of an error below which it is taken for a constant.
const CONSTANT: f64 = 1e-3;

/// A product that is not what it should be.
#[derive(Clone, Debug, Error, PartialEq)]
#[error(
    "{product}: {against} differs by {difference:e} at a scale of {scale:e} (allowed {allowed:e} of it){}",
    if difference.is_nan() { "; NaN where an output in the space of x is not `out += scale * ...`" } else { "" }
)]
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

pub(super) fn compare(
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
pub(super) struct Check<'a, P: ?Sized> {
    pub(super) problem: &'a P,
    pub(super) z: &'a [f64],
    pub(super) x: &'a [f64],
    pub(super) v: Vec<f64>,
    pub(super) w: Vec<f64>,
    differences: Differences,
    pub(super) ctx: Ctx,
}

impl<P: Problem + ?Sized> Check<'_, P> {
    /// A scale of which the error allowed is the rounding of a finite difference with step `h` of something of size `size`.
    fn noise(&self, size: f64, h: f64) -> f64 {
        NOISE * f64::EPSILON / h * size / self.differences.allowed
    }

    pub(super) fn grad_z(&mut self, z: &[f64], x: &[f64]) -> Vec<f64> {
        // Outputs in z-space overwrite: what stands there before must not matter.
        let mut out = vec![f64::NAN; z.len()];
        self.problem.grad_z(z, x, &mut out, &mut [], &mut self.ctx);
        out
    }

    pub(super) fn grad_x(&mut self, at: Point<'_>) -> Vec<f64> {
        accumulated(at.x.len(), |scale, out| self.problem.grad_x(at, scale, out, &mut self.ctx))
    }

    pub(super) fn hess(&mut self, at: Point<'_>, v: &[f64]) -> Vec<f64> {
        let mut out = vec![f64::NAN; v.len()];
        self.problem.hess(at, v, &mut out, &mut self.ctx);
        out
    }

    /// The two products by `hess_columns`.
    pub(super) fn hess_columns(&mut self, at: Point<'_>, [v, w]: [&[f64]; 2]) -> [Vec<f64>; 2] {
        let pair: Vec<f64> = v.iter().zip(w).flat_map(|(v, w)| [*v, *w]).collect();
        let mut images = vec![f64::NAN; pair.len()];
        self.problem.hess_columns(at, 2, &pair, &mut images, &mut self.ctx);
        [0, 1].map(|k| images.iter().skip(k).step_by(2).copied().collect())
    }

    pub(super) fn cross(&mut self, at: Point<'_>, v: &[f64]) -> Vec<f64> {
        accumulated(at.x.len(), |scale, out| self.problem.cross(at, v, scale, out, &mut self.ctx))
    }

    pub(super) fn cross_t(&mut self, at: Point<'_>, w: &[f64]) -> Vec<f64> {
        let mut out = vec![f64::NAN; self.z.len()];
        self.problem.cross_t(at, w, &mut out, &mut self.ctx);
        out
    }

    pub(super) fn value(&mut self, at: Point<'_>) -> f64 {
        self.problem.value(at, &mut self.ctx)
    }

    /// (`hess`, `cross`) by `hess_cross`.
    pub(super) fn hess_cross(&mut self, at: Point<'_>, v: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut hess = vec![f64::NAN; v.len()];
        let cross = accumulated(at.x.len(), |scale, out| {
            self.problem.hess_cross(at, v, &mut hess, scale, out, &mut self.ctx);
        });
        (hess, cross)
    }

    pub(super) fn grad_z_tangent(&mut self, at: Point<'_>, v: &[f64], w: &[f64]) -> Vec<f64> {
        let mut out = vec![f64::NAN; v.len()];
        self.problem.grad_z_tangent(at, v, w, &mut out, &mut self.ctx);
        out
    }

    fn first_derivatives(&mut self) -> Result<(), Mismatch> {
        let (in_z, in_x) = (self.slope_in_z(self.z), self.slope_in_x());
        match (in_z.compared.clone(), in_x.compared) {
            (Ok(()), Ok(())) => Ok(()),
            (Err(mismatch), Err(_)) if self.gradients_agree() => Err(Mismatch {
                product: "value",
                against: "grad_z and grad_x, which agree with one another",
                ..mismatch
            }),
            (Err(mismatch), Ok(())) if self.second_derivatives_in_z().is_ok() && !self.is_constant(&in_z) => {
                Err(Mismatch { product: "value", against: "grad_z, which agrees with hess", ..mismatch })
            }
            (Err(mismatch), _) | (Ok(()), Err(mismatch)) => Err(mismatch),
        }
    }

    /// <grad_z, v> at (z, x).
    fn slope_in_z(&mut self, z: &[f64]) -> Slope {
        let (x, v) = (self.x, self.v.clone());
        let found = dot(&self.grad_z(z, x), &v);
        let size = self.value(Point::new(z, x)).abs();
        self.slope("grad_z", self.z, found, size, |check, h| check.value(Point::new(&along(z, &v, h), x)))
    }

    /// <grad_x, w>.
    fn slope_in_x(&mut self) -> Slope {
        let (z, x, w) = (self.z, self.x, self.w.clone());
        let found = dot(&self.grad_x(Point::new(z, x)), &w);
        let size = self.value(Point::new(z, x)).abs();
        self.slope("grad_x", x, found, size, |check, h| check.value(Point::new(z, &along(x, &w, h))))
    }

    /// `found` against differences of `value`, which is of size `size`, by the step at which they agree best.
    fn slope(
        &mut self,
        product: &'static str,
        around: &[f64],
        found: f64,
        size: f64,
        value: impl Fn(&mut Self, f64) -> f64,
    ) -> Slope {
        let (differences, allowed) = (self.differences, self.differences.allowed);
        let at = |step: f64| {
            let numeric = difference(step, |h| vec![value(self, h)])[0];
            let noise = self.noise(size, step);
            let compared = compare(product, "finite difference of value", &[found], &[numeric], noise, allowed);
            Slope { error: found - numeric, rounding: allowed * found.abs().max(numeric.abs()).max(noise), compared }
        };
        let mut slopes = differences.steps(around).map(at);
        let usual = slopes.next().expect("at least one step");
        slopes.fold(usual, |best, next| {
            let better = best.compared.is_err() && next.error.abs() < best.error.abs();
            if better { next } else { best }
        })
    }

    /// Whether grad_z in x and grad_x in z have the same mixed derivative: both are then derivatives of one function.
    fn gradients_agree(&mut self) -> bool {
        let (z, x, v, w) = (self.z, self.x, self.v.clone(), self.w.clone());
        let sizes = [norm(&self.grad_z(z, x)), norm(&self.grad_x(Point::new(z, x)))];
        let mut steps = self.differences.steps(z).zip(self.differences.steps(x));
        steps.any(|(step_z, step_x)| {
            let grad_z = difference(step_x, |h| self.grad_z(z, &along(x, &w, h)));
            let grad_x = difference(step_z, |h| self.grad_x(Point::new(&along(z, &v, h), x)));
            let (noise_z, noise_x) = (self.noise(sizes[0], step_x), self.noise(sizes[1], step_z));
            let scale = (norm(&grad_z).max(noise_z) * norm(&v)).max(norm(&grad_x).max(noise_x) * norm(&w));
            let (in_x, in_z) = (dot(&v, &grad_z), dot(&w, &grad_x));
            compare("value", "gradients", &[in_x], &[in_z], scale, self.differences.allowed).is_ok()
        })
    }

    /// Whether the error of a slope in z is the same elsewhere: an error of grad_z that no second derivative sees.
    fn is_constant(&mut self, found: &Slope) -> bool {
        let half: Vec<f64> = self.z.iter().map(|z| z / 2.0).collect();
        let elsewhere = self.slope_in_z(&half);
        let changed = (elsewhere.error - found.error).abs();
        changed <= CONSTANT * found.error.abs() + found.rounding + elsewhere.rounding
    }

    fn second_derivatives(&mut self) -> Result<(), Mismatch> {
        self.second_derivatives_in_z()?;
        let (z, x, v) = (self.z, self.x, self.v.clone());
        let at = Point::new(z, x);
        let (size, cross) = (norm(&self.grad_x(at)), self.cross(at, &v));
        self.agrees("cross", "finite difference of grad_x in z", z, &cross, size, |check, h| {
            check.grad_x(Point::new(&along(z, &v, h), x))
        })
    }

    /// Those of grad_z.
    fn second_derivatives_in_z(&mut self) -> Result<(), Mismatch> {
        let (z, x, v, w) = (self.z, self.x, self.v.clone(), self.w.clone());
        let at = Point::new(z, x);
        let (size, hess, cross_t) = (norm(&self.grad_z(z, x)), self.hess(at, &v), self.cross_t(at, &w));
        self.agrees("hess", "finite difference of grad_z", z, &hess, size, |check, h| {
            check.grad_z(&along(z, &v, h), x)
        })?;
        self.agrees("cross_t", "finite difference of grad_z in x", x, &cross_t, size, |check, h| {
            check.grad_z(z, &along(x, &w, h))
        })
    }

    /// `found` against differences around `around` of something of size `size`.
    fn agrees(
        &mut self,
        product: &'static str,
        against: &'static str,
        around: &[f64],
        found: &[f64],
        size: f64,
        of: impl Fn(&mut Self, f64) -> Vec<f64>,
    ) -> Result<(), Mismatch> {
        let differences = self.differences;
        differences.at_some_step(around, |step| {
            let numeric = difference(step, |h| of(self, h));
            compare(product, against, found, &numeric, self.noise(size, step), differences.allowed)
        })
    }

    fn identities(&mut self) -> Result<(), Mismatch> {
        let at = Point::new(self.z, self.x);
        let (v, w) = (self.v.clone(), self.w.clone());
        let other = random::vector(self.z.len(), 3);
        let (hess, hess_other) = (self.hess(at, &v), self.hess(at, &other));
        // Either side may be a sum that cancels.
        let scale = (norm(&hess) * norm(&other)).max(norm(&hess_other) * norm(&v));
        compare("hess", "symmetry", &[dot(&other, &hess)], &[dot(&v, &hess_other)], scale, ROUNDING)?;
        let images = self.hess_columns(at, [&v, &other]);
        for (image, hess) in images.iter().zip([&hess, &hess_other]) {
            compare("hess_columns", "hess", image, hess, 0.0, ROUNDING)?;
        }
        let (cross, cross_t) = (self.cross(at, &v), self.cross_t(at, &w));
        let scale = (norm(&cross) * norm(&w)).max(norm(&cross_t) * norm(&v));
        compare("cross_t", "adjoint of cross", &[dot(&v, &cross_t)], &[dot(&w, &cross)], scale, ROUNDING)?;

        let (pair, pair_cross) = self.hess_cross(at, &v);
        compare("hess_cross", "hess", &pair, &hess, norm(&hess), ROUNDING)?;
        compare("hess_cross", "cross", &pair_cross, &cross, norm(&cross), ROUNDING)?;

        let tangent = self.grad_z_tangent(at, &v, &w);
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
}

/// A slope by a gradient against a difference of values.
struct Slope {
    error: f64,
    /// The error allowed.
    rounding: f64,
    compared: Result<(), Mismatch>,
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
/// and adjoint identities, the combined products; constants where they are said to be; every method with the memo and grad_z known, and with the memo alone
/// where that is said to be enough; and what is said of the curvature against products with L_zz, at z and elsewhere.
///
/// Of a term of `value` that is wrong and depends on x alone, or is linear in z, only a gradient can tell, and the gradient
/// is named.
///
/// # Errors
///
/// The first [`Mismatch`], which names the product that is wrong; `memo` where several are right without it alone.
///
/// # Panics
///
/// If a length is wrong, or a method panics. Where [`Problem::memo_replaces_latent`] is wrongly true, products are first
/// tried at another z of length m, so that one whose result depends on z is named before it is called without.
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
    check.known()?;
    check.bounds()
}

/// Checks the assembled Hessian, its blocks, its diagonal and the forms it is said to have against products with it, also where the
/// memo and grad_z are known.
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
    let (mut grad_z, mut memo) = (vec![f64::NAN; m], vec![f64::NAN; problem.memo_len()]);
    problem.grad_z(z, x, &mut grad_z, &mut memo, &mut ctx);
    let assembled = |at: Point<'_>, ctx: &mut Ctx| {
        let mut matrix = vec![f64::NAN; m * m];
        problem.assemble_hessian(at, &mut matrix, ctx);
        matrix
    };
    let matrices = [
        ("hess", assembled(at, &mut ctx)),
        ("hess, with the memo,", assembled(Point { memo: &memo, ..at }, &mut ctx)),
        ("hess, with the memo and grad_z,", assembled(Point { memo: &memo, grad_z: &grad_z, ..at }, &mut ctx)),
    ];
    let mut columns = vec![0.0; m * m];
    for (j, column) in columns.chunks_exact_mut(m.max(1)).enumerate() {
        let mut unit = vec![0.0; m];
        unit[j] = 1.0;
        problem.hess(at, &unit, column, &mut ctx);
    }
    let lower = |j: usize| &columns[j * m + j..(j + 1) * m];
    let size_of = |j: usize| norm(&columns[j * m..(j + 1) * m]);
    for j in 0..m {
        for (against, matrix) in &matrices {
            compare("assemble_hessian", against, &matrix[j * m + j..(j + 1) * m], lower(j), size_of(j), ROUNDING)?;
        }
    }
    for (against, at) in [("hess", at), ("hess, with the memo,", Point { memo: &memo, ..at })] {
        let unit = problem.unit();
        let mut diagonal = vec![f64::NAN; m];
        problem.assemble_diagonal(at, &mut diagonal, &mut ctx);
        for j in 0..m {
            compare("assemble_diagonal", against, &diagonal[j..=j], &lower(j)[..1], size_of(j), ROUNDING)?;
        }
        for size in [unit, 3 * unit] {
            let mut blocks = vec![f64::NAN; blocks_len(m, size)];
            problem.assemble_blocks(at, size, &mut blocks, &mut ctx);
            for start in (0..m).step_by(size) {
                let len = size.min(m - start);
                for j in start..start + len {
                    let found = &blocks[start * size + (j - start) * (len + 1)..start * size + (j - start + 1) * len];
                    compare("assemble_blocks", against, found, &lower(j)[..found.len()], size_of(j), ROUNDING)?;
                }
            }
        }
        if let Some(gram) = problem.as_gram() {
            let matrix = gram.matrix(at.x);
            let (mut s, mut q, mut whole) = (vec![f64::NAN; matrix.rows()], vec![f64::NAN; m], vec![f64::NAN; m * m]);
            gram.curvatures(at, &mut s, &mut q, &mut ctx);
            matrix.weighted_gram(&s, &mut whole, &mut ctx);
            (0..m).for_each(|j| whole[j * m + j] += q[j]);
            for j in 0..m {
                compare("curvatures", against, &whole[j * m + j..(j + 1) * m], lower(j), size_of(j), ROUNDING)?;
            }
        }
        if let Some(sparse) = problem.as_sparse() {
            let (pattern, mut whole) = (sparse.pattern(), vec![0.0; m * m]);
            let mut values = vec![f64::NAN; pattern.entries()];
            sparse.assemble_sparse(at, &mut values, &mut ctx);
            for j in 0..m {
                let entries = pattern.column(j).iter().zip(&values[pattern.range(j)]);
                entries.for_each(|(&i, value)| whole[j * m + i as usize] = *value);
                compare("assemble_sparse", against, &whole[j * m + j..(j + 1) * m], lower(j), size_of(j), ROUNDING)?;
            }
        }
    }
    Ok(())
}
