//! What is written is read back.

mod common;

use std::fmt::Write;

use common::{Files, compressed, gz};
use danskin_core::design::Design;
use danskin_data::{Dataset, IndexBase, LabelColumn, ReadOptions, read, read_vector, write_vector};
use proptest::prelude::*;

/// Any finite number, zeros of both signs and subnormal ones included.
fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![3 => any::<f64>().prop_filter("finite", |v| v.is_finite()), 1 => Just(0.0), 1 => -1e3..1e3]
}

/// n labels and the entries (i, j, value) of an n x m matrix, each place once, in any order.
fn sparse() -> impl Strategy<Value = (usize, Vec<f64>, Vec<(usize, usize, f64)>)> {
    (1..8usize, 1..10usize).prop_flat_map(|(n, m)| {
        let places: Vec<_> = (0..n).flat_map(|i| (0..m).map(move |j| (i, j))).collect();
        let most = places.len();
        let chosen = proptest::sample::subsequence(places, 0..=most).prop_shuffle();
        (chosen, prop::collection::vec(finite(), most), prop::collection::vec(finite(), n)).prop_map(
            move |(places, values, labels)| {
                (m, labels, places.into_iter().zip(values).map(|((i, j), value)| (i, j, value)).collect())
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn svmlight((columns, labels, entries) in sparse(), one in any::<bool>(), crlf in any::<bool>()) {
        let mut text = String::new();
        for (i, label) in labels.iter().enumerate() {
            write!(text, "{label:e}").unwrap();
            for (_, j, value) in entries.iter().filter(|entry| entry.0 == i) {
                write!(text, " {}:{value:e}", j + usize::from(one)).unwrap();
            }
            text += if crlf { " # row\r\n" } else { "\n" };
        }
        let files = Files::new();
        let path = files.write("f.svm", text.as_bytes());
        let index_base = Some(if one { IndexBase::One } else { IndexBase::Zero });
        let mut options = ReadOptions { index_base, columns: Some(columns), label_column: None, max_bytes: None };
        let design = Design::from_triplets(labels.len(), columns, &entries).unwrap();
        prop_assert_eq!(read(&path, &options).unwrap(), Dataset { design, labels: Some(labels) });
        options.columns = None;
        let last = entries.iter().map(|entry| entry.1 + 1).max().unwrap_or(0);
        prop_assert_eq!(read(&path, &options).unwrap().design.columns(), last);
    }

    #[test]
    fn mtx((columns, labels, entries) in sparse(), crlf in any::<bool>(), dense in any::<bool>()) {
        let (rows, end) = (labels.len(), if crlf { "\r\n" } else { "\n" });
        let format = if dense { "array" } else { "coordinate" };
        let mut text = format!("%%MatrixMarket matrix {format} real general{end}%{end}{rows} {columns}");
        let expected = if dense {
            let mut values = vec![0.0; rows * columns];
            for &(i, j, value) in &entries {
                values[i * columns + j] = value;
            }
            text += end;
            for (j, i) in (0..columns).flat_map(|j| (0..rows).map(move |i| (j, i))) {
                write!(text, "{:e}{end}", values[i * columns + j]).unwrap();
            }
            Design::dense(rows, columns, values).unwrap()
        } else {
            write!(text, " {}{end}", entries.len()).unwrap();
            for (i, j, value) in &entries {
                write!(text, "{} {} {value}{end}", i + 1, j + 1).unwrap();
            }
            Design::from_triplets(rows, columns, &entries).unwrap()
        };
        let files = Files::new();
        let path = files.write("f.mtx", text.as_bytes());
        prop_assert_eq!(read(&path, &ReadOptions::default()).unwrap(), Dataset { design: expected, labels: None });
    }

    #[test]
    fn csv(rows in prop::collection::vec([finite(), finite(), finite()], 1..9), header in any::<bool>()) {
        let mut text = if header { "first,second,label\n".to_owned() } else { String::new() };
        for [a, b, label] in &rows {
            writeln!(text, "{a:e},{b},{label:e}").unwrap();
        }
        let files = Files::new();
        let path = files.write("f.csv.gz", &gz(text.as_bytes()));
        let options = ReadOptions { label_column: Some(LabelColumn::Last), ..ReadOptions::default() };
        let values = rows.iter().flat_map(|row| [row[0], row[1]]).collect();
        let design = Design::dense(rows.len(), 2, values).unwrap();
        let labels = Some(rows.iter().map(|row| row[2]).collect());
        prop_assert_eq!(read(&path, &options).unwrap(), Dataset { design, labels });
    }

    #[test]
    fn vectors(values in prop::collection::vec(finite(), 1..50)) {
        let files = Files::new();
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let mut array = Vec::new();
        write_vector(&mut array, &values).unwrap();
        let path = files.write("v.npy", &array);
        prop_assert_eq!(bits(&read_vector(&path).unwrap()), bits(&values));
        let text: String = values.iter().map(|v| format!("{v:e}\n")).collect();
        let path = files.write("v.txt", text.as_bytes());
        prop_assert_eq!(bits(&read_vector(&path).unwrap()), bits(&values));
    }
}

#[test]
fn every_format_in_every_compression() {
    let files = Files::new();
    for (name, text, expected) in [
        ("f.svm", "1 1:2\n-1 2:3\n", "2 x 2 sparse: 0,0=2 1,1=3; labels [1.0, -1.0]"),
        ("f.mtx", "%%MatrixMarket matrix array real general\n1 1\n3\n", "1 x 1 dense: 0,0=3"),
        ("f.idx", "\0\0\x08\x02\0\0\0\x01\0\0\0\x01!", "1 x 1 dense: 0,0=33"),
        ("f.csv", "1,2\n-1,3\n", "2 x 1 dense: 0,0=2 1,0=3; labels [1.0, -1.0]"),
    ] {
        for (ending, bytes) in compressed(text.as_bytes()) {
            let label_column = (name == "f.csv").then_some(LabelColumn::First);
            let options = ReadOptions { label_column, ..ReadOptions::default() };
            let name = format!("{name}{ending}");
            files.write(&name, &bytes);
            assert_eq!(files.read(&name, &options), expected, "{name}");
        }
    }
}

#[test]
fn vectors_are_written_as_numpy_does() {
    let mut array = Vec::new();
    write_vector(&mut array, &[1.5, -0.0]).unwrap();
    assert_eq!(array[..8], *b"\x93NUMPY\x01\x00");
    let elements = array.len() - 16;
    // NumPy aligns the elements.
    assert_eq!(elements % 64, 0);
    assert!(array[..elements].ends_with(b"\n"));
    assert_eq!(array[elements..], [1.5f64.to_le_bytes(), (-0.0f64).to_le_bytes()].concat());
}

#[test]
fn an_empty_vector_is_written_and_read() {
    let files = Files::new();
    let mut array = Vec::new();
    write_vector(&mut array, &[]).unwrap();
    assert!(read_vector(&files.write("v.npy", &array)).unwrap().is_empty());
}
