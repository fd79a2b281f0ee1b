//! Matrix Market text: `%%MatrixMarket matrix FORMAT FIELD SYMMETRY`, a line of sizes, then one entry a line.
//!
//! | | |
//! |---|---|
//! | FORMAT | `coordinate`: sparse, `ROW COLUMN VALUE` from 1 on, in any order; `array`: dense, values column by column |
//! | FIELD | `real`, `integer`, `pattern` (coordinate alone: no values, all are 1); `complex` is refused |
//! | SYMMETRY | `general`; `symmetric` and `skew-symmetric` hold one triangle, which is mirrored; `hermitian` is refused |
//!
//! - A symmetric file holds the diagonal and what is below it, a skew-symmetric one what is below.
//! - Explicit zeros are kept. Two entries in one place are refused, though others would add them.
//! - What follows a `%` is a comment; blank lines are skipped; upper and lower case are the same.
//!
//! Source: R. Boisvert, R. Pozo and K. Remington, The Matrix Market Exchange Formats, NISTIR 5935, 1996. The reader of sprs
//! reserves what the sizes declare and knows no lines, so this one is its own.

use std::io::BufRead;

use danskin_core::design::{Design, DesignError};

use crate::error::{Fault, Place, ReadErrorKind, excerpt};
use crate::proportion::check_rows;
use crate::text::{Line, Lines, digits, finite, words};

const COMMENT: u8 = b'%';

pub(crate) fn read(input: impl BufRead) -> Result<Design, Fault> {
    let mut lines = Lines::new(input, COMMENT);
    let header = Header::read(&mut lines)?;
    match header.format {
        Format::Coordinate => read_coordinate(&mut lines, header),
        Format::Array => read_array(&mut lines, header),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Coordinate,
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Real,
    Integer,
    Pattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symmetry {
    General,
    Symmetric,
    Skew,
}

const FORMATS: [(&str, Format); 2] = [("coordinate", Format::Coordinate), ("array", Format::Array)];
/// Files with one percent sign are about, and read by others.
const BANNERS: [&str; 2] = ["%%MatrixMarket", "%MatrixMarket"];
/// `double` and `unsigned-integer` are no words of the format, but others write them.
const FIELDS: [(&str, Field); 5] = [
    ("real", Field::Real),
    ("integer", Field::Integer),
    ("pattern", Field::Pattern),
    ("double", Field::Real),
    ("unsigned-integer", Field::Integer),
];
const SYMMETRIES: [(&str, Symmetry); 3] =
    [("general", Symmetry::General), ("symmetric", Symmetry::Symmetric), ("skew-symmetric", Symmetry::Skew)];

/// What the first line says.
#[derive(Clone, Copy)]
struct Header {
    format: Format,
    field: Field,
    symmetry: Symmetry,
}

impl Header {
    fn read(lines: &mut Lines<impl BufRead>) -> Result<Self, Fault> {
        const EXPECTED: &str = "%%MatrixMarket matrix FORMAT FIELD SYMMETRY";
        let Some(line) = lines.next_whole()? else { return Err(lines.fault(ReadErrorKind::syntax(EXPECTED, b""))) };
        let words: Vec<_> = words(line.text).take(6).collect();
        let &[banner, object, format, field, symmetry] = &words[..] else {
            return Err(line.expected(EXPECTED, line.text.trim_ascii()));
        };
        if !BANNERS.iter().any(|name| banner.eq_ignore_ascii_case(name.as_bytes())) {
            return Err(line.expected(EXPECTED, line.text.trim_ascii()));
        }
        if !object.eq_ignore_ascii_case(b"matrix") {
            return Err(line.expected("matrix", object));
        }
        let header = Self {
            format: one_of(&FORMATS, format).ok_or_else(|| line.expected("coordinate or array", format))?,
            field: one_of(&FIELDS, field).ok_or_else(|| line.expected("real, integer or pattern", field))?,
            symmetry: one_of(&SYMMETRIES, symmetry)
                .ok_or_else(|| line.expected("general, symmetric or skew-symmetric", symmetry))?,
        };
        match header {
            Self { format: Format::Array, field: Field::Pattern, .. } => {
                Err(line.expected("real or integer for an array", field))
            }
            Self { field: Field::Pattern, symmetry: Symmetry::Skew, .. } => {
                Err(line.expected("general or symmetric for a pattern", symmetry))
            }
            header => Ok(header),
        }
    }

    /// The sizes on the first line that is no comment: as many as `names` has words, the first two of them rows and
    /// columns.
    fn sizes<const N: usize>(self, lines: &mut Lines<impl BufRead>, names: &'static str) -> Result<[usize; N], Fault> {
        let Some(line) = lines.next_filled()? else { return Err(lines.fault(ReadErrorKind::syntax(names, b""))) };
        let sizes: Option<Vec<_>> = words(line.text).take(N + 1).map(size).collect();
        let sizes: Option<[usize; N]> = sizes.and_then(|sizes| sizes.try_into().ok());
        let sizes = sizes.ok_or_else(|| line.expected(names, line.text.trim_ascii()))?;
        if self.symmetry != Symmetry::General && sizes[0] != sizes[1] {
            return Err(line.expected("as many rows as columns, for it is symmetric", line.text.trim_ascii()));
        }
        Ok(sizes)
    }

    /// The finite number that `text` spells.
    fn value(self, text: &[u8]) -> Option<f64> {
        if self.field == Field::Integer {
            // Wider than any integer that is written, so that none overflows; beyond 2^53 it is rounded.
            return std::str::from_utf8(text).ok()?.parse().ok().map(|value: i128| value as f64);
        }
        finite(text)
    }

    fn kind(self) -> &'static str {
        if self.field == Field::Integer { "an integer" } else { "a finite number" }
    }
}

fn one_of<T: Copy>(names: &[(&str, T)], word: &[u8]) -> Option<T> {
    names.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|&(_, meaning)| meaning)
}

