//! Steps without a command that assemble a container image from their inputs.

use wake_image::{Composition, ImageError, Images, Ingredients, LayerSource};
use wake_model::{RelPath, Usage};
use wake_store::Store;
use wake_store::ware::{Meter, Web};

use crate::clock;
use crate::collect::{Missing, gather, performance};
use crate::engine::{KeptOutputs, Performance, Whereabouts};
use crate::error::StepError;
use crate::pin::PinnedAction;
use crate::step::SourceFiles;

/// Assembles the image described by `composition`; its output is an OCI layout.
pub(crate) fn compose(
    pinned: &PinnedAction,
    composition: &str,
    store: &Store,
    sources: &dyn SourceFiles,
    meter: &Meter,
) -> Result<Performance, StepError> {
    let (started, began_ms) = (clock::now(), clock::unix_ms());
    let composition = Composition::parse(composition)
        .map_err(|error| StepError::Image(format!("invalid composition: {error}")))?;
    let mut paths: Vec<RelPath> = Vec::new();
    for from in composition.layers.iter().flat_map(LayerSource::from) {
        let path = RelPath::parse(from.trim_end_matches('/'));
        let path = path.map_err(|error| StepError::Image(error.to_string()))?;
        // A path inside a directory that is taken as well comes with the directory.
        if !paths.iter().any(|other| path.starts_with(other)) {
            paths.retain(|other| !other.starts_with(&path));
            paths.push(path);
        }
    }
    let gathered = match gather(pinned, &paths, store, sources)? {
        Ok(builder) => builder,
        Err(missing) => {
            let fault = |missing: &Missing| missing.told("is needed for the image");
            let left = Err(missing.iter().map(fault).collect());
            return Ok(performance(began_ms, Usage::default(), left));
        }
    };
    let tree = gathered.finish()?;
    let missing = || StepError::Integrity(format!("tree {} is not in the store", tree.0.short(12)));
    let files = store.manifest(&tree)?.ok_or_else(missing)?;
    let dir = store.tree_place(&tree);
    let (scratch, mut builder) = (store.scratch()?, store.build_tree()?);
    let images = Images::new(store, Web::new(store.route().clone()), meter);
    let of = Ingredients { files: &files, dir: &dir };
    match images.compose(&composition, of, scratch.path(), &mut builder) {
        Ok(_) => {}
        Err(ImageError::Store(error)) => return Err(error.into()),
        Err(ImageError::Build(error)) => return Err(error.into()),
        Err(ImageError::Cancelled) => return Err(StepError::Cancelled),
        // Like a command that fails, this is the fault of whoever wrote the composition.
        Err(error @ (ImageError::NoFiles { .. } | ImageError::Place { .. })) => {
            let left = Err(vec![error.to_string()]);
            return Ok(performance(began_ms, Usage::default(), left));
        }
        Err(error) => return Err(StepError::Image(error.to_string())),
    }
    let (manifest, adopted) = builder.finish_as_outputs()?;
    let usage = Usage { wall_us: clock::micros(started.elapsed()), ..Usage::default() };
    let (wares, tree) = (Vec::new(), adopted.tree);
    let bytes = Whereabouts::Here(adopted);
    Ok(performance(began_ms, usage, Ok(Some(KeptOutputs { tree, manifest, wares, bytes }))))
}
