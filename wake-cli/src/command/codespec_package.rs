//! `wake codespec package` and `wake codespec pull`: codespecs as files of published packages.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use wake_build::ObtainedPkg;
use wake_codespec::flags::Flags;
use wake_codespec::name::CodespecReference;
use wake_codespec::show::Shown;
use wake_job::codespecs::{Codespecs, StoredCodespec};
use wake_job::moment::rfc3339;
use wake_model::{Node, PkgName, RelPath, Version, nearest::nearest};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use crate::codespecs::{self, ReadDocument, failure};
use crate::command::{needs, registry};
use crate::exit::Outcome;
use crate::print;
use crate::session;
use crate::settings::Settings;

/// Creates a package directory with a stored codespec, and prints what to publish.
pub(crate) fn package(
    codespec: &str,
    package: &str,
    dir: &Path,
    license: Option<&str>,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let reference: CodespecReference =
        codespec.parse().map_err(|error| Diagnostic::error(Class::Usage, format!("{error}")))?;
    let (pkg, version) = registry::parse(package)?;
    let store = session::store(settings)?;
    let found = Codespecs::new(&store).get(&reference).map_err(failure)?;
    let file = format!("{}.json", found.name);
    let shown = Shown {
        codespec: &found.codespec,
        name: Some(&found.name),
        version: None,
        created_at: None,
        id: None,
    };
    let mut document = serde_json::to_string_pretty(&shown).map_err(io::Error::from)?;
    document.push('\n');
    let place = settings.cwd.join(dir);
    let declared = declared(&found, &pkg, &version, &file, license);
    let made = fs::create_dir(&place)
        .and_then(|()| fs::write(place.join(&file), document))
        .and_then(|()| fs::write(place.join("PKG.libsonnet"), declared));
    made.map_err(|error| unwritten(dir, error))?;
    print::line(dir.display(), out)
}

/// Returns the text of the package file.
fn declared(
    found: &StoredCodespec,
    pkg: &PkgName,
    version: &Version,
    file: &str,
    license: Option<&str>,
) -> String {
    let name = &found.name;
    let namespace =
        pkg.namespace.as_ref().map_or_else(String::new, |of| format!(", namespace='{of}'"));
    let license = license.map(|license| format!("license: {}, ", serde_json::Value::from(license)));
    let license = license.unwrap_or_default();
    format!(
        "// The codespec `{name}` as a package: `wake codespec pull {pkg}` stores it on another machine.\n\
         function(wake)\n  wake.pkg(\n    wake.pkgInfo('{}', '{version}'{namespace}),\n    files=['./{file}'],\n    \
         metadata={{ {license}description: 'The codespec {name}' }},\n  )\n",
        pkg.name
    )
}

fn unwritten(dir: &Path, error: io::Error) -> Diagnostic {
    let (class, help) = match error.kind() {
        io::ErrorKind::AlreadyExists => {
            (Class::Usage, Some("choose a directory that does not exist"))
        }
        _ => (Class::Environment, None),
    };
    let message = format!("cannot write `{}`: {error}", dir.display());
    help.into_iter().fold(Diagnostic::error(class, message), Diagnostic::help)
}

/// Stores a codespec from a published package, and prints its name and version.
pub(crate) fn pull(
    package: &str,
    file: Option<&str>,
    name: Option<String>,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let (pkg, wanted) = needs::wanted(package)?;
    let opened = session::open(settings)?;
    let obtained = opened.obtain(&pkg, wanted.as_ref(), &*session::cancel()?);
    let obtained = session::after_warnings(&opened, settings, obtained)?;
    let document = match file {
        Some(file) => named(&obtained, file)?,
        None => only(&obtained)?,
    };
    let flags = Flags { name, ..Flags::default() };
    let named = codespecs::named(Some(&document), &flags, settings)?;
    let store = session::store(settings)?;
    let now = rfc3339(wake_steps::clock::unix_ms());
    let version = Codespecs::new(&store).create(&named, &now).map_err(failure)?;
    print::line(format_args!("{}/versions/{version}", named.name), out)
}

/// Reads the named file of a package.
fn named(pkg: &ObtainedPkg, file: &str) -> Result<ReadDocument, Failure> {
    let path = RelPath::parse(file.strip_prefix("./").unwrap_or(file));
    let node = path.as_ref().ok().and_then(|path| pkg.manifest.get(path));
    let (Ok(path), Some(Node::File { .. })) = (&path, node) else {
        let message = format!("{} {} has no file `{file}`", pkg.name, pkg.version);
        let files: Vec<&str> = documents(pkg).map(RelPath::as_str).collect();
        let diagnostic = Diagnostic::error(Class::Nothing, message);
        return Err(match (nearest(file, files.iter().copied()), files.as_slice()) {
            (Some(near), _) => diagnostic.help(format!("did you mean `{near}`?")),
            (None, []) => diagnostic,
            (None, files) => diagnostic.note(format!("it contains {}", listed(files))),
        }
        .into());
    };
    read(pkg, path)
}

/// Reads the only codespec of a package.
fn only(pkg: &ObtainedPkg) -> Result<ReadDocument, Failure> {
    let files: Vec<&RelPath> = documents(pkg).collect();
    let mut found = Vec::new();
    for path in &files {
        let document = read(pkg, path)?;
        if document.is_codespec() {
            found.push((path.as_str(), document));
        }
    }
    let of = format!("{} {}", pkg.name, pkg.version);
    let several = found.len() > 1;
    match found.pop() {
        Some((_, document)) if !several => Ok(document),
        Some((last, _)) => {
            let names: Vec<&str> = found.iter().map(|(path, _)| *path).chain([last]).collect();
            let message = format!("{of} has more than one codespec: {}", listed(&names));
            let help = format!("select one: `wake codespec pull {} {}`", pkg.name, names[0]);
            Err(Diagnostic::error(Class::Usage, message).help(help).into())
        }
        None => {
            let diagnostic = Diagnostic::error(Class::Nothing, format!("{of} has no codespec"));
            let files: Vec<&str> = files.iter().map(|path| path.as_str()).collect();
            Err(match files.as_slice() {
                [] => diagnostic.note("it contains no YAML or JSON files"),
                [first, ..] => {
                    diagnostic.note(format!("it contains {}", listed(&files))).help(format!(
                        "run `wake codespec pull {} {first}` to see why it is not a codespec",
                        pkg.name
                    ))
                }
            }
            .into())
        }
    }
}

/// Lists the YAML and JSON documents of a package. Untrusted Jsonnet is only evaluated when packages are built.
fn documents(pkg: &ObtainedPkg) -> impl Iterator<Item = &RelPath> {
    let files = pkg.manifest.iter().filter(|(_, node)| matches!(node, Node::File { .. }));
    let ends = [".yml", ".yaml", ".json"];
    files
        .map(|(path, _)| path)
        .filter(move |path| ends.iter().any(|end| path.as_str().ends_with(end)))
}

fn read(pkg: &ObtainedPkg, path: &RelPath) -> Result<ReadDocument, Failure> {
    let name = format!("{}@{}/{path}", pkg.name, pkg.version);
    let bytes = fs::read(pkg.dir.join(path.as_str())).map_err(|error| {
        Diagnostic::error(Class::Environment, format!("cannot read `{name}`: {error}"))
    })?;
    ReadDocument::of(name, bytes)
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
