//! Turns a draft into a validated codespec.

use std::collections::{BTreeMap, BTreeSet};

use wake_model::nearest::nearest;
use wake_yaml::{DocumentError, Warning};

use crate::codespec::{Amounts, Codespec, Kind, Resources, Role, Socket};
use crate::draft::{Draft, DraftSocket};
use crate::expand::references;
use crate::name::BufferName;
use crate::said::{Ground, Origin, Said};

/// The context in which a draft is checked.
pub(crate) struct Settling<'a> {
    pub(crate) ground: &'a Ground,
    /// The prefix of its properties in messages: `job.codespec.`, or nothing.
    pub(crate) path: &'a str,
    /// The kind that its position requires.
    pub(crate) expected: Option<Kind>,
    pub(crate) warnings: &'a mut Vec<Warning>,
}

impl Settling<'_> {
    /// Returns the codespec of a draft.
    pub(crate) fn codespec(&mut self, draft: &Draft) -> Result<Codespec, DocumentError> {
        let kind = self.kind(draft)?;
        let Some(image) = &draft.image else {
            let message = match self.path.strip_suffix('.') {
                Some(path) => format!("`{path}` is missing required properties including: `image`"),
                None => "the codespec is missing required properties including: `image`".to_owned(),
            };
            let error = self.ground.error(Origin::Nowhere, message);
            return Err(error.with_hint("name a container image: `image: HOST/REPOSITORY:TAG`"));
        };
        let role = match kind {
            Kind::Job => self.job(draft)?,
            Kind::Worker => self.worker(draft)?,
        };
        let texts = |all: &[Said<String>]| all.iter().map(|text| text.value.clone()).collect();
        let env = draft.env.iter().map(|(name, value)| (name.value.clone(), value.value.clone()));
        for (name, _) in &draft.env {
            if name.value.is_empty() || name.value.contains(['=', '\0']) {
                let message =
                    format!("`{}` is not a valid name for an environment variable", name.value);
                return Err(self.ground.error(name.at, message));
            }
        }
        let values =
            draft.command.iter().chain(&draft.args).chain(draft.env.iter().map(|(_, value)| value));
        for text in values.chain(&draft.working_dir) {
            if text.value.contains('\0') {
                let message =
                    "a string passed to a program contains a NUL character, which would end it";
                return Err(self.ground.error(text.at, message));
            }
        }
        let codespec = Codespec {
            image: image.value.clone(),
            command: texts(&draft.command),
            args: texts(&draft.args),
            working_dir: draft.working_dir.as_ref().map(|dir| dir.value.clone()),
            env: env.collect(),
            identity: draft.identity.as_ref().map(|identity| identity.value.clone()),
            resources: resources(draft),
            max_replicas: self.max_replicas(draft)?,
            role,
        };
        self.references(draft, &codespec)?;
        Ok(codespec)
    }

    fn kind(&self, draft: &Draft) -> Result<Kind, DocumentError> {
        let written = match &draft.kind {
            None => None,
            Some(kind) => {
                let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind.value);
                Some((known.ok_or_else(|| self.no_kind(kind))?, kind.at))
            }
        };
        match (written, self.expected) {
            (Some((kind, at)), Some(expected)) if kind != expected => {
                let is = expected.as_str();
                let message =
                    format!("the codespec for the {is} is required to be a {is} codespec");
                Err(self.ground.error(at, message))
            }
            (Some((kind, _)), _) => Ok(kind),
            (None, expected) => Ok(expected.unwrap_or(Kind::Job)),
        }
    }

    fn no_kind(&self, kind: &Said<String>) -> DocumentError {
        let message =
            format!("`{}kind` is `{}`: it can be either `job` or `worker`", self.path, kind.value);
        let error = self.ground.error(kind.at, message);
        match nearest(&kind.value, Kind::ALL.map(Kind::as_str)) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        }
    }

    fn job(&self, draft: &Draft) -> Result<Role, DocumentError> {
        if let Some((name, _)) = draft.endpoints.first() {
            let error = self.ground.error(name.at, "job codespecs cannot have endpoints");
            return Err(
                error.with_hint("remove `endpoints`, or make it a worker codespec: `kind: worker`")
            );
        }
        let mut names = BTreeSet::new();
        let inputs = self.buffers(&draft.inputs, &mut names)?;
        let outputs = self.buffers(&draft.outputs, &mut names)?;
        let sockets = self.sockets(&draft.sockets, &inputs, &outputs)?;
        Ok(Role::Job { inputs, outputs, sockets })
    }

    fn worker(&self, draft: &Draft) -> Result<Role, DocumentError> {
        if let Some(name) = draft.inputs.iter().chain(&draft.outputs).next() {
            let error = self.ground.error(name.at, "worker codespecs cannot have buffers");
            return Err(error.with_hint("add them to the job that the worker serves"));
        }
        if let Some(socket) = draft.sockets.first() {
            let error = self.ground.error(socket.at, "worker codespecs cannot have sockets");
            return Err(error.with_hint("declare the ports it listens on as `endpoints`"));
        }
        let mut endpoints = BTreeMap::new();
        for (name, port) in &draft.endpoints {
            if name.value.is_empty() {
                return Err(self.ground.error(name.at, "an endpoint name cannot be empty"));
            }
            let twin =
                endpoints.keys().find(|other: &&String| other.eq_ignore_ascii_case(&name.value));
            if let Some(twin) = twin {
                let message = format!(
                    "the endpoints `{twin}` and `{}` would share an environment variable",
                    name.value
                );
                return Err(self.ground.error(name.at, message).with_hint("rename one of them"));
            }
            endpoints.insert(name.value.clone(), self.port(port)?);
        }
        Ok(Role::Worker { endpoints })
    }

    fn buffers(
        &self,
        drafts: &[Said<String>],
        names: &mut BTreeSet<BufferName>,
    ) -> Result<Vec<BufferName>, DocumentError> {
        let mut all = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let name = draft.value.parse::<BufferName>();
            let name = name.map_err(|error| self.ground.error(draft.at, error.to_string()))?;
            if !names.insert(name.clone()) {
                let message = format!(
                    "all buffer names must be unique across inputs and outputs: `{name}` is used twice"
                );
                return Err(self.ground.error(draft.at, message).with_hint("rename one of them"));
            }
            all.push(name);
        }
        Ok(all)
    }

    fn sockets(
        &self,
        drafts: &[Said<DraftSocket>],
        inputs: &[BufferName],
        outputs: &[BufferName],
    ) -> Result<Vec<Socket>, DocumentError> {
        let mut all: Vec<Socket> = Vec::with_capacity(drafts.len());
        for Said { value: draft, at } in drafts {
            let port = self.port(&draft.port)?;
            if all.iter().any(|other| other.port == port) {
                let message = format!("two sockets use port {port}");
                return Err(self.ground.error(draft.port.at, message));
            }
            let input = self.socket_buffer(draft.input.as_ref(), inputs, "inputs", &all)?;
            let output = self.socket_buffer(draft.output.as_ref(), outputs, "outputs", &all)?;
            if input.is_none() && output.is_none() {
                let message = "a socket must have at least one of `inputBuffer` and `outputBuffer`";
                return Err(self.ground.error(*at, message));
            }
            all.push(Socket { port, input, output });
        }
        Ok(all)
    }

    /// Returns the buffer of `among` that a socket names, which no other socket may use.
    fn socket_buffer(
        &self,
        name: Option<&Said<String>>,
        among: &[BufferName],
        list: &str,
        others: &[Socket],
    ) -> Result<Option<BufferName>, DocumentError> {
        let Some(name) = name else { return Ok(None) };
        let Some(buffer) = among.iter().find(|one| one.as_str().eq_ignore_ascii_case(&name.value))
        else {
            let message = format!("`{}` is not in `buffers.{list}`", name.value);
            let error = self.ground.error(name.at, message);
            return Err(match nearest(&name.value, among.iter().map(BufferName::as_str)) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => {
                    error.with_hint(format!("declare it: `buffers: {{{list}: [{}]}}`", name.value))
                }
            });
        };
        let has =
            |socket: &Socket| [&socket.input, &socket.output].contains(&&Some(buffer.clone()));
        if others.iter().any(has) {
            let message = format!("the buffer `{buffer}` is used by more than one socket");
            return Err(self.ground.error(name.at, message));
        }
        Ok(Some(buffer.clone()))
    }

    fn port(&self, port: &Said<u64>) -> Result<u16, DocumentError> {
        let number = u16::try_from(port.value).ok().filter(|&number| number > 0);
        number.ok_or_else(|| {
            let message =
                format!("{} is not a port: expected a number from 1 to 65535", port.value);
            self.ground.error(port.at, message)
        })
    }

    fn max_replicas(&self, draft: &Draft) -> Result<Option<u32>, DocumentError> {
        let Some(number) = &draft.max_replicas else { return Ok(None) };
        let fits = u32::try_from(number.value).ok().filter(|&many| (1..1 << 31).contains(&many));
        fits.map(Some).ok_or_else(|| {
            let message = format!(
                "`{}maxReplicas` is {}: expected a number from 1 to 2147483647",
                self.path, number.value
            );
            self.ground.error(number.at, message)
        })
    }

    /// Checks the references in all texts that are expanded: those to buffers of sockets are errors, those to unknown variables cause warnings.
    fn references(&mut self, draft: &Draft, codespec: &Codespec) -> Result<(), DocumentError> {
        let pipes: BTreeSet<String> = codespec.piped().map(BufferName::variable).collect();
        let all = codespec.inputs().iter().chain(codespec.outputs());
        let socketed: BTreeSet<String> =
            all.map(BufferName::variable).filter(|name| !pipes.contains(name)).collect();
        let mut known: BTreeSet<&str> = pipes.iter().map(String::as_str).collect();
        for (name, value) in &draft.env {
            self.text(value, &known, &socketed, Some(draft))?;
            if pipes.contains(&name.value) {
                let message =
                    format!("`{}` is the path of a pipe: this value is ignored", name.value);
                let warning = self.ground.error(name.at, message);
                self.warnings.push(warning.with_hint("rename the variable or the buffer"));
            }
            known.insert(&name.value);
        }
        for text in draft.command.iter().chain(&draft.args) {
            self.text(text, &known, &socketed, None)?;
        }
        Ok(())
    }

    /// Checks the references in one text; `later` has variables that may be declared after it.
    fn text(
        &mut self,
        text: &Said<String>,
        known: &BTreeSet<&str>,
        socketed: &BTreeSet<String>,
        later: Option<&Draft>,
    ) -> Result<(), DocumentError> {
        for name in references(&text.value) {
            if socketed.contains(name) {
                let message = format!(
                    "the buffer reference `$({name})` is not valid because it is used by a socket"
                );
                let error = self.ground.error(text.at, message);
                return Err(error.with_hint(format!("write `$$({name})` for the literal text")));
            }
            // The variables of a run are not known in advance.
            if known.contains(name) || name.starts_with("TYGER_") || !is_variable(name) {
                continue;
            }
            let comes_later =
                later.is_some_and(|draft| draft.env.iter().any(|(other, _)| other.value == name));
            let (message, hint) = match comes_later {
                true => (
                    format!("`$({name})` is not expanded: `{name}` is not declared before it"),
                    Some(format!("declare `{name}` first")),
                ),
                false => (
                    format!("`$({name})` is not expanded: there is no variable `{name}`"),
                    nearest(name, known.iter().copied())
                        .map(|near| format!("did you mean `$({near})`?"))
                        .or_else(|| Some(format!("write `$$({name})` if that is intended"))),
                ),
            };
            let warning = self.ground.error(text.at, message);
            self.warnings.push(match hint {
                Some(hint) => warning.with_hint(hint),
                None => warning,
            });
        }
        Ok(())
    }
}

/// Whether a text looks like the name of a variable: `$(…)` in shell scripts usually holds something else.
fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.chars().all(fits) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn resources(draft: &Draft) -> Resources {
    let said = &draft.resources;
    let value = |amount: &Option<Said<crate::quantity::Quantity>>| {
        amount.as_ref().map(|amount| amount.value)
    };
    Resources {
        requests: Amounts { cpu: value(&said.cpu_request), memory: value(&said.memory_request) },
        limits: Amounts { cpu: value(&said.cpu_limit), memory: value(&said.memory_limit) },
        gpu: value(&said.gpu),
        shm: value(&said.shm),
    }
}
