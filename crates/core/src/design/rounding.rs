//! Values rounded to f32: half the bytes of a value, at the price of another D.
//!
//! Rounding is only done where it is asked for; what narrows without loss is narrowed anyway. What the other D changes in a
//! gradient is that of an outer function, [`Discrepancy`](crate::outer::Discrepancy).

use super::storage::Storage;
use super::{Design, DesignError};

/// What rounding did to the values of a design.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounding {
    /// Stored entries whose value changed.
    pub changed: usize,
    /// The largest relative change of a value; 1 where one became 0.
    pub largest: f64,
}

impl Design {
    /// This design with each value rounded to the nearest f32, and what that did. A dense design, whose values are kept in f64,
    /// is returned as it is.
    ///
    /// # Errors
    ///
    /// [`DesignError::BeyondF32`] if a value is larger than any f32.
    pub fn rounded(&self) -> Result<(Self, Rounding), DesignError> {
        let mut rounding = Rounding { changed: 0, largest: 0.0 };
        let Storage::Sparse(compressed) = &self.storage else { return Ok((self.clone(), rounding)) };
        let (mut values, mut beyond) = (Vec::with_capacity(self.entries()), None);
        self.for_each_entry(|row, column, value| {
            let rounded = f64::from(value as f32);
            if rounded.is_infinite() && beyond.is_none() {
                beyond = Some(DesignError::BeyondF32 { row, column, value });
            }
            if rounded != value {
                rounding.changed += 1;
                rounding.largest = rounding.largest.max(((rounded - value) / value).abs());
            }
            values.push(rounded);
        });
        match beyond {
            Some(error) => Err(error),
            None if rounding.changed == 0 => Ok((self.clone(), rounding)),
            None => Ok((Self::new(Storage::Sparse(compressed.with_values(values))), rounding)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_and_told() {
        let values = [0.1, 0.5, -1e-60, 3.0];
        let triplets: Vec<_> = values.iter().enumerate().map(|(k, &value)| (k / 2, k % 2, value)).collect();
        let design = Design::from_triplets(2, 2, &triplets).unwrap();
        let (rounded, rounding) = design.rounded().unwrap();
        assert_eq!(rounded.values(), [f64::from(0.1_f32), 0.5, -0.0, 3.0]);
        assert_eq!(rounding, Rounding { changed: 2, largest: 1.0 });
        let (again, rounding) = rounded.rounded().unwrap();
        assert_eq!((again, rounding), (rounded, Rounding { changed: 0, largest: 0.0 }));
        // Half a unit in the last of 24 places at the most.
        let (_, rounding) = Design::from_triplets(1, 1, &[(0, 0, 0.1)]).unwrap().rounded().unwrap();
        assert!(rounding.largest > 0.0 && rounding.largest <= 2.0_f64.powi(-24), "{rounding:?}");
    }

    #[test]
    fn what_is_beyond_is_named_and_what_is_dense_stays() {
        let triplets = [(0, 1, 0.1), (1, 0, -1e39)];
        let beyond = Design::from_triplets(2, 2, &triplets).unwrap().rounded();
        assert_eq!(beyond, Err(DesignError::BeyondF32 { row: 1, column: 0, value: -1e39 }));
        let dense = Design::dense(1, 2, vec![0.1, 0.2]).unwrap();
        assert_eq!(dense.rounded().unwrap().0, dense);
    }
}
