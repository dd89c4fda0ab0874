//! `<name>/specs.yaml`.

use std::sync::Arc;

use wake_yaml::{DocumentError, Fields, Mark, Node, Warning, Yaml, list, list_or_one, text};

use super::{
    Catalog, Context, Declaration, Generation, Image, Scope, Variable, What, Written, bytes,
};
use crate::VELOCITY;
use crate::files::Files;
use crate::spec::{Condition, Part, Subject};
use crate::version::Release;

/// Reads the versions of an image that exist for the setting, and its declarations.
pub(super) fn read(
    catalog: &mut Catalog,
    files: &dyn Files,
    name: &str,
    dir: &str,
) -> Result<(), DocumentError> {
    debug_assert_eq!(catalog.generation, Generation::Second);
    let file = format!("{dir}/specs.yaml");
    let mut yaml = Yaml::parse(&file, &bytes(files, &file)?, VELOCITY)?;
    let root = yaml.root.clone();
    let mut fields = Fields::of(&yaml, &root, "the document")?;
    let declared = fields.need(&yaml, "versions")?;
    versions(&mut yaml, declared, catalog, name, dir)?;
    let mut document = Document { yaml: &mut yaml, image: name, declared: Vec::new() };
    document.all(&mut fields, "dependencies", "spec", &|written| What::Need(written))?;
    document.all(&mut fields, "templates", "name", &|written| What::Template(written))?;
    document.all(&mut fields, "arguments", "value", &|written| What::Argument(written))?;
    document.variables(&mut fields)?;
    document.all(&mut fields, "files", "name", &|written| What::File(written))?;
    document.all(&mut fields, "prologs", "script", &|written| What::Prolog(written))?;
    let declared = document.declared;
    fields.finish_tolerant(&yaml)?;
    catalog.declared.extend(declared);
    catalog.keep(&file, &yaml.source);
    catalog.warnings.append(&mut yaml.warnings);
    Ok(())
}

fn versions(
    yaml: &mut Yaml,
    node: &Node,
    catalog: &mut Catalog,
    name: &str,
    dir: &str,
) -> Result<(), DocumentError> {
    let first = catalog.images.len();
    for node in list(yaml, node, "`versions`")? {
        let mut fields = Fields::of(yaml, node, "a version")?;
        let spec = fields.need(yaml, "spec")?;
        let specs = list_or_one(yaml, spec, "`spec`")?;
        let when = condition(yaml, fields.take("when"))?;
        fields.finish(yaml)?;
        for (text, mark) in specs {
            let version = Release::new(&text);
            if !version.has_form() {
                let message = format!("version `{text}` compares equal to every other version");
                let hint = "write `MAJOR`, `MAJOR.MINOR` or `MAJOR.MINOR.PATCH`, optionally with `-SUFFIX`";
                yaml.warnings.push(yaml.source.error(mark, message).with_hint(hint));
            }
            let setting = &catalog.setting;
            let exists = when.holds(&Subject { name, version: &version, needs: &[], setting });
            let known = catalog.images[first..].iter().any(|image| image.version == text);
            if exists && !known {
                let at = yaml.source.place(mark);
                catalog.images.push(Image {
                    name: name.to_owned(),
                    version: text,
                    dir: dir.to_owned(),
                    needs: Vec::new(),
                    arguments: Vec::new(),
                    variables: Vec::new(),
                    template: Written { text: "default".to_owned(), at: at.clone() },
                    context: Context::Named(Vec::new()),
                    prolog: None,
                    at,
                });
            }
        }
    }
    Ok(())
}

/// Reads a condition; an absent or empty one always holds.
fn condition(yaml: &mut Yaml, node: Option<&Arc<Node>>) -> Result<Condition, DocumentError> {
    let Some(node) = node else { return Ok(Condition::default()) };
    let written = text(yaml, node, "`when`")?;
    parsed(yaml, node.at, &written)
}

fn parsed(yaml: &mut Yaml, at: Mark, written: &str) -> Result<Condition, DocumentError> {
    let condition = Condition::parse(written).map_err(|part| {
        let hint = "write `NAME@LOW:`, `NAME@:HIGH` or `NAME@LOW:HIGH`";
        yaml.source.error(at, format!("`{part}` has no version")).with_hint(hint)
    })?;
    let noticed = condition.parts.iter().filter_map(|clause| odd(yaml, at, &clause.part));
    let noticed: Vec<Warning> = noticed.collect();
    noticed.into_iter().for_each(|warning| yaml.warn(warning));
    Ok(condition)
}

