//! Synthetic designs of any size, with targets that come from a planted z.
//!
//! A [`Recipe`] says what, [`Recipe::prepare`] checks it and gives a [`Synthetic`], which makes any row at any time
//! ([`Synthetic::row`]), all of them in memory ([`Synthetic::dataset`]) or into a file that need not fit into memory
//! ([`Synthetic::write`]).
//!
//! z is normal, of a size that gives u = D z a standard deviation of about 1 (2 for labels), and the targets come from
//! u as [`Task`] says. Values are normal, of a size that gives a row a norm of about 1, or all 1.
//!
//! The same recipe gives the same bits on every machine: each row has streams of random numbers of its own, and neither
//! the system's logarithms nor the order in which rows are made has a say ([`Task::Counts`] has the one exception).
//!
//! ```
//! use danskin_data::make::{Recipe, Task, Zipf};
//!
//! let synthetic = Recipe::new(Zipf, 1000, 200).per_row(10).task(Task::Regression).seed(1).prepare()?;
//! let dataset = synthetic.dataset()?;
//! assert_eq!((dataset.design.rows(), dataset.design.entries()), (1000, 10_000));
//! assert_eq!((dataset.labels.unwrap().len(), synthetic.planted().len()), (1000, 200));
//! # Ok::<(), danskin_data::make::MakeError>(())
//! ```

mod draw;
mod error;
mod kind;
mod task;
mod write;

use danskin_core::design::Design;

use draw::{Draw, Purpose, Taken};
use error::reserve;
pub use error::{MakeError, UnknownName, WriteError};
pub use kind::{Banded, Binary, Gaussian, Kind, LowRank, Ragged, Zipf};
use kind::{Rows, Shape, Storage, Values};
pub use task::Task;

use crate::Dataset;
use crate::proportion;

/// The most entries: those of 8 EiB, which is all that a file may have.
const MOST_ENTRIES: u64 = 1 << 60;

/// The largest noise. Beyond it D z, of size 1, has no bit left in a target.
const MOST_NOISE: f64 = 1e9;

/// The most bytes for each column that preparing any kind of sparse rows takes: weights, aliases, ranks and z.
const BYTES_PER_COLUMN: u64 = 32;

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Recipe {
    kind: Kind,
    rows: usize,
    columns: usize,
    fill: Option<Fill>,
    task: Task,
    noise: Option<f64>,
    seed: u64,
}

/// How many entries a row has.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fill {
    PerRow(usize),
    Density(f64),
}

impl Recipe {
    /// n = `rows` rows of m = `columns` columns: logistic labels, seed 0.
    pub fn new(kind: impl Into<Kind>, rows: usize, columns: usize) -> Self {
        let kind = kind.into();
        Self { kind, rows, columns, fill: None, task: Task::default(), noise: None, seed: 0 }
    }

    /// So many entries in a row, from 1 to m; of [`Ragged`] in the mean.
    pub fn per_row(self, entries: usize) -> Self {
        Self { fill: Some(Fill::PerRow(entries)), ..self }
    }

    /// This share of all entries, above 0 and at most 1: of each row, rounded, at least 1 entry.
    pub fn density(self, share: f64) -> Self {
        Self { fill: Some(Fill::Density(share)), ..self }
    }

    /// What the targets are.
    pub fn task(self, task: Task) -> Self {
        Self { task, ..self }
    }

    /// The standard deviation of what is added to D z before targets come from it, from 0 to 1e9; without it 0.1 for
    /// [`Task::Regression`] and 0 else.
    pub fn noise(self, deviation: f64) -> Self {
        Self { noise: Some(deviation), ..self }
    }

