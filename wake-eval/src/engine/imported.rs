//! The imports of a source text.

use super::text::{Kind, Lexeme, string, tokens};

/// Returns the paths that a source text imports in any way, as they are written. Comments are ignored. Empty for a
/// text that is not Jsonnet.
pub fn imports(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let pairs = tokens.windows(2);
    pairs.filter_map(|pair| if is_import(&pair[0]) { path(&pair[1]) } else { None }).collect()
}

fn is_import(token: &Lexeme<'_>) -> bool {
    matches!(token.kind, Kind::Import | Kind::ImportStr | Kind::ImportBin)
}

fn path(token: &Lexeme<'_>) -> Option<String> {
    match token.kind {
        Kind::Verbatim => {
            let quote = token.text.get(1..2)?;
            let content = token.text.get(2..token.text.len().checked_sub(1)?)?;
            Some(content.replace(&quote.repeat(2), quote))
        }
        _ => string(token).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_import_is_found_except_in_comments() {
        let text = "local a = import 'a.libsonnet'; # import 'no'\n\
                    local b = importstr \"b/c.txt\", c = (importbin @'d''e') /* import 'no' */;\n\
                    { x: import '@key/f.libsonnet', y: 'import' + \"import 'no'\" }";
        assert_eq!(imports(text), ["a.libsonnet", "b/c.txt", "d'e", "@key/f.libsonnet"]);
        assert!(imports("'").is_empty());
    }
}
