//! SHA-256 of files.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// A SHA-256. Displays, and is read, as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum([u8; 32]);

/// A text is no SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected 64 hexadecimal digits")]
#[non_exhaustive]
pub struct NoChecksum;

impl Checksum {
    /// That of `bytes`.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// That of the file at `path`, and its size.
    ///
    /// # Errors
    ///
    /// Those of reading it.
    pub fn of_file(path: &Path) -> io::Result<(Self, u64)> {
        Self::of(&File::open(path)?)
    }

    /// That of all of `file`, and its size.
    pub(crate) fn of(mut file: &File) -> io::Result<(Self, u64)> {
        file.rewind()?;
        let mut digest = Sha256::new();
        let bytes = io::copy(&mut file, &mut Writer(&mut digest))?;
        Ok((Self(digest.finalize().into()), bytes))
    }
}

struct Writer<'a>(&'a mut Sha256);

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FromStr for Checksum {
    type Err = NoChecksum;

    fn from_str(text: &str) -> Result<Self, NoChecksum> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NoChecksum);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| NoChecksum)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NoChecksum)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_in_and_out() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Checksum::of_bytes(b"abc").to_string(), abc);
        assert_eq!(abc.to_uppercase().parse(), Ok(Checksum::of_bytes(b"abc")));
        for wrong in ["", &abc[1..], &format!("{abc}0"), &abc.replace('b', "g"), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<Checksum>(), Err(NoChecksum), "{wrong}");
        }
    }
}
