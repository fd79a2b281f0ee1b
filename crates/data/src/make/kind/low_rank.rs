//! Dense rows of rank r, a_i^T B / sqrt(r m) with normal a_i in R^r and normal B, r x m: where r < m, D^T S D is
//! singular and z* is not unique without a penalty.

use super::{Dense, NamedKind, Prepare, Rows, Shape, Storage};
use crate::make::draw::Draw;
use crate::make::error::{MakeError, reserve};

/// Dense rows that span few dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowRank {
    /// r, from 1 to m.
    pub rank: usize,
}

impl NamedKind for LowRank {
    const NAME: &'static str = "low-rank";
    const ABOUT: &'static str = "dense, of rank RANK";
    const PARAMETER: Option<(&'static str, bool)> = Some(("RANK", true));

    fn named(parameter: Option<usize>) -> Self {
        // A name without the parameter is refused.
        Self { rank: parameter.unwrap_or(1) }
    }
}

impl Prepare for LowRank {
    fn parameter(&self) -> Option<usize> {
        Some(self.rank)
    }

    fn storage(&self) -> Storage {
        Storage::Dense
    }

    fn prepare(&self, shape: Shape, draw: &mut Draw) -> Result<Rows, MakeError> {
        let (rank, columns) = (self.rank, shape.columns);
        if !(1..=columns).contains(&rank) {
            return Err(MakeError::Parameter { what: "rank", found: rank, least: 1, most: columns });
        }
        let mut basis = Vec::new();
        reserve(&mut basis, (rank as u64).saturating_mul(columns as u64))?;
        let scale = 1.0 / (rank as f64 * columns as f64).sqrt();
        basis.extend((0..rank * columns).map(|_| scale * draw.normal()));
        Ok(Rows::Dense(Box::new(Spanned { basis, columns })))
    }
}

struct Spanned {
    /// r x m, row by row.
    basis: Vec<f64>,
    columns: usize,
}

impl Dense for Spanned {
    fn fill(&self, draw: &mut Draw, out: &mut [f64]) {
        out.fill(0.0);
        for direction in self.basis.chunks_exact(self.columns) {
            let weight = draw.normal();
            out.iter_mut().zip(direction).for_each(|(out, entry)| *out += weight * entry);
        }
    }
}
