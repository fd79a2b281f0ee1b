//! Records within a budget of memory: what does not fit is computed again, from checkpoints.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use danskin_core::ctx::{Cost, Ctx, Phase, bytes_of};
use danskin_core::estimator::EstimateError;
use danskin_core::problem::Objective;
use danskin_core::solve::{Recorder, Solution};
use danskin_core::solver::{SolveError, Solver, Step};

use crate::records::Records;
use crate::replay::Replay;
use crate::reverse::{Pull, Reversible};
use crate::schedule::{Schedule, Sizes};

/// Records a solve within a budget of memory, for [`Automatic`](crate::Automatic): the gradient has the same bits at every budget,
/// and as over a [`Tape`](crate::Tape).
///
/// All records are kept where they fit beside z_0. Else the solve leaves checkpoints, and the reverse pass takes steps again
/// from them, as few as the budget allows ([`Schedule`]); they are in the cost of the gradient. The budget covers checkpoints and
/// records. Beside it stands a state to take steps again in, as large as the solver's own, which is in the cost too.
///
/// Where the number of steps is not known beforehand (a tolerance decides) and the records do not fit, the solve only counts
/// its steps, and the reverse pass begins by taking all of them again. A gradient uses checkpoints up: a second one of the same
/// solution, or one after the solve went on, takes more steps again than the first.
///
/// A solver says by [`Replay`] how it goes back to a checkpoint. One that does not is no solver for it:
///
/// ```
/// # use danskin_core::{design::Design, problem::{glm::Glm, loss::Squared}, solve::Solve, solver::GradientDescent};
/// use danskin_unrolled::{Automatic, Checkpoints};
/// # let problem = Glm::new(Design::dense(1, 1, vec![2.0])?, Squared, 0.1)?;
/// # let solver = GradientDescent::default();
/// let solution = Solve::new(&problem, &solver, &[1.0]).record(Checkpoints::within(64 << 20)).run()?;
/// let gradient = solution.gradient(&Automatic)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail,E0277
/// # use danskin_core::{ctx::Ctx, design::Design, problem::{Problem, glm::Glm, loss::Squared}, solve::Solve};
/// # use danskin_core::solver::{GradientDescent, SolveError, Solver, Step};
/// # use danskin_unrolled::{Checkpoints, Pulled, Recorded, Unroll};
/// struct Mine(GradientDescent);
/// // `Solver` and `Unroll`, but not `Replay`.
/// # impl<P: Problem> Solver<P> for Mine {
/// #     type State = <GradientDescent as Solver<P>>::State;
/// #     fn init(&self, p: &P, x: &[f64], z: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
/// #         self.0.init(p, x, z, ctx)
/// #     }
/// #     fn step(&self, p: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
/// #         self.0.step(p, x, state, ctx)
/// #     }
/// # }
/// # impl<P: Problem> Unroll<P> for Mine {
/// #     fn pull(&self, step: Recorded<'_, P, Self::State>, dual: &mut [f64], out: &mut Pulled<'_>, ctx: &mut Ctx) {}
/// #     fn push(&self, step: Recorded<'_, P, Self::State>, dx: &[f64], tangent: &mut [f64], ctx: &mut Ctx) {}
/// # }
/// # let problem = Glm::new(Design::dense(1, 1, vec![2.0])?, Squared, 0.1)?;
/// # let solver = Mine(GradientDescent::default());
/// let solution = Solve::new(&problem, &solver, &[1.0]).record(Checkpoints::within(64 << 20)).run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Checkpoints {
    bytes: u64,
    /// A reverse pass changes it, through the shared solution.
    held: Mutex<Held>,
}

/// What is held, and where the solve stands.
#[derive(Debug)]
struct Held {
    budget: usize,
    sizes: Sizes,
    schedule: Schedule,
    /// Steps that the solve is expected to end at, from z_0; `None` where that is not known.
    expected: Option<usize>,
    /// t.
    at: usize,
    /// z_0.
    start: Vec<f64>,
    /// Where the checkpoints after z_0 are, in increasing order.
    places: Vec<usize>,
    checkpoints: Records,
    /// The steps in `records`, in a row.
    block: Range<usize>,
    records: Records,
    /// Whether the solve's steps are being recorded, at the end of `block`.
    recording: bool,
    /// The step at which a solve that is not being recorded has something to do next.
    next: usize,
    /// Most numbers held since z_0.
    peak: usize,
}

