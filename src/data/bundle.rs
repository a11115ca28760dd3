//! Draws with everything that belongs to them, for ArviZ, xarray and numpy: one npz archive, or a zarr store laid out as
//! ArviZ's InferenceData (groups `posterior`, `posterior_predictive`, `observed_data`, `sample_stats`, `prior`).
//!
//! NetCDF with groups is HDF5, which no well-kept crate writes without a C library. Zarr version 2 without compression
//! is raw values beside small JSON files, so it needs no crate at all.
use super::draws::Draws;
use super::npy;
use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Seek, Write};
use std::path::Path;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Posterior draws with their densities, data, predictive draws and prior. Parts that are empty are left out.
#[derive(Debug, Clone)]
pub struct Bundle<'a> {
    /// The draws, (sets, n, D), and their densities.
    pub draws: &'a Draws,
    /// Data sets, (sets, C).
    pub observed: &'a [f32],
    /// Data simulated from the first draws of each set, (sets, m, C).
    pub predictive: Vec<f32>,
    /// Prior draws, (k, D).
    pub prior: Vec<f32>,
}

/// A variable of a group: name, dimensions and values in that order.
struct Variable {
    name: String,
    dims: Vec<(&'static str, usize)>,
    values: Vec<f32>,
}

impl Bundle<'_> {
    fn sizes(&self) -> (usize, usize, usize, usize) {
        (self.draws.sets, self.draws.n, self.draws.dim(), self.observed.len() / self.draws.sets.max(1))
    }

    /// Writes a numpy archive: `draws` (sets, n, D), `names` (D), `datasets` (sets) where they have names, `log_density` (sets, n), `observed` (sets, C),
    /// `predictive` (sets, m, C), `prior` (k, D).
    pub fn write_npz(&self, path: &Path) -> Result<()> {
        super::atomic::write_atomic(path, |w| self.npz(w))
    }

