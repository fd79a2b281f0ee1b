//! One signal by its active set S, in Gram form: with H = D^T D + diag(mu), b = D^T u and q = b - H z,
//!
//! ```text
//! z is optimal  <=>  q_j = lambda_j sign z_j where z_j != 0,  |q_j| <= lambda_j elsewhere
//! gap = (1 - s)²/2 (‖u‖² - z.(b + q)) + sum_j (lambda_j |z_j| - s z_j q_j),   s = min(1, 1 / max_j |q_j| / lambda_j)
//! ```
//!
//! The gap is that of the dual point s r, r the residual u - D z and, below it, the rows sqrt(mu_j) z_j that the ridge adds to
//! D; written so, each term is at least 0 and nothing large cancels once z is near. Where z >= 0 is asked, q_j stands for
//! |q_j|.
//!
//! The atom that violates its condition most enters S, and z_S moves to the minimiser over S, its signs fixed. What would
//! change its sign stops at 0 on the way and leaves S (Osborne, Presnell, Turlach 2000; Lee, Battle, Raina, Ng 2007,
//! "feature-sign search"). L falls with every step: there are finitely many, a few more than atoms in the end. M = (H_SS)^-1
//! is kept, by one rank-one change for an atom that enters or leaves: k² operations, all of them vector instructions, where
//! a triangular solve is a chain of k divisions. An atom that depends on those in S changes places with the first of them
//! to become 0.

use danskin_core::simd::{Loop, widest};

use super::sweep;

/// Numbers of a block of q: what one loop keeps in registers. Columns of H are padded to a multiple of it.
pub(super) const PAD: usize = 32;
/// Numbers of a block of a column of M.
const LANES: usize = 8;
type Lanes = [f64; LANES];
/// What is left of the square of an atom without its projection onto S, relative, below which it counts as dependent.
const DEPENDENT: f64 = 1e-10;
/// How far |q_j| / lambda_j is above 1 at the least for an atom to enter: below is rounding.
const VIOLATED: f64 = 1e-13;
/// Share of ‖u‖² / 2 that a gap may be for rounding alone.
const ROUNDING: f64 = 1e-13;
/// Times that q is computed anew, and z_S solved for again, before the active set is given up.
const REFINEMENTS: usize = 3;
/// Atoms in S at the most: M has their square.
const LARGEST: usize = 2048;

/// `min_z 1/2 z.H z - b.z + sum_j lambda_j |z_j|`, and how near it is asked.
#[derive(Clone, Copy)]
pub(super) struct Quadratic<'a> {
    /// H by columns, each padded with zeros to a multiple of [`PAD`].
    pub(super) gram: &'a [[f64; PAD]],
    /// b, padded.
    pub(super) linear: &'a [[f64; PAD]],
    /// One above 0 an atom.
    pub(super) lambda: &'a [f64],
    /// 1 / lambda_j, padded; 0 for an atom of zeros.
    pub(super) inverse: &'a [[f64; PAD]],
    /// Whether z >= 0.
    pub(super) nonnegative: bool,
    /// ‖u‖².
    pub(super) square: f64,
    /// The gap asked.
    pub(super) target: f64,
    /// Sweeps at the most, where the active set did not get there.
    pub(super) sweeps: usize,
}

impl<'a> Quadratic<'a> {
    /// The blocks of a column of H.
    #[inline(always)]
    pub(super) fn column(&self, j: usize) -> &'a [[f64; PAD]] {
        &self.gram[j * self.linear.len()..][..self.linear.len()]
    }

    #[inline(always)]
    pub(super) fn entry(&self, i: usize, j: usize) -> f64 {
        self.gram[j * self.linear.len() + i / PAD][i % PAD]
    }

    /// |q_j| / lambda_j of some atoms, q_j / lambda_j or 0 where z >= 0.
    #[inline(always)]
    fn ratios(&self, q: &Lanes, inverse: &Lanes) -> Lanes {
        // Without a branch: one for each lane would come of it.
        let mirror = if self.nonnegative { 0.0 } else { -1.0 };
        let mut ratios = *q;
        for l in 0..LANES {
            let mirrored = mirror * q[l];
            ratios[l] = if mirrored > q[l] { mirrored } else { q[l] } * inverse[l];
        }
        ratios
    }
}

