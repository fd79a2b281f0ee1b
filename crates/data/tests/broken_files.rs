//! Files cut short or altered at every byte: refused, never a panic.

mod common;

use common::{Files, bz2, fixture, gz, xz};
use danskin_data::{LabelColumn, ReadOptions};

/// What each kind asks for.
fn options(name: &str) -> ReadOptions {
    let label_column = name.contains(".csv").then_some(LabelColumn::Last);
    ReadOptions { label_column, ..ReadOptions::default() }
}

/// One small file of each binary kind.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let svm = b"1 1:2 3:4.5\n-1 2:0 # no more\n";
    let csv = b"a,b\n1,2\n3,4\n";
    let mtx = b"%%MatrixMarket matrix coordinate real symmetric\n3 3 3\n1 1 1\n3 1 2\n2 2 5\n";
    let idx = b"\0\0\x0b\x02\0\0\0\x02\0\0\0\x01\x01\x02\x03\x04";
    let read = |name| std::fs::read(fixture(name)).unwrap();
    vec![
        ("f.svm.gz", gz(svm)),
        ("f.svm.bz2", bz2(svm)),
        ("f.svm.xz", xz(svm)),
        ("f.csv.gz", gz(csv)),
        ("f.csv.xz", xz(csv)),
        ("f.mtx.gz", gz(mtx)),
        ("f.mtx.xz", xz(mtx)),
        ("f.idx", idx.to_vec()),
        ("f.idx.gz", gz(idx)),
        ("f.npy", read("dense_f4.npy")),
        ("f.npy", read("dense_fortran.npy")),
        ("f.npz", read("csr_f4_stored.npz")),
        ("f.npz", read("csc_i1.npz")),
        ("f.npz", read("coo_coords.npz")),
        ("f.npz.bz2", bz2(&read("coo_f8.npz"))),
    ]
}

#[test]
fn no_beginning_of_a_binary_file_passes_for_the_whole() {
    let files = Files::new();
    for (name, bytes) in samples() {
        files.write(name, &bytes);
        assert!(files.read(name, &options(name)).contains(" x "), "{name} is whole");
        for length in 0..bytes.len() {
            files.write(name, &bytes[..length]);
            let outcome = files.read(name, &options(name));
            assert!(outcome.starts_with(name), "{length} of {} bytes of {name}: {outcome}", bytes.len());
        }
    }
}

#[test]
fn an_altered_byte_is_found_by_the_checksums() {
    let files = Files::new();
    for (name, bytes) in samples() {
        files.write(name, &bytes);
        let whole = files.read(name, &options(name));
        for position in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut altered = bytes.clone();
                altered[position] ^= flip;
                files.write(name, &altered);
                let outcome = files.read(name, &options(name));
                // An array on its own has no checksum; not to panic is all that can be asked.
                let harmless = outcome == whole || outcome.starts_with(name) || ["f.npy", "f.idx"].contains(&name);
                assert!(harmless, "byte {position} of {name} altered by {flip:#x}: {outcome}");
            }
        }
    }
}
