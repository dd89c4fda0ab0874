//! Crash reports.

use std::backtrace::Backtrace;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};

use wake_steps::diagnostic::Class;

use crate::environment;
use crate::terminal::escape;

/// Makes a panic of any thread write a report, print its path, and end the program.
///
/// The report is written to `directory`, by default `/tmp`.
#[expect(clippy::disallowed_methods, reason = "after a panic nothing may go on")]
pub(crate) fn install(directory: Option<PathBuf>) {
    let directory = directory.unwrap_or_else(|| "/tmp".into());
    std::panic::set_hook(Box::new(move |info| {
        let report = report(info, &Backtrace::force_capture());
        let words = match write(&directory, &report) {
            Ok(path) => told(&path),
            Err(_) => {
                format!(
                    "error: internal error in wake; the report could not be written, so here it is:\n{report}"
                )
            }
        };
        let _ = io::stderr().write_all(words.as_bytes());
        std::process::exit(Class::Internal.exit_code().into());
    }));
}

fn told(path: &Path) -> String {
    format!(
        "\nerror: internal error in wake. Finished results are kept, and nothing unfinished is used. \
         Please report this with the file {}; check it first, because it contains the command \
         line.\n",
        escape::line(&path.display().to_string())
    )
}

fn report(info: &PanicHookInfo<'_>, backtrace: &Backtrace) -> String {
    let arguments: Vec<_> = environment::shown_arguments().collect();
    let thread = std::thread::current();
    format!(
        "wake {} on {} {}\narguments: {arguments:?}\nthread: {}\n{info}\n\n{backtrace}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        thread.name().unwrap_or("unnamed"),
    )
}

/// Writes a new file, never through a link that someone else has created.
fn write(directory: &Path, report: &str) -> io::Result<PathBuf> {
    let seconds = wake_steps::clock::unix_ms() / 1000;
    let path = directory.join(format!("wake-crash-{seconds}-{}.txt", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    file.write_all(report.as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_report_is_never_written_over_another_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = write(directory.path(), "a").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a");
        assert!(told(&path).contains(path.to_str().unwrap()));
    }
}
