//! `wake run`

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wake_build::{BuildRequest, BuiltModule, LinkPolicy};
use wake_model::nearest::nearest;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::{RunArgs, Warnings};
use crate::exit::{Exit, NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, Outcome, Stop};
use crate::selection;
use crate::session;
use crate::settings::Settings;

/// Builds the target and replaces this process with its program, so that signals and the exit code are the program's.
pub(crate) fn run(args: &RunArgs, settings: &Settings) -> Outcome {
    let settings = &settings.showing(args.warnings.warnings);
    let (target, key) = match args.target.rsplit_once('#') {
        Some((target, key)) => (if target.is_empty() { "." } else { target }, Some(key)),
        None => (args.target.as_str(), None),
    };
    let request = BuildRequest {
        targets: vec![target.into()],
        config: selection::config(&args.config)?,
        keep_going: false,
        rebuild: false,
        link: LinkPolicy::IfPossible,
        results: true,
        recalls_warnings: args.warnings.warnings == Warnings::All,
        ..BuildRequest::default()
    };
    let report = session::build(settings, &request, args.profile.file.as_deref());
    match report.exit {
        0 => {}
        code if code == Class::Usage.exit_code() || code > 128 => {
            return Ok(Exit(code));
        }
        _ => return Ok(Exit(NOT_STARTED)),
    }
    let program = program(&report.built, key).map_err(|why| Stop::Refusal(why, NOT_EXECUTABLE))?;
    let (why, exit) = execute(&program, &args.arguments);
    Err(Stop::Refusal(why, exit))
}

/// Returns only if the program cannot be started.
#[expect(clippy::disallowed_methods, reason = "the person asked for this program")]
fn execute(program: &Path, arguments: &[OsString]) -> (Diagnostic, u8) {
    let source = std::process::Command::new(program).args(arguments).exec();
    let exit = if source.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
    let mut why =
        Diagnostic::error(Class::Environment, format!("`{}`: {source}", program.display()));
    if exit == NOT_FOUND {
        why = why.help("check that its interpreter or loader exists on this machine");
    }
    (why, exit)
}

/// Selects the named output, else `bin`, else the only executable one.
fn program(built: &[BuiltModule], key: Option<&str>) -> Result<PathBuf, Diagnostic> {
    let all: Vec<(String, PathBuf)> = built.iter().flat_map(files).collect();
    let named = key.or_else(|| all.iter().any(|(name, _)| name == "bin").then_some("bin"));
    let is_wanted = |(name, path): &&(String, PathBuf)| match named {
        Some(named) => name == named,
        None => runs(path),
    };
    let wanted: Vec<&(String, PathBuf)> = all.iter().filter(is_wanted).collect();
    if let ([], None, [path]) = (wanted.as_slice(), key, &executables(built)[..]) {
        return Ok(path.clone());
    }
    match (wanted.as_slice(), key) {
        ([(_, path)], _) if runs(path) => Ok(path.clone()),
        ([(name, _)], _) => Err(refuse(format!("output `{name}` is not executable"), built, &all)),
        ([], Some(key)) => {
            let refusal = refuse(format!("no output `{key}`"), built, &all);
            Err(match nearest(key, all.iter().map(|(name, _)| name.as_str())) {
                Some(name) => refusal.help(format!("did you mean `{name}`?")),
                None => refusal,
            })
        }
        ([], None) => Err(refuse("no executable output".to_owned(), built, &all)),
        (several, _) => {
            let names: Vec<_> = several.iter().map(|(name, _)| format!("`{name}`")).collect();
            let message = format!("more than one executable output: {}", names.join(", "));
            let refusal = refuse(message, built, &all);
            Err(refusal.help("select one with `TARGET#KEY`, or name one module"))
        }
    }
}

fn refuse(message: String, built: &[BuiltModule], all: &[(String, PathBuf)]) -> Diagnostic {
    let labels: Vec<_> = built.iter().map(|built| built.label.as_str()).collect();
    let names: Vec<_> = all.iter().map(|(name, _)| format!("`{name}`")).collect();
    let outputs = if names.is_empty() { "no files".to_owned() } else { names.join(", ") };
    Diagnostic::error(Class::Usage, message).note(format!("{} yields {outputs}", labels.join(", ")))
}

/// Returns every executable file of the results, including those inside output directories.
fn executables(built: &[BuiltModule]) -> Vec<PathBuf> {
    let of = |built: &BuiltModule| {
        let base = session::place(built).to_owned();
        built.executables.iter().map(move |path| base.join(path.as_str())).collect::<Vec<_>>()
    };
    built.iter().flat_map(of).collect()
}

/// Returns the path outputs, by key.
fn files(built: &BuiltModule) -> Vec<(String, PathBuf)> {
    let Value::Object(outputs) = &built.outputs else { return Vec::new() };
    let base = session::place(built);
    outputs
        .iter()
        .filter_map(|(key, value)| {
            let path = value.as_str().or_else(|| value.get("path")?.as_str())?;
            Some((key.clone(), base.join(path.strip_prefix("./")?)))
        })
        .collect()
}

fn runs(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;
    use std::fs;

    fn built(dir: &Path, executable: &[&str], outputs: Value) -> BuiltModule {
        for name in ["a", "b", "bin"] {
            fs::write(dir.join(name), "#!/bin/sh\n").unwrap();
            let mode = if executable.contains(&name) { 0o555 } else { 0o444 };
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        BuiltModule {
            label: "//x:y".into(),
            link: None,
            tree: dir.to_owned(),
            digest: wake_model::TreeDigest(wake_model::Digest::from_bytes([0; 32])),
            outputs,
            executables: executable.iter().filter_map(|name| name.parse().ok()).collect(),
        }
    }

    fn chosen(executable: &[&str], outputs: Value, key: Option<&str>) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        match program(&[built(dir.path(), executable, outputs)], key) {
            Ok(path) => Ok(path.file_name().unwrap().to_str().unwrap().to_owned()),
            Err(refusal) => Err(refusal.message),
        }
    }

    #[test]
    fn bin_precedes_the_only_executable_and_the_name() {
        let all =
            json!({ "x": "./a", "y": { "type": "file", "path": "./b" }, "bin": "./bin", "n": 3 });
        assert_eq!(chosen(&["a", "b", "bin"], all.clone(), None), Ok("bin".into()));
        assert_eq!(chosen(&["a", "b", "bin"], all, Some("y")), Ok("b".into()));
        let two = json!({ "x": "./a", "y": "./b" });
        assert_eq!(chosen(&["b"], two.clone(), None), Ok("b".into()));
        assert_eq!(
            chosen(&["a", "b"], two.clone(), None),
            Err("more than one executable output: `x`, `y`".into())
        );
        assert_eq!(chosen(&["a"], json!({ "dir": "./" }), None), Ok("a".into()));
        assert_eq!(chosen(&[], two.clone(), None), Err("no executable output".into()));
        assert_eq!(chosen(&[], two.clone(), Some("x")), Err("output `x` is not executable".into()));
        assert_eq!(chosen(&[], two, Some("z")), Err("no output `z`".into()));
    }

    #[test]
    fn missing_and_non_executable_programs_have_different_exit_codes() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(execute(&dir.path().join("none"), &[]).1, NOT_FOUND);
        assert_eq!(execute(dir.path(), &[]).1, NOT_EXECUTABLE);
    }
}
