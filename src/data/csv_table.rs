//! Numbers from comma-separated text: one row = one data set.
use super::problem::{Problem, excerpt};
use csv::{ByteRecord, ReaderBuilder, Trim};
use std::io::{self, Read};

/// Why a table could not be read.
pub enum Failure {
    /// The text is not what it should be.
    Content(Problem),
    /// The system could not read it.
    Io(io::Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Content(problem)
    }
}

/// Reads rows of `columns` finite numbers, row-major. Lines that start with `#` and blank lines are skipped; a header
/// is a first row without any number; a first column named `dataset` says what the data sets are called.
pub fn read(r: &mut dyn Read, columns: usize) -> Result<(Vec<f32>, Vec<String>), Failure> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .from_reader(r);
    let mut table = Table { columns, header: None, skip: 0, values: vec![], labels: vec![], first: None };
    let mut record = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => table.row(&record)?,
            Ok(false) => break,
            Err(e) => match e.into_kind() {
                csv::ErrorKind::Io(e) => return Err(Failure::Io(e)),
                other => {
                    return Err(Problem::new(
                        format!("it is not comma-separated text ({other:?})"),
                        "Save it as plain csv in UTF-8",
                    )
                    .into());
                }
            },
        }
    }
    Ok(table.finish()?)
}

/// A number as spreadsheets and numpy write it; NaN and infinities count as numbers.
fn number(cell: &[u8]) -> Option<f64> {
    std::str::from_utf8(cell).ok()?.trim().parse().ok()
}

/// Nothing, or what programs write for a missing value.
pub(super) fn stands_for_nothing(cell: &[u8]) -> bool {
    let word = String::from_utf8_lossy(cell).trim().to_ascii_lowercase();
    ["", "na", "n/a", "null", "none", "-", ".", "?"].contains(&word.as_str())
}

fn text(cell: &[u8]) -> String {
    excerpt(&String::from_utf8_lossy(cell))
}

struct Table {
    columns: usize,
    header: Option<Vec<String>>,
    /// Leading columns to ignore: 1 with a `dataset` column.
    skip: usize,
    values: Vec<f32>,
    /// Names of the rows, where there is a column of them.
    labels: Vec<String>,
    /// Line and text of the first row of numbers.
    first: Option<(u64, Vec<String>)>,
}

impl Table {
    fn row(&mut self, record: &ByteRecord) -> Result<(), Problem> {
        let line = record.position().map_or(0, csv::Position::line);
        // Only blanks: an empty line to the eye.
        if record.len() <= 1 && record.iter().all(<[u8]>::is_empty) {
            return Ok(());
        }
        if record.as_slice().contains(&0) {
            return Err(Problem::new(
                format!("line {line} holds zero bytes: it is not text, or text in UTF-16"),
                "Save it as plain csv in UTF-8",
            ));
        }
        if self.header.is_none() && self.first.is_none() {
            let named = record.iter().any(|cell| !bare(cell).is_empty());
            let missing = record.iter().all(|cell| stands_for_nothing(bare(cell)));
            if named && !missing && record.iter().all(|cell| number(bare(cell)).is_none()) {
                return self.take_header(record, line);
            }
        }
        self.check_width(record, line)?;
        self.labels
            .extend(record.iter().take(self.skip).map(|cell| String::from_utf8_lossy(cell).into_owned()));
        for (column, cell) in record.iter().enumerate().skip(self.skip) {
            let value = number(bare(cell)).ok_or_else(|| self.bad_cell(line, column, cell))?;
            if !(value as f32).is_finite() {
                let what = match value {
                    v if v.is_nan() => "NaN".to_string(),
                    v if v.is_infinite() => "infinite".to_string(),
                    _ => format!("{}, beyond the range of f32 (3.4e38)", text(cell)),
                };
                return Err(Problem::new(
                    format!("line {line}, {} is {what}, expected a finite number", self.name(column)),
                    "Remove or fill in that value: the networks were trained on finite data",
                ));
            }
            self.values.push(value as f32);
        }
        if self.first.is_none() {
            let cells = record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
            self.first = Some((line, cells));
        }
        Ok(())
    }

