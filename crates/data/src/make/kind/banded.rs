//! Entries near the diagonal, as discretised operators and time series have them: row i of n has its columns among the
//! w from floor(i (m - w) / (n - 1)), so that the first row begins at the first column and the last ends at the last.

use super::{NamedKind, Pattern, Prepare, Rows, Shape, Values};
use crate::make::draw::{Draw, Taken, select};
use crate::make::error::MakeError;

/// Columns in a window that moves along the rows, normal values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Banded {
    /// w, at least the entries of a row and at most m; without it, a fifth more than the entries of a row.
    pub width: Option<usize>,
}

impl NamedKind for Banded {
    const NAME: &'static str = "banded";
    const ABOUT: &'static str = "columns within WIDTH of a diagonal";
    const PARAMETER: Option<(&'static str, bool)> = Some(("WIDTH", false));

    fn named(parameter: Option<usize>) -> Self {
        Self { width: parameter }
    }
}

impl Prepare for Banded {
    fn parameter(&self) -> Option<usize> {
        self.width
    }

    fn prepare(&self, shape: Shape, _draw: &mut Draw) -> Result<Rows, MakeError> {
        let Shape { columns, per_row, .. } = shape;
        let width = self.width.unwrap_or_else(|| per_row.saturating_add(per_row.div_ceil(5)).min(columns));
        if !(per_row..=columns).contains(&width) {
            return Err(MakeError::Parameter { what: "band width", found: width, least: per_row, most: columns });
        }
        Ok(Rows::Sparse { pattern: Box::new(Band { shape, width }), values: Values::normal(shape) })
    }
}

struct Band {
    shape: Shape,
    width: usize,
}

impl Pattern for Band {
    fn len(&self, _draw: &mut Draw) -> usize {
        self.shape.per_row
    }

    fn fill(&self, row: usize, len: usize, draw: &mut Draw, _taken: &mut Taken, out: &mut Vec<u32>) {
        let Shape { rows, columns, .. } = self.shape;
        let steps = (rows - 1).max(1) as u128;
        // At most m - w.
        let start = (row as u128 * (columns - self.width) as u128 / steps) as usize;
        select(start, self.width, len, draw, out);
    }
}
