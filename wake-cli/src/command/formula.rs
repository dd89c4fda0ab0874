//! `wake formula`: layer 1 documents of the Timeless Stack.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use wake_formula::{
    Dialect, Document, FormulaEnd, FormulaRecord, FormulaResult, Formulas, Grants, NetworkGrant,
};
use wake_steps::event::{Event, Reporter};
use wake_steps::profile::Profile;
use wake_steps::{Results, SchedulePolicy, Steps as _};
use wake_store::ware::Meter;

use crate::args::{FormulaCommand, FormulaFormat};
use crate::command::ware::refusal;
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::outside::Outside;
use crate::report::diagnostic;
use crate::report::relay::Relay;
use crate::report::transfer::Transfer;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::{formulas, session};

/// The published exit code for an invalid document.
const JOB_INVALID: u8 = 40;
/// The published exit code for a command that failed.
const JOB_UNSUCCESSFUL: u8 = 32;

/// Runs a `wake formula` subcommand.
pub(crate) fn run(
    command: &FormulaCommand,
    settings: &Settings,
    out: &mut (impl Write + Send),
    say: &mut (impl Write + Send),
) -> Outcome {
    let file = match command {
        FormulaCommand::Run { files, rerun, allow_network, allow_host, format } => {
            let rules =
                SchedulePolicy { keep_going: true, rebuild: *rerun, ..SchedulePolicy::default() };
            let network = match allow_network {
                true => NetworkGrant::Always,
                false => NetworkGrant::Never,
            };
            let grants = Grants { network, host: *allow_host };
            return carry_out(files, rules, grants, *format, settings, out, say);
        }
        FormulaCommand::Id(args) | FormulaCommand::Check(args) | FormulaCommand::Fmt(args) => {
            &args.file
        }
    };
    let document = read(file, settings)?;
    match command {
        FormulaCommand::Check(_) => {
            if settings.manner.verbosity > Verbosity::Quiet {
                let text = format!("{} is {}", file.display(), document.id());
                writeln!(say, "{}", settings.manner.style.verb(Role::Good, "Checked", text))?;
            }
        }
        FormulaCommand::Fmt(_) => out.write_all(document.format().as_bytes())?,
        FormulaCommand::Id(_) | FormulaCommand::Run { .. } => writeln!(out, "{}", document.id())?,
    }
    Ok(Exit::SUCCESS)
}

fn read(file: &Path, settings: &Settings) -> Result<Document, Stop> {
    formulas::read(file, settings)?.map_err(|wrong| Stop::Refusal(wrong, JOB_INVALID))
}

fn carry_out(
    files: &[PathBuf],
    rules: SchedulePolicy,
    grants: Grants,
    format: FormulaFormat,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let machine = session::machine(settings, Profile::default())?;
    let mut formulas = Formulas::new(machine.store(), grants);
    for file in files {
        let document = match read(file, settings) {
            Err(Stop::Refusal(wrong, exit)) if format == FormulaFormat::Json => {
                let error = json!({"category": "repeatr-job-invalid", "message": wrong.message});
                writeln!(out, "{}", json!({"result": {"runRecord": null, "error": error}}))?;
                return Err(Stop::Refusal(wrong, exit));
            }
            document => document?,
        };
        if let Err(error) = formulas::add(&mut formulas, &document, file, settings) {
            let (label, id) = (file.display().to_string(), document.id());
            let end = FormulaEnd { label, id, dialect: document.dialect(), result: Err(error) };
            return told(end, files.len() > 1, format, settings, out, say);
        }
    }
    let cancel = session::cancel()?;
    let mut teller = Teller {
        formulas: &formulas,
        format,
        settings,
        out: &mut *out,
        say: &mut *say,
        relays: files.iter().map(|_| Relay::default()).collect(),
        meter: Arc::clone(cancel.meter()),
        transfer: None,
    };
    let results = Results::new(formulas.order().len());
    let outside = Outside { machine: &machine, settings, rules, tells_host: true, cancel: &cancel };
    outside.perform(&formulas, &results, &mut teller);
    let mut exit = Exit::SUCCESS;
    for end in formulas.into_results() {
        let told = told(end, files.len() > 1, format, settings, out, say)?;
        if exit.0 == 0 {
            exit = told;
        }
    }
    Ok(exit)
}

/// Reports events as they happen.
struct Teller<'a, O: Write, S: Write> {
    formulas: &'a Formulas<'a>,
    format: FormulaFormat,
    settings: &'a Settings,
    out: &'a mut O,
    say: &'a mut S,
    /// The output of each command.
    relays: Vec<Relay>,
    meter: Arc<Meter>,
    /// Shown between reported events.
    transfer: Option<Transfer>,
}

impl<O: Write, S: Write> Reporter for Teller<'_, O, S> {
    fn event(&mut self, event: &Event) {
        // A closed stream is not an error here; the record reports the end.
        let _ = self.tell(event);
    }
}

