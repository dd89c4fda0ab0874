//! The commands that run before an image is built.

use wake_yaml::{DocumentError, Text};

use crate::catalog::{Catalog, Context, Image, Prolog};
use crate::files::Files;

/// The lines of an image's prolog.
pub(super) fn lines(
    catalog: &Catalog,
    files: &dyn Files,
    image: &Image,
) -> Result<Option<Vec<String>>, DocumentError> {
    match &image.prolog {
        None => Ok(None),
        Some(Prolog::Script(script)) => {
            Ok(Some(script.text.trim_matches('\n').split('\n').map(str::to_owned).collect()))
        }
        Some(Prolog::File(name)) => {
            let Context::Directory(dir) = &image.context else { return Ok(None) };
            let file = format!("{dir}/{}", name.text);
            let text = files
                .read(&file)
                .map_err(|error| DocumentError::whole(&file, error.to_string()))?;
            let Some(text) = text else {
                let message = format!("prolog `{}` does not exist", name.text);
                let error = catalog.error(&name.at, message);
                return Err(error.with_hint(format!("create `{file}`")));
            };
            let (_, text) = Text::new(&file, &text)?;
            Ok(Some(without_comments(&text)))
        }
    }
}

/// Removes comments and empty lines. A script with a here-document is unchanged: `#` is not a comment there, and
/// comments do no harm.
fn without_comments(script: &str) -> Vec<String> {
    if script.contains("<<") {
        return script.trim_end_matches('\n').split('\n').map(str::to_owned).collect();
    }
    let mut text = String::new();
    let mut quote = None;
    let mut before = '\n';
    let mut characters = script.chars().peekable();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                text.push(c);
                before = characters.next().unwrap_or('\n');
                text.push(before);
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            // At the start of a word.
            ('#', None) if before.is_whitespace() || ";&|()".contains(before) => {
                while characters.next_if(|&c| c != '\n').is_some() {}
                continue;
            }
            _ => {}
        }
        text.push(c);
        before = c;
    }
    text.split('\n').filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::without_comments;

    #[test]
    fn only_comments_and_empty_lines_are_removed() {
        let script = "#!/bin/sh\n# all of it\necho 'a # b' \"c # d\" e#f ${#g}   # end\n\n  \necho \\# 'x\n# y' # z\n";
        assert_eq!(
            without_comments(script),
            ["echo 'a # b' \"c # d\" e#f ${#g}   ", "echo \\# 'x", "# y' "]
        );
    }

    #[test]
    fn a_script_with_a_here_document_is_unchanged() {
        let script = "cat <<E\n# text\n\nE\n";
        assert_eq!(without_comments(script), ["cat <<E", "# text", "", "E"]);
    }
}
