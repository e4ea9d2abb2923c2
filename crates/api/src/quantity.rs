//! Amounts of a resource: fixed-point numbers with the suffixes of `resource.Quantity`.
//!
//! Known deviations:
//! - A number of more than 38 digits, counted in nanos where it has a fraction, is cut to the largest
//!   that fits; upstream computes with integers of any length.

mod amount;
mod parse;

use amount::{Dec, Small};
use base::Str;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;

/// An amount such as `500m`, `1Gi` or `12e6`.
///
/// It takes 16 bytes, and no heap unless it is one of the rare values that upstream keeps as a big decimal
/// (binary amounts with a fraction, and those above roughly 15 decimal digits) or whose text upstream
/// gives back as it came (`+1`, `10.035M`). Equality and order are those of the number, whatever its suffix.
#[derive(Clone)]
pub struct Quantity(Repr);

#[derive(Clone)]
enum Repr {
    Small(Small),
    Big(Box<Dec>),
    Text(Box<(Small, Str)>),
}

/// Which family of suffixes an amount is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Powers of 1000: `n`, `u`, `m`, none, `k`, `M`, `G`, `T`, `P`, `E`.
    DecimalSI,
    /// Powers of 1024: `Ki`, `Mi`, `Gi`, `Ti`, `Pi`, `Ei`.
    BinarySI,
    /// Powers of ten: `e3`.
    DecimalExponent,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The text as a whole has the wrong shape.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    FormatWrong,
    /// The part before the suffix is no number.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// There is no such suffix.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Quantity = Quantity::new(0, Format::DecimalSI);

    /// A whole number of units.
    pub const fn new(value: i64, format: Format) -> Quantity {
        Quantity(Repr::Small(Small { value, scale: 0, format }))
    }

    /// A whole number of units in decimal format.
    pub const fn units(value: i64) -> Quantity {
        Quantity::new(value, Format::DecimalSI)
    }

    /// A number of bytes, written with binary suffixes.
    pub const fn bytes(value: i64) -> Quantity {
        Quantity::new(value, Format::BinarySI)
    }

    /// A number of thousandths, in decimal format.
    pub const fn millis(value: i64) -> Quantity {
        Quantity(Repr::Small(Small { value, scale: -3, format: Format::DecimalSI }))
    }

    /// Reads a quantity.
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        parse::parse(text).map(|(repr, _)| Quantity(repr))
    }

    /// The family of suffixes it is written with.
    pub fn format(&self) -> Format {
        match &self.0 {
            Repr::Small(small) => small.format,
            Repr::Big(dec) => dec.format,
            Repr::Text(text) => text.0.format,
        }
    }

    /// The amount in units, rounded up; 0 or a wrapped number where it does not fit, as upstream.
    pub fn value(&self) -> i64 {
        self.scaled_value(0)
    }

    /// The amount in thousandths, rounded up; see [`Quantity::value`].
    pub fn milli_value(&self) -> i64 {
        self.scaled_value(-3)
    }

    /// The amount in units of ten to the power of `scale`, rounded up; see [`Quantity::value`].
    pub fn scaled_value(&self, scale: i32) -> i64 {
        match self.amount() {
            Amount::Small(small) => small.scaled(scale),
            Amount::Big(dec) => dec.scaled(scale),
        }
    }

    /// The amount in units, where upstream's fast path gives it without loss.
    pub fn as_i64(&self) -> Option<i64> {
        match self.amount() {
            Amount::Small(small) => small.as_i64(),
            Amount::Big(_) => None,
        }
    }

    /// The nearest floating point number.
    pub fn as_f64(&self) -> f64 {
        match self.amount() {
            Amount::Small(small) => small.value as f64 * 10f64.powi(small.scale),
            Amount::Big(dec) => dec.unscaled as f64 * 10f64.powi(dec.scale.saturating_neg()),
        }
    }

    /// Whether the amount is zero.
    pub fn is_zero(&self) -> bool {
        self.sign() == 0
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        match self.amount() {
            Amount::Small(small) => small.value.signum() as i32,
            Amount::Big(dec) => dec.unscaled.signum() as i32,
        }
    }

    /// Adds `other`. A zero takes over the other's format.
    pub fn add(&mut self, other: &Quantity) {
        if let (Amount::Small(a), Amount::Small(b)) = (self.amount(), other.amount()) {
            let format = if a.value == 0 { b.format } else { a.format };
            if let Some(sum) = a.add(b) {
                self.0 = Repr::Small(Small { format, ..sum });
                return;
            }
        }
        let format = if self.is_zero() { other.format() } else { self.format() };
        self.0 = Repr::Big(Box::new(self.dec().add(&other.dec(), format)));
    }

    /// Takes `other` away. A zero takes over the other's format.
    pub fn sub(&mut self, other: &Quantity) {
        let format = if self.is_zero() { other.format() } else { self.format() };
        if let (Amount::Small(a), Amount::Small(b)) = (self.amount(), other.amount())
            && let Some(value) = b.value.checked_neg()
            && let Some(difference) = a.add(Small { value, ..b })
        {
            self.0 = Repr::Small(Small { format, ..difference });
            return;
        }
        self.0 = Repr::Big(Box::new(self.dec().add(&other.dec().neg(), format)));
    }

    /// Multiplies by a whole number.
    pub fn mul_i64(&mut self, factor: i64) {
        if let Amount::Small(a) = self.amount()
            && let Some(product) = a.mul(factor)
        {
            self.0 = Repr::Small(product);
            return;
        }
        self.0 = Repr::Big(Box::new(self.dec().mul(factor)));
    }

    /// Turns the sign around.
    pub fn neg(&mut self) {
        self.0 = match self.amount() {
            Amount::Small(a) if a.value != i64::MIN => Repr::Small(Small { value: -a.value, ..a }),
            _ => Repr::Big(Box::new(self.dec().neg())),
        };
    }

    /// What upstream's struct holds after reading `text`: value and scale of the small form, unscaled value
    /// and digits after the point of the big one, and whether the text is kept.
    pub(crate) fn go_parts(&self, text: &str) -> (Option<(i64, i32)>, Option<(i128, i32)>, bool) {
        let kept = parse::parse(text).is_ok_and(|(_, kept)| kept);
        match self.amount() {
            Amount::Small(small) => (Some((small.value, small.scale)), None, kept),
            Amount::Big(dec) => (None, Some((dec.unscaled, dec.scale)), kept),
        }
    }

    fn amount(&self) -> Amount<'_> {
        match &self.0 {
            Repr::Small(small) => Amount::Small(*small),
            Repr::Big(dec) => Amount::Big(dec),
            Repr::Text(text) => Amount::Small(text.0),
        }
    }

    fn dec(&self) -> Dec {
        match self.amount() {
            Amount::Small(small) => Dec::from(small),
            Amount::Big(dec) => dec.clone(),
        }
    }
}

