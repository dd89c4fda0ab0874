//! Composes an image: a layout whose bytes depend only on its contents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use wake_model::{
    BlobDigest, Manifest as Files, Node as FileNode, RelPath, json as canonical_json,
};
use wake_store::TreeBuilder;
use wake_store::ware::{ArchivePolicy, EntryPath, LayerEntry, Layers, Meta, Node};

use crate::composition::{Composition, LayerSource, PackedLayer, PlacedFiles};
use crate::digest::ImageDigest;
use crate::document::{CONFIG, Descriptor, INDEX, LAYER, MANIFEST, Manifest, Runtime, parsed};
use crate::error::{ImageError, at};
use crate::images::{Image, Images};
use crate::layer::{WrittenLayer, layer_meta};
use crate::local::{INDEX_FILE, LAYOUT_FILE, NAME};

/// The timestamp that stands for "no time" in an image: that of all files in trees, in RFC 3339.
const CREATED: &str = "1980-01-02T00:00:00Z";
const WHO: &str = "wake";

/// A composed image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposedImage {
    /// The digest of its manifest.
    pub digest: ImageDigest,
    /// The total size of its layers.
    pub size: u64,
}

/// The input files of a composition.
#[derive(Clone, Copy, Debug)]
pub struct Ingredients<'a> {
    /// The files.
    pub files: &'a Files,
    /// The directory they are in.
    pub dir: &'a Path,
}

impl Images<'_> {
    /// Composes an image and writes its layout to `builder`, at `composition.to`. Layers are first written to
    /// `scratch`, an empty directory.
    pub fn compose(
        &self,
        composition: &Composition,
        of: Ingredients<'_>,
        scratch: &Path,
        builder: &mut TreeBuilder<'_>,
    ) -> Result<ComposedImage, ImageError> {
        let base = composition.base.as_ref().map(|digest| self.kept(digest)).transpose()?;
        let mut there = match &base {
            Some(base) if composition.layers.iter().any(LayerSource::is_files) => {
                self.directories(base)?
            }
            _ => BTreeSet::from([EntryPath::root()]),
        };
        let mut layers: Vec<WrittenLayer> = Vec::new();
        for (number, source) in composition.layers.iter().enumerate() {
            let place = scratch.join(number.to_string());
            layers.push(match source {
                LayerSource::Files(placed) => {
                    WrittenLayer::write(&entries(placed, of, &mut there)?, &place)?
                }
                LayerSource::Packed(PackedLayer { tar }) => {
                    let more = &composition.layers[number + 1..];
                    let layer = packed(tar, of)?;
                    if more.iter().any(LayerSource::is_files) {
                        there.extend(self.directories_of(&layer, &place)?);
                    }
                    layer
                }
            });
        }
        let to = RelPath::parse(composition.to.trim_end_matches('/')).unwrap_or_default();
        let blobs = to.join(&RelPath::parse("blobs/sha256").unwrap_or_default());
        let blob = |digest: &ImageDigest| blobs.child(&digest.hex()).unwrap_or_default();
        let mut descriptors = Vec::new();
        if let Some(base) = &base {
            self.bring(base)?;
            for layer in &base.manifest.layers {
                let (place, kept) = self.kept_layer(base, layer)?;
                add_file(builder, &blob(&layer.digest), &place, &kept)?;
                descriptors.push(layer_of(layer));
            }
        }
        for layer in &layers {
            add_file(builder, &blob(&layer.descriptor.digest), &layer.place, &layer.blob)?;
            descriptors.push(layer.descriptor.clone());
        }
        let config = configuration(composition, base.as_ref(), &layers)?;
        let config_of = Descriptor::of(CONFIG, &config);
        add(builder, &blob(&config_of.digest), &config)?;
        let manifest = Manifest::bytes(&config_of, &descriptors);
        let mut manifest_of = Descriptor::of(MANIFEST, &manifest);
        add(builder, &blob(&manifest_of.digest), &manifest)?;
        manifest_of.platform = Some(composition.platform.clone());
        // Some tools only find images with a name.
        manifest_of.annotations.insert(NAME.to_owned(), "latest".to_owned());
        let digest = manifest_of.digest;
        let index = json!({"manifests": [manifest_of], "mediaType": INDEX, "schemaVersion": 2});
        for (name, value) in
            [(INDEX_FILE, index), (LAYOUT_FILE, json!({"imageLayoutVersion": "1.0.0"}))]
        {
            let path = to.child(name).unwrap_or_default();
            add(builder, &path, canonical_json::canonical(&value).as_bytes())?;
        }
        Ok(ComposedImage { digest, size: descriptors.iter().map(|layer| layer.size).sum() })
    }
}

