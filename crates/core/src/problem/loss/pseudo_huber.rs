//! phi(u, y) = delta² (sqrt(1 + (r/delta)²) - 1) with r = u - y: r²/2 near 0 and delta |r| far off, as the Huber loss, but smooth.
//!
//! With s = sqrt(1 + (r/delta)²): phi_u = r / s = -phi_y, phi_uu = 1 / s³ = -phi_uy.
//!
//! Source: Charbonnier et al., Deterministic edge-preserving regularization in computed imaging, IEEE Transactions on Image
//! Processing 6, 1997.

use super::{Between, InvalidThreshold, Loss, NamedLoss, Refusal, Targets, Third};

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

    /// (r, s).
    #[inline]
    fn residual(&self, u: f64, y: f64) -> (f64, f64) {
        let r = u - y;
        (r, (r / self.delta).hypot(1.0))
    }
}

impl Loss for PseudoHuber {
    /// delta² (s - 1) = r² / (s + 1) does not cancel near 0; r (r / (s + 1)) does not overflow before it does.
    #[inline]
    fn value(&self, u: f64, y: f64) -> f64 {
        let (r, s) = self.residual(u, y);
        r * (r / (s + 1.0))
    }

    #[inline]
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        let (r, s) = self.residual(u, y);
        (r / s, -r / s)
    }

    #[inline]
    fn second(&self, u: f64, y: f64) -> (f64, f64) {
        let (_, s) = self.residual(u, y);
        let bend = 1.0 / (s * s * s);
        (bend, -bend)
    }

    fn curvature(&self, _y: f64, _level: f64) -> Option<f64> {
        Some(1.0)
    }

    fn between(&self, u: f64, y: f64, h: f64) -> Option<Between> {
        let slope = |r: f64| r / (r / self.delta).hypot(1.0);
        let bend = |r: f64| (r / self.delta).hypot(1.0).powi(-3);
        let (secant, curvature) = Between::of_peaked(u - y, 0.0, h, slope, bend);
        Some(Between::of_difference(secant, curvature))
    }

    /// |phi_uuu| = 3 |r| / (delta² s⁵) rises up to |r| = delta / 2 and falls from there on.
    fn third(&self, u: f64, y: f64, h: f64) -> Option<Third> {
        let r = (u - y).abs();
        let steepest = (0.5 * self.delta).max(r - h).min(r + h) / self.delta;
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

    #[test]
    fn thresholds_are_positive_numbers() {
        for delta in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(PseudoHuber::new(delta).is_err(), "{delta}");
        }
    }
}
