//! Numbers on the command line, and numbers in words for people.

/// A whole number above 0: `100000`, `100_000` or `1e5`.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let plain = text.replace('_', "");
    let number = plain.parse::<u64>().ok().or_else(|| {
        let real = plain.parse::<f64>().ok()?;
        (real.fract() == 0.0 && (0.0..=9e15).contains(&real)).then_some(real as u64)
    });
    match number {
        Some(n) if n > 0 => Ok(n),
        _ => Err(format!("expected a whole number above 0, such as 5000 or 1e5, found `{text}`")),
    }
}

/// As [`count`], for sizes in memory.
pub(super) fn size(text: &str) -> Result<usize, String> {
    usize::try_from(count(text)?).map_err(|_| format!("`{text}` is too large for this machine"))
}

/// As [`count`], for numbers of simulations, which a 32-bit counter numbers.
pub(super) fn rows(text: &str) -> Result<u32, String> {
    u32::try_from(count(text)?).map_err(|_| format!("expected at most {}, found `{text}`", u32::MAX))
}

/// A finite number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(r) if r > 0.0 && r.is_finite() => Ok(r),
        _ => Err(format!("expected a number above 0, found `{text}`")),
    }
}

/// `1,280,000`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `0.8 s`, `42 s`, `3 min 20 s`, `2 h 5 min`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        _ if !seconds.is_finite() => "-".into(),
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_in_every_usual_form_and_nothing_else() {
        for text in ["100000", "100_000", "1e5", "1E5", "0.1e6"] {
            assert_eq!(count(text), Ok(100_000), "{text}");
        }
        for text in ["0", "-1", "1.5", "nan", "inf", "1e300", "", "many", "1e-1"] {
            assert!(count(text).is_err(), "{text}");
        }
        assert_eq!(count("18446744073709551615"), Ok(u64::MAX));
        assert!(
            rows("1e10").is_err()
                && positive("nan").is_err()
                && positive("0").is_err()
                && positive("inf").is_err()
        );
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 12, 123, 1234, 1_234_567].map(grouped), ["0", "12", "123", "1,234", "1,234,567"]);
        assert_eq!([0.81, 42.4, 200.0, 7500.0].map(duration), ["0.8 s", "42 s", "3 min 20 s", "2 h 5 min"]);
        assert_eq!(duration(f64::NAN), "-");
    }
}
