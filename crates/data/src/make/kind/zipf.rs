//! Columns of which few are in most rows, as words in texts: the column of rank r = 0, 1, ... is drawn with probability
//! proportional to 1 / (r + 10), again where the row has it already.
//!
//! The 10 keeps the first column from being in every row (B. Mandelbrot's form of Zipf's law). Which column has which
//! rank is random, as the columns of real data are in no order.

use rand_distr::Distribution;
use rand_distr::weighted::WeightedAliasIndex;

use super::{NamedKind, Pattern, Prepare, Rows, Shape, Values};
use crate::make::draw::{Draw, Taken};
use crate::make::error::MakeError;

/// Columns of popularity 1 / (rank + 10), normal values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zipf;

impl NamedKind for Zipf {
    const NAME: &'static str = "zipf";
    const ABOUT: &'static str = "columns of popularity 1 / (rank + 10), in random order";

    fn named(_parameter: Option<usize>) -> Self {
        Self
    }
}

impl Prepare for Zipf {
    fn prepare(&self, shape: Shape, draw: &mut Draw) -> Result<Rows, MakeError> {
        Ok(Rows::Sparse { pattern: Box::new(Popular::new(shape, draw)), values: Values::normal(shape) })
    }
}

/// Draws columns by their popularity.
pub(super) struct Popular {
    rank: WeightedAliasIndex<f64>,
    column_of_rank: Vec<u32>,
    per_row: usize,
}

impl Popular {
    pub(super) fn new(shape: Shape, draw: &mut Draw) -> Self {
        // At least one weight, and all of them above 0 and below infinity.
        let weights = (0..shape.columns).map(|rank| 1.0 / (rank as f64 + 10.0)).collect();
        let rank = WeightedAliasIndex::new(weights).expect("positive weights");
        let mut column_of_rank: Vec<u32> = (0..shape.columns as u32).collect();
        for last in (1..column_of_rank.len()).rev() {
            column_of_rank.swap(last, draw.below(last + 1));
        }
        Self { rank, column_of_rank, per_row: shape.per_row }
    }
}

impl Pattern for Popular {
    fn len(&self, _draw: &mut Draw) -> usize {
        self.per_row
    }

    fn fill(&self, _row: usize, len: usize, draw: &mut Draw, taken: &mut Taken, out: &mut Vec<u32>) {
        let columns = self.column_of_rank.len();
        taken.distinct(columns, len, out, || self.column_of_rank[self.rank.sample(&mut draw.bits)] as usize);
    }
}