impl Images<'_> {
    /// The directories of an image.
    fn directories(&self, image: &Image) -> Result<BTreeSet<EntryPath>, ImageError> {
        let tree = self.tree(image)?;
        let missing = || ImageError::Missing { image: image.name.clone(), digest: image.digest };
        let files = self.store.manifest(&tree)?.ok_or_else(missing)?;
        let mut there = BTreeSet::from([EntryPath::root()]);
        for (path, node) in files.iter() {
            let Ok(path) = EntryPath::parse(path.as_str().as_bytes()) else { continue };
            there.extend(parents(&path));
            if matches!(node, FileNode::Dir) {
                there.insert(path);
            }
        }
        Ok(there)
    }

    /// The directories of a layer, which is unpacked below `scratch`.
    fn directories_of(
        &self,
        layer: &WrittenLayer,
        scratch: &Path,
    ) -> Result<Vec<EntryPath>, ImageError> {
        let failed = |source| ImageError::Layer {
            image: layer.place.display().to_string(),
            layer: layer.diff_id(),
            source,
        };
        at(scratch, std::fs::create_dir(scratch))?;
        let mut layers = Layers::new(scratch, ArchivePolicy::IMAGE, self.meter);
        let file = at(&layer.place, std::fs::File::open(&layer.place))?;
        layers.lay(file).map_err(failed)?;
        let nodes = layers.finish().map_err(failed)?.nodes;
        Ok(nodes.into_iter().filter(|(_, node)| node.meta.is_dir()).map(|(path, _)| path).collect())
    }
}

/// A layer that is a file among the inputs.
fn packed(tar: &str, of: Ingredients<'_>) -> Result<WrittenLayer, ImageError> {
    let path = RelPath::parse(tar.trim_end_matches('/')).unwrap_or_default();
    match of.files.get(&path) {
        Some(FileNode::File { .. }) => WrittenLayer::of_file(&of.dir.join(path.as_str())),
        _ => Err(ImageError::NoFiles { path: tar.to_owned() }),
    }
}

/// Adds a blob; a blob that occurs twice, such as an empty layer, is stored once.
fn add_file(
    builder: &mut TreeBuilder<'_>,
    path: &RelPath,
    place: &Path,
    blob: &BlobDigest,
) -> Result<(), ImageError> {
    match builder.add_file(path, place, blob, false) {
        Ok(()) | Err(wake_store::BuildTreeError::Conflict { .. }) => Ok(()),
        Err(error) => Err(ImageError::Build(error)),
    }
}

fn add(builder: &mut TreeBuilder<'_>, path: &RelPath, bytes: &[u8]) -> Result<(), ImageError> {
    match builder.add_bytes(path, bytes, false) {
        Ok(()) | Err(wake_store::BuildTreeError::Conflict { .. }) => Ok(()),
        Err(error) => Err(ImageError::Build(error)),
    }
}

/// A layer of the base, with image-spec's media type.
fn layer_of(layer: &Descriptor) -> Descriptor {
    let media_type = match layer.media_type.strip_prefix("application/vnd.docker.image.rootfs.") {
        Some(kind) if kind.ends_with("tar.gzip") => format!("{LAYER}+gzip"),
        Some(kind) if kind.ends_with("tar.zstd") => format!("{LAYER}+zstd"),
        Some(_) => LAYER.to_owned(),
        None => layer.media_type.clone(),
    };
    Descriptor { media_type, ..layer.clone() }
}