enum Amount<'a> {
    Small(Small),
    Big(&'a Dec),
}

impl Default for Quantity {
    fn default() -> Quantity {
        Quantity::ZERO
    }
}

impl std::str::FromStr for Quantity {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Quantity, QuantityError> {
        Quantity::parse(text)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> Ordering {
        match (self.amount(), other.amount()) {
            (Amount::Small(a), Amount::Small(b)) => a.compare(b),
            (Amount::Small(a), Amount::Big(b)) => Dec::from(a).compare(b),
            (Amount::Big(a), Amount::Small(b)) => a.compare(&Dec::from(b)),
            (Amount::Big(a), Amount::Big(b)) => a.compare(b),
        }
    }
}

/// The canonical text: no fraction, the largest suffix that loses nothing.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Text(text) => f.write_str(&text.1),
            Repr::Small(small) => small.write(f),
            Repr::Big(dec) => dec.write(f),
        }
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

/// Reads a string or a bare number, as upstream does.
struct QuantityVisitor;

impl Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Quantity, E> {
        Quantity::parse(text.trim()).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Quantity, E> {
        Ok(Quantity::units(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Quantity, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Quantity, E> {
        let mut text = Vec::new();
        crate::json::write_float(value, &mut text);
        self.visit_str(&String::from_utf8_lossy(&text))
    }
}

#[cfg(test)]
mod tests;
