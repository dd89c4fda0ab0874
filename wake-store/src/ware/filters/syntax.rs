//! The published syntax of filters.

use super::{Direction, Filters, Mtime, Owner, Special};
use crate::ware::node::MAX_OWNER;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The keys in their canonical order.
const KEYS: [&str; 6] = ["uid", "gid", "mtime", "sticky", "setid", "dev"];

/// Why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseFiltersError {
    /// A part has no `=`.
    #[error("filters `{text}` must be a comma-separated list of k=v pairs")]
    NotPairs {
        /// The whole text.
        text: String,
    },
    /// The key is none of the six.
    #[error(
        "unknown option `{key}` in filters: expected one of `uid`, `gid`, `mtime`, `sticky`, `setid`, `dev`"
    )]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A key is repeated.
    #[error("cannot specify the same option repeatedly: `{key}`")]
    Repeated {
        /// The key.
        key: String,
    },
    /// The value is invalid for this key.
    #[error("{direction} filter `{key}` cannot be `{value}`: expected {expected}")]
    Value {
        /// `pack` or `unpack`.
        direction: &'static str,
        /// The key.
        key: String,
        /// The given value.
        value: String,
        /// The allowed values.
        expected: String,
    },
}

pub(super) fn parse<D: Direction>(text: &str) -> Result<Filters<D>, ParseFiltersError> {
    let mut filters = Filters::UNSET;
    if text.trim().is_empty() {
        return Ok(filters);
    }
    for pair in text.split(',') {
        let (key, value) = pair
            .trim()
            .split_once('=')
            .ok_or_else(|| ParseFiltersError::NotPairs { text: text.to_owned() })?;
        set(&mut filters, key, value)?;
    }
    Ok(filters)
}

pub(super) fn set<D: Direction>(
    filters: &mut Filters<D>,
    key: &str,
    value: &str,
) -> Result<(), ParseFiltersError> {
    let repeated = match key {
        "uid" => filters.uid.replace(owner::<D>(key, value)?).is_some(),
        "gid" => filters.gid.replace(owner::<D>(key, value)?).is_some(),
        "mtime" => filters.mtime.replace(mtime::<D>(key, value)?).is_some(),
        "sticky" => filters.sticky.replace(special::<D>(key, value, false)?).is_some(),
        "setid" => filters.setid.replace(special::<D>(key, value, true)?).is_some(),
        "dev" => filters.dev.replace(special::<D>(key, value, true)?).is_some(),
        _ => return Err(ParseFiltersError::UnknownKey { key: key.to_owned() }),
    };
    if repeated {
        return Err(ParseFiltersError::Repeated { key: key.to_owned() });
    }
    Ok(())
}

pub(super) fn pairs<D: Direction>(filters: &Filters<D>) -> Vec<(&'static str, String)> {
    let owner = |owner: Owner| match owner {
        Owner::Pass => D::PASS.to_owned(),
        Owner::Mine => "mine".to_owned(),
        Owner::Id(id) => id.to_string(),
    };
    let mtime = |mtime: Mtime| match mtime {
        Mtime::Pass => D::PASS.to_owned(),
        Mtime::Now => "now".to_owned(),
        Mtime::At(seconds) => format!("@{seconds}"),
    };
    let special = |special: Special| match special {
        Special::Pass => D::PASS.to_owned(),
        Special::Ignore => "ignore".to_owned(),
        Special::Reject => "reject".to_owned(),
    };
    let values = [
        filters.uid.map(owner),
        filters.gid.map(owner),
        filters.mtime.map(mtime),
        filters.sticky.map(special),
        filters.setid.map(special),
        filters.dev.map(special),
    ];
    KEYS.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?))).collect()
}

fn owner<D: Direction>(key: &str, value: &str) -> Result<Owner, ParseFiltersError> {
    if value == D::PASS {
        return Ok(Owner::Pass);
    }
    if D::LOCAL && value == "mine" {
        return Ok(Owner::Mine);
    }
    // `+5` is a number for `u32::from_str`, but not in the published syntax.
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    match value.parse() {
        Ok(id) if digits && id <= MAX_OWNER => Ok(Owner::Id(id)),
        _ => {
            let mine = if D::LOCAL { ", `mine`" } else { "" };
            Err(wrong::<D>(key, value, format!("`{}`{mine} or a number", D::PASS)))
        }
    }
}

fn mtime<D: Direction>(key: &str, value: &str) -> Result<Mtime, ParseFiltersError> {
    if value == D::PASS {
        return Ok(Mtime::Pass);
    }
    if D::LOCAL && value == "now" {
        return Ok(Mtime::Now);
    }
    let seconds = match value.strip_prefix('@') {
        Some(seconds) => seconds.parse().ok(),
        None => rfc3339(value),
    };
    seconds.map(Mtime::At).ok_or_else(|| {
        let now = if D::LOCAL { ", `now`" } else { "" };
        wrong::<D>(
            key,
            value,
            format!("`{}`{now}, `@` and seconds since 1970, or an RFC 3339 time", D::PASS),
        )
    })
}

