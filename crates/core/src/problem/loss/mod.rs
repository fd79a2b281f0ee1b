//! Scalar losses phi(u, y), one file each: a prediction u = (D z)_i against a target y.

mod logistic;
mod power;
mod squared;

pub use logistic::Logistic;
pub use power::{InvalidPower, Power};
pub use squared::Squared;

/// A scalar loss phi(u, y), convex in u, with the derivatives that the three estimators need.
///
/// Implementations compute every method without overflow where the result itself does not overflow.
pub trait Loss: Sync {
    /// phi(u, y).
    fn value(&self, u: f64, y: f64) -> f64;

    /// (phi_u, phi_y).
    fn first(&self, u: f64, y: f64) -> (f64, f64);

    /// (phi_uu, phi_uy).
    fn second(&self, u: f64, y: f64) -> (f64, f64);

    /// A bound on phi_uu(., y) over the u with phi(u, y) <= `level`; `None` if there is none or it is not known. Since the
    /// terms of a sum of non-negative losses are at most the sum, this bounds the curvature on its sublevel set.
    fn curvature(&self, y: f64, level: f64) -> Option<f64>;
}
