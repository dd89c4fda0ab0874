//! Finds the line at which another tool stopped: by markers in its script, and by its output.

use wake_velocity::Place;
use wake_velocity::template::{Line, Piece, Run, Template};

use crate::shell::{self, Open};

/// Sets the number of the next `@run` line. Commands do not see it, because it is not exported.
const AT: &str = "wake_line=";

/// Makes the shell report that number on exit, unless it succeeded.
fn trap() -> String {
    let said = shell::stopped_in("$wake_line");
    format!(r#"trap 'wake_status=$?; [ "$wake_status" -eq 0 ] || echo "{said}" >&2' EXIT"#)
}

/// Returns a copy of the template whose script reports the `@run` line in which it stopped. `joined` says whether the
/// tool joins the lines by `&&`, as in a Dockerfile.
pub(crate) fn marked(template: &Template, joined: bool) -> Template {
    let mut run = Vec::new();
    let mut open = Open::default();
    for (number, command) in template.run.iter().enumerate() {
        let line = as_line(command);
        let mut mark = String::new();
        // Nothing can be inserted within a command; a command of several lines is identified by the first.
        if open.is_closed() {
            let lead = if number == 0 { Some(trap()) } else { None };
            let at = format!("{AT}{}", number + 1);
            mark = lead.into_iter().chain([at]).collect::<Vec<_>>().join(separator(joined));
        }
        open.read(&shell::text(command));
        match (mark.is_empty(), joined) {
            (true, _) => run.push(Run::Command(line)),
            (false, true) => run.push(Run::Command(after(&format!("{mark} && "), line))),
            (false, false) => {
                let at = line.at.clone();
                let marks = mark.lines().map(|mark| Piece::Text(mark.to_owned()));
                run.extend(
                    marks.map(|mark| Run::Command(Line { pieces: vec![mark], at: at.clone() })),
                );
                run.push(Run::Command(line));
            }
        }
    }
    Template { run, ..template.clone() }
}

fn separator(joined: bool) -> &'static str {
    if joined { " && " } else { "\n" }
}

/// A line of `@run` as a line of the script.
fn as_line(run: &Run) -> Line {
    match run {
        Run::Command(line) => line.clone(),
        Run::Export(env) => {
            let text = |text: &str| [Piece::Text(text.to_owned())];
            let pieces = text("export ").into_iter().chain(env.name.pieces.clone());
            let pieces = pieces.chain(text("=\"")).chain(env.value.pieces.clone());
            Line { pieces: pieces.chain(text("\"")).collect(), at: env.at.clone() }
        }
    }
}

fn after(lead: &str, line: Line) -> Line {
    let lead = Piece::Text(lead.to_owned());
    Line { pieces: std::iter::once(lead).chain(line.pieces).collect(), ..line }
}

/// The template line at which another tool stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StoppedAt<'t> {
    /// Its section.
    pub(crate) section: &'static str,
    /// Its position.
    pub(crate) place: &'t Place,
    /// Whether it is exactly this line, rather than this or a later line of the section.
    pub(crate) is_exact: bool,
}

/// The line at which the tool that built `template` and wrote `logs` stopped; `None` if it does not say.
pub(crate) fn stopped_at<'t>(template: &'t Template, logs: &[&[u8]]) -> Option<StoppedAt<'t>> {
    let at = |section, place, is_exact| StoppedAt { section, place, is_exact };
    let run = |number: usize| template.run.get(number).map(place_of);
    if let Some(place) = logs.iter().find_map(|log| shell::stopped(log)).and_then(run) {
        return Some(at("@run", place, true));
    }
    let texts: Vec<_> = logs.iter().map(|log| String::from_utf8_lossy(log)).collect();
    if let Some(instruction) = texts.iter().find_map(|text| instruction(text)) {
        return of_dockerfile(template, instruction);
    }
    let failure =
        texts.iter().find_map(|text| text.lines().rfind(|line| line.starts_with(FATAL)))?;
    of_definition(template, failure)
}

/// The prefix of Apptainer's fatal errors.
const FATAL: &str = "FATAL:";

/// The Dockerfile instruction at which a tool stopped. podman and buildah name it in their error; docker shows its
/// line, or, with its older builder, the last step it started.
fn instruction(log: &str) -> Option<&str> {
    fn named(line: &str) -> Option<&str> {
        line.split_once("at STEP \"").map(|(_, rest)| rest)
    }
    fn shown(line: &str) -> Option<&str> {
        line.split_once(" | >>> ").map(|(_, rest)| rest)
    }
    fn begun(line: &str) -> Option<&str> {
        let is_step = line.starts_with("STEP ") || line.starts_with("Step ");
        line.split_once(": ").filter(|_| is_step).map(|(_, rest)| rest)
    }
    let ways = [named, shown, begun];
    ways.into_iter().find_map(|way| log.lines().rev().find_map(way))
}

fn of_dockerfile<'t>(template: &'t Template, instruction: &str) -> Option<StoppedAt<'t>> {
    let at = |section, place: &'t Place, is_exact| Some(StoppedAt { section, place, is_exact });
    let written = |line: &Line| line.with(|name| format!("${name}"));
    let (keyword, rest) = instruction.split_once(' ').unwrap_or((instruction, ""));
    let copied = || template.copy.iter().find(|copy| rest.starts_with(&written(&copy.line)));
    match keyword.to_ascii_uppercase().as_str() {
        "FROM" => at("@from", &template.from.line.at, true),
        "RUN" => at("@run", place_of(template.run.first()?), false),
        "COPY" => match copied() {
            Some(copy) => at("@copy", &copy.line.at, true),
            None => at("@copy", &template.copy.first()?.line.at, false),
        },
        "ARG" => at("@arg", &template.arguments.first()?.at, false),
        "ENV" => at("@env", &template.env.first()?.at, false),
        "LABEL" => at("@label", &template.label.first()?.at, false),
        "ENTRYPOINT" => at("@entry", &template.entry.as_ref()?.at, true),
        _ => {
            let literal = |section, lines: &'t [Line]| {
                let is_it =
                    |line: &&Line| instruction.starts_with(written(line).trim_start_matches('|'));
                lines.iter().find(is_it).and_then(|line| at(section, &line.at, true))
            };
            literal("@pre", &template.pre).or_else(|| literal("@post", &template.post))
        }
    }
}

