//! A complete front: documents with lines `FILE: SHELL COMMAND`, where a command sees the files that it names.

use wake_exec::{DEFAULT_ENV, WORK_DIR};
use wake_model::action::{Command, Invocation, User};
use wake_model::{Network, OutputDecl, OutputKind, Outputs, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::reason::Change;
use wake_steps::step::{Root, Terms};
use wake_steps::{Input, Inputs, Step, StepContext, StepId, Steps};

/// A document, with its lines as steps.
pub(crate) struct Script {
    lines: Vec<(String, String)>,
    order: Vec<StepId>,
}

impl Script {
    pub(crate) fn read(text: &str) -> Script {
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        let lines: Vec<_> = lines.map(|(name, command)| (name.into(), command.into())).collect();
        Script { order: (0..lines.len()).map(StepId).collect(), lines }
    }
}

impl Steps for Script {
    fn order(&self) -> &[StepId] {
        &self.order
    }

    fn needs(&self, step: StepId) -> Vec<StepId> {
        let names = |earlier: &StepId| {
            self.lines[step.0].1.split(' ').any(|word| word == self.lines[earlier.0].0)
        };
        self.order[..step.0].iter().copied().filter(names).collect()
    }

    fn label(&self, step: StepId) -> &str {
        &self.lines[step.0].0
    }

    fn is_requested(&self, step: StepId) -> bool {
        step.0 + 1 == self.order.len()
    }

    fn step(&self, step: StepId, _ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>> {
        let (name, command) = &self.lines[step.0];
        let path = |name: &str| -> Result<RelPath, Box<Diagnostic>> {
            let wrong = |error| Diagnostic::error(Class::Usage, format!("`{name}`: {error}"));
            Ok(RelPath::parse(name).map_err(wrong)?)
        };
        let mut inputs = Inputs::default();
        for need in self.needs(step) {
            let below = path(self.label(need))?;
            let _ = inputs.place(below.clone(), Input::Output { step: need, below });
        }
        let args = ["-c".to_owned(), format!("{{ {command}; }} > {name}")];
        let env = DEFAULT_ENV.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Ok(Step {
            command: Command::Run(Invocation {
                program: "/bin/sh".to_owned(),
                args: args.into(),
                env: env.collect(),
                stdin: String::new(),
                cwd: WORK_DIR.to_owned(),
            }),
            root: Root::Host,
            work: path("work")?,
            inputs,
            own_dirs: Vec::new(),
            outputs: Outputs::Tree(vec![OutputDecl { path: path(name)?, kind: OutputKind::Any }]),
            user: User {
                uid: 1000,
                gid: 1000,
                hostname: "script".to_owned(),
                rights: Default::default(),
            },
            network: Network::None,
            terms: Terms::default(),
        })
    }

    fn place_of(&self, step: StepId, change: &Change) -> Option<String> {
        (change.group == "args").then(|| format!("script:{}:1", step.0 + 1))
    }
}
