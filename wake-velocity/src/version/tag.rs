use std::cmp::Ordering;
use std::fmt;

use super::Comparable;

/// A version of the first generation: the name of a directory.
///
/// Two decimal parts compare as numbers, all others by code points. This is a total order only among tags whose parts
/// at each position are all numbers or none: in general, `9` < `10` < `1a` < `9`.
#[derive(Clone, Debug)]
pub struct Tag {
    written: String,
    parts: Vec<String>,
}

impl Tag {
    /// Accepts any text.
    pub fn new(text: &str) -> Self {
        Self {
            written: text.to_owned(),
            parts: text.split(['.', '-']).map(str::to_owned).collect(),
        }
    }

    /// Compares two tags. `1` and `01` are neither below nor above each other, but not the same either.
    pub fn compare(&self, other: &Self) -> Ordering {
        let pairs = self.parts.iter().zip(&other.parts);
        let differing = pairs.map(|(one, two)| part(one, two)).find(|order| order.is_ne());
        differing.unwrap_or(self.parts.len().cmp(&other.parts.len()))
    }
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn part(one: &str, two: &str) -> Ordering {
    if !is_number(one) || !is_number(two) {
        return one.cmp(two);
    }
    // Compares numbers of any length: without leading zeros, the longer one is larger.
    let [one, two] = [one, two].map(|number| number.trim_start_matches('0'));
    one.len().cmp(&two.len()).then_with(|| one.cmp(two))
}

impl Comparable for Tag {
    fn is(&self, other: &Self) -> bool {
        self.parts == other.parts
    }

    fn at_least(&self, other: &Self) -> bool {
        self.compare(other).is_ge()
    }

    fn at_most(&self, other: &Self) -> bool {
        self.compare(other).is_le()
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for Tag {}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compare(one: &str, two: &str) -> Ordering {
        Tag::new(one).compare(&Tag::new(two))
    }

    #[test]
    fn tags_ascend() {
        let ascending: [&[&str]; 5] = [
            &["1", "1.0", "1.0.0"],
            &["1.9", "1.9-rc1", "1.9-rc10", "1.9-rc2", "1.10"],
            &["11.2", "11.2.0", "11.8", "11.8.1"],
            &["12", "latest", "stream8", "v2"],
            &["99999999999999999999998", "99999999999999999999999"],
        ];
        for tags in ascending {
            for pair in tags.windows(2) {
                assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
                assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
            }
        }
    }

    #[test]
    fn a_leading_zero_makes_another_tag_of_the_same_rank() {
        let (one, zero) = (Tag::new("1.2"), Tag::new("1.02"));
        assert!(one.at_least(&zero) && one.at_most(&zero) && !one.is(&zero));
    }

    #[test]
    fn a_dash_separates_as_a_dot_does() {
        assert!(Tag::new("1-2").is(&Tag::new("1.2")));
    }

    #[test]
    fn tags_of_several_shapes_can_go_round() {
        assert_eq!(compare("9", "10"), Ordering::Less);
        assert_eq!(compare("10", "1a"), Ordering::Less);
        assert_eq!(compare("1a", "9"), Ordering::Less);
    }

    proptest! {
        #[test]
        fn two_tags_stand_to_each_other_in_one_way(one in "[0-9a-c.-]{0,6}", two in "[0-9a-c.-]{0,6}") {
            prop_assert_eq!(compare(&one, &two), compare(&two, &one).reverse());
            prop_assert_eq!(compare(&one, &one), Ordering::Equal);
            if Tag::new(&one).is(&Tag::new(&two)) {
                prop_assert_eq!(compare(&one, &two), Ordering::Equal);
            }
        }

        #[test]
        fn tags_of_numbers_are_in_a_total_order(mut tags in prop::collection::vec("(0|[1-9][0-9]{0,2})([.-](0|[1-9][0-9]?)){0,3}", 3)) {
            tags.sort_by(|one, two| compare(one, two));
            prop_assert!(compare(&tags[0], &tags[1]).is_le());
            prop_assert!(compare(&tags[1], &tags[2]).is_le());
            prop_assert!(compare(&tags[0], &tags[2]).is_le());
        }
    }
}
