//! The name that someone probably meant.

/// The candidate closest to `wrong`, if one is close enough to be worth suggesting.
///
/// Damerau–Levenshtein distance (neighbouring letters swapped count once), at most a third of the
/// longer name's length; the first of equally close candidates wins, so give them in a fixed order.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let longer = wrong.chars().count().max(candidate.chars().count());
        let distance = distance(&wrong.to_lowercase(), &candidate.to_lowercase());
        let close = distance <= longer.div_ceil(3) && distance < longer;
        if close && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before_last = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1; right.len() + 1];
        for (j, b) in right.iter().enumerate() {
            let substituted = last[j] + usize::from(a != b);
            row[j + 1] = substituted.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                row[j + 1] = row[j + 1].min(before_last[j - 1] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_letter_is_found_and_a_stranger_is_not() {
        assert_eq!(nearest("outptus", ["inputs", "outputs", "files"]), Some("outputs"));
        assert_eq!(nearest("zlip", ["zlib"]), Some("zlib"));
        assert_eq!(nearest("wibble", ["zlib", "lua"]), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
