//! Columns for people; a Chinese character takes two places.

use unicode_width::UnicodeWidthStr as _;

/// Rows with aligned columns, two blanks apart, no blanks at the end of a line.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let lines: Vec<_> = rows.iter().map(|row| line(row, &widths)).collect();
    lines.join("\n")
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_stand_under_each_other_also_in_chinese() {
        let rows = [["港口", "x"], ["a", "y"], ["", "z"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "港口  x\na     y\n      z");
        assert_eq!(table::<2>(&[]), "");
    }
}
