//! Malformed, odd and hostile files, each with its exact outcome: the right result, or an error of one line.

mod common;

use std::io::{Cursor, Write};

use common::{Files, bomb, bz2, f8, gz, idx, npy, npy_i8, npz, sparse_npz, xz};
use danskin_data::{IndexBase, LabelColumn, ReadOptions, read_vector, read_vector_within};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Each file `f` with this ending and these bytes gives this outcome.
fn check<const N: usize>(ending: &str, options: ReadOptions, table: [(Vec<u8>, &str); N]) {
    let files = Files::new();
    let name = format!("f{ending}");
    for (bytes, expected) in table {
        files.write(&name, &bytes);
        assert_eq!(files.read(&name, &options), expected, "{}", bytes.escape_ascii());
    }
}

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

#[test]
fn svmlight_lines_may_be_odd() {
    check(
        ".svm",
        ReadOptions::default(),
        [
            (text("1 1:2\r\n-1 3:4\r\n"), "2 x 3 sparse: 0,0=2 1,2=4; labels [1.0, -1.0]"),
            (
                text("\n# only\n\n+1 2:0 1:-0.5e1 # tail 9:9\n-1#x\n2"),
                "3 x 2 sparse: 0,0=-5 0,1=0; labels [1.0, -1.0, 2.0]",
            ),
            (text("1 qid:3 1:1\n"), "1 x 1 sparse: 0,0=1; labels [1.0]"),
            (text("1\t1:1 \x0c 2:2\n"), "1 x 2 sparse: 0,0=1 0,1=2; labels [1.0]"),
            (text("1\n-1\n"), "2 x 0 sparse:; labels [1.0, -1.0]"),
            (text("1 007:1"), "1 x 7 sparse: 0,6=1; labels [1.0]"),
            (text("1e-3 1:1e9\n"), "1 x 1 sparse: 0,0=1000000000; labels [0.001]"),
            (text("\u{feff}1 1:1\n"), "1 x 1 sparse: 0,0=1; labels [1.0]"),
        ],
    );
}

#[test]
fn svmlight_lines_may_be_wrong() {
    check(
        ".svm",
        ReadOptions::default(),
        [
            (text(""), "f.svm: expected at least one row, found none"),
            (text("\n# nothing\n"), "f.svm: expected at least one row, found none"),
            (text("1 1:1\nabc 1:1\n"), "f.svm:2: expected a finite number as label, found \"abc\""),
            (text("nan 1:1\n"), "f.svm:1: expected a finite number as label, found \"nan\""),
            (text("1 1:inf\n"), "f.svm:1: expected INDEX:VALUE with a finite value, found \"1:inf\""),
            (text("1 1:1e999\n"), "f.svm:1: expected INDEX:VALUE with a finite value, found \"1:1e999\""),
            (text("1 2:1 1:1 2:3\n"), "f.svm:1: expected each index once in a row, found 2 twice"),
            (text("1 1:1 1:1\n"), "f.svm:1: expected each index once in a row, found 1 twice"),
            (text("1 0:1\n"), "f.svm:1: expected an index into 4294967295 columns counted from 1, found 0"),
            (text("1 -1:1\n"), "f.svm:1: expected an integer before the colon, found \"-1\""),
            (
                text("1 4294967296:1\n"),
                "f.svm:1: expected an index into 4294967295 columns counted from 1, found 4294967296",
            ),
            (
                text("1 99999999999999999999999:1\n"),
                "f.svm:1: expected an index into 4294967295 columns counted from 1, found 99999999999999999999999",
            ),
            (text("1 12\n"), "f.svm:1: expected INDEX:VALUE, found \"12\""),
            (text("1 :1\n"), "f.svm:1: expected an integer before the colon, found \"\""),
            (text("1 1:\n"), "f.svm:1: expected INDEX:VALUE with a finite value, found \"1:\""),
            (text("1 1: 2\n"), "f.svm:1: expected INDEX:VALUE with a finite value, found \"1:\""),
            (text("1 1:2:3\n"), "f.svm:1: expected INDEX:VALUE with a finite value, found \"1:2:3\""),
            (text("1 1:0x10\n"), "f.svm:1: expected INDEX:VALUE with a finite value, found \"1:0x10\""),
            (text("1,2 1:2\n"), "f.svm:1: expected a finite number as label, found \"1,2\""),
            (text("1 qid:x 1:2\n"), "f.svm:1: expected qid:INTEGER, found \"qid:x\""),
            (text("1 1:2 qid:1\n"), "f.svm:1: expected an integer before the colon, found \"qid\""),
            (text("1 1.0:2\n"), "f.svm:1: expected an integer before the colon, found \"1.0\""),
            (
                b"1 1:\xff\xfe\x00\n".to_vec(),
                "f.svm:1: expected INDEX:VALUE with a finite value, found \"1:\\xff\\xfe\\0\"",
            ),
            (text("1 1:1\r-1 1:2\r"), "f.svm:1: expected INDEX:VALUE, found \"-1\""),
            (vec![0; 10], "f.svm:1: expected a finite number as label, found \"\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\""),
            (
                vec![b'1'; 500],
                "f.svm:1: expected a finite number as label, found \"1111111111111111111111111111111111111111…\"",
            ),
            (
                b"\x1f\x8b\x08\x00".to_vec(),
                "f.svm:1: expected a finite number as label, found \"\\u{1f}\\x8b\\u{8}\\0\"",
            ),
        ],
    );
}

