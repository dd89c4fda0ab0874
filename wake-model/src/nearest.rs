//! Suggestions for misspelt names.

/// Returns the candidate closest to `wrong`, if it is close enough to suggest.
///
/// Uses the Damerau–Levenshtein distance (swapping neighbouring letters counts as one edit), limited to a third of
/// the longer name's length. Of equally close candidates the first wins, so pass them in a fixed order.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let longer = wrong.chars().count().max(candidate.chars().count());
        let distance = strsim::osa_distance(&wrong.to_lowercase(), &candidate.to_lowercase());
        let close = distance <= longer.div_ceil(3) && distance < longer;
        if close && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_names_are_suggested() {
        assert_eq!(nearest("outptus", ["inputs", "outputs", "files"]), Some("outputs"));
        assert_eq!(nearest("zlip", ["zlib"]), Some("zlib"));
        assert_eq!(nearest("wibble", ["zlib", "lua"]), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
