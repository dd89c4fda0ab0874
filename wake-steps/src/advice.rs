//! Hints for the user after a failed command.

use wake_model::{RelPath, place};

use crate::pin::PinnedAction;
use crate::step::{Input, SourceBase, SourceFile, SourceFiles};

/// The most files that are named.
const MOST_FILES: usize = 3;
/// How many bytes at the end of a command's output are searched for them.
const SEARCHED: usize = 4096;

/// Returns a hint for each file that `said` mentions and that lies beside the inputs without being one.
///
/// Cost: one `stat` for each word that looks like a path.
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

/// Returns a hint about directories that cannot be renamed, if `said` contains the error message for that.
///
/// overlayfs would have to record the new place in the lower layer, which belongs to the store. The kernel does that only for
/// root outside of all user namespaces.
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
    let reason = match many {
        true => "the step has so many sources",
        false => "it holds sources of 256 KiB or more",
    };
    Some(format!(
        "the directory `{}` cannot be renamed because {reason}: copy it with `mv`, or rename its files",
        directory.dotted()
    ))
}

/// Returns the directory of the checkout whose files keep their paths in the working directory.
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