#[test]
fn svmlight_obeys_its_options() {
    let zero = ReadOptions { index_base: Some(IndexBase::Zero), columns: Some(3), label_column: None, max_bytes: None };
    check(
        ".svm",
        zero,
        [
            (text("1 0:1 2:2\n"), "1 x 3 sparse: 0,0=1 0,2=2; labels [1.0]"),
            (text("1 0:1 3:2\n"), "f.svm:1: expected an index into 3 columns counted from 0, found 3"),
            (
                text("1 18446744073709551616:2\n"),
                "f.svm:1: expected an index into 3 columns counted from 0, found 18446744073709551616",
            ),
        ],
    );
    check(
        ".svm",
        ReadOptions { columns: Some(0), ..zero },
        [
            (text("1\n"), "1 x 0 sparse:; labels [1.0]"),
            (text("1 0:1\n"), "f.svm:1: expected an index into 0 columns counted from 0, found 0"),
        ],
    );
    check(
        ".svm",
        ReadOptions { columns: Some(1 << 32), ..zero },
        [(text("1 0:1\n"), "f.svm: 4294967296 columns, expected at most 4294967295")],
    );
}

#[test]
fn csv() {
    let last = ReadOptions { label_column: Some(LabelColumn::Last), ..ReadOptions::default() };
    check(
        ".csv",
        last,
        [
            (text("x,y\n1, 2 \r\n\r\n\"3\",4e0"), "2 x 1 dense: 0,0=1 1,0=3; labels [2.0, 4.0]"),
            (text("# x,y\r\n1,2\n#\n3,4"), "2 x 1 dense: 0,0=1 1,0=3; labels [2.0, 4.0]"),
            (text("5\n6\n"), "2 x 0 dense:; labels [5.0, 6.0]"),
            (text("1,2\n3\n"), "f.csv:2: expected 2 fields as in the first row, found 1"),
            (text("1,2\n3,4,5\n"), "f.csv:2: expected 2 fields as in the first row, found 3"),
            (text("1,2\n3,\n"), "f.csv:2: field 2: expected a finite number, found \"\""),
            (text("1,2\n,3\n"), "f.csv:2: field 1: expected a finite number, found \"\""),
            (text("a,1\n"), "f.csv:1: field 1: expected a finite number, found \"a\""),
            (text("a,b\nc,d\n"), "f.csv:2: field 1: expected a finite number, found \"c\""),
            (text("a,b\n"), "f.csv: expected at least one row, found none"),
            (text(""), "f.csv: expected at least one row, found none"),
            (text("1,2\n3,NaN\n"), "f.csv:2: field 2: expected a finite number, found \"NaN\""),
            (text("1,2\n3,1e999\n"), "f.csv:2: field 2: expected a finite number, found \"1e999\""),
            (text("1,2\n\"3,4\n5,6\n"), "f.csv:2: expected 2 fields as in the first row, found 1"),
            (text("1;2\n3;4\n"), "f.csv:1: field 1: expected a finite number, found \"1;2\""),
            (b"1,\xff\n".to_vec(), "f.csv:1: field 2: expected a finite number, found \"\\xff\""),
            (text(",,\n1,2,3\n"), "f.csv:1: field 1: expected a finite number, found \"\""),
        ],
    );
    check(
        ".csv",
        ReadOptions::default(),
        [(
            text("1,2\n"),
            "f.csv: a CSV does not tell its labels from its entries: say whether the label column is the first, last or absent",
        )],
    );
    check(".csv", ReadOptions { columns: Some(2), ..last }, [(text("1,2\n"), "f.csv: expected 2 columns, found 1")]);
}

#[test]
fn npy_headers_may_lie() {
    let two = f8(&[1.0, 2.0]);
    check(
        ".npy",
        ReadOptions::default(),
        [
            (npy("'<f8'", "(1, 2)", &two), "1 x 2 dense: 0,0=1 0,1=2"),
            (npy("'<f8'", "(2, 0)", &[]), "2 x 0 dense:"),
            (npy("'<f8'", "(2,)", &two), "f.npy: expected two dimensions, found an array of shape [2]"),
            (npy("'<f8'", "()", &two[..8]), "f.npy: expected two dimensions, found an array of shape []"),
            (npy("'<f8'", "(1, 2, 1)", &two), "f.npy: expected two dimensions, found an array of shape [1, 2, 1]"),
            (npy("'<f8'", "(3, 2)", &two), "f.npy: expected 6 element(s) as its header says, found 2"),
            (
                npy("'<f8'", "(1, 1)", &two),
                "f.npy: expected the end after 1 element(s) as its header says, found more bytes",
            ),
            (
                npy("'<f8'", "(1000000000000000, 1000)", &two),
                "f.npy: expected 1000000000000000000 element(s) as its header says, found 2",
            ),
            (
                npy("'<f8'", "(4294967296, 4294967296)", &two),
                "f.npy: expected a shape of sizes whose product is below 2^64, found \"4294967296, 4294967296\"",
            ),
            (
                npy("'<f8'", "(1000000000000000, 0)", &[]),
                "f.npy: expected at most 1000000 rows for 0 entries, found 1000000000000000",
            ),
            (
                npy("'<f8'", "(0, 1000000000000000)", &[]),
                "f.npy: 1000000000000000 columns, expected at most 4294967295",
            ),
            (npy("'<f8'", "(0, 3)", &[]), "f.npy: expected at least one row, found none"),
            (
                npy("'<f8'", "(-1, 2)", &two),
                "f.npy: expected a shape of sizes whose product is below 2^64, found \"-1, 2\"",
            ),
            (
                npy("'<c16'", "(1, 1)", &two),
                "f.npy: expected real numbers of at most 64 bits, found elements of type <c16",
            ),
            (
                npy("'<f16'", "(1, 1)", &two),
                "f.npy: expected real numbers of at most 64 bits, found elements of type <f16",
            ),
            (npy("'|O'", "(1, 1)", &two), "f.npy: expected real numbers of at most 64 bits, found elements of type |O"),
            (
                npy("[('a', '<f8')]", "(1, 2)", &two),
                "f.npy: expected the header of an array of plain elements, found \"{'descr': [('a', '<f8')], 'fortran_order…\"",
            ),
            (
                npy("'<f8'", "(1, 2)", &f8(&[1.0, f64::NAN])),
                "f.npy: entry at row 0, column 1 (indices from 0) is NaN, expected a finite number",
            ),
            (npy("'|b1'", "(1, 2)", &[1, 2]), "f.npy: invalid value for bool: 2"),
            (
                npy("'nonsense'", "(1, 2)", &two),
                "f.npy: expected the header of an array of plain elements, found \"{'descr': 'nonsense', 'fortran_order': F…\"",
            ),
            (
                npy("'<f8'", &"(".repeat(5000), &two),
                "f.npy: expected the header of an array of plain elements, found \"{'descr': '<f8', 'fortran_order': False,…\"",
            ),
            (text("1,2\n"), "f.npy: expected a NumPy array in format version 1, 2 or 3, found \"1,2\\n\""),
            (Vec::new(), "f.npy: expected a NumPy array in format version 1, 2 or 3, found \"\""),
            (
                b"\x93NUMPY\x09\x00\x00\x00".to_vec(),
                "f.npy: expected a NumPy array in format version 1, 2 or 3, found \"\\x93NUMPY\\t\\0\"",
            ),
            (
                b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(),
                "f.npy: expected a header of at most 10000 bytes, found 4294967295",
            ),
            (
                b"\x93NUMPY\x01\x00\xff\x00{'descr': '<f8'".to_vec(),
                "f.npy: expected the header of an array of plain elements, found \"{'descr': '<f8'\"",
            ),
        ],
    );
}

