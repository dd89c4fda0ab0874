//! `std.format` and the operator `%` on strings.
//!
//! Integers and fractions are formatted as by the language's own library. `%e` and `%g`, which that library rounds
//! incorrectly, follow the documentation: like Python.

use std::any::Any;
use std::cell::OnceCell;
use std::iter::Peekable;
use std::str::Chars;

use jrsonnet_evaluator::function::builtin::Builtin;
use jrsonnet_evaluator::function::{
    CallLocation, FunctionSignature, ParamDefault, ParamName, ParamParse,
};
use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{ObjValue, Result, Thunk, Val};
use jrsonnet_gcmodule::trace_acyclic;

use super::json_text::text_of;
use crate::engine::json::kind;
use crate::engine::note::{Note, refuse};
use crate::prepare::FORMAT;

/// The maximum width or precision.
const WIDEST: usize = 16 << 20;

/// One directive: `%[(key)][flags][width][.precision]conversion`.
#[derive(Debug, Default)]
struct Directive {
    key: Option<String>,
    alternate: bool,
    zero: bool,
    left: bool,
    blank: bool,
    plus: bool,
    width: Count,
    precision: Option<Count>,
    conversion: char,
}

#[derive(Debug, Clone, Copy)]
enum Count {
    Number(usize),
    /// `*`: taken from the next value.
    Argument,
}

impl Default for Count {
    fn default() -> Count {
        Count::Number(0)
    }
}

/// A parsed pattern.
struct Pattern(Vec<Piece>);

enum Piece {
    Text(Box<str>),
    Directive(Directive),
}

/// Formats a list, an object or a single value according to `pattern`.
pub(crate) fn format(pattern: &str, values: &Val) -> Result<String> {
    Pattern::read(pattern)?.fill(values)
}

impl Pattern {
    fn read(text: &str) -> Result<Pattern> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            if at > 0 {
                pieces.push(Piece::Text(rest[..at].into()));
            }
            let mut chars = rest[at + 1..].chars().peekable();
            pieces.push(Piece::Directive(parse(&mut chars)?));
            let left: usize = chars.map(char::len_utf8).sum();
            rest = &rest[rest.len() - left..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Pattern(pieces))
    }

    fn fill(&self, values: &Val) -> Result<String> {
        let mut values = match values {
            Val::Arr(items) => Values::List(items, 0),
            Val::Obj(object) => Values::Object(object),
            value => Values::One(value, 0),
        };
        let mut out = String::with_capacity(32);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Directive(directive) => directive.write(&mut values, &mut out)?,
            }
        }
        values.finish()?;
        Ok(out)
    }
}

/// A function for one pattern, which is parsed on the first call.
pub(super) struct Filling {
    text: Box<str>,
    pattern: OnceCell<Pattern>,
}

trace_acyclic!(Filling);

impl Filling {
    pub(super) fn of(text: &str) -> Filling {
        Filling { text: text.into(), pattern: OnceCell::new() }
    }
}

impl Builtin for Filling {
    fn name(&self) -> &str {
        FORMAT
    }

    fn params(&self) -> FunctionSignature {
        thread_local! {
            static PARAMS: FunctionSignature = FunctionSignature::new(
                [ParamParse::new(ParamName::Named("values".into()), ParamDefault::None)].into(),
            );
        }
        PARAMS.with(Clone::clone)
    }

