//! The problem on a working set of columns: coordinate descent, extrapolated, and Newton's steps on the support.
//!
//! ```text
//! z_j <- S(c_j + g_jj z_j, l1_j) / (g_jj + l2_j),   c = D^T W (y - D z),   S(v, l) = sign(v) max(|v| - l, 0)
//! ```
//!
//! Either c is kept, by the columns of the Gram matrix G = D^T W D, or W (y - D z), by those of D: whichever is cheaper. Five
//! sweeps are extrapolated (Bertrand and Massias 2021). Once sweeps have cost as much as a solution of
//! `(G_S + diag(l2)) d = c_S - l1 sign(z_S) - l2 z_S` on the support S would, that is the next step, as far as P falls along it: it
//! is exact where no sign changes, and what reaches 0 before leaves S.

use std::ops::ControlFlow;

use danskin_core::simd::{Loop, widest};
use danskin_core::vector::dot;

use crate::columns::{Columns, Storage};
use crate::gap::{Scale, Term};
use crate::gram::{Factor, Gram};
use crate::working_sets::Progress;

/// Sweeps between two extrapolations.
const SWEEPS: usize = 5;
/// Largest support on which the system is solved directly.
const LARGEST: usize = 3000;
/// Largest set of columns whose Gram matrix is kept for sweeps.
const LARGEST_GRAM: usize = 4096;
/// Newton's steps in a row, each of which lets a coordinate reach 0.
const STEPS: usize = 64;
/// A sweep that lowers P by less than so many parts of it moves c by no more than rounding.
const ROUNDING: f64 = 1e-30;
/// And one that does by less than so many leaves P the same in its rounding.
const FLAT: f64 = 1e-16;
/// Reads of a sparse column that take as long as one of a dense one.
const SPARSE: f64 = 4.0;
/// How many times faster than a sweep's are the operations of a factorisation.
const FACTORISING: f64 = 4.0;

/// The data of the problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data<'a> {
    pub(crate) columns: &'a Columns,
    pub(crate) weights: &'a [f64],
}

/// What a solution on a working set needs, kept from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) gram: Gram,
    factor: Factor,
    by_gram: bool,
    /// The column of each coordinate; the slots of the Gram matrix if it is used.
    ids: Vec<u32>,
    /// Coordinates in the working set.
    on: Vec<u32>,
    /// Those of them without a penalty.
    free: Vec<u32>,
    pub(crate) z: Vec<f64>,
    start: Vec<f64>,
    c: Vec<f64>,
    start_c: Vec<f64>,
    l1: Vec<f64>,
    l2: Vec<f64>,
    diagonal: Vec<f64>,
    /// Whether z is to be at least 0.
    bounded: Vec<bool>,
    /// W (y - D z), unless c is kept.
    residual: Vec<f64>,
    /// `G d` or `D d` of a direction d.
    image: Vec<f64>,
    /// A direction: coordinates and numbers.
    moved: Vec<u32>,
    direction: Vec<f64>,
    /// z of the last sweeps on the working set.
    history: Vec<f64>,
    list: Vec<u32>,
    products: Vec<f64>,
}

/// A column of the working set as it is when the problem on it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coordinate {
    pub(crate) column: u32,
    pub(crate) z: f64,
    pub(crate) c: f64,
    pub(crate) l1: f64,
    pub(crate) l2: f64,
    pub(crate) square: f64,
    pub(crate) bounded: bool,
}

/// What ended it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) epochs: usize,
    pub(crate) newton: usize,
    /// Whoever watched asked for it.
    pub(crate) interrupted: bool,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default)]
struct Sweep {
    /// Coordinates that moved.
    moved: usize,
    /// Coordinates that became or ceased to be 0, or changed sign.
    turned: usize,
    /// By how much P fell, at the least.
    fell: f64,
    /// Reads of entries.
    reads: f64,
}

