//! `wake formula`: documents of the Timeless Stack's layer 1.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::json;
use wake_build::Cancel;
use wake_build::diagnostic::{Class, Diagnostic, Place};
use wake_formula::{Document, DocumentError, Ran, Run, RunError, RunRecord, Said};
use wake_store::ware::Meter;

use crate::args::{FormulaCommand, FormulaFormat};
use crate::clock;
use crate::command::ware::Fault;
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::report::relay::Relay;
use crate::report::transfer::Transfer;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::{session, signals};

/// What a document that cannot be read ends with, as published.
const JOB_INVALID: u8 = 40;
/// What a command that ran and failed ends with, as published.
const JOB_UNSUCCESSFUL: u8 = 32;

/// Runs, names, checks or formats a formula.
pub(crate) fn run(
    command: &FormulaCommand,
    settings: &Settings,
    out: &mut (impl Write + Send),
    say: &mut (impl Write + Send),
) -> Outcome {
    let file = match command {
        FormulaCommand::Run { file, .. }
        | FormulaCommand::Id { file }
        | FormulaCommand::Check { file }
        | FormulaCommand::Fmt { file } => file,
    };
    let document = match read(file, settings)? {
        Ok(document) => document,
        Err(error) => return malformed(&error, settings, say),
    };
    match command {
        FormulaCommand::Id { .. } => writeln!(out, "{}", document.id())?,
        FormulaCommand::Check { .. } => {
            if settings.manner.verbosity > Verbosity::Quiet {
                let text = format!("{} is {}", file.display(), document.id());
                writeln!(say, "{}", settings.manner.style.verb(Role::Good, "Checked", text))?;
            }
        }
        FormulaCommand::Fmt { .. } => out.write_all(document.format().as_bytes())?,
        FormulaCommand::Run { rerun, allow_network, format, .. } => {
            let asked = Asked { again: *rerun, network: *allow_network, format: *format };
            return carry_out(&document, file, &asked, settings, out, say);
        }
    }
    Ok(Exit::Success)
}

struct Asked {
    again: bool,
    network: bool,
    format: FormulaFormat,
}

fn read(file: &Path, settings: &Settings) -> Result<Result<Document, DocumentError>, Stop> {
    let path = settings.cwd.join(file);
    let text = std::fs::read_to_string(&path).map_err(|source| {
        Diagnostic::error(Class::Usage, format!("`{}` cannot be read: {source}", file.display()))
    })?;
    Ok(Document::parse(&text, &file.display().to_string()))
}

fn malformed(error: &DocumentError, settings: &Settings, say: &mut impl Write) -> Outcome {
    let DocumentError { file, line, column, source_line, message, hint } = error;
    let place = Place {
        file: file.clone(),
        line: *line,
        column: *column,
        end_column: column + 1,
        source_line: source_line.clone(),
        label: None,
    };
    let mut diagnostic = Diagnostic::error(Class::Evaluation, message.clone()).at(Some(place));
    diagnostic.help.extend(hint.clone());
    let manner = settings.manner;
    let text = crate::report::diagnostic::render(&diagnostic, manner.detail, manner.style);
    say.write_all(text.as_bytes())?;
    Ok(Exit::Code(JOB_INVALID))
}

/// Where relative addresses start, as the programs that the documents were written for have it: repeatr where it is
/// called, warpforge where the document lies.
fn base(document: &Document, file: &Path, settings: &Settings) -> PathBuf {
    match document {
        Document::Repeatr(_) => settings.cwd.clone(),
        Document::Warpforge(_) => {
            settings.cwd.join(file).parent().map_or_else(PathBuf::new, Path::to_owned)
        }
    }
}

fn carry_out(
    document: &Document,
    file: &Path,
    asked: &Asked,
    settings: &Settings,
    out: &mut (impl Write + Send),
    say: &mut (impl Write + Send),
) -> Outcome {
    let store = session::store(settings)?;
    let executor = session::executor()?;
    let meter = Arc::new(Meter::default());
    let cancel = cancel(&meter)?;
    let base = base(document, file, settings);
    let run = Run {
        store: &store,
        executor: &executor,
        base: &base,
        network: asked.network,
        again: asked.again,
        cancel: &cancel,
        meter: &meter,
    };
    // All of it is told from the threads that unpack and run.
    let (relay, transfer) = (Relay::default(), None);
    let meter = Arc::clone(&meter);
    let ends = Mutex::new(Ends { out: &mut *out, say: &mut *say, relay, meter, transfer });
    let tell = |said: Said<'_>| {
        let mut ends = ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Where nobody reads there is nobody to tell; the record says so at the end.
        let _ = ends.tell(said, asked.format, settings);
    };
    let result = run.run(document, &tell);
    let mut ends = ends.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    ends.finish(asked.format)?;
    match asked.format {
        FormulaFormat::Json => told_as_events(&result, out),
        FormulaFormat::Text => told(result, settings, out, say),
    }
}

/// Where what happens is told while it happens.
struct Ends<'a, O: Write, S: Write> {
    out: &'a mut O,
    say: &'a mut S,
    relay: Relay,
    meter: Arc<Meter>,
    /// Shown between two things that are told.
    transfer: Option<Transfer>,
}

