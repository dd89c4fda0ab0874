//! A command as a person would type it.

use wake_model::action::Command;

use crate::pin::PinnedAction;

/// The command of an action as a person would type it; nothing if it has none.
pub fn shell_line(pinned: &PinnedAction) -> String {
    let mut line = String::new();
    if let Command::Run(run) = &pinned.action.command {
        line.reserve(run.args.iter().map(|arg| arg.len() + 1).sum::<usize>() + run.program.len());
        push_quoted(&run.program, &mut line);
        for arg in &run.args {
            line.push(' ');
            push_quoted(arg, &mut line);
        }
    }
    line
}

fn push_quoted(word: &str, line: &mut String) {
    let plain = |c: u8| {
        c.is_ascii_alphanumeric()
            || matches!(c, b'-' | b'_' | b'.' | b'/' | b'=' | b':' | b',' | b'+' | b'@' | b'%')
    };
    if !word.is_empty() && word.bytes().all(plain) {
        line.push_str(word);
    } else {
        line.push('\'');
        line.push_str(&word.replace('\'', "'\\''"));
        line.push('\'');
    }
}