/// Where the work on a signal ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) gap: f64,
    pub(super) converged: bool,
    /// Atoms that entered S.
    pub(super) steps: usize,
    /// Sweeps of coordinate descent after that.
    pub(super) sweeps: usize,
}

/// One signal, apart from others.
struct Apart<'a> {
    active: &'a mut Active,
    problem: &'a Quadratic<'a>,
    ended: &'a mut Ended,
}

impl Loop for Apart<'_> {
    #[inline(always)]
    fn run(self) {
        *self.ended = self.active.solve(self.problem);
    }
}

/// S, z_S and what belongs to them, reused from signal to signal.
#[derive(Default)]
pub(super) struct Active {
    /// q, padded.
    pub(super) correlations: Vec<[f64; PAD]>,
    /// S, in no order.
    pub(super) indices: Vec<usize>,
    /// z_S.
    pub(super) values: Vec<f64>,
    /// Where to begin: atoms and their z.
    pub(super) start: Vec<(usize, f64)>,
    /// The signs that z_S has or is about to have.
    signs: Vec<f64>,
    /// M by columns, `stride` apart; what is beyond the size of S in each is left over.
    inverse: Vec<f64>,
    stride: usize,
    /// Atoms whose z has changed since q was computed, and by how much.
    pub(super) changes: Vec<(usize, f64)>,
    /// z_S before the changes.
    before: Vec<f64>,
    gathered: Vec<f64>,
    product: Vec<f64>,
    rest: Vec<f64>,
    /// z, while there are sweeps.
    pub(super) dense: Vec<f64>,
}

impl Active {
    /// Solves `problem` from [`Active::start`]: z is left in [`Active::indices`] and [`Active::values`], q in
    /// [`Active::correlations`].
    #[inline(always)]
    pub(super) fn solve(&mut self, problem: &Quadratic<'_>) -> Ended {
        self.indices.clear();
        self.values.clear();
        self.signs.clear();
        self.changes.clear();
        self.correlations.clear();
        self.correlations.extend_from_slice(problem.linear);
        if !self.start.is_empty() {
            self.load(problem);
        }
        let mut ratio = self.follow(problem);
        let mut refinements = 0;
        let cap = 50 + 8 * problem.lambda.len();
        let mut steps = 0;
        let gap = loop {
            let gap = self.gap(problem, ratio);
            if gap <= problem.target {
                return Ended { gap, converged: true, steps, sweeps: 0 };
            }
            let entering = if ratio > 1.0 + VIOLATED { self.position(problem, ratio) } else { None };
            match entering.filter(|entering| !self.indices.contains(entering)) {
                Some(entering) => {
                    steps += 1;
                    if steps > cap || self.indices.len() == LARGEST || !self.enter(problem, entering) {
                        self.follow(problem);
                        break gap;
                    }
                }
                None if refinements == REFINEMENTS && gap <= ROUNDING * 0.5 * problem.square => {
                    return Ended { gap, converged: false, steps, sweeps: 0 };
                }
                None if refinements == REFINEMENTS => break gap,
                None => {
                    refinements += 1;
                    self.refine(problem);
                }
            }
            ratio = self.follow(problem);
        };
        sweep::solve(self, problem, Ended { gap, converged: false, steps, sweeps: 0 })
    }

    /// [`Active::solve`], compiled for the widest instructions.
    pub(super) fn solve_apart(&mut self, problem: &Quadratic<'_>) -> Ended {
        let mut ended = Ended { gap: f64::INFINITY, converged: false, steps: 0, sweeps: 0 };
        widest(Apart { active: self, problem, ended: &mut ended });
        ended
    }

