//! Files for the tests: written into a directory of their own, read back, and told in one line.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use danskin_data::{Dataset, ReadError, ReadOptions, read};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A directory that is removed with the value.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// What reading `name` gives, in one line.
    pub(crate) fn read(&self, name: &str, options: &ReadOptions) -> String {
        self.tell(read(&self.path(name), options).map(|dataset| tell(&dataset)))
    }

    /// `outcome`, or its error without the name of the directory; the error must be one line.
    pub(crate) fn tell(&self, outcome: Result<String, ReadError>) -> String {
        outcome.unwrap_or_else(|error| {
            let line = error.to_string();
            assert!(!line.contains(['\n', '\r']), "more than one line: {line}");
            let directory = format!("{}/", self.0.path().display());
            line.strip_prefix(&directory).unwrap_or_else(|| panic!("no path: {line}")).to_owned()
        })
    }
}

/// `dataset` in one line: shape, storage, entries as row,column=value from 0, labels.
pub(crate) fn tell(dataset: &Dataset) -> String {
    let design = &dataset.design;
    let storage = if design.is_dense() { "dense" } else { "sparse" };
    let mut line = format!("{} x {} {storage}:", design.rows(), design.columns());
    design.for_each_entry(|i, j, value| line += &format!(" {i},{j}={value}"));
    if let Some(labels) = &dataset.labels {
        line += &format!("; labels {labels:?}");
    }
    line
}

/// The file `name` of tests/fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A NumPy array, format version 1, whose header says whatever it is told.
pub(crate) fn npy(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(elements);
    bytes
}

/// A one-dimensional array of 64-bit integers.
pub(crate) fn npy_i8(numbers: &[i64]) -> Vec<u8> {
    let elements: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    npy("'<i8'", &format!("({},)", numbers.len()), &elements)
}

/// 64-bit floating-point numbers as an array holds them.
pub(crate) fn f8(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// An idx file: type, sizes, elements.
pub(crate) fn idx(element: u8, sizes: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, element, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

/// A zip archive of arrays.
pub(crate) fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A sparse matrix whose arrays say whatever they are told: those of 3 x 2 [[1, 0], [0, 0], [0, 2]] but for `changes`;
/// an empty array is left out.
pub(crate) fn sparse_npz(format: &str, changes: &[(&'static str, Vec<u8>)]) -> Vec<u8> {
    let mut arrays = vec![
        ("format", npy(&format!("'|S{}'", format.len()), "()", format.as_bytes())),
        ("shape", npy_i8(&[3, 2])),
        ("data", npy_i8(&[1, 2])),
    ];
    arrays.extend(match format {
        "csr" => [("indices", npy_i8(&[0, 1])), ("indptr", npy_i8(&[0, 1, 1, 2]))],
        "csc" => [("indices", npy_i8(&[0, 2])), ("indptr", npy_i8(&[0, 1, 2]))],
        _ => [("row", npy_i8(&[0, 2])), ("col", npy_i8(&[0, 1]))],
    });
    for (name, bytes) in changes {
        arrays.retain(|(other, _)| other != name);
        if !bytes.is_empty() {
            arrays.push((name, bytes.clone()));
        }
    }
    npz(&arrays)
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(0);
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// `part` so often that 80 MiB come of it, compressed in pieces by `compress`: much more than the pieces account for.
pub(crate) fn bomb(part: &str, compress: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    compress(part.repeat((1 << 20) / part.len()).as_bytes()).repeat(80)
}

/// `bytes` uncompressed and in each compression, with the ending to append.
pub(crate) fn compressed(bytes: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    [("", bytes.to_vec()), (".gz", gz(bytes)), (".bz2", bz2(bytes)), (".xz", xz(bytes))]
}
