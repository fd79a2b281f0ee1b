//! Rows of very different lengths, as graphs and logs have them: floor(K (1 / sqrt(U) - 1)) entries, U uniform in (0,
//! 1], and at most m. The mean is about K, less what m cuts off; some rows are empty, and the longest of n has about K
//! sqrt(n).

use super::{NamedKind, Pattern, Prepare, Rows, Shape, Values};
use crate::make::draw::{Draw, Taken};
use crate::make::error::MakeError;

/// Rows of heavy-tailed lengths, any column as likely as another, normal values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ragged;

impl NamedKind for Ragged {
    const NAME: &'static str = "ragged";
    const ABOUT: &'static str = "rows of very different lengths, some empty, any columns";

    fn named(_parameter: Option<usize>) -> Self {
        Self
    }
}

impl Prepare for Ragged {
    fn prepare(&self, shape: Shape, _draw: &mut Draw) -> Result<Rows, MakeError> {
        let pattern = Lengths { columns: shape.columns, mean: shape.per_row as f64 };
        Ok(Rows::Sparse { pattern: Box::new(pattern), values: Values::normal(shape) })
    }
}

struct Lengths {
    columns: usize,
    mean: f64,
}

impl Pattern for Lengths {
    fn len(&self, draw: &mut Draw) -> usize {
        let uniform = 1.0 - draw.uniform();
        // A conversion saturates.
        ((self.mean * (1.0 / uniform.sqrt() - 1.0)) as usize).min(self.columns)
    }

    fn is_ragged(&self) -> bool {
        true
    }

    fn fill(&self, _row: usize, len: usize, draw: &mut Draw, taken: &mut Taken, out: &mut Vec<u32>) {
        taken.uniform(self.columns, len, draw, out);
    }
}
