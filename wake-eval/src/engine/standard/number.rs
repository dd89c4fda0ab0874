//! Conversion of numbers to strings.

/// Formats a number as the language does: all digits of an integer, seventeen digits of other numbers, like C's
/// `%.17g`.
pub(crate) fn text(number: f64) -> String {
    if number == number.trunc() {
        return format!("{number:.0}");
    }
    let scientific = format!("{number:.16e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..17).contains(&exponent) {
        let places = usize::try_from(16 - exponent).unwrap_or(0);
        return trimmed(&format!("{number:.places$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.unsigned_abs())
}

/// Removes trailing zeros of the fraction.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn numbers_are_formatted_as_in_c() {
        // The expected texts are those of `printf '%.17g'`.
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (0.1, "0.10000000000000001"),
            (0.3, "0.29999999999999999"),
            (-2.5e-5, "-2.5000000000000001e-05"),
            (1e-4, "0.0001"),
            (5e-324, "4.9406564584124654e-324"),
            (1e23, "99999999999999991611392"),
            (123456.789, "123456.789"),
            (1.0 / 3.0, "0.33333333333333331"),
            (4503599627370495.5, "4503599627370495.5"),
        ];
        for (number, written) in cases {
            assert_eq!(text(number), written);
        }
    }
}
