//! Detects files that look as if they contain a secret: publishing cannot be undone.

use regex::bytes::Regex;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::evaluate::Evaluator;
use crate::file_set::FileSet;
use crate::files::{FileState, read_at_most};
use crate::pkg_place::PkgPlace;

/// How many bytes of a file are searched.
const LOOKED_AT: u64 = 4 << 20;

/// Names of files that usually contain secrets.
const NAMES: [&str; 12] = [
    ".env",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".git-credentials",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "credentials.toml",
];

/// Patterns of secrets, with descriptions.
const FORMS: [(&str, &str); 5] = [
    (r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----", "a private key"),
    (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "an AWS access key"),
    (r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{60,})", "a GitHub token"),
    (r"\bglpat-[0-9A-Za-z_-]{20}", "a GitLab token"),
    (r"\bxox[abprs]-[0-9A-Za-z-]{10,}", "a Slack token"),
];

/// Rejects a package with a file that looks as if it contains a secret, unless that file is `allowed`.
pub(super) fn check_secrets(
    set: &FileSet,
    place: &PkgPlace,
    evaluator: &Evaluator,
    allowed: &[String],
) -> Result<(), Diagnostic> {
    let forms: Vec<(Regex, &str)> =
        FORMS.iter().filter_map(|(form, what)| Some((Regex::new(form).ok()?, *what))).collect();
    for (path, state) in set {
        if !matches!(state, FileState::File { .. })
            || allowed.iter().any(|allowed| allowed.trim_start_matches("./") == path.as_str())
        {
            continue;
        }
        let what = if path.file_name().is_some_and(|name| NAMES.contains(&name)) {
            Some("passwords or keys, judging by its name")
        } else {
            let host = evaluator.files.absolute_in(place, path);
            let bytes = read_at_most(&host, LOOKED_AT).unwrap_or_default();
            forms.iter().find(|(form, _)| form.is_match(&bytes)).map(|(_, what)| *what)
        };
        if let Some(what) = what {
            let message = format!("`{}` seems to contain {what}", place.file_label(path.as_str()));
            return Err(Diagnostic::error(Class::Evaluation, message)
                .note("nothing was sent: publishing cannot be undone")
                .help("remove it from `files`")
                .help(format!("if it is not a secret, use `--allow-secret {path}`")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn secrets_are_recognised_by_their_form() {
        let found = |text: &str| {
            FORMS
                .iter()
                .find(|(form, _)| Regex::new(form).unwrap().is_match(text.as_bytes()))
                .map(|(_, what)| *what)
        };
        let key = ["-----BEGIN RSA PRIV", "ATE KEY-----"].concat();
        assert_eq!(found(&key), Some("a private key"));
        assert_eq!(found(&["AKIA", "ABCDEFGHIJKLMNOP"].concat()), Some("an AWS access key"));
        let token = ["gh", "p_", &"a".repeat(36)].concat();
        assert_eq!(found(&token), Some("a GitHub token"));
        for text in ["-----BEGIN PUBLIC KEY-----", "AKIA", "ghp_short", "a private key"] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
