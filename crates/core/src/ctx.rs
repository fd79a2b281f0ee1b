//! What a computation carries along: counters, scratch memory and someone who watches.
//!
//! One [`Ctx`] serves one thread of control. Every routine that makes passes over D takes it, so that costs are counted
//! where they arise and inner steps borrow memory instead of allocating it.

use std::ops::ControlFlow;
use std::time::Instant;

/// What a computation cost. Passes over D come first: they are what everything costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// Reads of the whole of D, whatever is computed from it on the way. Assembling a Hessian counts as the products with
    /// it that take as many operations.
    pub passes: u64,
    /// Products with a second derivative of L (`L_zz v`, `L_xz v`, `L_zx w`, or two of them in one pass).
    pub second_order_products: u64,
    /// Linear systems solved with the Hessian `L_zz`.
    pub solves: u64,
    /// Highest memory held beyond the problem, the parameter, the solver's state and the result, in bytes: tape,
    /// tangents, factors, scratch.
    pub peak_bytes: u64,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
}

impl Cost {
    /// The same cost with `bytes` more memory.
    #[must_use]
    pub fn and_bytes(self, bytes: u64) -> Self {
        Self { peak_bytes: self.peak_bytes + bytes, ..self }
    }

    /// What is left of this cost without `part`, which was spent within it; the peak stays.
    #[must_use]
    pub fn without(self, part: Cost) -> Self {
        Self {
            passes: self.passes - part.passes,
            second_order_products: self.second_order_products - part.second_order_products,
            solves: self.solves - part.solves,
            peak_bytes: self.peak_bytes,
            seconds: self.seconds - part.seconds,
        }
    }

    /// The cost of this computation and then `next`: counts and seconds add, the peak is the larger one.
    #[must_use]
    pub fn then(self, next: Cost) -> Cost {
        Cost {
            passes: self.passes + next.passes,
            second_order_products: self.second_order_products + next.second_order_products,
            solves: self.solves + next.solves,
            peak_bytes: self.peak_bytes.max(next.peak_bytes),
            seconds: self.seconds + next.seconds,
        }
    }
}

/// Which loop reports, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Estimating a norm of D, to choose a step.
    Norm,
    /// Steps of a solver.
    Solve,
    /// Steps of the reverse pass, those included that are taken again for their records.
    Reverse,
    /// Iterations of a linear solver.
    Linear,
    /// Rows of D taken into a Hessian that is written down.
    Assembly,
    /// Repetitions of the same with other random numbers.
    Repetition,
}

/// One tick of a long loop.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// The loop that ticks.
    pub phase: Phase,
    /// Iterations done.
    pub done: usize,
    /// Iterations at the most.
    pub total: usize,
}

/// Called at each tick; answering `Break` ends the computation, which then says that it was interrupted. A watch that
/// has answered `Break` once is expected to go on doing so.
pub type Watch = Box<dyn FnMut(Tick) -> ControlFlow<()> + Send>;

/// Counters, scratch memory and a watch, one per thread of control.
#[derive(Default)]
pub struct Ctx {
    cost: Cost,
    /// Rows read that make no pass yet.
    rows: usize,
    free: Vec<Vec<f64>>,
    live_bytes: u64,
    peak_bytes: u64,
    watch: Option<Watch>,
}

impl std::fmt::Debug for Ctx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx").field("cost", &self.cost).field("peak_bytes", &self.peak_bytes).finish_non_exhaustive()
    }
}

impl Ctx {
    /// A context that nobody watches.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A context whose loops call `watch` at each iteration: for progress and for interruption.
    #[must_use]
    pub fn watched(watch: Watch) -> Self {
        Self { watch: Some(watch), ..Self::default() }
    }

    /// Lends a buffer of `len` numbers that hold whatever its last user left there. Give it back with [`Ctx::give`] and
    /// it is reused: a loop that takes and gives the same lengths allocates in its first round only.
    #[must_use]
    pub fn take(&mut self, len: usize) -> Vec<f64> {
        if len == 0 {
            // Not one of those kept, which would have to be filled again.
            return Vec::new();
        }
        let fit = self.free.iter().enumerate().filter(|(_, b)| b.capacity() >= len).min_by_key(|(_, b)| b.capacity());
        let mut buffer = match fit.map(|(i, _)| i) {
            Some(i) => self.free.swap_remove(i),
            None => Vec::with_capacity(len),
        };
        buffer.resize(len, 0.0);
        self.hold(bytes_of(len));
        buffer
    }

