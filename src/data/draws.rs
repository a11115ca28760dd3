//! Posterior draws, and the files in which they leave: npz, csv, CmdStan csv.
use super::atomic::write_atomic;
use super::{cmdstan, npy};
use crate::error::{Error, Result};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Posterior draws of one or more data sets, in parameter space.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    /// Parameter names, D of them.
    pub names: Vec<String>,
    /// Number of data sets.
    pub sets: usize,
    /// Draws per data set.
    pub n: usize,
    /// Shape (sets, n, D), row-major.
    pub values: Vec<f32>,
    /// Log-density of each draw under the posterior, nats, shape (sets, n); empty where nobody asked.
    pub log_density: Vec<f32>,
    /// What the data sets are called, as many; empty where they go by their numbers from 0.
    pub labels: Vec<String>,
}

/// What data set `set` is called.
pub fn label(labels: &[String], set: usize) -> String {
    labels.get(set).cloned().unwrap_or_else(|| set.to_string())
}

/// How draws are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// numpy archive: `draws` (sets, n, D) f32 and `names` (D) text.
    Npz,
    /// A column per parameter, preceded by `dataset` (its name, or its number from 0) when there is more than one.
    Csv,
    /// CmdStan's csv, one file per data set; ArviZ and cmdstanr read it.
    CmdStan,
}

impl FromStr for Format {
    type Err = Error;

    /// `npz`, `csv` or `cmdstan`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "npz" => Ok(Self::Npz),
            "csv" => Ok(Self::Csv),
            "cmdstan" => Ok(Self::CmdStan),
            _ => Err(Error::config("format", format!("unknown format `{text}`"), "Use npz, csv or cmdstan")),
        }
    }
}

impl Format {
    /// By the name's end: `.npz`, `.csv`, or `.stan.csv` for CmdStan's csv; case does not matter.
    pub fn from_path(path: &Path) -> Result<Self> {
        let name = path.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        match name {
            n if n.ends_with(".npz") => Ok(Self::Npz),
            n if n.ends_with(".stan.csv") => Ok(Self::CmdStan),
            n if n.ends_with(".csv") => Ok(Self::Csv),
            _ => Err(Error::config(
                "output",
                format!("`{}` does not tell the format of the draws", path.display()),
                "Let the name end in .npz, .zarr (for ArviZ), .csv or .stan.csv (for cmdstanr and ArviZ)",
            )),
        }
    }
}

impl Draws {
    /// Checks the shapes: D names, sets x n x D values.
    pub fn new(names: Vec<String>, sets: usize, n: usize, values: Vec<f32>) -> Result<Self> {
        let draws = Self { names, sets, n, values, log_density: vec![], labels: vec![] };
        draws.check()?;
        Ok(draws)
    }

    /// Number of parameters D.
    pub fn dim(&self) -> usize {
        self.names.len()
    }

    /// The draws of data set `set`, shape (n, D).
    pub fn set(&self, set: usize) -> &[f32] {
        let size = self.n * self.dim();
        &self.values[set * size..(set + 1) * size]
    }

    /// Writes all draws, each file whole or not at all; returns the paths written. CmdStan's csv has one file per
    /// data set: with several, `draws.csv` becomes `draws-set0.csv`, `draws-set1.csv`, ...
    pub fn write(&self, path: &Path, format: Format) -> Result<Vec<PathBuf>> {
        self.check()?;
        let paths = match format {
            Format::CmdStan if self.sets > 1 => (0..self.sets).map(|set| set_path(path, set)).collect(),
            _ => vec![path.to_path_buf()],
        };
        for (set, path) in paths.iter().enumerate() {
            write_atomic(path, |w| match format {
                Format::Npz => self.npz(w),
                Format::Csv => self.csv(w),
                Format::CmdStan => {
                    let density = self.log_density.get(set * self.n..(set + 1) * self.n).unwrap_or_default();
                    let called = label(&self.labels, set);
                    cmdstan::write(w, &self.names, self.set(set), density, (set, &called))
                }
            })?;
        }
        Ok(paths)
    }

