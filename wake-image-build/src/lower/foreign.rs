//! Builds with another tool: in one step, in the weak sandbox, with only the tool and a directory of its own.

use wake_image::ImageReference;
use wake_model::action::{Command, Invocation};
use wake_model::{OutputDecl, OutputKind, Outputs, RelPath};
use wake_steps::diagnostic::Diagnostic;
use wake_steps::step::{Root, Terms};
use wake_steps::{Input, Inputs, Step};
use wake_velocity::plan::Base;

use super::files::{composed, composition};
use super::{LAYOUT, Lowering, WORK, nobody, path, work};
use crate::engine::{BASE, CONTEXT, Engine, Job, Product, SCRIPT, TAGS};
use crate::marks::marked;
use crate::site::{Beginning, Lowered};

impl Lowering<'_, '_> {
    /// The base image as a layout, for a tool that should not fetch it.
    pub(super) fn base_layout(&self) -> Lowered<Step> {
        let images = self.site.images(self.ground);
        let base = self.base(&images)?;
        Ok(composed(&composition(base.as_ref(), Vec::new()), Inputs::default()))
    }

    /// The whole image.
    pub(super) fn foreign(&self, engine: &Engine) -> Lowered<Step> {
        let build = self.site.build(self.number);
        let mut inputs = Inputs::default();
        match self.steps.prolog {
            Some(step) => {
                let below = RelPath::root();
                let placed = inputs.place_whole(path(CONTEXT), Input::Output { step, below });
                placed.map_err(|conflict| self.misplaced(conflict))?;
            }
            None if build.context.is_empty() => {
                let placed = inputs.place(path(CONTEXT), Input::Dir);
                placed.map_err(|conflict| self.misplaced(conflict))?;
            }
            None => self.place_context(&mut inputs, CONTEXT, &RelPath::root())?,
        }
        if let Some(step) = self.steps.base {
            let below = path(LAYOUT);
            let placed = inputs.place_whole(path(BASE), Input::Output { step, below });
            placed.map_err(|conflict| self.misplaced(conflict))?;
        }
        let name = self.name_there(engine, self.number);
        let base = self.base_there(engine)?;
        let joined = !engine.backend.reads_definitions();
        let script =
            engine.backend.script(&marked(&build.template, joined), self.site.plan.generation);
        let script =
            script.map_err(|error| Box::new(self.site.error(error.message, &error.place)))?;
        let script = with_base(&script, base.as_deref());
        inputs.place_bytes(&path(SCRIPT), script.into_bytes());
        let arguments = build.image.arguments.iter();
        let arguments: Vec<&str> = arguments.map(|argument| argument.text.as_str()).collect();
        let commands = engine.commands(
            &Job {
                has_base: self.steps.base.is_some(),
                name: &name,
                base: base.as_deref().unwrap_or_default(),
                arguments: &arguments,
                network: self.site.grants.network,
                limits: &self.site.limits,
            },
            LAYOUT,
        );
        let env = wake_exec::DEFAULT_ENV.iter();
        let env = env.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let kind = match engine.product() {
            Product::Layout => OutputKind::Dir,
            Product::Archive | Product::File | Product::Reference => OutputKind::Any,
        };
        Ok(Step {
            command: Command::Run(Invocation {
                program: "/bin/sh".to_owned(),
                args: vec!["-c".to_owned(), commands],
                env: env.chain(engine.env.clone()).collect(),
                stdin: String::new(),
                cwd: format!("/{WORK}"),
            }),
            root: Root::Host,
            work: work(),
            inputs,
            own_dirs: Vec::new(),
            outputs: Outputs::Tree(vec![OutputDecl { path: path(LAYOUT), kind }]),
            user: nobody(),
            network: self.network(),
            terms: Terms { on_disk: true, ..Terms::default() },
        })
    }

    fn misplaced(&self, conflict: impl std::fmt::Display) -> Box<Diagnostic> {
        let from = &self.site.build(self.number).template.from.line;
        Box::new(self.site.error(conflict.to_string(), &from.at))
    }

    /// The name of an image in the tool's storage, which on a daemon is shared with others.
    fn name_there(&self, engine: &Engine, number: usize) -> String {
        let id = self.site.build(number).id.0.short(12);
        match engine.product() {
            Product::Reference => format!("v-{id}:latest"),
            Product::Archive => format!("{TAGS}{id}:latest"),
            Product::Layout | Product::File => "localhost/wake-image:latest".to_owned(),
        }
    }

    /// The name of the base image in the tool's storage; `None`: the script's own name for it.
    fn base_there(&self, engine: &Engine) -> Lowered<Option<String>> {
        let build = self.site.build(self.number);
        let from = &build.template.from.line;
        let before = match build.identity.base {
            Base::Build(id) => self.site.plan.builds.iter().position(|other| other.id == id),
            Base::Image { .. } => None,
        };
        let named = match (engine.product(), before) {
            (Product::Layout, _) if self.steps.base.is_some() => "localhost/wake-base:latest",
            (Product::Layout, _) => return Ok(None),
            (Product::File, Some(_)) => return Ok(Some(format!("../{BASE}"))),
            (_, Some(before)) => return Ok(Some(self.name_there(engine, before))),
            (_, None) => "",
        };
        if !named.is_empty() {
            return Ok(Some(named.to_owned()));
        }
        let refused = |message: String, help: &str| {
            Err(Box::new(self.site.error(message, &from.at).help(help)))
        };
        let backend = engine.backend;
        match self.site.beginning(self.number)? {
            Beginning::Scratch | Beginning::Build(_) => Ok(None),
            Beginning::Image(reference @ ImageReference::Registry { .. }, digest) => {
                if !self.site.grants.network {
                    let message = format!("{backend} must fetch `{reference}` itself");
                    return refused(message, "use `--allow-network`");
                }
                let ImageReference::Registry { host, repository, .. } = reference else {
                    return Ok(None);
                };
                Ok(Some(format!("{host}/{repository}@{digest}")))
            }
            Beginning::Image(reference, _) => {
                let message = format!("{backend} cannot read `{reference}`");
                refused(message, "use podman or buildah, or omit `--engine`")
            }
        }
    }
}

/// Replaces the base image in the script: in its first line, or the second one of a definition.
fn with_base(script: &str, base: Option<&str>) -> String {
    let Some(base) = base else { return script.to_owned() };
    let mut is_done = false;
    let line = |line: &str| {
        let trimmed = line.trim_start();
        let indent = &line[..line.len() - trimmed.len()];
        for key in ["FROM ", "From: "] {
            if !is_done && trimmed.starts_with(key) {
                is_done = true;
                return format!("{indent}{key}{base}\n");
            }
        }
        format!("{line}\n")
    };
    script.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::with_base;

    #[test]
    fn only_the_base_image_is_renamed() {
        let script = "FROM a\n\nRUN echo \\\n    FROM b\n";
        assert_eq!(with_base(script, Some("c")), "FROM c\n\nRUN echo \\\n    FROM b\n");
        assert_eq!(with_base(script, None), script);
        let definition = "Bootstrap: localimage\nFrom: /b/x.sif\n";
        assert_eq!(
            with_base(definition, Some("../base")),
            "Bootstrap: localimage\nFrom: ../base\n"
        );
    }
}
