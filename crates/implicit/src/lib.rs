//! Implicit differentiation: g3, and the linear solvers that it and Newton's method need.
//!
//! ```text
//! g3 = grad_x f - L_xz L_zz^{-1} grad_z f          at (z_T, x)
//! ```
//!
//! [`Implicit`] is the estimator; [`Cg`], [`DenseCholesky`] and [`Auto`] are Hessian solvers, one file each.
//!
//! Source: Ablin, Peyre, Moreau 2020.

mod auto;
mod cg;
mod dense;
mod estimator;

pub use auto::{Auto, AutoWorkspace};
pub use cg::Cg;
pub use dense::{DenseCholesky, DenseWorkspace};
pub use estimator::Implicit;