    fn npz(&self, w: &mut (impl Write + Seek)) -> io::Result<()> {
        let (sets, n, d, c) = self.sizes();
        let mut zip = ZipWriter::new(w);
        // As for draws alone: random mantissas do not shrink, and the fixed date makes equal content equal bytes.
        let options = |values: usize| {
            SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Stored)
                .last_modified_time(zip::DateTime::default())
                .unix_permissions(0o644)
                .large_file(values as u64 * 4 + 4096 > u64::from(u32::MAX))
        };
        let predictive = self.predictive.len() / (sets * c).max(1);
        let arrays: [(&str, Vec<usize>, &[f32]); 5] = [
            ("draws", vec![sets, n, d], &self.draws.values),
            ("log_density", vec![sets, n], &self.draws.log_density),
            ("observed", vec![sets, c], self.observed),
            ("predictive", vec![sets, predictive, c], &self.predictive),
            ("prior", vec![self.prior.len() / d.max(1), d], &self.prior),
        ];
        for (name, shape, values) in arrays.iter().filter(|a| !a.2.is_empty()) {
            zip.start_file(format!("{name}.npy"), options(values.len()))?;
            npy::write_f32(&mut zip, shape, values)?;
        }
        zip.start_file("names.npy", options(0))?;
        npy::write_strings(&mut zip, &self.draws.names)?;
        if !self.draws.labels.is_empty() {
            zip.start_file("datasets.npy", options(0))?;
            npy::write_strings(&mut zip, &self.draws.labels)?;
        }
        zip.finish()?;
        Ok(())
    }

    /// Writes a zarr store (a folder), whole or not at all. An earlier store of that name is replaced; any other file or
    /// folder is refused.
    pub fn write_zarr(&self, path: &Path) -> Result<()> {
        let fail = |e| Error::io("write", path, e);
        if path.exists() && !path.join(".zgroup").is_file() {
            return Err(fail(io::Error::other("it is there and no zarr store")));
        }
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let written = self.store(&temporary).and_then(|()| {
            if path.exists() {
                fs::remove_dir_all(path)?;
            }
            fs::rename(&temporary, path)
        });
        if written.is_err() {
            // What is left of a failed attempt is of no use; the first error is the one to tell.
            let _ = fs::remove_dir_all(&temporary);
        }
        written.map_err(fail)
    }

    fn store(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(root)?;
        metadata(&root.join(".zgroup"), &json!({ "zarr_format": 2 }))?;
        for (name, variables) in self.groups() {
            let folder = root.join(name);
            fs::create_dir_all(&folder)?;
            metadata(&folder.join(".zgroup"), &json!({ "zarr_format": 2 }))?;
            let about = json!({
                "inference_library": "couplet",
                "inference_library_version": env!("CARGO_PKG_VERSION"),
            });
            metadata(&folder.join(".zattrs"), &about)?;
            for variable in &variables {
                array(&folder.join(&variable.name), &variable.dims, &variable.values)?;
            }
            if variables.iter().any(|v| v.dims.iter().any(|d| d.0 == "dataset"))
                && !self.draws.labels.is_empty()
            {
                texts(&folder.join("dataset"), "dataset", &self.draws.labels)?;
            }
        }
        Ok(())
    }

    fn groups(&self) -> Vec<(&'static str, Vec<Variable>)> {
        let (sets, n, d, c) = self.sizes();
        let names = plain(&self.draws.names);
        // One data set needs no dimension; several stand last, after chain and draw, as ArviZ wants it.
        let with = |mut dims: Vec<(&'static str, usize)>| {
            dims.extend((sets > 1).then_some(("dataset", sets)));
            dims
        };
        let parameters = |values: &dyn Fn(usize) -> Vec<f32>, dims: Vec<(&'static str, usize)>| {
            let one = |(j, name): (usize, &String)| Variable {
                name: name.clone(),
                dims: dims.clone(),
                values: values(j),
            };
            names.iter().enumerate().map(one).collect::<Vec<_>>()
        };
        let draw = |j: usize| {
            let value = |i: usize, set: usize| self.draws.values[(set * n + i) * d + j];
            (0..n).flat_map(|i| (0..sets).map(move |set| value(i, set))).collect()
        };
        let mut groups = vec![("posterior", parameters(&draw, with(vec![("chain", 1), ("draw", n)])))];
        let single = |name: &str, dims, values| vec![Variable { name: name.into(), dims, values }];
        if !self.draws.log_density.is_empty() {
            let values =
                (0..n).flat_map(|i| (0..sets).map(move |s| self.draws.log_density[s * n + i])).collect();
            let dims = with(vec![("chain", 1), ("draw", n)]);
            groups.push(("sample_stats", single("lp", dims, values)));
        }
        if !self.predictive.is_empty() {
            let m = self.predictive.len() / (sets * c);
            let row = |i: usize, set: usize| &self.predictive[(set * m + i) * c..][..c];
            let values =
                (0..m).flat_map(|i| (0..sets).flat_map(move |s| row(i, s).iter().copied())).collect();
            let mut dims = with(vec![("chain", 1), ("draw", m)]);
            dims.push(("x_dim", c));
            groups.push(("posterior_predictive", single("x", dims, values)));
        }
        if !self.observed.is_empty() {
            let mut dims = with(vec![]);
            dims.push(("x_dim", c));
            groups.push(("observed_data", single("x", dims, self.observed.to_vec())));
        }
        if !self.prior.is_empty() {
            let column = |j: usize| self.prior.iter().skip(j).step_by(d).copied().collect();
            groups.push(("prior", parameters(&column, vec![("chain", 1), ("draw", self.prior.len() / d)])));
        }
        groups
    }
}

/// Names as folders: what is not a letter, digit, `_`, `-` or `.` becomes `_`, and no two are alike.
fn plain(names: &[String]) -> Vec<String> {
    let mut taken: Vec<String> = vec![];
    for name in names {
        let keep = |c: char| if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' };
        let mut folder: String = name.chars().map(keep).collect();
        // A leading point would be one of zarr's own files; these names are those of the dimensions.
        if folder.starts_with('.')
            || folder.is_empty()
            || ["chain", "draw", "dataset"].contains(&folder.as_str())
        {
            folder.insert(0, '_');
        }
        while taken.contains(&folder) {
            folder.push('_');
        }
        taken.push(folder);
    }
    taken
}

fn metadata(path: &Path, value: &Value) -> io::Result<()> {
    fs::write(path, value.to_string())
}

