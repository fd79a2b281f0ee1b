//! Automatic differentiation of a solver's iterations: g2, in reverse and in forward mode.
//!
//! With z_{t+1} = A(z_t, x) and f the outer function (f = L by default),
//!
//! ```text
//! g2 = (dz_T/dx)^T grad_z f(z_T, x) + grad_x f(z_T, x)
//! ```
//!
//! [`Automatic`] computes it backwards over a [`Tape`], at the cost of about z_T again, or over [`Checkpoints`] in a budget of
//! memory, from which steps are taken again; over the last steps alone it is truncated. [`Forward`] computes it from [`Tangents`]
//! carried along, one column of dz_T/dx a direction, without a tape. Both go through a solver's rule, [`Unroll`]: how one
//! of its steps is differentiated; and by [`Replay`] it says how it goes back to a checkpoint. Nothing else is known about a
//! solver here.
//!
//! Source: Ablin, Peyre, Moreau 2020; Gilbert 1992 for dz_t/dx -> dz*/dx.

mod checkpoints;
mod coordinate_descent;
mod forward;
mod gradient_descent;
mod momentum;
mod proximal;
mod recorded_point;
mod records;
mod replay;
mod reverse;
mod rule;
mod schedule;
mod sgd;
mod sinkhorn;
mod svrg;
mod tape;
mod terms;
pub mod testing;

pub use checkpoints::Checkpoints;
pub use forward::{Forward, Tangents};
pub use replay::Replay;
pub use reverse::{Automatic, Pull, Reversible};
pub use rule::{Pulled, Recorded, Unroll};
pub use schedule::{Schedule, Sizes};
pub use tape::Tape;
