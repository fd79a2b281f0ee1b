//! phi(u, y) = max(0, 1 - y u)².
//!
//! With h = max(0, 1 - y u): phi_u = -2 y h, phi_y = -2 u h, and where h > 0 phi_uu = 2 y², phi_uy = 2 (2 y u - 1), else 0.
//!
//! Source: the L2-loss of support vector machines, Fan et al., LIBLINEAR, Journal of Machine Learning Research 9, 2008.

use super::{Between, Loss, NamedLoss, Refusal, Regularity, Targets, Third};

/// The squared hinge loss; y is a label -1 or +1, or any real number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SquaredHinge;

impl Loss for SquaredHinge {
    #[inline]
    fn value(&self, u: f64, y: f64) -> f64 {
        let h = (1.0 - y * u).max(0.0);
        h * h
    }

    #[inline]
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        let h = (1.0 - y * u).max(0.0);
        (-2.0 * y * h, -2.0 * u * h)
    }

    #[inline]
    fn second(&self, u: f64, y: f64) -> (f64, f64) {
        let margin = y * u;
        if margin < 1.0 { (2.0 * y * y, 2.0 * (2.0 * margin - 1.0)) } else { (0.0, 0.0) }
    }

    fn curvature(&self, y: f64, _level: f64) -> Option<f64> {
        Some(2.0 * y * y)
    }

    /// In the margin m = y u, phi_u / y falls linearly up to 1 and is 0 beyond: its mean slope is least at an end. phi_uy is 2 (2 m - 1) before 1, and
    /// monotone.
    fn between(&self, u: f64, y: f64, h: f64) -> Option<Between> {
        if y == 0.0 {
            return Some(Between { secant: 0.0, curvature: 0.0, cross: 2.0 });
        }
        let (margin, reach) = (y * u, y.abs() * h);
        let inside = ((1.0 - margin) / reach).clamp(0.0, 1.0);
        let secant = if margin >= 1.0 {
            0.0
        } else if margin + reach < 1.0 {
            2.0 * y * y
        } else {
            // Less what the rounding of the margin does to the share.
            2.0 * y * y * (inside - 8.0 * f64::EPSILON * (1.0 + margin.abs()) / reach).max(0.0)
        };
        let reached = margin - reach < 1.0;
        let bend = |margin: f64| 2.0 * (2.0 * margin - 1.0).abs();
        Some(Between {
            secant,
            curvature: if reached { 2.0 * y * y } else { 0.0 },
            cross: if reached { bend(margin - reach).max(bend((margin + reach).min(1.0))) } else { 0.0 },
        })
    }

    /// phi_uy rises with a slope of 4 y before the margin, and both are constants elsewhere but at it.
    fn third(&self, u: f64, y: f64, h: f64) -> Option<Third> {
        let (margin, reach) = (y * u, if y == 0.0 { 0.0 } else { y.abs() * h });
        Some(if margin + reach < 1.0 {
            Third { curvature: 0.0, cross: 4.0 * y.abs() }
        } else if margin - reach > 1.0 {
            Third::NONE
        } else {
            Third::KINK
        })
    }

    /// In the margin, the conjugate of max(0, 1 - m)² at t <= 0 is t + t²/4.
    fn fenchel_young(&self, u: f64, v: f64, y: f64, share: f64) -> Option<f64> {
        let (short, half) = (1.0 - y * u, share * (1.0 - y * v).max(0.0));
        Some(if short > 0.0 { (short - half) * (short - half) } else { half * half - 2.0 * half * short })
    }
}

impl NamedLoss for SquaredHinge {
    const NAME: &'static str = "squared-hinge";
    const TARGETS: Targets = Targets::Signed;

    fn named(_parameter: f64, _classes: usize) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn regularity(&self) -> Regularity {
        Regularity::Kinked
    }

    fn distance_from_kinks(&self, u: &[f64], y: &[f64]) -> f64 {
        (u[0] - 1.0 / y[0]).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_margin_there_is_nothing() {
        assert_eq!(SquaredHinge.value(-1.0, 2.0), 9.0);
        assert_eq!(SquaredHinge.first(-1.0, 2.0), (-12.0, 6.0));
        assert_eq!(SquaredHinge.second(-1.0, 2.0), (8.0, -10.0));
        for (u, y) in [(1.0, 1.0), (1e6, 1.0), (-2.0, -1.0)] {
            assert_eq!((SquaredHinge.value(u, y), SquaredHinge.second(u, y)), (0.0, (0.0, 0.0)));
        }
        assert_eq!(SquaredHinge.value(-1e6, 1.0), (1e6 + 1.0) * (1e6 + 1.0));
    }
}
