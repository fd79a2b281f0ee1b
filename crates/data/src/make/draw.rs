//! Random numbers of which every bit is the same on every machine.
//!
//! Each row has streams of its own, seeded from (seed, purpose, row): a row can be made again, or alone, and blocks of
//! rows are of no matter. What a stream gives is made of integers, of the operations that IEEE 754 rounds correctly,
//! and of [`libm`]'s logarithm: that of the system differs between machines in its last bit, and so do the normal
//! numbers of `rand_distr`, which are not used for that reason.

use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

/// What a stream is for. Part of its seed: a new one goes to the end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// What all rows of a kind share.
    Kind,
    Planted,
    Pattern,
    Values,
    Target,
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    pub(crate) bits: Xoshiro256PlusPlus,
    /// Normal numbers come in pairs.
    spare: Option<f64>,
}

impl Draw {
    /// The stream of row `position` for `purpose`.
    pub(crate) fn new(seed: u64, purpose: Purpose, position: u64) -> Self {
        let mixed = |word| SplitMix64::seed_from_u64(word).next_u64();
        let seed = mixed(mixed(seed).wrapping_add(purpose as u64)).wrapping_add(position);
        Self { bits: Xoshiro256PlusPlus::seed_from_u64(mixed(seed)), spare: None }
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.bits.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in 0 .. `count`, which is not 0: no number is likelier than another by more than 2^-64.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        // Less than `count`, so it fits.
        ((u128::from(self.bits.next_u64()) * count as u128) >> 64) as usize
    }

    /// Normal with mean 0 and variance 1, by the polar method.
    ///
    /// G. Marsaglia and T. A. Bray, A convenient method for generating normal variables, SIAM Review 6, 1964.
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (a, b) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = a * a + b * b;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * libm::log(square) / square).sqrt();
                self.spare = Some(scale * b);
                return scale * a;
            }
        }
    }
}

/// Which of m columns a row has taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken(Vec<u64>);

impl Taken {
    /// Fills `out` with `count` distinct columns below `columns`, sorted, the next of them drawn by `next` until it is
    /// new.
    pub(crate) fn distinct(
        &mut self,
        columns: usize,
        count: usize,
        out: &mut Vec<u32>,
        mut next: impl FnMut() -> usize,
    ) {
        self.0.resize(columns.div_ceil(64), 0);
        out.clear();
        while out.len() < count {
            let column = next();
            let (word, bit) = (&mut self.0[column / 64], 1 << (column % 64));
            if *word & bit == 0 {
                *word |= bit;
                // Columns fit into 32 bits: a recipe with more is refused.
                out.push(column as u32);
            }
        }
        for &column in &*out {
            self.0[column as usize / 64] = 0;
        }
        out.sort_unstable();
    }

    /// Fills `out` with `count` distinct columns below `columns`, sorted, every such set as likely as another.
    pub(crate) fn uniform(&mut self, columns: usize, count: usize, draw: &mut Draw, out: &mut Vec<u32>) {
        // Where few columns are left over, going through all of them takes fewer draws.
        if count >= columns / 4 {
            select(0, columns, count, draw, out);
        } else {
            self.distinct(columns, count, out, || draw.below(columns));
        }
    }
}

/// Fills `out` with `count` of the `width` columns from `start`, sorted, every such set as likely as another: algorithm
/// S of D. E. Knuth, The Art of Computer Programming 2, section 3.4.2.
pub(crate) fn select(start: usize, width: usize, count: usize, draw: &mut Draw, out: &mut Vec<u32>) {
    out.clear();
    for offset in 0..width {
        if draw.below(width - offset) < count - out.len() {
            out.push((start + offset) as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(position: u64) -> Draw {
        Draw::new(3, Purpose::Values, position)
    }

    #[test]
    fn normal_numbers_have_the_moments_of_the_normal_distribution() {
        const N: usize = 200_000;
        let mut draw = draw(0);
        let (mut moments, mut beyond) = ([0.0; 4], 0);
        for _ in 0..N {
            let x = draw.normal();
            let mut power = 1.0;
            for moment in &mut moments {
                power *= x;
                *moment += power / N as f64;
            }
            beyond += usize::from(x.abs() > 3.0);
        }
        // Five standard deviations of each mean: those of x, x², x³, x⁴ have variances 1, 2, 15, 96.
        for (moment, (mean, variance)) in moments.into_iter().zip([(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0f64)])
        {
            assert!((moment - mean).abs() < 5.0 * (variance / N as f64).sqrt(), "{moments:?}");
        }
        // P(|x| > 3) = 0.0027.
        let expected = 0.0026998 * N as f64;
        assert!((beyond as f64 - expected).abs() < 5.0 * expected.sqrt(), "{beyond}");
    }

    /// Neighbouring rows, and the purposes of one row, do not follow each other.
    #[test]
    fn streams_are_independent() {
        const N: u64 = 20_000;
        let first = |purpose, position| Draw::new(3, purpose, position).uniform() - 0.5;
        let correlation = |a: &dyn Fn(u64) -> f64, b: &dyn Fn(u64) -> f64| {
            12.0 * (0..N).map(|row| a(row) * b(row)).sum::<f64>() / N as f64
        };
        let bound = 5.0 / (N as f64).sqrt();
        let values = |row| first(Purpose::Values, row);
        assert!(correlation(&values, &|row| values(row + 1)).abs() < bound);
        assert!(correlation(&values, &|row| first(Purpose::Pattern, row)).abs() < bound);
        assert!(correlation(&values, &|row| Draw::new(4, Purpose::Values, row).uniform() - 0.5).abs() < bound);
        assert!((correlation(&values, &values) - 1.0).abs() < bound);
    }

    #[test]
    fn subsets_are_sorted_distinct_and_uniform() {
        const DRAWS: usize = 6_000;
        let (mut draw, mut taken, mut out) = (draw(1), Taken::default(), Vec::new());
        for (columns, count) in [(4, 2), (12, 2), (100, 100), (1, 1), (70, 0)] {
            let mut counts = vec![0; columns];
            for _ in 0..DRAWS {
                taken.uniform(columns, count, &mut draw, &mut out);
                assert!(out.len() == count && out.is_sorted_by(|a, b| a < b));
                out.iter().for_each(|&column| counts[column as usize] += 1);
            }
            let share = count as f64 / columns as f64;
            let bound = 5.0 * (DRAWS as f64 * share * (1.0 - share)).sqrt();
            assert!(counts.iter().all(|&n| (n as f64 - DRAWS as f64 * share).abs() <= bound), "{columns}: {counts:?}");
        }
    }
}