    /// Lends a buffer of `len` zeros; otherwise as [`Ctx::take`].
    #[must_use]
    pub fn take_zeroed(&mut self, len: usize) -> Vec<f64> {
        let mut buffer = self.take(len);
        buffer.fill(0.0);
        buffer
    }

    /// Takes back a buffer lent by [`Ctx::take`], with the length it was lent with.
    pub fn give(&mut self, buffer: Vec<f64>) {
        self.release(bytes_of(buffer.len()));
        if buffer.capacity() > 0 {
            self.free.push(buffer);
        }
    }

    /// Counts `bytes` that are held elsewhere on behalf of this computation, a factor for instance.
    pub fn hold(&mut self, bytes: u64) {
        self.live_bytes += bytes;
        self.peak_bytes = self.peak_bytes.max(self.live_bytes);
    }

    /// Ends what [`Ctx::hold`] began.
    pub fn release(&mut self, bytes: u64) {
        self.live_bytes = self.live_bytes.saturating_sub(bytes);
    }

    /// Counts one pass over D.
    pub fn count_pass(&mut self) {
        self.count_passes(1);
    }

    /// Counts the work of several passes over D.
    pub fn count_passes(&mut self, passes: u64) {
        self.cost.passes += passes;
    }

    /// Counts `rows` rows of a D with `of` of them; as many as D has count as a pass.
    pub fn count_rows(&mut self, rows: usize, of: usize) {
        self.rows += rows;
        if let Some(passes) = self.rows.checked_div(of) {
            self.cost.passes += passes as u64;
            self.rows %= of;
        }
    }

    /// Counts one product with a second derivative.
    pub fn count_second_order_product(&mut self) {
        self.cost.second_order_products += 1;
    }

    /// Counts one linear system solved.
    pub fn count_solve(&mut self) {
        self.cost.solves += 1;
    }

    /// Passes over D counted so far.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.cost.passes
    }

    /// Tells whoever watches that a loop advanced; `Break` asks the loop to end.
    pub fn tick(&mut self, phase: Phase, done: usize, total: usize) -> ControlFlow<()> {
        match &mut self.watch {
            Some(watch) => watch(Tick { phase, done, total }),
            None => ControlFlow::Continue(()),
        }
    }

    /// Starts a measurement that [`Ctx::since`] ends. Measurements may be nested.
    #[must_use]
    pub fn mark(&mut self) -> Mark {
        let mark =
            Mark { cost: self.cost, live_bytes: self.live_bytes, peak_bytes: self.peak_bytes, start: Instant::now() };
        self.peak_bytes = self.live_bytes;
        mark
    }

    /// What was spent since `mark`.
    #[expect(clippy::needless_pass_by_value, reason = "a measurement ends once")]
    pub fn since(&mut self, mark: Mark) -> Cost {
        let peak_bytes = self.peak_bytes.saturating_sub(mark.live_bytes);
        self.peak_bytes = self.peak_bytes.max(mark.peak_bytes);
        Cost {
            passes: self.cost.passes - mark.cost.passes,
            second_order_products: self.cost.second_order_products - mark.cost.second_order_products,
            solves: self.cost.solves - mark.cost.solves,
            peak_bytes,
            seconds: mark.start.elapsed().as_secs_f64(),
        }
    }
}

/// The start of a measurement.
#[derive(Debug)]
pub struct Mark {
    cost: Cost,
    live_bytes: u64,
    peak_bytes: u64,
    start: Instant,
}

/// Bytes of `len` numbers.
#[must_use]
pub fn bytes_of(len: usize) -> u64 {
    (len as u64).saturating_mul(size_of::<f64>() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_reused() {
        let mut ctx = Ctx::new();
        let mut first = ctx.take(8);
        first.fill(3.0);
        let address = first.as_ptr();
        ctx.give(first);
        let second = ctx.take_zeroed(5);
        assert_eq!(second.as_ptr(), address);
        assert_eq!(second, [0.0; 5]);
        ctx.give(second);
        assert_eq!(ctx.take(9).len(), 9);
        assert_eq!(ctx.take(0).capacity(), 0);
    }

    #[test]
    fn peak_counts_what_is_held_at_once_and_measurements_nest() {
        let mut ctx = Ctx::new();
        let outer = ctx.take(100);
        let whole = ctx.mark();
        let wide = ctx.take(50);
        ctx.give(wide);
        let inner = ctx.mark();
        let a = ctx.take(10);
        ctx.give(a);
        let b = ctx.take(7);
        ctx.hold(16);
        assert_eq!(ctx.since(inner).peak_bytes, 80);
        ctx.release(16);
        ctx.give(b);
        assert_eq!(ctx.since(whole).peak_bytes, 400);
        ctx.give(outer);
    }
}
