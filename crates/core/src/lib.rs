//! The equation: design, problems, solvers, the estimator trait and the analytic estimator.
//!
//! For l(x) = min_z L(z, x), z in R^m the latent, x in R^p the parameter, a solver gives z_T near the minimiser z*(x), and
//! an estimator gives the gradient of l at x from it. The data flows
//!
//! ```text
//! Design -> Problem -> Solve(Solver, Recorder, Observer) -> Solution -> Estimator -> Gradient
//! ```
//!
//! and each arrow is a trait of this crate: [`problem::Problem`], [`solver::Solver`], [`solve::Recorder`],
//! [`estimator::Estimator`], [`linear::HessianSolver`]. Unrolled estimators live in `danskin-unrolled`, implicit ones in
//! `danskin-implicit`.
//!
//! | symbol | identifier | shape |
//! |---|---|---|
//! | D | [`design::Design`] | n x m |
//! | z, z_t, z_0 | `z`, `latent`, `initial` | m |
//! | x | `x`, parameter | p |
//! | u = D z | `u`, predictions | n |
//! | phi(u, y) | [`problem::loss::Loss`], [`problem::loss::RowLoss`] | scalar |
//! | y, w | `targets`, `weights` | n |
//! | r(z) | [`problem::penalty::Penalty`] | scalar |
//! | L, f | [`problem::Objective`], [`outer::Outer`] | scalar |
//! | grad_z L, grad_x L | `grad_z`, `grad_x` | m, p |
//! | L_zz, L_xz, L_zx | `hess`, `cross`, `cross_t` | m x m, p x m, m x p |
//! | rho, beta | `rho`, step size; `beta`, momentum | scalar |
//! | lambda | `lambda`, penalty | scalar |
//! | z', B1(z') | [`certificate::Reference`], [`certificate::AnalyticBound`] | m, scalar |
//!
//! Source: Ablin, Peyre, Moreau, "Super-efficiency of automatic differentiation for functions defined as a minimum",
//! ICML 2020.

pub mod certificate;
pub mod ctx;
pub mod design;
pub mod estimator;
pub mod linear;
pub mod outer;
pub mod problem;
pub mod random;
mod rowwise;
pub mod simd;
pub mod solve;
pub mod solver;
pub mod symmetric;
pub mod testing;
pub mod vector;
