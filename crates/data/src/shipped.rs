//! Data sets inside this crate; `datasets/README.md` tells where they come from.

use std::io::Cursor;
use std::path::Path;

use crate::error::ReadError;
use crate::source::Name;
use crate::{Dataset, LabelColumn, ReadOptions, load};

/// A data set inside this crate.
#[derive(Debug)]
#[non_exhaustive]
pub struct Shipped {
    /// What [`Shipped::find`] knows it by.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub description: &'static str,
    /// Number of rows, n.
    pub rows: usize,
    /// Number of columns, m.
    pub columns: usize,
    /// Number of stored entries; n m for a dense one.
    pub entries: usize,
    /// Under which terms it may be used.
    pub licence: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Name of the file, below `datasets/`.
    pub file: &'static str,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: &'static str,
    /// The file as it is.
    pub bytes: &'static [u8],
    label_column: Option<LabelColumn>,
}

static SHIPPED: [Shipped; 2] = [
    Shipped {
        name: "debian_small",
        description: "Debian package descriptions: TF-IDF of unigrams and bigrams, +1 for the sections of libraries.",
        rows: 6_000,
        columns: 23_777,
        entries: 398_951,
        licence: "Word statistics derived from the package descriptions of Debian 12, which are part of the archive's \
                  package metadata; no text is included. The Debian project's terms for that metadata apply.",
        source: "Package descriptions of Debian 12 (bookworm): the first 6000 rows of a larger set, the columns that \
                 occur in at least 3 of them, rows normalised again.",
        file: "debian_small.svm.xz",
        sha256: "63ae93e379c94e9bfb97b4998fe4c12ce2fbd2f08d5d28e2a1d30c9390330fea",
        bytes: include_bytes!("../datasets/debian_small.svm.xz"),
        label_column: None,
    },
    Shipped {
        name: "digits",
        description: "Handwritten digits: dark pixels, 0 to 16, in each of the 8 x 8 cells of an image; labels 0 to 9.",
        rows: 1_797,
        columns: 64,
        entries: 115_008,
        licence: "CC BY 4.0",
        source: "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning \
                 Repository, 1998: the test set, as scikit-learn ships it.",
        file: "digits.csv.gz",
        sha256: "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
        bytes: include_bytes!("../datasets/digits.csv.gz"),
        label_column: Some(LabelColumn::Last),
    },
];

/// The data sets inside this crate.
#[must_use]
pub fn shipped() -> &'static [Shipped] {
    &SHIPPED
}

impl Shipped {
    /// The data set called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        shipped().iter().find(|set| set.name == name)
    }

    /// Reads the data set.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the bytes in this crate were altered.
    pub fn load(&self) -> Result<Dataset, ReadError> {
        let path = Path::new(self.file);
        let options = ReadOptions {
            index_base: None,
            columns: Some(self.columns),
            label_column: self.label_column,
            max_bytes: None,
        };
        load(Name::of(path), Cursor::new(self.bytes), &options).map_err(|fault| fault.in_file(path))
    }
}
