//! Files as what a command is given: read once, and known by their content from then on.

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

/// A file with what it held when it was read.
#[derive(Clone, Debug)]
pub struct ReadFile {
    /// Where it lies, absolute.
    pub path: PathBuf,
    /// The MD5 of its bytes, by which refgenie tells files.
    pub md5: String,
    /// It, for a step.
    pub source: SourceFile,
}

/// Reads a file.
pub fn read_file(path: &Path) -> io::Result<ReadFile> {
    let (mut file, mut md5, mut blake3) = (File::open(path)?, Md5::new(), blake3::Hasher::new());
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
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

/// A path of this machine from its root, as steps name it.
fn below_root(path: &Path) -> io::Result<RelPath> {
    let text = path.to_str().ok_or_else(|| io::Error::other("its path is not UTF-8"))?;
    RelPath::parse(text.trim_start_matches('/')).map_err(io::Error::other)
}

/// What lies in the directory of an asset, as inputs by their paths in it; what says how it was built is left out.
///
/// A link that leads out of it stands for the file that it leads to, as long as that lies below `within`.
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
        let name = name.to_str().ok_or_else(|| io::Error::other("a name is not UTF-8"))?;
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
                let message = format!("`{}` leads out of the registry", path.display());
                return Err(io::Error::other(message));
            }
            inputs.insert(below, Input::File(read_file(&real)?.source));
        } else {
            inputs.insert(below, Input::File(read_file(&path)?.source));
        }
    }
    Ok(())
}

/// Whether a link stays in its own directory.
fn stays(target: &Path) -> bool {
    target.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// That a file that was given cannot be read.
pub(crate) fn unreadable(what: &str, path: &Path, error: &io::Error) -> Diagnostic {
    let class = match error.kind() {
        io::ErrorKind::NotFound => Class::Usage,
        _ => Class::Environment,
    };
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    };
    Diagnostic::error(class, format!("{what}: `{}`: {reason}", path.display()))
}