impl<O: Write, S: Write> Ends<'_, O, S> {
    fn tell(
        &mut self,
        said: Said<'_>,
        format: FormulaFormat,
        settings: &Settings,
    ) -> std::io::Result<()> {
        self.transfer = None;
        self.step(said, format, settings)?;
        match (said, format) {
            (Said::Unpacking(_), _) => {
                self.transfer = Some(Transfer::show(settings, "Unpacking", &self.meter));
                Ok(())
            }
            (Said::Altered(_) | Said::Running(_) | Said::GrantsNothing(_), _) => Ok(()),
            // A file or a pipe gets the bytes as they are.
            (Said::Wrote(_, bytes), FormulaFormat::Text) if !settings.terminal => {
                self.say.write_all(bytes)?;
                self.say.flush()
            }
            (Said::Wrote(stream, bytes), _) => match self.relay.push(stream, bytes) {
                Some(text) => self.pass_on(&text, format),
                None => Ok(()),
            },
        }
    }

    fn step(
        &mut self,
        said: Said<'_>,
        format: FormulaFormat,
        settings: &Settings,
    ) -> std::io::Result<()> {
        let text = match said {
            Said::Altered(ware) => format!("{ware} was altered in the store"),
            Said::Unpacking(ware) => format!("unpacking {ware}"),
            Said::Running(words) => format!("running `{}`", words.join(" ")),
            Said::GrantsNothing(policy) => {
                let text = format!(
                    "policy `{}` is not granted: the command gets the rights of `routine`",
                    policy.as_str()
                );
                return self.warn(&text, format, settings);
            }
            Said::Wrote(..) => return Ok(()),
        };
        match format {
            FormulaFormat::Json => self.event(&log_event(INFO, &text)),
            FormulaFormat::Text if settings.manner.verbosity == Verbosity::Quiet => Ok(()),
            FormulaFormat::Text => {
                let line = settings.manner.style.verb(Role::Good, "Formula", escape::line(&text));
                writeln!(self.say, "{line}")
            }
        }
    }

    fn warn(
        &mut self,
        text: &str,
        format: FormulaFormat,
        settings: &Settings,
    ) -> std::io::Result<()> {
        match format {
            FormulaFormat::Json => self.event(&log_event(WARN, text)),
            FormulaFormat::Text => {
                writeln!(self.say, "{}", settings.manner.style.verb(Role::Caution, "Note", text))
            }
        }
    }

    fn finish(&mut self, format: FormulaFormat) -> std::io::Result<()> {
        self.transfer = None;
        self.relay.finish().map_or(Ok(()), |text| self.pass_on(&text, format))
    }

    /// Lines of the command: as an event, or on a terminal, which they must not steer.
    fn pass_on(&mut self, text: &str, format: FormulaFormat) -> std::io::Result<()> {
        if format == FormulaFormat::Json {
            return self.event(&json!({"txt": {"t": now(), "msg": text}}));
        }
        for line in text.lines() {
            writeln!(self.say, "{}", escape::line(line))?;
        }
        self.say.flush()
    }

    /// A line that is there when it happens, whatever standard output is.
    fn event(&mut self, event: &serde_json::Value) -> std::io::Result<()> {
        writeln!(self.out, "{event}")?;
        self.out.flush()
    }
}

/// Fires at Ctrl-C, which stops the meter as well.
fn cancel(meter: &Arc<Meter>) -> Result<Arc<Cancel>, Diagnostic> {
    let failed = |source| {
        Diagnostic::error(Class::Environment, format!("cannot prepare for Ctrl-C: {source}"))
    };
    let cancel = Cancel::new().map(Arc::new).map_err(failed)?;
    let (stop, meter) = (Arc::clone(&cancel), Arc::clone(meter));
    let listening = signals::listen(move || {
        meter.stop();
        stop.cancel();
    });
    listening.map_err(failed)?;
    Ok(cancel)
}

/// The record alone on standard output, everything else on standard error.
fn told(
    result: Result<Ran, RunError>,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let ran = match result {
        Ok(ran) => ran,
        Err(error) => {
            let (category, exit) = error.category();
            let fault = Fault { message: error.to_string(), category, exit, help: error.help() };
            return fault.tell(settings, say);
        }
    };
    let style = settings.manner.style;
    if ran.remembered && settings.manner.verbosity > Verbosity::Quiet {
        let text = format!("run {}; `--rerun` runs it again", ran.record.guid);
        writeln!(say, "{}", style.verb(Role::Good, "Remembered", text))?;
    }
    writeln!(out, "{}", plain(&ran.record).to_json(ran.dialect))?;
    let code = ran.record.exit_code;
    if code == 0 {
        return Ok(Exit::Success);
    }
    let text = format!("the command of the formula ended with exit code {code}");
    writeln!(say, "{}", style.verb(Role::Bad, "Failed", text))?;
    Ok(Exit::Code(JOB_UNSUCCESSFUL))
}

/// The record without wake's own remarks, which `wake log` shows.
fn plain(record: &RunRecord) -> RunRecord {
    let mut record = record.clone();
    record.metadata.retain(|key, _| !key.starts_with("wake."));
    record
}

/// repeatr's event lines, the last one with the result.
fn told_as_events(result: &Result<Ran, RunError>, out: &mut impl Write) -> Outcome {
    let (record, error, exit) = match result {
        Ok(ran) => {
            let text = plain(&ran.record).to_json(ran.dialect);
            let record: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let exit = if ran.record.exit_code == 0 { 0 } else { JOB_UNSUCCESSFUL };
            (Some(record), None, exit)
        }
        Err(error) => {
            let (category, exit) = error.category();
            (None, Some(json!({"category": category, "message": error.to_string()})), exit)
        }
    };
    writeln!(out, "{}", json!({"result": {"runRecord": record, "error": error}}))?;
    Ok(if exit == 0 { Exit::Success } else { Exit::Code(exit) })
}

/// Levels of events, as published.
const INFO: u8 = 2;
const WARN: u8 = 3;

fn log_event(level: u8, text: &str) -> serde_json::Value {
    json!({"log": {"t": now(), "lvl": level, "msg": text, "detail": []}})
}

fn now() -> u64 {
    clock::unix_ms() / 1000
}
