//! Plans the builds of a solution: scripts, contexts, names and identities.

mod context;
mod id;
mod prolog;
mod variables;

pub use context::ContextFile;
pub use id::{Base, BuildId, Identity};

use wake_yaml::{DocumentError, Warning};

use crate::catalog::{Catalog, Generation, Image, Written};
use crate::files::Files;
use crate::script::{Backend, Limits};
use crate::solve::Solution;
use crate::spec::{Condition, Subject};
use crate::template::{Language, Reading, Template};
use crate::version::Release;

/// The inputs of a plan besides the documents.
pub struct Surroundings<'a> {
    /// The directory with one subdirectory for each build.
    pub build_dir: String,
    /// The directory for the final file.
    pub working_dir: String,
    /// The requested name of the last image, if any.
    pub name: Option<String>,
    /// The number of processes that a build may use, `__threads__`.
    pub threads: usize,
    /// The machine's architecture, `__arch__`.
    pub arch: String,
    /// The time, `__timestamp__`. It is not part of an identity.
    pub timestamp: String,
    /// Resource limits of a build on a cluster.
    pub limits: Limits,
    /// Returns the current digest of an external image by its name in `@from`, if known.
    pub digest: &'a dyn Fn(&str) -> Option<String>,
}

/// The images to build, each based on the previous one.
#[derive(Debug)]
pub struct Plan {
    /// The build tool.
    pub backend: Backend,
    /// The generation of the documents.
    pub generation: Generation,
    /// The builds, in order.
    pub builds: Vec<Build>,
    /// The final name of the last image.
    pub name: String,
    /// Likely mistakes in templates.
    pub warnings: Vec<Warning>,
}

/// One image to build.
#[derive(Debug)]
pub struct Build {
    /// Its declaration.
    pub image: Image,
    /// Its build id: the digest of everything the result depends on.
    pub id: BuildId,
    /// What the build id is computed from.
    pub identity: Identity,
    /// Its name while it is being built.
    pub name: String,
    /// Its directory below the build directory.
    pub dir: String,
    /// The files of its build context.
    pub context: Vec<ContextFile>,
    /// The path of its template.
    pub template_file: String,
    /// Its template, for the backend of the setting.
    pub template: Template,
    /// The variables of the template.
    pub variables: Vec<(String, String)>,
    /// The script for the backend.
    pub script: String,
    /// The commands that run on this machine before the build.
    pub prolog: Option<Vec<String>>,
    /// The shell script of the build: the prolog and the build command.
    pub build: String,
}

/// Enough digits of a build id to distinguish the images of one machine.
const SHOWN: usize = 12;

