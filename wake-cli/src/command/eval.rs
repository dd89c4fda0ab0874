//! `wake eval`

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use wake_build::Expression;
use wake_model::json::kind;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::ConfinedPath;

use crate::args::EvalArgs;
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Evaluates an expression and prints its value, or writes it to files.
pub(crate) fn run(
    args: &EvalArgs,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let expression = expression(args, settings)?;
    let result = session::eval(settings, &expression)?;
    for line in result.trace.iter().flat_map(|text| escape::lines(text)) {
        writeln!(say, "{}", settings.manner.style.verb(Role::Guide, "Trace", line))?;
    }
    let output = args.output_file.as_ref().map(|file| settings.cwd.join(file));
    let text = match &args.multi {
        Some(dir) => several(&settings.cwd.join(dir), dir, &result.value, args)?,
        None if args.yaml_stream => yaml_stream(&result.value)?,
        None => manifest(&result.value, args)?,
    };
    match output {
        Some(file) => {
            write(&file, &text, args)?;
            Ok(Exit::SUCCESS)
        }
        // On a terminal, unsafe characters in JSON are escaped; elsewhere the output matches other engines'.
        None if io::stdout().is_terminal() && is_json(args) => {
            print::text(&escape::json(&text), out)
        }
        None => print::text(&text, out),
    }
}

/// Whether the output is JSON.
fn is_json(args: &EvalArgs) -> bool {
    !args.raw && args.multi.is_none()
}

fn expression(args: &EvalArgs, settings: &Settings) -> Result<Expression, Diagnostic> {
    let absolute = |path: &Path| {
        let read = settings.cwd.join(path).canonicalize();
        read.map_err(|source| refuse(format!("`{}`: {source}", path.display())))
    };
    // Other engines search the last directory first.
    let library = args.library.iter().rev().map(|dir| absolute(dir)).collect::<Result<_, _>>()?;
    // clap requires one of the two.
    let typed = args.expression.clone().unwrap_or_default();
    let file = args.file.clone().or_else(|| typed_file(&typed, settings));
    let Some(file) = &file else {
        return Ok(Expression { code: typed, file: None, dir: absolute(Path::new("."))?, library });
    };
    let path = absolute(file)?;
    let code = fs::read_to_string(&path)
        .map_err(|source| refuse(format!("`{}`: {source}", file.display())))?;
    let dir = path.parent().map_or_else(|| path.clone(), Path::to_owned);
    Ok(Expression { code, file: Some(path), dir, library })
}

/// Returns the file if the expression is a bare file name, as other engines accept it. Such a name is otherwise only an
/// undefined variable.
fn typed_file(typed: &str, settings: &Settings) -> Option<PathBuf> {
    let names_file = typed.ends_with(".jsonnet") || typed.ends_with(".libsonnet");
    (names_file && settings.cwd.join(typed).is_file()).then(|| PathBuf::from(typed))
}

fn refuse(message: String) -> Diagnostic {
    Diagnostic::error(Class::Usage, message)
}

/// Renders a value as the text to print or write.
fn manifest(value: &Value, args: &EvalArgs) -> Result<String, Diagnostic> {
    match value {
        Value::String(text) if args.raw => Ok(format!("{text}\n")),
        other if args.raw => {
            Err(refuse(format!("`--string` requires a string, found {}", kind(other))))
        }
        other => Ok(json(other)),
    }
}

fn json(value: &Value) -> String {
    // A value always serializes.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn yaml_stream(value: &Value) -> Result<String, Diagnostic> {
    let Value::Array(documents) = value else {
        let message = format!("`--yaml-stream` requires an array, found {}", kind(value));
        return Err(refuse(message));
    };
    // JSON is valid YAML.
    let documents = documents.iter().map(|document| format!("---\n{}", json(document)));
    let text: String = documents.collect();
    Ok(if text.is_empty() { text } else { text + "...\n" })
}

/// Writes each field to a file, and returns their paths, relative to the directory as typed.
fn several(
    dir: &Path,
    written: &Path,
    value: &Value,
    args: &EvalArgs,
) -> Result<String, Diagnostic> {
    let Value::Object(fields) = value else {
        let message = format!("`--multi` requires an object, found {}", kind(value));
        return Err(refuse(message));
    };
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    for (name, value) in fields {
        let is_inside =
            Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !is_inside {
            let message = format!("the field `{name}` is not a valid file name");
            return Err(refuse(message));
        }
        files.push((PathBuf::from(name), manifest(value, args)?));
    }
    let mut lines = String::new();
    if args.create_output_dirs {
        fs::create_dir_all(dir).map_err(|source| not_written(dir, args, &source))?;
    }
    let top = ConfinedPath::top(dir).map_err(|source| not_written(dir, args, &source))?;
    for (name, text) in files {
        // Content below the named directory may come from a repository: links there are not followed.
        let file = top.join(&name);
        let in_dir = file.parent().filter(|_| !args.create_output_dirs);
        in_dir
            .map_or(Ok(()), |dir| dir.open_dir().map(drop))
            .and_then(|()| file.replace(|file| file.write_all(text.as_bytes())))
            .map_err(|source| not_written(&written.join(&name), args, &source))?;
        lines.push_str(&format!("{}\n", written.join(&name).display()));
    }
    Ok(lines)
}

fn write(file: &Path, text: &str, args: &EvalArgs) -> Result<(), Diagnostic> {
    let failed = |source| not_written(file, args, &source);
    if let Some(dir) = file.parent().filter(|_| args.create_output_dirs) {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    fs::write(file, text).map_err(failed)
}

fn not_written(file: &Path, args: &EvalArgs, source: &io::Error) -> Diagnostic {
    let failure = refuse(format!("cannot write `{}`: {source}", file.display()));
    match source.kind() {
        io::ErrorKind::NotFound if !args.create_output_dirs => {
            failure.help("use `--create-output-dirs` to create missing directories")
        }
        _ => failure,
    }
}
