//! Tools to test problems, solvers and rules: seeded random data, and checks of every product against finite differences
//! and adjoint identities.

mod bounds;
mod check;
mod difference;
mod known;
pub mod random;

pub use check::{Mismatch, check_hessian, check_problem, check_problem_by};
pub use difference::{Differences, derivative, step};