impl Inner {
    /// Takes up a working set. `residual` is W (y - D z).
    pub(crate) fn begin(&mut self, data: Data<'_>, set: &[Coordinate], residual: &[f64]) {
        let list: Vec<u32> = set.iter().map(|coordinate| coordinate.column).collect();
        self.gram.begin(data.columns, data.weights);
        self.by_gram = gram_is_cheaper(data.columns, &list, &self.gram);
        if self.by_gram {
            if self.gram.len() > 2 * list.len() + 256 {
                self.gram.keep(&list);
            }
            self.gram.ensure(data.columns, &list);
        }
        let len = if self.by_gram { self.gram.len() } else { list.len() };
        for of in [&mut self.z, &mut self.c, &mut self.l1, &mut self.l2, &mut self.diagonal, &mut self.direction] {
            of.clear();
            of.resize(len, 0.0);
        }
        self.bounded.clear();
        self.bounded.resize(len, false);
        self.ids.clear();
        self.ids.extend_from_slice(if self.by_gram { self.gram.slots() } else { &list });
        self.on.clear();
        self.free.clear();
        for (k, coordinate) in set.iter().enumerate() {
            let at = if self.by_gram { self.gram.slot(coordinate.column).unwrap_or(k) } else { k };
            self.on.push(at as u32);
            if coordinate.l1 == 0.0 && coordinate.l2 == 0.0 {
                self.free.push(at as u32);
            }
            self.z[at] = coordinate.z;
            self.c[at] = coordinate.c;
            self.l1[at] = coordinate.l1;
            self.l2[at] = coordinate.l2;
            self.bounded[at] = coordinate.bounded;
            self.diagonal[at] = if self.by_gram { self.gram.column(at)[at] } else { coordinate.square };
        }
        if !self.by_gram {
            self.residual.clear();
            self.residual.extend_from_slice(residual);
        }
        self.start.clone_from(&self.z);
        self.start_c.clone_from(&self.c);
        self.moved.clear();
    }

    /// Calls `visit(column, z)` on the working set.
    pub(crate) fn each(&self, mut visit: impl FnMut(u32, f64)) {
        self.on.iter().for_each(|&k| visit(self.ids[k as usize], self.z[k as usize]));
    }

