//! Files that are either complete or not there: temporary file, flush, sync, rename.
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Replaces the file at `path` by what `write` writes.
///
/// The bytes go to a temporary file in the same folder, which is synced and renamed; then the folder is synced. On
/// any failure the temporary file is removed and an old file at `path` is intact. A link is followed, so the file
/// that it names is replaced and the link stays. A target that is a folder or a device is refused.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
    replace(path, |temporary| OpenOptions::new().write(true).create_new(true).open(temporary), write)
}

fn replace(
    path: &Path,
    open: impl FnOnce(&Path) -> io::Result<File>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let fail = |e| Error::io("write", path, e);
    let target = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(fail(io::Error::other("it is a folder"))),
        // Renaming over /dev/null would replace the device itself.
        Ok(found) if !found.is_file() => return Err(fail(io::Error::other("it is not a plain file"))),
        Ok(_) => std::fs::canonicalize(path).map_err(fail)?,
        Err(_) => path.to_path_buf(),
    };
    let Some(name) = target.file_name() else {
        return Err(fail(io::Error::other("it does not name a file")));
    };
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let unique = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut hidden = std::ffi::OsString::from(".");
    // A long name must not become too long by our suffix: 64 characters tell enough.
    hidden.push(name.to_string_lossy().chars().take(64).collect::<String>());
    hidden.push(format!(".{}-{unique}.tmp", std::process::id()));
    let temporary = folder.join(hidden);

    let file = open(&temporary).map_err(fail)?;
    let guard = Remove(Some(&temporary));
    let mut writer = BufWriter::new(file);
    // Dropping a BufWriter writes what is left in it; after a failure that would only fail again.
    if let Err(e) = write(&mut writer).and_then(|()| writer.flush()) {
        drop(writer.into_parts());
        return Err(fail(e));
    }
    let (file, _) = writer.into_parts();
    file.sync_all().map_err(fail)?;
    drop(file);
    std::fs::rename(&temporary, &target).map_err(fail)?;
    guard.keep();
    // The new name is durable only with the folder; Windows has no such call.
    #[cfg(unix)]
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(fail)?;
    Ok(())
}

/// Removes temporary files that processes which were killed left in `folder`. For folders in which nobody else writes.
pub fn sweep(folder: &Path) {
    let own = format!(".{}-", std::process::id());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // `.NAME.PID-COUNT.tmp`
        let numbers = name.strip_suffix(".tmp").and_then(|n| n.rsplit_once('.')).map(|(_, n)| n);
        let ours = numbers.and_then(|n| n.split_once('-')).is_some_and(|(pid, count)| {
            [pid, count].iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        });
        if name.starts_with('.') && ours && !name.contains(&own) {
            // It only takes room.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes the temporary file unless told to keep it, also when the writer panics.
struct Remove<'a>(Option<&'a Path>);

impl Remove<'_> {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Remove<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.0 {
            // Nothing more can be done if this fails, and the first error is the one to report.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names in a folder; a left-over temporary file would be among them.
    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn with_old() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("draws.csv");
        std::fs::write(&path, "old").unwrap();
        (folder, path)
    }

    fn assert_old(folder: &Path, path: &Path) {
        assert_eq!(std::fs::read_to_string(path).unwrap(), "old");
        assert_eq!(names(folder), ["draws.csv"]);
    }

    #[test]
    fn a_file_is_made_or_replaced_whole() {
        let (folder, path) = with_old();
        write_atomic(&path, |w| w.write_all(&[b'n'; 100_000])).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 100_000);
        write_atomic(&folder.path().join("other"), |w| w.write_all(b"x")).unwrap();
        assert_eq!(names(folder.path()), ["draws.csv", "other"]);
    }

    #[test]
    fn a_failing_or_panicking_writer_leaves_the_old_file() {
        let (folder, path) = with_old();
        let error = write_atomic(&path, |w| {
            w.write_all(b"half")?;
            w.flush()?;
            Err(io::Error::other("lost the thread"))
        });
        assert!(error.unwrap_err().to_string().contains("lost the thread"));
        assert_old(folder.path(), &path);
        let panicked = std::panic::catch_unwind(|| write_atomic(&path, |_| panic!("on purpose")));
        assert!(panicked.is_err());
        assert_old(folder.path(), &path);
    }

    #[test]
    fn leftovers_of_killed_processes_are_swept_and_nothing_else() {
        let (folder, path) = with_old();
        let own = format!(".state.{}-0.tmp", std::process::id());
        let kept = [own.as_str(), ".state.tmp", ".x.a-1.tmp", "state.1-2.tmp", ".state.1-2.bak"];
        for name in kept.iter().chain(&[".state.safetensors.1-22.tmp", ".w.0-0.tmp"]) {
            std::fs::write(folder.path().join(name), "half").unwrap();
        }
        sweep(folder.path());
        let mut want: Vec<&str> = kept.into_iter().chain(["draws.csv"]).collect();
        want.sort_unstable();
        assert_eq!(names(folder.path()), want);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "old");
        sweep(Path::new("/nowhere"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_the_old_file_and_says_so() {
        let (folder, path) = with_old();
        for size in [10, 100_000] {
            let opened = |temporary: &Path| {
                File::create_new(temporary)?;
                OpenOptions::new().write(true).open("/dev/full")
            };
            // Small writes fail in the flush, large ones in the write.
            let error = replace(&path, opened, |w| w.write_all(&vec![0; size])).unwrap_err();
            let Error::Io { source, hint, .. } = &error else { panic!("{error}") };
            assert_eq!(source.kind(), io::ErrorKind::StorageFull);
            assert!(hint.contains("Free some space"));
            assert_old(folder.path(), &path);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn folders_devices_and_missing_folders_are_refused() {
        let (folder, path) = with_old();
        let nothing = |_: &mut BufWriter<File>| Ok(());
        for (target, part) in [
            (folder.path().to_path_buf(), "it is a folder"),
            (PathBuf::from("/dev/null"), "not a plain file"),
            (folder.path().join("missing/x"), "Check the path"),
            // Nobody can make files here, not even root, for whom permissions do not count.
            (PathBuf::from("/proc/x"), "cannot write"),
        ] {
            let message = write_atomic(&target, nothing).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
            assert!(message.contains(&target.display().to_string()), "{message}");
        }
        assert_old(folder.path(), &path);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let (folder, path) = with_old();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_atomic(&link, |w| w.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }
}
