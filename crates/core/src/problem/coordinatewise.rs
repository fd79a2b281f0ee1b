//! Composite problems that can be minimised one coordinate at a time.

use super::Point;
use super::composite::Composite;
use crate::ctx::Ctx;

/// z before and after a sweep, length m each.
#[derive(Clone, Copy, Debug)]
pub struct Swept<'a> {
    /// Before.
    pub before: &'a [f64],
    /// After.
    pub after: &'a [f64],
}

/// A composite problem whose memo u = D z can follow one coordinate of z after another.
pub trait Coordinatewise: Composite {
    /// What sweeps read, column by column.
    type Columns: Clone + Send + Sync;

    /// The columns at x, with curvatures that hold on the sublevel set of L at `at`; `None` where none are known.
    fn columns(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<Self::Columns>;

    /// The curvatures by which coordinates move, length m.
    fn curvatures_mut<'a>(&self, columns: &'a mut Self::Columns) -> &'a mut [f64];

    /// What [`Coordinatewise::sweep`] would return if each coordinate moved alone from z, `gradient` being grad_z F there.
    fn first_moves(&self, columns: &Self::Columns, z: &[f64], gradient: &[f64]) -> f64;

    /// One sweep: z (length m) and u = D z (the memo) move on. Returns the norm of the changes, each times its curvature: 0 at a minimum alone.
    fn sweep(&self, columns: &Self::Columns, x: &[f64], z: &mut [f64], u: &mut [f64], ctx: &mut Ctx) -> f64;

    /// Backwards: `x_out += (dA/dx)^T dual`, then `dual <- (dA/dz)^T dual`, A the sweep.
    fn sweep_pull(
        &self,
        columns: &Self::Columns,
        x: &[f64],
        swept: Swept<'_>,
        dual: &mut [f64],
        x_out: &mut [f64],
        ctx: &mut Ctx,
    );

    /// Forwards: `tangent <- dA/dz tangent + dA/dx dx`.
    fn sweep_push(
        &self,
        columns: &Self::Columns,
        x: &[f64],
        swept: Swept<'_>,
        dx: &[f64],
        tangent: &mut [f64],
        ctx: &mut Ctx,
    );
}
