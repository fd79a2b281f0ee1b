//! Codes of many signals by one dictionary D, n x m, its columns the atoms: for each u in R^n
//!
//! ```text
//! min_z  1/2 ‖u - D z‖² + sum_j (lambda_j |z_j| + mu_j z_j² / 2),   or the same with z >= 0,
//! ```
//!
//! to a duality gap of its own. Two forms: with D^T D written down once, D^T u of all signals is a matrix product and each
//! signal is then a problem of m numbers, solved by its active set (the module `active`); where D^T D is too large, or
//! there are too few signals to pay for it, the same is done on a few atoms at a time (the module `wide`). Which one is
//! decided by counting.
//!
//! Signals are shared out over threads in blocks of a fixed size, and nothing of one enters another: codes have the same
//! bits at every number of threads.
//!
//! A lambda_j below 2^-34 ‖d_j‖ ‖u‖, 0 for instance, is raised to that, as the condition |q_j| <= lambda_j would be a
//! matter of rounding: the gap is that of the problem so changed, whose value at a code z differs by at most
//! `sum_j 2^-34 ‖d_j‖ ‖u‖ |z_j|`.

mod active;
mod atoms;
mod codes;
mod penalties;
mod sweep;
mod wide;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use danskin_core::ctx::{Ctx, Phase, bytes_of};
use danskin_core::design::Design;
use danskin_core::simd::{Loop, widest};
use danskin_core::vector::{dot, norm};
use rayon::prelude::*;
use thiserror::Error;

use active::{Active, Ended, PAD, Quadratic};
use atoms::Atoms;
pub use codes::SparseCodes;
pub use penalties::Penalties;
use penalties::{Checked, Raised};

/// Signals of a block: D^T u of all of them stays in cache.
const BLOCK: usize = 64;
/// Products with D^T that a signal costs more by working sets than in Gram form, about.
const ROUNDS_MORE: f64 = 3.0;

/// Why signals cannot be encoded.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum EncodeError {
    /// An array has the wrong length.
    #[error("{found} numbers in {what}, expected {expected}")]
    Length {
        /// Which array.
        what: &'static str,
        /// The length that the others ask for.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// A weight of a penalty is negative or not finite.
    #[error("{what} of atom {atom} (from 0) is {value}, expected a finite number of at least 0")]
    Weight {
        /// Which weight.
        what: &'static str,
        /// The atom, from 0.
        atom: usize,
        /// Its weight.
        value: f64,
    },
    /// The tolerance is negative or no number.
    #[error("a tolerance of {value}, expected a finite number of at least 0")]
    Tolerance {
        /// The tolerance.
        value: f64,
    },
    /// A number of a signal is NaN or infinite.
    #[error("feature {feature} of signal {signal} (both from 0) is {value}, expected a finite number")]
    Signal {
        /// The signal, from 0.
        signal: usize,
        /// The feature, from 0.
        feature: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// A number of a code to start from is NaN or infinite.
    #[error("atom {atom} of code {signal} (both from 0) starts at {value}, expected a finite number")]
    Start {
        /// The signal, from 0.
        signal: usize,
        /// The atom, from 0.
        atom: usize,
        /// NaN or an infinity.
        value: f64,
    },
}

/// Whether D^T D is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// Where it fits into the memory allowed and costs less than working sets would: about where there are m / 6 signals or
    /// more.
    #[default]
    Auto,
    /// Always: m² numbers.
    Gram,
    /// Never: parts of it, for each signal.
    WorkingSets,
}

impl Form {
    /// A short name for reports, in kebab case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Gram => "gram",
            Self::WorkingSets => "working-sets",
        }
    }
}

/// What encoding has reached.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Encoded {
    /// A bound on L(z) - min L for each signal, to rounding; infinite for one that was not reached.
    pub gaps: Vec<f64>,
    /// Signals whose gap is above the tolerance, without those not reached.
    pub not_converged: usize,
    /// Signals that were not reached, as whoever watches asked to end: their codes are as they were.
    pub not_reached: usize,
    /// Atoms that entered an active set, of all signals.
    pub steps: u64,
    /// Sweeps of coordinate descent over all atoms, of the signals whose active sets rounding spoiled.
    pub sweeps: u64,
    /// The form used.
    pub form: Form,
    /// Wall-clock time, in seconds, that of D^T D included where this was the first to need it.
    pub seconds: f64,
}

impl Encoded {
    /// Whether all signals were reached and have gaps within the tolerance.
    #[must_use]
    pub fn all_converged(&self) -> bool {
        self.not_converged == 0 && self.not_reached == 0
    }

