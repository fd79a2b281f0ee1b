//! Conjugate gradient, matrix-free: one product with L_zz an iteration.
//!
//! Source: Hestenes and Stiefel 1952; Golub and Van Loan, Matrix Computations, 4th ed., section 11.3.

use danskin_core::ctx::{Ctx, Phase};
use danskin_core::linear::{Hessian, HessianSolver, LinearError, LinearSolve, LinearStatus};
use danskin_core::problem::Problem;
use danskin_core::vector::{axpy, dot, max_abs, norm};

/// A breakdown at a residual below this one is a solution that cannot be improved, not a singular system.
const SOLVED: f64 = 1e-8;

/// The method of conjugate gradient.
///
/// The residual that it reports is computed from the solution it returns. Where the Hessian is singular and the system
/// consistent, it converges to the solution of least norm; where it is inconsistent, it reports a singular Hessian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cg {
    max_iterations: Option<usize>,
}

impl Cg {
    /// With at most `max_iterations` iterations; by default twice the number of latent variables, and 1000 at least.
    #[must_use]
    pub fn within(max_iterations: usize) -> Self {
        Self { max_iterations: Some(max_iterations) }
    }
}

/// How a run of iterations ended.
enum Ended {
    With(LinearStatus),
    /// p^T L_zz p / p^T p vanished or was negative.
    Breakdown {
        curvature: f64,
        largest: f64,
    },
}

impl<P: Problem + ?Sized> HessianSolver<P> for Cg {
    type Workspace = ();

    fn prepare(&self, _: Hessian<'_, P>, (): &mut (), _: &mut Ctx) -> Result<(), LinearError> {
        Ok(())
    }

    fn solve(
        &self,
        hessian: Hessian<'_, P>,
        (): &mut (),
        rhs: &[f64],
        tolerance: f64,
        solution: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<LinearSolve, LinearError> {
        solution.fill(0.0);
        let definite = hessian.problem.strong_convexity(hessian.at.x) > 0.0;
        // The system is solved for rhs / scale, so that no square under- or overflows.
        let scale = max_abs(rhs);
        if !scale.is_finite() {
            return Err(LinearError::NotFinite);
        }
        if scale == 0.0 {
            return Ok(LinearSolve::new("cg", LinearStatus::Converged, 0, 0.0, definite));
        }
        let m = rhs.len();
        let mut rhs_scaled = ctx.take(m);
        rhs_scaled.iter_mut().zip(rhs).for_each(|(b, rhs)| *b = rhs / scale);
        let length = norm(&rhs_scaled);
        let mut run = Run {
            hessian,
            b: rhs_scaled,
            r: ctx.take(m),
            p: ctx.take(m),
            product: ctx.take(m),
            target: tolerance * length,
            definite,
            cap: self.max_iterations.unwrap_or((2 * m).max(1000)),
            iterations: 0,
        };
        let ended = run.until_true(solution, ctx);
        let residual = norm(&run.r) / length;
        let iterations = run.iterations;
        for buffer in [run.product, run.p, run.r, run.b] {
            ctx.give(buffer);
        }
        if !residual.is_finite() {
            return Err(LinearError::NotFinite);
        }
        let status = match ended {
            Ended::With(status) => status,
            Ended::Breakdown { .. } if definite || residual <= SOLVED => LinearStatus::Stalled,
            Ended::Breakdown { curvature, largest } if curvature < -no_curvature(m, largest) => {
                return Err(LinearError::NegativeCurvature { curvature });
            }
            Ended::Breakdown { curvature, largest } => {
                let reciprocal_condition = if largest > 0.0 { curvature.max(0.0) / largest } else { 0.0 };
                return Err(LinearError::Singular { reciprocal_condition });
            }
        };
        solution.iter_mut().for_each(|v| *v *= scale);
        Ok(LinearSolve::new("cg", status, iterations, residual, definite))
    }
}

/// Curvature that cannot be told from 0 in m coordinates, next to the largest one met.
fn no_curvature(m: usize, largest: f64) -> f64 {
    m as f64 * f64::EPSILON * largest
}

/// A system L_zz v = b with the entries of b at most 1.
struct Run<'a, P: ?Sized> {
    hessian: Hessian<'a, P>,
    b: Vec<f64>,
    r: Vec<f64>,
    p: Vec<f64>,
    product: Vec<f64>,
    target: f64,
    /// Whether only rounding can make a curvature vanish.
    definite: bool,
    cap: usize,
    iterations: usize,
}

impl<P: Problem + ?Sized> Run<'_, P> {
    /// Iterates from v = 0 until `‖r‖ <= target` holds for the residual computed from v, not only for the updated one.
    /// Leaves the computed residual in `r`.
    fn until_true(&mut self, v: &mut [f64], ctx: &mut Ctx) -> Ended {
        self.r.copy_from_slice(&self.b);
        let mut before = norm(&self.r);
        loop {
            let ended = self.iterate(v, ctx);
            let residual = self.hessian.residual(&self.b, v, &mut self.r, ctx);
            match ended {
                _ if residual <= self.target => return Ended::With(LinearStatus::Converged),
                // The updated residual drifted from the computed one: start again from there while that helps.
                Ended::With(LinearStatus::Converged) if residual < 0.5 * before => before = residual,
                Ended::With(LinearStatus::Converged) => return Ended::With(LinearStatus::Stalled),
                ended => return ended,
            }
        }
    }

    /// Iterates from v with residual `r` until the updated residual is at most `target`, or lost in rounding.
    fn iterate(&mut self, v: &mut [f64], ctx: &mut Ctx) -> Ended {
        self.p.copy_from_slice(&self.r);
        let mut squared = dot(&self.r, &self.r);
        // Below rounding of where it started, the updated residual means nothing.
        let target = self.target.max(f64::EPSILON * squared.sqrt());
        let mut largest = 0.0_f64;
        while squared.sqrt() > target {
            if self.iterations >= self.cap {
                return Ended::With(LinearStatus::IterationCap);
            }
            if ctx.tick(Phase::Linear, self.iterations, self.cap).is_break() {
                return Ended::With(LinearStatus::Interrupted);
            }
            self.hessian.apply(&self.p, &mut self.product, ctx);
            self.iterations += 1;
            let bend = dot(&self.p, &self.product);
            let curvature = bend / dot(&self.p, &self.p);
            largest = largest.max(curvature.abs());
            let least = if self.definite { 0.0 } else { no_curvature(self.p.len(), largest) };
            if curvature.is_nan() || curvature <= least {
                return Ended::Breakdown { curvature, largest };
            }
            let alpha = squared / bend;
            axpy(alpha, &self.p, v);
            axpy(-alpha, &self.product, &mut self.r);
            let next = dot(&self.r, &self.r);
            let beta = next / squared;
            squared = next;
            for (p, r) in self.p.iter_mut().zip(&self.r) {
                *p = r + beta * *p;
            }
        }
        Ended::With(LinearStatus::Converged)
    }
}
