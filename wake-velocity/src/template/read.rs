//! Parses lines into sections.

use wake_model::nearest::nearest;
use wake_yaml::{DocumentError, Mark, Place, Text, Warning};

use super::expand::{FindArgument, Raw, first_argument, second_argument};
use super::{
    Argument, Copy, Env, From, Label, Language, Line, Piece, Reading, Run, Source, Template,
};

const SECTIONS: [&str; 9] =
    ["@from", "@pre", "@arg", "@copy", "@run", "@env", "@label", "@entry", "@post"];

/// A section with its lines.
struct Section {
    name: &'static str,
    line: usize,
    lines: Vec<Line>,
}

struct Reader<'a> {
    source: &'a Text,
    reading: Reading<'a>,
    sections: Vec<Section>,
    warnings: Vec<Warning>,
}

pub(super) fn template(
    file: &str,
    bytes: &[u8],
    reading: Reading<'_>,
) -> Result<Template, DocumentError> {
    let (source, _) = Text::new(file, bytes)?;
    let mut reader =
        Reader { source: &source, reading, sections: Vec::new(), warnings: Vec::new() };
    let declared = reader.declared_arguments()?;
    let find = reader.find_argument(&declared);
    reader.sections(find)?;
    reader.template(file, declared)
}

impl<'a> Reader<'a> {
    /// The lines that remain after expansion.
    fn lines(&self) -> impl Iterator<Item = Result<(Raw<'a>, String), DocumentError>> + use<'a> {
        let (source, reading) = (self.source, self.reading);
        source.lines().iter().enumerate().filter_map(move |(number, text)| {
            let raw = Raw { source, number: number + 1, text, reading };
            let text = match reading.language {
                Language::First { backend } => raw.first(backend),
                Language::Second { holds } => raw.second(holds),
            };
            match text {
                Ok(text) if text.is_empty() => None,
                Ok(text) => Some(Ok((raw, text))),
                Err(error) => Some(Err(error)),
            }
        })
    }

    fn is_first(&self) -> bool {
        matches!(self.reading.language, Language::First { .. })
    }

    fn known(&self) -> impl Iterator<Item = &'static str> + use<> {
        let first = self.is_first();
        SECTIONS.into_iter().filter(move |name| first || *name != "@arg")
    }

    /// The arguments declared in `@arg`, which must be known before references are read.
    fn declared_arguments(&self) -> Result<Vec<Argument>, DocumentError> {
        let mut declared = Vec::new();
        let mut inside = false;
        for line in self.lines().take_while(|_| self.is_first()) {
            let (raw, text) = line?;
            if self.known().any(|name| name == text) {
                inside = text == "@arg";
            } else if inside {
                if text.contains(char::is_whitespace) {
                    let message = format!("argument `{text}` has white space in its name");
                    let hint = "write each name on a line of its own";
                    return Err(self.source.error(raw.mark(), message).with_hint(hint));
                }
                declared.push(Argument { name: text, at: self.source.place(raw.mark()) });
            }
        }
        Ok(declared)
    }

    /// In a definition without `@arg`, `@(X)` is not a reference but text.
    fn find_argument(&self, declared: &[Argument]) -> FindArgument {
        match self.is_first() {
            true if declared.is_empty() && !self.reading.declares_arguments => |_| None,
            true => first_argument,
            false => second_argument,
        }
    }

    fn sections(&mut self, find: FindArgument) -> Result<(), DocumentError> {
        for line in self.lines() {
            let (raw, text) = line?;
            let at = raw.mark();
            if let Some(name) = self.known().find(|name| *name == text) {
                if let Some(first) = self.sections.iter().find(|section| section.name == name) {
                    let message =
                        format!("section `{name}` appears twice, first on line {}", first.line);
                    return Err(self.source.error(at, message).with_hint("merge the two sections"));
                }
                self.sections.push(Section { name, line: raw.number, lines: Vec::new() });
                continue;
            }
            self.look_at_header(&text, at);
            let Some(section) = self.sections.last_mut() else {
                let error = self.source.error(at, "this line is outside any section");
                return Err(error.with_hint("begin the template with a section, such as `@from`"));
            };
            section.lines.push(raw.pieces(&text, find));
        }
        Ok(())
    }

