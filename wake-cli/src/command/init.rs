//! `wake init`: a package that builds.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use wake_build::Workspace;
use wake_model::Name;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::{InitArgs, Template};
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Writes the files of a package into a directory, and over none that is there; those of a workspace only where there is none
/// around it.
pub(crate) fn run(args: &InitArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let dir = settings.cwd.join(&args.dir);
    let name = name(args, &dir)?;
    let files = match args.template {
        Template::Sh => sh(&name),
    };
    fs::create_dir_all(&dir).map_err(|source| fault(&dir, &source))?;
    let mut paths = files.iter().map(|file| dir.join(file.path));
    if let Some(path) = paths.find(|path| fs::symlink_metadata(path).is_ok()) {
        return Err(already(&path).into());
    }
    let is_inside = Workspace::discover(&dir, &settings.owners).is_ok();
    for file in &files {
        file.write(&dir)?;
    }
    for file in WORKSPACE.iter().filter(|_| !is_inside) {
        // What a person has there is theirs, and right as it is.
        if fs::symlink_metadata(dir.join(file.0)).is_err() {
            File { path: file.0, mode: 0o666, text: file.1.to_owned() }.write(&dir)?;
        }
    }
    let style = settings.manner.style;
    let shown = escape::line(&args.dir.to_string_lossy()).into_owned();
    let (into, wake) = match shown.as_str() {
        "." => (String::new(), "wake".to_owned()),
        shown => (format!(" in {shown}"), format!("wake -C {shown}")),
    };
    let created = style.verb(Role::Good, "Created", format_args!("package `{name}`{into}"));
    let text = format!("`{wake} run :hello` builds it and runs it, `{wake} test` tests it");
    let next = style.verb(Role::Guide, "Next", text);
    print::lines([created, next], say)
}

/// One file of the new package.
struct File {
    path: &'static str,
    mode: u32,
    text: String,
}

impl File {
    fn write(&self, dir: &Path) -> Result<(), Diagnostic> {
        let path = dir.join(self.path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(self.mode);
        let written = options.open(&path).and_then(|mut file| file.write_all(self.text.as_bytes()));
        written.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => already(&path),
            _ => fault(&path, &source),
        })
    }
}

/// A program made by a script, and its test.
fn sh(name: &Name) -> Vec<File> {
    let of = |template: &str| template.replace("NAME", name.as_str());
    let file = |path, mode, template| File { path, mode, text: of(template) };
    vec![
        file("PKG.libsonnet", 0o666, PKG),
        file("hello.libsonnet", 0o666, MODULE),
        file("hello.sh", 0o777, SCRIPT),
        file("check.libsonnet", 0o666, TEST),
        file("check.sh", 0o777, TEST_SCRIPT),
    ]
}

/// What a workspace has at its root, by names.
const WORKSPACE: [(&str, &str); 3] = [
    (
        "wake.toml",
        "\
# The root of a workspace: where and how fast wake builds here, never what.
# Every package below is a member; see `wake help build` for what can be built.
[workspace]
",
    ),
    (
        ".gitignore",
        "\
# What wake keeps of a checkout: links to results, logs, caches. It may be deleted at any time.
/.wake/
",
    ),
    (
        ".gitattributes",
        "\
# Files are the same in every checkout, and so are the keys of what is built from them.
* text=auto eol=lf
# Of two branches that each add packages both are right.
wake.lock merge=union
",
    ),
];

const PKG: &str = "\
// What this package is: its files, and the modules that can be built from them.
function(wake) wake.pkg(
  wake.pkgInfo('NAME', '0.1.0'),
  files=['./hello.sh', './check.sh'],
  modules={ hello: './hello.libsonnet', check: './check.libsonnet' },
)
";

const TEST: &str = "\
// A test: it passes if its command exits with 0. What passed is remembered until something that it sees changes.
function(wake, pkg) wake.module(
  'check',
  pkgFiles=['./check.sh'],
  modules={ hello: pkg.modules.hello() },
  exec=function(wake, module) wake.exec('./check.sh', args=[module.modules.hello.outputs.bin]),
  test=true,
)
";

const TEST_SCRIPT: &str = "\
#!/bin/sh
set -eu
said=$(\"$1\")
[ \"$said\" = 'Hello from NAME.' ] || { echo \"it says: $said\" >&2; exit 1; }
";

const MODULE: &str = "\
// One thing that can be built. Try `wake run :hello --config greeting=Moin`.
function(wake, pkg, config={ greeting: 'Hello' }) wake.module(
  'hello',
  pkgFiles=['./hello.sh'],
  outputs=function(wake, pkg) { bin: './out/hello' },
  exec=wake.exec('./hello.sh', args=[config.greeting]),
)
";

const SCRIPT: &str = "\
#!/bin/sh
# Sees only what the package declares, and must create what the module promises: ./out/hello
set -eu
mkdir -p out
cat > out/hello <<EOF
#!/bin/sh
echo \"$1 from NAME.\"
EOF
chmod +x out/hello
";

/// The name that was given, else the directory's as a name may be written.
fn name(args: &InitArgs, dir: &Path) -> Result<Name, Diagnostic> {
    let wrong = |error: wake_model::name::NameError| {
        Diagnostic::error(Class::Usage, error.to_string()).help("give one with `--name`")
    };
    if let Some(name) = &args.name {
        return name.parse().map_err(wrong);
    }
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let directory = dir.file_name().unwrap_or_default().to_string_lossy();
    let lower = directory.to_lowercase().replace([' ', '.', '+'], "-");
    lower.trim_matches('-').parse().map_err(wrong)
}

fn already(path: &Path) -> Diagnostic {
    Diagnostic::error(Class::Usage, format!("`{}` is there already", path.display()))
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

    fn init(root: &Path, dir: &str, name: Option<&str>) -> Result<Exit, Stop> {
        let args =
            InitArgs { dir: dir.into(), name: name.map(str::to_owned), template: Template::Sh };
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
        assert!(message(init(root.path(), "My App", None)).ends_with("hello.sh` is there already"));
        assert_eq!(fs::read_to_string(dir.join("hello.sh")).unwrap(), "mine");
        assert!(!dir.join("PKG.libsonnet").exists());
    }

    #[test]
    fn what_a_workspace_has_is_written_at_its_root_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(".gitignore"), "mine\n").unwrap();
        init(root.path(), ".", Some("top")).unwrap();
        init(root.path(), "libs/a", None).unwrap();
        for (name, _) in WORKSPACE {
            assert!(root.path().join(name).is_file(), "{name}");
            assert!(!root.path().join("libs/a").join(name).exists(), "{name}");
        }
        assert_eq!(fs::read_to_string(root.path().join(".gitignore")).unwrap(), "mine\n");
    }

    #[test]
    fn a_wrong_name_writes_nothing() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(
            message(init(root.path(), "d", Some("Upper"))),
            "`Upper` holds `U`: names are lower-case letters, digits, `_` and `-`, starting with a letter or digit"
        );
        assert!(!root.path().join("d").exists());
    }
}
