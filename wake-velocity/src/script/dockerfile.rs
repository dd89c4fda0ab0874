//! Dockerfiles, for Docker, Podman, Buildah and OpenShift.

use wake_yaml::DocumentError;

use crate::catalog::Generation;
use crate::template::{Label, Line, Run, Source, Template};

/// Returns the lines of a Dockerfile. `@pre` and `@post` are omitted in the first generation.
pub(super) fn lines(
    template: &Template,
    generation: Generation,
) -> Result<Vec<String>, DocumentError> {
    let mut lines = vec![format!("FROM {}", from(template))];
    let mut section = |content: Vec<String>| {
        if !content.is_empty() {
            lines.push(String::new());
            lines.extend(content);
        }
    };
    let literal = |line: &Line| text(line).trim_start_matches('|').to_owned();
    let arguments = template.arguments.iter();
    section(arguments.map(|argument| format!("ARG {}", argument.name)).collect());
    if generation == Generation::Second {
        section(template.pre.iter().map(literal).collect());
    }
    section(template.copy.iter().map(|copy| format!("COPY {}", text(&copy.line))).collect());
    section(run(&template.run));
    let env = template.env.iter();
    let env = env.map(|env| format!("{}=\"{}\"", text(&env.name), text(&env.value))).collect();
    section(joined("ENV", env));
    let labels = template.label.iter().map(label).collect::<Result<Vec<String>, _>>()?;
    section(joined("LABEL", labels));
    section(template.entry.iter().map(entry).collect());
    match generation {
        Generation::First => lines.push(String::new()),
        Generation::Second => section(template.post.iter().map(literal).collect()),
    }
    Ok(lines)
}

fn text(line: &Line) -> String {
    line.with(|name| format!("${name}"))
}

/// Removes a `docker://` prefix, which is implied.
fn from(template: &Template) -> String {
    match &template.from.source {
        Some((Source::Docker, name)) => text(name),
        _ => text(&template.from.line),
    }
}

/// One instruction with several parts, one per line.
fn joined(instruction: &str, parts: Vec<String>) -> Vec<String> {
    let last = parts.len().saturating_sub(1);
    let line = |(number, part): (usize, String)| {
        let begin = if number == 0 { format!("{instruction} ") } else { "    ".to_owned() };
        let end = if number == last { "" } else { " \\" };
        format!("{begin}{part}{end}")
    };
    parts.into_iter().enumerate().map(line).collect()
}

/// Joins all commands into one instruction, so that they make up one layer; a failing command ends it.
fn run(commands: &[Run]) -> Vec<String> {
    let last = commands.len().saturating_sub(1);
    let line = |(number, command): (usize, &Run)| {
        let (command, goes_on) = match command {
            Run::Command(line) => (text(line), line.goes_on()),
            Run::Export(env) => {
                (format!("export {}=\"{}\"", text(&env.name), text(&env.value)), false)
            }
        };
        let begin = if number == 0 { "RUN " } else { "    " };
        let end = if number == last || goes_on { "" } else { " && \\" };
        format!("{begin}{command}{end}")
    };
    commands.iter().enumerate().map(line).collect()
}

fn label(label: &Label) -> Result<String, DocumentError> {
    let (name, value) = (text(&label.name), text(&label.value));
    if label.value.words().len() != 1 {
        let message = format!("label `{name}` must have a value of exactly one word");
        return Err(super::error(&label.at, message, &format!("{name} {value}")));
    }
    Ok(format!("{name}=\"{value}\""))
}

/// The words as JSON; any other form would be passed to a shell.
fn entry(line: &Line) -> String {
    let words = line.words();
    let words = words.iter().map(|word| serde_json::Value::from(text(word)).to_string());
    format!("ENTRYPOINT [{}]", words.collect::<Vec<_>>().join(", "))
}
