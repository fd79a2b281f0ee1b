//! Normal values without a structure: in every entry, or in as many of each row as are asked for.

use super::{Dense, NamedKind, Pattern, Prepare, Rows, Shape, Storage, Values};
use crate::make::draw::{Draw, Taken};
use crate::make::error::MakeError;

/// Normal values: dense, or in any columns if the entries of a row are said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaussian;

impl NamedKind for Gaussian {
    const NAME: &'static str = "gaussian";
    const ABOUT: &'static str = "no structure: dense or, if the entries of a row are said, in any columns";

    fn named(_parameter: Option<usize>) -> Self {
        Self
    }
}

impl Prepare for Gaussian {
    fn storage(&self) -> Storage {
        Storage::Either
    }

    fn prepare(&self, shape: Shape, _draw: &mut Draw) -> Result<Rows, MakeError> {
        let values = Values::normal(shape);
        if shape.is_dense {
            return Ok(Rows::Dense(Box::new(values)));
        }
        let pattern = Anywhere { columns: shape.columns, per_row: shape.per_row };
        Ok(Rows::Sparse { pattern: Box::new(pattern), values })
    }
}

impl Dense for Values {
    fn fill(&self, draw: &mut Draw, out: &mut [f64]) {
        Values::fill(*self, draw, out);
    }
}

struct Anywhere {
    columns: usize,
    per_row: usize,
}

impl Pattern for Anywhere {
    fn len(&self, _draw: &mut Draw) -> usize {
        self.per_row
    }

    fn fill(&self, _row: usize, len: usize, draw: &mut Draw, taken: &mut Taken, out: &mut Vec<u32>) {
        taken.uniform(self.columns, len, draw, out);
    }
}
