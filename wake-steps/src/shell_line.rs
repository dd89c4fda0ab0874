//! A command as a user would type it.

use wake_model::action::Command;

use crate::pin::PinnedAction;

/// Returns the command of an action as a user would type it; empty if it has none.
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

/// Quotes a word for a shell, if necessary.
pub fn shell_word(word: &str) -> String {
    let mut line = String::with_capacity(word.len());
    push_quoted(word, &mut line);
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

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a real shell reads the words")]

    use super::*;

    #[test]
    fn a_word_is_quoted_only_if_necessary() {
        for word in [
            "//web:bundle",
            "acme/zlib@1.3.1:lib",
            "//:m opt=2",
            "//:m k=\"it's\"",
            "",
            "~",
            "a\nb",
        ] {
            let line = shell_word(word);
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {line}")])
                .output();
            assert_eq!(
                String::from_utf8_lossy(&output.map(|it| it.stdout).unwrap_or_default()),
                word
            );
        }
        assert_eq!(shell_word("//web:bundle"), "//web:bundle");
        assert_eq!(shell_word("//:m opt=2"), "'//:m opt=2'");
    }
}
