//! `weights.safetensors`: named f32 tensors with the resolved model file in the metadata.
//!
//! Metadata: `format` = "couplet", `format_version` = "1", `model` = the resolved TOML, `checksum` = CRC-32 of
//! everything else, in hexadecimal, and free entries. The same content gives the same bytes.
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

use super::config::Config;
use crate::data::atomic::write_atomic;
use crate::error::{Error, Result};

/// The version of the file that this program writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 16 << 30;
/// Metadata entries that are not free.
const RESERVED: [&str; 4] = ["format", "format_version", "model", "checksum"];

/// A tensor, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// Sizes; empty for a scalar.
    pub shape: Vec<usize>,
    /// As many values as the product of the sizes, all finite.
    pub values: Vec<f32>,
}

/// The weights of a model, or any other named tensors of a run.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The resolved model.
    pub config: Config,
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Free entries.
    pub metadata: BTreeMap<String, String>,
    /// The file they came from, for messages; empty if they were made in memory.
    pub path: PathBuf,
}

impl Weights {
    /// No tensors yet.
    pub fn new(config: Config) -> Self {
        Self { config, tensors: BTreeMap::new(), metadata: BTreeMap::new(), path: PathBuf::new() }
    }

    /// Adds a tensor; `values` has as many entries as the product of `shape`.
    pub fn insert(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        self.tensors.insert(name.into(), Tensor { shape: shape.to_vec(), values });
    }

    /// The tensor `name`, which must have this shape.
    ///
    /// # Errors
    /// [`Error::Run`] if it is missing or has another shape.
    pub fn expect(&self, name: &str, shape: &[usize]) -> Result<&Tensor> {
        let problem = match self.tensors.get(name) {
            Some(tensor) if tensor.shape == shape => return Ok(tensor),
            Some(tensor) => format!("expected shape {shape:?} for tensor `{name}`, found {:?}", tensor.shape),
            None => format!("expected a tensor `{name}` of shape {shape:?}, found none of that name"),
        };
        Err(Error::run(&self.path, problem, "The file does not belong to its model; train again"))
    }

    /// Writes the file at once: a reader sees the old file or the new one.
    ///
    /// # Errors
    /// [`Error::Run`] if a tensor's values do not fit its shape or are not finite, or if the metadata uses a reserved
    /// key; [`Error::Io`] if the file cannot be written.
    pub fn save_atomic(&self, path: &Path) -> Result<()> {
        let refuse = |problem: String| Error::run(path, problem, "Nothing was written");
        for (name, tensor) in &self.tensors {
            if tensor.shape.iter().product::<usize>() != tensor.values.len() {
                return Err(refuse(format!(
                    "tensor `{name}` of shape {:?} has {} values",
                    tensor.shape,
                    tensor.values.len()
                )));
            }
            finite(name, tensor).map_err(refuse)?;
        }
        if let Some(key) = self.metadata.keys().find(|key| RESERVED.contains(&key.as_str())) {
            return Err(refuse(format!("the metadata key `{key}` is reserved")));
        }
        let mut metadata = self.metadata.clone();
        metadata.insert("format".into(), "couplet".into());
        metadata.insert("format_version".into(), FORMAT_VERSION.to_string());
        metadata.insert("model".into(), self.config.to_toml());
        metadata.insert("checksum".into(), format!("{:08x}", checksum(&metadata, &self.tensors)));
        let header = header(&metadata, &self.tensors);
        write_atomic(path, |out| {
            out.write_all(&(header.len() as u64).to_le_bytes())?;
            out.write_all(header.as_bytes())?;
            for tensor in self.tensors.values() {
                for value in &tensor.values {
                    out.write_all(&value.to_le_bytes())?;
                }
            }
            Ok(())
        })
    }

    /// Reads a file, which may be anything.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Run`] if it is not such a file, is cut short or changed, is from a
    /// newer version, or holds weights that are not finite.
    pub fn load(path: &Path) -> Result<Self> {
        let size = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?.len();
        if size > MAX_BYTES {
            return Err(damaged(path)(format!("expected at most {MAX_BYTES} bytes, found {size}")));
        }
        Self::parse(path, &std::fs::read(path).map_err(|e| Error::io("read", path, e))?)
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = damaged(path);
        whole(bytes).map_err(&damaged)?;
        let broken = |e| damaged(format!("not a sound safetensors file ({e})"));
        let (_, info) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let entries = info.metadata().iter().flatten();
        let mut metadata: BTreeMap<String, String> =
            entries.map(|(k, v)| (k.to_string(), v.to_string())).collect();
        version(path, &metadata)?;

        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(damaged(format!(
                    "expected f32 values in tensor `{name}`, found {:?}",
                    view.dtype()
                )));
            }
            let values = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            tensors.insert(name.to_string(), Tensor { shape: view.shape().to_vec(), values });
        }
        let stored = metadata.remove("checksum").unwrap_or_default();
        let found = format!("{:08x}", checksum(&metadata, &tensors));
        if stored != found {
            return Err(damaged(format!(
                "expected checksum {}, found {found}: the file has changed",
                short(&stored)
            )));
        }
        for (name, tensor) in &tensors {
            finite(name, tensor).map_err(&damaged)?;
        }
        let model = metadata
            .remove("model")
            .ok_or_else(|| damaged("expected the model in the metadata, found none".into()))?;
        let config = Config::from_toml(&model, &format!("the metadata of {}", path.display()))?;
        RESERVED.iter().for_each(|key| drop(metadata.remove(*key)));
        Ok(Self { config, tensors, metadata, path: path.to_path_buf() })
    }
}