    /// Where all random numbers begin.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Checks the recipe, and makes what all rows share: z, and tables as long as a row.
    ///
    /// # Errors
    ///
    /// [`MakeError`] if a number is out of its range or the memory is too small.
    pub fn prepare(self) -> Result<Synthetic, MakeError> {
        let shape = self.shape()?;
        let noise = self.noise.unwrap_or(self.task.noise());
        if !(0.0..=MOST_NOISE).contains(&noise) {
            return Err(MakeError::Noise { found: noise, most: MOST_NOISE });
        }
        // Asked for at once and given back: what is taken bit by bit would end the program instead.
        reserve(&mut Vec::<u8>::new(), BYTES_PER_COLUMN.saturating_mul(self.columns as u64))?;
        let rows = self.kind.prepare(shape, &mut Draw::new(self.seed, Purpose::Kind, 0))?;
        let norm = match &rows {
            Rows::Sparse { values: Values::Ones, .. } => (shape.per_row as f64).sqrt(),
            _ => 1.0,
        };
        let scale = self.task.signal() / norm;
        let mut draw = Draw::new(self.seed, Purpose::Planted, 0);
        let z = (0..self.columns).map(|_| scale * draw.normal()).collect();
        let mut synthetic = Synthetic { recipe: self, shape, noise, rows, z, entries: 0 };
        synthetic.entries = match &synthetic.rows {
            Rows::Sparse { pattern, .. } if pattern.is_ragged() => {
                (0..self.rows).map(|row| synthetic.len_of(row) as u64).sum()
            }
            // Checked to be few enough.
            _ => shape.rows as u64 * shape.per_row as u64,
        };
        check_columns(self.columns, synthetic.entries)?;
        Ok(synthetic)
    }

    fn shape(&self) -> Result<Shape, MakeError> {
        let Self { kind, rows, columns, .. } = *self;
        for (what, count) in [("row", rows), ("column", columns)] {
            if count == 0 {
                return Err(MakeError::Empty { what });
            }
        }
        let per_row = match self.fill {
            None => None,
            Some(Fill::PerRow(entries)) if (1..=columns).contains(&entries) => Some(entries),
            Some(Fill::PerRow(found)) => return Err(MakeError::PerRow { found, columns }),
            // A share of m: the conversion is exact enough, and at most m.
            Some(Fill::Density(share)) if share > 0.0 && share <= 1.0 => {
                Some(((share * columns as f64).round() as usize).clamp(1, columns))
            }
            Some(Fill::Density(found)) => return Err(MakeError::Density { found }),
        };
        let name = kind.name();
        let (per_row, is_dense) = match (kind.storage(), per_row) {
            (Storage::Sparse, None) => return Err(MakeError::NoFill { kind: name }),
            (Storage::Dense, Some(_)) => return Err(MakeError::FillOfDense { kind: name }),
            (Storage::Sparse | Storage::Either, Some(entries)) => (entries, false),
            (Storage::Dense | Storage::Either, None) => (columns, true),
        };
        let entries = (rows as u64).checked_mul(per_row as u64).filter(|&entries| entries <= MOST_ENTRIES);
        let entries = entries.ok_or(MakeError::TooManyEntries { rows, per_row, most: MOST_ENTRIES })?;
        check_columns(columns, entries)?;
        Ok(Shape { rows, columns, per_row, is_dense })
    }
}

/// That a reader takes so many columns.
fn check_columns(columns: usize, entries: u64) -> Result<(), MakeError> {
    let limit = proportion::limit(usize::try_from(entries).unwrap_or(usize::MAX)).min(u32::MAX as usize);
    if columns <= limit { Ok(()) } else { Err(MakeError::TooManyColumns { columns, entries, limit }) }
}

/// A design that is made row by row.
#[derive(Debug)]
pub struct Synthetic {
    recipe: Recipe,
    shape: Shape,
    noise: f64,
    rows: Rows,
    z: Vec<f64>,
    entries: u64,
}

/// A row and its target. One value serves for any number of rows, and allocates for the longest.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The columns of the entries, increasing; empty for a dense row.
    pub columns: Vec<u32>,
    /// The values of the entries.
    pub values: Vec<f64>,
    /// y_i.
    pub target: f64,
    taken: Taken,
}

