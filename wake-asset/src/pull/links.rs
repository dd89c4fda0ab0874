//! Checks the targets of links in an archive: the asset itself, and its parents.

use std::fs;
use std::path::{Component, Path};

use crate::error::{AssetError, At};
use crate::registry_path::AssetId;

/// Returns the `parents` that links in the directory `tree` of the asset `id` point to; a link with any other target is an error.
pub(super) fn parents<'a>(
    tree: &Path,
    id: &AssetId,
    parents: &'a [AssetId],
) -> Result<Vec<&'a AssetId>, AssetError> {
    let mut found = Vec::new();
    walk(tree, &place(id), &place(id), parents, &mut found)?;
    Ok(found)
}

/// The path of an asset below the data directory.
fn place(id: &AssetId) -> Vec<String> {
    [id.genome.as_str(), id.asset.as_str(), id.tag.as_str()].map(str::to_owned).into()
}

fn walk<'a>(
    dir: &Path,
    at: &[String],
    own: &[String],
    parents: &'a [AssetId],
    found: &mut Vec<&'a AssetId>,
) -> Result<(), AssetError> {
    for entry in fs::read_dir(dir).at(dir)? {
        let entry = entry.at(dir)?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type().at(&path)?;
        if kind.is_dir() {
            let below = [at, &[name]].concat();
            walk(&path, &below, own, parents, found)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).at(&path)?;
            let to = resolved(at, &target).unwrap_or_default();
            if to.starts_with(own) {
                continue;
            }
            match parents.iter().find(|parent| to.starts_with(&place(parent))) {
                Some(parent) if found.contains(&parent) => {}
                Some(parent) => found.push(parent),
                None => {
                    let path = [&at[own.len()..], &[name]].concat().join("/").into();
                    let problem = format!("it points to `{}`, outside the asset", target.display());
                    return Err(AssetError::Tree { path, problem });
                }
            }
        }
    }
    Ok(())
}

/// Resolves the target of a link in the directory `at`. A `..` after a name is rejected: it would resolve differently if the name
/// were a link.
fn resolved(at: &[String], target: &Path) -> Option<Vec<String>> {
    let mut to = at.to_vec();
    let mut has_name = false;
    for part in target.components() {
        match part {
            Component::ParentDir if has_name => return None,
            Component::ParentDir => drop(to.pop()?),
            Component::CurDir => {}
            Component::Normal(name) => {
                has_name = true;
                to.push(name.to_str()?.to_owned());
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    fn found(target: &str) -> Result<usize, String> {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d/e");
        fs::create_dir_all(&deep).unwrap();
        symlink(target, deep.join("x")).unwrap();
        let id = |text: &str| text.parse::<AssetId>().unwrap();
        let all = [id("4e88/fasta:a"), id("77/fasta:b")];
        let found = parents(dir.path(), &id("4e88/idx:v1"), &all);
        found.map(|found| found.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn links_point_to_the_asset_or_its_parents() {
        for (target, count) in [
            ("y", 0),
            ("../../z", 0),
            ("../../../../fasta/a/x.fa", 1),
            ("../../../../../77/fasta/b/x.fa", 1),
            ("./../../../../fasta/a", 1),
        ] {
            assert_eq!(found(target), Ok(count), "{target}");
        }
        for target in [
            "/etc/passwd",
            "../../../../fasta/b/x.fa",
            "../../../../fasta/x",
            "../../../v2/x",
            "../../../../../../../../etc/passwd",
            "../../../../fasta/a/../../x",
            "y/../../../../../../x",
        ] {
            let expected =
                format!("`d/e/x` cannot be an asset: it points to `{target}`, outside the asset");
            assert_eq!(found(target), Err(expected));
        }
    }
}
