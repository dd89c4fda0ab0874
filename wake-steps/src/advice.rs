//! What may help whoever reads that a command failed.

use wake_model::{RelPath, place};

use crate::pin::PinnedAction;
use crate::step::{Input, SourceBase, SourceFile, SourceFiles};

/// Files that are named at most.
const MOST_FILES: usize = 3;
/// The end of what a command wrote in which they are looked for, in bytes.
const SEARCHED: usize = 4096;

/// Lines about files that the command speaks of in `said`, that lie beside its inputs, and that it does not see.
///
/// Cost: a look at the file system for each word that looks like a path.
pub(crate) fn unseen_files(
    pinned: &PinnedAction,
    sources: &dyn SourceFiles,
    said: &[u8],
) -> Vec<String> {
    let Some(dir) = own_directory(pinned) else { return Vec::new() };
    let said = String::from_utf8_lossy(&said[said.len().saturating_sub(SEARCHED)..]);
    let mut named: Vec<RelPath> = Vec::new();
    for word in said.split(|c: char| !is_of_path(c)) {
        if named.len() == MOST_FILES {
            break;
        }
        let word = word.trim_end_matches('.').trim_start_matches("./");
        let Ok(path) = RelPath::parse(word) else { continue };
        let is_new = word.contains(['.', '/']) && !named.contains(&path);
        if is_new
            && !pinned.inputs.reaches(&path)
            && sources.place(dir, &path).symlink_metadata().is_ok_and(|found| !found.is_dir())
        {
            named.push(path);
        }
    }
    let line = |path: &RelPath| {
        format!("`{0}` exists and the command does not see it: add '{0}' to `files`", path.dotted())
    };
    named.iter().map(line).collect()
}

/// A line about directories that cannot be moved as a whole, where the command says in `said` that something could not be.
///
/// The kernel would have to note in the layer below, which belongs to the store, where the directory has gone: it does that
/// for nobody but root outside of all user namespaces.
pub(crate) fn unmovable_directory(pinned: &PinnedAction, said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(&said[said.len().saturating_sub(SEARCHED)..]);
    if !said.contains("ross-device link") && !said.contains("EXDEV") {
        return None;
    }
    let many = pinned.inputs.own_files().is_some();
    let mut own = pinned.inputs.iter().filter(|(path, _)| !place::is_foreign(path));
    let directory = own.find_map(|(path, input)| match input {
        Input::File(file) if many || file.is_large() => {
            Some(path.parent()?).filter(|dir| !dir.is_root())
        }
        _ => None,
    })?;
    let which = match many {
        true => "of a step with so many sources",
        false => "with sources of 256 KiB and more",
    };
    Some(format!(
        "a directory {which}, as `{}` is, cannot be renamed: `mv` copies it, and its files can be renamed",
        directory.dotted()
    ))
}

/// The directory whose files lie where they lie in the working directory.
fn own_directory(pinned: &PinnedAction) -> Option<&RelPath> {
    pinned.inputs.iter().find_map(|(path, input)| match input {
        Input::File(SourceFile { base: SourceBase::Dir(dir), below, .. }) if path == below => {
            Some(dir)
        }
        _ => None,
    })
}

fn is_of_path(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | '+' | '@' | '~')
}