impl Plan {
    /// Plans the builds of a solution for a backend.
    pub fn new(
        catalog: &Catalog,
        files: &dyn Files,
        solution: &Solution,
        backend: Backend,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, DocumentError> {
        let generation = catalog.generation;
        let name =
            surroundings.name.clone().unwrap_or_else(|| final_tag(catalog, &solution.images));
        let name = backend.image_name(&surroundings.working_dir, &name);
        let planner = Planner { catalog, files, solution, backend, surroundings };
        let mut builds: Vec<Build> = Vec::new();
        for number in 0..solution.images.len() {
            let build = planner.build(number, &builds, &name)?;
            builds.push(build);
        }
        let warnings = builds.iter().flat_map(|build| build.template.warnings.clone()).collect();
        Ok(Self { backend, generation, builds, name, warnings })
    }

    /// The variables file for the prolog of an image of the second generation.
    pub fn variables_file(&self, build: &Build) -> Option<String> {
        let is_second = self.generation == Generation::Second;
        is_second.then(|| variables::exported(&build.variables))
    }

    /// The commands after the last build: they name the last image and, unless tags are kept, remove the intermediate
    /// names.
    pub fn finish(&self, leave_tags: bool) -> Vec<String> {
        let mut commands = Vec::new();
        if self.backend == Backend::Wake {
            return commands;
        }
        let Some((last, before)) = self.builds.split_last() else { return commands };
        if last.name != self.name {
            commands.push(self.backend.name_command(&last.name, &self.name));
        }
        if !leave_tags {
            let between = before.iter().chain((last.name != self.name).then_some(last));
            commands.extend(between.filter_map(|build| self.backend.forget_command(&build.name)));
        }
        commands
    }
}

/// The default name of the last image: all images in it, with system and distribution.
fn final_tag(catalog: &Catalog, images: &[Image]) -> String {
    let parts = images.iter().map(|image| (&image.name, &image.version));
    let mut parts: Vec<_> = parts.collect();
    let setting = &catalog.setting;
    let between = match catalog.generation {
        Generation::First => {
            parts.sort();
            "__"
        }
        Generation::Second => {
            parts.reverse();
            "_"
        }
    };
    let parts = parts.into_iter().map(|(name, version)| format!("{name}-{version}"));
    let parts: Vec<String> = parts.collect();
    format!("{}{between}{}-{}", parts.join("_"), setting.system, setting.distro)
}

struct Planner<'a> {
    catalog: &'a Catalog,
    files: &'a dyn Files,
    solution: &'a Solution,
    backend: Backend,
    surroundings: &'a Surroundings<'a>,
}

