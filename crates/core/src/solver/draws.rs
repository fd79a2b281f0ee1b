//! Which terms of a sum a stochastic step takes: drawn evenly and with replacement, from a stream of its own for each seed and t.
//!
//! The step from t to t + 1 is so the same whoever takes it, and when.

use crate::random::Stream;

/// The terms of every step; by default one at a time, of seed 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    batch: usize,
    seed: u64,
}

impl Default for Draws {
    fn default() -> Self {
        Self { batch: 1, seed: 0 }
    }
}

impl Draws {
    /// With `terms` terms at a time, at least 1.
    #[must_use]
    pub fn batch(self, terms: usize) -> Self {
        Self { batch: terms.max(1), ..self }
    }

    /// With other random terms.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// |B|.
    #[must_use]
    pub fn batch_len(self) -> usize {
        self.batch
    }

    /// The terms of the step from t to t + 1, out of `terms` of them, into `batch`.
    pub fn of_step(self, t: usize, terms: usize, batch: &mut [usize]) {
        // Seeds and steps far apart in the stream's state, whose own output mixes them.
        let mut stream = Stream::new(self.seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(t as u64));
        let mut stream = Stream::new(stream.bits());
        let below = |bits: u64| ((u128::from(bits) * terms as u128) >> 64) as usize;
        batch.fill_with(|| below(stream.bits()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_drawn_evenly_and_again() {
        let draws = Draws::default().batch(3).seed(7);
        let (mut batch, mut counts) = ([0; 3], [0; 5]);
        for t in 0..20_000 {
            draws.of_step(t, 5, &mut batch);
            batch.iter().for_each(|i| counts[*i] += 1);
        }
        // 12,000 each, with a deviation of 98: five of them.
        assert!(counts.iter().all(|count| (count - 12_000_i32).abs() < 500), "{counts:?}");
        let mut again = [0; 3];
        draws.of_step(19_999, 5, &mut again);
        assert_eq!(again, batch);
        let differ = (0..50).any(|t| {
            draws.of_step(t, 5, &mut batch);
            draws.seed(8).of_step(t, 5, &mut again);
            again != batch
        });
        assert!(differ);
    }
}
