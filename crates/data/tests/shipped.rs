//! The data sets inside the crate are what their registry says.

use danskin_data::{Distinct, LabelSummary, Shipped, Summary, shipped};
use sha2::{Digest, Sha256};

#[test]
fn bytes_and_shapes_are_registered() {
    let readme = include_str!("../datasets/README.md");
    for set in shipped() {
        let digest: String = Sha256::digest(set.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, set.sha256, "{}", set.name);
        assert!(readme.contains(set.sha256) && readme.contains(set.file), "{} in datasets/README.md", set.name);
        let dataset = set.load().unwrap();
        let design = &dataset.design;
        assert_eq!((design.rows(), design.columns(), design.entries()), (set.rows, set.columns, set.entries));
        assert_eq!(dataset.labels.unwrap().len(), set.rows);
        assert_eq!(Shipped::find(set.name).unwrap().file, set.file);
    }
    assert!(Shipped::find("nothing").is_none());
}

#[test]
fn debian_small_in_numbers() {
    let summary = Summary::of(&Shipped::find("debian_small").unwrap().load().unwrap());
    assert!(!summary.dense);
    assert_eq!((summary.empty_columns, summary.zeros, summary.distinct), (0, 0, Distinct::More));
    assert_eq!(summary.labels, Some(LabelSummary::Counts(vec![(-1.0, 4887), (1.0, 1113)])));
}

#[test]
fn digits_in_numbers() {
    let summary = Summary::of(&Shipped::find("digits").unwrap().load().unwrap());
    assert!(summary.dense);
    assert_eq!((summary.rows, summary.columns, summary.entries), (1797, 64, 115_008));
    // The top left and bottom left cells, and one at the left edge, are never touched.
    assert_eq!((summary.empty_rows, summary.empty_columns), (0, 3));
    assert_eq!((summary.range, summary.distinct), (Some((0.0, 16.0)), Distinct::Exactly(17)));
    let Some(LabelSummary::Counts(counts)) = summary.labels else { panic!("ten labels") };
    assert_eq!(counts.len(), 10);
    assert_eq!(counts[0], (0.0, 178));
}
