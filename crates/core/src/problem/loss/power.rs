//! phi(u, y) = |u - y|^q / q for real q >= 2, the least q-th power.
//!
//! With r = u - y: phi_u = sign(r) |r|^(q-1) = -phi_y, phi_uu = (q - 1) |r|^(q-2) = -phi_uy.

use thiserror::Error;

use super::{Between, Loss, NamedLoss, Refusal, Regularity, Targets, Third};

/// The least q-th power, q >= 2 real; q = 2 is [`Squared`](super::Squared).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    exponent: f64,
    /// The exponent where it is a small integer: integer powers are exact at r = 2 and several times faster.
    integer: Option<i32>,
}

/// The exponent is below 2, infinite or NaN.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("exponent {exponent}, expected a finite number at least 2")]
pub struct InvalidPower {
    /// What was given.
    pub exponent: f64,
}

impl Power {
    /// The loss |u - y|^q / q with q = `exponent`.
    ///
    /// # Errors
    ///
    /// [`InvalidPower`] unless 2 <= q < infinity: below 2 the loss is not twice differentiable at 0.
    pub fn new(exponent: f64) -> Result<Self, InvalidPower> {
        if !(exponent >= 2.0 && exponent.is_finite()) {
            return Err(InvalidPower { exponent });
        }
        let integer = (exponent.fract() == 0.0 && exponent <= 64.0).then_some(exponent as i32);
        Ok(Self { exponent, integer })
    }

    /// q.
    #[must_use]
    pub fn exponent(&self) -> f64 {
        self.exponent
    }

    /// |r|^(q - less), less in 0..=3.
    #[inline]
    fn power(&self, r: f64, less: i32) -> f64 {
        match self.integer {
            Some(q) => r.abs().powi(q - less),
            None => r.abs().powf(self.exponent - f64::from(less)),
        }
    }
}

impl Loss for Power {
    #[inline]
    fn value(&self, u: f64, y: f64) -> f64 {
        self.power(u - y, 0) / self.exponent
    }

    #[inline]
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        let r = u - y;
        let slope = self.power(r, 1).copysign(r);
        (slope, -slope)
    }

    #[inline]
    fn second(&self, u: f64, y: f64) -> (f64, f64) {
        let curvature = (self.exponent - 1.0) * self.power(u - y, 2);
        (curvature, -curvature)
    }

    /// On phi <= level, |r| <= (q level)^(1/q).
    fn curvature(&self, _y: f64, level: f64) -> Option<f64> {
        let q = self.exponent;
        Some((q - 1.0) * (q * level.max(0.0)).powf((q - 2.0) / q))
    }

    /// From r to v = -t r with t > 0, across 0, the secant is |r|^(q-2) (1 + t^(q-1)) / (1 + t), and (1 + t^a) / 2 >= ((1 + t) / 2)^a
    /// for a >= 1 makes it at least (|r| / 2)^(q-2); on the side of r it is least at the end nearer to 0.
    fn between(&self, u: f64, y: f64, h: f64) -> Option<Between> {
        let (r, slope) = ((u - y).abs(), |r: f64| self.power(r, 1));
        let bend = |r: f64| (self.exponent - 1.0) * self.power(r, 2);
        let secant = if h < r {
            // A difference of numbers near one another says nothing.
            let difference = slope(r) * (1.0 - 64.0 * f64::EPSILON) - slope(r - h);
            (difference / h).max(bend(r - h))
        } else {
            self.power(0.5 * r, 2)
        };
        // At h = 0 the quotient above is no number of use.
        let secant = if h == 0.0 { bend(r) } else { secant };
        Some(Between::of_difference(secant, bend(r + h)))
    }

    /// |phi_uuu| = (q - 1) (q - 2) |r|^(q-3), largest at the far end, or below q = 3 at the near one, without bound about 0.
    fn third(&self, u: f64, y: f64, h: f64) -> Option<Third> {
        let (q, r) = (self.exponent, (u - y).abs());
        if q == 2.0 {
            return Some(Third::NONE);
        }
        let end = if q >= 3.0 { r + h } else { (r - h).max(0.0) };
        Some(Third::of_difference((q - 1.0) * (q - 2.0) * self.power(end, 3)))
    }

    fn is_of_difference(&self) -> bool {
        true
    }
}

impl NamedLoss for Power {
    const NAME: &'static str = "pnorm";
    const PARAMETER: Option<(&'static str, &'static [f64])> = Some(("P", &[2.5, 3.0, 4.0]));
    const TARGETS: Targets = Targets::Real;

    fn named(exponent: f64, _classes: usize) -> Result<Self, Refusal> {
        Ok(Self::new(exponent)?)
    }

    fn regularity(&self) -> Regularity {
        match self.exponent {
            2.0 => Regularity::Quadratic,
            q if q < 3.0 => Regularity::Kinked,
            3.0 => Regularity::LipschitzSecond,
            _ => Regularity::Smooth,
        }
    }

    fn distance_from_kinks(&self, u: &[f64], y: &[f64]) -> f64 {
        if self.regularity() <= Regularity::Smooth { f64::INFINITY } else { (u[0] - y[0]).abs() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_two_is_refused() {
        for q in [1.999, 0.0, -2.0, f64::NAN, f64::INFINITY] {
            assert!(Power::new(q).is_err(), "{q}");
        }
    }

    #[test]
    fn real_and_integer_exponents_agree_with_closed_forms() {
        let four = Power::new(4.0).unwrap();
        assert_eq!(
            (four.value(3.0, 1.0), four.first(3.0, 1.0), four.second(3.0, 1.0)),
            (4.0, (8.0, -8.0), (12.0, -12.0))
        );
        assert_eq!(four.first(0.0, 2.0), (-8.0, 8.0));
        let real = Power::new(2.5).unwrap();
        assert!((real.first(5.0, 1.0).0 - 8.0).abs() < 1e-14);
        assert!((real.second(5.0, 1.0).0 - 3.0).abs() < 1e-14);
        assert_eq!(Power::new(2.0).unwrap().second(1.0, 1.0), (1.0, -1.0));
        assert_eq!(real.second(1.0, 1.0), (0.0, -0.0));
    }

    #[test]
    fn curvature_bounds_the_sublevel_set() {
        let loss = Power::new(3.5).unwrap();
        let bound = loss.curvature(0.0, 2.0).unwrap();
        let edge = (3.5_f64 * 2.0).powf(1.0 / 3.5);
        assert!((loss.second(edge, 0.0).0 / bound - 1.0).abs() < 1e-14);
    }
}
