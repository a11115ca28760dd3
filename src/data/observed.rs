//! Observed data for `couplet sample`, and fixed training sets for `dataset = "..."`.
use super::csv_table::{self, Failure};
use super::npy::{self, Array};
use super::npz::Npz;
use super::observed_sets::read_sets;
use super::problem::{Problem, show_shape};
use crate::error::{Error, Result};
use crate::sim::DataShape;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;

/// Observed data sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// Data vectors, shape (sets, C), row-major, all finite.
    pub x: Vec<f32>,
    /// Number of data sets, at least 1.
    pub sets: usize,
    /// What the file calls them, as many; empty where it does not: then they go by their numbers from 0.
    pub labels: Vec<String>,
}

/// A fixed training set of simulated pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Parameters, shape (rows, D), all finite.
    pub theta: Vec<f32>,
    /// Data vectors, shape (rows, C); failed simulations may be NaN or infinite, training masks and counts them.
    pub x: Vec<f32>,
    /// Number of pairs, at least 1.
    pub rows: usize,
}

/// Reads data sets of the shape that a model was trained on: [`read_observed`] or [`read_sets`].
///
/// # Errors
/// A file that cannot be used, and a column of data sets for vectors, of which each row is one.
pub fn read_data(path: &Path, shape: &DataShape, set_column: Option<&str>) -> Result<Observed> {
    match (shape, set_column) {
        (DataShape::Vector { features }, None) => read_observed(path, *features),
        (DataShape::Vector { .. }, Some(_)) => Err(Error::config(
            "--set-column",
            "expected data sets of many items, found a model whose data are vectors",
            "Leave it out; a first column `dataset` names the rows",
        )),
        _ => read_sets(path, shape, set_column),
    }
}

/// Reads data vectors of `n_features` numbers from csv, npy or npz, told apart by content, then by extension.
///
/// csv: one row per data set; the header is optional, a first column named `dataset` says what they are called. npy, npz: shape
/// (C,) or (n, C); in an archive the array `x`, else `observation`, else the only one.
pub fn read_observed(path: &Path, n_features: usize) -> Result<Observed> {
    let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
    let bytes = file.metadata().map_err(|e| Error::io("read", path, e))?.len();
    parse_observed(path, BufReader::new(file), bytes, n_features)
}

/// [`read_observed`] from anything; `path` gives the extension and stands in the messages.
fn parse_observed<R: BufRead + Seek>(
    path: &Path,
    mut reader: R,
    bytes: u64,
    n_features: usize,
) -> Result<Observed> {
    let start = reader.fill_buf().map_err(|e| Error::io("read", path, e))?;
    let array = if npy::is_npy(start) {
        npy::read(&mut reader, bytes).map_err(|p| p.at(path))?
    } else if start.starts_with(b"PK") {
        let mut npz = Npz::new(path, reader, bytes)?;
        let keys = npz.keys();
        let key = ["x", "observation"].into_iter().find(|key| keys.iter().any(|k| k == key));
        match (key, keys.as_slice()) {
            (Some(key), _) => npz.read(key)?,
            (None, [only]) => npz.read(only)?,
            _ => {
                return Err(Problem::new(
                    format!(
                        "found {}, expected an array `x` or `observation`, or a single one",
                        npz.show_keys()
                    ),
                    "Save the data with `np.savez(file, x=x)`",
                )
                .at(path));
            }
        }
    } else if matches!(extension(path).as_str(), "npz" | "npy") && !start.is_empty() {
        return Err(Problem::new(
            format!("it does not begin like an {} file", extension(path)),
            "Save it with `np.savez(file, x=x)` or `np.save(file, x)`; name text files .csv",
        )
        .at(path));
    } else {
        let (x, labels) = csv_table::read(&mut reader, n_features).map_err(|failure| match failure {
            Failure::Content(problem) => problem.at(path),
            Failure::Io(e) => Error::io("read", path, e),
        })?;
        let sets = x.len() / n_features.max(1);
        return Ok(Observed { x, sets, labels });
    };
    let sets = rows("the data", &array, n_features).map_err(|p| p.at(path))?;
    finite("the data", &array.values, n_features).map_err(|p| p.at(path))?;
    Ok(Observed { x: array.values, sets, labels: vec![] })
}

