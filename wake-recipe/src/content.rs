//! Input files: each is read once and identified by its content from then on.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use md5::{Digest as _, Md5};
use wake_asset::BUILD_DIR;
use wake_model::{BlobDigest, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::{Input, SourceBase, SourceFile};

/// A file with the digests of its content when it was read.
#[derive(Clone, Debug)]
pub struct ReadFile {
    /// Its absolute path.
    pub path: PathBuf,
    /// The MD5 of its content, which refgenie records.
    pub md5: String,
    /// The file as a step input.
    pub source: SourceFile,
}

/// Reads a file.
pub fn read_file(path: &Path) -> io::Result<ReadFile> {
    check_regular(path)?;
    let (mut file, mut md5, mut blake3) = (File::open(path)?, Md5::new(), blake3::Hasher::new());
    let metadata = file.metadata()?;
    let (mut size, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                md5.update(&buffer[..length]);
                blake3.update(&buffer[..length]);
                size += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let source = SourceFile {
        base: SourceBase::Dir(RelPath::root()),
        below: below_root(path)?,
        blob: BlobDigest(blake3.finalize().into()),
        size,
        executable: metadata.permissions().mode() & 0o100 != 0,
        bytes: None,
    };
    let md5 = md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(ReadFile { path: path.to_owned(), md5, source })
}

/// Checks that a path is a regular file before it is opened: opening a named pipe would wait for a writer.
pub(crate) fn check_regular(path: &Path) -> io::Result<()> {
    match fs::metadata(path)?.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

/// Converts an absolute path to one relative to the root, as steps name it.
fn below_root(path: &Path) -> io::Result<RelPath> {
    let text = path.to_str().ok_or_else(|| io::Error::other("the path is not UTF-8"))?;
    RelPath::parse(text.trim_start_matches('/')).map_err(io::Error::other)
}

/// Lists an asset's directory as step inputs by relative path, without the build record.
///
/// A link to a file outside its own directory is replaced by the file, which must be below `within`.
pub(crate) fn asset_inputs(dir: &Path, within: &Path) -> io::Result<BTreeMap<RelPath, Input>> {
    let mut inputs = BTreeMap::new();
    walk(dir, &RelPath::root(), within, &mut inputs)?;
    Ok(inputs)
}

fn walk(
    dir: &Path,
    at: &RelPath,
    within: &Path,
    inputs: &mut BTreeMap<RelPath, Input>,
) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_str().ok_or_else(|| io::Error::other("a file name is not UTF-8"))?;
        if at.is_root() && name == BUILD_DIR {
            continue;
        }
        let below = at.child(name).map_err(io::Error::other)?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let before = inputs.len();
            walk(&path, &below, within, inputs)?;
            if inputs.len() == before {
                inputs.insert(below, Input::Dir);
            }
        } else if kind.is_symlink() {
            let target = fs::read_link(&path)?;
            if stays(&target) {
                let target = target.to_string_lossy().into_owned();
                inputs.insert(below, Input::Link { target });
                continue;
            }
            let real = fs::canonicalize(&path)?;
            if !real.starts_with(fs::canonicalize(within)?) {
                let message = format!("`{}` points outside the registry", path.display());
                return Err(io::Error::other(message));
            }
            inputs.insert(below, Input::File(read_file(&real)?.source));
        } else {
            inputs.insert(below, Input::File(read_file(&path)?.source));
        }
    }
    Ok(())
}

/// Whether a link's target is below the link's own directory.
fn stays(target: &Path) -> bool {
    target.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// The diagnostic for a file that cannot be read.
pub(crate) fn unreadable(what: &str, path: &Path, error: &io::Error) -> Diagnostic {
    let class = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidInput => Class::Usage,
        _ => Class::Environment,
    };
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string(),
    };
    Diagnostic::error(class, format!("{what}: `{}`: {reason}", path.display()))
}
