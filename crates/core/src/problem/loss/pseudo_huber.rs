//! phi(u, y) = delta² (sqrt(1 + (r/delta)²) - 1) with r = u - y: r²/2 near 0 and delta |r| far off, as the Huber loss, but smooth.
//!
//! With s = sqrt(1 + (r/delta)²): phi_u = r / s = -phi_y, phi_uu = 1 / s³ = -phi_uy.
//!
//! Source: Charbonnier et al., Deterministic edge-preserving regularization in computed imaging, IEEE Transactions on Image
//! Processing 6, 1997.

use super::{Between, InvalidThreshold, Loss, NamedLoss, Refusal, Targets, Third};

/// r / delta, far beyond which phi_uuu does not matter.
const FAR: f64 = 1e60;

/// The pseudo-Huber loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PseudoHuber {
    delta: f64,
}

impl PseudoHuber {
    /// The loss that turns from a square into a modulus about |u - y| = `delta`.
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

    /// s.
    #[inline]
    fn s(&self, r: f64) -> f64 {
        (r / self.delta).hypot(1.0)
    }

    /// phi_u at r = u - y; beyond delta by delta / r, as r / delta may overflow.
    #[inline]
    fn slope(&self, r: f64) -> f64 {
        if r.abs() <= self.delta { r / self.s(r) } else { (self.delta / (self.delta / r).hypot(1.0)).copysign(r) }
    }

    /// phi_uu at r.
    #[inline]
    fn bend(&self, r: f64) -> f64 {
        if r.abs() <= self.delta {
            let s = self.s(r);
            return 1.0 / (s * s * s);
        }
        let t = self.delta / r.abs();
        let inverse = t / t.hypot(1.0);
        inverse * inverse * inverse
    }
}

impl Loss for PseudoHuber {
    /// delta² (s - 1) = r² / (s + 1) does not cancel near 0; r (r / (s + 1)) does not overflow before it does. Beyond delta, with t = delta / |r|,
    /// that is delta |r| / (sqrt(1 + t²) + t).
    #[inline]
    fn value(&self, u: f64, y: f64) -> f64 {
        let r = (u - y).abs();
        if r <= self.delta {
            r * (r / (self.s(r) + 1.0))
        } else {
            let t = self.delta / r;
            self.delta * (r / (t.hypot(1.0) + t))
        }
    }

    #[inline]
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        let slope = self.slope(u - y);
        (slope, -slope)
    }

    #[inline]
    fn second(&self, u: f64, y: f64) -> (f64, f64) {
        let bend = self.bend(u - y);
        (bend, -bend)
    }

    fn curvature(&self, _y: f64, _level: f64) -> Option<f64> {
        Some(1.0)
    }

    fn between(&self, u: f64, y: f64, h: f64) -> Option<Between> {
        let (secant, curvature) = Between::of_peaked(u - y, 0.0, h, |r| self.slope(r), |r| self.bend(r));
        Some(Between::of_difference(secant, curvature))
    }

    /// |phi_uuu| = 3 |r| / (delta² s⁵) rises up to |r| = delta / 2 and falls from there on.
    fn third(&self, u: f64, y: f64, h: f64) -> Option<Third> {
        let r = (u - y).abs();
        // Where that overflows, a smaller one says no less.
        let steepest = ((0.5 * self.delta).max(r - h).min(r + h) / self.delta).min(FAR);
        let most = 3.0 * steepest * steepest.hypot(1.0).powi(-5) / self.delta;
        Some(Third::of_difference(most * (1.0 + 1e-12)))
    }

    fn is_of_difference(&self) -> bool {
        true
    }
}

impl NamedLoss for PseudoHuber {
    const NAME: &'static str = "pseudo-huber";
    const PARAMETER: Option<(&'static str, &'static [f64])> = Some(("DELTA", &[1.5]));
    const TARGETS: Targets = Targets::Real;

    fn named(delta: f64, _classes: usize) -> Result<Self, Refusal> {
        Ok(Self::new(delta)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far_it_is_what_it_should_be() {
        let loss = PseudoHuber::new(2.0).unwrap();
        // r = 1.5: s = 5/4.
        assert_eq!(
            (loss.value(2.5, 1.0), loss.first(2.5, 1.0), loss.second(2.5, 1.0)),
            (1.0, (1.2, -1.2), (0.512, -0.512))
        );
        assert_eq!(loss.value(1e-9, 0.0), 0.5e-18);
        assert_eq!((loss.value(1e200, 0.0), loss.first(-1e200, 0.0).0), (2e200, -2.0));
    }

    /// r / delta overflows, vanishes, or is 1, where both forms meet.
    #[test]
    fn numbers_far_apart_are_no_obstacle() {
        for (delta, r, value, slope) in [
            (1e-10, 1e300, 1e290, 1e-10),
            (1e-200, 1e150, 1e-50, 1e-200),
            (1e300, 1e-10, 0.5e-20, 1e-10),
            (2.0, 2.0, 4.0 * (2.0_f64.sqrt() - 1.0), 2.0_f64.sqrt()),
        ] {
            let loss = PseudoHuber::new(delta).unwrap();
            let near = |found: f64, expected: f64| (found / expected - 1.0).abs() <= 4.0 * f64::EPSILON;
            assert!(near(loss.value(r, 0.0), value) && near(loss.value(-r, 0.0), value), "{delta:e}");
            assert!(near(loss.first(r, 0.0).0, slope) && near(loss.first(-r, 0.0).0, -slope), "{delta:e}");
            assert!((0.0..=1.0).contains(&loss.second(r, 0.0).0), "{delta:e}");
            let third = Loss::third(&loss, r, 0.0, 0.1 * r).unwrap();
            assert!(third.curvature.is_finite() && third.curvature >= 0.0, "{delta:e}");
        }
        let (loss, inside, beyond) = (PseudoHuber::new(2.0).unwrap(), 2.0, 2.0_f64.next_up());
        let of: [fn(&PseudoHuber, f64) -> f64; 3] =
            [|loss, r| loss.value(r, 0.0), |loss, r| loss.first(r, 0.0).0, |loss, r| loss.second(r, 0.0).0];
        for of in of {
            assert!((of(&loss, inside) / of(&loss, beyond) - 1.0).abs() < 8.0 * f64::EPSILON);
        }
    }

    #[test]
    fn thresholds_are_positive_numbers() {
        for delta in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(PseudoHuber::new(delta).is_err(), "{delta}");
        }
    }
}
