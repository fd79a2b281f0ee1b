//! What theory predicts beside what was found.

use std::fmt;

/// When what was found is what was predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// It is that very number.
    Equal,
    /// It is no farther from it than this.
    Within(f64),
    /// It is at most this many times larger or smaller; both are positive.
    Factor(f64),
    /// It is no larger.
    AtMost,
    /// It is no smaller.
    AtLeast,
}

/// A claim of theory, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Of what.
    pub claim: String,
    /// What theory predicts.
    pub predicted: f64,
    /// How near is near enough.
    pub rule: Rule,
    /// What was found.
    pub found: f64,
}

impl Verdict {
    /// A claim.
    #[must_use]
    pub fn new(claim: impl Into<String>, predicted: f64, rule: Rule, found: f64) -> Self {
        Self { claim: claim.into(), predicted, rule, found }
    }

    /// Whether what was found is what was predicted; never where it is no number.
    #[must_use]
    pub fn passed(&self) -> bool {
        let Self { predicted, found, .. } = *self;
        match self.rule {
            Rule::Equal => (found - predicted).abs() == 0.0,
            Rule::Within(distance) => (found - predicted).abs() <= distance,
            Rule::Factor(factor) => found > 0.0 && (found / predicted).ln().abs() <= factor.ln(),
            Rule::AtMost => found <= predicted,
            Rule::AtLeast => found >= predicted,
        }
    }

    /// "pass" or "fail".
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.passed() { "pass" } else { "fail" }
    }
}

/// 0.0135 as "0.0135", 1.35e-7 as "1.35e-7".
fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e5).contains(&value.abs()) {
        let text = format!("{value:.4}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{value:.2e}")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { claim, predicted, rule, found } = self;
        let (predicted, found) = (number(*predicted), number(*found));
        write!(f, "{claim}: theory ")?;
        match rule {
            Rule::Equal => write!(f, "exactly {predicted}"),
            Rule::Within(distance) => write!(f, "{predicted} (within {})", number(*distance)),
            Rule::Factor(factor) => write!(f, "{predicted} (within a factor of {})", number(*factor)),
            Rule::AtMost => write!(f, "at most {predicted}"),
            Rule::AtLeast => write!(f, "at least {predicted}"),
        }?;
        write!(f, ", found {found}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_kept_at_their_edges() {
        for (rule, found, passed) in [
            (Rule::Equal, 2.0, true),
            (Rule::Equal, 2.0 + f64::EPSILON * 2.0, false),
            (Rule::Within(0.5), 2.5, true),
            (Rule::Within(0.5), 2.6, false),
            (Rule::Factor(2.0), 1.0, true),
            (Rule::Factor(2.0), 4.1, false),
            (Rule::Factor(2.0), -2.0, false),
            (Rule::AtMost, 2.0, true),
            (Rule::AtMost, 2.1, false),
            (Rule::AtLeast, 2.0, true),
            (Rule::AtLeast, 1.9, false),
        ] {
            assert_eq!(Verdict::new("", 2.0, rule, found).passed(), passed, "{rule:?} of {found}");
            assert!(!Verdict::new("", 2.0, rule, f64::NAN).passed(), "{rule:?}");
            assert!(!Verdict::new("", f64::NAN, rule, found).passed(), "{rule:?}");
        }
    }

    #[test]
    fn a_line_says_what_was_asked_and_found() {
        let verdict = Verdict::new("slope of g2", -3.0, Rule::Within(0.1), -2.98);
        assert_eq!(verdict.to_string(), "slope of g2: theory -3 (within 0.1), found -2.98");
        let verdict = Verdict::new("error", 1.5e-12, Rule::AtMost, 2e-16);
        assert_eq!(verdict.to_string(), "error: theory at most 1.50e-12, found 2.00e-16");
    }
}
