//! Who looks at a solve.

use std::ops::ControlFlow;

/// What an [`Observer`] sees after each step, and once at z_0.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// t.
    pub steps: usize,
    /// z_t, length m.
    pub z: &'a [f64],
    /// The residual of z_t.
    pub residual: f64,
}

/// Looks at a solve; it never changes it, but may end it by `Break`. Any `FnMut(Seen) -> ControlFlow<()>` is one.
pub trait Observer {
    /// Called at z_0 and after each step.
    fn see(&mut self, seen: Seen<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(Seen<'_>) -> ControlFlow<()>> Observer for F {
    fn see(&mut self, seen: Seen<'_>) -> ControlFlow<()> {
        self(seen)
    }
}
