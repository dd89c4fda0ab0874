//! `wake codespec`: Tyger codespecs in the local store.

use std::io::Write;

use wake_codespec::flags::{Flags, Words};
use wake_codespec::name::CodespecReference;
use wake_codespec::show::Shown;
use wake_job::codespecs::{CodespecPage, Codespecs, StoredCodespec};
use wake_job::moment::rfc3339;
use wake_steps::diagnostic::{Class, Diagnostic, Level};

use crate::args::{CodespecCommand, CreateCodespecArgs};
use crate::codespecs::{self, failure};
use crate::command::codespec_package;
use crate::exit::Outcome;
use crate::print;
use crate::report::diagnostic::tell;
use crate::session;
use crate::settings::Settings;

/// The default maximum number of codespecs to list.
const USUAL_LIMIT: usize = 1000;

/// Runs a `wake codespec` subcommand.
pub(crate) fn run(command: &CodespecCommand, settings: &Settings, out: &mut impl Write) -> Outcome {
    match command {
        CodespecCommand::Create(args) => create(args, settings, out),
        CodespecCommand::Show { name, version, bare_version } => {
            let version = version.or(*bare_version);
            let mut reference: CodespecReference = name
                .parse()
                .map_err(|error| Diagnostic::error(Class::Usage, format!("{error}")))?;
            reference.version = version.or(reference.version);
            let store = session::store(settings)?;
            let found = Codespecs::new(&store).get(&reference).map_err(failure)?;
            print::json(&shown(&found, &found.id.to_string()), out)
        }
        CodespecCommand::Package { codespec, package, dir, license } => {
            codespec_package::package(codespec, package, dir, license.as_deref(), settings, out)
        }
        CodespecCommand::Pull { package, file, name } => {
            codespec_package::pull(package, file.as_deref(), name.clone(), settings, out)
        }
        CodespecCommand::List { prefix, limit } => {
            let store = session::store(settings)?;
            let most = limit.unwrap_or(USUAL_LIMIT);
            let page = Codespecs::new(&store).list(prefix, most).map_err(failure)?;
            let CodespecPage { codespecs, has_more } = page;
            if has_more && limit.is_none() {
                let message = format!("only the first {USUAL_LIMIT} codespecs are listed");
                let warning = Diagnostic::error(Class::Usage, message).help(
                    "use `--limit COUNT` to list more, or `--prefix STRING` to filter by name",
                );
                tell(&Diagnostic { level: Level::Warning, ..warning }, settings.manner);
            }
            let ids: Vec<String> = codespecs.iter().map(|one| one.id.to_string()).collect();
            let all: Vec<_> = codespecs.iter().zip(&ids).map(|(one, id)| shown(one, id)).collect();
            print::json(&all, out)
        }
    }
}

fn shown<'a>(found: &'a StoredCodespec, id: &'a str) -> Shown<'a> {
    Shown {
        codespec: &found.codespec,
        name: Some(&found.name),
        version: Some(found.version),
        created_at: found.created_at.as_deref(),
        id: Some(id),
    }
}

fn create(args: &CreateCodespecArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let document = args.file.as_ref().map(|file| codespecs::read(file, settings)).transpose()?;
    let named = codespecs::named(document.as_ref(), &flags(args)?, settings)?;
    let store = session::store(settings)?;
    let now = rfc3339(wake_steps::clock::unix_ms());
    let version = Codespecs::new(&store).create(&named, &now).map_err(failure)?;
    print::line(version, out)
}

fn flags(args: &CreateCodespecArgs) -> Result<Flags, Diagnostic> {
    if let [_, more @ ..] = args.names.as_slice()
        && !more.is_empty()
    {
        let message = format!("unexpected positional args `{}`", more.join(" "));
        return Err(Diagnostic::error(Class::Usage, message).help(
            "container arguments must be preceded by `--` and placed at the end of the command line",
        ));
    }
    Ok(Flags {
        name: args.names.first().cloned(),
        kind: args.kind.map(Into::into),
        image: args.image.clone(),
        inputs: args.inputs.clone(),
        outputs: args.outputs.clone(),
        env: args.env.iter().flat_map(|text| pairs(text)).collect(),
        endpoints: args.endpoints.clone(),
        identity: args.identity.clone(),
        working_dir: args.workdir.clone(),
        max_replicas: args.max_replicas,
        gpu: args.gpu.clone(),
        shm: args.shm.clone(),
        cpu_request: args.cpu_request.clone(),
        memory_request: args.memory_request.clone(),
        cpu_limit: args.cpu_limit.clone(),
        memory_limit: args.memory_limit.clone(),
        words: args.words.clone(),
        words_are: if args.command { Words::Command } else { Words::Args },
    })
}

/// Splits a text into pairs: `A=1,B=2` is two, but `A=1,2` is one.
fn pairs(text: &str) -> Vec<String> {
    let parts: Vec<String> = text.split(',').map(str::to_owned).collect();
    match parts.iter().all(|part| part.contains('=')) {
        true => parts,
        false => vec![text.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn a_comma_separates_only_key_value_pairs() {
        assert_eq!(pairs("A=1,B=2"), ["A=1", "B=2"]);
        assert_eq!(pairs("A=1,2"), ["A=1,2"]);
        assert_eq!(pairs("A=x=y"), ["A=x=y"]);
        assert_eq!(pairs("A"), ["A"]);
    }
}