    /// The largest gap, 0 if there are no signals.
    #[must_use]
    pub fn max_gap(&self) -> f64 {
        self.gaps.iter().fold(0.0, |most, &gap| if gap > most || gap.is_nan() { gap } else { most })
    }

    /// The sum of the gaps.
    #[must_use]
    pub fn total_gap(&self) -> f64 {
        self.gaps.iter().sum()
    }
}

/// A dictionary and penalties, ready for signals.
///
/// ```
/// use danskin_core::ctx::Ctx;
/// use danskin_core::design::Design;
/// use danskin_sparse::{Encoder, Penalties};
///
/// // Two features, three atoms: both axes and the diagonal.
/// let design = Design::dense(2, 3, vec![1.0, 0.0, 0.6, 0.0, 1.0, 0.8])?;
/// let encoder = Encoder::new(design, &Penalties::l1(0.1))?;
/// let mut codes = [0.0; 6];
/// let encoded = encoder.encode(&[3.0, 4.0, 0.0, 2.0], &mut codes, &mut Ctx::new())?;
/// assert!(encoded.all_converged());
/// assert!((codes[2] - 4.9).abs() < 1e-12 && (codes[4] - 1.9).abs() < 1e-12, "{codes:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Encoder {
    atoms: Atoms,
    penalties: Checked,
    tolerance: f64,
    sweeps: usize,
    form: Form,
    gram_bytes: u64,
    gram: OnceLock<Vec<[f64; PAD]>>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("features", &self.features())
            .field("atoms", &self.atoms())
            .field("tolerance", &self.tolerance)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// Of the columns of `design`, n x m, dense or sparse. The tolerance is 1e-8, and D^T D may take 256 MiB.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if a penalty has not one weight for all atoms or for each, or one that is negative or not finite.
    pub fn new(design: Design, penalties: &Penalties) -> Result<Self, EncodeError> {
        let atoms = Atoms::new(design);
        let penalties = Checked::new(penalties, &atoms.squares)?;
        Ok(Self {
            atoms,
            penalties,
            tolerance: 1e-8,
            sweeps: 1000,
            form: Form::Auto,
            gram_bytes: 256 << 20,
            gram: OnceLock::new(),
        })
    }

    /// With gaps of at most `tolerance ‖u‖² / 2` asked. Most signals end far below what is asked, by a solution that is
    /// exact but for rounding.
    ///
    /// # Errors
    ///
    /// [`EncodeError::Tolerance`] unless it is finite and at least 0.
    pub fn tolerance(self, tolerance: f64) -> Result<Self, EncodeError> {
        if tolerance.is_finite() && tolerance >= 0.0 {
            Ok(Self { tolerance, ..self })
        } else {
            Err(EncodeError::Tolerance { value: tolerance })
        }
    }

    /// With at most `sweeps` sweeps over all atoms for a signal whose active set rounding spoiled; 1000 without this.
    #[must_use]
    pub fn sweeps(self, sweeps: usize) -> Self {
        Self { sweeps, ..self }
    }

    /// With D^T D written down, or not, or as [`Form::Auto`] finds.
    #[must_use]
    pub fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// With `bytes` for D^T D at the most where [`Form::Auto`] decides.
    #[must_use]
    pub fn gram_bytes(self, bytes: u64) -> Self {
        Self { gram_bytes: bytes, ..self }
    }

    /// Numbers of a signal, n.
    #[must_use]
    pub fn features(&self) -> usize {
        self.atoms.features
    }

    /// Numbers of a code, m.
    #[must_use]
    pub fn atoms(&self) -> usize {
        self.atoms.count
    }

    /// The form that `signals` signals take.
    #[must_use]
    pub fn form_of(&self, signals: usize) -> Form {
        let (gram, product) = self.atoms.multiplications();
        let fits = bytes_of(self.atoms().saturating_mul(self.atoms().next_multiple_of(PAD))) <= self.gram_bytes;
        match self.form {
            Form::Auto if fits && gram <= ROUNDS_MORE * product * signals as f64 => Form::Gram,
            Form::Auto => Form::WorkingSets,
            form => form,
        }
    }

    /// `codes`, count x m row by row, = the codes of `signals`, count x n row by row.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the lengths disagree or a number of a signal is not finite; `codes` is then as it was.
    pub fn encode(&self, signals: &[f64], codes: &mut [f64], ctx: &mut Ctx) -> Result<Encoded, EncodeError> {
        let count = self.check_dense(signals, codes)?;
        Ok(self.run(signals, count, Codes::Dense { codes, start: false }, ctx).0)
    }

    /// As [`Encoder::encode`], from what `codes` holds, codes by a dictionary that has changed little for instance. The
    /// minimum is the same, reached sooner where the atoms in use are about the same.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode`], and if a number of `codes` is not finite.
    pub fn encode_from(&self, signals: &[f64], codes: &mut [f64], ctx: &mut Ctx) -> Result<Encoded, EncodeError> {
        let count = self.check_dense(signals, codes)?;
        if let Some((at, value)) = first_not_finite(codes) {
            let (signal, atom) = (at / self.atoms(), at % self.atoms());
            return Err(EncodeError::Start { signal, atom, value });
        }
        Ok(self.run(signals, count, Codes::Dense { codes, start: true }, ctx).0)
    }

    /// The codes of `signals`, count x n row by row, by their entries other than 0; no signals where n = 0. They begin at
    /// `start`, where there is one.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if `signals` is not made of whole signals, a number of it or of `start` is not finite, or `start` has
    /// another number of atoms or of signals.
    pub fn encode_sparse(
        &self,
        signals: &[f64],
        start: Option<&SparseCodes>,
        ctx: &mut Ctx,
    ) -> Result<(SparseCodes, Encoded), EncodeError> {
        let count = signals.len().checked_div(self.features()).unwrap_or(0);
        check_length("the signals", count * self.features(), signals.len())?;
        if let Some(start) = start {
            self.check_start(start, count)?;
        }
        self.check_signals(signals)?;
        let (encoded, codes) = self.run(signals, count, Codes::Sparse { start }, ctx);
        Ok((codes, encoded))
    }

    fn check_dense(&self, signals: &[f64], codes: &[f64]) -> Result<usize, EncodeError> {
        let (n, m) = (self.features(), self.atoms());
        let count = signals.len().checked_div(n).or(codes.len().checked_div(m)).unwrap_or(0);
        check_length("the signals", count * n, signals.len())?;
        check_length("the codes", count * m, codes.len())?;
        self.check_signals(signals)?;
        Ok(count)
    }

    fn check_signals(&self, signals: &[f64]) -> Result<(), EncodeError> {
        match first_not_finite(signals) {
            Some((at, value)) => {
                Err(EncodeError::Signal { signal: at / self.features(), feature: at % self.features(), value })
            }
            None => Ok(()),
        }
    }

    /// That `start` can be read: its fields are public.
    fn check_start(&self, start: &SparseCodes, count: usize) -> Result<(), EncodeError> {
        check_length("the atoms of the codes to start from", self.atoms(), start.atoms)?;
        check_length("the pointers of the codes to start from", count + 1, start.pointers.len())?;
        check_length("the values of the codes to start from", start.indices.len(), start.values.len())?;
        let mut last = 0;
        for &pointer in &start.pointers {
            if pointer < last || pointer > start.indices.len() {
                let (what, expected) = ("entries before a pointer of the codes to start from", start.indices.len());
                return Err(EncodeError::Length { what, expected, found: pointer });
            }
            last = pointer;
        }
        for signal in 0..count {
            for (atom, value) in start.code(signal) {
                if atom >= self.atoms() {
                    let what = "atoms up to one of the codes to start from";
                    return Err(EncodeError::Length { what, expected: self.atoms(), found: atom + 1 });
                }
                if !value.is_finite() {
                    return Err(EncodeError::Start { signal, atom, value });
                }
            }
        }
        Ok(())
    }

    /// All signals, block by block.
    fn run(&self, signals: &[f64], count: usize, codes: Codes<'_>, ctx: &mut Ctx) -> (Encoded, SparseCodes) {
        let begun = Instant::now();
        let (n, m, form) = (self.features(), self.atoms(), self.form_of(count));
        let gram = match form {
            Form::Gram if count * n * m > 0 => Some(&**self.gram.get_or_init(|| self.atoms.gram(&self.penalties.mu))),
            _ => None,
        };
        let (mut parts, sparse, start) = match codes {
            Codes::Dense { codes, start } if m > 0 => (Some(codes.chunks_mut(BLOCK * m)), None, start),
            Codes::Dense { .. } => (None, None, false),
            Codes::Sparse { start } => (None, Some(start), start.is_some()),
        };
        let blocks: Vec<Block<'_>> = (0..count)
            .step_by(BLOCK)
            .map(|first| {
                let last = count.min(first + BLOCK);
                let codes = parts.as_mut().and_then(Iterator::next);
                Block { first, count: last - first, signals: &signals[first * n..last * n], codes, start, sparse }
            })
            .collect();
        let progress = Mutex::new((ctx, 0));
        let ended = AtomicBool::new(false);
        let found: Vec<Found> = blocks
            .into_par_iter()
            .map_init(Scratch::default, |scratch, block| {
                let of_block = block.count;
                let found = self.block(block, gram, ended.load(Ordering::Relaxed), scratch);
                let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.1 += of_block;
                let done = progress.1;
                if progress.0.tick(Phase::Solve, done, count) == ControlFlow::Break(()) && done < count {
                    ended.store(true, Ordering::Relaxed);
                }
                found
            })
            .collect();
        let mut encoded = Encoded {
            gaps: Vec::with_capacity(count),
            not_converged: 0,
            not_reached: 0,
            steps: 0,
            sweeps: 0,
            form,
            seconds: 0.0,
        };
        let mut codes = SparseCodes::with_capacity(m, if sparse.is_some() { count } else { 0 });
        for found in found {
            for ended in &found.ended {
                encoded.gaps.push(ended.gap);
                encoded.steps += ended.steps as u64;
                encoded.sweeps += ended.sweeps as u64;
            }
            if found.reached {
                encoded.not_converged += found.ended.iter().filter(|ended| !ended.converged).count();
            } else {
                encoded.not_reached += found.ended.len();
            }
            codes.append(&found.codes);
        }
        encoded.seconds = begun.elapsed().as_secs_f64();
        (encoded, codes)
    }

    /// One block, unless it is to be passed over.
    fn block(
        &self,
        mut block: Block<'_>,
        gram: Option<&[[f64; PAD]]>,
        pass_over: bool,
        scratch: &mut Scratch,
    ) -> Found {
        let mut found = Found {
            ended: Vec::with_capacity(block.count),
            codes: SparseCodes::with_capacity(self.atoms(), block.count),
            reached: !pass_over,
        };
        if pass_over || self.features() == 0 || self.atoms() == 0 {
            // Without features or atoms a code is 0 and right.
            let gap = if pass_over { f64::INFINITY } else { 0.0 };
            for k in 0..block.count {
                found.ended.push(Ended { gap, converged: !pass_over, steps: 0, sweeps: 0 });
                scratch.entries.clear();
                if pass_over {
                    block.start(k, self.atoms(), &mut scratch.entries);
                }
                block.put(k, self.atoms(), &mut scratch.entries, &mut found);
            }
            return found;
        }
        match gram {
            Some(gram) => self.in_gram_form(block, gram, scratch, &mut found),
            None => self.by_working_sets(block, scratch, &mut found),
        }
        found
    }

    fn in_gram_form(&self, block: Block<'_>, gram: &[[f64; PAD]], scratch: &mut Scratch, found: &mut Found) {
        let blocks = self.atoms().div_ceil(PAD);
        scratch.linear.resize(BLOCK * blocks, [0.0; PAD]);
        self.atoms.correlate(block.signals, blocks, &mut scratch.linear);
        widest(Batch { encoder: self, gram, block, scratch, found });
    }

    fn by_working_sets(&self, mut block: Block<'_>, scratch: &mut Scratch, found: &mut Found) {
        let mut raised: Vec<Raised> = (0..block.count).map(|_| Raised::default()).collect();
        let signals = block.signals.chunks_exact(self.features());
        let mut open: Vec<wide::Open<'_>> = signals
            .zip(&mut raised)
            .enumerate()
            .map(|(k, (signal, raised))| {
                let mut z = Vec::new();
                block.start(k, self.atoms(), &mut z);
                if self.penalties.nonnegative {
                    // A code may only start where it may end: its gap is looked at before it is moved.
                    z.retain(|&(_, z)| z > 0.0);
                }
                let square = dot(signal, signal);
                wide::Open {
                    signal,
                    square,
                    target: self.target(square),
                    bounds: self.penalties.bounds(norm(signal), raised),
                    z,
                    ended: Ended { gap: f64::INFINITY, converged: false, steps: 0, sweeps: 0 },
                }
            })
            .collect();
        let common = wide::Common {
            atoms: &self.atoms,
            mu: &self.penalties.mu,
            nonnegative: self.penalties.nonnegative,
            sweeps: self.sweeps,
        };
        wide::solve(&common, &mut open, &mut scratch.active, &mut scratch.wide);
        for (k, open) in open.iter_mut().enumerate() {
            found.ended.push(open.ended);
            block.put(k, self.atoms(), &mut open.z, found);
        }
    }

    /// The gap asked of a signal of this ‖u‖².
    fn target(&self, square: f64) -> f64 {
        let target = self.tolerance * 0.5 * square;
        // Not to be reached where the square has overflowed.
        if target.is_finite() { target } else { -1.0 }
    }
}

