use std::cmp::Ordering;
use std::fmt;

use super::Comparable;

/// A version of the second generation.
///
/// Versions compare as padded texts, and are equal if they agree up to the precision of the less precise one, like
/// `12`, `12.3` and `12.3.0-rc1`. A text of any other form is equal to everything. Equality is therefore not
/// transitive; [`Release::preference`] is a total order.
#[derive(Clone, Debug)]
pub struct Release {
    written: String,
    major: Option<String>,
    minor: Option<String>,
    patch: Option<String>,
    suffix: Option<String>,
}

impl Release {
    /// Accepts any text.
    pub fn new(text: &str) -> Self {
        let [major, minor, patch, suffix] = parts(text).unwrap_or_default();
        Self { written: text.to_owned(), major, minor, patch, suffix }
    }

    /// Whether the text has the form `major[.minor[.patch]][-suffix]`.
    pub fn has_form(&self) -> bool {
        self.major.is_some()
    }

    /// Major, minor, patch and suffix, if present; numbers without leading zeros.
    pub fn parts(&self) -> [Option<&str>; 4] {
        [&self.major, &self.minor, &self.patch, &self.suffix].map(|part| part.as_deref())
    }

    /// Compares by preference: a missing minor or patch is below all others, a missing suffix above.
    pub fn preference(&self, other: &Self) -> Ordering {
        self.padded().cmp(&other.padded())
    }

    /// The padded text: three numbers, right-aligned in nine places filled with `#`, and a suffix, left-aligned in
    /// nine places filled with `~`. Longer parts take as many places as they need.
    fn padded(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let (major, minor, patch) = (part(&self.major), part(&self.minor), part(&self.patch));
        let suffix = part(&self.suffix);
        format!("{major:#>9}.{minor:#>9}.{patch:#>9}.{suffix:~<9}")
    }

    /// The padded text up to the precision of the version.
    fn said(&self) -> String {
        let places = match (&self.major, &self.minor, &self.patch, &self.suffix) {
            (None, ..) => 0,
            (_, None, ..) => 9,
            (_, _, None, _) => 19,
            (.., None) => 29,
            _ => 39,
        };
        self.padded().chars().take(places).collect()
    }
}

fn parts(text: &str) -> Option<[Option<String>; 4]> {
    let (numbers, suffix) = match text.split_once('-') {
        Some((numbers, suffix)) => (numbers, Some(suffix)),
        None => (text, None),
    };
    let is_suffix = |suffix: &str| {
        !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if suffix.is_some_and(|suffix| !is_suffix(suffix)) {
        return None;
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let short = text.trim_start_matches('0');
        digits.then(|| if short.is_empty() { "0".to_owned() } else { short.to_owned() })
    };
    let mut parts = numbers.splitn(3, '.');
    let major = number(parts.next()?)?;
    let mut next = || parts.next().map(|part| number(part).ok_or(())).transpose().ok();
    let (minor, patch) = (next()?, next()?);
    Some([Some(major), minor, patch, suffix.map(str::to_owned)])
}

impl Comparable for Release {
    fn is(&self, other: &Self) -> bool {
        let (one, two) = (self.said(), other.said());
        one.chars().zip(two.chars()).all(|(one, two)| one == two)
    }

    fn at_least(&self, other: &Self) -> bool {
        self.preference(other).is_gt() || self.is(other)
    }

    fn at_most(&self, other: &Self) -> bool {
        self.preference(other).is_lt() || self.is(other)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn release(text: &str) -> Release {
        Release::new(text)
    }

    #[test]
    fn versions_are_compared_up_to_the_shorter_one() {
        for (one, two) in [
            ("2.3.4", "2.3.4"),
            ("2.3.4-rc1", "2.3.4"),
            ("2.3.4", "2.3"),
            ("2.3.4", "2"),
            ("12-rc1", "12.3"),
            ("02.3", "2.3"),
        ] {
            assert!(
                release(one).is(&release(two)) && release(two).is(&release(one)),
                "{one} {two}"
            );
        }
        for (one, two) in [("2.3.4", "2.3.5"), ("2.3", "2.4.1"), ("2.3.4-rc1", "2.3.4-rc2")] {
            assert!(!release(one).is(&release(two)), "{one} {two}");
        }
    }

    #[test]
    fn a_version_without_a_form_equals_everything() {
        for text in ["stream8", "1.2.3.4", "", "=1.0", "1.", "1-", "1-a.b"] {
            assert!(!release(text).has_form(), "{text}");
            assert!(release(text).is(&release("1.2")) && release("9").is(&release(text)), "{text}");
        }
    }

    #[test]
    fn the_most_preferred_comes_last() {
        let ascending =
            ["2", "2.0", "2.0.0-rc10", "2.0.0-rc9", "2.0.0", "2.0.1", "2.10", "2.10.0", "10"];
        for pair in ascending.windows(2) {
            let order = release(pair[0]).preference(&release(pair[1]));
            assert_eq!(order, Ordering::Less, "{pair:?}");
        }
    }

    fn written() -> impl Strategy<Value = String> {
        "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}(-[a-c]{1,2})?"
    }

    proptest! {
        #[test]
        fn one_is_below_equal_or_above(one in written(), two in written()) {
            let (one, two) = (release(&one), release(&two));
            let below = !one.at_least(&two);
            let above = !one.at_most(&two);
            prop_assert_eq!(u8::from(below) + u8::from(above) + u8::from(one.is(&two)), 1);
            prop_assert_eq!(one.is(&two), two.is(&one));
            prop_assert_eq!(one.at_least(&two), two.at_most(&one));
        }

        #[test]
        fn preference_is_a_total_order(one in written(), two in written(), three in written()) {
            let (one, two, three) = (release(&one), release(&two), release(&three));
            prop_assert_eq!(one.preference(&two), two.preference(&one).reverse());
            if one.preference(&two).is_le() && two.preference(&three).is_le() {
                prop_assert!(one.preference(&three).is_le());
            }
        }
    }
}