/// The warning for a suspicious part of a condition.
fn odd(yaml: &Yaml, at: Mark, part: &Part) -> Option<Warning> {
    match part {
        Part::Unknown(text) => {
            let hint = "write `NAME@VERSIONS` with digits and dots, `system=`, `backend=`, `distro=` or `^NAME`";
            let message = format!("`{text}` never holds");
            Some(yaml.source.error(at, message).with_hint(hint))
        }
        Part::Image(spec) => {
            let bound = spec.range.bounds().into_iter().find(|bound| !bound.has_form())?;
            let message = format!("`{bound}` in `{spec}` compares equal to every version");
            Some(yaml.source.error(at, message))
        }
        _ => None,
    }
}

/// The declarations of one document.
struct Document<'a> {
    yaml: &'a mut Yaml,
    image: &'a str,
    declared: Vec<Declaration>,
}

impl Document<'_> {
    /// Reads a list of declarations, each with one or several texts under `key`.
    fn all(
        &mut self,
        fields: &mut Fields<'_>,
        section: &'static str,
        key: &'static str,
        what: &dyn Fn(Written) -> What,
    ) -> Result<(), DocumentError> {
        let Some(node) = fields.take(section) else { return Ok(()) };
        for node in list(self.yaml, node, &format!("`{section}`"))? {
            let mut fields = Fields::of(self.yaml, node, &format!("an item of `{section}`"))?;
            let value = fields.need(self.yaml, key)?;
            let texts = list_or_one(self.yaml, value, &format!("`{key}`"))?;
            for (text, mark) in texts {
                let at = self.yaml.source.place(mark);
                let what = what(Written { text, at });
                self.check(&what, mark)?;
                self.push(&mut fields.clone(), what)?;
            }
            self.finish(fields)?;
        }
        Ok(())
    }

    fn variables(&mut self, fields: &mut Fields<'_>) -> Result<(), DocumentError> {
        let Some(node) = fields.take("variables") else { return Ok(()) };
        for node in list(self.yaml, node, "`variables`")? {
            let mut fields = Fields::of(self.yaml, node, "an item of `variables`")?;
            let name = fields.need(self.yaml, "name")?;
            let name = text(self.yaml, name, "`name`")?;
            let value = match fields.take("value") {
                Some(value) => (text(self.yaml, value, "`value`")?, value.at),
                None => (String::new(), node.at),
            };
            let value = Written { text: value.0, at: self.yaml.source.place(value.1) };
            self.push(&mut fields.clone(), What::Variable(Variable { name, value }))?;
            self.finish(fields)?;
        }
        Ok(())
    }

    /// Adds a declaration with the condition and scope next to it.
    fn push(&mut self, fields: &mut Fields<'_>, what: What) -> Result<(), DocumentError> {
        let when = condition(self.yaml, fields.take("when"))?;
        let scope = match fields.take("scope") {
            None => Scope::Image,
            Some(node) => match text(self.yaml, node, "`scope`")?.as_str() {
                "image" => Scope::Image,
                "build" => Scope::Build,
                other => {
                    let message =
                        format!("scope `{other}` is unknown: expected `image` or `build`");
                    return Err(self.yaml.source.error(node.at, message));
                }
            },
        };
        let image = Some(self.image.to_owned());
        self.declared.push(Declaration { image, yields: false, when, scope, what });
        Ok(())
    }

    fn finish(&mut self, mut fields: Fields<'_>) -> Result<(), DocumentError> {
        for key in ["when", "scope"] {
            fields.take(key);
        }
        fields.finish(self.yaml)
    }

    fn check(&mut self, what: &What, mark: Mark) -> Result<(), DocumentError> {
        match what {
            What::Need(need) if need.text.contains('^') => {
                let message =
                    format!("`{}` contains `^`, which is allowed only in conditions", need.text);
                let hint = "write `NAME`, `NAME@VERSION` or `NAME@LOW:HIGH`";
                Err(self.yaml.source.error(mark, message).with_hint(hint))
            }
            What::Need(need) => parsed(self.yaml, mark, &need.text).map(|_| ()),
            What::File(file) | What::Template(file)
                if file.text.is_empty()
                    || file.text.split('/').any(|part| matches!(part, "" | "." | "..")) =>
            {
                let message = format!("`{}` points outside the image's directory", file.text);
                Err(self.yaml.source.error(mark, message))
            }
            _ => Ok(()),
        }
    }
}