    fn check(&self) -> Result<()> {
        let wanted = self.sets.checked_mul(self.n).and_then(|m| m.checked_mul(self.dim()));
        if wanted != Some(self.values.len()) || self.values.is_empty() {
            return Err(Error::input(
                "draws",
                format!("{} x {} x {} values, at least one", self.sets, self.n, self.dim()),
                format!("{} values", self.values.len()),
                "Give one name per parameter and one value per data set, draw and parameter",
            ));
        }
        Ok(())
    }

    fn npz(&self, w: &mut (impl Write + Seek)) -> io::Result<()> {
        let mut zip = ZipWriter::new(w);
        // Stored, not deflated: random mantissas shrink by a tenth and cost seconds. The date is fixed, so equal
        // draws are equal files.
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(0o644)
            // The array and its header, at 4 GiB the old zip format ends.
            .large_file(self.values.len() as u64 * 4 + 4096 > u64::from(u32::MAX));
        zip.start_file("draws.npy", options)?;
        npy::write_f32(&mut zip, &[self.sets, self.n, self.dim()], &self.values)?;
        zip.start_file("names.npy", options)?;
        npy::write_strings(&mut zip, &self.names)?;
        zip.finish()?;
        Ok(())
    }

    fn csv(&self, w: &mut impl Write) -> io::Result<()> {
        let mut header = csv::Writer::from_writer(Vec::new());
        let dataset = (self.sets > 1).then_some("dataset");
        header.write_record(dataset.into_iter().chain(self.names.iter().map(String::as_str)))?;
        let header = header.into_inner().map_err(|e| io::Error::other(e.to_string()))?;
        w.write_all(&header)?;
        let mut line = String::new();
        for set in 0..self.sets {
            // Quoted where it must be.
            let mut first = csv::WriterBuilder::new().from_writer(Vec::new());
            first.write_record([label(&self.labels, set)])?;
            let first = first.into_inner().map_err(|e| io::Error::other(e.to_string()))?;
            let first = String::from_utf8_lossy(&first);
            for draw in self.set(set).chunks_exact(self.dim()) {
                line.clear();
                if self.sets > 1 {
                    line.push_str(first.trim_end_matches('\n'));
                    line.push(',');
                }
                push_row(&mut line, draw);
                w.write_all(line.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// `draws.stan.csv` to `draws-set7.stan.csv`: not `_7`, which CmdStan's readers take for a chain.
fn set_path(path: &Path, set: usize) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    // A leading point hides a file and begins no extension.
    let end = name.char_indices().skip(1).find(|&(_, c)| c == '.').map_or(name.len(), |(at, _)| at);
    path.with_file_name(format!("{}-set{set}{}", &name[..end], &name[end..]))
}

/// Appends numbers separated by commas and a line feed, each with the fewest digits that give it back exactly.
pub(super) fn push_row(line: &mut String, values: &[f32]) {
    use std::fmt::Write;
    for (i, &v) in values.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        // Plain notation of 1e-30 would take 32 characters. Writing to a String cannot fail.
        let plain = v == 0.0 || (1e-4..1e7).contains(&v.abs()) || !v.is_finite();
        let _ = if plain { write!(line, "{v}") } else { write!(line, "{v:e}") };
    }
    line.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::npz::Npz;
    use super::*;

    fn draws(sets: usize) -> Draws {
        let values = (0..sets * 4 * 2).map(|i| (i as f32 - 3.3) * 10f32.powi(i as i32 % 13 - 6)).collect();
        Draws::new(vec!["α".into(), "rate, \"b\"".into()], sets, 4, values).unwrap()
    }

    #[test]
    fn npz_is_read_back_and_equal_draws_are_equal_files() {
        let folder = tempfile::tempdir().unwrap();
        let (path, again) = (folder.path().join("d.npz"), folder.path().join("e.npz"));
        assert_eq!(draws(3).write(&path, Format::Npz).unwrap(), std::slice::from_ref(&path));
        draws(3).write(&again, Format::Npz).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&again).unwrap());
        let mut npz = Npz::open(&path).unwrap();
        assert_eq!(npz.keys(), ["draws", "names"]);
        let array = npz.read("draws").unwrap();
        assert_eq!((array.shape, array.values), (vec![3, 4, 2], draws(3).values));
        assert!(npz.read("names").unwrap_err().to_string().contains("text"));
        let bytes = std::fs::read(&path).unwrap();
        let name: Vec<u8> = "rate, \"b\"".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert!(bytes.windows(name.len()).any(|w| w == name));
    }

    #[test]
    fn csv_has_quoted_names_exact_numbers_and_data_sets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.csv");
        for sets in [1, 2] {
            draws(sets).write(&path, Format::Csv).unwrap();
            let mut reader = csv::Reader::from_path(&path).unwrap();
            let header: Vec<_> = reader.headers().unwrap().iter().map(str::to_string).collect();
            let skip = usize::from(sets > 1);
            assert_eq!(header[skip..], ["α", "rate, \"b\""]);
            let mut values = Vec::new();
            for (row, record) in reader.records().enumerate() {
                let record = record.unwrap();
                assert!(skip == 0 || record[0] == (row / 4).to_string());
                values.extend(record.iter().skip(skip).map(|cell| cell.parse::<f32>().unwrap()));
            }
            assert_eq!(values, draws(sets).values);
        }
    }

