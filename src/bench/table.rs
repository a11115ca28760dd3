//! Tables of numbers for the terminal, and numbers in few characters.
use comfy_table::{CellAlignment, Table, presets};

/// Rows under a header, columns two spaces apart; the first `left` columns are left-aligned, the others right-aligned.
pub fn text(header: &[&str], rows: &[Vec<String>], left: usize) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header).add_rows(rows);
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        column.set_cell_alignment(if i < left { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.trim_fmt() + "\n"
}

/// The same as a table in Markdown.
pub fn markdown(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(header.to_vec());
    text += &line(vec!["---"; header.len()]);
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}

/// Three significant digits, grouped in thousands from 1000 on; `-` for what is no number.
pub fn significant(v: f64) -> String {
    if !v.is_finite() {
        return "-".into();
    }
    let size = v.abs();
    // What rounds up to the next power of ten has one digit less behind the point.
    let digits = match size {
        s if s == 0.0 || s >= 99.95 => 0,
        s if s >= 9.995 => 1,
        s if s >= 0.9995 => 2,
        s if s >= 0.09995 => 3,
        _ => 4,
    };
    let plain = format!("{v:.digits$}");
    if digits > 0 || size < 999.5 {
        return plain;
    }
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |w| ("-", w));
    format!("{sign}{}", grouped(digits))
}

/// A count, grouped in thousands.
pub fn whole(n: usize) -> String {
    grouped(&n.to_string())
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Bytes in units of 1024: `812 B`, `1.21 MiB`.
pub fn bytes(n: u64) -> String {
    let (unit, scale) = match n {
        0..1024 => return format!("{n} B"),
        1024..0x10_0000 => ("KiB", 1024.0),
        0x10_0000..0x4000_0000 => ("MiB", 1024.0 * 1024.0),
        _ => ("GiB", 1024.0 * 1024.0 * 1024.0),
    };
    format!("{} {unit}", significant(n as f64 / scale))
}

/// `0.613` as `61.3 %`.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", 100.0 * share) } else { "-".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let cases = [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (0.5, "0.500"),
            (0.9999, "1.00"),
            (9.996, "10.0"),
            (12.34, "12.3"),
            (99.96, "100"),
            (999.7, "1,000"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "-1,234"),
            (f64::NAN, "-"),
        ];
        for (v, expected) in cases {
            assert_eq!(significant(v), expected, "{v}");
        }
        assert_eq!([0, 64, 1024, 100_000].map(whole), ["0", "64", "1,024", "100,000"]);
        let sizes = [7, 2048, 3 << 20, 5 << 30].map(bytes);
        assert_eq!(sizes, ["7 B", "2.00 KiB", "3.00 MiB", "5.00 GiB"]);
        assert_eq!([percent(0.613), percent(f64::NAN)], ["61.3 %", "-"]);
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_string(), "1.0".into()], vec!["long name".into(), "12.0".into()]];
        let t = text(&["what", "value"], &rows, 1);
        assert_eq!(t, "what       value\na            1.0\nlong name   12.0\n");
        let m = markdown(&["what", "value"], &rows);
        assert_eq!(m, "| what | value |\n| --- | --- |\n| a | 1.0 |\n| long name | 12.0 |\n");
    }
}
