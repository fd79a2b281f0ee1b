//! Arrays that NumPy and SciPy wrote; tests/fixtures/make.py made them.

mod common;

use common::{Files, compressed, fixture, tell};
use danskin_data::{ReadOptions, read, read_vector};

const SPARSE: &str = "4 x 6 sparse: 0,0=1 0,2=2 0,3=0 2,1=-3 2,4=5 3,2=7";

fn dense(entries: [f64; 5]) -> String {
    let [a, b, c, d, e] = entries;
    let mut rows = [[0.0; 6]; 4];
    (rows[0][0], rows[0][2], rows[2][1], rows[2][4], rows[3][2]) = (a, b, c, d, e);
    let mut line = "4 x 6 dense:".to_owned();
    for (i, row) in rows.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            line += &format!(" {i},{j}={value}");
        }
    }
    line
}

/// What reading the fixture gives, without its path.
fn shown(name: &str) -> String {
    let path = fixture(name);
    read(&path, &ReadOptions::default()).map(|dataset| tell(&dataset)).unwrap_or_else(|error| {
        error.to_string().strip_prefix(&format!("{}: ", path.display())).unwrap_or("no path").to_owned()
    })
}

#[test]
fn sparse_matrices() {
    for name in [
        "csr_f8",
        "csr_f4_stored",
        "csr_unsorted_i8",
        "csc_i1",
        "csc_matrix_i8",
        "coo_f8",
        "coo_matrix_i4",
        "coo_coords",
    ] {
        assert_eq!(shown(&format!("{name}.npz")), SPARSE, "{name}");
    }
    assert_eq!(shown("csr_bool.npz"), "4 x 6 sparse: 0,0=1 0,2=1 0,3=0 2,1=1 2,4=1 3,2=1");
}

#[test]
fn dense_matrices_of_every_type() {
    let signed = dense([1.0, 2.0, -3.0, 5.0, 7.0]);
    for name in ["f8", "f4", "f2", "i8", "i4", "i2", "be_f8", "be_f4", "be_f2", "be_i8", "be_i4", "be_i2", "i1"] {
        assert_eq!(shown(&format!("dense_{name}.npy")), signed, "{name}");
    }
    let unsigned = dense([1.0, 2.0, 3.0, 5.0, 7.0]);
    for name in ["u1", "u2", "u4", "u8", "be_u2"] {
        assert_eq!(shown(&format!("dense_abs_{name}.npy")), unsigned, "{name}");
    }
    assert_eq!(shown("dense_abs_bool.npy"), dense([1.0; 5]));
    assert_eq!(shown("dense_fortran.npy"), signed);
    assert_eq!(shown("dense_version_3.npy"), signed);
}

#[test]
fn what_is_no_design_is_refused() {
    for (name, message) in [
        ("bsr.npz", "array format: expected sparse format csr, csc or coo, found \"bsr\""),
        ("dia.npz", "array format: expected sparse format csr, csc or coo, found \"dia\""),
        ("complex.npz", "array data: expected real numbers of at most 64 bits, found elements of type <c16"),
        ("coo_1d.npz", "array shape: expected two dimensions, found an array of shape [2]"),
        ("not_sparse.npz", "array format: expected this array in the archive, found none"),
        (
            "record.npy",
            "expected the header of an array of plain elements, found \"{'descr': [('a', '<f8'), ('b', '<i4')], …\"",
        ),
        ("object.npy", "expected real numbers of at most 64 bits, found elements of type |O"),
        ("vector_f4.npy", "expected two dimensions, found an array of shape [6]"),
    ] {
        assert_eq!(shown(name), message, "{name}");
    }
}

#[test]
fn vectors() {
    for name in ["vector_f4.npy", "vector_row.npy", "vector_column.npy"] {
        assert_eq!(read_vector(&fixture(name)).unwrap(), [5.0, 1.0, -3.0, 0.0, 7.0, 2.0], "{name}");
    }
    let error = read_vector(&fixture("dense_f8.npy")).unwrap_err().to_string();
    assert!(error.ends_with("expected one dimension, row or column, found an array of shape [4, 6]"), "{error}");
}

#[test]
fn archives_and_arrays_may_be_compressed_again() {
    let files = Files::new();
    for (name, expected) in [("csr_f8.npz", SPARSE.to_owned()), ("dense_f8.npy", dense([1.0, 2.0, -3.0, 5.0, 7.0]))] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for (ending, bytes) in compressed(&bytes) {
            let name = format!("{name}{ending}");
            files.write(&name, &bytes);
            assert_eq!(files.read(&name, &ReadOptions::default()), expected, "{name}");
        }
    }
}