#[test]
fn npz_shapes_may_lie() {
    let huge = npy_i8(&[1_000_000_000_000_000, 2]);
    let wide = npy_i8(&[3, 1 << 40]);
    check(
        ".npz",
        ReadOptions::default(),
        [
            (sparse_npz("csr", &[]), "3 x 2 sparse: 0,0=1 2,1=2"),
            (sparse_npz("csc", &[]), "3 x 2 sparse: 0,0=1 2,1=2"),
            (sparse_npz("coo", &[]), "3 x 2 sparse: 0,0=1 2,1=2"),
            (sparse_npz("csr", &[("shape", huge.clone())]), "f.npz: 4 row pointers, expected 1000000000000001"),
            (
                sparse_npz("csc", &[("shape", huge.clone())]),
                "f.npz: expected at most 1002000 rows for 2 entries, found 1000000000000000",
            ),
            (
                sparse_npz("coo", &[("shape", huge)]),
                "f.npz: expected at most 1002000 rows for 2 entries, found 1000000000000000",
            ),
            (
                sparse_npz("coo", &[("shape", npy_i8(&[i64::MAX, i64::MAX]))]),
                "f.npz: expected at most 1002000 rows for 2 entries, found 9223372036854775807",
            ),
            (
                sparse_npz("csr", &[("shape", wide.clone())]),
                "f.npz: 1099511627776 columns, expected at most 4294967295",
            ),
            (sparse_npz("csc", &[("shape", wide.clone())]), "f.npz: 3 column pointers, expected 1099511627777"),
            (sparse_npz("coo", &[("shape", wide)]), "f.npz: 1099511627776 columns, expected at most 4294967295"),
            (
                sparse_npz("csr", &[("shape", npy_i8(&[-3, 2]))]),
                "f.npz: array shape: expected a number at least 0, found -3",
            ),
            (
                sparse_npz("csr", &[("shape", npy_i8(&[3, 2, 1]))]),
                "f.npz: array shape: expected two dimensions, found an array of shape [3, 2, 1]",
            ),
        ],
    );
}

#[test]
fn npz_arrays_may_disagree() {
    check(
        ".npz",
        ReadOptions::default(),
        [
            (
                sparse_npz("csr", &[("indices", npy_i8(&[0, 2]))]),
                "f.npz: array indices: expected an index into 2 columns counted from 0, found 2",
            ),
            (
                sparse_npz("csr", &[("indices", npy_i8(&[0, -1]))]),
                "f.npz: array indices: expected an index into 2 columns counted from 0, found -1",
            ),
            (sparse_npz("csr", &[("indices", npy_i8(&[0]))]), "f.npz: 2 values, expected 1"),
            (
                sparse_npz("csr", &[("indptr", npy_i8(&[0, 2, 1, 2]))]),
                "f.npz: row pointer 2 is 1, expected at least the one before",
            ),
            (sparse_npz("csr", &[("indptr", npy_i8(&[1, 1, 1, 2]))]), "f.npz: row pointer 0 is 1, expected 0"),
            (
                sparse_npz("csr", &[("indptr", npy_i8(&[0, 1, 1, 3]))]),
                "f.npz: row pointer 3 is 3, expected the number of entries",
            ),
            (sparse_npz("csr", &[("indptr", npy_i8(&[0, 2]))]), "f.npz: 2 row pointers, expected 4"),
            (
                sparse_npz("csr", &[("indptr", npy_i8(&[0, -1, 1, 2]))]),
                "f.npz: array indptr: expected a number at least 0, found -1",
            ),
            (
                sparse_npz("csc", &[("indptr", npy_i8(&[0, 3, 2]))]),
                "f.npz: column pointer 1 is 3, expected at most the number of entries",
            ),
            (
                sparse_npz("csc", &[("indptr", npy_i8(&[0, i64::MAX, 2]))]),
                "f.npz: column pointer 1 is 9223372036854775807, expected at most the number of entries",
            ),
            (
                sparse_npz("csc", &[("indices", npy_i8(&[0, 3]))]),
                "f.npz: entry at row 3, column 1 lies outside a 3 x 2 matrix (indices from 0)",
            ),
            (
                sparse_npz("csc", &[("indptr", npy_i8(&[0, 2, 2])), ("indices", npy_i8(&[1, 1]))]),
                "f.npz: two entries at row 1, column 0 (indices from 0)",
            ),
            (
                sparse_npz("coo", &[("row", npy_i8(&[0, 0])), ("col", npy_i8(&[1, 1]))]),
                "f.npz: two entries at row 0, column 1 (indices from 0)",
            ),
            (sparse_npz("coo", &[("row", npy_i8(&[0]))]), "f.npz: 1 row indices, expected 2"),
            (
                sparse_npz("coo", &[("coords", npy_i8(&[0, 2, 0, 1]))]),
                "f.npz: array coords: expected two rows, found an array of shape [4]",
            ),
        ],
    );
}

