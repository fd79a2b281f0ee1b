//! Lines and numbers, shared by the text formats.

use std::io::BufRead;

use crate::error::{Fault, Place, ReadErrorKind};

/// A byte order mark, which some editors put in front of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Lines of a text, without what follows a `#`.
pub(crate) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    number: u64,
}

/// One line.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) text: &'a [u8],
    /// From 1.
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), number: 0 }
    }

    /// The next line, which lives in a buffer that the one after reuses. It may end in white space, line ends included.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'_>>, Fault> {
        self.buffer.clear();
        self.number += 1;
        let read = self.input.read_until(b'\n', &mut self.buffer);
        if read.map_err(|error| ReadErrorKind::from(error).at(Place::Line { line: self.number }))? == 0 {
            return Ok(None);
        }
        let mut text = self.buffer.as_slice();
        if self.number == 1 {
            text = text.strip_prefix(MARK).unwrap_or(text);
        }
        let end = text.iter().position(|&byte| byte == b'#').unwrap_or(text.len());
        Ok(Some(Line { text: &text[..end], number: self.number }))
    }
}

impl Line<'_> {
    /// That something is wrong on this line.
    pub(crate) fn fault(self, kind: ReadErrorKind) -> Fault {
        kind.at(Place::Line { line: self.number })
    }

    /// That `expected` is missing from this line, where `found` is.
    pub(crate) fn expected(self, expected: &'static str, found: &[u8]) -> Fault {
        self.fault(ReadErrorKind::syntax(expected, found))
    }
}

/// The words of `text`, between ASCII white space.
pub(crate) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The finite number that `text` spells, in the grammar of [`f64::from_str`](std::str::FromStr).
pub(crate) fn finite(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}
