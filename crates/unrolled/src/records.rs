//! Vectors of one length, in chunks that are touched once: growing copies nothing.

/// Numbers of a chunk, about: 1 MiB, so that little is wasted.
const CHUNK_LEN: usize = 1 << 17;

/// Up to `most` vectors of `len` numbers each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    chunks: Vec<Vec<f64>>,
    len: usize,
    most: usize,
    allocated: usize,
}

impl Records {
    /// Makes room for `most` vectors of length `len`. Memory is kept where neither changes.
    pub(crate) fn fit(&mut self, len: usize, most: usize) {
        if (len, most) != (self.len, self.most) {
            *self = Self { chunks: Vec::new(), len, most, allocated: 0 };
        }
    }

    /// Numbers of each.
    pub(crate) fn each(&self) -> usize {
        self.len
    }

    /// The vector of `index`.
    ///
    /// # Panics
    ///
    /// If it was never written.
    pub(crate) fn get(&self, index: usize) -> &[f64] {
        let (chunk, range) = self.place(index);
        &self.chunks[chunk][range]
    }

    /// The vector of `index`, to be written: all before it must have been.
    ///
    /// # Errors
    ///
    /// The numbers of a new chunk that could not be allocated.
    pub(crate) fn get_mut(&mut self, index: usize) -> Result<&mut [f64], usize> {
        let (chunk, range) = self.place(index);
        if chunk == self.chunks.len() {
            let rest = self.most - chunk * self.per_chunk();
            let len = self.per_chunk().min(rest).saturating_mul(self.len);
            let mut fresh = Vec::new();
            fresh.try_reserve_exact(len).map_err(|_| len)?;
            self.chunks.push(fresh);
            self.allocated += len;
        }
        let chunk = &mut self.chunks[chunk];
        if chunk.len() < range.end {
            chunk.resize(range.end, 0.0);
        }
        Ok(&mut chunk[range])
    }

    /// Numbers allocated.
    pub(crate) fn allocated(&self) -> usize {
        self.allocated
    }

    #[cfg(test)]
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    fn per_chunk(&self) -> usize {
        (CHUNK_LEN / self.len.max(1)).max(1)
    }

    fn place(&self, index: usize) -> (usize, std::ops::Range<usize>) {
        let first = index % self.per_chunk() * self.len;
        (index / self.per_chunk(), first..first + self.len)
    }
}
