//! Alias directories: links to the data of assets, by genome alias.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{AssetError, At};
use crate::folders::{self, Folders};
use crate::name::GenomeName;
use crate::registry_path::AssetId;

/// Creates at `to` the directory of links for an asset under `alias`; `from` has its data.
///
/// In link names the alias replaces the genome digest. Links point to the final location of the asset.
pub(crate) fn make(
    folders: &Folders,
    from: &Path,
    to: &Path,
    id: &AssetId,
    alias: &GenomeName,
) -> Result<(), AssetError> {
    let genomes = way_to_genomes(folders, &folders::alias_of(alias, &id.asset, &id.tag));
    dir(from, to, &genomes.join(folders::data(id)), (id.genome.as_str(), alias.as_str()))
}

/// The path from `place`, `alias/ALIAS/ASSET/TAG`, to the genome folder: relative, unless `place` is reached through a symbolic link.
fn way_to_genomes(folders: &Folders, place: &Path) -> PathBuf {
    let is_there = |dir: &&Path| folders.genomes.join(dir).is_dir();
    let there = place.ancestors().find(is_there).unwrap_or(Path::new(""));
    let real = |path: &Path| fs::canonicalize(path).ok();
    let is_plain = real(&folders.genomes).map(|genomes| genomes.join(there))
        == real(&folders.genomes.join(there));
    match is_plain {
        true => std::iter::repeat_n("..", place.components().count()).collect(),
        false => folders.genomes.clone(),
    }
}

fn dir(from: &Path, to: &Path, data: &Path, names: (&str, &str)) -> Result<(), AssetError> {
    fs::create_dir_all(to).at(to)?;
    for entry in fs::read_dir(from).at(from)? {
        let entry = entry.at(from)?;
        let name = entry.file_name();
        let called = match name.to_str() {
            Some(name) => name.replace(names.0, names.1).into(),
            None => name.clone(),
        };
        let link = to.join(called);
        match entry.file_type().at(&entry.path())?.is_dir() {
            true => dir(&entry.path(), &link, &Path::new("..").join(data).join(&name), names)?,
            false => symlink(data.join(&name), &link).at(&link)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn links_lead_to_the_data_from_every_depth() {
        let dir = tempfile::tempdir().unwrap();
        let id: AssetId = "4e88/fasta:1.2-a".parse().unwrap();
        let data = dir.path().join(folders::data(&id));
        fs::create_dir_all(data.join("sub/4e88_x")).unwrap();
        fs::write(data.join("4e88.fa"), "a").unwrap();
        fs::write(data.join("sub/4e88_x/4e88.4e88"), "b").unwrap();
        symlink("4e88.fa", data.join("l")).unwrap();
        let alias: GenomeName = "tiny".parse().unwrap();
        let links = dir.path().join(folders::alias_of(&alias, &id.asset, &id.tag));
        let at = |name: &str| dir.path().join(name);
        let folders =
            Folders { genomes: at(""), recipes: at("recipes"), classes: at("asset_classes") };
        make(&folders, &data, &links, &id, &alias).unwrap();
        assert_eq!(fs::read_to_string(links.join("tiny.fa")).unwrap(), "a");
        assert_eq!(fs::read_to_string(links.join("sub/tiny_x/tiny.tiny")).unwrap(), "b");
        assert_eq!(fs::read_to_string(links.join("l")).unwrap(), "a");
        assert_eq!(
            fs::read_link(links.join("tiny.fa")).unwrap(),
            Path::new("../../../../data/4e88/fasta/1.2-a/4e88.fa")
        );
    }
}
