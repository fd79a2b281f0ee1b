//! Lines and numbers, shared by the text formats.

use std::io::BufRead;

use crate::error::{Fault, Place, ReadErrorKind};

/// A byte order mark, which some editors put in front of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Lines of a text, without their comments.
pub(crate) struct Lines<R> {
    input: R,
    /// What begins a comment.
    comment: u8,
    buffer: Vec<u8>,
    number: u64,
}

/// One line.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) text: &'a [u8],
    /// From 1.
    pub(crate) number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R, comment: u8) -> Self {
        Self { input, comment, buffer: Vec::new(), number: 0 }
    }

    /// The next line, which lives in a buffer that the one after reuses. It may end in white space, line ends included.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'_>>, Fault> {
        Ok(if self.advance()? { Some(self.line()) } else { None })
    }

    /// The next line with more than white space and a comment.
    pub(crate) fn next_filled(&mut self) -> Result<Option<Line<'_>>, Fault> {
        while self.advance()? {
            if words(self.line().text).next().is_some() {
                return Ok(Some(self.line()));
            }
        }
        Ok(None)
    }

    /// The next line with its comment.
    pub(crate) fn next_whole(&mut self) -> Result<Option<Line<'_>>, Fault> {
        Ok(if self.advance()? { Some(Line { text: self.whole(), number: self.number }) } else { None })
    }

    /// That something is wrong on the last line, or where the next one should be.
    pub(crate) fn fault(&self, kind: ReadErrorKind) -> Fault {
        kind.at(Place::Line { line: self.number })
    }

    /// Whether there is one more line.
    fn advance(&mut self) -> Result<bool, Fault> {
        self.buffer.clear();
        self.number += 1;
        match self.input.read_until(b'\n', &mut self.buffer) {
            Ok(read) => Ok(read > 0),
            Err(error) => Err(self.fault(error.into())),
        }
    }

    fn whole(&self) -> &[u8] {
        let text = self.buffer.as_slice();
        if self.number == 1 { text.strip_prefix(MARK).unwrap_or(text) } else { text }
    }

    fn line(&self) -> Line<'_> {
        let text = self.whole();
        let end = text.iter().position(|&byte| byte == self.comment).unwrap_or(text.len());
        Line { text: &text[..end], number: self.number }
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

/// The integer that `text` spells in nothing but digits; one beyond 2^64 saturates.
pub(crate) fn digits(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let append = |number: u64, digit: &u8| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    is_number.then(|| text.iter().fold(0, append))
}
