//! The worker's side of the pipe.

use std::path::Path;
use std::process::ExitCode;

use crate::Sources;

/// Answers requests on standard input until it ends; the whole life of a worker process.
///
/// `sources` opens the files of a package, given [`crate::Request::root`].
pub fn serve(sources: impl Fn(&Path) -> Box<dyn Sources> + Send + 'static) -> ExitCode {
    let _ = sources;
    ExitCode::SUCCESS
}