    /// q after the changes, and the largest |q_j| / lambda_j.
    #[inline(always)]
    pub(super) fn follow(&mut self, problem: &Quadratic<'_>) -> f64 {
        let blocks = problem.linear.len();
        for (block, q) in self.correlations.iter_mut().enumerate() {
            let q = q.as_chunks_mut().0;
            // By name, so that they stay in registers.
            let [mut a, mut b, mut c, mut d] = [q[0], q[1], q[2], q[3]];
            for &(j, change) in &self.changes {
                let column = problem.gram[j * blocks + block].as_chunks().0;
                a = plus(&a, -change, &column[0]);
                b = plus(&b, -change, &column[1]);
                c = plus(&c, -change, &column[2]);
                d = plus(&d, -change, &column[3]);
            }
            (q[0], q[1], q[2], q[3]) = (a, b, c, d);
        }
        self.changes.clear();
        let mut most = [0.0; LANES];
        let correlations = self.correlations.as_flattened().as_chunks().0;
        for (q, inverse) in correlations.iter().zip(problem.inverse.as_flattened().as_chunks().0) {
            most = larger(&most, &problem.ratios(q, inverse));
        }
        largest(&most)
    }

    /// The first atom of this |q_j| / lambda_j.
    #[inline(always)]
    fn position(&self, problem: &Quadratic<'_>, ratio: f64) -> Option<usize> {
        for (block, (q, inverse)) in self.correlations.iter().zip(problem.inverse).enumerate() {
            for (part, (q, inverse)) in q.as_chunks().0.iter().zip(inverse.as_chunks().0).enumerate() {
                let ratios = problem.ratios(q, inverse);
                let found = ratios.iter().fold(false, |found, &other| found | (other == ratio));
                if found {
                    let lane = ratios.iter().position(|&found| found == ratio);
                    return lane.map(|l| block * PAD + part * LANES + l);
                }
            }
        }
        None
    }

    #[inline(always)]
    pub(super) fn correlation(&self, j: usize) -> f64 {
        self.correlations[j / PAD][j % PAD]
    }

    /// The gap at z, whose largest |q_j| / lambda_j is `ratio`.
    #[inline(always)]
    pub(super) fn gap(&self, problem: &Quadratic<'_>, ratio: f64) -> f64 {
        let scale = if ratio > 1.0 { 1.0 / ratio } else { 1.0 };
        let (mut fitted, mut slack) = (0.0, 0.0);
        for (&j, &z) in self.indices.iter().zip(&self.values) {
            let q = self.correlation(j);
            fitted += z * (problem.linear[j / PAD][j % PAD] + q);
            slack += problem.lambda[j] * z.abs() - scale * z * q;
        }
        let residual = problem.square - fitted;
        // Both are at least 0 but for rounding; NaN, of numbers that overflowed, is no gap and stays.
        let residual = if residual < 0.0 { 0.0 } else { residual };
        let slack = if slack < 0.0 { 0.0 } else { slack };
        0.5 * (1.0 - scale) * (1.0 - scale) * residual + slack
    }

    /// Begins at [`Active::start`], without those of its atoms that depend on earlier ones.
    #[inline(always)]
    fn load(&mut self, problem: &Quadratic<'_>) {
        for place in 0..self.start.len() {
            let (j, z) = self.start[place];
            if z == 0.0 || (problem.nonnegative && z < 0.0) || self.indices.len() == LARGEST {
                continue;
            }
            let rest = self.project(problem, j);
            if rest > DEPENDENT * problem.entry(j, j) {
                self.border(j, z, z.signum(), rest);
            }
        }
        self.refine(problem);
    }

    /// q anew from b, and z_S to the minimiser over S.
    #[inline(always)]
    fn refine(&mut self, problem: &Quadratic<'_>) {
        self.renew(problem);
        self.rest.clear();
        for (&j, &sign) in self.indices.iter().zip(&self.signs) {
            self.rest.push(self.correlations[j / PAD][j % PAD] - sign * problem.lambda[j]);
        }
        self.before.clone_from(&self.values);
        self.descend(0..self.indices.len());
    }

    /// q anew from b.
    #[inline(always)]
    pub(super) fn renew(&mut self, problem: &Quadratic<'_>) -> f64 {
        self.correlations.copy_from_slice(problem.linear);
        self.changes.clear();
        self.changes.extend(self.indices.iter().copied().zip(self.values.iter().copied()));
        self.follow(problem)
    }

