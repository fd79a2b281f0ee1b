//! A scalar loss from its value alone: phi over dual numbers, whose arithmetic carries derivatives along.
//!
//! With e1² = e2² = 0 and e1 e2 != 0, to rounding and without a step size:
//!
//! ```text
//! phi(u + e1, y + e2)  = phi + phi_u e1 + phi_y e2 + phi_uy e1 e2
//! phi(u + e1 + e2, y)  = phi + phi_u (e1 + e2)     + phi_uu e1 e2
//! ```
//!
//! It costs a few times the arithmetic of derivatives written by hand, and no pass over D more.
//!
//! Source: Fike and Alonso, The development of hyper-dual numbers for exact second-derivative calculations, 49th AIAA
//! Aerospace Sciences Meeting, 2011.

use num_dual::{DualNum, second_derivative, second_partial_derivative};

use super::{Between, Loss, Recession, Third};

/// What a [`LossValue`] computes with: f64, or dual numbers over it, with the functions of f64 under the same names. They
/// are compared by their real parts.
pub trait Number: DualNum<Primitive = f64> + Copy {}

impl<T: DualNum<Primitive = f64> + Copy> Number for T {}

/// A scalar loss phi(u, y), convex in u, by its value; [`ByDualNumbers`] makes a [`Loss`] of it.
///
/// Of an `if` the branch taken is differentiated, also where it meets the other. Derivatives are NaN
/// where num-dual has none: of `sqrt` at 0, of `powf` at 0 with an exponent below 3 that is no integer, of `tanh` where `cosh`
/// overflows.
pub trait LossValue: Sync {
    /// phi(u, y).
    fn value<T: Number>(&self, u: T, y: T) -> T;

    /// As [`Loss::curvature`]. Where it is not known, take a solver that does not ask, such as
    /// [`Backtracking`](crate::solver::Backtracking), or give the step.
    fn curvature(&self, _y: f64, _level: f64) -> Option<f64> {
        None
    }

    /// As [`Loss::lower_bound`].
    fn lower_bound(&self, _y: f64) -> f64 {
        0.0
    }

    /// As [`Loss::recession`].
    fn recession(&self, _u: f64, _y: f64) -> Recession {
        Recession::Rises
    }

    /// As [`Loss::between`].
    fn between(&self, _u: f64, _y: f64, _h: f64) -> Option<Between> {
        None
    }

    /// As [`Loss::third`].
    fn third(&self, _u: f64, _y: f64, _h: f64) -> Option<Third> {
        None
    }

    /// As [`Loss::is_of_difference`].
    fn is_of_difference(&self) -> bool {
        false
    }
}

/// The loss whose value is that of `V`, with derivatives by dual numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByDualNumbers<V>(pub V);

impl<V: LossValue> Loss for ByDualNumbers<V> {
    #[inline]
    fn value(&self, u: f64, y: f64) -> f64 {
        self.0.value(u, y)
    }

    #[inline]
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        let (_, phi_u, phi_y, _) = second_partial_derivative(|(u, y)| self.0.value(u, y), (u, y));
        (phi_u, phi_y)
    }

    #[inline]
    fn second(&self, u: f64, y: f64) -> (f64, f64) {
        let (_, _, phi_uu) = second_derivative(|u| self.0.value(u, y.into()), u);
        let (_, _, _, phi_uy) = second_partial_derivative(|(u, y)| self.0.value(u, y), (u, y));
        (phi_uu, phi_uy)
    }

    fn curvature(&self, y: f64, level: f64) -> Option<f64> {
        self.0.curvature(y, level)
    }

    fn lower_bound(&self, y: f64) -> f64 {
        self.0.lower_bound(y)
    }

    fn recession(&self, u: f64, y: f64) -> Recession {
        self.0.recession(u, y)
    }

    fn between(&self, u: f64, y: f64, h: f64) -> Option<Between> {
        self.0.between(u, y, h)
    }

    fn third(&self, u: f64, y: f64, h: f64) -> Option<Third> {
        self.0.third(u, y, h)
    }

    fn is_of_difference(&self) -> bool {
        self.0.is_of_difference()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Logistic, Poisson, Squared};
    use super::*;
    use crate::problem::glm::Glm;
    use crate::testing::{check_problem, random};

    impl LossValue for Squared {
        fn value<T: Number>(&self, u: T, y: T) -> T {
            (u - y) * (u - y) / 2.0
        }
    }

    impl LossValue for Logistic {
        fn value<T: Number>(&self, u: T, y: T) -> T {
            let margin = u * y;
            if margin > 0.0 { (-margin).exp().ln_1p() } else { margin.exp().ln_1p() - margin }
        }
    }

    impl LossValue for Poisson {
        fn value<T: Number>(&self, u: T, y: T) -> T {
            u.exp() - u * y
        }
    }

    /// By value and by hand.
    fn agree<L: Loss + LossValue + Copy>(loss: L) {
        let by_value = ByDualNumbers(loss);
        for (u, y) in
            [(0.0, 1.0), (0.3, -1.0), (-2.5, 0.7), (1.7, 1.2), (5.0, -3.0), (-30.0, -1.0), (40.0, 1.0), (6.0, 9.0)]
        {
            let (value, first, second) = (Loss::value(&loss, u, y), loss.first(u, y), loss.second(u, y));
            let (first_found, second_found) = (by_value.first(u, y), by_value.second(u, y));
            // phi_uy may be a difference of terms as large as phi_u.
            for (found, expected, scale) in [
                (by_value.value(u, y), value, value),
                (first_found.0, first.0, first.0),
                (first_found.1, first.1, first.1),
                (second_found.0, second.0, second.0),
                (second_found.1, second.1, first.0.abs() + second.1.abs()),
            ] {
                let error = (found - expected).abs();
                assert!(error <= 4.0 * f64::EPSILON * scale.abs(), "{u} {y}: {found} {expected}");
            }
        }
        let problem = Glm::new(random::design(30, 8, 4, 1), by_value, 0.1).unwrap();
        check_problem(&problem, &random::vector(8, 2), &random::vector(30, 3)).unwrap();
    }

    #[test]
    fn derivatives_by_value_are_those_by_hand() {
        agree(Squared);
        agree(Logistic);
        agree(Poisson);
    }

    #[test]
    fn where_there_are_no_derivatives_they_are_nan() {
        struct AtZero;

        impl LossValue for AtZero {
            fn value<T: Number>(&self, u: T, y: T) -> T {
                if y > 2.0 {
                    (u * 1e4).tanh()
                } else if y > 1.0 {
                    u.powf(2.5)
                } else {
                    u.sqrt()
                }
            }
        }

        for (u, y) in [(0.0, 1.0), (0.0, 2.0), (1.0, 3.0)] {
            let loss = ByDualNumbers(AtZero);
            assert!(loss.first(u, y).0.is_nan() && loss.second(u, y).0.is_nan(), "{y}: {:?}", loss.first(u, y));
        }
    }
}
