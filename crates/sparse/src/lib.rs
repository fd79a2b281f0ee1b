//! Sparse coding: the Lasso, one signal or thousands that share D, to a duality gap.
//!
//! ```text
//! min_z  1/2 ‖u - D z‖² + sum_j (lambda_j |z_j| + mu_j z_j² / 2)
//! ```
//!
//! The problem itself, and the plain solvers of it that are differentiated step by step, are those of `danskin-core`; here are the solvers that end soonest.

mod active_set;
mod columns;
mod encode;
mod free;
mod gap;
mod gram;
mod inner;
mod path;
mod working_sets;

pub use active_set::{ActiveSet, ActiveState};
pub use columns::Columns;
pub use encode::{EncodeError, Encoded, Encoder, Form, Penalties, SparseCodes};
pub use path::{PathError, PathPoint, factor_to_zero, factors, path};
pub use working_sets::{Each, Outcome, Progress, Quadratic, Status, WorkingSets, Workspace};
