//! Iterative refinement: a solution by an inexact inverse, improved by the true residual as long as that helps.
//!
//! Source: Golub and Van Loan, Matrix Computations, 4th ed., section 3.5.3.

use danskin_core::ctx::Ctx;
use danskin_core::linear::{Hessian, LinearError, LinearSolve, LinearStatus};
use danskin_core::problem::Problem;
use danskin_core::vector::{axpy, max_abs, norm};

use crate::columns::{TOGETHER, is_exact, multiply, power_of_two};

/// Steps of refinement at the most; each costs one product with L_zz.
const MAX_REFINEMENTS: usize = 5;

/// Overwrites vectors r, one after another, by about L_zz^{-1} r.
pub(crate) type Inverse<'a> = dyn FnMut(&mut [f64], &mut Ctx) + 'a;

/// A method whose inverse is refined.
pub(crate) struct Refined<'a> {
    pub(crate) method: &'static str,
    pub(crate) inverse: &'a mut Inverse<'a>,
    /// The error where even a first solution is no better than 0.
    pub(crate) singular: LinearError,
}

/// A right-hand side b, divided by [`power_of_two`].
#[derive(Clone, Copy, Debug)]
struct Column {
    scale: f64,
    /// `‖b‖ / scale`.
    length: f64,
    residual: f64,
    refinements: usize,
    finite: bool,
    overflows: bool,
    underflows: bool,
    done: bool,
}

impl Column {
    fn new(rhs: &[f64]) -> Result<Self, LinearError> {
        if !max_abs(rhs).is_finite() {
            return Err(LinearError::NotFinite);
        }
        let length = norm(rhs);
        let is_zero = length == 0.0;
        Ok(Self {
            scale: power_of_two(length),
            length,
            residual: if is_zero { 0.0 } else { 1.0 },
            refinements: 0,
            finite: true,
            overflows: false,
            underflows: false,
            done: is_zero,
        })
    }

    /// Whether a solution with this residual is better than what there was. Notes whether there will be another.
    fn improves(&mut self, residual: f64, tolerance: f64) -> bool {
        let before = self.residual;
        let improves = residual < before;
        if improves {
            self.residual = residual;
        }
        self.finite &= residual.is_finite();
        // One step is always taken: the factor carries the rounding of the assembly, products with L_zz do not.
        let reached = self.residual <= tolerance && self.refinements > 0;
        self.done = reached || residual.is_nan() || residual >= 0.5 * before || self.refinements == MAX_REFINEMENTS;
        self.refinements += usize::from(!self.done);
        improves
    }
}

impl Refined<'_> {
    /// Solves L_zz v = rhs, to a relative residual of `tolerance` where that can be reached.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where there is no usable solution.
    pub(crate) fn solve<P: Problem + ?Sized>(
        &mut self,
        hessian: Hessian<'_, P>,
        (rhs, tolerance): (&[f64], f64),
        solution: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<LinearSolve, LinearError> {
        let mut column = [Column::new(rhs)?];
        self.refine(hessian, (rhs, tolerance), &mut column, solution, ctx);
        self.ended(column[0], tolerance)
    }

    /// The same for right-hand sides one after another.
    ///
    /// # Errors
    ///
    /// [`LinearError`] where one has no usable solution.
    pub(crate) fn solve_columns<P: Problem + ?Sized>(
        &mut self,
        hessian: Hessian<'_, P>,
        (rhs, tolerance): (&[f64], f64),
        solutions: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<Vec<LinearSolve>, LinearError> {
        let m = hessian.problem.latent_len().max(1);
        let mut solves = Vec::with_capacity(rhs.len() / m);
        for (rhs, solutions) in rhs.chunks(m * TOGETHER).zip(solutions.chunks_mut(m * TOGETHER)) {
            let mut columns = rhs.chunks_exact(m).map(Column::new).collect::<Result<Vec<_>, _>>()?;
            self.refine(hessian, (rhs, tolerance), &mut columns, solutions, ctx);
            for column in columns {
                solves.push(self.ended(column, tolerance)?);
            }
        }
        Ok(solves)
    }

    fn refine<P: Problem + ?Sized>(
        &mut self,
        hessian: Hessian<'_, P>,
        (rhs, tolerance): (&[f64], f64),
        columns: &mut [Column],
        solutions: &mut [f64],
        ctx: &mut Ctx,
    ) {
        let m = hessian.problem.latent_len();
        let part = |k: usize| k * m..(k + 1) * m;
        let [mut r, mut trial, mut unit] = [(); 3].map(|()| ctx.take(rhs.len()));
        for (k, column) in columns.iter_mut().enumerate() {
            let unit = &mut unit[part(k)];
            unit.iter_mut().zip(&rhs[part(k)]).for_each(|(unit, rhs)| *unit = rhs / column.scale);
            column.length = norm(unit);
        }
        solutions.fill(0.0);
        r.copy_from_slice(&unit);
        while columns.iter().any(|column| !column.done) {
            (self.inverse)(&mut r, ctx);
            trial.copy_from_slice(solutions);
            axpy(1.0, &r, &mut trial);
            multiply(hessian, &trial, &mut r, ctx);
            for (k, column) in columns.iter_mut().enumerate().filter(|(_, column)| !column.done) {
                let r = &mut r[part(k)];
                r.iter_mut().zip(&unit[part(k)]).for_each(|(r, b)| *r = b - *r);
                if column.improves(norm(r) / column.length, tolerance) {
                    solutions[part(k)].copy_from_slice(&trial[part(k)]);
                }
            }
        }
        for (k, column) in columns.iter_mut().enumerate() {
            let (solution, unit_solution) = (&mut solutions[part(k)], &mut trial[part(k)]);
            unit_solution.copy_from_slice(solution);
            column.underflows = !is_exact(solution, column.scale, unit_solution);
            if column.underflows {
                column.residual = hessian.residual(&unit[part(k)], unit_solution, &mut r[part(k)], ctx) / column.length;
            }
            // The scaled solution may be finite where the solution overflows.
            column.overflows = !max_abs(solution).is_finite();
        }
        [unit, trial, r].into_iter().for_each(|buffer| ctx.give(buffer));
    }

    fn ended(&self, column: Column, tolerance: f64) -> Result<LinearSolve, LinearError> {
        let Column { residual, refinements, finite, .. } = column;
        if residual < 1.0 && column.overflows {
            return Err(LinearError::NotFinite);
        }
        // No better than v = 0: what was factorised is not the Hessian.
        if residual < 1.0 || column.underflows {
            let status = if residual <= tolerance { LinearStatus::Converged } else { LinearStatus::Stalled };
            Ok(LinearSolve::new(self.method, status, refinements, residual, true))
        } else if finite {
            Err(self.singular)
        } else {
            Err(LinearError::NotFinite)
        }
    }
}
