//! Scenarios measured and compared: the estimators chosen at run time, their errors against a reference gradient, their
//! costs, the rates that theory predicts, and reports of all that as tables, JSON, CSV and plots.

pub mod adaptive;
pub mod choice;
pub mod compare;
mod fit;
mod labels;
pub mod measure;
pub mod plot;
pub mod report;
pub mod resident;
pub mod rounding;
pub mod table;
pub mod trajectory;

pub use fit::Line;
pub use labels::halves;
pub use plot::{Against, PlotError};