#[test]
fn npz_arrays_may_be_missing_or_of_the_wrong_kind() {
    let csr = sparse_npz("csr", &[]);
    let zeros = [0; 16];
    check(
        ".npz",
        ReadOptions::default(),
        [
            (
                sparse_npz("csr", &[("data", npy("'<f8'", "(2,)", &f8(&[1.0, f64::NAN])))]),
                "f.npz: entry at row 2, column 1 (indices from 0) is NaN, expected a finite number",
            ),
            (
                sparse_npz("csr", &[("data", Vec::new())]),
                "f.npz: array data: expected this array in the archive, found none",
            ),
            (
                sparse_npz("csr", &[("indptr", Vec::new())]),
                "f.npz: array indptr: expected this array in the archive, found none",
            ),
            (sparse_npz("dok", &[]), "f.npz: array format: expected sparse format csr, csc or coo, found \"dok\""),
            (
                sparse_npz("csr", &[("format", npy("'|S4000000000'", "()", b"csr"))]),
                "f.npz: array format: expected a short string, found elements of type |S4000000000",
            ),
            (
                sparse_npz("csr", &[("indices", npy("'<f8'", "(2,)", &zeros))]),
                "f.npz: array indices: expected signed integers of 32 or 64 bits, found elements of type <f8",
            ),
            (
                sparse_npz("csr", &[("data", npy("'<i8'", "(1, 2)", &zeros))]),
                "f.npz: array data: expected one dimension, found an array of shape [1, 2]",
            ),
            (
                sparse_npz("csr", &[("data", npy("'<i8'", "(1000000,)", &zeros))]),
                "f.npz: array data: expected 1000000 element(s) as its header says, found 2",
            ),
            (npz(&[("x", npy_i8(&[1]))]), "f.npz: array format: expected this array in the archive, found none"),
            (csr[..csr.len() / 2].to_vec(), "f.npz: invalid Zip archive: Could not find EOCD"),
            (text("PK"), "f.npz: invalid Zip archive: Could not find EOCD"),
            (Vec::new(), "f.npz: invalid Zip archive: Could not find EOCD"),
        ],
    );
}

#[test]
fn mtx_may_be_odd() {
    let real = "%%MatrixMarket matrix coordinate real general\n";
    let dense = "%%MatrixMarket matrix array real general\n";
    check(
        ".mtx",
        ReadOptions::default(),
        [
            (
                text(
                    "%%matrixmarket MATRIX Coordinate REAL General\r\n% a\r\n\r\n 3 4  2\r\n%b\r\n\r\n3 1 -1e1\r\n1 4 0 % c",
                ),
                "3 x 4 sparse: 0,3=0 2,0=-10",
            ),
            (text(&format!("\u{feff}{real}1 1 1\n1 1 +.5")), "1 x 1 sparse: 0,0=0.5"),
            (text("%MatrixMarket matrix array real general\n1 1\n2\n"), "1 x 1 dense: 0,0=2"),
            (text(&format!("{real}2 3 0\n")), "2 x 3 sparse:"),
            (text(&format!("{real}2 2 2\n1 2 5\n1 1 4\n")), "2 x 2 sparse: 0,0=4 0,1=5"),
            (text(&format!("{dense}2 2\n1\n\n  2 % x\r\n3\n4")), "2 x 2 dense: 0,0=1 0,1=3 1,0=2 1,1=4"),
            (
                text("%%MatrixMarket matrix array integer skew-symmetric\n2 2\n-7\n"),
                "2 x 2 dense: 0,0=0 0,1=7 1,0=-7 1,1=0",
            ),
            (
                text("%%MatrixMarket matrix coordinate unsigned-integer symmetric\n2 2 1\n2 1 9007199254740993\n"),
                "2 x 2 sparse: 0,1=9007199254740992 1,0=9007199254740992",
            ),
        ],
    );
}