fn of_definition<'t>(template: &'t Template, failure: &str) -> Option<StoppedAt<'t>> {
    let at = |section, place: &'t Place, is_exact| Some(StoppedAt { section, place, is_exact });
    if failure.contains("conveyor failed to get") || failure.contains("unable to open image") {
        return at("@from", &template.from.line.at, true);
    }
    if failure.contains("unable to copy files") || failure.contains("while copying [") {
        let source =
            failure.split_once("while copying [").and_then(|(_, rest)| rest.split_once(']'));
        let is_it = |copy: &&wake_velocity::template::Copy| {
            source.is_some_and(|(source, _)| copy.source.plain() == Some(source))
        };
        return match template.copy.iter().find(is_it) {
            Some(copy) => at("@copy", &copy.line.at, true),
            None => at("@copy", &template.copy.first()?.line.at, false),
        };
    }
    if failure.contains("while running %post section") {
        return at("@run", place_of(template.run.first()?), false);
    }
    None
}

/// The position of a line of `@run`.
pub(crate) fn place_of(run: &Run) -> &Place {
    match run {
        Run::Command(line) => &line.at,
        Run::Export(env) => &env.at,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a real shell runs the scripts")]

    use super::*;
    use std::process::Command;
    use wake_velocity::catalog::Generation;
    use wake_velocity::script::Backend;
    use wake_velocity::template::{Language, Reading};

    fn template(text: &str) -> Template {
        let holds = |_: &str| Ok(true);
        let language = Language::Second { holds: &holds };
        let reading = Reading { language, variables: &[], declares_arguments: true };
        Template::read("t.vtmp", text.as_bytes(), reading).unwrap()
    }

    const TEMPLATE: &str = "@from
    r.example/os:1
@pre
    USER 0
@copy
    a /opt/
    b /opt/
@run
    !envar PLACE /srv
    test $PLACE = /srv
    if false; then \\
    echo no; \\
    fi
    echo 'two
    lines'
    false || exit 3
    echo end
@entry
    /bin/sh
";

    #[test]
    fn a_dockerfile_script_reports_the_line_that_failed() {
        let template = template(TEMPLATE);
        let script = Backend::Podman.script(&marked(&template, true), Generation::Second).unwrap();
        let (_, run) = script.split_once("RUN ").unwrap();
        let run = run.split_once("\n\n").unwrap().0.replace("\\\n", "");
        let ended = Command::new("sh").arg("-c").arg(run).output().unwrap();
        assert_eq!(ended.status.code(), Some(3));
        let at = stopped_at(&template, &[&ended.stderr]).unwrap();
        assert_eq!((at.section, at.place.line, at.is_exact), ("@run", 16, true));
        // A line inside a text is not a command, so it gets no marker.
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), "two &&     lines\n");
    }

    #[test]
    fn a_definition_script_reports_the_line_that_failed() {
        let template = template(TEMPLATE);
        let script = Backend::Apptainer.script(&marked(&template, false), Generation::Second);
        let script = script.unwrap();
        let (_, run) = script.split_once("%post\n").unwrap();
        let run = run.split_once("\n\n").unwrap().0;
        // In Apptainer's form.
        let ended = Command::new("sh").args(["-ex", "-c", run]).output().unwrap();
        assert_eq!(ended.status.code(), Some(3));
        let at = stopped_at(&template, &[b"", &ended.stderr]).unwrap();
        assert_eq!((at.section, at.place.line, at.is_exact), ("@run", 16, true));
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), "two\nlines\n");
    }

    #[test]
    fn the_line_is_found_in_tool_messages() {
        let template = template(TEMPLATE);
        for (log, expected) in [
            (
                "STEP 1/4: FROM a\nError: building at STEP \"COPY b /opt/\": checking on sources: no such file\n",
                ("@copy", 7, true),
            ),
            ("Step 2/4 : USER 0\nStep 3/4 : COPY a /opt/\nCOPY failed\n", ("@copy", 6, true)),
            ("#6 ERROR\n   3 |     \n   4 | >>> COPY b /opt/\n   5 |\n", ("@copy", 7, true)),
            ("Error: building at STEP \"USER 0\": no\n", ("@pre", 4, true)),
            ("Error: building at STEP \"RUN trap\": exit status 1\n", ("@run", 9, false)),
            ("STEP 1/4: FROM r.example/os:1\n", ("@from", 2, true)),
            (
                "FATAL:   While performing build: conveyor failed to get: no descriptor\n",
                ("@from", 2, true),
            ),
            (
                "FATAL:   While performing build: unable to copy files from host to container fs: while copying [b] to /tmp/x: cp\n",
                ("@copy", 7, true),
            ),
            (
                "FATAL:   While performing build: while running engine: while running %post section: exit status 1\n",
                ("@run", 9, false),
            ),
        ] {
            let at = stopped_at(&template, &[log.as_bytes()]).unwrap();
            assert_eq!((at.section, at.place.line, at.is_exact), expected, "{log}");
        }
        assert_eq!(stopped_at(&template, &[b"the disk is full\n"]), None);
    }
}
