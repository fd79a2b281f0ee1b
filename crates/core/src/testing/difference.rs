//! Finite differences with an error far below what they are compared to.
//!
//! Central differences with steps h and h/2, extrapolated (Richardson): the error is O(h⁴) plus rounding O(eps / h). With h
//! = 1e-3 of the size of what moves, both are below 1e-10 for functions with four derivatives.

use crate::vector::max_abs;

/// What the step of a difference is multiplied by where the one before fails: functions may bend within a width of
/// their own, such as that of a penalty.
const SHORTER: [f64; 3] = [1.0, 1e-2, 1e-4];

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

impl Differences {
    /// The steps to try around `around`, from the one that suits most functions. A right derivative agrees with
    /// differences at one of them, a wrong one at none. The last one does not follow the size: that of a logarithm says
    /// nothing.
    pub fn steps(self, around: &[f64]) -> impl Iterator<Item = f64> {
        let size = max_abs(around);
        let absolute = (size > 0.0 && size < 1.0).then_some(self.step * 1e-3);
        let usual = self.step * step(around);
        SHORTER.into_iter().map(move |shorter| shorter * usual).chain(absolute)
    }

    /// Whether `attempt` is right at one of the steps around `around`.
    ///
    /// # Errors
    ///
    /// The error at the first step, where it is wrong at all.
    pub fn at_some_step<E>(self, around: &[f64], mut attempt: impl FnMut(f64) -> Result<(), E>) -> Result<(), E> {
        let mut first = None;
        for step in self.steps(around) {
            match attempt(step) {
                Ok(()) => return Ok(()),
                Err(error) => first = first.or(Some(error)),
            }
        }
        first.map_or(Ok(()), Err)
    }
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
    fn what_bends_within_a_width_needs_a_step_within_it() {
        let slope = |h: f64| derivative(h, |h| Ok::<_, Infallible>(vec![(1e-5 + h).hypot(1e-5)])).unwrap()[0];
        let mut tried = 0;
        let found = Differences::SMOOTH.at_some_step(&[1.0], |h| {
            tried += 1;
            if (slope(h) - 0.5_f64.sqrt()).abs() < 1e-6 { Ok(()) } else { Err(h) }
        });
        assert_eq!((found, tried), (Ok(()), 3));
        assert_eq!(Differences::SMOOTH.at_some_step(&[1.0], Err::<(), _>), Err(1e-3));
    }

    #[test]
    fn steps_follow_the_size() {
        let steps: Vec<f64> = Differences::SMOOTH.steps(&[0.5]).collect();
        assert_eq!(steps, [5e-4, 1e-2 * 5e-4, 1e-4 * 5e-4, 1e-3]);
        assert_eq!(Differences::KINKS.steps(&[2.0]).count(), 3);
        assert_eq!((step(&[0.0, -2.0]), step(&[0.0]), step(&[])), (2e-3, 1e-3, 1e-3));
    }
}
