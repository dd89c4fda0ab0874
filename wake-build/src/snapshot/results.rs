//! Comparing results and their links with a snapshot.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, Mode, openat, readlinkat, statat};
use wake_store::ConfinedPath;

use super::file::{ResultView, Snapshot};
use super::signature::{Proof, result_signature};
use crate::files::{Signature, now};
use crate::sources::DIR_PATH;

/// What to do about a result link.
pub(crate) enum CheckedLink {
    /// It has to be created again.
    Broken { link: String, target: PathBuf },
    /// It was read and is right; its signature will prove that from now on.
    Read { number: usize, proof: Proof },
}

/// Returns what to do about the links below `out`; none if a result is no longer where its link points, untouched.
/// Results with numbers in `made_again` are skipped.
pub(crate) fn check_results(
    snapshot: &Snapshot,
    out: &ConfinedPath,
    made_again: &HashSet<usize>,
) -> Option<Vec<CheckedLink>> {
    // Paths are relative to open directories, because there are many links.
    let out = out.open_dir().ok();
    // The directory two levels above a tree contains all trees of its store.
    let place = snapshot.result(0).and_then(|first| Path::new(first.target).ancestors().nth(2));
    let place = place.unwrap_or(Path::new("/"));
    let (trees, place) =
        (openat(CWD, place, DIR_PATH, Mode::empty()).ok()?, format!("{}/", place.to_str()?));
    let checked: Option<Vec<Option<CheckedLink>>> = (0..snapshot.results())
        .into_par_iter()
        .with_min_len(64)
        .filter(|number| made_again.is_empty() || !made_again.contains(number))
        .map_init(String::new, |path, number| {
            let result = snapshot.result(number)?;
            let from_there = result.target.strip_prefix(&place).unwrap_or(result.target);
            is_untouched(&result, &trees, from_there, path).then_some(())?;
            Some(check_link(&result, out.as_ref(), number))
        })
        .collect();
    Some(checked?.into_iter().flatten().collect())
}

/// Returns whether everything in a result is unchanged; `place` is its path from `dir`.
fn is_untouched(result: &ResultView, dir: &OwnedFd, place: &str, path: &mut String) -> bool {
    (0..result.len()).all(|number| {
        let Some((file, signature)) = result.file(number) else { return false };
        path.clear();
        path.push_str(place);
        if !file.is_empty() {
            path.push('/');
            path.push_str(file);
        }
        let stat = statat(dir, path.as_str(), AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|stat| Proof::from(result_signature(&stat)) == signature)
    })
}

/// Returns none if the link is unchanged.
fn check_link(result: &ResultView, out: Option<&OwnedFd>, number: usize) -> Option<CheckedLink> {
    let ResultView { link, target, proof, .. } = *result;
    let broken = || CheckedLink::Broken { link: link.to_owned(), target: PathBuf::from(target) };
    let Some(out) = out else { return Some(broken()) };
    let Ok(stat) = statat(out, link, AtFlags::SYMLINK_NOFOLLOW) else { return Some(broken()) };
    // The target of a link never changes: a new link of that name has another signature.
    if proof == Proof::of(&stat) {
        return None;
    }
    match read_link(out, link, target) {
        Some(Proof::NONE) => None,
        Some(proof) => Some(CheckedLink::Read { number, proof }),
        None => Some(broken()),
    }
}

/// Reads the link at `link` below `out`; none if it does not point to `target`. Returns the proof of that for the
/// future, if there is one.
pub(super) fn read_link(out: &OwnedFd, link: &str, target: &str) -> Option<Proof> {
    let looked = now();
    let signature = Signature::of(&statat(out, link, AtFlags::SYMLINK_NOFOLLOW).ok()?);
    let there = readlinkat(out, link, Vec::new()).ok()?;
    let is_right = there.as_bytes() == target.as_bytes();
    is_right.then(|| Proof::if_settled(signature, looked))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_an_older_link_to_its_result_is_proof() {
        let scene = tempfile::tempdir().unwrap();
        let out = openat(CWD, scene.path(), DIR_PATH, Mode::empty()).unwrap();
        assert_eq!(read_link(&out, "link", "there"), None);
        std::fs::write(scene.path().join("file"), "there").unwrap();
        assert_eq!(read_link(&out, "file", "there"), None);
        let made = now();
        symlink("there", scene.path().join("link")).unwrap();
        assert_eq!(read_link(&out, "link", "elsewhere"), None);
        let proof = loop {
            let begun = now();
            match read_link(&out, "link", "there").unwrap() {
                // It may be replaced within the same tick of the file system's clock.
                Proof::NONE => assert!(begun < made + 3_000_000_000),
                proof => break proof,
            }
        };
        assert!(Signature::from(proof).is_settled(now()));
        let stat = statat(&out, "link", AtFlags::SYMLINK_NOFOLLOW).unwrap();
        assert_eq!(proof, Proof::of(&stat));
    }
}
