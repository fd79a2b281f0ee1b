//! Numbers on a grid as grey squares, several such pictures on a sheet.
//!
//! The sheet and the frames are painted, so that white is white on dark pages too.

use plotters::prelude::*;

use super::PlotError;

/// The side of a picture, the room above it for its title, and that between pictures.
const SIDE: i32 = 112;
const TITLE: i32 = 26;
const GAP: i32 = 14;

/// Numbers on a grid: 0 is white and the largest is black.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Above it.
    pub title: String,
    /// Columns of the grid.
    pub columns: usize,
    /// Row by row, from the top.
    pub values: Vec<f64>,
}

impl Picture {
    fn draw(&self, (left, top): (i32, i32), area: &Area<'_>) -> Result<(), PlotError> {
        let columns = self.columns.max(1);
        let rows = self.values.len().div_ceil(columns).max(1);
        let largest = self.values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
        let title = TextStyle::from(("sans-serif", 15).into_font()).color(&BLACK);
        area.draw(&Text::new(&*self.title, (left, top), title)).map_err(failed)?;
        let top = top + TITLE - 6;
        // Cells end where the next ones begin, so that no seam shows; they are square.
        let cells = columns.max(rows);
        let edge = |place: usize| (SIDE as usize * place / cells) as i32;
        let corners = |row: usize, column: usize, (down, across): (usize, usize)| {
            [(left + edge(column), top + edge(row)), (left + edge(column + across), top + edge(row + down))]
        };
        for (place, value) in self.values.iter().enumerate() {
            let (row, column) = (place / columns, place % columns);
            let share = if largest > 0.0 { (value / largest).clamp(0.0, 1.0) } else { 0.0 };
            // NaN as 0.
            let grey = 255 - (255.0 * share).round() as u8;
            let colour = RGBColor(grey, grey, grey).filled();
            area.draw(&Rectangle::new(corners(row, column, (1, 1)), colour)).map_err(failed)?;
        }
        let frame = RGBColor(150, 150, 150).stroke_width(1);
        area.draw(&Rectangle::new(corners(0, 0, (rows, columns)), frame)).map_err(failed)
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn failed(error: impl std::fmt::Display) -> PlotError {
    PlotError::Drawing(error.to_string())
}

/// The text of an SVG file with `rows` of pictures, one below the other.
///
/// # Errors
///
/// [`PlotError`] where there is no picture, or none of anything.
pub fn sheet(rows: &[Vec<Picture>]) -> Result<String, PlotError> {
    if rows.iter().flatten().all(|picture| picture.values.is_empty()) {
        return Err(PlotError::NothingToDraw);
    }
    let across = rows.iter().map(Vec::len).max().unwrap_or_default();
    let corner = |place: usize, size: i32| GAP + place as i32 * (size + GAP);
    let size = (corner(across, SIDE) as u32, corner(rows.len(), SIDE + TITLE) as u32);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        for (down, row) in rows.iter().enumerate() {
            for (along, picture) in row.iter().enumerate() {
                picture.draw((corner(along, SIDE), corner(down, SIDE + TITLE)), &area)?;
            }
        }
        area.present().map_err(failed)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_has_its_pictures_in_grey() {
        let picture = |title: &str, values: &[f64]| Picture { title: title.into(), columns: 2, values: values.into() };
        let rows = [
            vec![picture("first & <second>", &[0.0, 1.0, 2.0, 4.0]), picture("nothing", &[0.0; 4])],
            vec![picture("not finite", &[f64::NAN, f64::INFINITY, -1.0, 0.5])],
        ];
        let text = sheet(&rows).unwrap();
        // The sheet first, over all of it.
        let (width, height) = (GAP + 2 * (SIDE + GAP), GAP + 2 * (SIDE + TITLE + GAP));
        let background = format!(r##"<rect x="0" y="0" width="{width}" height="{height}" opacity="1" fill="#FFFFFF""##);
        assert_eq!(text.find("<rect"), text.find(&background), "{text}");
        for title in ["first &amp; &lt;second&gt;", "nothing", "not finite"] {
            assert!(text.contains(title), "{text}");
        }
        // 12 cells, 3 frames and the sheet.
        assert_eq!(text.matches("<rect").count(), 16);
        let count = |colour: &str| text.matches(&format!("fill=\"{colour}\"")).count();
        // 1 and 2 of 4; 4 of 4, infinity and 0.5 of 0.5, beside 3 titles.
        assert_eq!((count("#BFBFBF"), count("#7F7F7F"), count("#000000")), (1, 1, 6), "{text}");
        assert_eq!(count("#FFFFFF"), 1 + 1 + 4 + 2);
    }

    #[test]
    fn no_picture_is_nothing() {
        let empty = Picture { title: "empty".into(), columns: 3, values: Vec::new() };
        assert_eq!(sheet(&[]), Err(PlotError::NothingToDraw));
        assert_eq!(sheet(&[vec![empty]]), Err(PlotError::NothingToDraw));
    }
}
