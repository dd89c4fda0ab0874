//! The image-building tools of this machine: their paths, versions, and whether these are supported.
#![expect(
    clippy::disallowed_methods,
    reason = "which version of a tool is here, the tool itself knows"
)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wake_image_build::Engine;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_velocity::script::Backend;

use crate::environment::Environment;

/// The search path in the sandbox, whichever tool builds.
const USUAL: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// Finds the tool for `backend`; `None` if wake itself builds.
pub(super) fn engine(
    backend: Backend,
    flags: &[String],
    environment: &Environment,
) -> Result<Option<Engine>, Diagnostic> {
    if backend == Backend::Wake {
        return match flags {
            [] => Ok(None),
            [flag, ..] => {
                let message =
                    format!("`{flag}` requires an engine, but wake itself builds the images");
                let error = Diagnostic::error(Class::Usage, message);
                Err(error.help("select the engine with `--engine NAME`"))
            }
        };
    }
    let name = backend.program();
    let path = environment.route.search_path.as_deref().unwrap_or(OsStr::new(USUAL));
    let program = found(name, path).ok_or_else(|| {
        let message = format!("no program `{name}` in `PATH` to build the images with");
        Diagnostic::error(Class::Environment, message)
            .help("omit `--engine` to build the images with wake")
    })?;
    let version = version(&program, backend)?;
    let mut env = environment.engines.clone();
    let dir = program.parent().unwrap_or(Path::new("/"));
    let is_usual = USUAL.split(':').any(|usual| Path::new(usual) == dir);
    if !is_usual {
        env.insert("PATH".to_owned(), format!("{}:{USUAL}", dir.display()));
    }
    if let (Backend::OpenShift, Some(home)) = (backend, &environment.route.home) {
        let config = Path::new(home).join(".kube/config");
        if config.is_file() {
            env.entry("KUBECONFIG".to_owned()).or_insert(config.display().to_string());
        }
    }
    Ok(Some(Engine { backend, version, flags: flags.to_vec(), env }))
}

/// Removes what an interrupted build left behind and could not remove itself.
pub(super) fn clear(engine: &Engine) {
    let Some(script) = engine.clearing() else { return };
    let env = wake_exec::DEFAULT_ENV
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &script]).env_clear().envs(env).envs(&engine.env);
    // If this fails, the next build does it.
    let _ = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn found(name: &str, path: &OsStr) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let is_program = |path: &PathBuf| {
        let meta = path.metadata();
        meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let dirs = std::env::split_paths(path).filter(|dir| dir.is_absolute());
    dirs.map(|dir| dir.join(name)).find(is_program)
}

/// Returns the version that a tool reports, which wake must support.
fn version(program: &Path, backend: Backend) -> Result<String, Diagnostic> {
    let name = backend.program();
    let wrong = |problem: String| {
        let message = format!("cannot determine the version of `{}`: {problem}", program.display());
        Diagnostic::error(Class::Environment, message)
    };
    let asked: &[&str] = match backend {
        Backend::OpenShift => &["version", "--client"],
        _ => &["--version"],
    };
    let output = Command::new(program)
        .args(asked)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| wrong(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers = numbers(&said).ok_or_else(|| {
        let first = said.lines().next().unwrap_or_default().trim();
        wrong(format!("it printed `{first}` ({})", output.status))
    })?;
    let least = least(backend);
    if numbers < least {
        let message = format!("{name} {} is too old", written(&numbers));
        return Err(Diagnostic::error(Class::Environment, message)
            .help(format!("install {} or later", written(&least))));
    }
    Ok(written(&numbers))
}

/// Returns the first version with all required features.
fn least(backend: Backend) -> [u64; 3] {
    match backend {
        Backend::Podman => [4, 0, 0],
        Backend::Buildah => [1, 24, 0],
        Backend::Docker => [20, 10, 0],
        Backend::Apptainer => [1, 0, 0],
        Backend::Singularity => [3, 7, 0],
        Backend::OpenShift => [4, 0, 0],
        Backend::Wake => [0, 0, 0],
    }
}

/// Returns the version in the first word that begins like one, with or without a `v`.
fn numbers(text: &str) -> Option<[u64; 3]> {
    let version = |word: &str| {
        let word = word.trim_start_matches('v');
        let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
        let mut parts = word[..end].split('.').map(str::parse::<u64>);
        let mut next = || parts.next().and_then(Result::ok);
        let (major, minor) = (next()?, next()?);
        Some([major, minor, next().unwrap_or(0)])
    };
    text.split_whitespace().find_map(version)
}

fn written(numbers: &[u64; 3]) -> String {
    numbers.map(|number| number.to_string()).join(".")
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn the_version_of_each_tool_is_parsed() {
        for (said, version) in [
            ("podman version 4.3.1\n", Some([4, 3, 1])),
            (
                "buildah version 1.28.2 (image-spec 1.1.0-rc2, runtime-spec 1.0.2-dev)",
                Some([1, 28, 2]),
            ),
            ("Docker version 24.0.7, build afdd53b", Some([24, 0, 7])),
            ("apptainer version 1.4.5+ds1-2", Some([1, 4, 5])),
            ("Client Version: v4.14.0-202310", Some([4, 14, 0])),
            ("singularity-ce version 3.11", Some([3, 11, 0])),
            ("no version", None),
        ] {
            assert_eq!(numbers(said), version, "{said}");
        }
    }
}
