//! g1 at a point, and how wrong it can be.

use danskin_core::certificate::{AnalyticBound, Certificate, Effort, Reference, Uncertified, Unproved};
use danskin_core::ctx::Ctx;
use danskin_core::problem::{Evaluated, Problem};
use danskin_core::vector::norm;

use super::Accuracy;

/// What ‖grad_z L‖ must fall by, of the least so far, for a look to count as progress.
const PROGRESS: f64 = 1e-3;

/// g1 at a point, and how wrong it can be.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) g1: Vec<f64>,
    pub(super) residual: f64,
    pub(super) bound: Result<AnalyticBound, Unproved>,
    /// Where nothing is proved.
    estimate: Option<Certificate>,
    /// What rounding can have done to g1, for that.
    rounding: f64,
    /// What is asked of the bound.
    pub(super) asked: f64,
}

impl Look {
    pub(super) fn new<P: Problem + ?Sized>(
        problem: &P,
        (here, x): (&Evaluated, &[f64]),
        accuracy: Accuracy,
        progress: &mut Progress,
        ctx: &mut Ctx,
    ) -> Self {
        let at = here.at(x);
        let mut g1 = vec![0.0; problem.parameter_len()];
        problem.grad_x(at, 1.0, &mut g1, ctx);
        let (residual, asked) = (norm(&here.grad_z), accuracy.bound(norm(&g1)));
        let mut bound = problem.analytic_bound(at, Effort::Norms, ctx);
        // A pass, where rounding by norms stands in the way.
        if bound.is_ok_and(|bound| bound.total() > asked && bound.iterate <= asked) {
            bound = problem.analytic_bound(at, Effort::Pass, ctx);
        }
        progress.note(residual);
        let mut look = Self { g1, residual, bound, estimate: None, rounding: 0.0, asked };
        if look.is_estimable() {
            look.rounding = problem.rounding_of_gradient(at, ctx);
            // A point of no slope is a minimum of a convex function.
            if residual == 0.0 {
                look.estimate = Certificate::estimated(Reference::Iterate, 0.0, 0.0, look.rounding);
            }
        }
        look
    }

    /// Takes it that what is left is no more than `change`, by which a Newton step to or from here moved g1, three times: of what the step itself left nothing is
    /// supposed, as a solve may have missed what is slow.
    pub(super) fn estimate_by(&mut self, change: f64) {
        if self.is_estimable() {
            let found = Certificate::estimated(Reference::Iterate, 0.0, change, self.rounding);
            self.estimate = [self.estimate, found].into_iter().flatten().min_by(|a, b| a.bound.total_cmp(&b.bound));
        }
    }

    /// Whether an estimate is all that can be had.
    pub(super) fn is_estimable(&self) -> bool {
        self.bound.is_err_and(|why| why.is_estimable())
    }

    pub(super) fn total(&self) -> f64 {
        match self.bound {
            Ok(bound) => bound.total(),
            Err(_) => self.estimate.map_or(f64::INFINITY, |estimate| estimate.bound),
        }
    }

    pub(super) fn is_met(&self) -> bool {
        self.total() <= self.asked
    }

    /// Whether rounding alone is too much.
    pub(super) fn is_floor(&self) -> bool {
        let is_floor = |rounding: f64, iterate: f64| rounding > self.asked && iterate <= rounding;
        match self.bound {
            Ok(bound) => is_floor(bound.rounding, bound.iterate),
            Err(_) => self.estimate.is_some_and(|found| is_floor(found.parts.rounding, found.parts.iterate)),
        }
    }

    pub(super) fn is_localised(&self) -> bool {
        self.bound.map_or(self.estimate.is_some(), |bound| bound.localised)
    }

    /// ln of what the bound must fall by.
    pub(super) fn left(&self) -> f64 {
        (self.total() / self.asked).ln().max(0.0)
    }

    pub(super) fn certificate(&self) -> Result<Certificate, Uncertified> {
        match self.bound {
            Ok(bound) => Ok(Certificate::proved(Reference::Iterate, 0.0, bound)),
            Err(why) => self.estimate.ok_or(Uncertified::Unproved(why)),
        }
    }
}

/// Whether ‖grad_z L‖ falls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    least: f64,
    /// Looks in a row that brought it no lower.
    pub(super) vain: usize,
}

impl Default for Progress {
    fn default() -> Self {
        Self { least: f64::INFINITY, vain: 0 }
    }
}

impl Progress {
    fn note(&mut self, residual: f64) {
        self.vain = if residual < (1.0 - PROGRESS) * self.least { 0 } else { self.vain + 1 };
        self.least = self.least.min(residual);
    }
}