/// Reads a training set from an npz file with arrays `theta` (n, D) and `x` (n, C).
pub fn read_table(path: &Path, d: usize, c: usize) -> Result<Table> {
    parse_table(path, Npz::open(path)?, d, c)
}

fn parse_table<R: Read + Seek>(path: &Path, mut npz: Npz<R>, d: usize, c: usize) -> Result<Table> {
    let keys = npz.keys();
    for key in ["theta", "x"] {
        if !keys.iter().any(|k| k == key) {
            return Err(Problem::new(
                format!("found {}, expected arrays `theta` and `x`", npz.show_keys()),
                "Save the pairs with `np.savez(file, theta=theta, x=x)`",
            )
            .at(path));
        }
    }
    let (theta, x) = (npz.read("theta")?, npz.read("x")?);
    let rows_theta = rows("`theta`", &theta, d).map_err(|p| p.at(path))?;
    let rows_x = rows("`x`", &x, c).map_err(|p| p.at(path))?;
    if rows_theta != rows_x {
        return Err(Problem::new(
            format!("`theta` has {rows_theta} rows and `x` has {rows_x}, expected the same number"),
            "Row i of `x` must be the simulation at row i of `theta`",
        )
        .at(path));
    }
    finite("`theta`", &theta.values, d).map_err(|p| p.at(path))?;
    Ok(Table { theta: theta.values, x: x.values, rows: rows_x })
}

