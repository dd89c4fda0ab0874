//! The build record of an asset.

use wake_asset::{BuildInputs, BuildRecord, InputAsset, InputFile};
use wake_model::RunRecord;
use wake_steps::StepSuccess;
use wake_steps::diagnostic::Diagnostic;
use wake_store::Log;

use super::Builds;
use crate::plan::Origin;

/// The most bytes of a log that the record keeps.
const LONGEST_LOG: usize = 1 << 20;

impl Builds<'_> {
    /// Makes the build record: inputs, recipe, logs.
    pub(super) fn record(
        &self,
        number: usize,
        kept: &StepSuccess<'_>,
    ) -> Result<BuildRecord, Diagnostic> {
        let (build, facts) = (self.build(number), self.facts(number)?);
        let files = build.files.iter().map(|given| InputFile {
            name: given.name.to_string(),
            checksum: given.file.md5.clone(),
            path: given.file.path.display().to_string(),
        });
        let mut assets = Vec::new();
        for given in &build.assets {
            let (id, checksum) = match &given.origin {
                Origin::Registered { id, digest, .. } => (id.clone(), digest.to_string()),
                Origin::Built(parent) => {
                    let digest = self.digest(*parent)?;
                    let digest = digest.map_or_else(String::new, |digest| digest.to_string());
                    (self.id(*parent)?, digest)
                }
            };
            let (name, path) = (given.name.to_string(), id.to_string());
            assets.push(InputAsset { name, checksum, path });
        }
        let params =
            build.params.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let inputs = BuildInputs { files: files.collect(), assets, params };
        let values = self.values(number, &facts);
        let render = |command: &crate::template::Template| {
            command.render(&values).map_err(|error| crate::error::of_document(&error))
        };
        let commands = build.recipe.commands.iter().map(render).collect::<Result<Vec<_>, _>>()?;
        let stem = format!("refgenie_build_{}_{}", build.asset, facts.tag);
        let files = vec![
            (format!("{stem}_commands.sh"), format!("{}\n", commands.join("\n")).into_bytes()),
            (format!("{stem}_log.md"), self.log(&build.label(), &commands, kept)),
            (format!("{stem}_profile.tsv"), profile(kept.record)),
            (format!("{stem}_completed.flag"), Vec::new()),
            ("stats.tsv".to_owned(), stats(kept.record)),
        ];
        let recipe = Some(build.recipe.document());
        Ok(BuildRecord { inputs, recipe, files })
    }

    /// Formats the commands and their output.
    fn log(&self, label: &str, commands: &[String], kept: &StepSuccess<'_>) -> Vec<u8> {
        let mut text = format!("### {label}\n\n");
        for command in commands {
            text.push_str(&format!("> `{command}`\n\n"));
        }
        let mut text = text.into_bytes();
        let stored = self.store.action_record(&kept.key).ok().flatten();
        for log in [Log::Stdout, Log::Stderr] {
            let written = stored.as_ref().and_then(|stored| self.store.log(stored, log).ok()?);
            let Some(written) = written.filter(|written| !written.is_empty()) else { continue };
            text.extend_from_slice(b"<pre>\n");
            text.extend_from_slice(&written[..written.len().min(LONGEST_LOG)]);
            text.extend_from_slice(b"\n</pre>\n");
        }
        text
    }
}

/// Formats the run time of the commands, as in refgenie's profile.
fn profile(record: &RunRecord) -> Vec<u8> {
    let seconds = record.usage.wall_us as f64 / 1e6;
    format!("# commands\truntime\n1\t{seconds:.3}\n").into_bytes()
}

fn stats(record: &RunRecord) -> Vec<u8> {
    let seconds = record.usage.wall_us as f64 / 1e6;
    format!("Time\t{seconds:.3}\n").into_bytes()
}
