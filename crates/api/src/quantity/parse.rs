//! Reading a quantity. What upstream accepts is wider than its own grammar; so is this.

use super::amount::{Dec, Small};
use super::{Format, QuantityError, Repr};
use base::Str;

/// The finest amount is a billionth.
const NANO: i32 = -9;

/// Decimal digits that surely fit 64 bits.
const DIGITS_MAX: i32 = 18;

/// A text cut into its parts. `value` is sign, digits and point; `digits` has no leading zero.
struct Parts<'a> {
    negative: bool,
    value: &'a str,
    digits: &'a str,
    decimals: &'a str,
    suffix: &'a str,
}

/// The amount, and whether upstream keeps the text beside it.
pub(super) fn parse(text: &str) -> Result<(Repr, bool), QuantityError> {
    if text.is_empty() {
        return Err(QuantityError::FormatWrong);
    }
    let parts = split(text)?;
    let (exponent, format) = suffix(parts.suffix).ok_or(QuantityError::Suffix)?;
    if let Some(small) = small(text, &parts, exponent, format) {
        return Ok(small);
    }
    big(&parts, exponent, format).map(|dec| (Repr::Big(Box::new(dec)), false))
}

fn digits_len(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let signed = text.starts_with(['-', '+']);
    let unsigned = &text[usize::from(signed)..];
    let from_digits = unsigned.trim_start_matches('0');
    let (digits, mut rest) = from_digits.split_at(digits_len(from_digits));
    let digits = if digits.is_empty() { "0" } else { digits };
    let mut decimals = "";
    if let Some(after) = rest.strip_prefix('.') {
        (decimals, rest) = after.split_at(digits_len(after));
    }
    let suffix = rest;
    let tail = rest.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let tail = tail.strip_prefix(['-', '+']).unwrap_or(tail);
    if digits_len(tail) < tail.len() {
        return Err(QuantityError::FormatWrong);
    }
    let value = &text[..text.len() - suffix.len()];
    Ok(Parts { negative: text.starts_with('-'), value, digits, decimals, suffix })
}

/// The exponent of a suffix: of two for the binary family, else of ten.
fn suffix(text: &str) -> Option<(i32, Format)> {
    let (exponent, format) = match text {
        "n" => (-9, Format::DecimalSI),
        "u" => (-6, Format::DecimalSI),
        "m" => (-3, Format::DecimalSI),
        "" => (0, Format::DecimalSI),
        "k" => (3, Format::DecimalSI),
        "M" => (6, Format::DecimalSI),
        "G" => (9, Format::DecimalSI),
        "T" => (12, Format::DecimalSI),
        "P" => (15, Format::DecimalSI),
        "E" => (18, Format::DecimalSI),
        "Ki" => (10, Format::BinarySI),
        "Mi" => (20, Format::BinarySI),
        "Gi" => (30, Format::BinarySI),
        "Ti" => (40, Format::BinarySI),
        "Pi" => (50, Format::BinarySI),
        "Ei" => (60, Format::BinarySI),
        _ => {
            let number: i64 = text.strip_prefix(['e', 'E'])?.parse().ok()?;
            (number as i32, Format::DecimalExponent)
        }
    };
    Some((exponent, format))
}

/// Upstream's fast path: what fits a scaled 64-bit integer.
fn small(text: &str, parts: &Parts<'_>, exponent: i32, format: Format) -> Option<(Repr, bool)> {
    let (digits, decimals) = (parts.digits.len() as i32, parts.decimals.len() as i32);
    let (factor, precision, scale) = match format {
        Format::BinarySI if decimals == 0 => {
            (1i64 << exponent, 15 - digits - exponent * 3 / 10 - 1, 0)
        }
        Format::BinarySI => return None,
        _ => (1, DIGITS_MAX - digits - decimals, exponent.wrapping_sub(decimals)),
    };
    if precision < 0 || scale < NANO {
        return None;
    }
    let mut number: i64 = 0;
    for digit in parts.digits.bytes().chain(parts.decimals.bytes()) {
        number = number * 10 + i64::from(digit - b'0');
    }
    let size = number.checked_mul(factor)?;
    let value = if parts.negative { -size } else { size };
    let small = Small { value, scale, format };
    let last_three = (parts.digits.bytes().rev().take(3), parts.decimals.bytes().rev().take(3));
    let trailing_zeros = last_three.1.chain(last_three.0).take(3).filter(|b| *b == b'0').count();
    let keeps_text = match format {
        Format::BinarySI => number & 7 != 0,
        _ if text == "0" => true,
        _ => scale % 3 == 0 && !parts.digits.starts_with('0') && trailing_zeros < 3,
    };
    // Upstream calls such a text canonical and gives it back, even where it would write it otherwise.
    if keeps_text && may_differ(text, format) {
        return Some((Repr::Text(Box::new((small, Str::from(text)))), true));
    }
    Some((Repr::Small(small), keeps_text))
}

/// Whether a text that upstream takes for canonical can differ from what we would write.
fn may_differ(text: &str, format: Format) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    format == Format::DecimalExponent || unsigned.starts_with(['+', '0']) || unsigned.contains('.')
}

/// Upstream's slow path: rounded up to nanos, binary amounts capped.
fn big(parts: &Parts<'_>, exponent: i32, mut format: Format) -> Result<Dec, QuantityError> {
    if !parts.value.bytes().any(|b| b.is_ascii_digit()) {
        return Err(QuantityError::Numeric);
    }
    let mut unscaled: i128 = 0;
    for digit in parts.digits.bytes().chain(parts.decimals.bytes()) {
        unscaled = unscaled.saturating_mul(10).saturating_add(i128::from(digit - b'0'));
    }
    let mut scale = parts.decimals.len() as i32;
    if format == Format::BinarySI {
        unscaled = unscaled.saturating_mul(1 << exponent);
    } else {
        scale = scale.wrapping_sub(exponent);
    }
    let mut dec = Dec { unscaled, scale, format };
    if unscaled > 0 {
        dec.round_up(-NANO);
    }
    if format == Format::BinarySI {
        let whole = |n: i64| Dec { unscaled: n.into(), scale: 0, format };
        if dec.compare(&whole(i64::MAX)).is_gt() {
            dec = whole(i64::MAX);
        }
        if dec.unscaled > 0 && dec.compare(&whole(1)).is_lt() {
            format = Format::DecimalSI;
        }
    }
    dec.format = format;
    Ok(if parts.negative { dec.neg() } else { dec })
}
