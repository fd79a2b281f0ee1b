//! The duality gap of
//!
//! ```text
//! P(z) = 1/2 sum_i w_i (u_i - y_i)² + sum_j (l1_j |z_j| + l2_j z_j² / 2),   u = D z
//! Q(theta) = sum_i (theta_i y_i - theta_i² / (2 w_i)) - sum_j h*_j(d_j^T theta),   h*_j(c) = max(|c| - l1_j, 0)² / (2 l2_j)
//! ```
//!
//! at theta = s W (y - D z); with l2_j = 0, h*_j is 0 up to l1_j and infinite beyond. With r = y - D z and c = D^T W r,
//!
//! ```text
//! P(z) - Q(theta) = (1 - s)² / 2 r^T W r + sum_j (l1_j |z_j| + l2_j z_j² / 2 + h*_j(s c_j) - s c_j z_j),
//! ```
//!
//! a sum of terms that are never negative, so that no digits are lost.

/// One column's part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) c: f64,
    pub(crate) z: f64,
    pub(crate) l1: f64,
    pub(crate) l2: f64,
    /// How far from 0 the correlation of the dual point with a column without a penalty may be for rounding.
    pub(crate) slack: f64,
    /// Whether z is to be at least 0.
    pub(crate) bounded: bool,
}

impl Term {
    /// How far beyond 0 a correlation is, s times that of the residual.
    fn size(&self, s: f64) -> f64 {
        let c = s * self.c;
        if self.bounded { c.max(0.0) } else { c.abs() }
    }
}

/// The scale of a dual point, and the gap there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) s: f64,
    pub(crate) gap: f64,
}

impl Scale {
    /// The best of two scales that a residual can be given: the one that would be best were it not for the limit of the columns, and
    /// 1, each as far as the columns with l2_j = 0 allow. `square` is r^T W r. Where z is to be at least 0, a negative correlation
    /// limits nothing.
    pub(crate) fn best(terms: &(impl Iterator<Item = Term> + Clone), square: f64) -> Self {
        let (mut limit, mut product, mut curved) = (f64::INFINITY, 0.0, false);
        for term in terms.clone() {
            let (Term { c, z, l1, l2, slack, .. }, size) = (term, term.size(1.0));
            if z != 0.0 {
                product += c * z;
            }
            if l2 > 0.0 {
                curved = true;
            } else {
                let most = if l1 > 0.0 { l1 } else { slack };
                if size * limit > most {
                    limit = most / size;
                }
            }
        }
        let free = if square > 0.0 { (1.0 + product / square).max(0.0) } else { 1.0 };
        let at = |s: f64| {
            let sum: f64 = terms
                .clone()
                .filter(|term| term.z != 0.0 || term.l2 > 0.0)
                .map(|term| {
                    let Term { c, z, l1, l2, .. } = term;
                    let beyond = if l2 > 0.0 { (term.size(s) - l1).max(0.0) } else { 0.0 };
                    let conjugate = if beyond > 0.0 { beyond * beyond / (2.0 * l2) } else { 0.0 };
                    // Within the slack, a column without a penalty may be off to either side.
                    let product = if l1 == 0.0 && l2 == 0.0 { -(c * z).abs() } else { c * z };
                    l1 * z.abs() + 0.5 * l2 * z * z + conjugate - s * product
                })
                .sum();
            let gap = 0.5 * (1.0 - s) * (1.0 - s) * square + sum;
            // Not `max`, which would lose NaN.
            Self { s, gap: if gap < 0.0 { 0.0 } else { gap } }
        };
        let first = at(free.min(limit));
        if !curved {
            return first;
        }
        let second = at(limit.min(1.0));
        if second.gap < first.gap { second } else { first }
    }
}