/// What a solve does with its next step.
enum Next {
    /// Take it.
    Pass,
    /// Set a checkpoint and take it.
    Save,
    /// Record it.
    Record,
}

impl Checkpoints {
    /// With `bytes` for checkpoints and records.
    ///
    /// A budget below what z_0 and one record take is refused when the solve begins: [`SolveError::Budget`].
    #[must_use]
    pub fn within(bytes: u64) -> Self {
        let budget = usize::try_from(bytes / size_of::<f64>() as u64).unwrap_or(usize::MAX);
        let sizes = Sizes { checkpoint: 0, record: 0, restore: 0 };
        let held = Held {
            budget,
            sizes,
            schedule: Schedule::EVERYTHING,
            expected: None,
            at: 0,
            start: Vec::new(),
            places: Vec::new(),
            checkpoints: Records::default(),
            block: 0..0,
            records: Records::default(),
            recording: false,
            next: 0,
            peak: 0,
        };
        Self { bytes, held: Mutex::new(held) }
    }

    /// The budget, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How the budget is divided now: for the number of steps that is expected, or, from the first reverse pass on, known.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        self.lock().schedule
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        // After a panic in a step, what is held is still what `places` and `block` say.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get_mut(&mut self) -> &mut Held {
        self.held.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Divides the budget for `steps` steps, where nothing but z_0 is held.
    fn divide(&mut self, steps: usize) -> Option<()> {
        let schedule = Schedule::fewest(self.budget, self.sizes, steps)?;
        if schedule != self.schedule {
            self.schedule = schedule;
            self.block = 0..0;
        }
        let later = schedule.checkpoints() - 1;
        self.checkpoints.fit(self.sizes.checkpoint, later);
        self.records.fit(self.sizes.record, schedule.records());
        // Reserved once: setting a checkpoint allocates nothing but, now and then, a chunk.
        self.places.clear();
        self.places.reserve(later.min(steps));
        Some(())
    }

    /// Checkpoints that can be set yet.
    fn free(&self) -> usize {
        self.schedule.checkpoints() - 1 - self.places.len()
    }

    fn allocated(&self) -> usize {
        self.start.len() + self.checkpoints.allocated() + self.records.allocated()
    }

    /// Decides what the solve goes on with, where it stands and as many steps as expected before it.
    fn plan(&mut self) {
        let fits = self.expected.is_none_or(|steps| steps - self.block.start.min(steps) <= self.schedule.records());
        self.recording &= fits;
        if !self.recording && self.places.is_empty() {
            // z_0 and a record fit: the solve has begun.
            let _ = self.divide(self.expected.unwrap_or(0));
        }
        let top = self.places.last().copied().unwrap_or(0);
        self.next = self.after(top).max(self.at);
    }

    /// Where, behind a checkpoint at `top`, there is something to do next.
    fn after(&self, top: usize) -> usize {
        match self.expected.map(|steps| steps.saturating_sub(top)) {
            Some(left) if left > self.schedule.records() => top + self.schedule.advance(left, self.free()),
            _ => top,
        }
    }

    fn next(&mut self) -> Next {
        if !self.recording && self.at == self.next {
            let records = self.schedule.records();
            match self.expected {
                // Nothing is known; what begins at z_0 may yet fit.
                None => self.recording = self.at == 0,
                Some(steps) if steps.saturating_sub(self.at) <= records => self.recording = true,
                Some(_) if self.free() > 0 => return Next::Save,
                Some(steps) => self.next = steps - records,
            }
            if self.recording {
                self.block = self.at..self.at;
            }
        }
        self.recording &= self.block.len() < self.schedule.records();
        if self.recording { Next::Record } else { Next::Pass }
    }

    fn out_of_memory(&self, numbers: usize) -> u64 {
        bytes_of(self.allocated().saturating_add(numbers))
    }

