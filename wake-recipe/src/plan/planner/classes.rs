//! Finds the classes of an asset and its seek keys.

use std::path::Path;

use wake_asset::ClassName;
use wake_model::nearest::nearest;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_yaml::DocumentError;

use super::super::request::BuildRequest;
use super::Planner;
use crate::class::{AssetClass, Classes, ParentClass, SeekKeys};
use crate::error::of_document;
use crate::recipe::{OutputClass, Recipe};

impl Planner<'_> {
    /// Returns the seek keys of a recipe's asset, and the classes that declare them.
    pub(super) fn seek_keys(
        &self,
        recipe: &Recipe,
        recipe_path: &Path,
    ) -> Result<(SeekKeys, Vec<AssetClass>), Diagnostic> {
        let finder =
            ClassFinder { request: self.request, beside: recipe_path, found: Default::default() };
        let class = match &recipe.output_class {
            OutputClass::Own(class) => (**class).clone(),
            OutputClass::Named(name) => finder.find(name.as_str(), recipe)?,
        };
        let keys = class.seek_keys(&finder).map_err(|error| of_document(&error))?;
        // Ancestors precede their descendants; each class is kept once.
        let mut classes = finder.found.into_inner().unwrap_or_default();
        if matches!(recipe.output_class, OutputClass::Own(_)) {
            classes.clear();
        }
        classes.reverse();
        let mut seen: Vec<ClassName> = Vec::new();
        classes.retain(|class| {
            let is_new = !seen.contains(&class.name);
            seen.push(class.name.clone());
            is_new
        });
        Ok((keys, classes))
    }
}

/// Finds parent classes and collects them.
struct ClassFinder<'a> {
    request: &'a BuildRequest<'a>,
    beside: &'a Path,
    found: std::sync::Mutex<Vec<AssetClass>>,
}

impl ClassFinder<'_> {
    fn find(&self, name: &str, recipe: &Recipe) -> Result<AssetClass, Diagnostic> {
        let found = self.request.documents.class(name, Some(self.beside))?;
        let Some(class) = found else {
            let message = format!("no asset class `{name}`");
            return Err(self.no_class(name, of_document(&recipe.class_error(message))));
        };
        self.remember(&class);
        Ok(class)
    }

    fn no_class(&self, name: &str, diagnostic: Diagnostic) -> Diagnostic {
        let names = self.request.documents.class_names();
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!(
                "add it with `wake recipe add FILE`, or put `{name}_asset_class.yaml` next to the recipe"
            )),
        }
    }

    fn remember(&self, class: &AssetClass) {
        if let Ok(mut found) = self.found.lock() {
            found.push(class.clone());
        }
    }
}

impl Classes for ClassFinder<'_> {
    fn class(&self, child: &AssetClass, parent: &ParentClass) -> Result<AssetClass, DocumentError> {
        let failed = |diagnostic: Diagnostic| failed_at(parent, diagnostic);
        let name = parent.name();
        let found = self.request.documents.class(name, Some(self.beside)).map_err(failed)?;
        let class = found.ok_or_else(|| {
            let message =
                format!("class `{}` inherits from `{name}`, which is not a class", child.name);
            failed(self.no_class(name, Diagnostic::error(Class::Evaluation, message)))
        })?;
        self.remember(&class);
        Ok(class)
    }
}

/// Returns an error about a class at its own location if it has one, else at the reference to it.
fn failed_at(parent: &ParentClass, diagnostic: Diagnostic) -> DocumentError {
    let hint = diagnostic.help.first().cloned();
    let error = parent.error(diagnostic.message);
    match diagnostic.place {
        None => DocumentError { hint, ..error },
        Some(at) => {
            let place = wake_yaml::Place { file: at.file.into(), line: at.line, column: at.column };
            DocumentError { place, source_line: at.source_line, hint, ..error }
        }
    }
}
