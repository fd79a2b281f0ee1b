//! svmlight text, a sparse row a line: `LABEL [qid:Q] INDEX:VALUE ... [# comment]`.
//!
//! - LABEL and VALUE are finite decimal numbers; a value may be 0 and is kept.
//! - INDEX is a decimal integer, from 1 or from 0 on ([`crate::IndexBase`]), in any order, each at most once in a row.
//! - Q, an integer that groups rows for ranking, is checked and ignored.
//! - Words are separated by ASCII white space; a line that has none but in its comment is skipped.

use std::io::BufRead;

use danskin_core::design::Design;

use crate::error::{Fault, ReadErrorKind, excerpt};
use crate::text::{Line, Lines, digits, finite, words};
use crate::{Dataset, IndexBase, ReadOptions};

pub(crate) fn read(input: impl BufRead, options: &ReadOptions) -> Result<Dataset, Fault> {
    let mut rows = Rows::new(options);
    let mut lines = Lines::new(input, b'#');
    while let Some(line) = lines.next()? {
        rows.push(line)?;
    }
    rows.finish(options.columns)
}

/// Compressed rows that grow line by line.
struct Rows {
    indexing: Indexing,
    labels: Vec<f64>,
    pointers: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
    /// Scratch: the indices of one unsorted row.
    sorted: Vec<u32>,
}

impl Rows {
    fn new(options: &ReadOptions) -> Self {
        Self {
            indexing: Indexing::new(options),
            labels: Vec::new(),
            pointers: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
            sorted: Vec::new(),
        }
    }

    fn push(&mut self, line: Line<'_>) -> Result<(), Fault> {
        let mut words = words(line.text).peekable();
        let Some(label) = words.next() else { return Ok(()) };
        self.labels.push(finite(label).ok_or_else(|| line.expected("a finite number as label", label))?);
        if let Some(word) = words.next_if(|word| word.starts_with(b"qid:")) {
            let query = std::str::from_utf8(&word[4..]).ok().and_then(|query| query.parse::<u64>().ok());
            query.ok_or_else(|| line.expected("qid:INTEGER", word))?;
        }
        for word in words {
            let Some(colon) = word.iter().position(|&byte| byte == b':') else {
                return Err(line.expected("INDEX:VALUE", word));
            };
            let (index, value) = (&word[..colon], &word[colon + 1..]);
            self.indices.push(self.indexing.column(index).map_err(|kind| line.fault(kind))?);
            self.values.push(finite(value).ok_or_else(|| line.expected("INDEX:VALUE with a finite value", word))?);
        }
        self.end_row().map_err(|kind| line.fault(kind))
    }

    /// Ends a row, whose indices must differ.
    fn end_row(&mut self) -> Result<(), ReadErrorKind> {
        let row = &self.indices[self.pointers[self.pointers.len() - 1]..];
        if !row.is_sorted_by(|a, b| a < b) {
            self.sorted.clear();
            self.sorted.extend_from_slice(row);
            self.sorted.sort_unstable();
            if let Some(pair) = self.sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(ReadErrorKind::DuplicateIndex { index: pair[0] as usize + self.indexing.base });
            }
        }
        self.pointers.push(self.indices.len());
        Ok(())
    }

    fn finish(self, columns: Option<usize>) -> Result<Dataset, Fault> {
        let columns = columns.unwrap_or_else(|| self.indices.iter().max().map_or(0, |&last| last as usize + 1));
        let design = Design::from_csr(self.labels.len(), columns, self.pointers, self.indices, self.values)?;
        Ok(Dataset { design, labels: Some(self.labels) })
    }
}

/// How a file names columns.
struct Indexing {
    base: usize,
    /// Number of columns, or the most that a design has.
    columns: usize,
}

impl Indexing {
    fn new(options: &ReadOptions) -> Self {
        let base = match options.index_base.unwrap_or_default() {
            IndexBase::Zero => 0,
            IndexBase::One => 1,
        };
        let most = u32::MAX as usize;
        Self { base, columns: options.columns.map_or(most, |columns| columns.min(most)) }
    }

    /// The column, from 0, that the digits of `index` name.
    fn column(&self, index: &[u8]) -> Result<u32, ReadErrorKind> {
        let number = digits(index).ok_or_else(|| ReadErrorKind::syntax("an integer before the colon", index))?;
        // What saturates is out of range all the same: fewer than 2^32 columns exist.
        number
            .checked_sub(self.base as u64)
            .filter(|&column| column < self.columns as u64)
            .map(|column| column as u32)
            .ok_or_else(|| ReadErrorKind::Index { columns: self.columns, base: self.base, found: excerpt(index) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8], options: ReadOptions) -> Result<Dataset, String> {
        read(text, &options).map_err(|fault| fault.in_file("t".as_ref()).to_string())
    }

    fn rows(text: &str) -> (Vec<f64>, Vec<(usize, usize, f64)>) {
        let dataset = parse(text.as_bytes(), ReadOptions::default()).unwrap();
        let mut entries = Vec::new();
        dataset.design.for_each_entry(|i, j, v| entries.push((i, j, v)));
        (dataset.labels.unwrap(), entries)
    }

    #[test]
    fn every_part_of_a_line_is_optional_but_its_label() {
        let text = "\u{feff}# head\n+1 qid:7 3:1.5 1:-2e-1 # tail\r\n\r\n  -1\t\n0.5 2:0#x 9:9";
        assert_eq!(rows(text), (vec![1.0, -1.0, 0.5], vec![(0, 0, -0.2), (0, 2, 1.5), (2, 1, 0.0)]));
    }

    #[test]
    fn base_and_columns_bound_the_indices() {
        let zero = ReadOptions { index_base: Some(IndexBase::Zero), columns: Some(3), ..ReadOptions::default() };
        let design = parse(b"1 0:1 2:2", zero).unwrap().design;
        assert_eq!((design.columns(), design.entries()), (3, 2));
        assert_eq!(parse(b"1 3:1", zero).unwrap_err(), "t:1: expected an index into 3 columns counted from 0, found 3");
        let one = ReadOptions { columns: Some(3), ..ReadOptions::default() };
        assert_eq!(parse(b"1 3:1", one).unwrap().design.columns(), 3);
        for index in ["0", "4", "18446744073709551617"] {
            let expected = format!("t:2: expected an index into 3 columns counted from 1, found {index}");
            assert_eq!(parse(format!("\n1 {index}:1").as_bytes(), one).unwrap_err(), expected);
        }
        assert_eq!(parse(b"1 1:1", ReadOptions { columns: Some(0), ..one }).unwrap_err().lines().count(), 1);
    }

    #[test]
    fn the_last_index_that_fits_is_read_if_so_many_columns_are_meant() {
        let meant = ReadOptions { columns: Some(u32::MAX as usize), ..ReadOptions::default() };
        assert_eq!(parse(b"1 4294967295:1", meant).unwrap().design.columns(), u32::MAX as usize);
        assert!(parse(b"1 4294967296:1", meant).is_err());
    }
}