fn extension(path: &Path) -> String {
    path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// Number of rows of an array that should be (columns,) or (n, columns).
pub(super) fn rows(what: &str, array: &Array, columns: usize) -> std::result::Result<usize, Problem> {
    let n = match *array.shape.as_slice() {
        [n, width] if width == columns => n,
        [width] if width == columns => 1,
        // One number per data set.
        [n] if columns == 1 => n,
        [] if columns == 1 => 1,
        _ => {
            let hint = match array.shape.as_slice() {
                [first, _] if *first == columns => "It looks transposed: save its `.T`",
                [_, rest @ ..] if rest.len() > 1 && rest.iter().product::<usize>() == columns => {
                    "Flatten each row before saving: `x.reshape(len(x), -1)`"
                }
                _ => "Check that the file belongs to this model",
            };
            return Err(Problem::new(
                format!(
                    "{what} has shape {}, expected ({columns},) or (n, {columns})",
                    show_shape(&array.shape)
                ),
                hint,
            ));
        }
    };
    if n == 0 {
        return Err(Problem::new(
            format!("{what} has shape {}, expected at least one row", show_shape(&array.shape)),
            "Check the program that wrote the file",
        ));
    }
    Ok(n)
}

pub(super) fn finite(what: &str, values: &[f32], columns: usize) -> std::result::Result<(), Problem> {
    let Some(at) = values.iter().position(|v| !v.is_finite()) else { return Ok(()) };
    let found = if values[at].is_nan() { "NaN" } else { "infinite, or beyond the range of f32 (3.4e38)" };
    Err(Problem::new(
        format!(
            "{what}, row {} column {} (counted from 0) is {found}, expected a finite number",
            at / columns,
            at % columns
        ),
        "Remove or fill in that value",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::mutate::mutations;
    use super::*;
    use std::io::{Cursor, Write};
    use zip::write::{SimpleFileOptions, ZipWriter};

    fn npy_bytes(shape: &[usize], values: &[f32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        npy::write_f32(&mut bytes, shape, values).unwrap();
        bytes
    }

    fn npz_bytes(arrays: &[(&str, Vec<u8>)], deflate: bool) -> Vec<u8> {
        let method = if deflate { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (key, bytes) in arrays {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(format!("{key}.npy"), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn observed(&self, name: &str, bytes: &[u8], columns: usize) -> Result<Observed> {
            let path = self.0.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            read_observed(&path, columns)
        }
        fn table(&self, bytes: &[u8], d: usize, c: usize) -> Result<Table> {
            let path = self.0.path().join("pairs.npz");
            std::fs::write(&path, bytes).unwrap();
            read_table(&path, d, c)
        }
    }

    #[test]
    fn csv_npy_and_npz_give_the_same_data() {
        let folder = Folder::new();
        let values = [1.0, 2.5, -3.0, 4.0, 5.0, 6.0];
        let expected = Observed { x: values.to_vec(), sets: 2, labels: vec![] };
        let array = npy_bytes(&[2, 3], &values);
        let other = npy_bytes(&[7], &[0.0; 7]);
        let files = [
            ("x.csv", b"a,b,c\n1,2.5,-3\n4,5,6\n".to_vec()),
            ("x.npy", array.clone()),
            ("x", array.clone()),
            ("only.npz", npz_bytes(&[("anything", array.clone())], false)),
            ("x.npz", npz_bytes(&[("other", other.clone()), ("x", array.clone())], true)),
            ("o.npz", npz_bytes(&[("true_parameters", other), ("observation", array)], true)),
        ];
        for (name, bytes) in files {
            assert_eq!(folder.observed(name, &bytes, 3).unwrap(), expected, "{name}");
        }
        let row = npy_bytes(&[3], &values[..3]);
        assert_eq!(
            folder.observed("row.npy", &row, 3).unwrap(),
            Observed { x: values[..3].to_vec(), sets: 1, labels: vec![] }
        );
        assert_eq!(folder.observed("column.npy", &row, 1).unwrap().sets, 3);
    }

    #[test]
    fn mistakes_are_named() {
        let folder = Folder::new();
        let array = npy_bytes(&[2, 3], &[0.0; 6]);
        let nan = npy_bytes(&[2, 3], &[0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0]);
        let infinite = npy_bytes(&[2, 3], &[0.0, 0.0, f32::INFINITY, 0.0, 0.0, 0.0]);
        let zip = npz_bytes(&[("a", array.clone()), ("b", array.clone())], true);
        let lone = npz_bytes(&[("x", array.clone())], true);
        for (name, bytes, columns, parts) in [
            ("a.npy", array.clone(), 4, vec!["shape (2, 3)", "expected (4,) or (n, 4)"]),
            ("a.npy", array.clone(), 2, vec!["looks transposed"]),
            ("a.npy", npy_bytes(&[1, 2, 3], &[0.0; 6]), 6, vec!["(1, 2, 3)", "reshape"]),
            ("a.npy", npy_bytes(&[0, 3], &[]), 3, vec!["at least one row"]),
            ("a.npy", nan, 3, vec!["row 1 column 1", "is NaN"]),
            ("a.npy", infinite, 3, vec!["row 0 column 2", "infinite"]),
            ("a.npy", array[..array.len() - 1].to_vec(), 3, vec!["cut off", "23 bytes"]),
            ("a.npz", zip, 3, vec!["found `a`, `b`, expected an array `x`"]),
            ("a.npz", npz_bytes(&[], false), 3, vec!["no array"]),
            ("a.npz", lone[..lone.len() - 30].to_vec(), 3, vec!["not a sound npz", "cut off"]),
            ("a.npz", b"1,2,3\n".to_vec(), 3, vec!["does not begin like an npz file"]),
            ("a.npz", vec![], 3, vec!["holds nothing"]),
            ("a.csv", b"\xff\xfe1\0,\0".to_vec(), 2, vec!["line 1", "UTF-16"]),
        ] {
            let message = folder.observed(name, &bytes, columns).unwrap_err().to_string();
            for part in parts.iter().copied().chain([name]) {
                assert!(message.contains(part), "{name}: no {part:?} in {message:?}");
            }
        }
        assert!(
            read_observed(Path::new("/no/such.csv"), 2).unwrap_err().to_string().contains("/no/such.csv")
        );
        assert!(matches!(read_observed(folder.0.path(), 2), Err(Error::Io { .. })));
    }

    #[test]
    fn a_changed_byte_inside_an_archive_is_noticed() {
        let folder = Folder::new();
        let bytes = npz_bytes(&[("x", npy_bytes(&[2, 3], &[1.0; 6]))], false);
        let at = bytes.windows(4).position(|w| w == 1f32.to_le_bytes()).unwrap();
        let mut changed = bytes;
        changed[at] ^= 1;
        let message = folder.observed("x.npz", &changed, 3).unwrap_err().to_string();
        assert!(message.contains("array `x`: it "), "{message}");
    }

    #[test]
    fn tables_are_read_and_checked() {
        let folder = Folder::new();
        let theta = npy_bytes(&[3, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let x = npy_bytes(&[3], &[7.0, f32::NAN, 9.0]);
        let table =
            folder.table(&npz_bytes(&[("theta", theta.clone()), ("x", x.clone())], true), 2, 1).unwrap();
        assert_eq!((table.rows, table.theta[5]), (3, 5.0));
        // A failed simulation is for the trainer to mask.
        assert!(table.x[1].is_nan());
        let bad = npy_bytes(&[3, 2], &[0.0, f32::NAN, 2.0, 3.0, 4.0, 5.0]);
        for (arrays, part) in [
            (vec![("theta", theta.clone())], "found `theta`, expected arrays `theta` and `x`"),
            (vec![("theta", theta.clone()), ("x", npy_bytes(&[2], &[0.0; 2]))], "3 rows and `x` has 2"),
            (vec![("theta", bad), ("x", x.clone())], "`theta`, row 0 column 1"),
            (vec![("theta", x.clone()), ("x", x)], "`theta` has shape (3,), expected (2,) or (n, 2)"),
        ] {
            let message = folder.table(&npz_bytes(&arrays, false), 2, 1).unwrap_err().to_string();
            assert!(message.contains(part), "no {part:?} in {message:?}");
        }
    }

    /// Whatever is done to a file, the reader answers with sound data or one paragraph, and does not panic.
    fn survives(name: &str, seed: &[u8]) {
        let (mut good, mut bad) = (0, 0);
        for bytes in mutations(seed, 1500) {
            match parse_observed(Path::new(name), Cursor::new(&bytes), bytes.len() as u64, 3) {
                Ok(Observed { x, sets, .. }) => {
                    assert!(sets > 0 && x.len() == sets * 3 && x.iter().all(|v| v.is_finite()));
                    good += 1;
                }
                Err(e) => {
                    let message = e.to_string();
                    assert!(
                        message.contains(name) && !message.contains('\n') && message.len() < 700,
                        "{message}"
                    );
                    bad += 1;
                }
            }
        }
        assert!(good > 0 && bad > 400, "{name}: {good} read, {bad} refused");
    }

    #[test]
    fn mutated_csv_never_panics() {
        survives("m.csv", b"dataset,rate,count,mean\n1,1.5,-2e3,0\n2, 4.25,5,6\n3,7,8,1e-9\n");
    }

    #[test]
    fn mutated_npy_never_panics() {
        survives("m.npy", &npy_bytes(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    }

    #[test]
    fn mutated_npz_never_panics() {
        let array = npy_bytes(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        for deflate in [false, true] {
            survives("m.npz", &npz_bytes(&[("x", array.clone())], deflate));
        }
        let path = Path::new("pairs.npz");
        for bytes in mutations(&npz_bytes(&[("theta", array.clone()), ("x", array.clone())], true), 1500) {
            let npz = Npz::new(path, Cursor::new(&bytes), bytes.len() as u64);
            if let Ok(table) = npz.and_then(|npz| parse_table(path, npz, 3, 3)) {
                assert!(table.theta.len() == table.rows * 3 && table.x.len() == table.rows * 3);
            }
        }
    }
}
