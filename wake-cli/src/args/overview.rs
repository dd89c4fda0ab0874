//! The grouped list of commands in `wake --help`.

use std::fmt::Write;

use clap::Command;
use clap::builder::StyledStr;

/// The groups of commands, in the order of the help. Each command is in exactly one.
const GROUPS: [(&str, &[&str]); 9] = [
    ("Build", &["build", "test", "run", "init", "affected"]),
    ("Inspect", &["why", "plan", "log", "shell", "exec", "ls", "graph", "query", "eval"]),
    ("Dependencies", &["add", "remove", "lock", "update", "tree", "info", "search", "vendor"]),
    ("Publishing", &["publish", "yank", "login", "logout", "key", "registry"]),
    ("Container images", &["image"]),
    ("Genome assets", &["recipe", "asset", "genome"]),
    ("Jobs and buffers", &["job", "codespec", "buffer"]),
    ("Formulas", &["formula", "ware"]),
    ("Store and system", &["gc", "store", "doctor", "completions", "help"]),
];

/// Makes the help of `command` list its subcommands in groups.
pub(crate) fn grouped(mut command: Command) -> Command {
    command.build();
    let template = template(&command);
    command.help_template(template)
}

fn template(command: &Command) -> StyledStr {
    let header = command.get_styles().get_header();
    let mut text = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    let width = GROUPS.iter().flat_map(|(_, names)| *names).map(|name| name.len()).max();
    for (title, names) in GROUPS {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{header}{title}:{header:#}\n");
        for name in names {
            text.push_str(&line(command, name, width.unwrap_or_default()));
        }
    }
    let _ = write!(text, "\n{header}Options:{header:#}\n{{options}}{{after-help}}");
    text.into()
}

fn line(command: &Command, name: &str, width: usize) -> String {
    let literal = command.get_styles().get_literal();
    let about = command.find_subcommand(name).and_then(Command::get_about);
    let about = about.map(ToString::to_string).unwrap_or_default();
    format!("  {literal}{name:width$}{literal:#}  {about}\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn each_command_is_in_one_group() {
        let command = grouped(Cli::command());
        let listed = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect::<Vec<_>>();
        let commands = command.get_subcommands().map(Command::get_name).collect::<BTreeSet<_>>();
        assert_eq!(listed.len(), commands.len());
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), commands);
    }

    #[test]
    fn each_line_fits_a_terminal() {
        let help = grouped(Cli::command()).render_help().to_string();
        let commands = help.split("\nOptions:").next().unwrap();
        for line in commands.lines().filter(|line| line.starts_with(' ')) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for (title, names) in GROUPS {
            assert!(commands.contains(&format!("\n{title}:\n  {}", names[0])), "{commands}");
        }
    }
}