    #[test]
    fn data_sets_keep_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.csv");
        let named = Draws { labels: vec!["7".into(), "a, \"b\"".into()], ..draws(2) };
        named.write(&path, Format::Csv).unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let found: Vec<String> = reader.records().map(|r| r.unwrap()[0].to_string()).collect();
        assert_eq!((found[0].as_str(), found[7].as_str()), ("7", "a, \"b\""));
        named.write(&folder.path().join("d.stan.csv"), Format::CmdStan).unwrap();
        let text = std::fs::read_to_string(folder.path().join("d-set0.stan.csv")).unwrap();
        assert!(text.contains("for data set 7;"), "{text}");
    }

    #[test]
    fn cmdstan_has_one_file_per_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let paths = draws(2).write(&folder.path().join("d.stan.csv"), Format::CmdStan).unwrap();
        let names: Vec<_> = paths.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["d-set0.stan.csv", "d-set1.stan.csv"]);
        for (set, path) in paths.iter().enumerate() {
            let text = std::fs::read_to_string(path).unwrap();
            let rows = text.lines().filter(|line| line.starts_with("0,1,"));
            let cells = rows.flat_map(|row| row.split(',').skip(2)).map(|cell| cell.parse::<f32>().unwrap());
            assert_eq!(cells.collect::<Vec<_>>(), draws(2).set(set));
        }
        assert_eq!(set_path(Path::new("a.b/.x"), 1), Path::new("a.b/.x-set1"));
        assert_eq!(set_path(Path::new("é.csv"), 1), Path::new("é-set1.csv"));
    }

    #[test]
    fn formats_are_told_by_name() {
        for (name, format) in [
            ("a.npz", Format::Npz),
            ("A.CSV", Format::Csv),
            ("x.stan.csv", Format::CmdStan),
            ("r/a.b.csv", Format::Csv),
        ] {
            assert_eq!(Format::from_path(Path::new(name)).unwrap(), format);
        }
        assert!(Format::from_path(Path::new("a.parquet")).unwrap_err().to_string().contains(".stan.csv"));
        assert_eq!("cmdstan".parse::<Format>().unwrap(), Format::CmdStan);
        assert!("json".parse::<Format>().unwrap_err().to_string().contains("npz, csv or cmdstan"));
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let message = Draws::new(vec!["a".into()], 2, 3, vec![0.0; 5]).unwrap_err().to_string();
        assert!(message.contains("2 x 3 x 1") && message.contains("5 values"), "{message}");
        assert!(Draws::new(vec![], 2, 3, vec![]).is_err());
        assert!(Draws::new(vec!["a".into()], usize::MAX, 3, vec![0.0]).is_err());
    }
}
