//! phi(u, y) = exp(u) - y u, the negative log-likelihood of a count y with mean exp(u), without its constant ln y!.
//!
//! phi_u = exp(u) - y, phi_y = -u, phi_uu = exp(u), phi_uy = -1.
//!
//! Source: McCullagh and Nelder, Generalized Linear Models, 2nd ed., chapter 6 (the logarithmic link).

use super::{Between, Loss, NamedLoss, Recession, Refusal, Targets, Third};

/// The Poisson loss; y >= 0 is a count, or any real number (below 0 it has no minimum).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Poisson;

/// Newton steps for the edge of a sublevel set; each is from above, so that any number of them gives a bound.
const EDGE_STEPS: usize = 30;

impl Loss for Poisson {
    #[inline]
    fn value(&self, u: f64, y: f64) -> f64 {
        u.exp() - y * u
    }

    #[inline]
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        (u.exp() - y, -u)
    }

    #[inline]
    fn second(&self, u: f64, _y: f64) -> (f64, f64) {
        (u.exp(), -1.0)
    }

    /// With c = exp(u), phi <= level is f(c) = c - y ln c - level <= 0. For y > 0, y ln c <= c/2 + y ln(2 y) - y, so that c <=
    /// 2 (level + y ln(2 y) - y); from there Newton's method on the convex f descends to the larger root, never below it.
    fn curvature(&self, y: f64, level: f64) -> Option<f64> {
        if y == 0.0 {
            return Some(level.max(0.0));
        }
        if y < 0.0 || !level.is_finite() {
            return None;
        }
        let mut c = (2.0 * (level + y * (2.0 * y).ln() - y)).max(y);
        for _ in 0..EDGE_STEPS {
            let (value, slope) = (c - y * c.ln() - level, 1.0 - y / c);
            if value <= 0.0 || slope <= 0.0 {
                break;
            }
            c -= value / slope;
        }
        Some(c.max(y))
    }

    fn between(&self, u: f64, _y: f64, h: f64) -> Option<Between> {
        // Towards v = u - h the secant falls to exp(u) (1 - exp(-h)) / h.
        let share = if h > 0.0 { -(-h).exp_m1() / h } else { 1.0 };
        Some(Between { secant: u.exp() * share, curvature: (u + h).exp(), cross: 1.0 })
    }

    fn third(&self, u: f64, _y: f64, h: f64) -> Option<Third> {
        Some(Third { curvature: (u + h).exp(), cross: 0.0 })
    }

    fn lower_bound(&self, y: f64) -> f64 {
        if y > 0.0 {
            y - y * y.ln()
        } else if y == 0.0 {
            0.0
        } else {
            f64::NEG_INFINITY
        }
    }

    fn recession(&self, u: f64, y: f64) -> Recession {
        if u == 0.0 {
            Recession::Level
        } else if y <= 0.0 && u < 0.0 {
            Recession::Falls
        } else {
            Recession::Rises
        }
    }

    /// phi*(c) = w ln w - w with w = c + y, which is `share` e^v + (1 - `share`) y; there is none below w = 0.
    fn fenchel_young(&self, u: f64, v: f64, y: f64, share: f64) -> Option<f64> {
        let mean = share * v.exp() + (1.0 - share) * y;
        let entropy = if mean == 0.0 { 0.0 } else { mean * (mean.ln() - u) };
        Some(if mean < 0.0 { f64::INFINITY } else { (u.exp() - mean + entropy).max(0.0) })
    }
}

impl NamedLoss for Poisson {
    const NAME: &'static str = "poisson";
    const TARGETS: Targets = Targets::NotNegative;

    fn named(_parameter: f64, _classes: usize) -> Result<Self, Refusal> {
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curvature_is_that_of_the_edge_of_the_sublevel_set() {
        for (y, u) in [(3.0, 2.5), (0.5, 1.0), (0.0, -2.0), (40.0, 4.5), (1e-3, 3.0)] {
            let level = Poisson.value(u, y);
            let bound = Poisson.curvature(y, level).unwrap();
            assert!(bound >= u.exp() * (1.0 - 1e-9) && bound <= u.exp() * (1.0 + 1e-6), "{y} {u}: {bound}");
        }
        // At the minimum the set is one point.
        assert!((Poisson.curvature(2.0, Poisson.lower_bound(2.0)).unwrap() / 2.0 - 1.0).abs() < 1e-6);
        assert_eq!(Poisson.curvature(-1.0, 5.0), None);
    }

    #[test]
    fn the_lower_bound_is_the_minimum() {
        for y in [0.3, 1.0, 7.0] {
            assert!((Poisson.value(f64::ln(y), y) - Poisson.lower_bound(y)).abs() < 1e-12);
        }
    }
}
