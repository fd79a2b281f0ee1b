//! Arrays of images, the format of MNIST: two zero bytes, the type of the elements, the number of dimensions, the size of
//! each in 32 bits, then the elements, the last dimension fastest. All numbers are big-endian.
//!
//! | type | elements |
//! |---|---|
//! | 0x08 | unsigned bytes |
//! | 0x09 | signed bytes |
//! | 0x0b | 16-bit integers |
//! | 0x0c | 32-bit integers |
//! | 0x0d | 32-bit floating-point numbers |
//! | 0x0e | 64-bit floating-point numbers |
//!
//! The first dimension counts the rows of a design, the others together its columns. Nothing may follow the elements.
//!
//! Source: Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits.

use std::io::{self, Read};

use danskin_core::design::Design;

use crate::binary::{check_end, vector};
use crate::error::ReadErrorKind;
use crate::proportion::check_rows;

/// The dense design of an array with at least two dimensions.
pub(crate) fn read_design(input: impl Read) -> Result<Design, ReadErrorKind> {
    let (mut input, header) = Header::read(input)?;
    let [rows, others @ ..] = &header.shape[..] else { return Err(header.wrong_shape("two dimensions or more")) };
    if others.is_empty() {
        return Err(header.wrong_shape("two dimensions or more"));
    }
    let (rows, columns) = (*rows as usize, others.iter().product::<u64>() as usize);
    let values = header.numbers(&mut input)?;
    check_rows(rows, values.len())?;
    Ok(Design::dense(rows, columns, values)?)
}

/// The finite numbers of an array with one dimension, or with one row or column.
pub(crate) fn read_vector(input: impl Read) -> Result<Vec<f64>, ReadErrorKind> {
    let (mut input, header) = Header::read(input)?;
    // The shape first: elements of no use need not be read.
    vector(&header.shape, Vec::new())?;
    vector(&header.shape, header.numbers(&mut input)?)
}

/// What stands before the elements.
struct Header {
    element: u8,
    shape: Vec<u64>,
    /// The product of the sizes.
    elements: u64,
}

impl Header {
    fn read<R: Read>(mut input: R) -> Result<(R, Self), ReadErrorKind> {
        let mut bytes = Vec::new();
        input.by_ref().take(4).read_to_end(&mut bytes)?;
        let [0, 0, element @ (0x08 | 0x09 | 0x0b..=0x0e), dimensions @ 1..=u8::MAX] = bytes[..] else {
            return Err(ReadErrorKind::syntax("an idx header: 0, 0, a type and the number of dimensions", &bytes));
        };
        let mut sizes = Vec::new();
        input.by_ref().take(4 * u64::from(dimensions)).read_to_end(&mut sizes)?;
        if sizes.len() < 4 * usize::from(dimensions) {
            return Err(ReadErrorKind::syntax("an idx header with a size for each dimension", &sizes));
        }
        let shape: Vec<u64> =
            sizes.chunks_exact(4).map(|size| size.iter().fold(0, |n, &byte| n << 8 | u64::from(byte))).collect();
        // A factor 0 counts as 1: parts of the shape are multiplied as well.
        let product = shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size.max(1)));
        match product {
            Some(_) => Ok((input, Self { element, elements: shape.iter().product(), shape })),
            None => Err(ReadErrorKind::Shape { expected: "sizes whose product is below 2^64", found: shape }),
        }
    }

    fn wrong_shape(&self, expected: &'static str) -> ReadErrorKind {
        ReadErrorKind::Shape { expected, found: self.shape.clone() }
    }

    /// All elements, and nothing more, in their order.
    fn numbers(&self, input: impl Read) -> Result<Vec<f64>, ReadErrorKind> {
        match self.element {
            0x08 => self.elements(input, |[byte]| f64::from(byte)),
            0x09 => self.elements(input, |bytes| f64::from(i8::from_be_bytes(bytes))),
            0x0b => self.elements(input, |bytes| f64::from(i16::from_be_bytes(bytes))),
            0x0c => self.elements(input, |bytes| f64::from(i32::from_be_bytes(bytes))),
            0x0d => self.elements(input, |bytes| f64::from(f32::from_be_bytes(bytes))),
            _ => self.elements(input, f64::from_be_bytes),
        }
    }

    fn elements<const N: usize>(
        &self,
        mut input: impl Read,
        convert: impl Fn([u8; N]) -> f64,
    ) -> Result<Vec<f64>, ReadErrorKind> {
        let (expected, mut values, mut element) = (self.elements, Vec::new(), [0; N]);
        while (values.len() as u64) < expected {
            match input.read_exact(&mut element) {
                Ok(()) => values.push(convert(element)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(ReadErrorKind::Truncated { expected, found: values.len() as u64 });
                }
                Err(error) => return Err(error.into()),
            }
        }
        check_end(input, expected)?;
        Ok(values)
    }
}
