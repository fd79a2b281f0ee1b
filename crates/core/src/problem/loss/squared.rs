//! phi(u, y) = (u - y)²/2.

use super::{Between, Loss, NamedLoss, Refusal, Regularity, Targets, Third};

/// Half the squared error: with it, a generalised linear problem is ridge regression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Squared;

impl Loss for Squared {
    #[inline]
    fn value(&self, u: f64, y: f64) -> f64 {
        0.5 * (u - y) * (u - y)
    }

    #[inline]
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        (u - y, y - u)
    }

    #[inline]
    fn second(&self, _u: f64, _y: f64) -> (f64, f64) {
        (1.0, -1.0)
    }

    fn curvature(&self, _y: f64, _level: f64) -> Option<f64> {
        Some(1.0)
    }

    fn is_quadratic(&self) -> bool {
        true
    }

    fn between(&self, _u: f64, _y: f64, _h: f64) -> Option<Between> {
        Some(Between::of_difference(1.0, 1.0))
    }

    fn third(&self, _u: f64, _y: f64, _h: f64) -> Option<Third> {
        Some(Third::NONE)
    }

    fn is_of_difference(&self) -> bool {
        true
    }

    #[inline]
    fn fenchel_young(&self, u: f64, v: f64, y: f64, share: f64) -> Option<f64> {
        let apart = (u - y) - share * (v - y);
        Some(0.5 * apart * apart)
    }
}

impl NamedLoss for Squared {
    const NAME: &'static str = "ridge";
    const TARGETS: Targets = Targets::Real;

    fn named(_parameter: f64, _classes: usize) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn regularity(&self) -> Regularity {
        Regularity::Quadratic
    }
}
