//! The files that an image copies from the build context.

use std::fs;

use wake_image::{Composition, Image, Images, LayerSource, PlacedFiles, Platform};
use wake_model::action::Command;
use wake_model::{Manifest, Network, OutputDecl, OutputKind, Outputs, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_failure;
use wake_steps::step::{Root, SourceBase, SourceFile, Terms};
use wake_steps::{Input, Inputs, Step};
use wake_velocity::catalog::Context;
use wake_velocity::template::Copy;

use super::{LAYOUT, Lowering, WORK, nobody, path, work};
use crate::site::Lowered;

/// The directory of the build context in the inputs of a composition.
const CONTEXT: &str = "context";

impl Lowering<'_, '_> {
    /// An image of the base and the copied files, for commands to run in.
    pub(super) fn files(&self) -> Lowered<Step> {
        let images = self.site.images(self.ground);
        let base = self.base(&images)?;
        let mut inputs = Inputs::default();
        let layer = self.layer_of_files(&mut inputs, &images, base.as_ref())?;
        let composition = composition(base.as_ref(), vec![layer]);
        Ok(composed(&composition, inputs))
    }

    /// The layer of all copied files, which are added to `inputs`.
    pub(super) fn layer_of_files(
        &self,
        inputs: &mut Inputs,
        images: &Images<'_>,
        base: Option<&Image>,
    ) -> Lowered<LayerSource> {
        let prolog = self.steps.prolog.and_then(|step| self.ground.results.get(step));
        let there: Vec<RelPath> = match prolog {
            Some(done) => done.manifest.iter().map(|(path, _)| path.clone()).collect(),
            None => {
                let files = self.site.build(self.number).context.iter();
                files.filter_map(|file| file.path.parse().ok()).collect()
            }
        };
        let there = with_directories(there.into_iter());
        let mut placed = Vec::new();
        for copy in &self.site.build(self.number).template.copy {
            let (from, files) = self.placed(copy, &there, images, base)?;
            // Only copied files are inputs.
            match self.steps.prolog {
                Some(step) => {
                    let at = path(CONTEXT).join(&from);
                    let placed =
                        inputs.place_whole(at, Input::Output { step, below: from.clone() });
                    placed.map_err(|conflict| self.in_context(from.as_str(), conflict))?;
                }
                None => self.place_context(inputs, CONTEXT, &from)?,
            }
            placed.push(files);
        }
        Ok(LayerSource::Files(placed))
    }

    /// Adds the context files at or below `from` to the inputs at `at`.
    pub(super) fn place_context(
        &self,
        inputs: &mut Inputs,
        at: &str,
        from: &RelPath,
    ) -> Lowered<()> {
        for file in &self.site.build(self.number).context {
            let failed = |problem: std::io::Error| self.in_context(&file.source, problem);
            let below = file.path.parse::<RelPath>();
            let below = below.map_err(|error| self.in_context(&file.path, error))?;
            if !below.starts_with(from) {
                continue;
            }
            // The target of a link is what was read.
            let place = fs::canonicalize(self.site.cwd.join(&file.source)).map_err(failed)?;
            let size = fs::metadata(&place).map_err(failed)?.len();
            let place = place.to_string_lossy().trim_start_matches('/').to_owned();
            let place = place.parse::<RelPath>();
            let input = Input::File(SourceFile {
                base: SourceBase::Dir(RelPath::root()),
                below: place.map_err(|error| self.in_context(&file.source, error))?,
                blob: file.digest,
                size,
                executable: file.executable,
                bytes: None,
            });
            let placed = inputs.place(path(at).join(&below), input);
            placed.map_err(|conflict| self.in_context(&file.path, conflict))?;
        }
        Ok(())
    }

    fn in_context(&self, path: &str, problem: impl std::fmt::Display) -> Box<Diagnostic> {
        let message = format!("`{path}` in the build context cannot be used: {problem}");
        Box::new(Diagnostic::error(Class::Environment, message))
    }

    /// Resolves one line of `@copy`, with the meaning of `COPY` in a Dockerfile: a directory is copied by its
    /// contents. Returns source and destination.
    fn placed(
        &self,
        copy: &Copy,
        there: &[RelPath],
        images: &Images<'_>,
        base: Option<&Image>,
    ) -> Lowered<(RelPath, PlacedFiles)> {
        let (values, _) = super::arguments(self.site, self.site.build(self.number));
        let value = |name: &str| values.get(name).cloned().unwrap_or_default();
        let (source, destination) = (copy.source.with(value), copy.destination.with(value));
        let refused = |message: String| Box::new(self.site.error(message, &copy.line.at));
        let written = source.trim_start_matches('/').trim_end_matches('/');
        let from = match written.trim_start_matches("./") {
            "" | "." => RelPath::root(),
            text => {
                RelPath::parse(text).map_err(|error| refused(format!("`{source}`: {error}")))?
            }
        };
        let is_dir =
            from.is_root() || there.iter().any(|path| path != &from && path.starts_with(&from));
        if !is_dir && !there.contains(&from) {
            let message = format!("`{source}` is not in the build context");
            let image = &self.site.build(self.number).image;
            let dir = match &image.context {
                Context::Directory(dir) => dir.clone(),
                Context::Named(_) => format!("{}/files", image.dir),
            };
            return Err(Box::new((*refused(message)).help(format!("add it to `{dir}`"))));
        }
        let whole = match destination.starts_with('/') {
            true => destination.clone(),
            false => {
                let dir = base.map_or("", |base| base.config.config.working_dir.as_str());
                format!("{}/{destination}", dir.trim_end_matches('/'))
            }
        };
        let is_into = |whole: &str| -> Lowered<bool> {
            Ok(whole.ends_with('/') || self.has_directory(whole, images, base)?)
        };
        let to = match from.file_name() {
            Some(name) if !is_dir && is_into(&whole)? => {
                format!("{}/{name}", whole.trim_end_matches('/'))
            }
            _ => whole.trim_end_matches('/').to_owned(),
        };
        let to = if to.is_empty() { "/".to_owned() } else { to };
        let place = path(CONTEXT).join(&from).to_string();
        Ok((from, PlacedFiles { from: place, mode: None, owner: [0, 0], to }))
    }

    /// Whether the base image has a directory at this path.
    fn has_directory(
        &self,
        path: &str,
        images: &Images<'_>,
        base: Option<&Image>,
    ) -> Lowered<bool> {
        let Some(base) = base else { return Ok(false) };
        let from = &self.site.build(self.number).template.from.line;
        let Ok(path) = RelPath::parse(path.trim_start_matches('/')) else { return Ok(false) };
        let tree = images.tree(base).map_err(|error| self.site.no_image(&error, from))?;
        let files = self.site.store.manifest(&tree);
        let files = files.map_err(|error| Box::new(store_failure(&error)))?;
        Ok(files.is_some_and(|files: Manifest| {
            matches!(files.get(&path), Some(wake_model::Node::Dir))
                || files.get(&path).is_none() && files.subtree(&path).is_some()
        }))
    }
}

/// The paths, with all their parent directories.
fn with_directories(paths: impl Iterator<Item = RelPath>) -> Vec<RelPath> {
    let mut all: Vec<RelPath> = paths.collect();
    let parents: Vec<RelPath> = all
        .iter()
        .flat_map(|path| std::iter::successors(path.parent(), RelPath::parent))
        .filter(|path| !path.is_root())
        .collect();
    all.extend(parents);
    all.sort();
    all.dedup();
    all
}

/// An image of layers on a base, with the run settings of the base.
pub(super) fn composition(base: Option<&Image>, layers: Vec<LayerSource>) -> Composition {
    Composition {
        base: base.map(|base| base.digest),
        cmd: None,
        entrypoint: None,
        env: Default::default(),
        layers,
        labels: Default::default(),
        platform: base.map_or_else(Platform::here, |base| base.config.platform.clone()),
        to: format!("./{LAYOUT}/"),
        user: None,
        workdir: None,
    }
}

/// The step that composes an image.
pub(super) fn composed(composition: &Composition, inputs: Inputs) -> Step {
    let (cwd, composition) = (format!("/{WORK}"), composition.text());
    Step {
        command: Command::Image { cwd, composition },
        root: Root::Empty,
        work: work(),
        inputs,
        own_dirs: Vec::new(),
        outputs: Outputs::Tree(vec![OutputDecl { path: path(LAYOUT), kind: OutputKind::Dir }]),
        user: nobody(),
        network: Network::None,
        terms: Terms::default(),
    }
}
