//! The step that compares the result of a recipe's test.

use serde_json::Value;
use wake_asset::{SeekEntry, SeekType};
use wake_model::RelPath;
use wake_steps::diagnostic::Diagnostic;
use wake_steps::step::Root;
use wake_steps::{Input, Inputs, Step};

use super::Builds;
use super::lower::{path, step};
use crate::error::of_document;
use crate::plan::{ASSET, RootOf, WORK};
use crate::recipe::{Expectation, ExpectedOutput};

/// The script that compares results. Its arguments come in fours: the method, the name, the actual value or its path, the expected
/// value. It prints TAP to standard output, and mismatches to standard error.
const CHECK: &str = r##"
status=0
number=0
echo "1..$(($# / 4))"
while [ $# -gt 0 ]; do
  number=$((number + 1))
  problem=
  case $1 in
    md5)
      if [ -f "$3" ]; then
        came=$(md5sum < "$3")
        came=${came%% *}
        [ "$came" = "$4" ] || problem="checksum mismatch for '$2' ($4 != $came)"
      else
        problem="seek key '$2': there is no file '${3#asset/}'"
      fi ;;
    value) [ "$3" = "$4" ] || problem="value mismatch for '$2' ($4 != $3)" ;;
    command) /bin/sh -c "$3" < /dev/null >&2 || problem="command ended with exit code $?: $3" ;;
  esac
  if [ -z "$problem" ]; then
    echo "ok $number - $2"
  else
    status=1
    echo "not ok $number - $2"
    echo "# $problem"
    echo "$problem" >&2
  fi
  shift 4
done
exit $status
"##;

impl Builds<'_> {
    /// Makes the step that compares a build's output with the recipe's expectations.
    pub(super) fn check_step(&self, number: usize) -> Result<Step, Diagnostic> {
        let (build, facts) = (self.build(number), self.facts(number)?);
        let test = build.recipe.test.clone().unwrap_or_default();
        let entries = self.seek_entries(number)?;
        let mut args = Vec::new();
        for output in &test.outputs {
            args.extend(comparison(output, &entries)?);
        }
        let mut values = build.seek_values(&facts.properties, &facts.found, &facts.tag);
        values.insert("output_dir".to_owned(), format!("{WORK}/{ASSET}").into());
        for command in &test.commands {
            let command = command.render(&values).map_err(|error| of_document(&error))?;
            args.extend(["command".to_owned(), command.clone(), command, String::new()]);
        }
        let mut inputs = Inputs::default();
        let content = self.built_inputs(number)?;
        if content.is_empty() {
            let _ = inputs.place(path(ASSET), Input::Dir);
        }
        for (at, input) in content {
            // The paths of one asset are distinct.
            let _ = inputs.place(path(ASSET).join(&at), input);
        }
        let here = RootOf { root: Root::Host, env: Default::default() };
        let root = if test.commands.is_empty() { &here } else { &build.root };
        Ok(step(CHECK, args, root, inputs, Vec::new()))
    }
}

/// Returns the four arguments of a comparison.
fn comparison(output: &ExpectedOutput, entries: &[SeekEntry]) -> Result<[String; 4], Diagnostic> {
    let wrong = |message: String| of_document(&output.error(message));
    let key = output.key.to_string();
    let Some(entry) = entries.iter().find(|entry| entry.key == output.key) else {
        let known = entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>();
        let near = wake_model::nearest::nearest(&key, known.iter().copied());
        let told =
            wrong(format!("seek key `{key}` cannot be tested: its class does not declare it"));
        return Err(match near {
            Some(near) => told.help(format!("did you mean `{near}`?")),
            None => told.help(format!("it has `{}`", known.join("`, `"))),
        });
    };
    match &output.expectation {
        Expectation::Md5(sum) => {
            if !matches!(entry.kind, SeekType::File) {
                let message = format!(
                    "seek key `{key}` has type `{}`, but only a file has an MD5 digest",
                    entry.kind
                );
                return Err(wrong(message));
            }
            let place = path(ASSET).join(&RelPath::parse(&entry.value).unwrap_or_default());
            Ok(["md5".to_owned(), key, place.to_string(), sum.clone()])
        }
        Expectation::Value(expected) => {
            let came =
                entry.kind.value_of(&entry.value).unwrap_or_else(|_| entry.value.as_str().into());
            let (came, expected) = match same(&came, expected) {
                true => (shown(expected), shown(expected)),
                false => (shown(&came), shown(expected)),
            };
            Ok(["value".to_owned(), key, came, expected])
        }
    }
}

/// Whether two values are equal; `4` equals `4.0`, and a string equals a value that is displayed the same.
fn same(came: &Value, expected: &Value) -> bool {
    match (came, expected) {
        (Value::Number(came), Value::Number(expected)) => came.as_f64() == expected.as_f64(),
        (Value::String(came), expected) => *came == shown(expected),
        (came, expected) => came == expected,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
