//! npz: a zip archive of npy arrays (numpy.savez, numpy.savez_compressed).
use super::npy::{self, Array};
use super::problem::{Problem, excerpt};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Deflate cannot expand by more than this (zlib, "Maximum Compression Factor"): bounds what an entry may claim.
const MAX_EXPANSION: u64 = 1032;
const DAMAGED: &str = "The file was cut off or damaged: copy or save it again";

/// An opened npz archive.
pub struct Npz<R> {
    path: PathBuf,
    bytes: u64,
    archive: ZipArchive<R>,
}

impl Npz<BufReader<File>> {
    /// Opens the archive and reads its directory.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
        let bytes = file.metadata().map_err(|e| Error::io("read", path, e))?.len();
        Self::new(path, BufReader::new(file), bytes)
    }
}

impl<R: Read + Seek> Npz<R> {
    /// Reads the directory of the archive in `reader`, which holds `bytes`; `path` is for messages.
    pub fn new(path: &Path, reader: R, bytes: u64) -> Result<Self> {
        let archive = ZipArchive::new(reader)
            .map_err(|e| Problem::new(format!("not a sound npz archive ({e})"), DAMAGED).at(path))?;
        Ok(Self { path: path.into(), bytes, archive })
    }

    /// Names of the arrays, without `.npy`, in the order of the archive.
    pub fn keys(&self) -> Vec<String> {
        let names = self.archive.file_names().filter_map(|name| name.ok());
        names.filter_map(|name| name.strip_suffix(".npy").map(str::to_string)).collect()
    }

    /// The keys for a message.
    pub fn show_keys(&self) -> String {
        let keys = self.keys();
        let shown: Vec<String> = keys.iter().take(8).map(|key| format!("`{}`", excerpt(key))).collect();
        match keys.len() {
            0 => "no array".into(),
            n if n > 8 => format!("{} and {} more", shown.join(", "), n - 8),
            _ => shown.join(", "),
        }
    }

    /// Reads the array `key`.
    pub fn read(&mut self, key: &str) -> Result<Array> {
        let within = format!("array `{}`: ", excerpt(key));
        self.unpack(key).map_err(|problem| problem.within(&within).at(&self.path))
    }

    fn unpack(&mut self, key: &str) -> std::result::Result<Array, Problem> {
        let mut entry = self
            .archive
            .by_name(&format!("{key}.npy"))
            .map_err(|e| Problem::new(format!("it cannot be unpacked ({e})"), DAMAGED))?;
        let size = entry.size();
        if size > entry.compressed_size().min(self.bytes).saturating_mul(MAX_EXPANSION) {
            return Err(Problem::new(
                format!("the archive of {} bytes claims to hold {size} bytes", self.bytes),
                DAMAGED,
            ));
        }
        let array = npy::read(&mut entry, size)?;
        // The checksum is verified at the end of the entry, so ask for the end.
        match entry.read(&mut [0]) {
            Ok(0) => Ok(array),
            Ok(_) => Err(Problem::new("it is longer than the archive's directory says", DAMAGED)),
            Err(e) => Err(Problem::new(format!("it is damaged ({e})"), DAMAGED)),
        }
    }
}
