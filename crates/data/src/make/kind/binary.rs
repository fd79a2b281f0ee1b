//! Ones in columns of which few are in most rows, as yes-or-no features are encoded (a9a, w8a).

use super::zipf::Popular;
use super::{NamedKind, Prepare, Rows, Shape, Values};
use crate::make::draw::Draw;
use crate::make::error::MakeError;

/// The pattern of [`super::Zipf`], all values 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binary;

impl NamedKind for Binary {
    const NAME: &'static str = "binary";
    const ABOUT: &'static str = "the columns of zipf, all values 1";

    fn named(_parameter: Option<usize>) -> Self {
        Self
    }
}

impl Prepare for Binary {
    fn prepare(&self, shape: Shape, draw: &mut Draw) -> Result<Rows, MakeError> {
        Ok(Rows::Sparse { pattern: Box::new(Popular::new(shape, draw)), values: Values::Ones })
    }
}
