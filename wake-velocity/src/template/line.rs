use wake_yaml::Place;

/// A text with references to build arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The pieces in order; none is an empty text.
    pub pieces: Vec<Piece>,
    /// Its position in the template.
    pub at: Place,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Literal text.
    Text(String),
    /// The value of a build argument.
    Argument(String),
}

impl Line {
    /// Returns the text with arguments replaced by `argument`.
    pub fn with(&self, argument: impl Fn(&str) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Argument(name) => argument(name),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// Splits the text at white space; arguments never separate words.
    pub fn words(&self) -> Vec<Line> {
        let mut words: Vec<Vec<Piece>> = Vec::new();
        let mut goes_on = false;
        for piece in &self.pieces {
            match piece {
                Piece::Argument(_) => {
                    if !goes_on {
                        words.push(Vec::new());
                    }
                    words.last_mut().into_iter().for_each(|word| word.push(piece.clone()));
                    goes_on = true;
                }
                Piece::Text(text) => {
                    for (number, part) in text.split(char::is_whitespace).enumerate() {
                        goes_on &= number == 0;
                        if part.is_empty() {
                            continue;
                        }
                        if !goes_on {
                            words.push(Vec::new());
                        }
                        let part = Piece::Text(part.to_owned());
                        words.last_mut().into_iter().for_each(|word| word.push(part.clone()));
                        goes_on = true;
                    }
                    if text.ends_with(char::is_whitespace) {
                        goes_on = false;
                    }
                }
            }
        }
        words.into_iter().map(|pieces| Line { pieces, at: self.at.clone() }).collect()
    }

    /// Splits off the first word; the rest is trimmed.
    pub fn first_and_rest(&self) -> (Line, Line) {
        let mut first = Vec::new();
        let mut pieces = self.pieces.iter().cloned();
        let mut rest = Vec::new();
        for piece in pieces.by_ref() {
            match &piece {
                Piece::Text(text) => match text.find(char::is_whitespace) {
                    Some(end) => {
                        first.push(Piece::Text(text[..end].to_owned()));
                        rest.push(Piece::Text(text[end..].to_owned()));
                        break;
                    }
                    None => first.push(piece),
                },
                Piece::Argument(_) => first.push(piece),
            }
        }
        rest.extend(pieces);
        let line = |pieces| Line { pieces, at: self.at.clone() };
        (line(first).without_empty(), line(rest).trimmed(&|c| c == ' '))
    }

    /// Removes the characters for which `is_space` holds from both ends.
    pub(super) fn trimmed(mut self, is_space: &dyn Fn(char) -> bool) -> Self {
        if let Some(Piece::Text(text)) = self.pieces.first_mut() {
            *text = text.trim_start_matches(is_space).to_owned();
        }
        if let Some(Piece::Text(text)) = self.pieces.last_mut() {
            *text = text.trim_end_matches(is_space).to_owned();
        }
        self.without_empty()
    }

    fn without_empty(mut self) -> Self {
        self.pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        self
    }

    /// Returns the text if it refers to no argument.
    pub fn plain(&self) -> Option<&str> {
        match &self.pieces[..] {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether the command continues on the next line.
    pub fn goes_on(&self) -> bool {
        matches!(self.pieces.last(), Some(Piece::Text(text)) if text.ends_with('\\'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pieces: &[Piece]) -> Line {
        Line { pieces: pieces.to_vec(), at: Place::whole("t") }
    }

    fn shown(line: &Line) -> String {
        line.with(|name| format!("<{name} {name}>"))
    }

    #[test]
    fn an_argument_is_a_part_of_its_word() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let argument = Piece::Argument("A".to_owned());
        let line =
            line(&[text("x  /opt/"), argument.clone(), text("/y "), argument.clone(), argument]);
        let words: Vec<String> = line.words().iter().map(shown).collect();
        assert_eq!(words, ["x", "/opt/<A A>/y", "<A A><A A>"]);
        let (first, rest) = line.first_and_rest();
        assert_eq!(
            (shown(&first).as_str(), shown(&rest).as_str()),
            ("x", "/opt/<A A>/y <A A><A A>")
        );
    }
}