fn damaged(path: &Path) -> impl Fn(String) -> Error {
    move |problem| Error::run(path, problem, "Copy the file again, or train again")
}

/// Distinguishes a file that is cut short from one that is something else; the reader would call both invalid.
fn whole(bytes: &[u8]) -> std::result::Result<(), String> {
    let head = bytes.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
    let Some(header) = head else {
        return Err(format!(
            "expected a safetensors file, found {} bytes: it is empty or cut short",
            bytes.len()
        ));
    };
    let rest = (bytes.len() - 8) as u64;
    if bytes.get(8).is_some_and(|b| *b != b'{') || !(2..=100_000_000).contains(&header) {
        return Err("expected a safetensors file, found something else".into());
    }
    if header > rest {
        return Err(format!("expected a header of {header} bytes, found {rest}: the file is cut short"));
    }
    Ok(())
}

fn version(path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
    let entry = |key: &str| metadata.get(key).map_or("none", String::as_str);
    if entry("format") != "couplet" {
        let problem =
            format!("expected `format` = \"couplet\" in the metadata, found {}", short(entry("format")));
        return Err(Error::run(path, problem, "Give a file or run folder that couplet wrote"));
    }
    let found = entry("format_version");
    match found.parse::<u32>() {
        Ok(FORMAT_VERSION) => Ok(()),
        Ok(newer) if newer > FORMAT_VERSION => {
            let problem = format!("expected format version {FORMAT_VERSION} or older, found {newer}");
            Err(Error::run(path, problem, "It is from a newer couplet: update, or train again"))
        }
        _ => {
            let problem = format!("expected format version {FORMAT_VERSION}, found {}", short(found));
            Err(Error::run(path, problem, "Copy the file again, or train again"))
        }
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

fn finite(name: &str, tensor: &Tensor) -> std::result::Result<(), String> {
    match tensor.values.iter().position(|v| !v.is_finite()) {
        Some(at) => Err(format!(
            "expected finite values in tensor `{name}`, found {} at index {at}",
            tensor.values[at]
        )),
        None => Ok(()),
    }
}

/// CRC-32 of metadata, names, shapes and values, each with its length so that nothing can move from one to the next.
fn checksum(metadata: &BTreeMap<String, String>, tensors: &BTreeMap<String, Tensor>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    let text = |crc: &mut crc32fast::Hasher, text: &str| {
        crc.update(&(text.len() as u64).to_le_bytes());
        crc.update(text.as_bytes());
    };
    for (key, value) in metadata.iter().filter(|(key, _)| *key != "checksum") {
        text(&mut crc, key);
        text(&mut crc, value);
    }
    let mut block = Vec::with_capacity(1 << 16);
    for (name, tensor) in tensors {
        text(&mut crc, name);
        crc.update(&(tensor.shape.len() as u64).to_le_bytes());
        tensor.shape.iter().for_each(|n| crc.update(&(*n as u64).to_le_bytes()));
        for values in tensor.values.chunks(1 << 14) {
            block.clear();
            values.iter().for_each(|v| block.extend_from_slice(&v.to_le_bytes()));
            crc.update(&block);
        }
    }
    crc.finalize()
}

/// The JSON header, padded with spaces to a multiple of 8. Written here because the crate writes its metadata in
/// random order, and the same weights are to give the same bytes.
fn header(metadata: &BTreeMap<String, String>, tensors: &BTreeMap<String, Tensor>) -> String {
    let mut fields = vec![format!("\"__metadata__\":{}", serde_json::json!(metadata))];
    let mut at = 0;
    for (name, tensor) in tensors {
        let end = at + 4 * tensor.values.len();
        let entry = serde_json::json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [at, end] });
        fields.push(format!("{}:{entry}", serde_json::json!(name)));
        at = end;
    }
    let mut header = format!("{{{}}}", fields.join(","));
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn sample() -> Weights {
        let mut weights = Weights::new(Config::builtin("sir").unwrap());
        weights.insert("flow.0.weight", &[3, 4], (0..12).map(|i| i as f32 * 0.25 - 1.0).collect());
        weights.insert("flow.0.bias", &[3], vec![1e-30, -2.5, 7.0]);
        weights.insert("nu", &[], vec![3.0]);
        weights.insert("empty", &[0, 2], vec![]);
        weights.metadata.insert("steps".into(), "12 \"quoted\" \u{e9}\n".into());
        weights
    }

    fn same(a: &Weights, b: &Weights) -> bool {
        a.config == b.config && a.tensors == b.tensors && a.metadata == b.metadata
    }

    fn refused(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        sample().save_atomic(&path).unwrap();
        std::fs::write(&path, change(std::fs::read(&path).unwrap())).unwrap();
        let message = Weights::load(&path).map(|_| panic!("accepted")).unwrap_err().to_string();
        assert!(message.contains("weights.safetensors"), "{message}");
        message
    }

    fn replaced(from: &'static str, to: &'static str) -> String {
        refused(|bytes| {
            let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
            let length =
                u64::from_le_bytes(bytes[..8].try_into().unwrap()) + to.len() as u64 - from.len() as u64;
            [&length.to_le_bytes(), &bytes[8..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
        })
    }

    #[test]
    fn a_file_reads_back_equal_and_the_same_content_gives_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("1"), folder.path().join("2"));
        sample().save_atomic(&one).unwrap();
        let loaded = Weights::load(&one).unwrap();
        assert!(same(&loaded, &sample()));
        loaded.save_atomic(&two).unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        assert_eq!(loaded.expect("nu", &[]).unwrap().values, [3.0]);
        assert!(
            loaded
                .expect("nu", &[1])
                .unwrap_err()
                .to_string()
                .contains("expected shape [1] for tensor `nu`, found []")
        );
        assert!(loaded.expect("mu", &[1]).unwrap_err().to_string().contains("`mu`"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(refused(|_| vec![]).contains("empty or cut short"));
        assert!(refused(|_| b"theta,x\n1,2\n3,4\n5,6\n".to_vec()).contains("something else"));
        assert!(refused(|b| b[..200].to_vec()).contains("cut short"));
        assert!(refused(|b| b[..b.len() - 3].to_vec()).contains("not a sound safetensors file"));
        assert!(
            refused(|mut b| {
                *b.last_mut().unwrap() ^= 1;
                b
            })
            .contains("the file has changed")
        );
        assert!(
            replaced("\"format_version\":\"1\"", "\"format_version\":\"12\"")
                .contains("newer couplet: update")
        );
        assert!(replaced("\"format\":\"couplet\"", "\"format\":\"pt\"").contains("that couplet wrote"));
        assert!(replaced("\"F32\"", "\"I32\"").contains("expected f32"));
        assert!(replaced("clip = 1.5", "clip = 1.6").contains("the file has changed"));
        assert!(replaced("\"shape\":[3,4]", "\"shape\":[4,3]").contains("the file has changed"));
    }

    #[test]
    fn weights_that_are_not_finite_are_neither_written_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        let mut weights = sample();
        weights.insert("bad", &[1], vec![f32::NAN]);
        assert!(weights.save_atomic(&path).unwrap_err().to_string().contains("`bad`"));
        assert!(!path.exists());
        weights.insert("bad", &[2], vec![1.0]);
        assert!(weights.save_atomic(&path).is_err());
        weights.tensors.remove("bad");
        weights.metadata.insert("model".into(), String::new());
        assert!(weights.save_atomic(&path).is_err());
        // A file whose checksum is right but whose weights are not.
        let mut weights = sample();
        weights.insert("nu", &[], vec![f32::INFINITY]);
        let mut metadata: BTreeMap<String, String> =
            [("format", "couplet"), ("format_version", "1")].map(|(k, v)| (k.into(), v.into())).into();
        metadata.insert("model".into(), weights.config.to_toml());
        metadata.insert("checksum".into(), format!("{:08x}", checksum(&metadata, &weights.tensors)));
        let header = header(&metadata, &weights.tensors);
        let data: Vec<u8> =
            weights.tensors.values().flat_map(|t| t.values.iter().flat_map(|v| v.to_le_bytes())).collect();
        std::fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat())
            .unwrap();
        assert!(
            Weights::load(&path)
                .unwrap_err()
                .to_string()
                .contains("expected finite values in tensor `nu`, found inf")
        );
    }

    #[test]
    fn a_thousand_mutated_files_are_refused_or_read_equal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        sample().save_atomic(&path).unwrap();
        let sound = std::fs::read(&path).unwrap();
        let header = u64::from_le_bytes(sound[..8].try_into().unwrap()) as usize;
        let mut rng = Rng::new(3, 7, 0, 0);
        let (mut refused, mut equal) = (0, 0);
        for round in 0..1200 {
            let mut bytes = sound.clone();
            // The first bytes, the header and the values in turn.
            let range = [0..8, 8..8 + header, 8 + header..sound.len()][round % 3].clone();
            for _ in 0..1 + rng.next_u32() % 2 {
                let at = range.start + rng.next_u32() as usize % range.len();
                let at = at.min(bytes.len() - 1);
                match rng.next_u32() % 4 {
                    0 | 1 => bytes[at] ^= 1 << (rng.next_u32() % 8),
                    2 => bytes.insert(at, rng.next_u32() as u8),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            match Weights::parse(&path, &bytes) {
                Ok(weights) => {
                    assert!(same(&weights, &sample()), "round {round}");
                    equal += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 1000, "{refused} refused, {equal} equal");
    }
}