    /// Warns about a line that looks like a section header but is not one.
    fn look_at_header(&mut self, text: &str, at: Mark) {
        let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphabetic());
        if text.strip_prefix('@').is_some_and(|word| !word.is_empty() && is_word(word)) {
            let message = match self.sections.last() {
                Some(Section { name, .. }) => {
                    format!("`{text}` is not a section: it is treated as a line of `{name}`")
                }
                None => format!("`{text}` is not a section"),
            };
            let warning = self.source.error(at, message);
            self.warnings.push(match nearest(text, self.known()) {
                Some(near) => warning.with_hint(format!("did you mean `{near}`?")),
                None => warning,
            });
        }
    }

    fn template(
        mut self,
        file: &str,
        mut arguments: Vec<Argument>,
    ) -> Result<Template, DocumentError> {
        if self.is_first() {
            self.check_declared(&arguments)?;
        } else {
            arguments = self.referred();
        }
        let from = self.from(file)?;
        let copy = self.each("@copy", Self::copy)?;
        let run = self.each("@run", Self::run)?;
        let mut env = self.each("@env", |_, line| Ok(env(&line)))?;
        env.extend(run.iter().filter_map(|run| match run {
            Run::Export(env) => Some(env.clone()),
            Run::Command(_) => None,
        }));
        let label = self.each("@label", |_, line| Ok(label(&line)))?;
        let entry = self.entry()?;
        let (pre, post) = (self.take("@pre"), self.take("@post"));
        let warnings = self.warnings;
        Ok(Template { from, arguments, pre, copy, run, env, label, entry, post, warnings })
    }

    fn take(&mut self, name: &str) -> Vec<Line> {
        let section = self.sections.iter_mut().find(|section| section.name == name);
        section.map(|section| std::mem::take(&mut section.lines)).unwrap_or_default()
    }

    fn each<T>(
        &mut self,
        name: &str,
        read: impl Fn(&Self, Line) -> Result<T, DocumentError>,
    ) -> Result<Vec<T>, DocumentError> {
        let lines = self.take(name);
        lines.into_iter().map(|line| read(self, line)).collect()
    }

    fn error(&self, at: &Place, message: impl Into<String>) -> DocumentError {
        self.source.error(Mark { line: at.line, column: at.column }, message)
    }

    fn references(&self) -> impl Iterator<Item = Argument> + '_ {
        let lines = self.sections.iter().flat_map(|section| &section.lines);
        lines.flat_map(|line| {
            line.pieces.iter().filter_map(|piece| match piece {
                Piece::Argument(name) => Some(Argument { name: name.clone(), at: line.at.clone() }),
                Piece::Text(_) => None,
            })
        })
    }

    fn referred(&self) -> Vec<Argument> {
        self.references().collect()
    }

    fn check_declared(&self, declared: &[Argument]) -> Result<(), DocumentError> {
        let is_declared = |name: &str| declared.iter().any(|argument| argument.name == name);
        let Some(unknown) = self.references().find(|argument| !is_declared(&argument.name)) else {
            return Ok(());
        };
        let message = format!("argument `{}` is not declared", unknown.name);
        let error = self.error(&unknown.at, message);
        let names = declared.iter().map(|argument| argument.name.as_str());
        Err(error.with_hint(match nearest(&unknown.name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it in the section `@arg`".to_owned(),
        }))
    }

    fn from(&mut self, file: &str) -> Result<From, DocumentError> {
        let head = self.sections.iter().find(|section| section.name == "@from").map(|one| one.line);
        let lines = self.take("@from");
        let line = match (&lines[..], head) {
            ([line], _) => line,
            ([_, second, ..], _) => {
                let error =
                    self.error(&second.at, "`@from` has a second line: expected one source");
                let others = || self.known().filter(|name| *name != "@from");
                let known = |text: &str| nearest(text, others());
                return Err(match second.plain().filter(|text| text.starts_with('@')).map(known) {
                    Some(Some(near)) => {
                        error.with_hint(format!("did you mean the section `{near}`?"))
                    }
                    Some(None) => error.with_hint(format!(
                        "the sections are `{}`",
                        self.known().collect::<Vec<_>>().join("`, `")
                    )),
                    None => error,
                });
            }
            ([], Some(line)) => {
                let at = Mark { line, column: 1 };
                return Err(self.source.error(at, "`@from` is empty: expected one source"));
            }
            ([], None) => {
                let error = DocumentError::whole(file, "the template has no section `@from`");
                return Err(error.with_hint("add it with the name of the base image"));
            }
        };
        if line.words().len() != 1 {
            return Err(self.error(&line.at, "`@from` has several words: expected one source"));
        }
        Ok(From { source: source(line, self.is_first()), line: line.clone() })
    }

    fn copy(&self, line: Line) -> Result<Copy, DocumentError> {
        match &line.words()[..] {
            [source, destination] => {
                Ok(Copy { source: source.clone(), destination: destination.clone(), line })
            }
            words => {
                let count = match words.len() {
                    1 => "1 word".to_owned(),
                    count => format!("{count} words"),
                };
                let message = format!("`@copy` has {count}: expected a source and a destination");
                Err(self.error(&line.at, message))
            }
        }
    }

    fn run(&self, line: Line) -> Result<Run, DocumentError> {
        let (first, rest) = line.first_and_rest();
        if self.is_first() || first.plain() != Some("!envar") {
            return Ok(Run::Command(line));
        }
        let env = env(&Line { at: line.at.clone(), ..rest });
        if env.name.pieces.is_empty() || env.value.pieces.is_empty() {
            let error = self.error(&line.at, "`!envar` needs a name and a value");
            return Err(error.with_hint("write `!envar NAME VALUE`"));
        }
        Ok(Run::Export(env))
    }

    fn entry(&mut self) -> Result<Option<Line>, DocumentError> {
        let head =
            self.sections.iter().find(|section| section.name == "@entry").map(|one| one.line);
        let mut lines = self.take("@entry");
        match (lines.len(), head) {
            (1, _) => Ok(lines.pop()),
            (0, Some(line)) if self.is_first() => {
                let at = Mark { line, column: 1 };
                Err(self.source.error(at, "`@entry` is empty: expected one command"))
            }
            (0, _) => Ok(None),
            _ => Err(self.error(&lines[1].at, "`@entry` has a second line: expected one command")),
        }
    }
}

