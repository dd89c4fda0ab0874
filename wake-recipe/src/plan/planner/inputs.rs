//! Resolves the file inputs and parameters of a recipe.

use std::path::PathBuf;

use serde_json::Value;
use wake_asset::AssetName;
use wake_steps::diagnostic::{Class, Diagnostic};

use super::super::build::{GenomeRef, GivenFile};
use super::Planner;
use crate::content::{read_file, unreadable};
use crate::given::{GivenKind, names_of_genome};
use crate::name::InputName;
use crate::recipe::Recipe;

/// The file inputs and parameters of a build.
type FilesAndParams = (Vec<GivenFile>, Vec<(InputName, Value)>);

impl Planner<'_> {
    pub(super) fn files_and_params(
        &mut self,
        recipe: &Recipe,
        genome: &GenomeRef,
        asset: &AssetName,
    ) -> Result<FilesAndParams, Diagnostic> {
        let given = &self.request.given;
        let names = names_of_genome(&genome.called, genome.digest.as_str(), &genome.aliases);
        let (mut files, mut params, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for input in &recipe.inputs.files {
            self.known[0].push(input.name.to_string());
            match given.find(GivenKind::File, &names, asset, &[input.name.as_str()]) {
                Some((number, path)) => {
                    self.used[0].push(number);
                    files.push((input.name.clone(), self.request.cwd.join(path)));
                }
                None => missing.push((
                    format!("file `{}` ({})", input.name, input.description),
                    format!("--files {}=FILE", input.name),
                )),
            }
        }
        for input in &recipe.inputs.params {
            self.known[1].push(input.name.to_string());
            let name = input.name.clone();
            match given.find(GivenKind::Param, &names, asset, &[name.as_str()]) {
                Some((number, typed)) => {
                    self.used[1].push(number);
                    let value = input.parse(typed);
                    let wrong = |message| Diagnostic::error(Class::Usage, message);
                    params.push((name, value.map_err(wrong)?));
                }
                None => match &input.default {
                    Some(default) => params.push((name, default.clone())),
                    None => missing.push((
                        format!("parameter `{name}` ({})", input.description),
                        format!("--params {name}=VALUE"),
                    )),
                },
            }
        }
        if !missing.is_empty() {
            let (what, flags): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
            let label = format!("{}/{asset}", genome.called);
            let message = format!("{label} needs {}", what.join(", "));
            return Err(
                Diagnostic::error(Class::Usage, message).help(format!("add `{}`", flags.join(" ")))
            );
        }
        let read = |(name, path): (InputName, PathBuf)| {
            let file = read_file(&path)
                .map_err(|error| unreadable(&format!("file `{name}`"), &path, &error))?;
            Ok(GivenFile { name, file })
        };
        let files = files.into_iter().map(read).collect::<Result<_, Diagnostic>>()?;
        Ok((files, params))
    }
}