#[test]
fn mtx_headers_may_lie() {
    const HEADER: &str = "expected %%MatrixMarket matrix FORMAT FIELD SYMMETRY, found";
    let files = Files::new();
    for (first, rest, expected) in [
        ("", "", format!(":1: {HEADER} \"\"")),
        ("\n%%MatrixMarket matrix coordinate real general\n", "1 1 0", format!(":1: {HEADER} \"\"")),
        (
            "MatrixMarket matrix coordinate real general",
            "",
            format!(":1: {HEADER} \"MatrixMarket matrix coordinate real gene…\""),
        ),
        (
            "%%MatrixMarket matrix coordinate real",
            "",
            format!(":1: {HEADER} \"%%MatrixMarket matrix coordinate real\""),
        ),
        ("%%MatrixMarket vector coordinate real general", "", ":1: expected matrix, found \"vector\"".into()),
        ("%%MatrixMarket matrix sparse real general", "", ":1: expected coordinate or array, found \"sparse\"".into()),
        (
            "%%MatrixMarket matrix coordinate complex general",
            "1 1 1\n1 1 2 3\n",
            ":1: expected real, integer or pattern, found \"complex\"".into(),
        ),
        (
            "%%MatrixMarket matrix coordinate real hermitian",
            "",
            ":1: expected general, symmetric or skew-symmetric, found \"hermitian\"".into(),
        ),
        (
            "%%MatrixMarket matrix array pattern general",
            "",
            ":1: expected real or integer for an array, found \"pattern\"".into(),
        ),
        (
            "%%MatrixMarket matrix coordinate pattern skew-symmetric",
            "",
            ":1: expected general or symmetric for a pattern, found \"skew-symmetric\"".into(),
        ),
    ] {
        files.write("f.mtx", format!("{first}\n{rest}").as_bytes());
        assert_eq!(files.read("f.mtx", &ReadOptions::default()), format!("f.mtx{expected}"), "{first}");
    }
}

#[test]
fn mtx_lines_may_be_wrong() {
    let files = Files::new();
    for (words, rest, expected) in [
        ("coordinate real general", "", ":2: expected ROWS COLUMNS ENTRIES, found \"\""),
        ("coordinate real general", "1 1", ":2: expected ROWS COLUMNS ENTRIES, found \"1 1\""),
        ("coordinate real general", "1 1 1 1", ":2: expected ROWS COLUMNS ENTRIES, found \"1 1 1 1\""),
        ("coordinate real general", "-1 1 1", ":2: expected ROWS COLUMNS ENTRIES, found \"-1 1 1\""),
        ("coordinate real general", "1 1.5 1", ":2: expected ROWS COLUMNS ENTRIES, found \"1 1.5 1\""),
        ("array real general", "1 1 1", ":2: expected ROWS COLUMNS, found \"1 1 1\""),
        (
            "coordinate real symmetric",
            "2 3 0",
            ":2: expected as many rows as columns, for it is symmetric, found \"2 3 0\"",
        ),
        ("coordinate real general", "2 2 2\n1 1 1\n", ":4: expected 2 element(s) as its header says, found 1"),
        (
            "coordinate real general",
            "2 2 1\n1 1 1\n2 2 1\n",
            ":4: expected the end after 1 element(s) as its header says, found more bytes",
        ),
        (
            "coordinate real general",
            "2 2 18446744073709551615\n1 1 1\n",
            ":4: expected 18446744073709551615 element(s) as its header says, found 1",
        ),
        (
            "coordinate real general",
            "99999999999999999999999 2 1\n1 1 1\n",
            ": expected at most 1001000 rows for 1 entries, found 18446744073709551615",
        ),
        (
            "coordinate real general",
            "1 4294967295 1\n1 1 1\n",
            ": expected at most 1001000 columns for 1 entries, found 4294967295: if so many are meant, set columns (--columns)",
        ),
        ("coordinate real general", "1 4294967296 1\n1 1 1\n", ": 4294967296 columns, expected at most 4294967295"),
        ("coordinate real general", "0 3 0\n", ": expected at least one row, found none"),
        ("coordinate real general", "2 2 1\n0 1 1\n", ":3: expected an index into 2 rows counted from 1, found 0"),
        ("coordinate real general", "2 2 1\n3 1 1\n", ":3: expected an index into 2 rows counted from 1, found 3"),
        ("coordinate real general", "2 2 1\n-1 1 1\n", ":3: expected an index into 2 rows counted from 1, found -1"),
        ("coordinate real general", "2 2 1\n1 0 1\n", ":3: expected an index into 2 columns counted from 1, found 0"),
        ("coordinate real general", "2 2 1\n1 x 1\n", ":3: expected an index into 2 columns counted from 1, found x"),
        ("coordinate real general", "2 2 1\n1 1 nan\n", ":3: expected a finite number, found \"nan\""),
        ("coordinate real general", "2 2 1\n1 1 -inf\n", ":3: expected a finite number, found \"-inf\""),
        ("coordinate real general", "2 2 1\n1 1 1e999\n", ":3: expected a finite number, found \"1e999\""),
        ("coordinate integer general", "2 2 1\n1 1 1.0\n", ":3: expected an integer, found \"1.0\""),
        ("coordinate real general", "2 2 1\n1 1\n", ":3: expected ROW COLUMN VALUE, found \"1 1\""),
        ("coordinate real general", "2 2 1\n1 1 1 1\n", ":3: expected ROW COLUMN VALUE, found \"1 1 1 1\""),
        ("coordinate pattern general", "2 2 1\n1 1 1\n", ":3: expected ROW COLUMN, found \"1 1 1\""),
        (
            "coordinate real general",
            "2 2 3\n1 2 1\n%\n2 2 0\n1 2 1\n",
            ":6: expected each entry once, found row 1, column 2 as on line 3 (indices as the file counts)",
        ),
        (
            "coordinate real symmetric",
            "2 2 2\n2 1 1\n1 2 1\n",
            ":4: expected an entry on or below the diagonal, for it is symmetric, found \"1 2 1\"",
        ),
        (
            "coordinate real skew-symmetric",
            "2 2 1\n1 1 0\n",
            ":3: expected an entry below the diagonal, for it is skew-symmetric, found \"1 1 0\"",
        ),
        ("array real general", "2 2\n1\n2\n3\n", ":6: expected 4 element(s) as its header says, found 3"),
        (
            "array real general",
            "1 1\n1\n2\n",
            ":4: expected the end after 1 element(s) as its header says, found more bytes",
        ),
        ("array real general", "1 2\n1 2\n", ":3: expected a finite number, found \"1 2\""),
        (
            "array real general",
            "4294967296 4294967296\n1\n",
            ":2: expected less than 2^64 entries, found 4294967296 x 4294967296",
        ),
        (
            "array real general",
            "1000000000 1000000000\n1\n",
            ":4: expected 1000000000000000000 element(s) as its header says, found 1",
        ),
        ("array real general", "1000000000 0\n", ": expected at most 1000000 rows for 0 entries, found 1000000000"),
    ] {
        files.write("f.mtx", format!("%%MatrixMarket matrix {words}\n{rest}").as_bytes());
        assert_eq!(files.read("f.mtx", &ReadOptions::default()), format!("f.mtx{expected}"), "{words} {rest}");
    }
}

