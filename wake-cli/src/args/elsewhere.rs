//! Hints for commands that other tools have under another name.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Subcommands of other tools, each with the hint to the equivalent here.
const WORDS: [(&str, &str); 9] = [
    (
        "clean",
        "builds need no cleaning; 'wake build --rebuild' rebuilds everything, 'wake gc' deletes unused store content",
    ),
    (
        "deps",
        "'wake tree' shows package dependencies, 'wake query deps(:NAME)' module dependencies",
    ),
    ("format", "wake has no formatter; package files are Jsonnet, so use a Jsonnet formatter"),
    ("fmt", "wake has no formatter; package files are Jsonnet, so use a Jsonnet formatter"),
    ("install", "'wake add NAMESPACE/NAME' adds a published package as a dependency"),
    ("list", "'wake ls' lists packages and modules"),
    ("new", "'wake init DIR' creates a package"),
    ("rebuild", "'wake build --rebuild' rebuilds everything"),
    ("watch", "'wake build --watch' rebuilds on every change"),
];

/// Adds the hint to an unknown-subcommand error if another tool has that subcommand.
pub(crate) fn led_on(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let tip = WORDS.iter().find(|(word, _)| word == typed).map(|(_, tip)| (*tip).into());
    if let (ErrorKind::InvalidSubcommand, Some(tip)) = (error.kind(), tip) {
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory as _;

    use super::{WORDS, led_on};
    use crate::args::Cli;

    #[test]
    fn each_foreign_command_gets_a_tip() {
        for (word, tip) in WORDS {
            let error = Cli::command().try_get_matches_from(["wake", word]).unwrap_err();
            let shown = led_on(error).to_string();
            assert!(shown.contains(&format!("tip: {tip}")), "{shown}");
            assert!(!shown.contains("similar"), "{shown}");
        }
        let error = Cli::command().try_get_matches_from(["wake", "biuld"]).unwrap_err();
        assert!(led_on(error).to_string().contains("'build'"));
    }

    #[test]
    fn suggested_commands_exist() {
        for (word, tip) in WORDS {
            for typed in tip.split('\'').skip(1).step_by(2) {
                let matches = Cli::command().try_get_matches_from(typed.split(' '));
                assert!(matches.is_ok(), "{word}: `{typed}`");
            }
        }
    }
}
