//! phi(u, y) = log sum_c exp(u_c) - <y, u>, u and y in R^k: multinomial logistic regression, y the weights of the classes (a unit
//! vector for a label).
//!
//! With p = softmax(u): phi_u = p - y, phi_y = -u, phi_uu = diag(p) - p p^T, phi_uy = -I. Adding a constant to u changes nothing
//! where y sums to 1: phi_uu is singular, and z is unique only where it is penalised.
//!
//! Source: Böhning, Multinomial logistic regression algorithm, Annals of the Institute of Statistical Mathematics 44, 1992,
//! for phi_uu <= I/2.

use thiserror::Error;

use super::{Between, NamedLoss, Recession, Refusal, RowLoss, Targets, Third};
use crate::vector::{axpy, dot};

/// The multinomial logistic loss over k classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multinomial {
    classes: usize,
}

/// Fewer than two classes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{classes} classes, expected at least 2")]
pub struct InvalidClasses {
    /// What was given.
    pub classes: usize,
}

impl Multinomial {
    /// The loss over `classes` classes.
    ///
    /// # Errors
    ///
    /// [`InvalidClasses`] below 2.
    pub fn new(classes: usize) -> Result<Self, InvalidClasses> {
        if classes >= 2 { Ok(Self { classes }) } else { Err(InvalidClasses { classes }) }
    }

    /// The targets of rows that belong to the classes `labels`, each below the number of classes: unit vectors, row by row.
    ///
    /// # Panics
    ///
    /// If a label is not below the number of classes.
    #[must_use]
    pub fn targets(&self, labels: &[usize]) -> Vec<f64> {
        let mut targets = vec![0.0; labels.len() * self.classes];
        for (row, &label) in targets.chunks_exact_mut(self.classes).zip(labels) {
            row[label] = 1.0;
        }
        targets
    }
}

/// (max_c u_c, sum_c exp(u_c - max)).
#[inline]
fn mass(u: &[f64]) -> (f64, f64) {
    let largest = u.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    (largest, u.iter().map(|u| (u - largest).exp()).sum())
}

impl RowLoss for Multinomial {
    fn width(&self) -> usize {
        self.classes
    }

    fn value(&self, u: &[f64], y: &[f64]) -> f64 {
        let (largest, mass) = mass(u);
        // <y, u> = <y, u - largest> + largest sum y: the large parts cancel before they are added.
        let centred: f64 = u.iter().zip(y).map(|(u, y)| y * (u - largest)).sum();
        mass.ln() - centred + largest * (1.0 - y.iter().sum::<f64>())
    }

    fn grad_u(&self, u: &[f64], y: &[f64], scale: f64, out: &mut [f64]) {
        let (largest, mass) = mass(u);
        for ((out, u), y) in out.iter_mut().zip(u).zip(y) {
            *out += scale * ((u - largest).exp() / mass - y);
        }
    }

    fn grad_y(&self, u: &[f64], _y: &[f64], scale: f64, out: &mut [f64]) {
        axpy(-scale, u, out);
    }

    fn value_tangent(&self, u: &[f64], y: &[f64], du: &[f64]) -> f64 {
        let (largest, mass) = mass(u);
        let mean: f64 = u.iter().zip(du).map(|(u, du)| (u - largest).exp() * du).sum();
        mean / mass - dot(y, du)
    }

    fn grad_u_tangent(&self, u: &[f64], _y: &[f64], du: &[f64], dy: &[f64], scale: f64, out: &mut [f64]) {
        let (largest, mass) = mass(u);
        for (out, u) in out.iter_mut().zip(u) {
            *out = (u - largest).exp() / mass;
        }
        let mean = dot(out, du);
        for (out, du) in out.iter_mut().zip(du) {
            *out *= scale * (du - mean);
        }
        if !dy.is_empty() {
            axpy(-scale, dy, out);
        }
    }

    fn grad_y_tangent(&self, _u: &[f64], _y: &[f64], du: &[f64], scale: f64, out: &mut [f64]) {
        axpy(-scale, du, out);
    }

    fn curvature(&self, _y: &[f64], _level: f64) -> Option<f64> {
        Some(0.5)
    }

    /// phi_uu is singular along the ones.
    fn between(&self, _u: &[f64], _y: &[f64], _h: f64) -> Option<Between> {
        Some(Between { secant: 0.0, curvature: 0.5, cross: 1.0 })
    }

    /// Along a unit vector a the variance of b over the classes, at most 1/2 for a unit vector b, changes by the mean of (a - mean a) (b - mean b)²,
    /// at most max a - min a <= sqrt 2 times the variance.
    fn third(&self, _u: &[f64], _y: &[f64], _h: f64) -> Option<Third> {
        Some(Third { curvature: std::f64::consts::FRAC_1_SQRT_2 * (1.0 + 1e-12), cross: 0.0 })
    }

    /// For y >= 0 with sum 1 the minimum is the entropy -sum y ln y >= 0. Else u = t y + s (the constant) may fall without end.
    fn lower_bound(&self, y: &[f64]) -> f64 {
        let sum: f64 = y.iter().sum();
        if y.iter().all(|y| *y >= 0.0) && (sum - 1.0).abs() <= 1e-12 { 0.0 } else { f64::NEG_INFINITY }
    }

    /// Where y sums to 1 and has all its weight on the largest u_c, phi(c u, y) = log sum exp(c (u - max u)).
    fn recession(&self, u: &[f64], y: &[f64]) -> Recession {
        let largest = u.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let on_largest = u.iter().zip(y).all(|(u, y)| *y == 0.0 || *u == largest);
        if !on_largest || self.lower_bound(y) == f64::NEG_INFINITY {
            Recession::Rises
        } else if u.iter().all(|u| *u == largest) {
            Recession::Level
        } else {
            Recession::Falls
        }
    }

    fn rank(&self) -> usize {
        self.classes - 1
    }
}

impl NamedLoss for Multinomial {
    const NAME: &'static str = "multinomial";
    const TARGETS: Targets = Targets::Classes;

    fn named(_parameter: f64, classes: usize) -> Result<Self, Refusal> {
        Ok(Self::new(classes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_classes_are_logistic_regression() {
        let loss = Multinomial::new(2).unwrap();
        let y = loss.targets(&[1]);
        for margin in [-1e6, -3.0, 0.0, 0.5, 40.0, 1e6] {
            let (value, logistic) =
                (loss.value(&[0.0, margin], &y), super::super::Loss::value(&super::super::Logistic, margin, 1.0));
            assert!((value - logistic).abs() <= 1e-15 * logistic.max(1.0), "{margin}: {value} {logistic}");
        }
    }

    #[test]
    fn huge_predictions_do_not_overflow() {
        let loss = Multinomial::new(3).unwrap();
        let (u, y) = ([1e300, -1e300, 0.0], [0.0, 0.0, 1.0]);
        let mut out = [0.0; 3];
        loss.grad_u(&u, &y, 1.0, &mut out);
        assert_eq!((loss.value(&u, &y), out), (1e300, [1.0, 0.0, -1.0]));
    }

    #[test]
    fn two_classes_at_least() {
        assert!(Multinomial::new(1).is_err() && Multinomial::new(0).is_err());
    }
}
