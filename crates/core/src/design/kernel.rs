//! The inner loops over the entries of one sparse row: gathers and scatters by indices that need no check here.
//!
//! Column indices are checked once, when a design is made; [`SparseRows`](super::storage::SparseRows) keeps that promise and
//! checks the lengths of vectors a row, so that the loops below check nothing an entry. Their safe twins, the same sums in the
//! same order, are in the tests.
#![allow(unsafe_code)]

use std::ops::Range;

/// Sums apart in a dot: one alone would wait for its last addition.
const LANES: usize = 4;

/// A column index as it is stored.
pub(super) trait Index: Copy + Send + Sync {
    fn at(self) -> usize;
}

impl Index for u8 {
    #[inline(always)]
    fn at(self) -> usize {
        self.into()
    }
}

impl Index for u16 {
    #[inline(always)]
    fn at(self) -> usize {
        self.into()
    }
}

impl Index for u32 {
    #[inline(always)]
    fn at(self) -> usize {
        self as usize
    }
}

/// The values of consecutive entries as they are stored; arithmetic is in f64.
pub(super) trait Values: Copy + Send + Sync {
    fn slice(self, range: Range<usize>) -> Self;
    fn get(self, position: usize) -> f64;
    /// Whole groups of consecutive values.
    fn groups(self) -> impl Iterator<Item = [f64; LANES]>;
    /// Those after the last whole group.
    fn rest(self) -> impl Iterator<Item = f64>;
    /// Asks for the cache line of an entry that is not there yet.
    fn prefetch(self, position: usize);
}

impl Values for &[f64] {
    #[inline(always)]
    fn slice(self, range: Range<usize>) -> Self {
        &self[range]
    }

    #[inline(always)]
    fn get(self, position: usize) -> f64 {
        self[position]
    }

    #[inline(always)]
    fn groups(self) -> impl Iterator<Item = [f64; LANES]> {
        self.as_chunks().0.iter().copied()
    }

    #[inline(always)]
    fn rest(self) -> impl Iterator<Item = f64> {
        self.as_chunks::<LANES>().1.iter().copied()
    }

    #[inline(always)]
    fn prefetch(self, position: usize) {
        prefetch(self, position);
    }
}

impl Values for &[f32] {
    #[inline(always)]
    fn slice(self, range: Range<usize>) -> Self {
        &self[range]
    }

    #[inline(always)]
    fn get(self, position: usize) -> f64 {
        self[position].into()
    }

    #[inline(always)]
    fn groups(self) -> impl Iterator<Item = [f64; LANES]> {
        self.as_chunks().0.iter().map(|group| group.map(f64::from))
    }

    #[inline(always)]
    fn rest(self) -> impl Iterator<Item = f64> {
        self.as_chunks::<LANES>().1.iter().map(|&value| value.into())
    }

    #[inline(always)]
    fn prefetch(self, position: usize) {
        prefetch(self, position);
    }
}

/// So many values, each of them 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ones(pub(super) usize);

impl Values for Ones {
    #[inline(always)]
    fn slice(self, range: Range<usize>) -> Self {
        Self(range.len())
    }

    #[inline(always)]
    fn get(self, _position: usize) -> f64 {
        1.0
    }

    #[inline(always)]
    fn groups(self) -> impl Iterator<Item = [f64; LANES]> {
        std::iter::repeat_n([1.0; LANES], self.0 / LANES)
    }

    #[inline(always)]
    fn rest(self) -> impl Iterator<Item = f64> {
        std::iter::repeat_n(1.0, self.0 % LANES)
    }

    #[inline(always)]
    fn prefetch(self, _position: usize) {}
}

/// Asks for the cache line of `slice[position]`, which need not exist, as far as the second-level cache: the first level can
/// wait for few lines at once, and those are needed for gathers.
#[inline(always)]
pub(super) fn prefetch<T>(slice: &[T], position: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that a program can see, and faults at no address; the address is computed without the
    // claim that it is inside the slice.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(slice.as_ptr().wrapping_add(position).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, position);
}

