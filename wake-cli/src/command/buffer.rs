//! `wake buffer`: write-once streams in the local store.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;

use serde_json::{Value, json};
use wake_buffer::{
    Buffer, BufferError, Buffers, Change, Flush, State, Unwritten, Wanted, WriteOptions, pattern,
};
use wake_job::moment::rfc3339;
use wake_model::{BufferId, Tags};
use wake_steps::clock::unix_ms;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_failure;

use crate::args::{BufferCommand, ChoiceArgs, SeveralArgs};
use crate::exit::{Exit, Outcome, Stop};
use crate::print;
use crate::session;
use crate::settings::Settings;

/// Runs a `wake buffer` subcommand.
pub(crate) fn run(command: &BufferCommand, settings: &Settings, out: &mut impl Write) -> Outcome {
    if let BufferCommand::Gen { size } = command {
        // The pattern contains nothing that would control a terminal.
        pattern::generate(*size, &mut output_stream()?)?;
        return Ok(Exit::SUCCESS);
    }
    let store = session::store(settings)?;
    let buffers = Buffers::new(&store);
    let now = unix_ms();
    match command {
        BufferCommand::Gen { .. } => {}
        BufferCommand::Create { tags, ttl } => {
            let id = buffers.create(&self::tags(tags)?, *ttl, now).map_err(failure)?;
            return print::line(id, out);
        }
        BufferCommand::Write { id, input, block_size, flush_interval } => {
            let flush = Flush { after: *flush_interval, clock: wake_steps::clock::now };
            let flush = (!flush_interval.is_zero()).then_some(flush);
            let options = WriteOptions { block: *block_size, flush, durable: true };
            write(&buffers, id, input.as_deref(), options, settings)?;
        }
        BufferCommand::Read { id, output, no_wait } => {
            let unwritten = if *no_wait { Unwritten::Refuse } else { Unwritten::Wait };
            read(&buffers, id, output.as_deref(), unwritten, settings)?;
        }
        BufferCommand::Show { id } => {
            let buffer = buffers.get(id).map_err(failure)?;
            return print::json(&shown(&buffer, now), out);
        }
        BufferCommand::List { choice, soft_deleted, limit } => {
            let wanted = wanted(choice, *soft_deleted)?;
            let all = buffers.list(&wanted, now).map_err(failure)?;
            let most = limit.unwrap_or(usize::MAX);
            let all: Vec<Value> = all.iter().take(most).map(|buffer| shown(buffer, now)).collect();
            return print::json(&all, out);
        }
        BufferCommand::Tag { id, tags, without, clear_tags, ttl } => {
            let change = Change {
                clear_tags: *clear_tags,
                without: without.clone(),
                tags: tags.clone(),
                lifetime: ttl.map(Some),
            };
            buffers.change(id, &change, now).map_err(failure)?;
        }
        BufferCommand::Delete(args) => {
            each(&buffers, args, false, out, |id| buffers.delete(id, now))?;
        }
        BufferCommand::Restore(args) => {
            each(&buffers, args, true, out, |id| buffers.restore(id, now))?;
        }
        BufferCommand::Purge(args) => each(&buffers, args, true, out, |id| buffers.purge(id))?,
        BufferCommand::Export { id, dir } => {
            buffers.export(id, &settings.cwd.join(dir), now).map_err(failure)?;
        }
        BufferCommand::Import { dir, tags, ttl } => {
            let id = buffers.create(&self::tags(tags)?, *ttl, now).map_err(failure)?;
            let imported = buffers.import(&id, &settings.cwd.join(dir), now);
            if imported.is_err() {
                // Its id has not been printed yet.
                let _ = buffers.purge(&id);
            }
            imported.map_err(failure)?;
            return print::line(id, out);
        }
    }
    Ok(Exit::SUCCESS)
}

fn write(
    buffers: &Buffers<'_>,
    id: &BufferId,
    input: Option<&Path>,
    options: WriteOptions,
    settings: &Settings,
) -> Result<(), Diagnostic> {
    let now = unix_ms();
    match input {
        Some(file) => {
            let mut source = File::open(settings.cwd.join(file)).map_err(|source| {
                let message = format!("cannot read `{}`: {source}", file.display());
                Diagnostic::error(Class::Usage, message)
            })?;
            // Reading a file never has to wait for data.
            let is_file = source.metadata().is_ok_and(|meta| meta.is_file());
            let flush = options.flush.filter(|_| !is_file);
            buffers.write(id, &mut source, WriteOptions { flush, ..options }, now)
        }
        None => buffers.write(id, &mut Input::take().map_err(no_input)?, options, now),
    }
    .map(drop)
    .map_err(failure)
}

/// Standard input without the standard library's read-ahead buffer.
struct Input(File);

impl Input {
    fn take() -> io::Result<Input> {
        Ok(Input(io::stdin().as_fd().try_clone_to_owned()?.into()))
    }
}

