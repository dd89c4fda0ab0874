//! `--profile FILE`: a trace of a build's timing, for viewers.
//!
//! Described in `spec/profile.md`. The format is Chrome's Trace Event Format, in its JSON Object form,
//! which Perfetto also reads.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wake_steps::diagnostic::{Class, Diagnostic, Level};
use wake_steps::profile::{Load, Recording, Span, Track};

/// The file that a profile will be written to.
#[derive(Debug)]
pub(crate) struct ProfileFile {
    /// Its path, with links resolved.
    path: PathBuf,
}

impl ProfileFile {
    /// Checks that `path` can be written, before anything is built.
    pub(crate) fn prepare(path: &Path) -> Result<ProfileFile, Diagnostic> {
        let refused = |message: String| {
            Diagnostic::error(Class::Usage, message)
                .help("choose another file for `--profile`; nothing was built")
        };
        let shown = path.display();
        let path = match std::fs::canonicalize(path) {
            Ok(path) if path.is_file() => path,
            // A device or directory must not be replaced by a file.
            Ok(_) => return Err(refused(format!("`{shown}` is not a regular file"))),
            Err(_) => path.to_owned(),
        };
        let file = ProfileFile { path };
        let tried = file.beside().and_then(|beside| {
            File::create(&beside)?;
            std::fs::remove_file(beside)
        });
        tried.map_err(|source| refused(format!("cannot write `{shown}`: {source}")))?;
        Ok(file)
    }

    /// Writes the whole trace atomically; returns a warning if that fails.
    pub(crate) fn write(&self, recorded: &Recording) -> Option<Diagnostic> {
        let written = self.beside().and_then(|beside| {
            let made =
                write_to(recorded, &beside).and_then(|()| std::fs::rename(&beside, &self.path));
            if made.is_err() {
                // A partial file is useless.
                let _ = std::fs::remove_file(&beside);
            }
            made
        });
        let source = written.err()?;
        let message = format!("cannot write `{}`: {source}", self.path.display());
        let mut diagnostic = Diagnostic::error(Class::Environment, message);
        diagnostic.level = Level::Warning;
        Some(diagnostic)
    }

    /// Returns a unique temporary path in the same directory.
    fn beside(&self) -> io::Result<PathBuf> {
        let name = self.path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        let name = format!(".{}.{}", name.to_string_lossy(), std::process::id());
        Ok(self.path.with_file_name(name))
    }
}

fn write_to(recorded: &Recording, path: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    write(recorded, &mut out)?;
    out.flush()
}

fn write(recorded: &Recording, out: &mut impl Write) -> io::Result<()> {
    let Recording { tracks, spans, loads } = recorded;
    write!(out, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    put(&told("process_name", 0, json!({ "name": "wake" })), out)?;
    for (number, (name, rank)) in tracks.iter().map(track).enumerate() {
        let name = told("thread_name", number, json!({ "name": name }));
        let order = told("thread_sort_index", number, json!({ "sort_index": rank }));
        for event in [name, order] {
            out.write_all(b",")?;
            put(&event, out)?;
        }
    }
    for event in spans.iter().map(span_event).chain(loads.iter().map(load_event)) {
        out.write_all(b",")?;
        put(&event, out)?;
    }
    out.write_all(b"\n]}\n")
}

/// Writes one event per line, so that line-based tools can read the trace.
fn put(event: &Value, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"\n")?;
    Ok(serde_json::to_writer(out, event)?)
}

const PROCESS: u32 = 1;

/// Makes a metadata event about a track.
fn told(name: &str, track: usize, args: Value) -> Value {
    json!({ "name": name, "ph": "M", "pid": PROCESS, "tid": track + 1, "args": args })
}

/// Returns the name and rank of a track: the main thread, then planning threads, evaluators, and threads
/// that perform steps.
fn track(track: &Track) -> (String, usize) {
    match track {
        Track::Thread(name) if name == "main" => (name.clone(), 0),
        Track::Thread(name) if name.starts_with("step-") => (name.clone(), 3),
        Track::Thread(name) => (name.clone(), 1),
        Track::Evaluator(process) => (format!("evaluator {process}"), 2),
    }
}

