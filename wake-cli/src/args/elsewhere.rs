//! What commands are called in other tools, for whoever types them here.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What other tools have, and what does here what people want of it.
const WORDS: [(&str, &str); 9] = [
    (
        "clean",
        "nothing has to be cleaned before a build; 'wake build --rebuild' runs all of it again, 'wake gc' removes what nothing uses",
    ),
    (
        "deps",
        "'wake tree' shows the packages that are needed, 'wake query deps(:NAME)' the modules",
    ),
    ("format", "no command does that: package files are Jsonnet, which has formatters"),
    ("fmt", "no command does that: package files are Jsonnet, which has formatters"),
    ("install", "'wake add NAMESPACE/NAME' has the package here need a published one"),
    ("list", "'wake ls' lists packages and modules"),
    ("new", "'wake init DIR' writes a package that builds"),
    ("rebuild", "'wake build --rebuild' runs everything again"),
    ("watch", "'wake build --watch' builds again whenever something changes"),
];

/// The same error, which tells what to type instead where another tool calls it so.
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
    fn each_word_is_led_on_and_is_no_command() {
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
    fn what_is_named_instead_is_there() {
        for (word, tip) in WORDS {
            for typed in tip.split('\'').skip(1).step_by(2) {
                let matches = Cli::command().try_get_matches_from(typed.split(' '));
                assert!(matches.is_ok(), "{word}: `{typed}`");
            }
        }
    }
}