    /// Goes on until the gap of the problem on the working set is `tolerance`, where `square` is the square of W^(1/2) (y - D z) at
    /// the start.
    pub(crate) fn solve(
        &mut self,
        data: Data<'_>,
        square: f64,
        tolerance: f64,
        epochs: usize,
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Spent {
        let mut spent = Spent::default();
        if self.on.is_empty() {
            return spent;
        }
        let value = square / 2.0 + self.penalty();
        // Reads since the last direct solution.
        let (mut reads, mut flat) = (0.0, false);
        self.history.clear();
        while spent.epochs < epochs {
            self.remember();
            let sweep = self.sweep(data);
            spent.epochs += 1;
            reads += sweep.reads;
            let fresh = self.by_gram;
            if sweep.fell.is_nan() {
                return spent;
            }
            let cost = self.direct_cost(data, self.support(), sweep.turned == 0);
            // P is flat long before c is right to rounding, and the gap is of first order in c: a direct solution is worth its cost.
            let was_flat = std::mem::replace(&mut flat, sweep.fell <= FLAT * value);
            let due = reads >= cost || (flat && !was_flat && cost.is_finite());
            let ended = sweep.moved == 0 || sweep.fell <= ROUNDING * value;
            if due && sweep.moved > 0 {
                spent.newton += self.newton(data);
                reads = 0.0;
                self.history.clear();
            } else if self.history.len() >= (SWEEPS + 1) * self.on.len() {
                self.extrapolate(data);
            }
            if spent.epochs.is_multiple_of(2 * SWEEPS) && watch(Progress::Sweeps { count: 2 * SWEEPS }).is_break() {
                spent.interrupted = true;
                return spent;
            }
            if self.by_gram || due || spent.epochs.is_multiple_of(2 * SWEEPS) {
                self.fit_free(data);
                if !fresh {
                    self.refresh(data);
                }
                if self.gap(square) <= tolerance {
                    return spent;
                }
            }
            if ended {
                return spent;
            }
        }
        spent
    }

    /// Sweeps over the columns without a penalty alone: that they are orthogonal to the residual is taken for granted in the gap.
    fn fit_free(&mut self, data: Data<'_>) {
        if !self.free.is_empty() {
            std::mem::swap(&mut self.on, &mut self.free);
            self.sweep(data);
            std::mem::swap(&mut self.on, &mut self.free);
        }
    }

    fn penalty(&self) -> f64 {
        self.on
            .iter()
            .map(|&k| k as usize)
            .map(|k| self.l1[k] * self.z[k].abs() + 0.5 * self.l2[k] * self.z[k] * self.z[k])
            .sum()
    }

    /// The gap of the problem on the working set; c must be that of z.
    fn gap(&self, square: f64) -> f64 {
        let fell: f64 = self
            .on
            .iter()
            .map(|&k| k as usize)
            .map(|k| (self.start_c[k] + self.c[k]) * (self.z[k] - self.start[k]))
            .sum();
        let terms = self.on.iter().map(|&k| k as usize).map(|k| Term {
            c: self.c[k],
            z: self.z[k],
            l1: self.l1[k],
            l2: self.l2[k],
            // A free column is fitted before its gap counts.
            slack: f64::INFINITY,
            bounded: self.bounded[k],
        });
        Scale::best(&terms, (square - fell).max(0.0)).gap
    }

    /// `c_j = d_j^T W (y - D z)` where it is not kept.
    fn refresh(&mut self, data: Data<'_>) {
        data.columns.correlations_of(&self.ids, &self.residual, &mut self.c);
    }

    fn sweep(&mut self, data: Data<'_>) -> Sweep {
        let mut sweep = Sweep::default();
        widest(SweepLoop { inner: self, data, sweep: &mut sweep });
        sweep
    }

    /// Keeps z for an extrapolation.
    fn remember(&mut self) {
        self.history.extend(self.on.iter().map(|&k| self.z[k as usize]));
    }

    /// z <- sum_i x_i z^i over the last sweeps, x of sum 1 with the least ‖sum_i x_i (z^i - z^(i-1))‖, unless P rises.
    fn extrapolate(&mut self, data: Data<'_>) {
        self.remember();
        let len = self.on.len();
        let iterates: Vec<&[f64]> = self.history.chunks_exact(len).collect();
        let mut differences = vec![0.0; SWEEPS * len];
        for (i, difference) in differences.chunks_exact_mut(len).enumerate() {
            difference
                .iter_mut()
                .zip(iterates[iterates.len() - SWEEPS + i].iter().zip(iterates[iterates.len() - SWEEPS + i - 1]))
                .for_each(|(d, (new, old))| *d = new - old);
        }
        let difference = |i: usize| &differences[i * len..][..len];
        let mut system = [[0.0; SWEEPS + 1]; SWEEPS];
        for (i, row) in system.iter_mut().enumerate() {
            for (k, product) in row[..SWEEPS].iter_mut().enumerate() {
                *product = dot(difference(i), difference(k));
            }
            row[SWEEPS] = 1.0;
        }
        let found = solve_small(&mut system);
        self.moved.clear();
        if let Some(x) = found {
            for (k, &at) in self.on.iter().enumerate() {
                let mut z: f64 = (0..SWEEPS).map(|i| x[i] * iterates[iterates.len() - SWEEPS + i][k]).sum();
                if self.bounded[at as usize] {
                    z = z.max(0.0);
                }
                let moved = z - self.z[at as usize];
                if moved != 0.0 {
                    self.moved.push(at);
                    self.direction[at as usize] = moved;
                }
            }
            let (slope, curvature) = self.look(data);
            let penalty: f64 = self
                .moved
                .iter()
                .map(|&k| k as usize)
                .map(|k| {
                    let (from, to) = (self.z[k], self.z[k] + self.direction[k]);
                    self.l1[k] * (to.abs() - from.abs()) + 0.5 * self.l2[k] * (to * to - from * from)
                })
                .sum();
            if curvature / 2.0 - slope + penalty < 0.0 {
                self.advance(data, 1.0);
            }
        }
        self.history.clear();
    }

    /// `<c, d>` and `d^T G d` of the direction, whose image it leaves.
    fn look(&mut self, data: Data<'_>) -> (f64, f64) {
        self.image.clear();
        let len = if self.by_gram { self.gram.len() } else { data.columns.rows() };
        self.image.resize(len, 0.0);
        widest(ImageLoop { inner: self, data });
        if self.by_gram {
            self.moved.iter().map(|&k| k as usize).fold((0.0, 0.0), |(slope, curvature), k| {
                (slope + self.direction[k] * self.c[k], curvature + self.direction[k] * self.image[k])
            })
        } else {
            let image = &self.image;
            let curvature = if data.weights.is_empty() {
                dot(image, image)
            } else {
                image.iter().zip(data.weights).map(|(v, w)| w * v * v).sum()
            };
            (dot(&self.residual, image), curvature)
        }
    }

    /// z <- z + t d, and all that follows z.
    fn advance(&mut self, data: Data<'_>, t: f64) {
        for &k in &self.moved {
            self.z[k as usize] += t * self.direction[k as usize];
        }
        if self.by_gram {
            self.c.iter_mut().zip(&self.image).for_each(|(c, h)| *c -= t * h);
        } else if data.weights.is_empty() {
            self.residual.iter_mut().zip(&self.image).for_each(|(r, v)| *r -= t * v);
        } else {
            let weighted = self.image.iter().zip(data.weights);
            self.residual.iter_mut().zip(weighted).for_each(|(r, (v, w))| *r -= t * (w * v));
        }
    }

    fn in_support(&self, k: usize) -> bool {
        self.diagonal[k] > 0.0 && (self.z[k] != 0.0 || (!self.bounded[k] && self.l1[k] == 0.0 && self.l2[k] == 0.0))
    }

    fn support(&self) -> usize {
        self.on.iter().filter(|&&k| self.in_support(k as usize)).count()
    }

    /// Reads of a sweep that take as long as a direct solution on a support of so many; infinite where there is none.
    fn direct_cost(&self, data: Data<'_>, support: usize, settled: bool) -> f64 {
        if support == 0 || support > LARGEST.min(data.columns.rows()) {
            return f64::INFINITY;
        }
        let s = support as f64;
        let mut cost = s * s * s / 6.0 / FACTORISING + s * self.ids.len() as f64;
        if !self.by_gram {
            // Columns that are not yet in the Gram matrix, each with the rest; sparse ones share few rows.
            let new = |k: &&u32| self.in_support(**k as usize) && self.gram.slot(self.ids[**k as usize]).is_none();
            let new = self.on.iter().filter(new).count() as f64;
            let rows = data.columns.rows() as f64;
            cost += match data.columns.storage() {
                Storage::Dense(_) => new * s * rows / FACTORISING,
                Storage::Sparse { .. } => new * (SPARSE * s + rows / 25.0),
            };
        }
        if settled { cost } else { 4.0 * cost }
    }

    /// Newton's steps on the support, as far as P falls. Returns how many.
    fn newton(&mut self, data: Data<'_>) -> usize {
        let part: Vec<u32> = self.on.iter().copied().filter(|&k| self.in_support(k as usize)).collect();
        if !self.by_gram {
            let list: Vec<u32> = part.iter().map(|&k| self.ids[k as usize]).collect();
            if self.gram.len() + self.gram.missing(&list) > 2 * list.len() + 256 {
                self.gram.keep(&list);
            }
            self.gram.ensure(data.columns, &list);
        }
        if part.is_empty() || !self.factorise_part(&part) {
            return 0;
        }
        let mut gone = Gone::default();
        let mut right = Vec::new();
        for step in 0..STEPS {
            self.right(data, &part, &mut right);
            gone.places.iter().for_each(|&place| right[place] = 0.0);
            self.products.clear();
            self.products.extend_from_slice(&right);
            self.factor.solve(&mut self.products);
            gone.restrict(&mut self.products);
            let mut slope = 0.0;
            self.moved.clear();
            for (k, (d, right)) in part.iter().zip(self.products.iter().zip(&right)) {
                slope += d * right;
                self.direction[*k as usize] = *d;
                if *d != 0.0 {
                    self.moved.push(*k);
                }
            }
            if !(slope > 0.0 && slope.is_finite()) {
                return step;
            }
            let (_, curvature) = self.look(data);
            let Stop { t, hit, crossed } = self.search(slope, curvature);
            if !(t > 0.0 && t.is_finite()) {
                return step;
            }
            self.advance(data, t);
            if let Some(hit) = hit {
                self.z[hit as usize] = 0.0;
                if gone.places.len() + 1 == part.len() {
                    return step + 1;
                }
                let place = part.iter().position(|&k| k == hit);
                if !place.is_some_and(|place| gone.add(place, part.len(), &self.factor)) {
                    return step + 1;
                }
            } else if !crossed {
                return step + 1;
            }
        }
        STEPS
    }

    /// Factorises the system of a part of the coordinates. Whether that was possible.
    fn factorise_part(&mut self, part: &[u32]) -> bool {
        let slot = |k: u32| if self.by_gram { Some(k as usize) } else { self.gram.slot(self.ids[k as usize]) };
        let slots: Vec<usize> = part.iter().filter_map(|&k| slot(k)).collect();
        let mu: Vec<f64> = part.iter().map(|&k| self.l2[k as usize]).collect();
        slots.len() == part.len() && self.gram.factorise(&slots, &mu, &mut self.factor)
    }

    /// By how much P falls along each of a part of the coordinates, with the signs that they have.
    fn right(&mut self, data: Data<'_>, part: &[u32], right: &mut Vec<f64>) {
        if !self.by_gram {
            self.list.clear();
            self.list.extend(part.iter().map(|&k| self.ids[k as usize]));
            self.products.resize(part.len(), 0.0);
            data.columns.correlations_of(&self.list, &self.residual, &mut self.products);
            part.iter().zip(&self.products).for_each(|(&k, &c)| self.c[k as usize] = c);
        }
        right.clear();
        right.extend(part.iter().map(|&k| k as usize).map(|k| {
            let sign = if self.z[k] == 0.0 { 0.0 } else { self.z[k].signum() };
            self.c[k] - self.l1[k] * sign - self.l2[k] * self.z[k]
        }));
    }

    /// Where P is least along the direction; `slope` is that by which P falls at t = 0.
    fn search(&self, slope: f64, curvature: f64) -> Stop {
        let mut kinks: Vec<(f64, u32)> = self
            .moved
            .iter()
            .filter_map(|&k| {
                let (z, d) = (self.z[k as usize], self.direction[k as usize]);
                let free = !self.bounded[k as usize] && self.l1[k as usize] == 0.0;
                (z * d < 0.0 && !free).then(|| (-z / d, k))
            })
            .collect();
        kinks.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let bend: f64 =
            self.moved.iter().map(|&k| k as usize).map(|k| self.l2[k] * self.direction[k] * self.direction[k]).sum();
        let curvature = curvature + bend;
        let (mut slope, mut crossed) = (slope, false);
        for (t, k) in kinks {
            if t * curvature >= slope {
                break;
            }
            slope -= 2.0 * self.l1[k as usize] * self.direction[k as usize].abs();
            if self.bounded[k as usize] || t * curvature >= slope {
                return Stop { t, hit: Some(k), crossed };
            }
            crossed = true;
        }
        Stop { t: slope / curvature, hit: None, crossed }
    }
}

/// Coordinates of a factorised system A x = b that are held at 0: with E their unit vectors,
///
/// ```text
/// x <- x - A^-1 E (E^T A^-1 E)^-1 E^T x,
/// ```
///
/// which takes as long as a solution for each of them, where another factorisation would take n / 6 times that.
#[derive(Debug, Default)]
struct Gone {
    places: Vec<usize>,
    /// A^-1 E, column after column.
    solved: Vec<f64>,
    /// The Cholesky factor of E^T A^-1 E, row after row.
    factor: Vec<Vec<f64>>,
}

impl Gone {
    /// Holds one more of `len` coordinates at 0. Whether that was possible.
    fn add(&mut self, place: usize, len: usize, factor: &Factor) -> bool {
        let mut column = vec![0.0; len];
        column[place] = 1.0;
        factor.solve(&mut column);
        let mut row: Vec<f64> = Vec::with_capacity(self.places.len() + 1);
        for (k, above) in self.factor.iter().enumerate() {
            let sum: f64 = above[..k].iter().zip(&row).map(|(a, b)| a * b).sum();
            row.push((column[self.places[k]] - sum) / above[k]);
        }
        let rest = column[place] - row.iter().map(|a| a * a).sum::<f64>();
        if rest.is_nan() || rest <= 1e-10 * column[place] {
            return false;
        }
        row.push(rest.sqrt());
        self.factor.push(row);
        self.places.push(place);
        self.solved.extend_from_slice(&column);
        true
    }

