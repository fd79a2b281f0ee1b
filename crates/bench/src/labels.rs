//! Labels made into two classes.

/// -1 and +1, the smaller and the larger half of `labels`: +1 from the median on, or above it where nothing is smaller.
#[must_use]
pub fn halves(labels: &[f64]) -> Vec<f64> {
    let mut sorted = labels.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(&middle) = sorted.get(labels.len() / 2) else { return Vec::new() };
    let above = if sorted[0] < middle { middle } else { middle + f64::EPSILON };
    labels.iter().map(|&label| if label >= above { 1.0 } else { -1.0 }).collect()
}
