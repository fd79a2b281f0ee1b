//! What the binary formats share.

use std::io::{self, Read};

use crate::error::ReadErrorKind;

/// That `input` ends here, after the `expected` elements that its header declares.
pub(crate) fn check_end(input: impl Read, expected: u64) -> Result<(), ReadErrorKind> {
    let more = io::copy(&mut input.take(1), &mut io::sink())?;
    if more == 0 { Ok(()) } else { Err(ReadErrorKind::TrailingBytes { expected }) }
}

/// The finite `values` of an array that is a vector: one dimension, or one row or column.
pub(crate) fn vector(shape: &[u64], values: Vec<f64>) -> Result<Vec<f64>, ReadErrorKind> {
    let ([_] | [1, _] | [_, 1]) = shape else {
        return Err(ReadErrorKind::Shape { expected: "one dimension, row or column", found: shape.to_vec() });
    };
    match values.iter().position(|value| !value.is_finite()) {
        Some(position) => Err(ReadErrorKind::NotFinite { position, value: values[position] }),
        None => Ok(values),
    }
}
