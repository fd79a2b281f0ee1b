//! phi(u, y) = h(u - y), h(r) = r²/2 for |r| <= delta, else delta (|r| - delta/2).
//!
//! phi_u = clamp(r, -delta, delta) = -phi_y; phi_uu = 1 for |r| <= delta, else 0, = -phi_uy: where |r| = delta there is no
//! second derivative, and that of the inner side is taken.
//!
//! Source: Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35, 1964.

use thiserror::Error;

use super::{Between, Loss, NamedLoss, Refusal, Regularity, Targets, Third};

/// The Huber loss: quadratic for residuals up to delta, linear beyond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    delta: f64,
}

/// The threshold is not a positive finite number.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("threshold {delta}, expected a finite number above 0")]
pub struct InvalidThreshold {
    /// What was given.
    pub delta: f64,
}

impl Huber {
    /// The loss that is quadratic up to |u - y| = `delta`.
    ///
    /// # Errors
    ///
    /// [`InvalidThreshold`] unless 0 < delta < infinity.
    pub fn new(delta: f64) -> Result<Self, InvalidThreshold> {
        if delta > 0.0 && delta.is_finite() { Ok(Self { delta }) } else { Err(InvalidThreshold { delta }) }
    }

    /// delta.
    #[must_use]
    pub fn delta(&self) -> f64 {
        self.delta
    }
}

impl Loss for Huber {
    #[inline]
    fn value(&self, u: f64, y: f64) -> f64 {
        let r = (u - y).abs();
        if r <= self.delta { 0.5 * r * r } else { self.delta * (r - 0.5 * self.delta) }
    }

    #[inline]
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        let slope = (u - y).clamp(-self.delta, self.delta);
        (slope, -slope)
    }

    #[inline]
    fn second(&self, u: f64, y: f64) -> (f64, f64) {
        let bend = if (u - y).abs() <= self.delta { 1.0 } else { 0.0 };
        (bend, -bend)
    }

    fn curvature(&self, _y: f64, _level: f64) -> Option<f64> {
        Some(1.0)
    }

    fn between(&self, u: f64, y: f64, h: f64) -> Option<Between> {
        let slope = |r: f64| r.clamp(-self.delta, self.delta);
        let bend = |r: f64| if r.abs() <= self.delta { 1.0 } else { 0.0 };
        let (secant, curvature) = Between::of_peaked(u - y, 0.0, h, slope, bend);
        Some(Between::of_difference(secant, curvature))
    }

    fn third(&self, u: f64, y: f64, h: f64) -> Option<Third> {
        let r = (u - y).abs();
        Some(if r + h < self.delta || r - h > self.delta { Third::NONE } else { Third::KINK })
    }

    fn is_of_difference(&self) -> bool {
        true
    }

    /// phi*(c) = c y + c²/2 for |c| <= delta.
    fn fenchel_young(&self, u: f64, v: f64, y: f64, share: f64) -> Option<f64> {
        let (r, slope) = (u - y, share * (v - y).clamp(-self.delta, self.delta));
        if r.abs() <= self.delta {
            return Some(0.5 * (r - slope) * (r - slope));
        }
        let along = slope * r.signum();
        Some((self.delta - along) * (r.abs() - 0.5 * (self.delta + along)))
    }
}

impl NamedLoss for Huber {
    const NAME: &'static str = "huber";
    const PARAMETER: Option<(&'static str, &'static [f64])> = Some(("DELTA", &[2.5]));
    const TARGETS: Targets = Targets::Real;

    fn named(delta: f64, _classes: usize) -> Result<Self, Refusal> {
        Ok(Self::new(delta)?)
    }

    fn regularity(&self) -> Regularity {
        Regularity::Kinked
    }

    fn distance_from_kinks(&self, u: &[f64], y: &[f64]) -> f64 {
        ((u[0] - y[0]).abs() - self.delta).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_meet_at_the_threshold() {
        let loss = Huber::new(2.0).unwrap();
        assert_eq!(
            (loss.value(3.0, 1.0), loss.first(3.0, 1.0), loss.second(3.0, 1.0)),
            (2.0, (2.0, -2.0), (1.0, -1.0))
        );
        assert_eq!((loss.value(-4.0, 1.0), loss.first(-4.0, 1.0).0, loss.second(-4.0, 1.0).0), (8.0, -2.0, 0.0));
        assert_eq!(loss.value(1e200, 0.0), 2e200);
    }

    #[test]
    fn thresholds_are_positive_numbers() {
        for delta in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Huber::new(delta).is_err(), "{delta}");
        }
    }
}