/// Where codes go, and what they start from.
enum Codes<'a> {
    Dense { codes: &'a mut [f64], start: bool },
    Sparse { start: Option<&'a SparseCodes> },
}

/// Consecutive signals.
struct Block<'a> {
    first: usize,
    count: usize,
    signals: &'a [f64],
    /// Their codes, where these are dense.
    codes: Option<&'a mut [f64]>,
    /// Whether to start from the codes.
    start: bool,
    /// Where codes are sparse, what they start from, if anything.
    sparse: Option<Option<&'a SparseCodes>>,
}

impl Block<'_> {
    /// Adds to `entries` what the k-th signal of these starts from.
    fn start(&self, k: usize, atoms: usize, entries: &mut Vec<(usize, f64)>) {
        match (&self.codes, self.sparse) {
            (Some(codes), _) if self.start => {
                let code = &codes[k * atoms..][..atoms];
                entries.extend(code.iter().copied().enumerate().filter(|(_, z)| *z != 0.0));
            }
            (None, Some(Some(start))) => entries.extend(start.code(self.first + k)),
            _ => {}
        }
    }

    /// Stores the code of the k-th, given by `entries`.
    fn put(&mut self, k: usize, atoms: usize, entries: &mut Vec<(usize, f64)>, found: &mut Found) {
        if let Some(codes) = &mut self.codes {
            if found.reached {
                let code = &mut codes[k * atoms..][..atoms];
                code.fill(0.0);
                entries.iter().for_each(|&(j, z)| code[j] = z);
            }
        } else if self.sparse.is_some() {
            found.codes.push(entries);
        }
    }
}

