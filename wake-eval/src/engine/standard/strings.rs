//! Functions of `std` on strings.

use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{Result, Val};

use super::equal::equal;
use super::format::format;
use super::function::Arguments;
use super::json_text::escape;
use super::operators::modulo;
use crate::engine::note::{Note, refuse};

/// Names, parameters and implementations.
pub(super) const FUNCTIONS: &[super::Function] = &[
    ("builtin_char", &["n"], character),
    ("builtin_endsWith", &["a", "b"], |args| is_end(args, false)),
    ("builtin_escapeStringBash", &["str_"], |args| {
        Ok(Val::string(format!("'{}'", args.written(0)?.replace('\'', "'\"'\"'"))))
    }),
    ("builtin_escapeStringDollars", &["str_"], |args| {
        Ok(Val::string(args.written(0)?.replace('$', "$$")))
    }),
    ("builtin_escapeStringJson", &["str_"], escaped),
    ("builtin_escapeStringPython", &["str"], escaped),
    ("builtin_escapeStringXML", &["str_"], escape_xml),
    ("builtin_format", &["str", "vals"], |args| {
        Ok(Val::string(format(&args.text(0)?, &args.value(1)?)?))
    }),
    ("builtin_mod", &["a", "b"], |args| modulo(&args.value(0)?, &args.value(1)?)),
    ("builtin_split", &["str", "c"], |args| split(args, None)),
    ("builtin_splitLimit", &["str", "c", "maxsplits"], |args| split(args, Some(false))),
    ("builtin_splitLimitR", &["str", "c", "maxsplits"], |args| split(args, Some(true))),
    ("builtin_startsWith", &["a", "b"], |args| is_end(args, true)),
    ("builtin_toString", &["a"], |args| Ok(Val::string(args.written(0)?))),
];

fn character(args: &Arguments<'_>) -> Result<Val> {
    let number = args.number(0)?.trunc();
    let point = (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number as u32);
    match point.and_then(char::from_u32) {
        Some(character) => Ok(Val::string(character)),
        None => {
            let written = super::number::text(number);
            Err(Note::new(format!("there is no character with the code {written}")).into())
        }
    }
}

fn escaped(args: &Arguments<'_>) -> Result<Val> {
    let mut out = String::new();
    escape(&args.written(0)?, &mut out);
    Ok(Val::string(out))
}

fn escape_xml(args: &Arguments<'_>) -> Result<Val> {
    let mut out = String::new();
    for character in args.written(0)?.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            other => out.push(other),
        }
    }
    Ok(Val::string(out))
}

/// Whether a string starts, or ends, with another. Of lists, only the length is considered.
fn is_end(args: &Arguments<'_>, at_start: bool) -> Result<Val> {
    let (whole, part) = (args.value(0)?, args.value(1)?);
    let length = |index, value: &Val| match value {
        Val::Str(text) => Ok(text.clone().into_flat().chars().count()),
        Val::Arr(list) => Ok(list.len() as usize),
        other => args.expected(index, "a string", other),
    };
    if length(0, &whole)? < length(1, &part)? {
        return Ok(Val::Bool(false));
    }
    let Val::Str(text) = &whole else { return args.expected(0, "a string", &whole) };
    let Val::Str(part) = &part else {
        return Ok(Val::Bool(equal(&whole, &part)?));
    };
    let (text, part) = (text.clone().into_flat(), part.clone().into_flat());
    Ok(Val::Bool(if at_start {
        text.starts_with(part.as_str())
    } else {
        text.ends_with(part.as_str())
    }))
}

/// Splits at a separator, at most as often as an optional third argument says: from the right or the left.
fn split(args: &Arguments<'_>, limited: Option<bool>) -> Result<Val> {
    let (text, separator) = (args.text(0)?, args.text(1)?);
    if separator.is_empty() {
        refuse!(Note::new(format!("{} needs a separator, not \"\"", args.shown())));
    }
    let separator = separator.as_str();
    let most = match limited {
        None => None,
        Some(_) => match args.number(2)? {
            -1.0 => None,
            _ => Some(args.count(2)? as usize + 1),
        },
    };
    let parts: Vec<Val> = match (most, limited) {
        (None, _) => text.split(separator).map(Val::string).collect(),
        (Some(most), Some(true)) => {
            let mut parts: Vec<Val> = text.rsplitn(most, separator).map(Val::string).collect();
            parts.reverse();
            parts
        }
        (Some(most), _) => text.splitn(most, separator).map(Val::string).collect(),
    };
    Ok(Val::Arr(ArrValue::new(parts)))
}