    /// Takes `entering` into S and moves z_S to the minimiser over S; false where rounding forbids it.
    #[inline(always)]
    fn enter(&mut self, problem: &Quadratic<'_>, entering: usize) -> bool {
        let q = self.correlation(entering);
        let sign = q.signum();
        let excess = q - sign * problem.lambda[entering];
        self.before.clone_from(&self.values);
        let (least, mut z) = (DEPENDENT * problem.entry(entering, entering), 0.0);
        let mut rest = self.project(problem, entering);
        if rest <= least {
            // H is 0 along (-M g, 1): L falls by the excess alone, until something in S is 0.
            let mut first = (f64::INFINITY, None);
            for (i, &v) in self.product[..self.indices.len()].iter().enumerate() {
                let towards = sign * v * self.signs[i];
                let length = self.signs[i] * self.values[i] / towards;
                if towards > 0.0 && length < first.0 {
                    first = (length, Some(i));
                }
            }
            let (length, Some(leaving)) = first else { return false };
            z = length * sign;
            for (value, &v) in self.values.iter_mut().zip(&self.product) {
                *value -= z * v;
            }
            self.leave(leaving);
            rest = self.project(problem, entering);
        }
        if rest <= least {
            // M is not kept: only the sweeps come after this.
            self.indices.push(entering);
            self.values.push(z);
            self.signs.push(sign);
            self.before.push(0.0);
            self.record();
            return false;
        }
        self.border(entering, z, sign, rest);
        self.before.push(0.0);
        let last = self.indices.len() - 1;
        self.rest.clear();
        self.rest.resize(last, 0.0);
        self.rest.push(excess);
        self.descend(last..last + 1);
        true
    }

    /// z_S += M rest, by way of what becomes 0 before; `rest`, q_S - lambda_S sign z_S, is 0 but in `span`.
    #[inline(always)]
    fn descend(&mut self, mut span: std::ops::Range<usize>) {
        loop {
            self.multiply(span.clone());
            let mut first = (1.0, None);
            for (i, &direction) in self.product[..self.indices.len()].iter().enumerate() {
                let (sign, value) = (self.signs[i], self.values[i]);
                if sign * (value + direction) < 0.0 {
                    // The sign of a value is that in `signs`, or it is 0.
                    let length = -value / direction;
                    if length < first.0 {
                        first = (length, Some(i));
                    }
                }
            }
            let (length, leaving) = first;
            for (value, &direction) in self.values.iter_mut().zip(&self.product) {
                *value += length * direction;
            }
            let Some(leaving) = leaving else { break };
            for rest in &mut self.rest[span.clone()] {
                *rest *= 1.0 - length;
            }
            self.rest.swap_remove(leaving);
            self.leave(leaving);
            let last = self.indices.len();
            span = if span.len() > 1 || span.start == leaving {
                0..last
            } else if span.start == last {
                leaving..leaving + 1
            } else {
                span
            };
        }
        self.record();
    }

    /// Notes how z_S has changed.
    #[inline(always)]
    fn record(&mut self) {
        for ((&j, &value), &before) in self.indices.iter().zip(&self.values).zip(&self.before) {
            self.changes.push((j, value - before));
        }
    }

    /// `product` = M g, g the entries of H between S and `entering`; answers what of its square is not in S.
    #[inline(always)]
    fn project(&mut self, problem: &Quadratic<'_>, entering: usize) -> f64 {
        let column = problem.column(entering);
        self.gathered.clear();
        for &i in &self.indices {
            self.gathered.push(column[i / PAD][i % PAD]);
        }
        std::mem::swap(&mut self.gathered, &mut self.rest);
        self.multiply(0..self.indices.len());
        std::mem::swap(&mut self.gathered, &mut self.rest);
        let mut along = 0.0;
        for (g, v) in self.gathered.iter().zip(&self.product) {
            along += g * v;
        }
        problem.entry(entering, entering) - along
    }

