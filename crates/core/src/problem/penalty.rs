//! Penalties of one coordinate, r(z): what lambda multiplies.

use thiserror::Error;

/// A convex penalty r(z) >= 0 of one coordinate, with r(0) = 0 and two derivatives.
pub trait Penalty: Sync {
    /// r(z).
    fn value(&self, z: f64) -> f64;

    /// r'(z).
    fn first(&self, z: f64) -> f64;

    /// r''(z).
    fn second(&self, z: f64) -> f64;

    /// The smallest and the largest value of r''. Where they are equal, r is taken to be quadratic.
    fn curvature(&self) -> (f64, f64);

    /// A bound on |r'''|, infinite where none is known: by it hypergradients are certified.
    fn third(&self) -> f64 {
        let (low, high) = self.curvature();
        if low == high { 0.0 } else { f64::INFINITY }
    }
}

/// r(z) = z²/2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ridge;

impl Penalty for Ridge {
    #[inline]
    fn value(&self, z: f64) -> f64 {
        0.5 * z * z
    }

    #[inline]
    fn first(&self, z: f64) -> f64 {
        z
    }

    #[inline]
    fn second(&self, _z: f64) -> f64 {
        1.0
    }

    fn curvature(&self) -> (f64, f64) {
        (1.0, 1.0)
    }
}

/// r(z) = 0: what is left of a problem whose penalty is dealt with apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpenalised;

impl Penalty for Unpenalised {
    #[inline]
    fn value(&self, _z: f64) -> f64 {
        0.0
    }

    #[inline]
    fn first(&self, _z: f64) -> f64 {
        0.0
    }

    #[inline]
    fn second(&self, _z: f64) -> f64 {
        0.0
    }

    fn curvature(&self) -> (f64, f64) {
        (0.0, 0.0)
    }
}

/// r(z) = (1 - a) z²/2 + a (sqrt(z² + d²) - d): a smooth elastic net, in which |z| is rounded off within about d of 0.
///
/// With s = sqrt(z² + d²): r' = (1 - a) z + a z / s, r'' = 1 - a + a d² / s³.
///
/// Source: the elastic net of Zou and Hastie, Journal of the Royal Statistical Society B 67, 2005, with |z| replaced by the
/// pseudo-Huber function of Charbonnier et al., IEEE Transactions on Image Processing 6, 1997.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothElastic {
    share: f64,
    width: f64,
}

/// A smooth elastic net out of its range.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("smooth elastic net with share {share} and width {width}, expected 0 <= share <= 1 and a finite width above 0")]
pub struct InvalidElastic {
    /// a, as given.
    pub share: f64,
    /// d, as given.
    pub width: f64,
}

impl SmoothElastic {
    /// The penalty with the share a of |z|, rounded off within d = `width`.
    ///
    /// # Errors
    ///
    /// [`InvalidElastic`] unless 0 <= a <= 1 and 0 < d < infinity.
    pub fn new(share: f64, width: f64) -> Result<Self, InvalidElastic> {
        let fits = (0.0..=1.0).contains(&share) && width > 0.0 && width.is_finite();
        if fits { Ok(Self { share, width }) } else { Err(InvalidElastic { share, width }) }
    }

    /// a.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.share
    }

    /// d.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.width
    }
}

impl Penalty for SmoothElastic {
    #[inline]
    fn value(&self, z: f64) -> f64 {
        // s - d = z² / (s + d), without the cancellation near 0.
        let s = z.hypot(self.width);
        let rounded = z * (z / (s + self.width));
        (1.0 - self.share) * (0.5 * z * z) + self.share * rounded
    }

    #[inline]
    fn first(&self, z: f64) -> f64 {
        (1.0 - self.share) * z + self.share * (z / z.hypot(self.width))
    }

    #[inline]
    fn second(&self, z: f64) -> f64 {
        let s = z.hypot(self.width);
        1.0 - self.share + self.share * (self.width / s).powi(2) / s
    }

    fn curvature(&self) -> (f64, f64) {
        if self.share == 0.0 { (1.0, 1.0) } else { (1.0 - self.share, 1.0 - self.share + self.share / self.width) }
    }

    /// |r'''| = 3 a d² |z| / s⁵ is largest at |z| = d / 2.
    fn third(&self) -> f64 {
        1.5 * 1.25_f64.powf(-2.5) * (1.0 + 1e-12) * self.share / (self.width * self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elastic_net_lies_between_its_parts() {
        let penalty = SmoothElastic::new(0.3, 1e-3).unwrap();
        for z in [-2.0_f64, -0.1, 0.5, 1e3] {
            let sharp = 0.7 * z * z / 2.0 + 0.3 * z.abs();
            assert!(penalty.value(z) <= sharp && penalty.value(z) >= sharp - 0.3e-3 * (1.0 + 1e-9), "{z}");
            let (low, high) = penalty.curvature();
            assert!((low..=high).contains(&penalty.second(z)));
        }
        assert_eq!((penalty.value(0.0), penalty.first(0.0)), (0.0, 0.0));
        assert_eq!(penalty.second(0.0), penalty.curvature().1);
        assert!(penalty.value(1e-9) > 0.0);
        // The largest slope of r'', at z = d / 2, and that of any two points.
        let slope = |z: f64, h: f64| (penalty.second(z) - penalty.second(z + h)).abs() / h;
        assert!(slope(5e-4, 1e-8) > 0.999 * penalty.third());
        assert!((0..400).all(|k| slope(-2e-3 + 1e-5 * f64::from(k), 3e-6) <= penalty.third() * (1.0 + 1e-9)));
    }

    #[test]
    fn shares_and_widths_have_ranges() {
        for (share, width) in [(-0.1, 1.0), (1.1, 1.0), (f64::NAN, 1.0), (0.5, 0.0), (0.5, f64::INFINITY)] {
            assert!(SmoothElastic::new(share, width).is_err());
        }
    }
}
