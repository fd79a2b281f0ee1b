//! NumPy arrays (`.npy`, format versions 1 to 3) of real numbers: booleans, integers and floating-point numbers of at
//! most 64 bits, in either byte order, stored by rows (C) or by columns (Fortran). Nothing may follow the elements.

use std::io::{self, Read};

use danskin_core::design::Design;
use half::f16;
use npyz::{DType, Deserialize, NpyFile, NpyHeader, Order, TypeChar, TypeStr};

use crate::binary::{check_end, vector};
use crate::error::ReadErrorKind;
use crate::proportion::check_rows;

/// The longest header that is read, in bytes; NumPy has the same limit.
const MAX_HEADER: u32 = 10_000;

/// An array whose header is read and whose elements are not.
pub(crate) struct Array<R> {
    header: NpyHeader,
    element: TypeStr,
    input: R,
}

impl<R: Read> Array<R> {
    pub(crate) fn open(mut input: R) -> Result<Self, ReadErrorKind> {
        let mut bytes = Vec::new();
        input.by_ref().take(8).read_to_end(&mut bytes)?;
        let length_bytes = match bytes[..] {
            [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _] => 2,
            [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _] => 4,
            _ => return Err(ReadErrorKind::syntax("a NumPy array in format version 1, 2 or 3", &bytes)),
        };
        input.by_ref().take(length_bytes).read_to_end(&mut bytes)?;
        let length = bytes[8..].iter().rev().fold(0, |length, &byte| length << 8 | u32::from(byte));
        if length > MAX_HEADER {
            return Err(ReadErrorKind::HeaderLength { limit: MAX_HEADER, found: length });
        }
        let start = bytes.len();
        input.by_ref().take(u64::from(length)).read_to_end(&mut bytes)?;
        let text = &bytes[start..];
        check_header(text)?;
        let header = NpyHeader::from_reader(&bytes[..]).map(|header| (header.dtype(), header));
        // What npyz says of a broken header may take several lines.
        let Ok((DType::Plain(element), header)) = header else { return Err(not_plain(text)) };
        Ok(Self { header, element, input })
    }

    pub(crate) fn shape(&self) -> &[u64] {
        self.header.shape()
    }

    /// The array, if it has one dimension.
    pub(crate) fn flat(self) -> Result<Self, ReadErrorKind> {
        if self.shape().len() == 1 { Ok(self) } else { Err(self.wrong_shape("one dimension")) }
    }

    /// The array, if it has one element.
    pub(crate) fn single(self) -> Result<Self, ReadErrorKind> {
        if self.header.len() == 1 { Ok(self) } else { Err(self.wrong_shape("one element")) }
    }

    pub(crate) fn wrong_shape(&self, expected: &'static str) -> ReadErrorKind {
        ReadErrorKind::Shape { expected, found: self.shape().to_vec() }
    }

    /// All elements as f64, row by row. Integers beyond 2^53 are rounded.
    pub(crate) fn numbers(self) -> Result<Vec<f64>, ReadErrorKind> {
        match self.element_type() {
            (TypeChar::Bool, 1) => self.elements(|v: bool| Ok(f64::from(u8::from(v)))),
            (TypeChar::Int, 1) => self.elements(|v: i8| Ok(f64::from(v))),
            (TypeChar::Int, 2) => self.elements(|v: i16| Ok(f64::from(v))),
            (TypeChar::Int, 4) => self.elements(|v: i32| Ok(f64::from(v))),
            (TypeChar::Int, 8) => self.elements(|v: i64| Ok(v as f64)),
            (TypeChar::Uint, 1) => self.elements(|v: u8| Ok(f64::from(v))),
            (TypeChar::Uint, 2) => self.elements(|v: u16| Ok(f64::from(v))),
            (TypeChar::Uint, 4) => self.elements(|v: u32| Ok(f64::from(v))),
            (TypeChar::Uint, 8) => self.elements(|v: u64| Ok(v as f64)),
            (TypeChar::Float, 2) => self.elements(|v: f16| Ok(f64::from(v))),
            (TypeChar::Float, 4) => self.elements(|v: f32| Ok(f64::from(v))),
            (TypeChar::Float, 8) => self.elements(Ok::<f64, _>),
            _ => Err(self.wrong_type("real numbers of at most 64 bits")),
        }
    }

    /// All elements, signed integers of 32 or 64 bits, row by row, each through `convert`.
    pub(crate) fn integers<T: Clone>(
        self,
        convert: impl Fn(i64) -> Result<T, ReadErrorKind>,
    ) -> Result<Vec<T>, ReadErrorKind> {
        match self.element_type() {
            (TypeChar::Int, 4) => self.elements(|v: i32| convert(i64::from(v))),
            (TypeChar::Int, 8) => self.elements(convert),
            _ => Err(self.wrong_type("signed integers of 32 or 64 bits")),
        }
    }