fn size(text: &[u8]) -> Option<usize> {
    digits(text).and_then(|size| usize::try_from(size).ok())
}

fn read_coordinate(lines: &mut Lines<impl BufRead>, header: Header) -> Result<Design, Fault> {
    let [rows, columns, declared] = header.sizes(lines, "ROWS COLUMNS ENTRIES")?;
    let mut entries = Entries { rows, columns, entries: Vec::new(), runs: Vec::new() };
    while let Some(line) = lines.next_filled()? {
        if entries.entries.len() == declared {
            return Err(line.fault(ReadErrorKind::TrailingBytes { expected: declared as u64 }));
        }
        entries.push(line, header)?;
    }
    let found = entries.entries.len();
    if found < declared {
        return Err(lines.fault(ReadErrorKind::Truncated { expected: declared as u64, found: found as u64 }));
    }
    entries.finish(header.symmetry)
}

/// Entries as they come.
struct Entries {
    rows: usize,
    columns: usize,
    entries: Vec<(usize, usize, f64)>,
    /// The number of an entry and its line, wherever that is not the line after the one of the entry before.
    runs: Vec<(usize, u64)>,
}

impl Entries {
    fn push(&mut self, line: Line<'_>, header: Header) -> Result<(), Fault> {
        let mut words = words(line.text);
        let (row, column) = (words.next(), words.next());
        let value = if header.field == Field::Pattern { Some(&b"1"[..]) } else { words.next() };
        let (Some(row), Some(column), Some(value), None) = (row, column, value, words.next()) else {
            let expected = if header.field == Field::Pattern { "ROW COLUMN" } else { "ROW COLUMN VALUE" };
            return Err(line.expected(expected, line.text.trim_ascii()));
        };
        let row = index(row, self.rows)
            .ok_or_else(|| line.fault(ReadErrorKind::RowIndex { rows: self.rows, base: 1, found: excerpt(row) }))?;
        let column = index(column, self.columns).ok_or_else(|| {
            line.fault(ReadErrorKind::Index { columns: self.columns, base: 1, found: excerpt(column) })
        })?;
        let value = header.value(value).ok_or_else(|| line.expected(header.kind(), value))?;
        match header.symmetry {
            Symmetry::Symmetric if row < column => {
                return Err(
                    line.expected("an entry on or below the diagonal, for it is symmetric", line.text.trim_ascii())
                );
            }
            Symmetry::Skew if row <= column => {
                return Err(
                    line.expected("an entry below the diagonal, for it is skew-symmetric", line.text.trim_ascii())
                );
            }
            _ => {}
        }
        let place = self.entries.len();
        if self.line(place) != line.number {
            self.runs.push((place, line.number));
        }
        self.entries.push((row, column, value));
        Ok(())
    }

