//! Functions of `std` on numbers.

use std::cmp::Ordering;
use std::f64::consts::PI;

use jrsonnet_evaluator::{Result, Val};

use super::function::Arguments;
use crate::engine::note::{Note, refuse};

/// Names, parameters and implementations.
pub(super) const FUNCTIONS: &[super::Function] = &[
    ("builtin_clamp", &["x", "minVal", "maxVal"], clamp),
    ("builtin_deg2rad", &["x"], |args| number(args.number(0)? * PI / 180.0)),
    ("builtin_exponent", &["x"], |args| number(f64::from(parts(args.number(0)?).1))),
    ("builtin_isEven", &["x"], |args| Ok(Val::Bool(rounded(args.number(0)?) % 2.0 == 0.0))),
    ("builtin_isOdd", &["x"], |args| Ok(Val::Bool(rounded(args.number(0)?) % 2.0 != 0.0))),
    ("builtin_log10", &["x"], |args| number(args.number(0)?.ln() / 10_f64.ln())),
    ("builtin_log2", &["x"], |args| number(args.number(0)?.ln() / 2_f64.ln())),
    ("builtin_mantissa", &["x"], |args| number(parts(args.number(0)?).0)),
    ("builtin_rad2deg", &["x"], |args| number(args.number(0)? * 180.0 / PI)),
    ("builtin_range", &["from", "to"], range),
    ("builtin_sum", &["arr"], sum),
];

fn number(value: f64) -> Result<Val> {
    Ok(Val::try_num(value)?)
}

/// Accepts any ordered values; the maximum is not evaluated if the minimum is returned.
fn clamp(args: &Arguments<'_>) -> Result<Val> {
    let (value, least) = (args.value(0)?, args.value(1)?);
    if Val::try_cmp(&value, &least)? == Ordering::Less {
        return Ok(least);
    }
    let most = args.value(2)?;
    Ok(if Val::try_cmp(&value, &most)? == Ordering::Greater { most } else { value })
}

/// Rounds to the nearest integer, halves upwards.
fn rounded(value: f64) -> f64 {
    (value + 0.5).floor()
}

/// Splits a number into a fraction from one half to one and a power of two, like C's `frexp`.
fn parts(value: f64) -> (f64, i32) {
    const FRACTION: u64 = (1 << 52) - 1;
    const TWO_54: f64 = 18_014_398_509_481_984.0;
    if value == 0.0 {
        return (value, 0);
    }
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    if exponent == 0 {
        // Subnormal numbers are scaled to full precision first.
        let (fraction, exponent) = parts(value * TWO_54);
        return (fraction, exponent - 54);
    }
    let fraction = f64::from_bits((bits & (FRACTION | 1 << 63)) | 1022 << 52);
    (fraction, exponent - 1022)
}

fn range(args: &Arguments<'_>) -> Result<Val> {
    use jrsonnet_evaluator::val::ArrValue;
    let (from, to) = (args.number(0)?, args.number(1)?);
    let whole = |value: f64| {
        let fits = value.fract() == 0.0 && value.abs() <= f64::from(i32::MAX);
        fits.then_some(value as i32)
    };
    let (Some(from), Some(to)) = (whole(from), whole(to)) else {
        refuse!(Note::new("std.range() needs whole numbers of at most 31 bits"));
    };
    if to < from {
        return Ok(Val::Arr(ArrValue::empty()));
    }
    if i64::from(to) - i64::from(from) >= i64::from(i32::MAX) {
        refuse!(Note::new("the list would be too long"));
    }
    Ok(Val::Arr(ArrValue::range_inclusive(from, to)))
}

fn sum(args: &Arguments<'_>) -> Result<Val> {
    let mut sum = 0.0;
    for item in args.list(0)?.iter() {
        match item? {
            Val::Num(number) => sum += number.get(),
            other => return args.expected(0, "a list of numbers", &other),
        }
    }
    number(sum)
}
