//! How many bytes a file may hold once it is decompressed: a few could stand for more than there is memory.
//!
//! Unless [`crate::ReadOptions::max_bytes`] says more, a compressed file may hold [`FREE`] bytes and [`PER_BYTE`] more for
//! each compressed one. Sparse text shrinks to a third or a tenth, a table of mostly zeros to a hundredth, and a bomb to a
//! thousandth and less: of that, what passes is read in a second or two, into a memory that the file's own size bounds. No
//! file may hold more than [`MOST`]: the text of some 5 10^9 entries, which take as much memory again.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use thiserror::Error;

const FREE: u64 = 64 << 20;
const PER_BYTE: u64 = 100;
const MOST: u64 = 64 << 30;

/// The most bytes of one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    most: u64,
    in_proportion: bool,
}

/// The content of [`io::Error`] where there are more bytes.
#[derive(Clone, Copy, Debug, Error)]
#[error("more than {limit} bytes")]
pub(crate) struct TooManyBytes {
    pub(crate) limit: u64,
    /// The bytes that these were compressed to, if they decide.
    pub(crate) compressed: Option<u64>,
}

impl Limit {
    pub(crate) fn new(max_bytes: Option<u64>) -> Self {
        Self { most: max_bytes.unwrap_or(MOST), in_proportion: max_bytes.is_none() }
    }

    /// The limit of what is not compressed.
    pub(crate) fn of_plain(self) -> Self {
        Self { in_proportion: false, ..self }
    }

    /// How many bytes may follow `read` ones, which come from `compressed` ones. At least one.
    fn left(self, read: u64, compressed: u64) -> Result<u64, TooManyBytes> {
        let proportion = FREE.saturating_add(PER_BYTE.saturating_mul(compressed));
        let (limit, compressed) = match self {
            Self { in_proportion: true, most } if proportion < most => (proportion, Some(compressed)),
            Self { most, .. } => (most, None),
        };
        match limit.checked_sub(read) {
            None | Some(0) => Err(TooManyBytes { limit, compressed }),
            Some(left) => Ok(left),
        }
    }
}

/// A count that a reader shares with who wants to know it.
pub(crate) type Count = Rc<Cell<u64>>;

/// A reader that counts.
pub(crate) struct Counted<R> {
    inner: R,
    count: Count,
}

impl<R> Counted<R> {
    pub(crate) fn new(inner: R, count: Count) -> Self {
        Self { inner, count }
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count.set(self.count.get() + amount as u64);
        self.inner.consume(amount);
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buffer)
    }
}

/// A reader that fails where bytes go on beyond their limit.
pub(crate) struct Limited<R> {
    inner: R,
    limit: Limit,
    /// Bytes read here and by others that share the limit.
    read: Count,
    /// Those that they come from.
    compressed: Count,
}

impl<R> Limited<R> {
    pub(crate) fn new(inner: R, limit: Limit, read: Count, compressed: Count) -> Self {
        Self { inner, limit, read, compressed }
    }
}

impl<R: BufRead> BufRead for Limited<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.inner.fill_buf()?;
        if buffer.is_empty() {
            return Ok(buffer);
        }
        let left = self.limit.left(self.read.get(), self.compressed.get()).map_err(io::Error::other)?;
        Ok(&buffer[..usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()))])
    }

    fn consume(&mut self, amount: usize) {
        self.read.set(self.read.get() + amount as u64);
        self.inner.consume(amount);
    }
}

impl<R: BufRead> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buffer)
    }
}

fn read_buffered(input: &mut impl BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let read = input.fill_buf()?.read(buffer)?;
    input.consume(read);
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_overrides_the_proportion() {
        let left = |bytes: Option<u64>, read, compressed| Limit::new(bytes).left(read, compressed);
        assert_eq!(left(None, FREE + 400, 5).unwrap(), 100);
        let error = left(None, FREE + 500, 5).unwrap_err();
        assert_eq!((error.limit, error.compressed), (FREE + 500, Some(5)));
        let error = left(None, MOST, u64::MAX).unwrap_err();
        assert_eq!((error.limit, error.compressed), (MOST, None));
        assert_eq!(left(Some(MOST + 1), MOST, 0).unwrap(), 1);
        assert_eq!(left(Some(7), 7, 1000).unwrap_err().compressed, None);
        assert_eq!(Limit::new(None).of_plain().left(0, 0).unwrap(), MOST);
    }

    #[test]
    fn exactly_the_limit_passes() {
        for (most, passes) in [(6, true), (5, true), (4, false), (0, false)] {
            let (read, compressed) = (Count::default(), Count::default());
            let mut limited = Limited::new(&b"12345"[..], Limit::new(Some(most)), Rc::clone(&read), compressed);
            assert_eq!(limited.read_to_end(&mut Vec::new()).is_ok(), passes);
            assert_eq!(read.get(), most.min(5));
        }
    }
}