impl io::Read for Input {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn no_input(error: io::Error) -> Diagnostic {
    Diagnostic::error(Class::Environment, format!("cannot read standard input: {error}"))
}

fn read(
    buffers: &Buffers<'_>,
    id: &BufferId,
    output: Option<&Path>,
    unwritten: Unwritten,
    settings: &Settings,
) -> Result<(), Stop> {
    let now = unix_ms();
    let read = match output {
        Some(file) => {
            let mut sink = File::create(settings.cwd.join(file)).map_err(|source| {
                let message = format!("cannot write `{}`: {source}", file.display());
                Diagnostic::error(Class::Environment, message)
            })?;
            buffers.read(id, unwritten, &mut sink, now, &|| false)
        }
        // Raw bytes even on a terminal, like `cat`.
        None => {
            let mut sink = output_stream().map_err(no_output)?;
            buffers.read(id, unwritten, &mut sink, now, &|| false)
        }
    };
    match read {
        Ok(_) => Ok(()),
        Err(BufferError::Sink(error)) if output.is_none() => Err(error.into()),
        Err(error) => Err(failure(error).into()),
    }
}

/// Returns standard output without the standard library's buffer.
fn output_stream() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

fn no_output(error: io::Error) -> Diagnostic {
    Diagnostic::error(Class::Environment, format!("cannot write to standard output: {error}"))
}

/// Applies an operation to each selected buffer, and prints its id.
fn each(
    buffers: &Buffers<'_>,
    args: &SeveralArgs,
    deleted: bool,
    out: &mut impl Write,
    act: impl Fn(&BufferId) -> Result<(), BufferError>,
) -> Result<(), Stop> {
    let ids = match args.ids.as_slice() {
        [] => {
            let all = buffers.list(&wanted(&args.choice, deleted)?, unix_ms());
            all.map_err(failure)?.into_iter().map(|buffer| buffer.id).collect()
        }
        ids => ids.to_vec(),
    };
    for id in ids {
        act(&id).map_err(failure)?;
        print::line(&id, out)?;
    }
    Ok(())
}

fn wanted(choice: &ChoiceArgs, deleted: bool) -> Result<Wanted, Diagnostic> {
    Ok(Wanted { tags: tags(&choice.tags)?, without: tags(&choice.without)?, deleted })
}

pub(crate) fn tags(pairs: &[(String, String)]) -> Result<Tags, Diagnostic> {
    let mut tags = Tags::default();
    for (key, value) in pairs {
        tags.set(key, value)
            .map_err(|error| Diagnostic::error(Class::Usage, format!("{error} on a buffer")))?;
    }
    Ok(tags)
}

fn shown(buffer: &Buffer, now: u64) -> Value {
    let mut shown = json!({
        "id": buffer.id.as_str(),
        "createdAt": rfc3339(buffer.created),
        "tags": buffer.tags,
        "isSoftDeleted": buffer.deleted.is_some() || buffer.has_expired(now),
        "state": buffer.state.as_str(),
        "size": buffer.size,
        "blocks": buffer.blocks,
    });
    if let Some(expires) = buffer.expires {
        shown["expiresAt"] = rfc3339(expires).into();
    }
    match &buffer.state {
        State::Complete(content) => shown["contentId"] = content.digest.to_string().into(),
        State::Failed(reason) => shown["reason"] = reason.as_str().into(),
        _ => {}
    }
    shown
}

/// Turns a buffer error into a diagnostic.
pub(crate) fn failure(error: BufferError) -> Diagnostic {
    let class = match &error {
        BufferError::Store(error) => return store_failure(error),
        BufferError::NotFound(_) => Class::Nothing,
        BufferError::Deleted(_)
        | BufferError::Expired(_)
        | BufferError::Written(_)
        | BufferError::BeingWritten(_)
        | BufferError::Unwritten(_)
        | BufferError::Taken(_)
        | BufferError::Tag(_) => Class::Usage,
        BufferError::Failed { .. } | BufferError::BrokenOff { .. } => Class::Action,
        BufferError::Damaged { .. } | BufferError::About { .. } | BufferError::Layout { .. } => {
            Class::Integrity
        }
        BufferError::Cancelled => Class::Interrupted,
        BufferError::Source(_) | BufferError::Sink(_) | BufferError::Io { .. } => {
            Class::Environment
        }
    };
    let help = match &error {
        BufferError::NotFound(_) => Some("run `wake buffer list` to list the buffers".to_owned()),
        BufferError::Deleted(id) | BufferError::Expired(id) => {
            Some(format!("run `wake buffer restore {id}` to restore it"))
        }
        BufferError::Taken(_) => Some("choose a directory that does not exist".to_owned()),
        BufferError::Written(_) => Some("create another one with `wake buffer create`".to_owned()),
        BufferError::BeingWritten(_) => {
            Some("stop the writer, or wait until `wake buffer read` returns".to_owned())
        }
        BufferError::Unwritten(id) => Some(format!("run `wake buffer write {id}`")),
        BufferError::BrokenOff { .. } | BufferError::Failed { .. } => {
            Some("write the data to another buffer".to_owned())
        }
        _ => None,
    };
    let mut diagnostic = Diagnostic::error(class, error.to_string());
    diagnostic.help.extend(help);
    diagnostic
}