#[test]
fn idx_of_every_type_and_shape() {
    let be = |values: [f64; 2]| values.map(f64::to_be_bytes).concat();
    check(
        ".idx",
        ReadOptions::default(),
        [
            (idx(0x08, &[2, 1, 2], &[0, 1, 254, 255]), "2 x 2 dense: 0,0=0 0,1=1 1,0=254 1,1=255"),
            (idx(0x09, &[1, 2], &[0x80, 0x7f]), "1 x 2 dense: 0,0=-128 0,1=127"),
            (idx(0x0b, &[1, 2], &[0xff, 0xfe, 1, 0]), "1 x 2 dense: 0,0=-2 0,1=256"),
            (idx(0x0c, &[1, 1], &[0x80, 0, 0, 0]), "1 x 1 dense: 0,0=-2147483648"),
            (idx(0x0d, &[1, 1], &1.5f32.to_be_bytes()), "1 x 1 dense: 0,0=1.5"),
            (idx(0x0e, &[2, 1], &be([-0.1, 1e300])), &format!("2 x 1 dense: 0,0=-0.1 1,0={}", 1e300)),
            (idx(0x08, &[2, 0], &[]), "2 x 0 dense:"),
            (idx(0x08, &[0, 3], &[]), "f.idx: expected at least one row, found none"),
            (
                idx(0x0e, &[1, 2], &be([0.0, f64::NAN])),
                "f.idx: entry at row 0, column 1 (indices from 0) is NaN, expected a finite number",
            ),
            (idx(0x08, &[3], &[1, 2, 3]), "f.idx: expected two dimensions or more, found an array of shape [3]"),
            (idx(0x08, &[2, 2], &[1, 2, 3]), "f.idx: expected 4 element(s) as its header says, found 3"),
            (idx(0x0c, &[1, 1], &[1, 2, 3]), "f.idx: expected 1 element(s) as its header says, found 0"),
            (
                idx(0x08, &[1, 1], &[1, 2]),
                "f.idx: expected the end after 1 element(s) as its header says, found more bytes",
            ),
            (
                idx(0x0e, &[u32::MAX, u32::MAX], &[1; 16]),
                "f.idx: expected 18446744065119617025 element(s) as its header says, found 2",
            ),
            (
                idx(0x0e, &[u32::MAX, u32::MAX, 0, 2], &[]),
                "f.idx: expected sizes whose product is below 2^64, found an array of shape [4294967295, 4294967295, 0, 2]",
            ),
            (idx(0x08, &[u32::MAX, 0], &[]), "f.idx: expected at most 1000000 rows for 0 entries, found 4294967295"),
            (
                idx(0x08, &[], &[7]),
                "f.idx: expected an idx header: 0, 0, a type and the number of dimensions, found \"\\0\\0\\u{8}\\0\"",
            ),
            (
                idx(0x0a, &[1, 1], &[7]),
                "f.idx: expected an idx header: 0, 0, a type and the number of dimensions, found \"\\0\\0\\n\\u{2}\"",
            ),
            (vec![0, 0], "f.idx: expected an idx header: 0, 0, a type and the number of dimensions, found \"\\0\\0\""),
            (
                vec![0, 0, 8, 2, 0, 0, 0, 1, 0],
                "f.idx: expected an idx header with a size for each dimension, found \"\\0\\0\\0\\u{1}\\0\"",
            ),
            (
                gz(&idx(0x08, &[1, 1], &[7])),
                "f.idx: expected an idx header: 0, 0, a type and the number of dimensions, found \"\\u{1f}\\x8b\\u{8}\\0\"",
            ),
        ],
    );
    check("-images-idx3-ubyte.gz", ReadOptions::default(), [(gz(&idx(0x08, &[1, 1, 1], &[7])), "1 x 1 dense: 0,0=7")]);
}

