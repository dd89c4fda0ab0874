//! Places of settings in a package file, for messages about them.

use super::api;
use super::fault::narrow;
use super::note::Spot;
use super::pkgs_edit::arguments;
use super::text::place;
use crate::error::Place;

/// Returns the place in the package file `file` of what is at `keys` in an argument of `wake.pkg`, or of the smallest
/// enclosing thing that is written there.
pub fn argument_place(file: &str, text: &str, argument: &str, keys: &[&str]) -> Option<Place> {
    let keys = keys.iter().map(|&key| key.to_owned()).collect();
    let spot = Spot { argument: Some(argument.to_owned()), keys, at_key: false };
    let stretch = narrow(text, arguments(text)?, api::spec("wake.pkg")?.params, &spot)?;
    Some(place(file, text, stretch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_written_value_is_located() {
        let text = "local big = { size: 1 };\nfunction(wake) wake.pkg(\n  options={ color: 'red', 'cc.opt': 3 }, profiles={ night: big },\n)\n";
        let shown = |argument: &str, keys: &[&str]| {
            let place = argument_place("f", text, argument, keys)?;
            let columns = place.column as usize - 1..place.end_column as usize - 1;
            Some((place.line, place.source_line.get(columns)?.to_owned()))
        };
        let at = |text: &str| Some((3, text.to_owned()));
        assert_eq!(shown("options", &["color"]), at("'red'"));
        assert_eq!(shown("options", &["cc.opt"]), at("3"));
        assert_eq!(shown("options", &["other"]), at("{ color: 'red', 'cc.opt': 3 }"));
        assert_eq!(shown("profiles", &["night", "size"]), at("big"));
        assert_eq!(shown("files", &[]), None);
    }
}