    /// The x with these coordinates at 0, from that without.
    fn restrict(&self, x: &mut [f64]) {
        let mut v: Vec<f64> = Vec::with_capacity(self.places.len());
        for (row, &place) in self.factor.iter().zip(&self.places) {
            let sum: f64 = row.iter().zip(&v).map(|(a, b)| a * b).sum();
            v.push((x[place] - sum) / row[row.len() - 1]);
        }
        for k in (0..v.len()).rev() {
            v[k] /= self.factor[k][k];
            for i in 0..k {
                v[i] -= self.factor[k][i] * v[k];
            }
        }
        for (v, column) in v.iter().zip(self.solved.chunks_exact(x.len().max(1))) {
            x.iter_mut().zip(column).for_each(|(x, c)| *x -= v * c);
        }
        self.places.iter().for_each(|&place| x[place] = 0.0);
    }
}

/// Where P is least along a direction.
#[derive(Clone, Copy, Debug)]
struct Stop {
    t: f64,
    /// The coordinate that is 0 there, if P has a kink.
    hit: Option<u32>,
    /// Whether a coordinate changed sign on the way.
    crossed: bool,
}

/// Whether sweeps by the Gram matrix of the columns of `list` are cheaper than sweeps by the columns.
fn gram_is_cheaper(columns: &Columns, list: &[u32], gram: &Gram) -> bool {
    let len = list.len();
    if len + gram.len().min(2 * len) > LARGEST_GRAM {
        return false;
    }
    match columns.storage() {
        Storage::Dense(_) => true,
        Storage::Sparse { .. } => {
            let entries: usize = list.iter().map(|&j| columns.entries_of(j as usize)).sum();
            len * len <= 4 * entries
        }
    }
}

/// The solution of a small symmetric system, right-hand side last, normalised to sum 1; `None` if it has none.
fn solve_small(system: &mut [[f64; SWEEPS + 1]; SWEEPS]) -> Option<[f64; SWEEPS]> {
    for k in 0..SWEEPS {
        let pivot = (k..SWEEPS).max_by(|&a, &b| system[a][k].abs().total_cmp(&system[b][k].abs()))?;
        system.swap(k, pivot);
        if system[k][k].abs() < f64::MIN_POSITIVE || !system[k][k].is_finite() {
            return None;
        }
        for i in k + 1..SWEEPS {
            let factor = system[i][k] / system[k][k];
            let row = system[k];
            system[i].iter_mut().zip(row).for_each(|(a, b)| *a -= factor * b);
        }
    }
    let mut x = [0.0; SWEEPS];
    for k in (0..SWEEPS).rev() {
        let rest: f64 = (k + 1..SWEEPS).map(|i| system[k][i] * x[i]).sum();
        x[k] = (system[k][SWEEPS] - rest) / system[k][k];
    }
    let sum: f64 = x.iter().sum();
    let normalised = x.map(|x| x / sum);
    normalised.iter().all(|x| x.is_finite()).then_some(normalised)
}

/// The z that is best for one coordinate, `u` being `c_j + g_jj z_j` and `bend` `g_jj + l2_j`, which is not 0.
#[inline(always)]
fn shrunk(u: f64, l1: f64, bend: f64, bounded: bool) -> f64 {
    if u > l1 {
        (u - l1) / bend
    } else if u < -l1 && !bounded {
        (u + l1) / bend
    } else if u.is_nan() {
        u
    } else {
        0.0
    }
}

/// One sweep of coordinate descent.
struct SweepLoop<'a, 'b> {
    inner: &'a mut Inner,
    data: Data<'b>,
    sweep: &'a mut Sweep,
}

impl Loop for SweepLoop<'_, '_> {
    #[inline(always)]
    fn run(self) {
        let Self { inner, data, sweep } = self;
        let Inner { gram, by_gram, ids, on, z, c, l1, l2, diagonal, bounded, residual, .. } = inner;
        let len = ids.len();
        for &k in on.iter() {
            let k = k as usize;
            let bend = diagonal[k] + l2[k];
            let old = z[k];
            if bend == 0.0 {
                // Nothing but l1 is left of the coordinate.
                if l1[k] > 0.0 {
                    z[k] = 0.0;
                }
                continue;
            }
            let column = data.columns.column(ids[k] as usize);
            let correlation = if *by_gram { c[k] } else { column.dot(residual) };
            let new = shrunk(correlation + diagonal[k] * old, l1[k], bend, bounded[k]);
            let read = if *by_gram { 1.0 } else { column.reads() };
            sweep.reads += read;
            if new == old {
                continue;
            }
            let step = new - old;
            z[k] = new;
            sweep.moved += 1;
            sweep.turned += usize::from(new * old <= 0.0);
            sweep.fell += 0.5 * bend * step * step;
            if *by_gram {
                sweep.reads += len as f64 / 2.0;
                c.iter_mut().zip(gram.column(k)).for_each(|(c, g)| *c -= step * g);
            } else {
                sweep.reads += read;
                column.axpy(-step, data.weights, residual);
            }
        }
    }
}

/// The image of the direction.
struct ImageLoop<'a, 'b> {
    inner: &'a mut Inner,
    data: Data<'b>,
}

impl Loop for ImageLoop<'_, '_> {
    #[inline(always)]
    fn run(self) {
        let Inner { gram, by_gram, ids, moved, direction, image, .. } = self.inner;
        for &k in moved.iter() {
            let (k, step) = (k as usize, direction[k as usize]);
            if *by_gram {
                image.iter_mut().zip(gram.column(k)).for_each(|(h, g)| *h += step * g);
            } else {
                self.data.columns.column(ids[k] as usize).axpy(step, &[], image);
            }
        }
    }
}
