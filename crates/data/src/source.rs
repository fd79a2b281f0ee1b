//! What the name of a file says about its bytes, and the bytes without their compression.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use thiserror::Error;

use crate::error::{Fault, ReadErrorKind};
use crate::limit::{Count, Counted, Limit, Limited};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Svmlight,
    Mtx,
    Npz,
    Npy,
    Csv,
    Idx,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Bzip2,
    Xz,
}

const FORMATS: [(&str, Format); 9] = [
    (".svm", Format::Svmlight),
    (".svmlight", Format::Svmlight),
    (".libsvm", Format::Svmlight),
    (".mtx", Format::Mtx),
    (".npz", Format::Npz),
    (".npy", Format::Npy),
    (".csv", Format::Csv),
    (".idx", Format::Idx),
    // As in t10k-images-idx3-ubyte, the name that MNIST gave it.
    ("-ubyte", Format::Idx),
];

const COMPRESSIONS: [(&str, Compression); 3] =
    [(".gz", Compression::Gzip), (".bz2", Compression::Bzip2), (".xz", Compression::Xz)];

/// Memory that an `.xz` file may ask for, in KiB; `xz -9` needs a quarter.
const XZ_MEMORY_KIB: u32 = 256 << 10;

/// What a file's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) format: Option<Format>,
    pub(crate) compression: Compression,
}

impl Name {
    pub(crate) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let (stem, compression) = strip(&name, &COMPRESSIONS).unwrap_or((&name, Compression::None));
        Self { format: strip(stem, &FORMATS).map(|(_, format)| format), compression }
    }
}

fn strip<'a, T: Copy>(name: &'a str, endings: &[(&str, T)]) -> Option<(&'a str, T)> {
    endings.iter().find_map(|&(ending, meaning)| Some((name.strip_suffix(ending)?, meaning)))
}

/// The endings of the formats, for messages.
pub(crate) fn endings() -> String {
    list(&FORMATS)
}

/// The endings of the compressions, for messages.
pub(crate) fn compressed_endings() -> String {
    list(&COMPRESSIONS)
}

fn list<T>(endings: &[(&str, T)]) -> String {
    let names: Vec<&str> = endings.iter().map(|&(ending, _)| ending).collect();
    names.join(" ")
}

impl Compression {
    /// `input` decompressed, within `limit`; concatenated streams are one.
    pub(crate) fn decode<'a>(self, input: impl BufRead + 'a, limit: Limit) -> Box<dyn BufRead + 'a> {
        let compressed = Count::default();
        let input = Counted::new(input, Rc::clone(&compressed));
        match self {
            Self::None => Box::new(Limited::new(input, limit.of_plain(), Count::default(), compressed)),
            Self::Gzip => Decoder::boxed("gzip", MultiGzDecoder::new(input), limit, compressed),
            Self::Bzip2 => Decoder::boxed("bzip2", MultiBzDecoder::new(input), limit, compressed),
            Self::Xz => {
                let decoder = XzReader::new_mem_limit(input, true, XZ_MEMORY_KIB);
                Decoder::boxed("xz", decoder, limit, compressed)
            }
        }
    }
}

/// A decompressor whose errors say what they are about.
struct Decoder<R> {
    format: &'static str,
    inner: R,
}

#[derive(Debug, Error)]
#[error("cannot decompress {format} data: {cause}")]
struct DecodeError {
    format: &'static str,
    cause: io::Error,
}

impl<'a, R: Read + 'a> Decoder<R> {
    fn boxed(format: &'static str, inner: R, limit: Limit, compressed: Count) -> Box<dyn BufRead + 'a> {
        let decoded = BufReader::new(Self { format, inner });
        Box::new(Limited::new(decoded, limit, Count::default(), compressed))
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner
            .read(buffer)
            .map_err(|cause| io::Error::new(cause.kind(), DecodeError { format: self.format, cause }))
    }
}

/// Opens the file at `path`.
pub(crate) fn open(path: &Path) -> Result<BufReader<File>, Fault> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(ReadErrorKind::Directory.into());
    }
    Ok(BufReader::new(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_format_and_compression() {
        for (path, format, compression) in [
            ("a/b.svm", Some(Format::Svmlight), Compression::None),
            ("b.SVMLight.GZ", Some(Format::Svmlight), Compression::Gzip),
            ("b.libsvm.bz2", Some(Format::Svmlight), Compression::Bzip2),
            ("b.mtx.xz", Some(Format::Mtx), Compression::Xz),
            ("b.npz.xz", Some(Format::Npz), Compression::Xz),
            ("b.tar.npy", Some(Format::Npy), Compression::None),
            ("b.csv", Some(Format::Csv), Compression::None),
            ("t10k-images-idx3-ubyte", Some(Format::Idx), Compression::None),
            ("t10k-labels-idx1-ubyte.gz", Some(Format::Idx), Compression::Gzip),
            ("b.idx.bz2", Some(Format::Idx), Compression::Bzip2),
            ("b.csv.gz.xz", None, Compression::Xz),
            ("b.txt.gz", None, Compression::Gzip),
            ("csv", None, Compression::None),
            ("a.csv/..", None, Compression::None),
        ] {
            assert_eq!(Name::of(Path::new(path)), Name { format, compression }, "{path}");
        }
    }
}
