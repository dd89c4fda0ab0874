//! `<name>/<tag>/specifications.yaml`.

use wake_yaml::{DocumentError, Entry, Fields, Mark, Node, Value, Yaml, kind, list_or_one, text};

use super::{Catalog, Context, Image, Prolog, Variable, Written, bytes, directories};
use crate::VELOCITY;
use crate::files::Files;
use crate::spec::Setting;
use crate::version::{Comparable, Tag};

/// One version of an image: its name, its tag, its directory.
#[derive(Clone, Copy)]
struct Version<'a> {
    name: &'a str,
    tag: &'a str,
    dir: &'a str,
}

/// Reads the tags of an image that exist for the setting.
pub(super) fn read(
    catalog: &mut Catalog,
    files: &dyn Files,
    name: &str,
    dir: &str,
) -> Result<(), DocumentError> {
    let first = catalog.images.len();
    for tag in directories(files, dir)? {
        let dir = format!("{dir}/{tag}");
        let file = format!("{dir}/specifications.yaml");
        let content = bytes(files, &file).map_err(|error| {
            error.with_hint("every directory of an image is a version and must have this file")
        })?;
        let mut yaml = Yaml::parse(&file, &content, VELOCITY)?;
        let version = Version { name, tag: &tag, dir: &dir };
        let image = document(&mut yaml, &catalog.setting, version)?;
        catalog.keep(&file, &yaml.source);
        catalog.warnings.append(&mut yaml.warnings);
        let Some(image) = image else { continue };
        let is_same = |other: &&Image| Tag::new(&other.version).is(&Tag::new(&tag));
        if let Some(other) = catalog.images[first..].iter().find(is_same) {
            let message =
                format!("`{tag}` and `{}` are the same version of `{name}`", other.version);
            let hint = "rename one of them: `-` and `.` are equivalent in versions";
            return Err(catalog.error(&image.at, message).with_hint(hint));
        }
        catalog.images.push(image);
    }
    Ok(())
}

/// Returns the image of one document if it exists for the setting. The whole tree is read, so that mistakes are found
/// in all settings.
fn document(
    yaml: &mut Yaml,
    setting: &Setting,
    version: Version<'_>,
) -> Result<Option<Image>, DocumentError> {
    let root = yaml.root.clone();
    let mut fields = Fields::of(yaml, &root, "the document")?;
    let tree = fields.need(yaml, "build_specifications").map_err(|error| {
        error.with_hint("add `build_specifications: {SYSTEM: {BACKEND: {DISTRO: {}}}}`")
    })?;
    let mut found = None;
    for system in Fields::of(yaml, tree, "`build_specifications`")?.rest() {
        for backend in Fields::of(yaml, &system.value, &format!("`{}`", system.key))?.rest() {
            for distro in Fields::of(yaml, &backend.value, &format!("`{}`", backend.key))?.rest() {
                let image = leaf(yaml, distro, &system.key, version)?;
                if system.key == setting.system
                    && backend.key == setting.backend
                    && distro.key == setting.distro
                {
                    found = Some(image);
                }
            }
        }
    }
    Ok(found)
}

/// Reads the declaration for a system, backend and distribution; null means `{}`.
fn leaf(
    yaml: &mut Yaml,
    distro: &Entry,
    system: &str,
    version: Version<'_>,
) -> Result<Image, DocumentError> {
    let at = yaml.source.place(distro.at);
    let mut fields = Fields::of(yaml, &distro.value, &format!("`{}`", distro.key))?;
    let mut needs = Vec::new();
    if let Some(node) = fields.take("dependencies") {
        let Value::List(items) = &node.value else {
            let message = format!("`dependencies` is {}: expected a list", kind(node));
            return Err(yaml.source.error(node.at, message));
        };
        for item in items {
            let text = text(yaml, item, "a dependency")?;
            needs.push(Written { text, at: yaml.source.place(item.at) });
        }
    }
    let prolog = match fields.take("prolog") {
        Some(node) => Some(file_name(yaml, node)?),
        None => None,
    };
    let arguments = match fields.take("arguments") {
        Some(node) => list_or_one(yaml, node, "an argument")?,
        None => Vec::new(),
    };
    let variables = match fields.take("variables") {
        Some(node) => variables(yaml, node)?,
        None => Vec::new(),
    };
    fields.finish(yaml)?;
    let written = |(text, mark): (String, Mark)| Written { text, at: yaml.source.place(mark) };
    Ok(Image {
        name: version.name.to_owned(),
        version: version.tag.to_owned(),
        dir: version.dir.to_owned(),
        needs,
        arguments: arguments.into_iter().map(written).collect(),
        variables,
        template: Written { text: distro.key.clone(), at: at.clone() },
        context: Context::Directory(format!("{}/{system}", version.dir)),
        prolog,
        at,
    })
}

fn file_name(yaml: &mut Yaml, node: &Node) -> Result<Prolog, DocumentError> {
    let name = text(yaml, node, "`prolog`")?;
    if name.is_empty() || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        let message = format!("prolog `{name}` is not a file below the system directory");
        return Err(yaml.source.error(node.at, message));
    }
    Ok(Prolog::File(Written { text: name, at: yaml.source.place(node.at) }))
}

/// Reads variables, a mapping or a list of mappings; the last of several values counts.
fn variables(yaml: &mut Yaml, node: &Node) -> Result<Vec<Variable>, DocumentError> {
    let nodes: Vec<&Node> = match &node.value {
        Value::List(items) => items.iter().map(AsRef::as_ref).collect(),
        _ => vec![node],
    };
    let mut variables: Vec<Variable> = Vec::new();
    for node in nodes {
        for entry in Fields::of(yaml, node, "`variables`")?.rest() {
            let value = match &entry.value.value {
                Value::Null => String::new(),
                _ => text(yaml, &entry.value, &format!("variable `{}`", entry.key))?,
            };
            variables.retain(|one| one.name != entry.key);
            let value = Written { text: value, at: yaml.source.place(entry.value.at) };
            variables.push(Variable { name: entry.key.clone(), value });
        }
    }
    Ok(variables)
}