fn special<D: Direction>(
    key: &str,
    value: &str,
    can_reject: bool,
) -> Result<Special, ParseFiltersError> {
    match value {
        "ignore" => Ok(Special::Ignore),
        "reject" if can_reject => Ok(Special::Reject),
        _ if value == D::PASS => Ok(Special::Pass),
        _ => {
            let expected = if can_reject { ", `ignore` or `reject`" } else { " or `ignore`" };
            Err(wrong::<D>(key, value, format!("`{}`{expected}", D::PASS)))
        }
    }
}

fn wrong<D: Direction>(key: &str, value: &str, expected: String) -> ParseFiltersError {
    ParseFiltersError::Value {
        direction: D::NAME,
        key: key.to_owned(),
        value: value.to_owned(),
        expected,
    }
}

/// Parses `2010-01-01T00:00:00Z` or the same with an offset; fractions of a second are dropped.
fn rfc3339(text: &str) -> Option<i64> {
    // Other separators and leap seconds are valid in RFC 3339, but not in the published syntax.
    let published = matches!(text.get(10..11)?, "T" | "t") && text.get(17..19)? != "60";
    let time = OffsetDateTime::parse(text, &Rfc3339).ok().filter(|_| published)?;
    Some(time.unix_timestamp())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{PackFilters, UnpackFilters};
    use super::*;

    #[test]
    fn canonical_text_has_the_published_order() {
        let filters: PackFilters =
            "dev=reject, mtime=2010-01-01T00:00:00Z ,uid=1000".parse().unwrap();
        assert_eq!(filters.to_string(), "uid=1000,mtime=@1262304000,dev=reject");
        let json = filters.to_map();
        assert_eq!(
            json.into_iter().map(|(k, v)| k + "=" + &v).collect::<Vec<_>>(),
            ["dev=reject", "mtime=@1262304000", "uid=1000"]
        );
    }

    #[test]
    fn presets_print_as_published() {
        assert_eq!(
            PackFilters::FLATTEN.to_string(),
            "uid=1000,gid=1000,mtime=@1262304000,sticky=keep,setid=keep,dev=keep"
        );
        assert_eq!(
            UnpackFilters::LOW_PRIV.to_string(),
            "uid=mine,gid=mine,mtime=follow,sticky=follow,setid=reject,dev=reject"
        );
    }

    #[test]
    fn errors_name_the_fault() {
        let pack = |text: &str| text.parse::<PackFilters>().unwrap_err().to_string();
        let unpack = |text: &str| text.parse::<UnpackFilters>().unwrap_err().to_string();
        assert_eq!(pack("uid"), "filters `uid` must be a comma-separated list of k=v pairs");
        assert_eq!(pack("uid=1,uid=1"), "cannot specify the same option repeatedly: `uid`");
        assert_eq!(
            pack("uid=mine"),
            "pack filter `uid` cannot be `mine`: expected `keep` or a number"
        );
        assert_eq!(pack("uid=+1"), "pack filter `uid` cannot be `+1`: expected `keep` or a number");
        assert_eq!(
            unpack("sticky=reject"),
            "unpack filter `sticky` cannot be `reject`: expected `follow` or `ignore`"
        );
        assert_eq!(
            unpack("gid=4294967295"),
            "unpack filter `gid` cannot be `4294967295`: expected `follow`, `mine` or a number"
        );
        assert!(pack("color=red").starts_with("unknown option `color` in filters"));
    }

    #[test]
    fn unset_fields_take_the_default() {
        let filters: PackFilters = "gid=5".parse().unwrap();
        let text = filters.apply(PackFilters::FLATTEN).to_string();
        assert_eq!(text, "uid=1000,gid=5,mtime=@1262304000,sticky=keep,setid=keep,dev=keep");
    }

    #[test]
    fn times_agree_with_the_calendar() {
        // `date -u -d TIME +%s` gave the expectations.
        assert_eq!(rfc3339("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339("2000-02-29T12:34:56Z"), Some(951_827_696));
        assert_eq!(rfc3339("2038-01-19T03:14:08.9+01:00"), Some(2_147_480_048));
        assert_eq!(rfc3339("1969-12-31T23:59:59Z"), Some(-1));
        assert_eq!(rfc3339("2001-02-29T00:00:00Z"), None);
        assert_eq!(rfc3339("2001-02-28 00:00:00Z"), None);
        assert_eq!(rfc3339("2016-12-31T23:59:60Z"), None);
        assert_eq!(rfc3339("2001-02-28t00:00:00.999999999999z"), Some(983_318_400));
        assert_eq!(rfc3339("2001-02-28T00:00:00+24:00"), None);
        assert_eq!(rfc3339("2001-02-28T00:00:00"), None);
    }
}
