//! The steps of a build.

use std::collections::BTreeMap;

use wake_exec::{BUILDER_GID, BUILDER_UID, HOSTNAME, WORK_PATH};
use wake_model::action::{Command, Invocation, Rights, User};
use wake_model::{Network, OutputDecl, OutputKind, Outputs, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::Terms;
use wake_steps::{Input, Inputs, Step};

use super::Builds;
use super::content::LINKS;
use super::facts::VALUE;
use crate::error::of_document;
use crate::plan::{ASSET, ASSETS, Build, Origin, RootOf, WORK};

/// The script that runs the commands, each in its own shell. Then it replaces links to input assets by a list, and makes links
/// inside the asset relative.
const DRIVER: &str = r#"
number=0
for command; do
  number=$((number + 1))
  /bin/sh -c "$command" < /dev/null || {
    code=$?
    echo "command $number of $# ended with exit code $code: $command" >&2
    exit $code
  }
done
if [ -L asset ] || ! [ -d asset ]; then
  echo "the commands left no directory at /work/asset, the output folder" >&2
  exit 1
fi
: > links
follow() {
  for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    if [ -L "$entry" ]; then
      to=$(readlink "$entry")
      case $to in
        /work/assets/*)
          printf '%s\n%s\n' "${entry#asset/}" "${to#/work/assets/}" >> links
          rm "$entry" ;;
        /work/files/*)
          rm "$entry"
          cp -R "$to" "$entry" ;;
        /work/asset/*)
          rm "$entry"
          ln -s "$2${to#/work/asset/}" "$entry" ;;
      esac
    elif [ -d "$entry" ]; then
      follow "$entry" "../$2"
    fi
  done
}
follow asset ''
"#;

/// The script that records a custom property.
const PROPERTY: &str = r#"/bin/sh -c "$1" < /dev/null > value"#;

impl Builds<'_> {
    /// Makes the step that records a custom property; it has no inputs.
    pub(super) fn property_step(&self, number: usize, property: usize) -> Step {
        let build = self.build(number);
        let command = build.recipe.custom_properties[property].command.clone();
        let value = vec![output(VALUE, OutputKind::Any)];
        step(PROPERTY, vec![command], &build.root, Inputs::default(), value)
    }

    /// Makes the step that runs the commands of a recipe. The steps it needs are done.
    pub(super) fn command_step(&self, number: usize) -> Result<Step, Diagnostic> {
        let (build, facts) = (self.build(number), self.facts(number)?);
        let values = self.values(number, &facts);
        let render = |command: &crate::template::Template| {
            command.render(&values).map_err(|error| of_document(&error))
        };
        let commands = build.recipe.commands.iter().map(render).collect::<Result<Vec<_>, _>>()?;
        let outputs = vec![output(ASSET, OutputKind::Dir), output(LINKS, OutputKind::Any)];
        let inputs = self.inputs(build)?;
        let mut step = step(DRIVER, commands, &build.root, inputs, outputs);
        step.own_dirs = vec![path(ASSET)];
        step.terms.left_behind = Some(self.left_behind(build));
        Ok(step)
    }

    fn inputs(&self, build: &Build) -> Result<Inputs, Diagnostic> {
        let mut inputs = Inputs::default();
        let mut put = |at: RelPath, input: Input| {
            inputs.place(at, input).map_err(|error| {
                Diagnostic::error(Class::Evaluation, format!("{}: {error}", build.label()))
            })
        };
        for file in &build.files {
            put(path(&file.place()), Input::File(file.file.source.clone()))?;
        }
        for given in &build.assets {
            let base = path(ASSETS).join(&path(given.name.as_str()));
            let content: BTreeMap<RelPath, Input> = match &given.origin {
                Origin::Registered { inputs, .. } => inputs.clone(),
                Origin::Built(parent) => self.built_inputs(*parent)?,
            };
            if content.is_empty() {
                put(base.clone(), Input::Dir)?;
            }
            for (at, input) in content {
                put(base.join(&at), input)?;
            }
        }
        Ok(inputs)
    }
}

/// Makes a step that runs a shell script with arguments. The shell reads the script from standard input, so that a displayed
/// command shows only the arguments.
pub(super) fn step(
    script: &str,
    args: Vec<String>,
    root: &RootOf,
    inputs: Inputs,
    outputs: Vec<OutputDecl>,
) -> Step {
    let words = ["-s", "--"].map(str::to_owned);
    Step {
        command: Command::Run(Invocation {
            program: "/bin/sh".to_owned(),
            args: words.into_iter().chain(args).collect(),
            env: root.env.clone(),
            stdin: script.to_owned(),
            cwd: WORK.to_owned(),
        }),
        root: root.root.clone(),
        work: path(WORK_PATH),
        inputs,
        own_dirs: Vec::new(),
        outputs: Outputs::Tree(outputs),
        user: User {
            uid: BUILDER_UID,
            gid: BUILDER_GID,
            hostname: HOSTNAME.to_owned(),
            rights: Rights::Ordinary,
        },
        network: Network::None,
        terms: Terms::default(),
    }
}

pub(super) fn output(at: &str, kind: OutputKind) -> OutputDecl {
    OutputDecl { path: path(at), kind }
}

/// Parses a path that is known to be valid.
pub(super) fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap_or_default()
}