    /// Sets a checkpoint at `place`, behind all others.
    fn save<P, S>(&mut self, solver: &S, state: &S::State, place: usize) -> Result<(), u64>
    where
        P: Objective + ?Sized,
        S: Replay<P>,
    {
        match self.checkpoints.get_mut(self.places.len()) {
            Ok(checkpoint) => solver.save(state, checkpoint),
            Err(numbers) => return Err(self.out_of_memory(numbers)),
        }
        self.places.push(place);
        self.peak = self.peak.max(self.allocated());
        Ok(())
    }

    /// Takes the step at the end of the block, and records it.
    fn record<P, S>(
        &mut self,
        problem: &P,
        solver: &S,
        x: &[f64],
        state: &mut S::State,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError>
    where
        P: Objective + ?Sized,
        S: Replay<P>,
    {
        let step = match self.records.get_mut(self.block.len()) {
            Ok(record) => solver.step_recorded(problem, x, state, record, ctx)?,
            Err(numbers) => return Err(SolveError::OutOfMemory { bytes: self.out_of_memory(numbers) }),
        };
        self.peak = self.peak.max(self.allocated());
        self.block.end += usize::from(step == Step::Advanced);
        Ok(step)
    }

    /// Steps that a reverse pass over the first `end` takes again.
    fn to_take_again(&self, mut end: usize) -> usize {
        let mut steps = 0_u64;
        if self.block.end == end && !self.block.is_empty() {
            end = self.block.start;
        }
        let mut left = self.places.iter().take_while(|place| **place < end).count();
        while end > 0 {
            let place = left.checked_sub(1).map_or(0, |last| self.places[last]);
            let free = self.schedule.checkpoints() - 1 - left;
            steps = steps.saturating_add((end - place) as u64 + self.schedule.again(end - place, free));
            left = left.saturating_sub(1);
            end = place;
        }
        usize::try_from(steps).unwrap_or(usize::MAX)
    }
}

impl<P: Objective + ?Sized, S: Replay<P>> Recorder<P, S> for Checkpoints {
    fn begin(&mut self, problem: &P, solver: &S, _: &[f64], state: &S::State, _: &mut Ctx) -> Result<(), SolveError> {
        let budget = self.bytes;
        let held = self.get_mut();
        held.sizes = Sizes::of(problem, solver);
        (held.at, held.recording, held.block) = (0, false, 0..0);
        held.places.clear();
        if held.divide(held.expected.unwrap_or(0)).is_none() {
            return Err(SolveError::Budget { budget, least: bytes_of(held.sizes.least()) });
        }
        // Where records take nothing, no step is ever taken again.
        let start = if held.sizes.record == 0 { 0 } else { held.sizes.checkpoint };
        held.start.clear();
        let reserved = held.start.try_reserve_exact(start);
        reserved.map_err(|_| SolveError::OutOfMemory { bytes: held.out_of_memory(start) })?;
        held.start.resize(start, 0.0);
        if start > 0 {
            solver.save(state, &mut held.start);
        }
        held.peak = held.allocated();
        held.plan();
        Ok(())
    }

    fn expect(&mut self, steps: Option<usize>) {
        let held = self.get_mut();
        held.expected = steps;
        held.plan();
    }

    fn step(
        &mut self,
        problem: &P,
        solver: &S,
        x: &[f64],
        state: &mut <S as Solver<P>>::State,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let held = self.get_mut();
        let step = match held.next() {
            Next::Record => held.record(problem, solver, x, state, ctx)?,
            next => {
                if let Next::Save = next {
                    held.save(solver, state, held.at).map_err(|bytes| SolveError::OutOfMemory { bytes })?;
                    held.next = held.after(held.at);
                }
                solver.step(problem, x, state, ctx)?
            }
        };
        held.at += usize::from(step == Step::Advanced);
        Ok(step)
    }

