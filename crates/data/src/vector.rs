//! Vectors: a NumPy array in `.npy`, an array of MNIST's format in `.idx` or `-ubyte`, and text under any other name.
//!
//! Text holds finite decimal numbers, separated by white space or by a comma that white space may surround, on any
//! number of lines. A line may end in a comma; a `#` starts a comment. `.gz`, `.bz2` or `.xz` may end the name.

use std::io::{self, BufRead, BufWriter, Write};
use std::path::Path;

use npyz::WriterBuilder;

use crate::error::{Fault, ReadError, ReadErrorKind};
use crate::limit::Limit;
use crate::source::{self, Format, Name};
use crate::text::{Lines, finite, words};
use crate::{idx, npy};

/// Reads the vector in `path`: an array with one dimension, or with one row or column, if the name ends in `.npy`, `.idx`
/// or `-ubyte` (then `.gz`, `.bz2` or `.xz`), else text.
///
/// # Errors
///
/// [`ReadError`] if the file cannot be read, is no vector, holds a number that is not finite, is a text without numbers,
/// or is larger than a file may be by default ([`crate::ReadOptions::max_bytes`]).
pub fn read_vector(path: &Path) -> Result<Vec<f64>, ReadError> {
    read_vector_within(path, None)
}

/// As [`read_vector`], of a file that holds `max_bytes` after decompression at the most.
///
/// # Errors
///
/// As [`read_vector`].
pub fn read_vector_within(path: &Path, max_bytes: Option<u64>) -> Result<Vec<f64>, ReadError> {
    let read = || {
        let name = Name::of(path);
        let input = name.compression.decode(source::open(path)?, Limit::new(max_bytes));
        match name.format {
            Some(Format::Npy) => Ok(npy::read_vector(input)?),
            Some(Format::Idx) => Ok(idx::read_vector(input)?),
            _ => read_text(input),
        }
    };
    read().map_err(|fault: Fault| fault.in_file(path))
}

fn read_text(input: impl BufRead) -> Result<Vec<f64>, Fault> {
    let mut values = Vec::new();
    let mut lines = Lines::new(input, b'#');
    while let Some(line) = lines.next()? {
        let mut parts = line.text.split(|&byte| byte == b',').peekable();
        while let Some(part) = parts.next() {
            let before = values.len();
            for word in words(part) {
                values.push(finite(word).ok_or_else(|| line.expected("a finite number", word))?);
            }
            if values.len() == before && parts.peek().is_some() {
                return Err(line.expected("a finite number before each comma", line.text.trim_ascii_end()));
            }
        }
    }
    if values.is_empty() { Err(ReadErrorKind::NoNumbers.into()) } else { Ok(values) }
}

/// Writes `values` to `out` as an `.npy` array of 64-bit floating-point numbers with one dimension.
///
/// # Errors
///
/// Those of `out`.
pub fn write_vector(out: impl Write, values: &[f64]) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let options = npyz::WriteOptions::new().default_dtype().shape(&[values.len() as u64]);
    let mut array = options.writer(&mut out).begin_nd()?;
    array.extend(values)?;
    array.finish()?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<f64>, String> {
        read_text(text.as_bytes()).map_err(|fault| fault.in_file("t".as_ref()).to_string())
    }

    #[test]
    fn white_space_and_single_commas_separate() {
        assert_eq!(parse("\u{feff}# z\n1 2,3 , 4,\r\n\n\t5# 6\n-7e0").unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, -7.0]);
        for gap in ["1,,2", ",1", "1, ,2", ","] {
            let expected = format!("t:2: expected a finite number before each comma, found \"{gap}\"");
            assert_eq!(parse(&format!("0\n{gap}\n")).unwrap_err(), expected);
        }
        assert_eq!(parse("1\n2 inf").unwrap_err(), "t:2: expected a finite number, found \"inf\"");
        assert_eq!(parse("# 1\n").unwrap_err(), "t: expected at least one number, found none");
    }
}