fn array(folder: &Path, dims: &[(&'static str, usize)], values: &[f32]) -> io::Result<()> {
    chunk(folder, dims, "<f4", values.iter().map(|value| value.to_le_bytes()))
}

/// Names along a dimension, as text of fixed width.
fn texts(folder: &Path, dim: &'static str, values: &[String]) -> io::Result<()> {
    let (kind, units) = npy::unicode(values);
    chunk(folder, &[(dim, values.len())], &kind, units)
}

/// One array of one chunk, in units of four bytes.
fn chunk(
    folder: &Path,
    dims: &[(&'static str, usize)],
    dtype: &str,
    units: impl Iterator<Item = [u8; 4]>,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let shape: Vec<usize> = dims.iter().map(|d| d.1).collect();
    let names: Vec<&str> = dims.iter().map(|d| d.0).collect();
    let array = json!({
        "zarr_format": 2, "shape": shape, "chunks": shape, "dtype": dtype, "compressor": null, "filters": null,
        "fill_value": null, "order": "C",
    });
    metadata(&folder.join(".zarray"), &array)?;
    metadata(&folder.join(".zattrs"), &json!({ "_ARRAY_DIMENSIONS": names }))?;
    let chunk = vec!["0"; shape.len()].join(".");
    let mut file = io::BufWriter::new(fs::File::create(folder.join(chunk))?);
    for unit in units {
        file.write_all(&unit)?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::npz::Npz;

    fn draws() -> Draws {
        let names = ["a", "b/c"].map(String::from).to_vec();
        let draws = Draws::new(names, 2, 3, (0..12).map(|v| v as f32).collect()).unwrap();
        Draws { log_density: vec![-1.0; 6], ..draws }
    }

    fn bundle(draws: &Draws) -> Bundle<'_> {
        Bundle {
            draws,
            observed: &[5.0, 6.0, 7.0, 8.0],
            predictive: (0..4).map(|v| v as f32).collect(),
            prior: vec![0.5; 8],
        }
    }

    #[test]
    fn the_archive_has_every_part_in_its_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.npz");
        let draws = draws();
        bundle(&draws).write_npz(&path).unwrap();
        assert_eq!(Npz::open(&path).unwrap().keys().len(), 6);
        let named = Draws { labels: vec!["p".into(), "qq".into()], ..draws.clone() };
        bundle(&named).write_npz(&path).unwrap();
        assert!(Npz::open(&path).unwrap().keys().contains(&"datasets".to_string()));
        let mut file = Npz::open(&path).unwrap();
        for (name, shape) in [
            ("draws", vec![2, 3, 2]),
            ("log_density", vec![2, 3]),
            ("observed", vec![2, 2]),
            ("predictive", vec![2, 1, 2]),
            ("prior", vec![4, 2]),
        ] {
            assert_eq!(file.read(name).unwrap().shape, shape, "{name}");
        }
    }

    #[test]
    fn the_store_has_draws_in_arvizs_order_and_replaces_only_stores() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.zarr");
        let draws = draws();
        bundle(&draws).write_zarr(&path).unwrap();
        bundle(&draws).write_zarr(&path).unwrap();
        let read = |name: &str| fs::read(path.join(name)).unwrap();
        // Draw by draw, set by set: a of (draw 0, set 0), (0, 1), (1, 0), ...
        let a: Vec<f32> =
            read("posterior/a/0.0.0").as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        assert_eq!(a, [0.0, 6.0, 2.0, 8.0, 4.0, 10.0]);
        assert!(path.join("posterior/b_c/.zarray").is_file() && path.join("prior/a/0.0").is_file());
        assert!(
            String::from_utf8(read("observed_data/x/.zattrs")).unwrap().contains("[\"dataset\",\"x_dim\"]")
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(!path.join("posterior/dataset").exists());
        let named = Draws { labels: vec!["p".into(), "qq".into()], ..draws.clone() };
        bundle(&named).write_zarr(&path).unwrap();
        for group in ["posterior", "observed_data", "sample_stats"] {
            let text = fs::read(path.join(group).join("dataset/0")).unwrap();
            assert_eq!(text, [*b"p\0\0\0\0\0\0\0", *b"q\0\0\0q\0\0\0"].concat(), "{group}");
        }
        assert!(!path.join("prior/dataset").exists());
        assert!(bundle(&draws).write_zarr(folder.path()).is_err());
        assert_eq!(plain(&["a".into(), "a".into(), "..".into(), "draw".into()]), ["a", "a_", "_..", "_draw"]);
    }
}
