//! Synthetic designs into files, of which never more than a row is in memory.
//!
//! A sparse design becomes an archive as `scipy.sparse.save_npz(..., compressed=False)` writes it, a dense one an
//! `.npy` array. The arrays of an archive follow one another, so rows are made once for each of them: that is cheaper
//! than a second file, and needs no memory. Sizes are known beforehand, so that an archive has 64-bit sizes only where
//! it must.

use std::io::{self, BufWriter, Seek, Write};
use std::ops::ControlFlow;

use npyz::{AutoSerialize, DType, NpyWriter, Serialize, WriteOptions, WriterBuilder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::error::WriteError;
use super::{Row, Synthetic};

/// Bytes between the program and the system.
const BUFFER: usize = 1 << 20;

/// Entries between two looks at who watches.
const TICK: u64 = 1 << 16;

/// More than the headers of an array take.
const HEADERS: u64 = 1 << 16;

/// How far the rows are, and who is told.
struct Watched<F> {
    watch: F,
    done: u64,
    total: u64,
    /// Entries since the last look.
    entries: u64,
}

impl<F: FnMut(u64, u64) -> ControlFlow<()>> Watched<F> {
    /// A row of `entries` is done.
    fn tick(&mut self, entries: usize) -> Result<(), WriteError> {
        self.done += 1;
        // An empty row takes time as well.
        self.entries += entries as u64 + 1;
        if self.entries < TICK && self.done < self.total {
            return Ok(());
        }
        self.entries = 0;
        if (self.watch)(self.done, self.total).is_break() { Err(WriteError::Interrupted) } else { Ok(()) }
    }
}

/// The indices of an archive: all of them of one type.
trait Index: AutoSerialize {
    /// `number`, which fits.
    fn of(number: u64) -> Self;
}

impl Index for i32 {
    fn of(number: u64) -> Self {
        number as Self
    }
}

impl Index for i64 {
    fn of(number: u64) -> Self {
        number as Self
    }
}

impl Synthetic {
    /// Writes the design to `design`, as SciPy's `.npz` if it is sparse and NumPy's `.npy` if it is dense, and the
    /// targets to `targets` as an `.npy` vector: what [`Synthetic::dataset`] holds.
    ///
    /// `watch(done, total)` is told how many rows were made out of how many, each row of a sparse design three times;
    /// `Break` ends it.
    ///
    /// # Errors
    ///
    /// [`WriteError`] if an output fails or `watch` asks for the end. What was written by then is of no use.
    pub fn write(
        &self,
        design: impl Write + Seek,
        targets: impl Write,
        watch: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<(), WriteError> {
        // SciPy's choice.
        if self.entries.max(self.columns() as u64).max(self.rows() as u64) > i32::MAX as u64 {
            self.write_with::<i64>(design, targets, watch)
        } else {
            self.write_with::<i32>(design, targets, watch)
        }
    }

    fn write_with<I: Index>(
        &self,
        design: impl Write + Seek,
        targets: impl Write,
        watch: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<(), WriteError> {
        let rows = self.rows() as u64;
        let mut watched = Watched { watch, done: 0, total: if self.is_dense() { rows } else { 3 * rows }, entries: 0 };
        let targets = BufWriter::with_capacity(BUFFER, targets);
        let mut targets = WriteOptions::new().default_dtype().shape(&[rows]).writer(targets).begin_nd()?;
        let design = BufWriter::with_capacity(BUFFER, design);
        if self.is_dense() {
            let shape = [rows, self.columns() as u64];
            let mut values = WriteOptions::new().default_dtype().shape(&shape).writer(design).begin_nd()?;
            self.write_values(&mut values, &mut targets, &mut watched)?;
            values.finish()?;
        } else {
            let mut zip = ZipWriter::new(design);
            self.write_pattern::<I>(&mut zip, &mut watched)?;
            let mut values = array(&mut zip, "data", &[self.entries], f64::default_dtype())?;
            self.write_values(&mut values, &mut targets, &mut watched)?;
            values.finish()?;
            zip.finish().map_err(io::Error::from)?.flush()?;
        }
        targets.finish()?;
        Ok(())
    }

    /// The arrays before the values.
    fn write_pattern<I: Index>(
        &self,
        zip: &mut ZipWriter<impl Write + Seek>,
        watched: &mut Watched<impl FnMut(u64, u64) -> ControlFlow<()>>,
    ) -> Result<(), WriteError> {
        let (rows, columns) = (self.rows(), self.columns());
        let text = DType::Plain("|S3".parse().map_err(io::Error::other)?);
        let mut format = array::<[u8], _>(zip, "format", &[], text)?;
        format.push(b"csr")?;
        format.finish()?;
        let mut shape = array::<i64, _>(zip, "shape", &[2], i64::default_dtype())?;
        shape.extend([rows as i64, columns as i64])?;
        shape.finish()?;
        let mut pointers = array(zip, "indptr", &[rows as u64 + 1], I::default_dtype())?;
        let mut end = 0;
        pointers.push(&I::of(end))?;
        for index in 0..rows {
            end += self.len_of(index) as u64;
            pointers.push(&I::of(end))?;
            watched.tick(0)?;
        }
        pointers.finish()?;
        let mut indices = array(zip, "indices", &[self.entries], I::default_dtype())?;
        let mut row = Row::default();
        for index in 0..rows {
            self.pattern(index, &mut row);
            indices.extend(row.columns.iter().map(|&column| I::of(column.into())))?;
            watched.tick(row.columns.len())?;
        }
        indices.finish()?;
        Ok(())
    }

    fn write_values(
        &self,
        values: &mut NpyWriter<f64, impl Write>,
        targets: &mut NpyWriter<f64, impl Write>,
        watched: &mut Watched<impl FnMut(u64, u64) -> ControlFlow<()>>,
    ) -> Result<(), WriteError> {
        let mut row = Row::default();
        for index in 0..self.rows() {
            self.row(index, &mut row);
            values.extend(row.values.iter().copied())?;
            targets.push(&row.target)?;
            watched.tick(row.values.len())?;
        }
        Ok(())
    }
}

/// Begins the array `name` of an archive, whose bytes depend on its elements alone and not on when and where it is
/// written.
fn array<'z, T: Serialize + ?Sized, W: Write + Seek>(
    zip: &'z mut ZipWriter<W>,
    name: &str,
    shape: &[u64],
    dtype: DType,
) -> io::Result<NpyWriter<T, impl Write + use<'z, T, W>>> {
    let bytes = shape.iter().product::<u64>().saturating_mul(dtype.num_bytes().unwrap_or_default() as u64);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .system(System::Unix)
        .large_file(bytes.saturating_add(HEADERS) > u32::MAX.into());
    zip.start_file(format!("{name}.npy"), options)?;
    let out = BufWriter::with_capacity(BUFFER, zip);
    WriteOptions::new().dtype(dtype).shape(shape).writer(out).begin_nd()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::limit::Limit;
    use crate::make::{Ragged, Recipe};
    use crate::npz;

    /// Indices of 64 bits are for archives of 2^31 entries, of which this is the smaller twin.
    #[test]
    fn wide_indices_hold_the_same_design() {
        let synthetic = Recipe::new(Ragged, 50, 30).per_row(4).prepare().unwrap();
        let expected = synthetic.dataset().unwrap().design;
        let mut sizes = [0; 2];
        for (size, is_wide) in sizes.iter_mut().zip([false, true]) {
            let mut out = Cursor::new(Vec::new());
            let watch = |_, _| ControlFlow::Continue(());
            let written = if is_wide {
                synthetic.write_with::<i64>(&mut out, io::sink(), watch)
            } else {
                synthetic.write_with::<i32>(&mut out, io::sink(), watch)
            };
            assert!(written.is_ok());
            *size = out.get_ref().len() as u64;
            assert_eq!(npz::read(out, Limit::new(None), *size).unwrap(), expected);
        }
        // 4 bytes more for each index and pointer.
        let indices = 4 * (synthetic.entries() + 51);
        assert!((indices..indices + 128).contains(&(sizes[1] - sizes[0])), "{sizes:?}");
    }
}
