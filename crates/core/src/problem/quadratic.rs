//! L(z, x) = 1/2 z^T A z - x^T z, with A symmetric and sparse.
//!
//! Its minimum z* = A^{-1} x is the solution of a linear system, which makes it the plainest of problems to try linear solvers on:
//! stiffness matrices, graph Laplacians, Gaussian fields.

use super::{AssembleHessian, Objective, Point, Problem, SparseHessian, Work};
use crate::ctx::Ctx;
use crate::symmetric::SymmetricPattern;
use crate::vector::{axpy, dot};

/// 1/2 z^T A z - x^T z, the parameter x the linear term: p = m.
#[derive(Clone, Debug)]
pub struct Quadratic {
    pattern: SymmetricPattern,
    values: Vec<f64>,
}

impl Quadratic {
    /// A by the lower triangle: `values` in the places of `pattern`.
    ///
    /// # Panics
    ///
    /// If there is not one value for each entry of the pattern.
    #[must_use]
    pub fn new(pattern: SymmetricPattern, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), pattern.entries(), "one value for each entry of the pattern");
        Self { pattern, values }
    }

    /// Calls `visit(row, column, value)` on each entry of the lower triangle.
    fn each(&self, mut visit: impl FnMut(usize, usize, f64)) {
        for column in 0..self.pattern.len() {
            for (&row, &value) in self.pattern.column(column).iter().zip(&self.values[self.pattern.range(column)]) {
                visit(row as usize, column, value);
            }
        }
    }
}

impl Objective for Quadratic {
    fn dims(&self) -> (usize, usize) {
        (self.pattern.len(), self.pattern.len())
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        let mut product = ctx.take(at.z.len());
        self.pattern.apply(&self.values, at.z, &mut product);
        let value = 0.5 * dot(at.z, &product) - dot(at.x, at.z);
        ctx.give(product);
        value
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], _: &mut [f64], ctx: &mut Ctx) {
        ctx.count_pass();
        self.pattern.apply(&self.values, z, out);
        axpy(-1.0, x, out);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], _: &mut Ctx) {
        axpy(-scale, at.z, out);
    }
}

impl Problem for Quadratic {
    fn hess(&self, _: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_pass();
        ctx.count_second_order_product();
        self.pattern.apply(&self.values, v, out);
    }

    fn cross(&self, _: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        axpy(-scale, v, out);
    }

    fn cross_t(&self, _: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        out.iter_mut().zip(w).for_each(|(out, w)| *out = -w);
    }

    fn has_constant_second_derivatives(&self) -> bool {
        true
    }
}

impl AssembleHessian for Quadratic {
    fn assemble_hessian(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        self.assemble_blocks(at, self.pattern.len().max(1), out, ctx);
    }

    fn assemble_blocks(&self, _: Point<'_>, size: usize, out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_pass();
        out.fill(0.0);
        let m = self.pattern.len();
        self.each(|row, column, value| {
            let block = column / size;
            let (start, len) = (block * size, size.min(m - block * size));
            if row / size == block {
                out[start * size + (column - start) * len + row - start] = value;
            }
        });
    }

    fn work(&self) -> Work {
        let entries = self.pattern.entries() as f64;
        Work { product: 2.0 * entries, assembly: entries }
    }

    fn as_sparse(&self) -> Option<&dyn SparseHessian> {
        Some(self)
    }
}

impl SparseHessian for Quadratic {
    fn pattern(&self) -> &SymmetricPattern {
        &self.pattern
    }

    fn assemble_sparse(&self, _: Point<'_>, out: &mut [f64], _: &mut Ctx) {
        out.copy_from_slice(&self.values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_hessian, check_problem, random};

    #[test]
    fn its_products_are_those_of_its_matrix() {
        let pattern = SymmetricPattern::new(vec![0, 2, 4, 5], vec![0, 2, 1, 2, 2]).unwrap();
        let problem = Quadratic::new(pattern, vec![3.0, -1.0, 2.0, 0.5, 4.0]);
        let (z, x) = (random::vector(3, 1), random::vector(3, 2));
        check_problem(&problem, &z, &x).unwrap();
        check_hessian(&problem, &z, &x).unwrap();
    }
}