/// The entries of one layer, including parent directories that the image does not have yet.
fn entries(
    placed: &[PlacedFiles],
    of: Ingredients<'_>,
    there: &mut BTreeSet<EntryPath>,
) -> Result<BTreeMap<EntryPath, LayerEntry>, ImageError> {
    let mut entries = BTreeMap::new();
    for files in placed {
        let from = RelPath::parse(files.from.trim_end_matches('/')).unwrap_or_default();
        let absent = || ImageError::NoFiles { path: files.from.clone() };
        let fault = |problem: String| ImageError::Place { path: files.to.clone(), problem };
        let to = EntryPath::parse(files.to.trim_start_matches('/').as_bytes())
            .or_else(|error| if files.to == "/" { Ok(EntryPath::root()) } else { Err(error) })
            .map_err(|error| fault(format!("it {error}")))?;
        let mut put = |path: EntryPath, node: &FileNode, place: &RelPath| {
            let (meta, place) = entry(node, files, of.dir.join(place.as_str()));
            match entries.insert(path.clone(), (meta, place)) {
                Some((Meta { node: Node::Dir, .. }, _)) | None => Ok(()),
                Some(_) => Err(fault(format!("more than one file is placed at `/{path}`"))),
            }
        };
        if let Some(node) = of.files.get(&from) {
            put(to, node, &from)?;
            continue;
        }
        if files.mode.is_some() {
            return Err(fault(
                "a mode is allowed only for a single file, not for a directory".to_owned(),
            ));
        }
        let below = of.files.subtree(&from).ok_or_else(absent)?;
        for (path, node) in below.iter() {
            let at = below_of(&to, path.as_str()).map_err(|error| fault(format!("it {error}")))?;
            put(at, node, &from.join(path))?;
        }
        // Its directories have the same owner, except those that lower layers have.
        let dirs: Vec<EntryPath> = entries.keys().flat_map(parents).collect();
        for dir in dirs {
            if is_in(&dir, &to) && !there.contains(&dir) && !entries.contains_key(&dir) {
                entries.insert(dir, (layer_meta(Node::Dir, 0o755, files.owner), None));
            }
        }
    }
    let above: Vec<EntryPath> = entries.keys().flat_map(parents).collect();
    for parent in above {
        if !there.contains(&parent) && !entries.contains_key(&parent) {
            entries.insert(parent, (layer_meta(Node::Dir, 0o755, [0, 0]), None));
        }
    }
    for (path, (meta, _)) in &entries {
        let is_below_file =
            parents(path).find(|above| entries.get(above).is_some_and(|(meta, _)| !meta.is_dir()));
        if let Some(above) = is_below_file {
            let problem = format!("`/{above}` is not a directory");
            return Err(ImageError::Place { path: format!("/{path}"), problem });
        }
        if meta.is_dir() {
            there.insert(path.clone());
        }
    }
    Ok(entries)
}

