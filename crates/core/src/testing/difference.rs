//! Finite differences with an error far below what they are compared to.
//!
//! Central differences with steps h and h/2, extrapolated (Richardson): the error is O(h⁴) plus rounding O(eps / h). With h
//! = 1e-3 of the size of what moves, both are below 1e-10 for functions with four derivatives.

use crate::vector::max_abs;

/// How a derivative is compared with finite differences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Differences {
    /// What [`step`] is multiplied by.
    pub step: f64,
    /// Relative error allowed.
    pub allowed: f64,
}

impl Differences {
    /// For functions with four derivatives or so.
    pub const SMOOTH: Self = Self { step: 1.0, allowed: 1e-6 };
    /// For sums of functions with kinks in a derivative: short steps pass over few of them, and keep fewer digits.
    pub const KINKS: Self = Self { step: 1e-3, allowed: 1e-3 };
}

impl Default for Differences {
    fn default() -> Self {
        Self::SMOOTH
    }
}

/// The step that suits a vector: 1e-3 of its largest entry, or 1e-3 where it is 0.
#[must_use]
pub fn step(around: &[f64]) -> f64 {
    let size = max_abs(around);
    if size > 0.0 { 1e-3 * size } else { 1e-3 }
}

/// d/dh f(h) at 0, for a vector-valued f, by steps of about `step`.
///
/// # Errors
///
/// The first error of `f`.
pub fn derivative<E>(step: f64, mut f: impl FnMut(f64) -> Result<Vec<f64>, E>) -> Result<Vec<f64>, E> {
    let mut central = |h: f64| -> Result<Vec<f64>, E> {
        let (plus, minus) = (f(h)?, f(-h)?);
        Ok(plus.iter().zip(&minus).map(|(p, m)| (p - m) / (2.0 * h)).collect())
    };
    let (coarse, fine) = (central(step)?, central(step / 2.0)?);
    Ok(coarse.iter().zip(&fine).map(|(c, f)| (4.0 * f - c) / 3.0).collect())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn smooth_functions_are_differentiated_to_ten_digits() {
        let slope = derivative(1e-3, |h| Ok::<_, Infallible>(vec![(1.0 + h).exp(), (2.0 + h).powi(4)])).unwrap();
        assert!((slope[0] - 1f64.exp()).abs() < 1e-11 && (slope[1] - 32.0).abs() < 1e-10, "{slope:?}");
    }

    #[test]
    fn steps_follow_the_size() {
        assert_eq!((step(&[0.0, -2.0]), step(&[0.0]), step(&[])), (2e-3, 1e-3, 1e-3));
    }
}