    fn call(&self, _location: CallLocation<'_>, args: &[Option<Thunk<Val>>]) -> Result<Val> {
        let values = match args {
            [Some(values)] => values.evaluate()?,
            _ => Val::Null,
        };
        let pattern = match self.pattern.get() {
            Some(pattern) => pattern,
            None => {
                let pattern = Pattern::read(&self.text)?;
                self.pattern.get_or_init(|| pattern)
            }
        };
        Ok(Val::string(pattern.fill(&values)?))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The values to format, and how many of them have been used.
enum Values<'a> {
    One(&'a Val, u32),
    List(&'a ArrValue, u32),
    Object(&'a ObjValue),
}

impl Values<'_> {
    fn next(&mut self) -> Result<Val> {
        let (found, taken) = match self {
            Values::One(value, taken) => ((*taken == 0).then(|| (*value).clone()), taken),
            Values::List(items, taken) => (items.get(*taken)?, taken),
            Values::Object(_) => refuse!(Note::new(
                "formatting an object requires named directives, such as `%(name)s`",
            )),
        };
        let Some(found) = found else {
            let given = *taken;
            refuse!(Note::new(format!("too few values to format: got {given}")));
        };
        *taken += 1;
        Ok(found)
    }

    /// Returns a field of an object; for a list, the next value, whatever the name.
    fn named(&mut self, key: &str) -> Result<Val> {
        match self {
            Values::Object(object) => match object.get(key.into())? {
                Some(value) => Ok(value),
                None => Err(Note::new(format!("there is no field `{key}` to format")).into()),
            },
            Values::One(..) | Values::List(..) => self.next(),
        }
    }

    fn finish(&self) -> Result<()> {
        let (given, taken) = match self {
            Values::One(_, taken) => (1, *taken),
            Values::List(items, taken) => (items.len(), *taken),
            Values::Object(_) => return Ok(()),
        };
        if taken < given {
            refuse!(Note::new(format!("too many values to format: got {given}, used {taken}")));
        }
        Ok(())
    }
}

fn parse(chars: &mut Peekable<Chars<'_>>) -> Result<Directive> {
    let mut directive = Directive::default();
    if chars.next_if_eq(&'(').is_some() {
        let mut key = String::new();
        loop {
            match chars.next() {
                Some(')') => break,
                Some(character) => key.push(character),
                None => refuse!(Note::new("the format string ends inside a name")),
            }
        }
        directive.key = Some(key);
    }
    while let Some(flag) = chars.next_if(|c| matches!(c, '#' | '0' | '-' | ' ' | '+')) {
        match flag {
            '#' => directive.alternate = true,
            '0' => directive.zero = true,
            '-' => directive.left = true,
            ' ' => directive.blank = true,
            _ => directive.plus = true,
        }
    }
    directive.width = count(chars)?;
    if chars.next_if_eq(&'.').is_some() {
        directive.precision = Some(count(chars)?);
    }
    // The length modifier, which has no effect.
    let _ = chars.next_if(|c| matches!(c, 'h' | 'l' | 'L'));
    match chars.next() {
        Some(c) if "diuoxXeEfFgGcs%".contains(c) => directive.conversion = c,
        Some(c) => refuse!(Note::new(format!("`%{c}` is not a format directive"))),
        None => refuse!(Note::new("the format string ends inside a directive")),
    }
    Ok(directive)
}

fn count(chars: &mut Peekable<Chars<'_>>) -> Result<Count> {
    if chars.next_if_eq(&'*').is_some() {
        return Ok(Count::Argument);
    }
    let mut number = 0_usize;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        number = number.saturating_mul(10).saturating_add(digit as usize);
        check_width(number)?;
    }
    Ok(Count::Number(number))
}

fn check_width(width: usize) -> Result<()> {
    if width > WIDEST {
        refuse!(Note::new(format!("a format asks for more than {WIDEST} characters")));
    }
    Ok(())
}

impl Directive {
    fn write(&self, values: &mut Values<'_>, out: &mut String) -> Result<()> {
        let width = self.resolve(self.width, values)?;
        let precision = self.precision.map(|count| self.resolve(count, values)).transpose()?;
        let text = if self.conversion == '%' {
            "%".to_owned()
        } else {
            let value = match &self.key {
                Some(key) => values.named(key)?,
                None => values.next()?,
            };
            self.convert(&value, width, precision)?
        };
        let missing = match width {
            0 => 0,
            width => width.saturating_sub(text.chars().count()),
        };
        if self.left {
            out.push_str(&text);
        }
        out.extend(std::iter::repeat_n(' ', missing));
        if !self.left {
            out.push_str(&text);
        }
        Ok(())
    }

    fn resolve(&self, count: Count, values: &mut Values<'_>) -> Result<usize> {
        let Count::Argument = count else {
            let Count::Number(number) = count else { return Ok(0) };
            return Ok(number);
        };
        if matches!(values, Values::Object(_)) {
            refuse!(Note::new("`*` cannot be used in a format of an object"));
        }
        match values.next()? {
            Val::Num(number) if number.get() >= 0.0 && number.get().fract() == 0.0 => {
                let width = number.get() as usize;
                check_width(width)?;
                Ok(width)
            }
            other => {
                let found = text_of(&other)?;
                Err(Note::new(format!("`*` in a format needs a whole number, not {found}")).into())
            }
        }
    }

    fn convert(&self, value: &Val, width: usize, precision: Option<usize>) -> Result<String> {
        let zeros = if self.zero && !self.left { width } else { 0 };
        let digits = precision.unwrap_or(0);
        Ok(match self.conversion {
            's' => text_of(value)?.as_str().to_owned(),
            'c' => character(value)?,
            'd' | 'i' | 'u' => {
                let number = self.number(value)?;
                self.integer(number <= -1.0, number.abs().floor(), zeros, digits, 10.0, "")
            }
            'o' => {
                let number = self.number(value)?;
                let prefix = if self.alternate { "0" } else { "" };
                self.integer(number <= -1.0, number.abs().floor(), zeros, digits, 8.0, prefix)
            }
            'x' | 'X' => self.hexadecimal(self.number(value)?.floor(), zeros, digits),
            'f' | 'F' => {
                let precision = precision.unwrap_or(6);
                self.decimal(self.number(value)?, zeros, precision)
            }
            'e' | 'E' => {
                let number = self.number(value)?;
                self.padded(
                    number,
                    scientific(number, precision.unwrap_or(6), self.alternate),
                    zeros,
                )
            }
            _ => {
                let number = self.number(value)?;
                self.padded(number, general(number, precision.unwrap_or(6), self.alternate), zeros)
            }
        })
    }

    fn number(&self, value: &Val) -> Result<f64> {
        match value {
            Val::Num(number) => Ok(number.get()),
            other => {
                let directive = self.conversion;
                Err(Note::new(format!("`%{directive}` needs a number, not {}", kind(other))).into())
            }
        }
    }

    fn sign(&self, negative: bool) -> &'static str {
        match negative {
            true => "-",
            false if self.plus => "+",
            false if self.blank => " ",
            false => "",
        }
    }

    fn integer(
        &self,
        negative: bool,
        magnitude: f64,
        width: usize,
        digits: usize,
        radix: f64,
        prefix: &str,
    ) -> String {
        let written = match magnitude == 0.0 {
            true => "0".to_owned(),
            false if prefix.is_empty() => digits_of(magnitude, radix),
            false => format!("{prefix}{}", digits_of(magnitude, radix)),
        };
        let sign = self.sign(negative);
        let wanted = width.saturating_sub(sign.len()).max(digits);
        if sign.is_empty() && wanted <= written.len() {
            return written;
        }
        format!("{sign}{written:0>wanted$}")
    }

    fn hexadecimal(&self, number: f64, width: usize, digits: usize) -> String {
        let magnitude = number.abs();
        let written = if magnitude == 0.0 { "0".to_owned() } else { digits_of(magnitude, 16.0) };
        let sign = self.sign(number < 0.0);
        let prefix = if self.alternate { "0x" } else { "" };
        let wanted = width.saturating_sub(sign.len() + prefix.len()).max(digits);
        let text = format!("{sign}{prefix}{written:0>wanted$}");
        if self.conversion == 'X' { text.to_uppercase() } else { text }
    }

    fn decimal(&self, number: f64, width: usize, precision: usize) -> String {
        // The language's library computes this in doubles, in this way.
        let denominator = 10_f64.powi(i32::try_from(precision).unwrap_or(i32::MAX));
        let numerator = number.abs() * denominator + 0.5;
        if !numerator.is_finite() {
            let text = format!("{:.precision$}", number.abs());
            return self.padded(number, text, width);
        }
        let whole = (numerator / denominator).floor();
        let fraction = numerator.floor() % denominator;
        let point = usize::from(precision > 0 || self.alternate);
        let room = width.saturating_sub(precision + point);
        let mut text = self.integer(number < 0.0, whole, room, 0, 10.0, "");
        if point > 0 {
            text.push('.');
        }
        if precision > 0 {
            let digits = if fraction == 0.0 { String::new() } else { digits_of(fraction, 10.0) };
            text.push_str(&format!("{digits:0>precision$}"));
        }
        text
    }

    /// Returns the digits `text` of a number with its sign and leading zeros.
    fn padded(&self, number: f64, text: String, width: usize) -> String {
        let sign = self.sign(number.is_sign_negative() && number != 0.0);
        let wanted = width.saturating_sub(sign.len());
        let text = if self.conversion.is_uppercase() { text.to_uppercase() } else { text };
        format!("{sign}{text:0>wanted$}")
    }
}

fn character(value: &Val) -> Result<String> {
    match value {
        Val::Num(number) => {
            let point = number.get();
            let exact = (0.0..=f64::from(u32::MAX)).contains(&point).then_some(point as u32);
            match exact.and_then(char::from_u32) {
                Some(character) => Ok(character.to_string()),
                None => Err(Note::new(format!(
                    "`%c` needs a character code, not {}",
                    super::number::text(point)
                ))
                .into()),
            }
        }
        Val::Str(text) => {
            let text = text.into_flat();
            match text.chars().count() {
                1 => Ok(text.as_str().to_owned()),
                count => Err(Note::new(format!("`%c` needs one character, not {count}")).into()),
            }
        }
        other => {
            Err(Note::new(format!("`%c` needs a number or a string, not {}", kind(other))).into())
        }
    }
}

/// Returns the digits of a positive integer.
fn digits_of(number: f64, radix: f64) -> String {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if radix == 10.0 && number <= EXACT {
        return (number as u64).to_string();
    }
    let mut digits = Vec::new();
    let mut left = number;
    while left > 0.0 {
        let digit = (left % radix) as u32;
        digits.push(char::from_digit(digit, 16).unwrap_or('0'));
        left = (left / radix).floor();
    }
    digits.iter().rev().collect()
}

/// `%e`: one digit before the point, `precision` after it.
fn scientific(number: f64, precision: usize, point: bool) -> String {
    let text = format!("{:.precision$e}", number.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let point = if point && precision == 0 { "." } else { "" };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}{point}e{sign}{:02}", exponent.unsigned_abs())
}

/// `%g`: `precision` digits in the shorter of both forms, without trailing zeros unless requested.
fn general(number: f64, precision: usize, keep_zeros: bool) -> String {
    let precision = precision.max(1);
    let rounded = format!("{:.*e}", precision - 1, number.abs());
    let exponent: i32 =
        rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let whole = i32::try_from(precision).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= whole {
        let text = scientific(number, precision - 1, keep_zeros);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, ""));
        let mantissa = if keep_zeros { mantissa } else { trimmed(mantissa) };
        return format!("{mantissa}e{exponent}");
    }
    let places = usize::try_from(whole - 1 - exponent).unwrap_or(0);
    let text = format!("{:.places$}", number.abs());
    match keep_zeros {
        true if places == 0 => text + ".",
        true => text,
        false => trimmed(&text).to_owned(),
    }
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::excessive_precision)]
    use super::*;

    #[test]
    fn exponents_are_formatted_as_in_python() {
        // The results of `pattern % number` in CPython 3.
        let cases = [
            ("%e", 0.0, "0.000000e+00"),
            ("%e", 1.5, "1.500000e+00"),
            ("%.0e", 2.5, "2e+00"),
            ("%#.0e", 2.5, "2.e+00"),
            ("%.1e", 9.99, "1.0e+01"),
            ("%.3e", -0.00012345, "-1.234e-04"),
            ("%E", 1e+300, "1.000000E+300"),
            ("%e", 5e-324, "4.940656e-324"),
            ("%+12.2e|", 12345.678, "   +1.23e+04|"),
            ("%-12.2e|", 12345.678, "1.23e+04    |"),
            ("%012.2e", -12345.678, "-0001.23e+04"),
            ("%g", 0.0, "0"),
            ("%g", 100000.0, "100000"),
            ("%g", 1000000.0, "1e+06"),
            ("%g", 0.0001, "0.0001"),
            ("%g", 1e-5, "1e-05"),
            ("%.3g", 0.001234, "0.00123"),
            ("%.0g", 1.0, "1"),
            ("%.1g", 9.9, "1e+01"),
            ("%#g", 1.0, "1.00000"),
            ("%#.1g", 0.99, "1."),
            ("%G", 1e-10, "1E-10"),
            ("%g", 123456789.0, "1.23457e+08"),
            ("%.17g", 0.1, "0.10000000000000001"),
            ("%10g|", 1.5, "       1.5|"),
            ("% g", 2.0, " 2"),
            ("%.12g", 0.3333333333333333, "0.333333333333"),
            ("%g", -1e+16, "-1e+16"),
        ];
        for (pattern, number, text) in cases {
            assert_eq!(
                format(pattern, &Val::try_num(number).unwrap()).unwrap(),
                text,
                "{pattern} of {number}"
            );
        }
    }

    #[test]
    fn numbers_are_formatted_as_by_the_reference_engines() {
        // The results of go-jsonnet 0.22 and C++ Jsonnet 0.22.
        let cases = [
            ("%d", 1e22, "10000000000000000000000"),
            ("%d", -3.99, "-3"),
            ("%d", -0.5, "0"),
            ("%x", 18446744073709551616.0, "10000000000000000"),
            ("%#x", 0.0, "0x0"),
            ("%#X", 255.0, "0XFF"),
            ("%#o", 8.0, "010"),
            ("%o", -8.5, "-10"),
            ("%05d|%s", 3.0, ""),
            ("%.0f", 0.5, "1"),
            ("%.0f", 2.5, "3"),
            ("%.2f", 1.005, "1.00"),
            ("%.3f", -0.0005, "-0.001"),
            ("%08.3f", 2.5, "0002.500"),
            ("%+d", 3.0, "+3"),
            ("%-05d|", 3.0, "3    |"),
            ("%c", 233.0, "é"),
        ];
        for (pattern, number, text) in cases {
            let found = format(pattern, &Val::try_num(number).unwrap());
            match text {
                "" => assert!(found.is_err(), "{pattern} of {number}"),
                text => assert_eq!(found.unwrap(), text, "{pattern} of {number}"),
            }
        }
    }
}