    /// The line of entry `place`, from 0; were it the next one, that after the last.
    fn line(&self, place: usize) -> u64 {
        let run = self.runs.partition_point(|&(first, _)| first <= place);
        self.runs[..run].last().map_or(0, |&(first, line)| line + (place - first) as u64)
    }

    fn finish(mut self, symmetry: Symmetry) -> Result<Design, Fault> {
        let stored = self.entries.len();
        check_rows(self.rows, stored)?;
        let sign = match symmetry {
            Symmetry::General => None,
            Symmetry::Symmetric => Some(1.0),
            Symmetry::Skew => Some(-1.0),
        };
        if let Some(sign) = sign {
            for place in 0..stored {
                let (row, column, value) = self.entries[place];
                if row != column {
                    self.entries.push((column, row, sign * value));
                }
            }
        }
        Design::from_triplets(self.rows, self.columns, &self.entries).map_err(|error| match error {
            DesignError::Duplicate { row, column } => {
                self.entries.truncate(stored);
                self.twice(row, column, sign.is_some()).unwrap_or_else(|| error.into())
            }
            error => error.into(),
        })
    }

    /// That there are two entries at `row` and `column`, or at its mirror image.
    fn twice(&self, row: usize, column: usize, mirrored: bool) -> Option<Fault> {
        let here = |&(i, j, _): &(usize, usize, f64)| (i, j) == (row, column) || mirrored && (j, i) == (row, column);
        let mut places = self.entries.iter().enumerate().filter(|(_, entry)| here(entry)).map(|(place, _)| place);
        let (first, second) = (places.next()?, places.next()?);
        let (row, column, _) = self.entries[second];
        let kind = ReadErrorKind::DuplicateEntry { row: row + 1, column: column + 1, first: self.line(first) };
        Some(kind.at(Place::Line { line: self.line(second) }))
    }
}

/// The index, from 0, that `text` counts from 1, if it is below `size`.
fn index(text: &[u8], size: usize) -> Option<usize> {
    let index = usize::try_from(digits(text)?.checked_sub(1)?).ok()?;
    (index < size).then_some(index)
}

fn read_array(lines: &mut Lines<impl BufRead>, header: Header) -> Result<Design, Fault> {
    let [rows, columns] = header.sizes(lines, "ROWS COLUMNS")?;
    let square = rows as u128 * columns as u128;
    let declared = match header.symmetry {
        Symmetry::General => square,
        Symmetry::Symmetric => square - (square - rows as u128) / 2,
        Symmetry::Skew => (square - rows as u128) / 2,
    };
    let declared = u64::try_from(declared).map_err(|_| lines.fault(ReadErrorKind::SizeOverflow { rows, columns }))?;
    let mut values = Vec::new();
    while let Some(line) = lines.next_filled()? {
        if values.len() as u64 == declared {
            return Err(line.fault(ReadErrorKind::TrailingBytes { expected: declared }));
        }
        let text = line.text.trim_ascii();
        values.push(header.value(text).ok_or_else(|| line.expected(header.kind(), text))?);
    }
    if (values.len() as u64) < declared {
        return Err(lines.fault(ReadErrorKind::Truncated { expected: declared, found: values.len() as u64 }));
    }
    // 0 entries account for no rows, whatever is declared.
    check_rows(rows, values.len())?;
    Ok(Design::dense(rows, columns, by_rows(rows, columns, &values, header.symmetry))?)
}