    fn take_header(&mut self, record: &ByteRecord, line: u64) -> Result<(), Problem> {
        let names: Vec<String> =
            record.iter().map(|c| String::from_utf8_lossy(bare(c)).into_owned()).collect();
        self.skip = usize::from(names[0].eq_ignore_ascii_case("dataset"));
        let width = self.check_width(record, line);
        self.header = Some(names);
        width
    }

    fn check_width(&self, record: &ByteRecord, line: u64) -> Result<(), Problem> {
        let (found, wanted) = (record.len(), self.columns + self.skip);
        if found == wanted {
            return Ok(());
        }
        let beside = if self.skip == 1 { " beside `dataset`" } else { "" };
        let first = record.get(0).unwrap_or_default();
        let has = |byte: u8| record.iter().any(|cell| cell.contains(&byte));
        let hint = if found == 1 && wanted > 1 && (has(b';') || has(b'\t') || has(b' ')) {
            "Separate the columns with commas, and write decimals with a point"
        } else if found == 1 && wanted > 1 {
            "One row is one data set: put its values side by side, separated by commas"
        } else if found == wanted + 1 && first.is_empty() && self.header.is_none() {
            "The first column has no name: if it is pandas' row index, save with `index=False`"
        } else if found == wanted + 1 && record.get(found - 1).is_some_and(<[u8]>::is_empty) {
            "Remove the comma at the end of the line"
        } else {
            "One row is one data set, in the order in which the simulator returns its values"
        };
        Err(Problem::new(
            format!(
                "line {line} has {} column{}{beside}, expected {} (the data vector of the model)",
                found - self.skip.min(found),
                if found - self.skip.min(found) == 1 { "" } else { "s" },
                self.columns
            ),
            hint,
        ))
    }

    fn bad_cell(&self, line: u64, column: usize, cell: &[u8]) -> Problem {
        let name = self.name(column);
        if cell.is_empty() {
            return Problem::new(
                format!("line {line}, {name} is empty, expected a number"),
                "Fill in the value, or remove the row",
            );
        }
        let hint = if std::str::from_utf8(cell).is_err() {
            "Save it as plain csv in UTF-8"
        } else if self.first.is_none() && self.header.is_none() {
            "If this row is a header, no column name may be a number"
        } else {
            "Correct the cell, or remove the row"
        };
        Problem::new(format!("line {line}, {name} is `{}`, expected a number", text(cell)), hint)
    }

    /// "column 2 (`rate`)"; columns count from 1 as spreadsheets do.
    fn name(&self, column: usize) -> String {
        match self.header.as_ref().and_then(|names| names.get(column)) {
            Some(name) => format!("column {} (`{}`)", column + 1, excerpt(name)),
            None => format!("column {}", column + 1),
        }
    }

    fn finish(self) -> Result<(Vec<f32>, Vec<String>), Problem> {
        let Some((line, first)) = &self.first else {
            let found = if self.header.is_some() { "only a header" } else { "nothing" };
            if self.header.iter().flatten().any(|name| name.contains(';')) {
                return Err(Problem::new(
                    format!("its only line is no row of {} numbers", self.columns),
                    "Separate the columns with commas, and write decimals with a point",
                ));
            }
            return Err(Problem::new(
                format!("it holds {found}, expected rows of {} numbers", self.columns),
                "Write one row per data set, the values separated by commas",
            ));
        };
        // pandas names unnamed columns 0, 1, 2, ...: taken for data, they would be a data set nobody observed.
        let counts = first.iter().enumerate().all(|(i, cell)| *cell == i.to_string());
        let fractions = self.values[self.columns..].iter().any(|v| v.fract() != 0.0);
        if counts && self.header.is_none() && self.columns > 1 && fractions {
            return Err(Problem::new(
                format!(
                    "line {line} is {}, which looks like pandas' column numbers and not like data",
                    first.join(",")
                ),
                "Save with `header=False`, or name the columns; if it is data, write 0.0,1.0",
            ));
        }
        Ok((self.values, self.labels))
    }
}

