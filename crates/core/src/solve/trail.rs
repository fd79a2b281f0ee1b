//! The last iterates of a solve with their gradients, from which a better point may be mixed.

use std::collections::VecDeque;

/// The last pairs (z_t, grad_z L(z_t, x)) of a solve, as many as were asked for.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    capacity: usize,
    pairs: VecDeque<(Vec<f64>, Vec<f64>)>,
}

impl Trail {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, pairs: VecDeque::new() }
    }

    pub(super) fn clear(&mut self) {
        self.pairs.clear();
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Notes a pair; the oldest one makes room.
    pub(super) fn push(&mut self, z: &[f64], grad_z: &[f64]) {
        if self.capacity == 0 || grad_z.is_empty() {
            return;
        }
        let oldest = if self.pairs.len() == self.capacity { self.pairs.pop_front() } else { None };
        let (mut at, mut gradient) = oldest.unwrap_or_default();
        at.clear();
        at.extend_from_slice(z);
        gradient.clear();
        gradient.extend_from_slice(grad_z);
        self.pairs.push_back((at, gradient));
    }

    /// The pairs, the oldest first.
    pub fn pairs(&self) -> impl Iterator<Item = (&[f64], &[f64])> {
        self.pairs.iter().map(|(z, grad_z)| (&**z, &**grad_z))
    }

    /// Numbers held.
    pub(crate) fn len(&self) -> usize {
        self.pairs.iter().map(|(z, grad_z)| z.len() + grad_z.len()).sum()
    }
}
