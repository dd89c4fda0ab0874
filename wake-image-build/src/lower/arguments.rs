//! The build arguments that wake understands.

use std::collections::BTreeMap;

use wake_steps::diagnostic::{Diagnostic, Level};
use wake_velocity::plan::Build;

use crate::site::Site;

/// The option that sets a build argument.
const BUILD_ARG: &str = "--build-arg";

/// Returns the values of build arguments, and warnings about arguments that wake does not understand.
pub(crate) fn arguments(
    site: &Site<'_>,
    build: &Build,
) -> (BTreeMap<String, String>, Vec<Diagnostic>) {
    let (mut values, mut warnings) = (BTreeMap::new(), Vec::new());
    for written in &build.image.arguments {
        let text = written.text.trim();
        let rest = text.strip_prefix(BUILD_ARG);
        let rest = rest.filter(|rest| rest.starts_with(['=', ' '])).map(|rest| rest[1..].trim());
        match rest.and_then(|rest| rest.split_once('=')) {
            Some((name, value)) => {
                values.insert(name.to_owned(), unquoted(value).to_owned());
            }
            None => {
                let message = format!("`{text}` is for another tool and is ignored");
                let mut warning = site.error(message, &written.at);
                warning.level = Level::Warning;
                warnings.push(warning.help(format!("use `{BUILD_ARG} NAME=VALUE`")));
            }
        }
    }
    (values, warnings)
}

fn unquoted(value: &str) -> &str {
    let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    quoted('\'').or_else(|| quoted('"')).unwrap_or(value)
}
