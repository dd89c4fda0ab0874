//! `wake init`: a package that builds.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use wake_model::Name;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::InitArgs;
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Writes the files of a package into a directory, and over none that is there.
pub(crate) fn run(args: &InitArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let dir = settings.cwd.join(&args.dir);
    let name = name(args, &dir)?;
    let files = files(&name);
    fs::create_dir_all(&dir).map_err(|source| fault(&dir, &source))?;
    let mut paths = files.iter().map(|file| dir.join(file.path));
    if let Some(path) = paths.find(|path| fs::symlink_metadata(path).is_ok()) {
        return Err(already(&path).into());
    }
    for file in &files {
        file.write(&dir)?;
    }
    let style = settings.manner.style;
    let shown = escape::line(&args.dir.to_string_lossy()).into_owned();
    let (into, hint) = match shown.as_str() {
        "." => (String::new(), "`wake run`".to_owned()),
        shown => (format!(" in {shown}"), format!("`wake -C {shown} run`")),
    };
    let created = style.verb(Role::Good, "Created", format_args!("package `{name}`{into}"));
    let next = style.verb(Role::Guide, "Next", format_args!("{hint} builds it and runs it"));
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

fn files(name: &Name) -> [File; 3] {
    let of = |template: &str| template.replace("NAME", name.as_str());
    [
        File { path: "PKG.libsonnet", mode: 0o666, text: of(PKG) },
        File { path: "hello.libsonnet", mode: 0o666, text: of(MODULE) },
        File { path: "hello.sh", mode: 0o777, text: of(SCRIPT) },
    ]
}

const PKG: &str = "\
// What this package is: its files, and the modules that can be built from them.
function(wake) wake.pkg(
  wake.pkgInfo('NAME', '0.1.0'),
  files=['./hello.sh'],
  modules={ hello: './hello.libsonnet' },
)
";

const MODULE: &str = "\
// One thing that can be built. Try `wake run . --config greeting=Moin`.
function(wake, pkg, config={ greeting: 'Hello' }) wake.module(
  'hello',
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
        let args = InitArgs { dir: dir.into(), name: name.map(str::to_owned) };
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
        fs::remove_file(dir.join("hello.libsonnet")).unwrap();
        assert!(message(init(root.path(), "My App", None)).ends_with("hello.sh` is there already"));
        assert_eq!(fs::read_to_string(dir.join("hello.sh")).unwrap(), "mine");
        assert!(!dir.join("PKG.libsonnet").exists());
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
