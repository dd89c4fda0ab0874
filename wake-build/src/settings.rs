//! `wake.toml`: where and how fast to build, never what.

use std::path::{Path, PathBuf};

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use wake_steps::MOST_JOBS;
use wake_steps::diagnostic::{Class, Diagnostic, Place};
use wake_store::ConfinedPath;

/// Bytes of a file that nobody writes by hand.
const LARGEST: u64 = 1 << 20;

/// The settings of a workspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Globs of member directories; none: every package below the root.
    pub members: Option<Vec<String>>,
    /// How many commands run at once.
    pub jobs: Option<usize>,
    /// Where the store is, relative to the file.
    pub store: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    #[serde(default)]
    workspace: WorkspaceTable,
    #[serde(default)]
    build: BuildTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkspaceTable {
    members: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildTable {
    jobs: Option<Jobs>,
    store: Option<PathBuf>,
}

/// A number of commands at once that the flag would take, too.
struct Jobs(u16);

impl<'de> Deserialize<'de> for Jobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Jobs, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let jobs = u16::try_from(number).ok().filter(|jobs| (1..=MOST_JOBS).contains(jobs));
        let wrong = || format!("`jobs` is {number}; it may be 1 to {MOST_JOBS}");
        jobs.map(Jobs).ok_or_else(|| D::Error::custom(wrong()))
    }
}

impl Settings {
    /// Reads the file at `path`.
    pub(crate) fn read(file: &ConfinedPath) -> Result<Settings, Diagnostic> {
        let path = &file.path();
        let fault = |source: std::io::Error| {
            // A refusal says itself where.
            let at = source
                .get_ref()
                .map_or_else(|| format!("`{}`: ", path.display()), |_| String::new());
            Diagnostic::error(Class::Environment, format!("{at}{source}"))
        };
        let text = file.read(LARGEST).map_err(fault)?;
        let text = String::from_utf8(text).map_err(|_| {
            Diagnostic::error(Class::Usage, format!("`{}` is not valid UTF-8", path.display()))
        })?;
        let SettingsFile { workspace, build } =
            toml::from_str(&text).map_err(|error| located(path, &text, &error))?;
        let beside = |store: PathBuf| path.parent().unwrap_or(Path::new("/")).join(store);
        Ok(Settings {
            members: workspace.members,
            jobs: build.jobs.map(|Jobs(jobs)| jobs.into()),
            store: build.store.map(beside),
        })
    }
}

fn located(path: &Path, text: &str, error: &toml::de::Error) -> Diagnostic {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
    let place = error.span().map(|span| place(file, text, span));
    Diagnostic::error(Class::Usage, message).at(place)
}

fn place(file: String, text: &str, span: std::ops::Range<usize>) -> Place {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let source_line = text[line_start..].lines().next().unwrap_or("").to_owned();
    let column = before[line_start..].chars().count() + 1;
    let width =
        text.get(span).map_or(1, |found| found.lines().next().unwrap_or("").chars().count());
    Place {
        file,
        line: before.matches('\n').count() + 1,
        column,
        end_column: column + width.max(1),
        source_line,
        label: None,
    }
}
