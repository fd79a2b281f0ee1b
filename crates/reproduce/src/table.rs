//! Numbers in columns, for a CSV file.

/// A table of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// A short name, for its file.
    pub name: &'static str,
    /// A name for each column.
    pub header: Vec<String>,
    /// Rows, each with one number for each column; NaN where there is none.
    pub rows: Vec<Vec<f64>>,
}

impl Table {
    /// An empty table with these columns.
    #[must_use]
    pub fn new<S: Into<String>>(name: &'static str, header: impl IntoIterator<Item = S>) -> Self {
        Self { name, header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// The same with these rows.
    #[must_use]
    pub fn with(self, rows: impl IntoIterator<Item = Vec<f64>>) -> Self {
        Self { rows: rows.into_iter().collect(), ..self }
    }

    /// The text of a CSV file; numbers are written so that they are read again to the bit, and missing ones are empty.
    ///
    /// # Errors
    ///
    /// If the library that writes it fails.
    pub fn csv(&self) -> Result<String, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.header)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(|v| if v.is_nan() { String::new() } else { format!("{v:e}") }))?;
        }
        let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let table = Table::new("t", ["t", "error"]).with([vec![1.0, 0.1 + 0.2], vec![2.0, f64::NAN]]);
        assert_eq!(table.csv().unwrap(), "t,error\n1e0,3.0000000000000004e-1\n2e0,\n");
    }
}
