//! `wake init`: creates a package.

mod files;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use wake_build::Workspace;
use wake_model::Name;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::shell_line::shell_word;

use crate::args::InitArgs;
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// The namespace of the rule library.
const RULES: &str = "wake";

/// Writes the files of a package into a directory, without overwriting existing ones. Workspace files are written only outside an
/// existing workspace.
pub(crate) fn run(args: &InitArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    // Drops a `.` in the middle, which would show in messages.
    let dir: PathBuf = settings.cwd.join(&args.dir).components().collect();
    let name = name(args, &dir)?;
    let files = files::of(args.template);
    fs::create_dir_all(&dir).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => already(&dir),
        _ => fault(&dir, &source),
    })?;
    let mut paths = files.iter().map(|file| dir.join(file.path));
    if let Some(path) = paths.find(|path| fs::symlink_metadata(path).is_ok()) {
        return Err(already(&path).into());
    }
    let around = Workspace::discover(&dir, &settings.owners).ok();
    for file in files {
        file.write(&dir, &name)?;
    }
    for file in files::WORKSPACE.iter().filter(|_| around.is_none()) {
        // An existing file belongs to the user and is kept.
        if fs::symlink_metadata(dir.join(file.path)).is_err() {
            file.write(&dir, &name)?;
        }
    }
    let style = settings.manner.style;
    let shown = escape::line(&args.dir.to_string_lossy()).into_owned();
    let (into, wake) = match shown.as_str() {
        "." => (String::new(), "wake".to_owned()),
        shown => (format!(" in {shown}"), format!("wake -C {}", shell_word(shown))),
    };
    let mut lines = vec![style.verb(Role::Good, "Created", format_args!("package `{name}`{into}"))];
    let mut next = "Next";
    if args.template.has_rules() && !has_registry(around.as_ref()) {
        lines.push(style.verb(Role::Guide, next, where_rules_are(around.as_ref(), &dir, settings)));
        next = "Then";
    }
    let text = format!("run it with `{wake} run :hello`, test it with `{wake} test`");
    lines.push(style.verb(Role::Guide, next, text));
    print::lines(lines, say)
}

/// Whether the workspace configures a registry for the rules.
fn has_registry(around: Option<&Workspace>) -> bool {
    let Ok(namespace) = RULES.parse() else { return false };
    around.is_some_and(|around| around.settings.registries.of(Some(&namespace)).is_some())
}

/// Says how to configure the registry of the rules.
fn where_rules_are(around: Option<&Workspace>, dir: &Path, settings: &Settings) -> String {
    let file = around.map_or(dir, |around| &around.root).join("wake.toml");
    let cwd = fs::canonicalize(&settings.cwd).unwrap_or_else(|_| settings.cwd.clone());
    let shown = [&settings.cwd, &cwd].into_iter().find_map(|cwd| file.strip_prefix(cwd).ok());
    let shown = shown.unwrap_or(&file).to_string_lossy();
    format!(
        "configure the rule registry in `{}`: `[registries]` `rules = \"ADDRESS\"` and `[namespaces]` `{RULES} = \"rules\"`",
        escape::line(&shown)
    )
}

/// Returns the given name, else the directory's, made into a valid name.
fn name(args: &InitArgs, dir: &Path) -> Result<Name, Diagnostic> {
    let wrong =
        |error: wake_model::name::NameError| Diagnostic::error(Class::Usage, error.to_string());
    if let Some(name) = &args.name {
        return name.parse().map_err(wrong);
    }
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let directory = dir.file_name().unwrap_or_default().to_string_lossy();
    let lower = directory.to_lowercase().replace([' ', '.', '+'], "-");
    lower.trim_matches('-').parse().map_err(|error| wrong(error).help("set the name with `--name`"))
}

fn already(path: &Path) -> Diagnostic {
    Diagnostic::error(Class::Usage, format!("`{}` already exists", path.display()))
        .help("choose another directory: `wake init DIR`")
}

fn fault(path: &Path, source: &io::Error) -> Diagnostic {
    Diagnostic::error(Class::Environment, format!("`{}`: {source}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::exit::{Exit, Stop};
    use std::os::unix::fs::PermissionsExt;

    use crate::args::Template;

    fn init(root: &Path, dir: &str, name: Option<&str>) -> Result<Exit, Stop> {
        let args =
            InitArgs { dir: dir.into(), name: name.map(str::to_owned), template: Template::Plain };
        let settings = crate::settings::tests::quiet(root);
        run(&args, &settings, &mut Vec::new())
    }

    fn message(outcome: Outcome) -> String {
        let Err(Stop::Failure(failure)) = outcome else { panic!("{outcome:?}") };
        failure.diagnostics[0].message.clone()
    }

    #[test]
    fn a_package_is_written_once() {
        let root = tempfile::tempdir().unwrap();
        init(root.path(), "My App", None).unwrap();
        let dir = root.path().join("My App");
        let pkg = fs::read_to_string(dir.join("PKG.libsonnet")).unwrap();
        assert!(pkg.contains("wake.pkgInfo('my-app', '0.1.0')"), "{pkg}");
        let mode = fs::metadata(dir.join("hello.sh")).unwrap().permissions().mode();
        assert_ne!(mode & 0o100, 0);
        fs::write(dir.join("hello.sh"), "mine").unwrap();
        fs::remove_file(dir.join("PKG.libsonnet")).unwrap();
        for name in ["hello.libsonnet", "check.libsonnet", "check.sh"] {
            fs::remove_file(dir.join(name)).unwrap();
        }
        assert!(message(init(root.path(), "My App", None)).ends_with("hello.sh` already exists"));
        assert_eq!(fs::read_to_string(dir.join("hello.sh")).unwrap(), "mine");
        assert!(!dir.join("PKG.libsonnet").exists());
    }

    #[test]
    fn workspace_files_are_written_only_at_the_root() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(".gitignore"), "mine\n").unwrap();
        init(root.path(), ".", Some("top")).unwrap();
        init(root.path(), "libs/a", None).unwrap();
        for files::File { path: name, .. } in files::WORKSPACE {
            assert!(root.path().join(name).is_file(), "{name}");
            assert!(!root.path().join("libs/a").join(name).exists(), "{name}");
        }
        assert_eq!(fs::read_to_string(root.path().join(".gitignore")).unwrap(), "mine\n");
    }

    #[test]
    fn an_existing_file_is_reported_by_its_path() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("taken"), "mine").unwrap();
        let path = |name| format!("`{}` already exists", root.path().join(name).display());
        assert_eq!(message(init(root.path(), "taken", None)), path("taken"));
        init(root.path(), ".", Some("top")).unwrap();
        assert_eq!(message(init(root.path(), ".", Some("top"))), path("PKG.libsonnet"));
    }

    #[test]
    fn nothing_is_written_for_an_invalid_name() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(
            message(init(root.path(), "d", Some("Upper"))),
            "`Upper` contains `U`: names consist of lower-case letters, digits, `_` and `-`, and start with a letter or digit"
        );
        assert!(!root.path().join("d").exists());
    }
}