#[test]
fn a_small_file_may_not_stand_for_a_large_one() {
    let files = Files::new();
    let plain = ReadOptions::default();
    let last = ReadOptions { label_column: Some(LabelColumn::Last), ..ReadOptions::default() };
    let zeros = npy("'<f8'", "(10, 1048576)", &[0; 80 << 20]);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["format", "shape", "indptr", "indices", "data"] {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        // Each by itself would pass.
        let bytes = match name {
            "format" => npy("'|S3'", "()", b"csr"),
            "shape" => npy_i8(&[3_400_000, 2]),
            _ => npy_i8(&[0; 3_400_001]),
        };
        zip.write_all(&bytes).unwrap();
    }
    let archive = zip.finish().unwrap().into_inner();
    for (name, bytes) in [
        ("f.svm.gz", bomb("1 1:1\n", gz)),
        ("f.svm.xz", bomb("1 1:1\n", xz)),
        // One line without an end.
        ("g.svm.gz", bomb(" ", gz)),
        ("f.csv.gz", bomb("0,0,0,0,0\n", gz)),
        ("f.mtx.bz2", [bz2(b"%%MatrixMarket matrix array real general\n"), bomb("% nothing\n", bz2)].concat()),
        ("f.npy.gz", gz(&zeros)),
        ("f.idx.xz", xz(&idx(0x0e, &[10, 1 << 20], &zeros[zeros.len() - (80 << 20)..]))),
        ("f.npz", archive.clone()),
        ("f.npz.bz2", bz2(&archive)),
    ] {
        files.write(name, &bytes);
        let found = files.read(name, if name.contains(".csv") { &last } else { &plain });
        let (size, limit) = (bytes.len(), (64 << 20) + 100 * bytes.len());
        assert!(size < 1 << 18 && found.starts_with(name), "{size} bytes: {found}");
        let (_, message) = found.split_once(": expected at most ").unwrap();
        let read: usize = message.split(' ').next().unwrap().parse().unwrap();
        assert!(read <= limit, "{found}");
        assert!(
            message.ends_with(" compressed ones, found more: if so many are meant, set max_bytes (--max-bytes)"),
            "{found}"
        );
    }
    files.write("v.txt.gz", &bomb("1\n", gz));
    let found = files.tell(read_vector(&files.path("v.txt.gz")).map(|values| values.len().to_string()));
    assert!(found.contains("compressed ones, found more"), "{found}");
    // As many as are said to be meant are read.
    let meant = ReadOptions { max_bytes: Some(1 << 30), ..plain };
    assert_eq!(files.read("f.npz", &meant), "f.npz: row pointer 3400000 is 0, expected the number of entries");
    files.write("w.txt.gz", &gz("1\n".repeat(1 << 20).as_bytes()));
    assert_eq!(read_vector_within(&files.path("w.txt.gz"), Some(2 << 20)).unwrap().len(), 1 << 20);
    assert!(read_vector_within(&files.path("w.txt.gz"), Some((2 << 20) - 1)).is_err());
}

#[test]
fn a_limit_that_is_said_holds_for_every_file() {
    let five = ReadOptions { max_bytes: Some(5), ..ReadOptions::default() };
    check(
        ".svm",
        five,
        [
            (text("1 1:2"), "1 x 1 sparse: 0,0=2; labels [1.0]"),
            (
                text("1 1:2\n"),
                "f.svm:1: expected at most 5 bytes, found more: if so many are meant, set max_bytes (--max-bytes)",
            ),
        ],
    );
    check(
        ".svm.xz",
        five,
        [(
            xz(b"1 1:2\n"),
            "f.svm.xz:1: expected at most 5 bytes, found more: if so many are meant, set max_bytes (--max-bytes)",
        )],
    );
    let absent = ReadOptions { label_column: Some(LabelColumn::Absent), ..five };
    check(
        ".csv.gz",
        absent,
        [(
            gz(b"1,2\n3\n"),
            "f.csv.gz:2: expected at most 5 bytes, found more: if so many are meant, set max_bytes (--max-bytes)",
        )],
    );
    check(
        ".npz",
        five,
        [(
            sparse_npz("csr", &[]),
            "f.npz: array format: expected at most 5 bytes, found more: if so many are meant, set max_bytes (--max-bytes)",
        )],
    );
}

#[test]
fn compressed_streams_may_follow_each_other_and_break() {
    let svm = b"1 1:2\n";
    let mut broken = gz(svm);
    let checksum = broken.len() - 8;
    broken[checksum] ^= 1;
    let with = |mut stream: Vec<u8>, more: &[u8]| {
        stream.extend(more);
        stream
    };
    let options = ReadOptions::default();
    check(
        ".svm.gz",
        options,
        [
            (with(gz(svm), &gz(b"-1 2:3\n")), "2 x 2 sparse: 0,0=2 1,1=3; labels [1.0, -1.0]"),
            (broken, "f.svm.gz:2: cannot decompress gzip data: corrupt gzip stream does not have a matching checksum"),
            (with(gz(svm), b"what is this?"), "f.svm.gz:2: cannot decompress gzip data: invalid gzip header"),
            (text("1 1:2 2:4 3:5 6:7 8:9\n"), "f.svm.gz:1: cannot decompress gzip data: invalid gzip header"),
            (Vec::new(), "f.svm.gz:1: cannot decompress gzip data: unexpected end of file"),
        ],
    );
    check(
        ".svm.bz2",
        options,
        [
            (with(bz2(svm), &bz2(b"-1 2:3\n")), "2 x 2 sparse: 0,0=2 1,1=3; labels [1.0, -1.0]"),
            (with(bz2(svm), b"what is this?"), "f.svm.bz2:2: cannot decompress bzip2 data: bzip2: bz2 header missing"),
            (text("1 1:2 2:4 3:5 6:7 8:9\n"), "f.svm.bz2:1: cannot decompress bzip2 data: bzip2: bz2 header missing"),
            (Vec::new(), "f.svm.bz2:1: cannot decompress bzip2 data: decompression not finished but EOF reached"),
        ],
    );
    check(
        ".svm.xz",
        options,
        [
            (with(xz(svm), &xz(b"-1 2:3\n")), "2 x 2 sparse: 0,0=2 1,1=3; labels [1.0, -1.0]"),
            (with(xz(svm), b"what is this?"), "f.svm.xz:2: cannot decompress xz data: invalid data after stream"),
            (text("1 1:2 2:4 3:5 6:7 8:9\n"), "f.svm.xz:1: cannot decompress xz data: invalid XZ magic bytes"),
            (Vec::new(), "f.svm.xz:1: cannot decompress xz data: failed to fill whole buffer"),
        ],
    );
}

