//! Malformed, odd and hostile files, each with its exact outcome: the right result, or an error of one line.

mod common;

use common::{Files, bz2, gz, npy, npy_i8, npz, sparse_npz, xz};
use danskin_data::{IndexBase, LabelColumn, ReadOptions, read_vector};

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

fn f8(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
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
    let zero = ReadOptions { index_base: IndexBase::Zero, columns: Some(3), label_column: None };
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
            (text("1;2\n3;4\n"), "f.csv:2: field 1: expected a finite number, found \"3;4\""),
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
            (
                sparse_npz("csr", &[("shape", huge.clone())]),
                "f.npz: row pointers has length 4, expected 1000000000000001",
            ),
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
            (
                sparse_npz("csc", &[("shape", wide.clone())]),
                "f.npz: column pointers has length 3, expected 1099511627777",
            ),
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
            (sparse_npz("csr", &[("indices", npy_i8(&[0]))]), "f.npz: values has length 2, expected 1"),
            (
                sparse_npz("csr", &[("indptr", npy_i8(&[0, 2, 1, 2]))]),
                "f.npz: row pointer 2 is 1, expected at least the one before",
            ),
            (sparse_npz("csr", &[("indptr", npy_i8(&[1, 1, 1, 2]))]), "f.npz: row pointer 0 is 1, expected 0"),
            (
                sparse_npz("csr", &[("indptr", npy_i8(&[0, 1, 1, 3]))]),
                "f.npz: row pointer 3 is 3, expected the number of entries",
            ),
            (sparse_npz("csr", &[("indptr", npy_i8(&[0, 2]))]), "f.npz: row pointers has length 2, expected 4"),
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
            (sparse_npz("coo", &[("row", npy_i8(&[0]))]), "f.npz: row indices has length 1, expected 2"),
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
    let expected = "expected a name that ends in .svm .svmlight .libsvm .npz .npy .csv, then optionally .gz .bz2 .xz";
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