/// `sum_k values_k v[indices_k]`, `v` holding K vectors entry by entry: one gather brings K numbers. Each sum has the bits of its
/// vector alone.
///
/// # Safety
///
/// Every index is below the length of `v`.
#[inline(always)]
pub(super) unsafe fn dots<const K: usize>(indices: &[impl Index], values: impl Values, v: &[[f64; K]]) -> [f64; K] {
    let (groups, rest) = indices.as_chunks::<LANES>();
    let mut sums = [[0.0; K]; LANES];
    for (group, values) in groups.iter().zip(values.groups()) {
        for lane in 0..LANES {
            // SAFETY: by the contract of this function.
            let v = unsafe { v.get_unchecked(group[lane].at()) };
            for k in 0..K {
                sums[lane][k] += values[lane] * v[k];
            }
        }
    }
    for (index, value) in rest.iter().zip(values.rest()) {
        // SAFETY: by the contract of this function.
        let v = unsafe { v.get_unchecked(index.at()) };
        for k in 0..K {
            sums[0][k] += value * v[k];
        }
    }
    std::array::from_fn(|k| (sums[0][k] + sums[1][k]) + (sums[2][k] + sums[3][k]))
}

/// `out[indices_k] += a values_k`.
///
/// # Safety
///
/// Every index is below the length of `out`.
#[inline(always)]
pub(super) unsafe fn axpy(indices: &[impl Index], values: impl Values, a: f64, out: &mut [f64]) {
    let (groups, rest) = indices.as_chunks::<LANES>();
    for (group, values) in groups.iter().zip(values.groups()) {
        for lane in 0..LANES {
            // SAFETY: by the contract of this function.
            *unsafe { out.get_unchecked_mut(group[lane].at()) } += a * values[lane];
        }
    }
    for (index, value) in rest.iter().zip(values.rest()) {
        // SAFETY: by the contract of this function.
        *unsafe { out.get_unchecked_mut(index.at()) } += a * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random;

    fn dot_twin(indices: &[impl Index], values: impl Values, v: &[f64]) -> f64 {
        let whole = indices.len() / LANES * LANES;
        let mut sums = [0.0; LANES];
        for (k, index) in indices.iter().enumerate() {
            sums[if k < whole { k % LANES } else { 0 }] += values.get(k) * v[index.at()];
        }
        (sums[0] + sums[1]) + (sums[2] + sums[3])
    }

    fn check<I: Index>(index: impl Fn(usize) -> I) {
        let (v, w) = (random::vector(50, 1), random::vector(50, 2));
        for len in 0..23 {
            let indices: Vec<I> = (0..len).map(|k| index((k * 17 + 3) % 50)).collect();
            let narrow: Vec<f32> = (0..len).map(|k| k as f32 - 2.5).collect();
            let wide = random::vector(len, 3);
            fn each<I: Index>(indices: &[I], values: impl Values, v: &[f64], w: &[f64]) {
                let pairs: Vec<[f64; 2]> = v.iter().zip(w).map(|(v, w)| [*v, *w]).collect();
                // SAFETY: the indices are below 50.
                let (found, alone) = unsafe { (dots(indices, values, &pairs), dots(indices, values, v.as_chunks().0)) };
                assert_eq!(found, [dot_twin(indices, values, v), dot_twin(indices, values, w)]);
                assert_eq!(alone, [found[0]]);
                let (mut out, mut twin) = (v.to_vec(), v.to_vec());
                // SAFETY: the indices are below 50.
                unsafe { axpy(indices, values, 0.3, &mut out) };
                for (k, index) in indices.iter().enumerate() {
                    twin[index.at()] += 0.3 * values.get(k);
                }
                assert_eq!(out, twin);
            }
            each(&indices, &wide[..], &v, &w);
            each(&indices, &narrow[..], &v, &w);
            each(&indices, Ones(len), &v, &w);
        }
    }

    #[test]
    fn each_has_the_bits_of_its_safe_twin() {
        check(|j| j as u8);
        check(|j| j as u16);
        check(|j| j as u32);
    }

    #[test]
    fn prefetching_beyond_the_end_is_nothing() {
        prefetch(&[1.0_f64], usize::MAX / 16);
        prefetch::<f32>(&[], 3);
    }
}
