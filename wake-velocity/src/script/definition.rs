//! Definitions, for Apptainer and Singularity.

use wake_yaml::DocumentError;

use crate::catalog::Generation;
use crate::template::{Env, Line, Run, Source, Template};

/// Returns the lines of a definition. The second generation does not indent.
pub(super) fn lines(
    template: &Template,
    generation: Generation,
) -> Result<Vec<String>, DocumentError> {
    let indent = match generation {
        Generation::First => "    ",
        Generation::Second => "",
    };
    let mut lines = from(template, generation)?;
    let mut section = |head: Option<&str>, content: Vec<String>| {
        if !content.is_empty() {
            lines.push(String::new());
            lines.extend(head.map(str::to_owned));
            let indent = if head.is_some() { indent } else { "" };
            lines.extend(content.into_iter().map(|line| format!("{indent}{line}")));
        }
    };
    section(None, template.pre.iter().map(literal).collect());
    section(Some("%files"), template.copy.iter().map(|copy| text(&copy.line)).collect());
    section(Some("%post"), template.run.iter().map(command).collect());
    section(Some("%environment"), template.env.iter().map(export).collect());
    let labels = template.label.iter();
    let labels = labels.map(|label| format!("{} {}", text(&label.name), text(&label.value)));
    section(Some("%labels"), labels.collect());
    section(Some("%runscript"), template.entry.iter().map(text).collect());
    section(None, template.post.iter().map(literal).collect());
    if generation == Generation::First {
        lines.push(String::new());
    }
    Ok(lines)
}

fn text(line: &Line) -> String {
    line.with(|name| format!("{{{{ {name} }}}}"))
}

/// A verbatim line; a leading `|` preserves the white space after it.
pub(super) fn literal(line: &Line) -> String {
    text(line).trim_start_matches('|').to_owned()
}

fn command(run: &Run) -> String {
    match run {
        Run::Command(line) => text(line),
        Run::Export(env) => export(env),
    }
}

fn export(env: &Env) -> String {
    format!("export {}=\"{}\"", text(&env.name), text(&env.value))
}

fn from(template: &Template, generation: Generation) -> Result<Vec<String>, DocumentError> {
    let written = text(&template.from.line);
    let Some((source, name)) = &template.from.source else {
        let error = super::error(
            &template.from.line.at,
            format!("source `{written}` has a form that Apptainer does not support"),
            &written,
        );
        return Err(error.with_hint(match generation {
            Generation::First => "write `REGISTRY/NAME:TAG` or a path that ends in `.sif`",
            Generation::Second => "write `NAME:TAG`, `docker://…`, `oras://…`, `localimage://…` or a path that ends in `.sif`",
        }));
    };
    let bootstrap = match source {
        Source::Local => "localimage",
        Source::Docker => "docker",
        Source::Oras => "oras",
    };
    Ok(vec![format!("Bootstrap: {bootstrap}"), format!("From: {}", text(name))])
}