/// What a block has reached.
struct Found {
    ended: Vec<Ended>,
    /// Where they are asked for sparse.
    codes: SparseCodes,
    reached: bool,
}

/// Memory of a thread.
#[derive(Default)]
struct Scratch {
    active: Active,
    linear: Vec<[f64; PAD]>,
    raised: Raised,
    entries: Vec<(usize, f64)>,
    wide: wide::Scratch,
}

/// A block in Gram form, its D^T u in `scratch`.
struct Batch<'a> {
    encoder: &'a Encoder,
    gram: &'a [[f64; PAD]],
    block: Block<'a>,
    scratch: &'a mut Scratch,
    found: &'a mut Found,
}

impl Loop for Batch<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { encoder, gram, mut block, scratch, found } = self;
        let (atoms, penalties) = (encoder.atoms(), &encoder.penalties);
        let blocks = atoms.div_ceil(PAD);
        for (k, signal) in block.signals.chunks_exact(encoder.features()).enumerate() {
            let square = dot(signal, signal);
            let bounds = penalties.bounds(norm(signal), &mut scratch.raised);
            let problem = Quadratic {
                gram,
                linear: &scratch.linear[k * blocks..][..blocks],
                lambda: bounds.lambda,
                inverse: bounds.inverse,
                nonnegative: penalties.nonnegative,
                square,
                target: encoder.target(square),
                sweeps: encoder.sweeps,
            };
            scratch.active.start.clear();
            block.start(k, atoms, &mut scratch.active.start);
            found.ended.push(scratch.active.solve(&problem));
            let Active { indices, values, .. } = &scratch.active;
            scratch.entries.clear();
            scratch.entries.extend(indices.iter().copied().zip(values.iter().copied()));
            block.put(k, atoms, &mut scratch.entries, found);
        }
    }
}

fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), EncodeError> {
    if expected == found { Ok(()) } else { Err(EncodeError::Length { what, expected, found }) }
}

/// The first number that is NaN or infinite, and its place.
fn first_not_finite(numbers: &[f64]) -> Option<(usize, f64)> {
    let part = 1 << 14;
    let fine = |numbers: &[f64]| numbers.iter().fold(true, |fine, number| fine & number.is_finite());
    let bad = numbers.par_chunks(part).position_first(|numbers| !fine(numbers))?;
    let at = bad * part + numbers[bad * part..].iter().position(|number| !number.is_finite())?;
    Some((at, numbers[at]))
}
