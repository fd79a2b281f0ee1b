//! Codes by their entries other than 0.

/// Codes of several signals as compressed rows: the entries of the k-th are `pointers[k]..pointers[k + 1]` of `indices` and
/// `values`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SparseCodes {
    /// Number of atoms, m.
    pub atoms: usize,
    /// Where each code begins, and where the last ends: one more than there are signals.
    pub pointers: Vec<usize>,
    /// Atoms, in increasing order within each code.
    pub indices: Vec<u32>,
    /// z_j of each, none of them 0.
    pub values: Vec<f64>,
}

impl SparseCodes {
    /// Number of signals.
    #[must_use]
    pub fn signals(&self) -> usize {
        self.pointers.len().saturating_sub(1)
    }

    /// The entries (j, z_j) of a code.
    ///
    /// # Panics
    ///
    /// If there are not that many signals.
    pub fn code(&self, signal: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let entries = self.pointers[signal]..self.pointers[signal + 1];
        self.indices[entries.clone()].iter().map(|&j| j as usize).zip(self.values[entries].iter().copied())
    }

    pub(super) fn with_capacity(atoms: usize, signals: usize) -> Self {
        let mut pointers = Vec::with_capacity(signals + 1);
        pointers.push(0);
        Self { atoms, pointers, ..Self::default() }
    }

    /// One code more, its entries in any order, those that are 0 left out.
    pub(super) fn push(&mut self, entries: &mut Vec<(usize, f64)>) {
        entries.sort_unstable_by_key(|&(j, _)| j);
        for &mut (j, z) in entries {
            if z != 0.0 {
                // A design has no more columns than an index can name.
                self.indices.push(j as u32);
                self.values.push(z);
            }
        }
        self.pointers.push(self.indices.len());
    }

    /// `other` after this.
    pub(super) fn append(&mut self, other: &Self) {
        let before = self.indices.len();
        self.pointers.extend(other.pointers.iter().skip(1).map(|pointer| pointer + before));
        self.indices.extend_from_slice(&other.indices);
        self.values.extend_from_slice(&other.values);
    }
}