impl Synthetic {
    /// Number of rows, n.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Number of columns, m.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.shape.columns
    }

    /// Number of stored entries; n m of a dense design.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Whether rows are stored without a pattern.
    #[must_use]
    pub fn is_dense(&self) -> bool {
        self.shape.is_dense
    }

    /// What the rows look like.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.recipe.kind
    }

    /// What the targets are.
    #[must_use]
    pub fn task(&self) -> Task {
        self.recipe.task
    }

    /// The planted z, of length m, from which the targets come.
    #[must_use]
    pub fn planted(&self) -> &[f64] {
        &self.z
    }

    /// Makes row `index`, from 0.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, index: usize, row: &mut Row) {
        self.pattern(index, row);
        let mut draw = self.draw(Purpose::Values, index);
        let u = match &self.rows {
            Rows::Sparse { values, .. } => {
                row.values.resize(row.columns.len(), 0.0);
                values.fill(&mut draw, &mut row.values);
                let entries = row.columns.iter().zip(&row.values);
                // A sum of nothing would be -0.
                entries.fold(0.0, |u, (&column, value)| u + value * self.z[column as usize])
            }
            Rows::Dense(dense) => {
                row.values.resize(self.shape.columns, 0.0);
                dense.fill(&mut draw, &mut row.values);
                row.values.iter().zip(&self.z).fold(0.0, |u, (value, z)| u + value * z)
            }
        };
        let mut draw = self.draw(Purpose::Target, index);
        let noise = if self.noise > 0.0 { self.noise * draw.normal() } else { 0.0 };
        row.target = self.recipe.task.draw(u + noise, &mut draw);
    }

    /// All rows in memory, the targets as labels.
    ///
    /// # Errors
    ///
    /// [`MakeError::OutOfMemory`] if they do not fit.
    ///
    /// # Panics
    ///
    /// Never: rows are made as a design has them.
    pub fn dataset(&self) -> Result<Dataset, MakeError> {
        let Shape { rows, columns, is_dense, .. } = self.shape;
        let (mut pointers, mut indices, mut values, mut labels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        reserve(&mut labels, rows as u64)?;
        reserve(&mut values, self.entries)?;
        if !is_dense {
            reserve(&mut pointers, rows as u64 + 1)?;
            reserve(&mut indices, self.entries)?;
            pointers.push(0);
        }
        let mut row = Row::default();
        for index in 0..rows {
            self.row(index, &mut row);
            values.extend_from_slice(&row.values);
            labels.push(row.target);
            if !is_dense {
                indices.extend_from_slice(&row.columns);
                pointers.push(indices.len());
            }
        }
        let design = if is_dense {
            Design::dense(rows, columns, values)
        } else {
            Design::from_csr(rows, columns, pointers, indices, values)
        };
        Ok(Dataset { design: design.expect("sorted, distinct and finite entries"), labels: Some(labels) })
    }

    fn draw(&self, purpose: Purpose, row: usize) -> Draw {
        Draw::new(self.recipe.seed, purpose, row as u64)
    }

    /// The number of entries of row `index`.
    fn len_of(&self, index: usize) -> usize {
        match &self.rows {
            Rows::Sparse { pattern, .. } => pattern.len(&mut self.draw(Purpose::Pattern, index)),
            Rows::Dense(_) => self.shape.columns,
        }
    }

    /// Makes the columns of row `index`.
    fn pattern(&self, index: usize, row: &mut Row) {
        assert!(index < self.shape.rows, "row {index} of {}", self.shape.rows);
        if let Rows::Sparse { pattern, .. } = &self.rows {
            let mut draw = self.draw(Purpose::Pattern, index);
            let len = pattern.len(&mut draw);
            pattern.fill(index, len, &mut draw, &mut row.taken, &mut row.columns);
        } else {
            row.columns.clear();
        }
    }
}
