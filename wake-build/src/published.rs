//! The metadata of a package for users of its registry.

use serde_json::Value;
use wake_model::declared::PackageDecl;
use wake_model::release::{About, FileSum, Need, NeedSource};
use wake_model::{GetPkg, Manifest, Node, PkgSource, Release, TreeDigest};

/// Returns the metadata of the package that `decl` declares, whose files are `manifest`.
///
/// `modules` and `metadata` are fully resolved; the error tells which part of `metadata` has the wrong type.
pub(crate) fn release(
    decl: &PackageDecl,
    modules: Vec<String>,
    metadata: &Value,
    sum: FileSum,
    api: u32,
) -> Result<Release, serde_json::Error> {
    let needs = decl.pkgs.iter().map(|(key, get)| (key.clone(), need(get)));
    Ok(Release::new(&decl.info, sum, api, About::of(metadata)?, modules, needs))
}

/// Returns the dependencies of a version, as `NAME REQUIREMENT`, sorted.
pub(crate) fn shown_needs(release: &Release) -> Vec<String> {
    let shown = |need: &Need| {
        let request = need.request();
        format!("{} {}", request.pkg_name(), request.version)
    };
    let mut needs: Vec<String> = release.pkgs.values().map(shown).collect();
    needs.sort();
    needs
}

/// Returns the metadata of a requirement. A local path means nothing once a package is published.
fn need(get: &GetPkg) -> Need {
    let GetPkg { from, global, permissions, request } = get;
    let mut permissions = permissions.clone();
    permissions.sort_unstable();
    permissions.dedup();
    Need {
        from: match from {
            PkgSource::Local(_) | PkgSource::Registry => NeedSource::Registry,
            PkgSource::Global => NeedSource::Global,
            PkgSource::Retriever(_) => NeedSource::Retriever,
        },
        global: *global,
        name: request.name.clone(),
        namespace: request.namespace.clone(),
        permissions,
        version: request.version.clone(),
    }
}

/// Returns the summary of a tree of files.
pub(crate) fn file_sum(content: TreeDigest, manifest: &Manifest) -> FileSum {
    let (mut files, mut size) = (0, 0);
    for (_, node) in manifest.iter() {
        match node {
            Node::File { size: bytes, .. } => (files, size) = (files + 1, size + bytes),
            Node::Link { .. } => files += 1,
            Node::Dir => {}
        }
    }
    FileSum { content, files, size }
}