/// Whether a path is `dir` or below it.
fn is_in(path: &EntryPath, dir: &EntryPath) -> bool {
    let rest = path.as_str().strip_prefix(dir.as_str());
    dir.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn below_of(to: &EntryPath, path: &str) -> Result<EntryPath, wake_store::ware::EntryPathError> {
    match to.is_root() {
        true => EntryPath::parse(path.as_bytes()),
        false => EntryPath::parse(format!("{to}/{path}").as_bytes()),
    }
}

fn parents(path: &EntryPath) -> impl Iterator<Item = EntryPath> {
    std::iter::successors(path.parent(), EntryPath::parent).filter(|path| !path.is_root())
}

fn entry(node: &FileNode, files: &PlacedFiles, place: PathBuf) -> LayerEntry {
    match node {
        FileNode::Dir => (layer_meta(Node::Dir, 0o755, files.owner), None),
        FileNode::Link { target } => {
            (layer_meta(Node::Symlink { target: target.clone() }, 0o777, files.owner), None)
        }
        FileNode::File { size, executable, .. } => {
            let perms = files.mode.unwrap_or(if *executable { 0o755 } else { 0o644 });
            (layer_meta(Node::File { size: *size }, perms, files.owner), Some(place))
        }
    }
}

/// The configuration: that of the base, overridden by the composition.
fn configuration(
    composition: &Composition,
    base: Option<&Image>,
    layers: &[WrittenLayer],
) -> Result<Vec<u8>, ImageError> {
    let mut whole: Map<String, Value> = match base {
        None => Map::new(),
        Some(base) => parsed("configuration", &base.config_bytes)
            .map_err(|source| ImageError::Document { image: base.name.clone(), source })?,
    };
    let runtime = runtime(composition, base.map(|base| &base.config.config));
    let mut config = match whole.remove("config") {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    for name in ["User", "Env", "Entrypoint", "Cmd", "WorkingDir", "Labels"] {
        config.remove(name);
    }
    if let Ok(Value::Object(said)) = serde_json::to_value(runtime) {
        config.extend(said);
    }
    let platform = &composition.platform;
    let mut diff_ids: Vec<ImageDigest> =
        base.map(|base| base.config.rootfs.diff_ids.clone()).unwrap_or_default();
    diff_ids.extend(layers.iter().map(WrittenLayer::diff_id));
    let mut history = match whole.remove("history") {
        Some(Value::Array(history)) => history,
        _ => Vec::new(),
    };
    history.extend(layers.iter().map(|_| json!({"created": CREATED, "created_by": WHO})));
    whole.insert("architecture".to_owned(), json!(platform.architecture));
    whole.insert("os".to_owned(), json!(platform.os));
    if let Some(variant) = &platform.variant {
        whole.insert("variant".to_owned(), json!(variant));
    }
    // These describe the build of the base image, not of this one.
    for name in ["container", "container_config", "docker_version", "id", "parent"] {
        whole.remove(name);
    }
    whole.insert("config".to_owned(), Value::Object(config));
    whole.insert("created".to_owned(), json!(CREATED));
    whole.insert("history".to_owned(), Value::Array(history));
    whole.insert("rootfs".to_owned(), json!({"diff_ids": diff_ids, "type": "layers"}));
    Ok(canonical_json::canonical(&Value::Object(whole)).into_bytes())
}

/// The run settings. A new entry point drops the `cmd` of the base, as in container engines.
fn runtime(composition: &Composition, base: Option<&Runtime>) -> Runtime {
    let mut runtime = base.cloned().unwrap_or_default();
    if let Some(entrypoint) = &composition.entrypoint {
        runtime.entrypoint.clone_from(entrypoint);
        runtime.cmd = Vec::new();
    }
    if let Some(cmd) = &composition.cmd {
        runtime.cmd.clone_from(cmd);
    }
    for (name, value) in &composition.env {
        let is_of = |line: &String| line.split_once('=').is_some_and(|(of, _)| of == name);
        let line = format!("{name}={value}");
        match runtime.env.iter_mut().find(|line| is_of(line)) {
            Some(old) => *old = line,
            None => runtime.env.push(line),
        }
    }
    let labels = composition.labels.iter();
    runtime.labels.extend(labels.map(|(name, value)| (name.clone(), value.clone())));
    if let Some(user) = &composition.user {
        runtime.user.clone_from(user);
    }
    if let Some(workdir) = &composition.workdir {
        runtime.working_dir.clone_from(workdir);
    }
    runtime
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wake_store::Store;
    use wake_store::ware::{Meter, Web};

    use super::*;
    use crate::platform::Platform;
    use crate::reference::ImageReference;

    fn composition(layers: Vec<Vec<PlacedFiles>>) -> Composition {
        Composition {
            base: None,
            cmd: None,
            entrypoint: Some(vec!["/bin/tool".to_owned()]),
            env: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
            layers: layers.into_iter().map(LayerSource::Files).collect(),
            labels: BTreeMap::new(),
            platform: Platform::of_machine("x86_64"),
            to: "./image".to_owned(),
            user: None,
            workdir: None,
        }
    }

    fn placed(from: &str, to: &str) -> PlacedFiles {
        PlacedFiles { from: from.to_owned(), mode: None, owner: [0, 0], to: to.to_owned() }
    }

    struct Kitchen {
        dir: tempfile::TempDir,
        store: Store,
        meter: Meter,
    }

    impl Kitchen {
        fn new() -> Kitchen {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&dir.path().join("store")).unwrap();
            Kitchen { dir, store, meter: Meter::default() }
        }

        fn images(&self) -> Images<'_> {
            Images::new(&self.store, Web::default(), &self.meter)
        }

        /// A tree of the store with these files, and its path.
        fn files(&self, files: &[(&str, &str, bool)]) -> (Files, PathBuf) {
            let mut builder = self.store.build_tree().unwrap();
            for (path, text, executable) in files {
                builder.add_bytes(&path.parse().unwrap(), text.as_bytes(), *executable).unwrap();
            }
            let tree = builder.finish().unwrap();
            (self.store.manifest(&tree).unwrap().unwrap(), self.store.tree_place(&tree))
        }

        fn compose(
            &self,
            composition: &Composition,
            files: &(Files, PathBuf),
        ) -> Result<(ComposedImage, PathBuf), ImageError> {
            let scratch = tempfile::tempdir_in(self.dir.path()).unwrap();
            let mut builder = self.store.build_tree().unwrap();
            let of = Ingredients { files: &files.0, dir: &files.1 };
            let image = self.images().compose(composition, of, scratch.path(), &mut builder)?;
            let tree = builder.finish().unwrap();
            Ok((image, self.store.tree_place(&tree).join("image")))
        }
    }

    #[test]
    fn a_composed_image_reads_back_and_is_reproducible() {
        let (one, other) = (Kitchen::new(), Kitchen::new());
        let all = [("tool", "#!/bin/sh\n", true), ("share/a/b", "text", false)];
        let tool =
            PlacedFiles { mode: Some(0o4755), owner: [7, 8], ..placed("./tool", "/bin/tool") };
        let share = PlacedFiles { owner: [9, 9], ..placed("./share", "/usr/share") };
        let composition = composition(vec![vec![tool, share]]);
        let (image, layout) = one.compose(&composition, &one.files(&all)).unwrap();
        let (again, _) = other.compose(&composition, &other.files(&all)).unwrap();
        assert_eq!(image, again);

        let reference = ImageReference::of_file(&layout, "it");
        let images = one.images();
        assert_eq!(images.resolve(&reference).unwrap(), {
            // A layout refers to the manifest directly.
            image.digest
        });
        let read = images.get(&reference, &image.digest, &composition.platform).unwrap();
        assert_eq!(read.config.config.entrypoint, ["/bin/tool"]);
        assert_eq!(read.config.config.env, ["A=1"]);
        let nodes = images.nodes(&read).unwrap();
        let paths: Vec<&str> = nodes.keys().map(EntryPath::as_str).collect();
        assert_eq!(paths, ["bin", "bin/tool", "usr", "usr/share", "usr/share/a", "usr/share/a/b"]);
        let meta = &nodes[&EntryPath::parse(b"bin/tool").unwrap()].meta;
        assert_eq!((meta.perms, meta.uid, meta.gid), (0o4755, 7, 8));
        // Directories of placed files have their owner; parent directories belong to root.
        let owner = |path: &str| nodes[&EntryPath::parse(path.as_bytes()).unwrap()].meta.uid;
        let owners = ["usr", "usr/share", "usr/share/a", "usr/share/a/b", "bin"].map(owner);
        assert_eq!(owners, [0, 9, 9, 9, 0]);
        let tree = one.store.tree_place(&images.tree(&read).unwrap());
        assert_eq!(std::fs::read_to_string(tree.join("usr/share/a/b")).unwrap(), "text");
    }

    #[test]
    fn a_derived_image_keeps_base_layers_and_directories() {
        let kitchen = Kitchen::new();
        let files = kitchen.files(&[("a", "1", false), ("b", "2", false)]);
        let below = composition(vec![vec![placed("./a", "/etc/a")]]);
        let (base, layout) = kitchen.compose(&below, &files).unwrap();
        let images = kitchen.images();
        let reference = ImageReference::of_file(&layout, "it");
        let read = images.get(&reference, &base.digest, &below.platform).unwrap();
        images.bring(&read).unwrap();
        let above = Composition {
            base: Some(base.digest),
            entrypoint: None,
            cmd: Some(vec!["x".to_owned()]),
            env: BTreeMap::from([
                ("A".to_owned(), "2".to_owned()),
                ("B".to_owned(), "3".to_owned()),
            ]),
            ..composition(vec![vec![placed("./b", "/etc/b")]])
        };
        let (image, layout) = kitchen.compose(&above, &files).unwrap();
        let both = images
            .get(&ImageReference::of_file(&layout, "it"), &image.digest, &above.platform)
            .unwrap();
        assert_eq!(both.manifest.layers[0], read.manifest.layers[0]);
        assert_eq!(both.config.rootfs.diff_ids.len(), 2);
        assert_eq!(both.config.config.env, ["A=2", "B=3"]);
        assert_eq!(
            (both.config.config.entrypoint[0].as_str(), both.config.config.cmd[0].as_str()),
            ("/bin/tool", "x")
        );
        // Directories of the base are not repeated.
        images.bring(&both).unwrap();
        let layer = images.kept_layer(&both, &both.manifest.layers[1]).unwrap().0;
        let bytes = std::fs::read(layer).unwrap();
        assert!(bytes.starts_with(b"etc/b\0"), "{:?}", &bytes[..10]);
    }

    #[test]
    fn an_impossible_placement_is_reported_with_its_path() {
        let kitchen = Kitchen::new();
        let files = kitchen.files(&[("a", "1", false), ("d/x", "2", false)]);
        let message = |placed: Vec<PlacedFiles>| {
            kitchen.compose(&composition(vec![placed]), &files).unwrap_err().to_string()
        };
        for (placed, problem) in [
            (vec![placed("./no", "/a")], "the inputs have nothing at `./no`"),
            (
                vec![placed("./a", "/../a")],
                "`/../a` cannot be placed in the image: it contains `..`",
            ),
            (
                vec![placed("./a", "/x"), placed("./d/x", "/x")],
                "`/x` cannot be placed in the image: more than one file is placed at `/x`",
            ),
            (
                vec![placed("./a", "/x"), placed("./d", "/x")],
                "`/x/x` cannot be placed in the image: `/x` is not a directory",
            ),
            (
                vec![PlacedFiles { mode: Some(0o755), ..placed("./d", "/x") }],
                "`/x` cannot be placed in the image: a mode is allowed only for a single file, not for a directory",
            ),
        ] {
            assert_eq!(message(placed), problem);
        }
    }
}