/// Makes the event of a span, in microseconds.
fn span_event(span: &Span) -> Value {
    let Span { track, kind, name, from_ns, took_ns, notes } = span;
    let mut event = json!({
        "name": name,
        "ph": "X",
        "cat": kind.as_ref(),
        "ts": micros(*from_ns),
        "dur": micros(*took_ns),
        "pid": PROCESS,
        "tid": track + 1,
    });
    for (name, value) in notes {
        event["args"][name] = value.clone();
    }
    event
}

fn load_event(load: &Load) -> Value {
    let Load { at_ns, ready, in_hand } = load;
    let args = json!({ "in hand": in_hand, "ready": ready });
    json!({ "name": "steps", "ph": "C", "ts": micros(*at_ns), "pid": PROCESS, "tid": 0, "args": args })
}

fn micros(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wake_steps::profile::SpanKind;

    fn some() -> Recording {
        let span = |track, name: &str, from_ns, took_ns, notes| Span {
            track,
            kind: SpanKind::Hashing,
            name: name.into(),
            from_ns,
            took_ns,
            notes,
        };
        Recording {
            tracks: vec![Track::Thread("main".into()), Track::Evaluator(77)],
            spans: vec![
                span(0, "hash \"a\"\n", 1_500, 2_000, vec![("bytes", json!(12))]),
                span(1, "evaluate //", 0, 1, vec![]),
            ],
            loads: vec![Load { at_ns: 4_000, ready: 3, in_hand: 2 }],
        }
    }

    #[test]
    fn every_event_has_the_form_that_viewers_expect() {
        let mut text = Vec::new();
        write(&some(), &mut text).unwrap();
        let trace: Value = serde_json::from_slice(&text).unwrap();
        let expected = json!({
            "displayTimeUnit": "ms",
            "traceEvents": [
                { "name": "process_name", "ph": "M", "pid": 1, "tid": 1, "args": { "name": "wake" } },
                { "name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": { "name": "main" } },
                { "name": "thread_sort_index", "ph": "M", "pid": 1, "tid": 1, "args": { "sort_index": 0 } },
                { "name": "thread_name", "ph": "M", "pid": 1, "tid": 2, "args": { "name": "evaluator 77" } },
                { "name": "thread_sort_index", "ph": "M", "pid": 1, "tid": 2, "args": { "sort_index": 2 } },
                { "name": "hash \"a\"\n", "ph": "X", "cat": "hashing", "ts": 1.5, "dur": 2.0, "pid": 1, "tid": 1,
                  "args": { "bytes": 12 } },
                { "name": "evaluate //", "ph": "X", "cat": "hashing", "ts": 0.0, "dur": 0.001, "pid": 1, "tid": 2 },
                { "name": "steps", "ph": "C", "ts": 4.0, "pid": 1, "tid": 0, "args": { "in hand": 2, "ready": 3 } },
            ],
        });
        assert_eq!(trace, expected);
    }

    #[test]
    fn the_file_is_written_atomically() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.json");
        let file = ProfileFile::prepare(&path).unwrap();
        assert!(
            std::fs::read_dir(dir.path()).unwrap().next().is_none(),
            "a temporary file is left over"
        );
        std::fs::write(&path, "older").unwrap();
        assert!(file.write(&some()).is_none());
        let _: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("trace.json", &link).unwrap();
        assert!(ProfileFile::prepare(&link).unwrap().write(&Recording::default()).is_none());
        assert!(link.is_symlink() && std::fs::read_dir(dir.path()).unwrap().count() == 2);
    }

    #[test]
    fn an_unwritable_path_is_reported_in_advance() {
        let dir = tempfile::tempdir().unwrap();
        let says = |path: &Path| ProfileFile::prepare(path).unwrap_err().message;
        let shown = dir.path().display();
        assert_eq!(says(dir.path()), format!("`{shown}` is not a regular file"));
        assert_eq!(says(Path::new("/dev/null")), "`/dev/null` is not a regular file");
        let nowhere = dir.path().join("a/b.json");
        let says = says(&nowhere);
        assert!(says.starts_with(&format!("cannot write `{shown}/a/b.json`: ")), "{says}");
    }

    #[test]
    fn an_error_at_the_end_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let file = ProfileFile::prepare(&dir.path().join("trace.json")).unwrap();
        std::fs::remove_dir(dir.path()).unwrap();
        assert_eq!(file.write(&some()).unwrap().level, Level::Warning);
    }
}
