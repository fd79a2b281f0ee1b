//! phi(u, y) = u + y exp(-u), the negative log-likelihood of a gamma variable y > 0 with mean exp(u), for each unit of its shape and
//! without what does not depend on u.
//!
//! With c = y exp(-u): phi_u = 1 - c, phi_y = exp(-u), phi_uu = c, phi_uy = -exp(-u).
//!
//! Source: McCullagh and Nelder, Generalized Linear Models, 2nd ed., chapter 8 (the logarithmic link).

use super::{Between, Loss, NamedLoss, Poisson, Recession, Refusal, Targets, Third};

/// The gamma loss; y > 0, or any real number (below 0 it has no minimum).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gamma;

impl Loss for Gamma {
    #[inline]
    fn value(&self, u: f64, y: f64) -> f64 {
        u + y * (-u).exp()
    }

    #[inline]
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        let e = (-u).exp();
        (1.0 - y * e, e)
    }

    #[inline]
    fn second(&self, u: f64, y: f64) -> (f64, f64) {
        let e = (-u).exp();
        (y * e, -e)
    }

    /// phi = ln y + c - ln c: at most the level where the Poisson loss of the count 1, c = exp(v), is at most level - ln y; its
    /// curvature there is c as well.
    fn curvature(&self, y: f64, level: f64) -> Option<f64> {
        if y > 0.0 { Loss::curvature(&Poisson, 1.0, level - y.ln()) } else { None }
    }

    fn between(&self, u: f64, y: f64, h: f64) -> Option<Between> {
        // As of the Poisson loss at -u, y times.
        let Between { secant, curvature, .. } = Loss::between(&Poisson, -u, y, h)?;
        if y >= 0.0 { Some(Between { secant: y * secant, curvature: y * curvature, cross: curvature }) } else { None }
    }

    fn third(&self, u: f64, y: f64, h: f64) -> Option<Third> {
        let e = (h - u).exp();
        if y >= 0.0 { Some(Third { curvature: if y == 0.0 { 0.0 } else { y * e }, cross: e }) } else { None }
    }

    fn lower_bound(&self, y: f64) -> f64 {
        if y > 0.0 { 1.0 + y.ln() } else { f64::NEG_INFINITY }
    }

    fn recession(&self, u: f64, y: f64) -> Recession {
        // Both losses are held back at u < 0 by y > 0 alone, and at u > 0 by themselves.
        Loss::recession(&Poisson, u, y)
    }
}

impl NamedLoss for Gamma {
    const NAME: &'static str = "gamma";
    const TARGETS: Targets = Targets::Positive;

    fn named(_parameter: f64, _classes: usize) -> Result<Self, Refusal> {
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curvature_and_lower_bound_are_those_of_the_sublevel_set() {
        for (y, u) in [(3.0, -1.0), (0.2, -2.0), (5.0, 0.5)] {
            let (level, lowest) = (Gamma.value(u, y), Gamma.value(f64::ln(y), y));
            let bound = Gamma.curvature(y, level).unwrap();
            let edge = y * (-u).exp();
            assert!(bound >= edge.max(1.0) * (1.0 - 1e-9) && bound <= edge.max(1.0) * (1.0 + 1e-6), "{y} {u}: {bound}");
            assert!((lowest - Gamma.lower_bound(y)).abs() < 1e-12);
        }
        assert_eq!(Gamma.curvature(0.0, 1.0), None);
    }
}