#[test]
fn xz_may_not_ask_for_all_memory() {
    let mut stream = xz(b"1 1:2\n");
    // The header of the first block: its size in words of 4 bytes less one, flags, and the filter LZMA2 (0x21) with one
    // byte of properties, 40 for a dictionary of 4 GiB.
    let (start, dictionary) = (12, 16);
    assert_eq!(stream[start + 2..=dictionary - 1], [0x21, 1]);
    stream[dictionary] = 40;
    let end = start + 4 * usize::from(stream[start]);
    let mut checksum = flate2::Crc::new();
    checksum.update(&stream[start..end]);
    stream[end..end + 4].copy_from_slice(&checksum.sum().to_le_bytes());
    check(
        ".svm.xz",
        ReadOptions::default(),
        [(stream, "f.svm.xz:1: cannot decompress xz data: needed memory too big for mem_limit_kb")],
    );
}

#[test]
fn names_must_say_the_format() {
    let expected = "expected a name that ends in .svm .svmlight .libsvm .mtx .npz .npy .csv .idx -ubyte, then optionally .gz .bz2 .xz";
    let files = Files::new();
    let options = ReadOptions::default();
    for name in ["f", "f.txt", "f.gz", "f.svm.zip", "f.svm.gz.xz", "svm"] {
        files.write(name, b"1 1:1\n");
        assert_eq!(files.read(name, &options), format!("{name}: {expected}"));
    }
    for name in ["f.SVM", "f.x.svmlight", "f.LibSVM", ".svm"] {
        files.write(name, b"1 1:1\n");
        assert_eq!(files.read(name, &options), "1 x 1 sparse: 0,0=1; labels [1.0]", "{name}");
    }
    files.write("f.Svm.XZ", &xz(b"1 1:1\n"));
    assert_eq!(files.read("f.Svm.XZ", &options), "1 x 1 sparse: 0,0=1; labels [1.0]");
}

#[test]
fn paths_must_be_files() {
    let files = Files::new();
    std::fs::create_dir(files.path("folder.svm")).unwrap();
    let missing = std::fs::File::open(files.path("missing")).unwrap_err();
    for (name, expected) in [
        ("missing.svm", format!("missing.svm: {missing}")),
        ("missing", format!("missing: {missing}")),
        ("folder.svm", "folder.svm: expected a file, found a directory".to_owned()),
    ] {
        assert_eq!(files.read(name, &ReadOptions::default()), expected);
        assert_eq!(files.tell(read_vector(&files.path(name)).map(|values| format!("{values:?}"))), expected);
    }
}

#[test]
fn vectors() {
    let files = Files::new();
    for (name, bytes, expected) in [
        ("v.txt", text("1 2\n\n3,4 ,\t5, # end\n"), "[1.0, 2.0, 3.0, 4.0, 5.0]"),
        ("v", text("-1e3"), "[-1000.0]"),
        ("v.csv", text("1,2,3\r\n4,5,6\r\n"), "[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]"),
        ("v.txt.gz", gz(b"1\n2\n"), "[1.0, 2.0]"),
        ("v.bz2", bz2(b"1\n2\n"), "[1.0, 2.0]"),
        ("v.npy.xz", xz(&npy_i8(&[3, 4])), "[3.0, 4.0]"),
        ("v.npy", npy_i8(&[]), "[]"),
        ("v.npy", npy("'<i8'", "(1, 2)", &[0; 16]), "[0.0, 0.0]"),
        (
            "v.npy",
            npy("'<i8'", "(2, 2)", &[0; 32]),
            "v.npy: expected one dimension, row or column, found an array of shape [2, 2]",
        ),
        (
            "v.npy",
            npy("'<i8'", "()", &[0; 8]),
            "v.npy: expected one dimension, row or column, found an array of shape []",
        ),
        (
            "v.npy",
            npy("'<f8'", "(2,)", &f8(&[0.0, f64::INFINITY])),
            "v.npy: number 1 (from 0) is inf, expected a finite number",
        ),
        (
            "v.npy",
            npy("'<f8'", "(1000000000000,)", &[0; 20]),
            "v.npy: expected 1000000000000 element(s) as its header says, found 2",
        ),
        ("v.idx", idx(0x08, &[3], &[7, 0, 255]), "[7.0, 0.0, 255.0]"),
        ("v-ubyte.gz", gz(&idx(0x08, &[1, 2], &[7, 9])), "[7.0, 9.0]"),
        (
            "v.idx",
            idx(0x08, &[2, 2], &[7, 9, 1, 2]),
            "v.idx: expected one dimension, row or column, found an array of shape [2, 2]",
        ),
        (
            "v.idx",
            idx(0x0d, &[1], &f32::NAN.to_be_bytes()),
            "v.idx: number 0 (from 0) is NaN, expected a finite number",
        ),
        ("v.idx", idx(0x08, &[u32::MAX], &[7]), "v.idx: expected 4294967295 element(s) as its header says, found 1"),
        ("v.txt", text(""), "v.txt: expected at least one number, found none"),
        ("v.txt", text("# 1 2\n"), "v.txt: expected at least one number, found none"),
        ("v.txt", text("1\n2 x\n"), "v.txt:2: expected a finite number, found \"x\""),
        ("v.txt", text("1\nnan\n"), "v.txt:2: expected a finite number, found \"nan\""),
        ("v.txt", text("1\n2,,3\n"), "v.txt:2: expected a finite number before each comma, found \"2,,3\""),
        ("v.txt", text("1;2\n"), "v.txt:1: expected a finite number, found \"1;2\""),
        ("v.npz", text("PK\x03\x04"), "v.npz:1: expected a finite number, found \"PK\\u{3}\\u{4}\""),
    ] {
        let path = files.write(name, &bytes);
        let found = files.tell(read_vector(&path).map(|values| format!("{values:?}")));
        assert_eq!(found, expected, "{}", bytes.escape_ascii());
    }
}