impl Planner<'_> {
    fn build(
        &self,
        number: usize,
        before: &[Build],
        final_name: &str,
    ) -> Result<Build, DocumentError> {
        let image = &self.solution.images[number];
        let template_file = format!("{}/templates/{}.vtmp", image.dir, image.template.text);
        let text = self.template_text(image, &template_file)?;
        let context = context::files(self.catalog, self.files, image)?;
        let prolog = prolog::lines(self.catalog, self.files, image)?;
        let base = before.last();

        let mut variables = variables::of(self, number, base, &text);
        let unnamed = self.template(image, &template_file, &text, &variables)?;
        let identity = Identity {
            name: image.name.clone(),
            version: image.version.clone(),
            system: self.catalog.setting.system.clone(),
            backend: self.catalog.setting.backend.clone(),
            distro: self.catalog.setting.distro.clone(),
            engine: self.backend,
            arch: self.surroundings.arch.clone(),
            base: self.base(&unnamed, base),
            needs: self.solution.needs[number].iter().map(|&need| before[need].id).collect(),
            variables: named(&image.variables),
            arguments: texts(&image.arguments),
            template: wake_model::digest::BlobDigest::of(&text),
            context: context.clone(),
            prolog: prolog.clone(),
        };
        let id = identity.id();
        let shown = id.0.short(SHOWN);
        variables::set_id(&mut variables, &shown);
        let template = match template_mentions_id(&text) {
            true => self.template(image, &template_file, &text, &variables)?,
            false => unnamed,
        };

        let is_last = number + 1 == self.solution.images.len();
        let (dir, name) = self.names(image, &shown, is_last, final_name);
        let script = self.backend.script(&template, self.catalog.generation)?;
        let build = self.build_file(image, &dir, &name, prolog.as_deref());
        Ok(Build {
            image: image.clone(),
            id,
            identity,
            name,
            dir,
            context,
            template_file,
            template,
            variables,
            script,
            prolog,
            build,
        })
    }

    fn template_text(&self, image: &Image, file: &str) -> Result<Vec<u8>, DocumentError> {
        match self.files.read(file) {
            Ok(Some(text)) => Ok(text),
            Ok(None) => {
                let message = format!(
                    "template `{}` of `{}` does not exist",
                    image.template.text,
                    image.label(self.catalog.generation)
                );
                let error = self.catalog.error(&image.template.at, message);
                Err(error.with_hint(format!("create `{file}`")))
            }
            Err(error) => Err(DocumentError::whole(file, error.to_string())),
        }
    }

    fn template(
        &self,
        image: &Image,
        file: &str,
        text: &[u8],
        variables: &[(String, String)],
    ) -> Result<Template, DocumentError> {
        let version = Release::new(&image.version);
        let needs: Vec<&str> = image.needs.iter().map(|need| need.text.as_str()).collect();
        let holds = |condition: &str| {
            let setting = &self.catalog.setting;
            let subject = Subject { name: &image.name, version: &version, needs: &needs, setting };
            Ok(Condition::parse(condition)?.holds(&subject))
        };
        let language = match self.catalog.generation {
            Generation::First => Language::First { backend: &self.catalog.setting.backend },
            Generation::Second => Language::Second { holds: &holds },
        };
        let declares_arguments = !self.backend.reads_definitions();
        Template::read(file, text, Reading { language, variables, declares_arguments })
    }

    /// The base of the image, as far as it is known.
    fn base(&self, template: &Template, before: Option<&Build>) -> Base {
        let written = template.from.line.with(|name| format!("${name}"));
        match before {
            Some(before) if written == before.name => Base::Build(before.id),
            _ => {
                let name = template.from.source.as_ref().map_or(&template.from.line, |(_, n)| n);
                let name = name.with(|name| format!("${name}"));
                Base::Image { digest: (self.surroundings.digest)(&name), name: written }
            }
        }
    }

    /// The directory and the name of an image while it is being built.
    fn names(&self, image: &Image, id: &str, is_last: bool, final_name: &str) -> (String, String) {
        let build_dir = &self.surroundings.build_dir;
        match self.catalog.generation {
            Generation::First => {
                let dir = format!("{build_dir}/{id}");
                let name = match is_last {
                    true => final_name.to_owned(),
                    false => self.backend.image_name(&dir, id),
                };
                (dir, name)
            }
            Generation::Second => {
                let dir = format!("{build_dir}/{}-{}-{id}", image.name, image.version);
                let name = self.backend.image_name(&dir, id);
                (dir, name)
            }
        }
    }

    /// Writes the build script. A failing prolog ends it.
    fn build_file(
        &self,
        image: &Image,
        dir: &str,
        name: &str,
        prolog: Option<&[String]>,
    ) -> String {
        let mut lines = vec!["#!/usr/bin/env bash".to_owned()];
        let is_second = self.catalog.generation == Generation::Second;
        let heading = |lines: &mut Vec<String>, text: &str| {
            if is_second {
                lines.push(format!("### {text} ###"));
            }
        };
        if let Some(prolog) = prolog {
            lines.push("set -e".to_owned());
            heading(&mut lines, "VARIABLES");
            if is_second {
                let file = crate::script::quoted(&format!("{dir}/variables"));
                lines.push(format!("source {file}"));
            }
            heading(&mut lines, "PROLOG");
            lines.extend(prolog.iter().cloned());
        }
        heading(&mut lines, "BUILD");
        let arguments: Vec<&str> =
            image.arguments.iter().map(|argument| argument.text.as_str()).collect();
        let script = format!("{dir}/script");
        let limits = &self.surroundings.limits;
        lines.extend(self.backend.build_command(&script, name, &arguments, limits));
        lines.into_iter().map(|line| line + "\n").collect()
    }
}

fn named(variables: &[crate::catalog::Variable]) -> Vec<(String, String)> {
    let mut named: Vec<(String, String)> = variables
        .iter()
        .map(|variable| (variable.name.clone(), variable.value.text.clone()))
        .collect();
    named.sort();
    named
}

fn texts(written: &[Written]) -> Vec<String> {
    written.iter().map(|one| one.text.clone()).collect()
}

/// Whether a template contains its own build id, so that it must be read again once that is known.
fn template_mentions_id(text: &[u8]) -> bool {
    let name = variables::IMAGE_ID.as_bytes();
    text.windows(name.len()).any(|window| window == name)
}
