//! Expressions evaluated on their own, in a package or without one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wake_eval::{Limits, NoAnswers, Op, Pool, Request, machine_memory};
use wake_model::RelPath;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use crate::evaluate::diagnose;
use crate::pkg_place::PkgPlace;
use crate::workers::Workers;

/// An expression and its context. Paths are absolute, with links resolved.
#[derive(Clone, Debug)]
pub struct Expression {
    /// The Jsonnet text.
    pub code: String,
    /// The file that contains the text, if any.
    pub file: Option<PathBuf>,
    /// The directory that imports are relative to.
    pub dir: PathBuf,
    /// Import library: directories to search, in order, for imports not found beside the importing file.
    pub library: Vec<PathBuf>,
}

/// A value, and the output of `std.trace`.
#[derive(Clone, Debug)]
pub struct EvalResult {
    /// The value.
    pub value: Value,
    /// The lines.
    pub trace: Vec<String>,
}

impl Expression {
    /// Returns the operation that evaluates it in the package with directory `root`.
    pub(crate) fn within(&self, root: &Path) -> Result<Op, Diagnostic> {
        let inside = |path: &Path| {
            let relative = path.strip_prefix(root).ok().and_then(Path::to_str);
            let relative = relative.and_then(|path| match path {
                "" => Some(RelPath::root()),
                path => path.parse().ok(),
            });
            relative.ok_or_else(|| {
                let (path, root) = (path.display(), root.display());
                Diagnostic::error(Class::Usage, format!("`{path}` is outside the package `{root}`"))
            })
        };
        let label = match &self.file {
            Some(file) => inside(file)?.as_str().to_owned(),
            None => "<expression>".to_owned(),
        };
        let library = self.library.iter().map(|dir| inside(dir)).collect::<Result<_, _>>()?;
        Ok(Op::Expr { code: self.code.clone(), label, dir: inside(&self.dir)?, library })
    }

    /// Evaluates it without a package: every file of the machine can be imported, and places are absolute paths.
    pub fn evaluate(&self, workers: &Workers) -> Result<EvalResult, Failure> {
        let root = Path::new("/");
        let request =
            Request { pkg: "//".to_owned(), root: root.to_owned(), op: self.within(root)? };
        let command = wake_eval::WorkerCommand {
            program: workers.program.clone(),
            args: vec![OsString::from(&workers.evaluate)],
            readable: vec![root.to_owned()],
        };
        let pool = Pool::new(command, Limits::default().shared_by(1, machine_memory()));
        let evaluated = pool.evaluate(&request, &NoAnswers).map_err(|mut error| {
            let frames = error.frames.iter_mut().map(|frame| &mut frame.place);
            for place in error.place.iter_mut().chain(frames) {
                if !place.file.starts_with('<') {
                    place.file.insert(0, '/');
                }
            }
            let told = diagnose(&PkgPlace::Checkout(RelPath::root()), &error, &NoAnswers);
            // There is no package to name.
            match (&error.place, &self.file) {
                (Some(_), _) => told,
                (None, None) => Diagnostic { message: error.message, ..told },
                (None, Some(file)) => {
                    let message = format!("`{}`: {}", file.display(), error.message);
                    Diagnostic { message, ..told }
                }
            }
        })?;
        let value = serde_json::from_str(evaluated.value.get()).unwrap_or_default();
        Ok(EvalResult { value, trace: evaluated.trace })
    }
}