    /// `product` = M `rest`, which is 0 but in `span`.
    #[inline(always)]
    fn multiply(&mut self, span: std::ops::Range<usize>) {
        let blocks = self.indices.len().div_ceil(LANES);
        self.product.resize(blocks * LANES, 0.0);
        for (block, product) in self.product.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut sums = [0.0; LANES];
            for j in span.clone() {
                let column = self.inverse[j * self.stride + block * LANES..].as_chunks().0;
                sums = plus(&sums, self.rest[j], &column[0]);
            }
            *product = sums;
        }
    }

    /// S and M with atom `j`, at `z`, for which [`Active::project`] found `rest`.
    #[inline(always)]
    fn border(&mut self, j: usize, z: f64, sign: f64, rest: f64) {
        let last = self.indices.len();
        if last == self.stride {
            self.widen();
        }
        let (stride, over) = (self.stride, 1.0 / rest);
        let blocks = last.div_ceil(LANES);
        for i in 0..last {
            let scaled = self.product[i] * over;
            let column = &mut self.inverse[i * stride..][..stride];
            add(scaled, &self.product, &mut column[..blocks * LANES]);
            column[last] = -scaled;
        }
        let column = &mut self.inverse[last * stride..][..stride];
        for (column, product) in column.iter_mut().zip(&self.product[..last]) {
            *column = -over * product;
        }
        column[last] = over;
        self.indices.push(j);
        self.values.push(z);
        self.signs.push(sign);
    }

    /// S and M without the atom at place `leaving`, whose z becomes 0; the last takes its place.
    #[inline(always)]
    fn leave(&mut self, leaving: usize) {
        let (stride, last) = (self.stride, self.indices.len() - 1);
        let blocks = (last + 1).div_ceil(LANES);
        self.product.resize(blocks * LANES, 0.0);
        let over = 1.0 / self.inverse[leaving * stride + leaving];
        self.product.copy_from_slice(&self.inverse[leaving * stride..][..blocks * LANES]);
        for i in 0..=last {
            let scaled = self.product[i] * over;
            let column = &mut self.inverse[i * stride..][..stride];
            add(-scaled, &self.product, &mut column[..blocks * LANES]);
            column[leaving] = column[last];
        }
        self.inverse.copy_within(last * stride..last * stride + last, leaving * stride);
        let (j, before) = (self.indices.swap_remove(leaving), self.before.swap_remove(leaving));
        self.values.swap_remove(leaving);
        self.signs.swap_remove(leaving);
        self.changes.push((j, -before));
    }

    /// Room for as many atoms again.
    #[inline(never)]
    fn widen(&mut self) {
        let wider = (2 * self.stride).max(4 * LANES);
        let mut inverse = vec![0.0; wider * wider];
        for (to, from) in inverse.chunks_exact_mut(wider).zip(self.inverse.chunks_exact(self.stride.max(1))) {
            to[..from.len()].copy_from_slice(from);
        }
        (self.inverse, self.stride) = (inverse, wider);
    }
}

/// `a + scale b`. Taken and given by value: what is written is then known to be none of what is read.
#[inline(always)]
fn plus(a: &Lanes, scale: f64, b: &Lanes) -> Lanes {
    let mut sums = *a;
    for l in 0..LANES {
        sums[l] += scale * b[l];
    }
    sums
}

/// The larger of each two; the first where the second is NaN.
#[inline(always)]
fn larger(a: &Lanes, b: &Lanes) -> Lanes {
    let mut most = *a;
    for l in 0..LANES {
        most[l] = if b[l] > a[l] { b[l] } else { a[l] };
    }
    most
}

/// The largest of all, or 0. Not inlined: a sum over lanes beside a loop over them has the compiler take both apart.
#[inline(never)]
fn largest(lanes: &Lanes) -> f64 {
    lanes.iter().fold(0.0, |most, &lane| if lane > most { lane } else { most })
}

/// `column += scale vector`, the length of `column` a multiple of [`LANES`].
#[inline(always)]
fn add(scale: f64, vector: &[f64], column: &mut [f64]) {
    for (column, vector) in column.as_chunks_mut().0.iter_mut().zip(vector.as_chunks().0) {
        *column = plus(column, scale, vector);
    }
}
