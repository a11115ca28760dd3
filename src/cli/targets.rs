//! Files that a command will write: what is wrong with one is said before the work, not after.
use std::path::Path;

use anyhow::bail;

use super::run::Result;

/// That a file can come to be at `path`: in a folder that is there, not in a folder's place, not in that of an `input`.
pub(super) fn file(path: &Path, inputs: &[&Path]) -> Result<()> {
    let shown = path.display();
    if path.is_dir() {
        bail!("`{shown}`: expected the name of a file, found a folder. Give a file in it");
    }
    place(path, inputs)
}

/// The same for a zarr store, which is a folder and may replace an earlier one.
pub(super) fn store(path: &Path, inputs: &[&Path]) -> Result<()> {
    if path.exists() && !path.join(".zgroup").is_file() {
        bail!(
            "`{}`: expected a new name or that of a zarr store, found something else. Choose another",
            path.display()
        );
    }
    place(path, inputs)
}

fn place(path: &Path, inputs: &[&Path]) -> Result<()> {
    let shown = path.display();
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        bail!(
            "`{shown}`: expected a folder `{}` to write into, found none. Create it, or choose another",
            parent.display()
        );
    }
    let is = |input: &&&Path| matches!((path.canonicalize(), input.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if inputs.iter().any(|input| is(&input)) {
        bail!("`{shown}`: expected another file than the input, found the same. Choose another name");
    }
    Ok(())
}

/// That the name of a file of one kind says so.
pub(super) fn named(path: &Path, end: &str) -> Result<()> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case(end)) {
        return Ok(());
    }
    bail!("`{}`: expected a name that ends in .{end}, found another. Rename it", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("x.csv"), "1").unwrap();
        let input = at("x.csv");
        assert!(file(&at("new.npz"), &[&input]).is_ok() && file(&at("x.csv"), &[]).is_ok());
        assert!(file(Path::new("in-this-folder.npz"), &[&input]).is_ok());
        let says = |found: Result<()>, part: &str| {
            let text = found.unwrap_err().to_string();
            assert!(text.contains(part), "{text}");
        };
        says(file(&at("gone/new.npz"), &[]), "to write into, found none");
        says(file(folder.path(), &[]), "found a folder");
        says(file(&at("./x.csv"), &[&input]), "than the input");
        says(store(folder.path(), &[]), "found something else");
        std::fs::write(at(".zgroup"), "{}").unwrap();
        assert!(store(folder.path(), &[]).is_ok() && store(&at("new.zarr"), &[]).is_ok());
        assert!(named(Path::new("a.SVG"), "svg").is_ok());
        says(named(Path::new("a.png"), "svg"), "ends in .svg");
    }
}