fn env(line: &Line) -> Env {
    let (name, value) = line.first_and_rest();
    Env { name, value, at: line.at.clone() }
}

fn label(line: &Line) -> Label {
    let (name, value) = line.first_and_rest();
    Label { name, value, at: line.at.clone() }
}

/// The kind of a base, and its name without a prefix for that.
fn source(line: &Line, is_first: bool) -> Option<(Source, Line)> {
    let text = line.with(|name| format!("@@{name}@@"));
    if is_first {
        let has_tag = text.split_once('/').is_some_and(|(_, rest)| rest.contains(':'));
        let kind = match text.ends_with(".sif") {
            true => Source::Local,
            false if has_tag => Source::Docker,
            false => return None,
        };
        return Some((kind, line.clone()));
    }
    for (prefix, kind) in
        [("localimage://", Source::Local), ("docker://", Source::Docker), ("oras://", Source::Oras)]
    {
        if let Some(Piece::Text(first)) = line.pieces.first()
            && let Some(rest) = first.strip_prefix(prefix)
        {
            let mut line = line.clone();
            line.pieces[0] = Piece::Text(rest.to_owned());
            line.pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
            return Some((kind, line));
        }
    }
    if text.contains("://") {
        return None;
    }
    if text.ends_with(".sif") {
        return Some((Source::Local, line.clone()));
    }
    let mut parts = text.splitn(2, ':');
    let is_reference =
        parts.next().is_some_and(|name| !name.is_empty()) && parts.next() != Some("");
    is_reference.then(|| (Source::Docker, line.clone()))
}
