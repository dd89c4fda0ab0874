//! Properties of a codespec on the command line, which override its file.

use crate::codespec::Kind;
use crate::draft::Draft;
use crate::said::Said;
use crate::scalar::amount;

/// Properties given on the command line; absent ones leave the file's values.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The name.
    pub name: Option<String>,
    /// `--kind`.
    pub kind: Option<Kind>,
    /// `--image`.
    pub image: Option<String>,
    /// `--input`: all inputs.
    pub inputs: Vec<String>,
    /// `--output`: all outputs.
    pub outputs: Vec<String>,
    /// `--env KEY=VALUE`: all variables.
    pub env: Vec<String>,
    /// `--endpoint NAME=PORT`: all endpoints.
    pub endpoints: Vec<String>,
    /// `--identity`.
    pub identity: Option<String>,
    /// `--workdir`.
    pub working_dir: Option<String>,
    /// `--max-replicas`.
    pub max_replicas: Option<u32>,
    /// `--gpu`.
    pub gpu: Option<String>,
    /// `--shm`.
    pub shm: Option<String>,
    /// `--cpu-request`.
    pub cpu_request: Option<String>,
    /// `--memory-request`.
    pub memory_request: Option<String>,
    /// `--cpu-limit`.
    pub cpu_limit: Option<String>,
    /// `--memory-limit`.
    pub memory_limit: Option<String>,
    /// The words after `--`.
    pub words: Vec<String>,
    /// Whether they replace the command or its arguments.
    pub words_are: Words,
}

/// What the words after `--` replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Words {
    /// The arguments.
    #[default]
    Args,
    /// The command.
    Command,
}

/// A flag with an invalid value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{flag}`: {problem}")]
pub struct FlagError {
    /// The flag.
    pub flag: &'static str,
    /// The problem.
    pub problem: String,
}

impl Flags {
    /// Overrides the properties of a draft.
    pub(crate) fn apply(&self, draft: &mut Draft) -> Result<(), FlagError> {
        let text = |flag, value: &Option<String>, said: &mut Option<Said<String>>| {
            if let Some(value) = value {
                *said = Some(Said::by(flag, value.clone())).filter(|_| !value.is_empty());
            }
        };
        text("NAME", &self.name, &mut draft.name);
        text("--kind", &self.kind.map(|kind| kind.as_str().to_owned()), &mut draft.kind);
        text("--image", &self.image, &mut draft.image);
        text("--identity", &self.identity, &mut draft.identity);
        text("--workdir", &self.working_dir, &mut draft.working_dir);
        if let Some(many) = self.max_replicas {
            draft.max_replicas = Some(Said::by("--max-replicas", many.into()));
        }
        let texts = |flag, values: &[String], said: &mut Vec<Said<String>>| {
            if !values.is_empty() {
                *said = values.iter().map(|value| Said::by(flag, value.clone())).collect();
            }
        };
        texts("--input", &self.inputs, &mut draft.inputs);
        texts("--output", &self.outputs, &mut draft.outputs);
        match self.words_are {
            Words::Args => texts("--", &self.words, &mut draft.args),
            Words::Command => texts("--", &self.words, &mut draft.command),
        }
        self.apply_pairs(draft)?;
        self.apply_amounts(draft)
    }

    fn apply_pairs(&self, draft: &mut Draft) -> Result<(), FlagError> {
        if !self.env.is_empty() {
            let mut all: Vec<(Said<String>, Said<String>)> = Vec::new();
            for (name, value) in pairs("--env", &self.env)? {
                // The last value wins, at the position of the first.
                let value = Said::by("--env", value.to_owned());
                match all.iter_mut().find(|(known, _)| known.value == name) {
                    Some((_, known)) => *known = value,
                    None => all.push((Said::by("--env", name.to_owned()), value)),
                }
            }
            draft.env = all;
        }
        if !self.endpoints.is_empty() {
            let mut all = Vec::new();
            for (name, port) in pairs("--endpoint", &self.endpoints)? {
                let number = port.parse::<u64>().map_err(|_| FlagError {
                    flag: "--endpoint",
                    problem: format!("`{port}` is not a port: expected a number from 1 to 65535"),
                })?;
                all.push((Said::by("--endpoint", name.to_owned()), Said::by("--endpoint", number)));
            }
            draft.endpoints = all;
        }
        Ok(())
    }

    fn apply_amounts(&self, draft: &mut Draft) -> Result<(), FlagError> {
        let said = &mut draft.resources;
        for (flag, text, place) in [
            ("--gpu", &self.gpu, &mut said.gpu),
            ("--shm", &self.shm, &mut said.shm),
            ("--cpu-request", &self.cpu_request, &mut said.cpu_request),
            ("--memory-request", &self.memory_request, &mut said.memory_request),
            ("--cpu-limit", &self.cpu_limit, &mut said.cpu_limit),
            ("--memory-limit", &self.memory_limit, &mut said.memory_limit),
        ] {
            let Some(text) = text else { continue };
            let amount = amount(text).map_err(|problem| FlagError { flag, problem })?;
            *place = Some(Said::by(flag, amount));
        }
        Ok(())
    }
}

fn pairs<'t>(
    flag: &'static str,
    texts: &'t [String],
) -> Result<Vec<(&'t str, &'t str)>, FlagError> {
    let pair = |text: &'t String| {
        text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| FlagError {
            flag,
            problem: format!("`{text}` is not a pair: expected `NAME=VALUE`"),
        })
    };
    texts.iter().map(pair).collect()
}
