//! Observed data sets of many items, of any size: long csv, npy or npz, or a folder of csv files.
//!
//! All become one array `(sets, most items, F)` that ends in NaN where a data set has fewer items; NaN also stands for what
//! is missing.
use super::csv_table::stands_for_nothing;
use super::draws::label;
use super::npy;
use super::npz::Npz;
use super::observed::{Observed, Table, finite, rows};
use super::problem::{Problem, excerpt, show_shape};
use crate::error::{Error, Result};
use crate::sim::DataShape;
use csv::{ByteRecord, ReaderBuilder, Trim};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// Reads data sets of the shape that a model was trained on.
///
/// - csv: one row per item with F numbers; `set_column` names the column that says which data set a row belongs to, and so what
///   it is called; without it the file is one data set. Empty cells, `nan`, and `NA` and its like are missing values.
/// - npy, npz: an array `x` of shape (n, items, F), or (n, items) where F is 1; in an npz an array `sizes` (n) may say how
///   many items of each data set are there.
/// - folder: every csv file in it, in the order of their names, is a data set, and is called as the file without its end.
pub fn read_sets(path: &Path, shape: &DataShape, set_column: Option<&str>) -> Result<Observed> {
    let io = |e| Error::io("read", path, e);
    let (f, most) = (shape.features(), shape.items().1);
    let (sets, labels) = if path.is_dir() {
        if set_column.is_some() {
            return Err(no_column("a folder").at(path));
        }
        let (mut sets, mut labels) = (vec![], vec![]);
        for file in csv_files(path)? {
            let reader = BufReader::new(File::open(&file).map_err(|e| Error::io("read", &file, e))?);
            let (rows, _) = csv(reader, f, None).map_err(|p| p.at(&file))?;
            let Some(set) = rows.into_iter().next() else {
                let problem = "it holds no items, expected at least one";
                return Err(Problem::new(problem, "Remove the file, or write the data set into it").at(&file));
            };
            sets.push(set);
            labels.push(file.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        }
        (sets, labels)
    } else {
        let file = File::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        read_file(path, BufReader::new(file), bytes, f, set_column)?
    };
    let fail = |problem: String, hint: &str| Err(Problem::new(problem, hint).at(path));
    if sets.is_empty() {
        return fail("found no data sets".into(), "Check the program that wrote the file");
    }
    let mut x = vec![f32::NAN; sets.len() * most * f];
    for (i, set) in sets.iter().enumerate() {
        let n = set.len() / f;
        if n > most {
            return fail(
                format!("data set {} has {n} items, expected at most {most}", label(&labels, i)),
                "Train a model on larger data sets (`size` under `[data]`)",
            );
        }
        x[i * most * f..][..set.len()].copy_from_slice(set);
    }
    Ok(Observed { x, sets: sets.len(), labels })
}

/// Reads a training set from an npz file with arrays `theta` (n, D) and `x` (n, items, F), perhaps with `sizes` (n).
pub fn read_pairs(path: &Path, d: usize, shape: &DataShape) -> Result<Table> {
    let observed = read_sets(path, shape, None)?;
    let theta = Npz::open(path)?.read("theta")?;
    let n = rows("`theta`", &theta, d).map_err(|p| p.at(path))?;
    if n != observed.sets {
        let problem =
            format!("`theta` has {n} rows and `x` has {} data sets, expected the same number", observed.sets);
        return Err(Problem::new(problem, "Row i of `theta` holds the parameters of data set i").at(path));
    }
    finite("`theta`", &theta.values, d).map_err(|p| p.at(path))?;
    Ok(Table { theta: theta.values, x: observed.x, rows: observed.sets })
}

fn no_column(found: &str) -> Problem {
    Problem::new(format!("`--set-column` names a column of one csv file, found {found}"), "Leave it out")
}

fn csv_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |e| Error::io("read", folder, e);
    let mut files = vec![];
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_file<R: BufRead + Seek>(
    path: &Path,
    mut reader: R,
    bytes: u64,
    f: usize,
    set_column: Option<&str>,
) -> Result<(Vec<Vec<f32>>, Vec<String>)> {
    let start = reader.fill_buf().map_err(|e| Error::io("read", path, e))?;
    let is_npy = npy::is_npy(start);
    if set_column.is_some() && (is_npy || start.starts_with(b"PK")) {
        return Err(no_column("an array").at(path));
    }
    if is_npy {
        let array = npy::read(&mut reader, bytes).map_err(|p| p.at(path))?;
        return Ok((arrays(&array, None, f).map_err(|p| p.at(path))?, vec![]));
    }
    if start.starts_with(b"PK") {
        let mut npz = Npz::new(path, reader, bytes)?;
        let keys = npz.keys();
        if !keys.iter().any(|k| k == "x") {
            let problem = format!("found {}, expected an array `x`", npz.show_keys());
            return Err(Problem::new(problem, "Save it with `np.savez(file, x=x, sizes=sizes)`").at(path));
        }
        let x = npz.read("x")?;
        let sizes = keys.iter().any(|k| k == "sizes").then(|| npz.read("sizes")).transpose()?;
        return Ok((arrays(&x, sizes.as_ref(), f).map_err(|p| p.at(path))?, vec![]));
    }
    csv(reader, f, set_column).map_err(|p| p.at(path))
}

/// Data sets of an array (n, items, F).
fn arrays(
    x: &npy::Array,
    sizes: Option<&npy::Array>,
    f: usize,
) -> std::result::Result<Vec<Vec<f32>>, Problem> {
    let (n, items) = match *x.shape.as_slice() {
        [n, items, width] if width == f => (n, items),
        [n, items] if f == 1 => (n, items),
        [items, width] if width == f => (1, items),
        _ => {
            return Err(Problem::new(
                format!("`x` has shape {}, expected (n, items, {f})", show_shape(&x.shape)),
                "Put the data sets on the first axis and pad shorter ones with NaN",
            ));
        }
    };
    let mut sets: Vec<Vec<f32>> = match items * f {
        0 => vec![vec![]; n],
        width => x.values.chunks_exact(width).map(<[f32]>::to_vec).collect(),
    };
    if let Some(sizes) = sizes {
        let good = |v: &f32| v.fract() == 0.0 && (0.0..=items as f32).contains(v);
        if sizes.values.len() != n || !sizes.values.iter().all(good) {
            return Err(Problem::new(
                format!("`sizes` has {} numbers, expected {n} whole ones up to {items}", sizes.values.len()),
                "Give the number of items of each data set",
            ));
        }
        sets.iter_mut().zip(&sizes.values).for_each(|(set, size)| set.truncate(*size as usize * f));
    }
    // What only fills the array up is no item.
    for set in &mut sets {
        while set.len() >= f && set[set.len() - f..].iter().all(|v| v.is_nan()) {
            set.truncate(set.len() - f);
        }
    }
    Ok(sets)
}

/// Data sets of a table with a row per item, in the order in which they first occur, and what its column calls them.
fn csv(
    r: impl Read,
    f: usize,
    set_column: Option<&str>,
) -> std::result::Result<(Vec<Vec<f32>>, Vec<String>), Problem> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .from_reader(r);
    let (mut sets, mut places): (Vec<Vec<f32>>, HashMap<Vec<u8>, usize>) = (vec![], HashMap::new());
    let mut labels = vec![];
    let (mut record, mut set_at, mut first) = (ByteRecord::new(), None, true);
    let text = |cell: &[u8]| excerpt(&String::from_utf8_lossy(cell));
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                let problem = format!("it cannot be read as comma-separated text ({e})");
                return Err(Problem::new(problem, "Save it as plain csv in UTF-8"));
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() <= 1 && record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        if std::mem::take(&mut first) {
            let header = record.iter().any(|c| !c.is_empty()) && record.iter().all(|c| number(c).is_none());
            if let Some(name) = set_column {
                set_at = record.iter().position(|c| c == name.as_bytes());
                if !header || set_at.is_none() {
                    let found: Vec<String> = record.iter().take(20).map(text).collect();
                    let problem = format!(
                        "expected a header with a column `{}`, found {}",
                        excerpt(name),
                        found.join(", ")
                    );
                    return Err(Problem::new(problem, "Name the column of the data sets with --set-column"));
                }
            }
            if header {
                check_width(&record, f, set_at, line)?;
                continue;
            }
        }
        check_width(&record, f, set_at, line)?;
        let key = set_at.map_or_else(Vec::new, |at| record[at].to_vec());
        let place = *places.entry(key).or_insert_with_key(|key| {
            sets.push(vec![]);
            labels.extend(set_at.map(|_| String::from_utf8_lossy(key).into_owned()));
            sets.len() - 1
        });
        for (column, cell) in record.iter().enumerate().filter(|(i, _)| Some(*i) != set_at) {
            let value = number(cell).filter(|v| !v.is_infinite()).ok_or_else(|| {
                Problem::new(
                    format!("line {line}, column {} is `{}`, expected a number", column + 1, text(cell)),
                    "Leave missing values empty, or write NA",
                )
            })?;
            sets[place].push(value);
        }
    }
    Ok((sets, labels))
}