impl<O: Write, S: Write> Teller<'_, O, S> {
    fn tell(&mut self, event: &Event) -> std::io::Result<()> {
        match event {
            Event::WareAltered { ware, .. } => {
                self.note(&format!("{ware} was modified in the store"))
            }
            Event::WareUnpacking { ware, .. } => {
                self.note(&format!("unpacking {ware}"))?;
                self.transfer = Some(Transfer::show(self.settings, "Unpacking", &self.meter));
                Ok(())
            }
            Event::ActionStarted { id, .. } => {
                let words = self.formulas.command(wake_steps::StepId(*id)).join(" ");
                self.note(&format!("running `{words}`"))
            }
            Event::ActionOutput { id, stream, bytes } => {
                self.transfer = None;
                // Files and pipes get the raw bytes.
                if self.format == FormulaFormat::Text
                    && !self.settings.terminal
                    && self.relays.len() == 1
                {
                    self.say.write_all(bytes)?;
                    return self.say.flush();
                }
                match self.relays[*id].push(*stream, bytes) {
                    Some(text) => self.pass_on(*id, &text),
                    None => Ok(()),
                }
            }
            Event::ActionFinished(finished) => {
                self.transfer = None;
                let rest = self.relays[finished.id].finish();
                rest.map_or(Ok(()), |text| self.pass_on(finished.id, &text))
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, text: &str) -> std::io::Result<()> {
        self.transfer = None;
        let manner = self.settings.manner;
        match self.format {
            FormulaFormat::Json => self.line(
                &json!({"log": {"t": wake_steps::clock::unix_ms() / 1000, "lvl": INFO, "msg": text, "detail": []}}),
            ),
            FormulaFormat::Text if manner.verbosity == Verbosity::Quiet => Ok(()),
            FormulaFormat::Text => {
                let line = manner.style.verb(Role::Good, "Formula", escape::line(text));
                writeln!(self.say, "{line}")
            }
        }
    }

    /// Passes on lines of a command's output, as an event or escaped for a terminal.
    fn pass_on(&mut self, id: usize, text: &str) -> std::io::Result<()> {
        let name = match self.relays.len() {
            1 => None,
            _ => Some(wake_steps::Steps::label(self.formulas, wake_steps::StepId(id))),
        };
        if self.format == FormulaFormat::Json {
            let mut event = json!({"txt": {"t": wake_steps::clock::unix_ms() / 1000, "msg": text}});
            if let Some(name) = name {
                event["formula"] = name.into();
            }
            return self.line(&event);
        }
        let lead = name.map_or_else(String::new, |name| format!("{}: ", escape::line(name)));
        for line in text.lines() {
            writeln!(self.say, "{lead}{}", escape::line(line))?;
        }
        self.say.flush()
    }

    /// Writes a line and flushes it, whatever standard output is.
    fn line(&mut self, event: &Value) -> std::io::Result<()> {
        writeln!(self.out, "{event}")?;
        self.out.flush()
    }
}

/// Reports the result of a formula: the record on standard output and everything else on standard error, or all as events.
fn told(
    end: FormulaEnd,
    is_one_of_several: bool,
    format: FormulaFormat,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    if format == FormulaFormat::Json {
        return told_as_events(&end, is_one_of_several, out);
    }
    let FormulaEnd { dialect, result, .. } = end;
    let FormulaResult { record, remembered, .. } = match result {
        Ok(ran) => ran,
        Err(error) => {
            let (category, exit) = error.category();
            let mut refusal = refusal(&error, category, exit);
            refusal.help.extend(error.help());
            let (detail, style) = (settings.manner.detail, settings.manner.style);
            say.write_all(diagnostic::render(&refusal, detail, style).as_bytes())?;
            return Ok(Exit(exit));
        }
    };
    let style = settings.manner.style;
    if remembered && settings.manner.verbosity > Verbosity::Quiet {
        let text = format!("run {}; `--rerun` runs it again", record.guid);
        writeln!(say, "{}", style.verb(Role::Good, "Cached", text))?;
    }
    writeln!(out, "{}", record.to_json(dialect))?;
    if record.exit_code == 0 {
        return Ok(Exit::SUCCESS);
    }
    let text = format!("the formula's command exited with code {}", record.exit_code);
    writeln!(say, "{}", style.verb(Role::Bad, "Failed", text))?;
    Ok(Exit(JOB_UNSUCCESSFUL))
}

/// Writes repeatr's event lines, the last with the result. With several formulas, each line names its own.
fn told_as_events(end: &FormulaEnd, is_one_of_several: bool, out: &mut impl Write) -> Outcome {
    let FormulaEnd { label, id, dialect, result } = end;
    let (record, error, exit) = match result {
        Ok(FormulaResult { record, .. }) => (
            shown(record, *dialect),
            None,
            if record.exit_code == 0 { 0 } else { JOB_UNSUCCESSFUL },
        ),
        Err(error) => {
            let (category, exit) = error.category();
            let time = wake_steps::clock::unix_ms() / 1000;
            let record = FormulaRecord::unfinished(id, i64::try_from(time).unwrap_or(i64::MAX));
            let told = json!({"category": category, "message": error.to_string()});
            (shown(&record, *dialect), Some(told), exit)
        }
    };
    let mut event = json!({"result": {"runRecord": record, "error": error}});
    if is_one_of_several {
        event["formula"] = label.as_str().into();
    }
    writeln!(out, "{event}")?;
    Ok(Exit(exit))
}

fn shown(record: &FormulaRecord, dialect: Dialect) -> Value {
    serde_json::from_str(&record.to_json(dialect)).unwrap_or_default()
}

/// The published level of informational events.
const INFO: u8 = 2;
