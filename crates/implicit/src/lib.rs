//! Implicit differentiation: g3, and the linear solvers that it and Newton's method need.
//!
//! ```text
//! g3 = grad_x f - L_xz L_zz^{-1} grad_z f          at (z_T, x)
//! ```
//!
//! [`Implicit`] is the estimator; [`DenseCholesky`], [`SparseCholesky`], [`DualCholesky`], [`Cg`] and [`Auto`] are Hessian solvers, one file
//! each. [`Cg`] takes a [`Preconditioner`]. [`Kept`] makes what one of them keeps outlive a gradient.
//!
//! Source: Ablin, Peyre, Moreau 2020.

mod after_newton;
mod auto;
mod cg;
mod columns;
mod curvature;
mod dense;
mod dual;
mod estimator;
mod form;
mod kept;
mod on_support;
pub mod precondition;
mod refine;
mod ritz;
mod sparse;
mod spd;

pub use after_newton::AfterNewton;
pub use auto::{Auto, AutoWorkspace};
pub use cg::{Cg, CgWorkspace};
pub use dense::{DenseCholesky, DenseWorkspace};
pub use dual::{DualCholesky, DualWorkspace};
pub use estimator::Implicit;
pub use kept::{Kept, KeptWorkspace};
pub use on_support::OnSupport;
pub use precondition::{BlockJacobi, IncompleteCholesky, Jacobi, Nystrom, Preconditioner};
pub use sparse::{SparseCholesky, SparseWorkspace};