/// The matrix row by row, of which `values` holds the columns or a triangle of them. There are as many as that takes.
fn by_rows(rows: usize, columns: usize, values: &[f64], symmetry: Symmetry) -> Vec<f64> {
    let mut matrix = vec![0.0; rows * columns];
    let mut next = values.iter().copied();
    for column in 0..columns {
        let first = match symmetry {
            Symmetry::General => 0,
            Symmetry::Symmetric => column,
            Symmetry::Skew => column + 1,
        };
        for (row, value) in (first..rows).zip(next.by_ref()) {
            matrix[row * columns + column] = value;
            match symmetry {
                Symmetry::General => {}
                Symmetry::Symmetric => matrix[column * columns + row] = value,
                Symmetry::Skew => matrix[column * columns + row] = -value,
            }
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Design, String> {
        read(text.as_bytes()).map_err(|fault| fault.in_file("t".as_ref()).to_string())
    }

    fn coordinate(words: &str, lines: &str) -> Result<Design, String> {
        parse(&format!("%%MatrixMarket matrix coordinate {words}\n{lines}"))
    }

    fn array(words: &str, lines: &str) -> Result<Design, String> {
        parse(&format!("%%MatrixMarket matrix array {words}\n{lines}"))
    }

    #[test]
    fn every_field_and_symmetry_of_coordinates() {
        let design = |triplets: &[_]| Ok(Design::from_triplets(2, 2, triplets).unwrap());
        let full = [(0, 0, 1.0), (0, 1, 3.0), (1, 0, 3.0), (1, 1, 0.0)];
        assert_eq!(coordinate("real general", "2 2 4\n2 2 0\n1 2 3e0\n1 1 1\n2 1 3"), design(&full));
        assert_eq!(coordinate("integer symmetric", "2 2 3\n1 1 1\n2 1 3\n2 2 0\n"), design(&full));
        assert_eq!(coordinate("real skew-symmetric", "2 2 1\n2 1 3\n"), design(&[(0, 1, -3.0), (1, 0, 3.0)]));
        assert_eq!(coordinate("pattern general", "2 2 1\n1 2\n"), design(&[(0, 1, 1.0)]));
        assert_eq!(coordinate("pattern symmetric", "2 2 1\n2 1\n"), design(&[(0, 1, 1.0), (1, 0, 1.0)]));
        assert_eq!(coordinate("real general", "2 2 0"), design(&[]));
    }

    #[test]
    fn every_field_and_symmetry_of_arrays() {
        let design = |rows, columns, values: &[f64]| Ok(Design::dense(rows, columns, values.to_vec()).unwrap());
        assert_eq!(array("real general", "2 3\n1\n2\n3\n4\n5\n6\n"), design(2, 3, &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0]));
        let values = "3 3\n1\n2\n3\n4\n5\n6\n";
        let symmetric = [1.0, 2.0, 3.0, 2.0, 4.0, 5.0, 3.0, 5.0, 6.0];
        assert_eq!(array("integer symmetric", values), design(3, 3, &symmetric));
        let skew = [0.0, -1.0, -2.0, 1.0, 0.0, -3.0, 2.0, 3.0, 0.0];
        assert_eq!(array("real skew-symmetric", "3 3\n1\n2\n3\n"), design(3, 3, &skew));
        assert_eq!(array("real skew-symmetric", "1 1\n"), design(1, 1, &[0.0]));
        assert_eq!(array("real skew-symmetric", "0 0\n"), design(0, 0, &[]));
        assert_eq!(array("real general", "2 0\n"), design(2, 0, &[]));
    }

    #[test]
    fn a_second_entry_is_found_on_its_line() {
        let twice = "3 3 4\n% a\n3 1 1\n2 1 1\n\n1 1 1\n% b\n2 1 5\n";
        let message = "t:9: expected each entry once, found row 2, column 1 as on line 5 (indices as the file counts)";
        assert_eq!(coordinate("real general", twice).unwrap_err(), message);
        assert_eq!(coordinate("real symmetric", twice).unwrap_err(), message);
    }
}