    fn cost(&self) -> Cost {
        Cost::default().and_bytes(bytes_of(self.lock().peak))
    }
}

impl<P: Objective + ?Sized, S: Replay<P>> Reversible<P, S> for Checkpoints {
    fn reverse(&self, solution: &Solution<'_, P, S, Self>, pull: Pull<'_>, ctx: &mut Ctx) -> Result<(), EstimateError> {
        let mut held = self.lock();
        let mut replay = Replaying { solution, state: None, at: 0, peak: held.peak, bytes: 0 };
        let reversed = replay.reverse(&mut held, pull, ctx);
        ctx.release(replay.bytes);
        reversed
    }
}

/// Steps of a solution being taken again.
struct Replaying<'a, 'b, P: Objective + ?Sized, S: Replay<P>> {
    solution: &'a Solution<'b, P, S, Checkpoints>,
    /// Made when it is first needed.
    state: Option<S::State>,
    /// Where it stands.
    at: usize,
    /// What the recorder has held at the most, as far as it is in `bytes` or in its own cost.
    peak: usize,
    /// Held on behalf of the gradient.
    bytes: u64,
}

impl<P: Objective + ?Sized, S: Replay<P>> Replaying<'_, '_, P, S> {
    fn hold(&mut self, numbers: usize, ctx: &mut Ctx) {
        ctx.hold(bytes_of(numbers));
        self.bytes += bytes_of(numbers);
    }

    /// What the recorder holds for the first time was no cost of the solve.
    fn hold_growth(&mut self, held: &Held, ctx: &mut Ctx) {
        if held.peak > self.peak {
            self.hold(held.peak - self.peak, ctx);
            self.peak = held.peak;
        }
    }

    fn reverse(&mut self, held: &mut Held, pull: Pull<'_>, ctx: &mut Ctx) -> Result<(), EstimateError> {
        let mut end = held.at;
        if held.places.is_empty() && (held.block.end != end || held.block.is_empty()) {
            // z_0 and a record fit: the solve has begun.
            let _ = held.divide(end);
        }
        let total = end.saturating_add(held.to_take_again(end));
        let mut done = 0;
        let mut tick = |ctx: &mut Ctx| {
            done += 1;
            if ctx.tick(Phase::Reverse, done, total).is_break() { Err(EstimateError::Interrupted) } else { Ok(()) }
        };
        while end > 0 {
            if held.block.end != end || held.block.is_empty() {
                self.record_before(held, end, &mut tick, ctx)?;
            }
            for index in held.block.clone().rev() {
                pull(index, held.records.get(index - held.block.start), ctx);
                tick(ctx)?;
            }
            end = held.block.start;
        }
        Ok(())
    }

    /// Goes from the last checkpoint before `end` to the last block before it, and records that.
    fn record_before(
        &mut self,
        held: &mut Held,
        end: usize,
        tick: &mut impl FnMut(&mut Ctx) -> Result<(), EstimateError>,
        ctx: &mut Ctx,
    ) -> Result<(), EstimateError> {
        let (problem, solver, x) = (self.solution.problem(), self.solution.solver(), self.solution.x());
        while held.places.pop_if(|place| *place >= end).is_some() {}
        // What the solve recorded last is overwritten.
        held.recording = false;
        let mut state = match self.state.take() {
            Some(state) => state,
            None => {
                self.hold(solver.state_len(problem), ctx);
                solver.blank(self.solution.state())
            }
        };
        let (checkpoint, place) = match held.places.last() {
            Some(place) => (held.checkpoints.get(held.places.len() - 1), *place),
            None => (&held.start[..], 0),
        };
        solver.restore(problem, x, checkpoint, &mut state, ctx);
        self.at = place;
        while end - self.at > held.schedule.records() {
            let until = self.at + held.schedule.advance(end - self.at, held.free());
            while self.at < until {
                let step = solver.step(problem, x, &mut state, ctx);
                self.advance(step)?;
                tick(ctx)?;
            }
            if end - self.at > held.schedule.records() {
                held.save(solver, &state, self.at).map_err(|bytes| EstimateError::OutOfMemory { bytes })?;
                self.hold_growth(held, ctx);
            }
        }
        held.block = self.at..self.at;
        while self.at < end {
            let step = held.record(problem, solver, x, &mut state, ctx);
            self.advance(step)?;
            self.hold_growth(held, ctx);
            tick(ctx)?;
        }
        self.state = Some(state);
        Ok(())
    }

    fn advance(&mut self, step: Result<Step, SolveError>) -> Result<(), EstimateError> {
        match step {
            Ok(Step::Advanced) => {
                self.at += 1;
                Ok(())
            }
            Err(SolveError::OutOfMemory { bytes }) => Err(EstimateError::OutOfMemory { bytes }),
            Err(SolveError::Linear(error)) => Err(EstimateError::Linear(error)),
            _ => Err(EstimateError::NotReplayed { step: self.at }),
        }
    }
}
