//! Sizes that are out of all proportion to a file: a few bytes could ask for all memory.

use crate::error::ReadErrorKind;

/// The most rows, or columns, that a file may have without an entry.
const FREE: usize = 1_000_000;
/// And for each entry more.
const PER_ENTRY: usize = 1_000;

pub(crate) fn limit(entries: usize) -> usize {
    FREE.saturating_add(PER_ENTRY.saturating_mul(entries))
}

/// That a shape does not declare far more `rows` than the file's `entries` account for.
pub(crate) fn check_rows(rows: usize, entries: usize) -> Result<(), ReadErrorKind> {
    let limit = limit(entries);
    if rows <= limit { Ok(()) } else { Err(ReadErrorKind::TooManyRows { rows, entries, limit }) }
}

/// That a shape or the largest index does not stand for far more `columns` than the file's `entries` account for.
pub(crate) fn check_columns(columns: usize, entries: usize) -> Result<(), ReadErrorKind> {
    let limit = limit(entries);
    if columns <= limit { Ok(()) } else { Err(ReadErrorKind::TooManyColumns { columns, entries, limit }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_must_be_in_proportion() {
        assert!(check_rows(1_000_000, 0).is_ok());
        assert!(check_rows(1_003_000, 3).is_ok());
        assert!(matches!(
            check_rows(1_003_001, 3),
            Err(ReadErrorKind::TooManyRows { rows: 1_003_001, entries: 3, limit: 1_003_000 })
        ));
        assert!(matches!(check_columns(1_003_001, 3), Err(ReadErrorKind::TooManyColumns { limit: 1_003_000, .. })));
        assert!(check_columns(usize::MAX - 1, usize::MAX / 1001).is_err());
    }
}