/// A cell without the byte order mark that spreadsheets put before the first one.
fn bare(cell: &[u8]) -> &[u8] {
    cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, columns: usize) -> Result<Vec<f32>, String> {
        read(&mut text.as_bytes(), columns).map(|(values, _)| values).map_err(|failure| match failure {
            Failure::Content(p) => format!("{}. {}", p.problem, p.hint),
            Failure::Io(e) => e.to_string(),
        })
    }

    #[test]
    fn headers_blanks_comments_and_dataset_columns_are_understood() {
        let expected = Ok(vec![1.0, -2.5, 3e3, 4.0]);
        for text in [
            "1,-2.5\n3e3,4",
            "1, -2.5 \n\n 3e3 ,\t4\n  \n",
            "a,b\n1,-2.5\n3000,4.0\n",
            "\u{feff}a,b\r\n1,-2.5\r\n3000,+4.\r\n",
            "\u{feff}1,-2.5\n3000,4\n",
            "# made by numpy\n1,-2.5\n3000,4\n",
            "dataset,a,b\n1,1,-2.5\nsecond,3000,4\n",
            "\"a, first\",\"b\"\n\"1\",-2.5\n3000,4\n",
        ] {
            assert_eq!(values(text, 2), expected, "{text:?}");
        }
        let named = read(&mut "dataset,a\n9,1\nx 8,2\n".as_bytes(), 1).ok();
        assert_eq!(named, Some((vec![1.0, 2.0], vec!["9".into(), "x 8".into()])));
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        for (text, columns, parts) in [
            ("", 2, vec!["holds nothing", "rows of 2 numbers"]),
            ("a,b\n", 2, vec!["only a header"]),
            ("1,2\n3\n", 2, vec!["line 2 has 1 column,", "expected 2"]),
            ("1,2,3\n", 2, vec!["line 1 has 3 columns", "expected 2"]),
            ("a,b\n1,oops\n", 2, vec!["line 2, column 2 (`b`) is `oops`", "Correct"]),
            ("1,oops\n", 2, vec!["line 1, column 2 is `oops`", "header"]),
            ("1,\n", 2, vec!["line 1, column 2 is empty"]),
            ("1,2,\n", 2, vec!["comma at the end"]),
            ("a,b\n1,2\n3,NaN\n", 2, vec!["line 3, column 2 (`b`) is NaN"]),
            ("1,-inf\n", 2, vec!["line 1, column 2 is infinite"]),
            ("1,1e39\n", 2, vec!["1e39", "3.4e38"]),
            ("1;2\n", 2, vec!["1 column,", "commas"]),
            ("1\n2\n", 2, vec!["side by side"]),
            ("NA\n-1\n1\n", 1, vec!["line 1, column 1 is `NA`"]),
            ("NA,-\n1,2\n", 2, vec!["line 1, column 1 is `NA`"]),
            ("\"0,3\";\"-0,2\"\n", 2, vec!["commas"]),
            (",0,1\n0,5,6\n", 2, vec!["3 columns", "index=False"]),
            ("0,1\n.5,.6\n", 2, vec!["line 1 is 0,1", "header=False"]),
            ("dataset,a\n1,2\n", 2, vec!["1 column beside `dataset`, expected 2"]),
            ("1,\u{1b}[31m\n", 2, vec!["\\u{1b}[31m"]),
        ] {
            let message = values(text, columns).unwrap_err();
            for part in parts {
                assert!(message.contains(part), "{text:?}: no {part:?} in {message:?}");
            }
        }
        // Whole numbers may count from 0: then they are data.
        assert_eq!(values("0,1\n2,3\n", 2), Ok(vec![0.0, 1.0, 2.0, 3.0]));
        assert_eq!(values("0,1\n", 2), Ok(vec![0.0, 1.0]));
    }
}