    /// All elements, short byte or Unicode strings, one after the other.
    pub(crate) fn string(self) -> Result<Vec<u8>, ReadErrorKind> {
        let strings = match self.element_type() {
            // npyz allocates what the type declares.
            (TypeChar::ByteStr, 0..=64) => self.elements(Ok::<Vec<u8>, _>),
            (TypeChar::UnicodeStr, 0..=64) => self.elements(|v: String| Ok(v.into_bytes())),
            _ => Err(self.wrong_type("a short string")),
        };
        strings.map(|strings| strings.into_iter().flatten().collect())
    }

    /// Kind and size of the elements, in the notation of NumPy.
    fn element_type(&self) -> (TypeChar, u64) {
        (self.element.type_char(), self.element.size_field())
    }

    fn wrong_type(&self, expected: &'static str) -> ReadErrorKind {
        ReadErrorKind::ElementType { expected, found: self.element.to_string() }
    }

    fn elements<T: Deserialize, U: Clone>(
        mut self,
        convert: impl Fn(T) -> Result<U, ReadErrorKind>,
    ) -> Result<Vec<U>, ReadErrorKind> {
        let expected = self.header.len();
        let fortran_columns = match (self.header.order(), self.shape()) {
            (Order::Fortran, &[_, columns]) => Some(saturate(columns)),
            _ => None,
        };
        let reader = NpyFile::with_header(self.header, self.input.by_ref()).data();
        let mut elements = Vec::new();
        for element in reader.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
            match element {
                Ok(element) => elements.push(convert(element)?),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(ReadErrorKind::Truncated { expected, found: elements.len() as u64 });
                }
                Err(error) => return Err(error.into()),
            }
        }
        check_end(self.input, expected)?;
        Ok(match fortran_columns {
            Some(columns) => {
                // 0 rows where there are no elements, whatever the shape declares.
                let rows = elements.len() / columns.max(1);
                (0..rows).flat_map(|row| elements.iter().skip(row).step_by(rows).cloned()).collect()
            }
            None => elements,
        })
    }
}

/// That `header` is flat but for one shape, whose product fits: npyz multiplies it unchecked, and descends into what is
/// nested without a bound.
fn check_header(header: &[u8]) -> Result<(), ReadErrorKind> {
    let count = |wanted: u8| header.iter().filter(|&&byte| byte == wanted).count();
    if b"{()[".map(count) != [1, 1, 1, 0] {
        return Err(not_plain(header));
    }
    let shape = header.split(|&byte| byte == b'(' || byte == b')').nth(1).unwrap_or_default();
    let mut sizes = shape.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|size| !size.is_empty());
    let product = sizes.try_fold(1u64, |product, size| {
        let size: u64 = std::str::from_utf8(size).ok()?.parse().ok()?;
        // A factor 0 counts as 1, for npyz multiplies parts of the shape as well.
        product.checked_mul(size.max(1))
    });
    product.map(|_| ()).ok_or_else(|| ReadErrorKind::syntax("a shape of sizes whose product is below 2^64", shape))
}

fn not_plain(header: &[u8]) -> ReadErrorKind {
    ReadErrorKind::syntax("the header of an array of plain elements", header)
}

/// `size` as an index type; one that does not fit saturates, and nothing in memory is as large.
fn saturate(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// The dense design of an array with two dimensions.
pub(crate) fn read_design(input: impl Read) -> Result<Design, ReadErrorKind> {
    let array = Array::open(input)?;
    let &[rows, columns] = array.shape() else { return Err(array.wrong_shape("two dimensions")) };
    let values = array.numbers()?;
    check_rows(saturate(rows), values.len())?;
    Ok(Design::dense(saturate(rows), saturate(columns), values)?)
}

/// The finite numbers of an array with one dimension, or with one row or column.
pub(crate) fn read_vector(input: impl Read) -> Result<Vec<f64>, ReadErrorKind> {
    let array = Array::open(input)?;
    let shape = array.shape().to_vec();
    // The shape first: elements of no use need not be read.
    vector(&shape, Vec::new())?;
    vector(&shape, array.numbers()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_flat_headers_reach_the_parser() {
        for shape in ["()", "(3,)", "(3, 4)", "(0, 18446744073709551615)"] {
            let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
            assert!(check_header(header.as_bytes()).is_ok(), "{shape}");
        }
        for shape in ["[3]", "((3,),)", "(-1,)", "(0x10,)", "(1_0,)", "(4294967296, 4294967296, 0)", "(3", "3"] {
            let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
            assert!(check_header(header.as_bytes()).is_err(), "{shape}");
        }
    }
}
