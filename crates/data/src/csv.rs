//! Comma-separated numbers, a dense row a line, quoted as RFC 4180 has it.
//!
//! - Every field is a finite decimal number, white space around it ignored; every row has as many fields as the first.
//! - A first row none of whose fields is a number, and one of which has a letter, is a header and is skipped.
//! - Blank lines are skipped, and those that begin with a `#`.

use std::io::{self, Read};

use ::csv::{ByteRecord, ErrorKind, Position, Reader, ReaderBuilder, Terminator, Trim};
use danskin_core::design::Design;

use crate::error::{Fault, Place, ReadErrorKind};
use crate::text::finite;
use crate::{Dataset, LabelColumn, ReadOptions};

pub(crate) fn read(input: impl Read, options: &ReadOptions) -> Result<Dataset, Fault> {
    let label_column = options.label_column.ok_or(ReadErrorKind::UnknownLabelColumn)?;
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        // A ragged row is refused here, with its line.
        .flexible(true)
        // A carriage return before the line feed is white space, which is trimmed.
        .terminator(Terminator::Any(b'\n'))
        .trim(Trim::All)
        .comment(Some(b'#'))
        .from_reader(input.chain(&b"\n"[..]));
    let mut record = ByteRecord::new();
    let Some(line) = next_row(&mut reader, &mut record)? else { return Err(ReadErrorKind::NoRows.into()) };
    let mut table = Table::new(record.len(), label_column);
    if !is_header(&record) {
        table.push(&record, line)?;
    }
    while let Some(line) = next_row(&mut reader, &mut record)? {
        table.push(&record, line)?;
    }
    table.finish()
}

/// Reads the next row that is not blank; the number of its line. Every line ends in a line feed.
fn next_row(reader: &mut Reader<impl Read>, record: &mut ByteRecord) -> Result<Option<u64>, Fault> {
    loop {
        match reader.read_byte_record(record) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                return Err(ReadErrorKind::from(io_error(error)).at(Place::Line { line: reader.position().line() }));
            }
        }
        if record.iter().eq([b""]) {
            continue;
        }
        // A record's position lies before the blank lines that lead to it, so the line it ends on is the better one,
        // but for a record that a quoted field spreads over several.
        let spread = record.iter().any(|field| field.contains(&b'\n'));
        let begin = record.position().filter(|_| spread).map(Position::line);
        return Ok(Some(begin.unwrap_or_else(|| reader.position().line() - 1)));
    }
}

/// The cause by itself, which says more than csv does of it.
fn io_error(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn is_header(record: &ByteRecord) -> bool {
    let is_number = |field: &[u8]| std::str::from_utf8(field).is_ok_and(|field| field.parse::<f64>().is_ok());
    // Digits between semicolons are no names.
    let is_name = |field: &[u8]| field.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    !record.iter().any(is_number) && record.iter().any(is_name)
}

/// Dense rows and their labels.
struct Table {
    fields: usize,
    /// The field that holds the label.
    label: Option<usize>,
    rows: usize,
    values: Vec<f64>,
    labels: Vec<f64>,
}

impl Table {
    fn new(fields: usize, label_column: LabelColumn) -> Self {
        let label = match label_column {
            LabelColumn::First => Some(0),
            LabelColumn::Last => fields.checked_sub(1),
            LabelColumn::Absent => None,
        };
        Self { fields, label, rows: 0, values: Vec::new(), labels: Vec::new() }
    }

    fn push(&mut self, record: &ByteRecord, line: u64) -> Result<(), Fault> {
        if record.len() != self.fields {
            let kind = ReadErrorKind::FieldCount { expected: self.fields, found: record.len() };
            return Err(kind.at(Place::Line { line }));
        }
        for (field, text) in record.iter().enumerate() {
            let number = finite(text).ok_or_else(|| {
                ReadErrorKind::syntax("a finite number", text).at(Place::Field { line, field: field + 1 })
            })?;
            let column = if self.label == Some(field) { &mut self.labels } else { &mut self.values };
            column.push(number);
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(self) -> Result<Dataset, Fault> {
        let columns = self.fields - usize::from(self.label.is_some());
        let design = Design::dense(self.rows, columns, self.values)?;
        Ok(Dataset { design, labels: self.label.map(|_| self.labels) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8], label_column: Option<LabelColumn>) -> Result<Dataset, String> {
        let options = ReadOptions { label_column, ..ReadOptions::default() };
        read(text, &options).map_err(|fault| fault.in_file("t".as_ref()).to_string())
    }

    #[test]
    fn labels_stand_where_they_are_said_to() {
        let text = b"1,2,3\n4,5,6\n";
        for (column, values, labels) in [
            (LabelColumn::First, vec![2.0, 3.0, 5.0, 6.0], Some(vec![1.0, 4.0])),
            (LabelColumn::Last, vec![1.0, 2.0, 4.0, 5.0], Some(vec![3.0, 6.0])),
            (LabelColumn::Absent, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], None),
        ] {
            let design = Design::dense(2, values.len() / 2, values).unwrap();
            assert_eq!(parse(text, Some(column)).unwrap(), Dataset { design, labels });
        }
        assert!(parse(text, None).unwrap_err().contains("label column"));
    }

    #[test]
    fn lines_are_counted_over_headers_blanks_and_quotes() {
        let absent = Some(LabelColumn::Absent);
        let text = "\u{feff}\"a\nb\",c\r\n\r\n\" 1 \", 2\r\n";
        assert_eq!(parse(text.as_bytes(), absent).unwrap().design, Design::dense(1, 2, vec![1.0, 2.0]).unwrap());
        let bad = format!("{text}\n# 3,4\n3,x\n");
        assert_eq!(parse(bad.as_bytes(), absent).unwrap_err(), "t:7: field 2: expected a finite number, found \"x\"");
        assert_eq!(parse(b"a,b\n1\n", absent).unwrap_err(), "t:2: expected 2 fields as in the first row, found 1");
        assert_eq!(parse(b"a,b\nc,d\n", absent).unwrap_err(), "t:2: field 1: expected a finite number, found \"c\"");
        assert_eq!(parse(b",\n1,2\n", absent).unwrap_err(), "t:1: field 1: expected a finite number, found \"\"");
        assert_eq!(
            parse(b"1;2;3\n4;5;6\n", absent).unwrap_err(),
            "t:1: field 1: expected a finite number, found \"1;2;3\""
        );
        assert_eq!(parse(b"nan,b\n", absent).unwrap_err(), "t:1: field 1: expected a finite number, found \"nan\"");
    }
}
