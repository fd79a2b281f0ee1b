//! Gradients of functions defined as a minimum, l(x) = min_z L(z, x).
//!
//! ```
//! use danskin::prelude::*;
//!
//! // Logistic regression on three rows; x are the labels, and the gradient is taken with respect to them.
//! let design = Design::from_triplets(3, 2, &[(0, 0, 1.0), (1, 1, 2.0), (2, 0, -1.0), (2, 1, 0.5)])?;
//! let problem = Glm::new(design, Logistic, 0.1)?;
//! let x = [1.0, -1.0, 1.0];
//!
//! let solver = GradientDescent::default();
//! let solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(50)).record(Tape::new()).run()?;
//! let g1 = solution.gradient(&Analytic)?;
//! let g2 = solution.gradient(&Automatic)?;
//! let g3 = solution.gradient(&Implicit::new(Cg::default()))?;
//! assert!(danskin::vector::distance(&g2.value, &g3.value) < danskin::vector::distance(&g1.value, &g3.value));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A user picks one thing from each of [`problem`], [`solver`], [`estimator`] (with [`unrolled`] and [`implicit`]) and
//! [`linear`]; they know of each other through the traits of those modules alone.

pub use danskin_core::{certificate, ctx, design, estimator, linear, outer, problem, solve, solver, symmetric, vector};
#[cfg(feature = "data")]
pub use danskin_data as data;
pub use danskin_implicit as implicit;
pub use danskin_sparse as sparse;
pub use danskin_unrolled as unrolled;

pub mod adaptive;
pub mod descent;
pub mod testing;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What most programs need: `use danskin::prelude::*`.
pub mod prelude {
    pub use danskin_core::certificate::{Basis, ByGap, Certificate, Certified, Uncertified};
    pub use danskin_core::ctx::{Cost, Ctx};
    pub use danskin_core::design::Design;
    pub use danskin_core::estimator::{Analytic, Estimator, Gradient};
    pub use danskin_core::linear::HessianSolver;
    pub use danskin_core::outer::{Discrepancy, Envelope, HeldOut, Linear, Outer};
    pub use danskin_core::problem::composite::{Composite, Kinks};
    pub use danskin_core::problem::glm::{FREE, Glm, Wrt};
    pub use danskin_core::problem::loss::*;
    pub use danskin_core::problem::penalty::{Penalty, Ridge, SmoothElastic};
    pub use danskin_core::problem::quadratic::Quadratic;
    pub use danskin_core::problem::robust::Robust;
    pub use danskin_core::problem::sparse_glm::{Lasso, SparseGlm};
    pub use danskin_core::problem::transport::{SemiDual, Transport};
    pub use danskin_core::problem::{
        AssembleHessian, Batch, FiniteSum, GramHessian, Objective, Point, Problem, SparseHessian, Work,
    };
    pub use danskin_core::solve::{Solution, Solve, Status, Stop};
    pub use danskin_core::solver::{
        Backtracking, CoordinateDescent, Decay, Fista, GradientDescent, HeavyBall, Ista, Iterate, Lbfgs, Momentum,
        Nesterov, Newton, Sgd, Sinkhorn, SolveError, Solver, State, Step, StepSize, Svrg,
    };
    pub use danskin_implicit::{
        AfterNewton, Auto, BlockJacobi, Cg, DenseCholesky, DualCholesky, Implicit, IncompleteCholesky, Jacobi, Kept,
        Nystrom, OnSupport, Preconditioner, SparseCholesky,
    };
    pub use danskin_sparse::ActiveSet;
    pub use danskin_unrolled::{Automatic, Checkpoints, Forward, Pulled, Recorded, Replay, Tangents, Tape, Unroll};
}