fn check_width(
    record: &ByteRecord,
    f: usize,
    set_at: Option<usize>,
    line: u64,
) -> std::result::Result<(), Problem> {
    let wanted = f + usize::from(set_at.is_some());
    if record.len() == wanted {
        return Ok(());
    }
    let hint = match (set_at, record.len() == f + 1) {
        (None, true) => "If one column says which data set a row belongs to, name it with --set-column",
        _ => "One row is one item, its values separated by commas",
    };
    Err(Problem::new(format!("line {line} has {} columns, expected {wanted}", record.len()), hint))
}

/// A number, NaN where it is missing; none for other text.
fn number(cell: &[u8]) -> Option<f32> {
    if stands_for_nothing(cell) {
        return Some(f32::NAN);
    }
    std::str::from_utf8(cell).ok()?.trim().parse::<f32>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: DataShape = DataShape::Set { features: 2, min: 1, max: 3 };

    fn shown(x: &[f32]) -> String {
        x.iter().map(|v| v.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn long_csv_is_grouped_by_its_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "a,who,b\n1,p,2\n3,q,4\n5,p,\n").unwrap();
        let o = read_sets(&path, &SHAPE, Some("who")).unwrap();
        assert_eq!((o.sets, shown(&o.x).as_str()), (2, "1 2 5 NaN NaN NaN 3 4 NaN NaN NaN NaN"));
        assert_eq!(o.labels, ["p", "q"]);
        let says = |text: &str, column: Option<&str>, part: &str| {
            std::fs::write(&path, text).unwrap();
            let e = read_sets(&path, &SHAPE, column).unwrap_err().to_string();
            assert!(e.contains(part), "{e}");
        };
        says("a,who,b\n1,p,2\n", Some("id"), "a column `id`");
        says("a,who,b\n1,p,2\n", None, "--set-column");
        says("1,x\n", None, "expected a number");
        // A missing first item is no header.
        std::fs::write(&path, "N/A,-\n1,2\n").unwrap();
        assert_eq!(shown(&read_sets(&path, &SHAPE, None).unwrap().x), "NaN NaN 1 2 NaN NaN");
        says("1,inf\n", None, "expected a number");
        says("1,2\n1,2\n1,2\n1,2\n", None, "at most 3");
        says("", None, "no data sets");
    }

    #[test]
    fn a_folder_and_arrays_are_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b.csv"), "1,2\n").unwrap();
        std::fs::write(folder.path().join("a.csv"), "u,v\n3,4\n5,6\n").unwrap();
        let o = read_sets(folder.path(), &SHAPE, None).unwrap();
        assert_eq!((o.sets, shown(&o.x).as_str()), (2, "3 4 5 6 NaN NaN 1 2 NaN NaN NaN NaN"));
        assert_eq!(o.labels, ["a", "b"]);
        assert!(
            read_sets(folder.path(), &SHAPE, Some("u")).unwrap_err().to_string().contains("found a folder")
        );
        std::fs::write(folder.path().join("c.csv"), "u,v\n").unwrap();
        let empty = read_sets(folder.path(), &SHAPE, None).unwrap_err().to_string();
        assert!(empty.contains("c.csv") && empty.contains("no items"), "{empty}");
        let array =
            |shape: &[usize], values: &[f32]| npy::Array { shape: shape.into(), values: values.into() };
        let nan = f32::NAN;
        let x = array(&[2, 2, 2], &[1.0, 2.0, nan, nan, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(arrays(&x, None, 2).unwrap(), [vec![1.0, 2.0], vec![3.0, 4.0, 5.0, 6.0]]);
        let sizes = array(&[2], &[1.0, 1.0]);
        assert_eq!(arrays(&x, Some(&sizes), 2).unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
        assert!(arrays(&x, Some(&array(&[2], &[1.0, 3.0])), 2).is_err());
        assert!(arrays(&x, None, 3).is_err());
    }
}
