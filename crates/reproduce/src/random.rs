//! Seeded random designs and vectors.

use danskin::prelude::Design;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) Xoshiro256PlusPlus);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Numbers with mean 0 and variance 1.
    pub(crate) fn normal(&mut self, len: usize) -> Vec<f64> {
        StandardNormal.sample_iter(&mut self.0).take(len).collect()
    }

    /// A design of them, row by row.
    pub(crate) fn design(&mut self, rows: usize, columns: usize) -> Design {
        Design::dense(rows, columns, self.normal(rows * columns))
            .expect("normal numbers are finite, one for each entry")
    }
}
