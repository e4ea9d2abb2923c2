//! `intstr.IntOrString`: a count, a port, a port's name or a percentage.

use base::Str;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// A 32-bit number or a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntOrString {
    /// A number.
    Int(i32),
    /// A text: a percentage such as `25%`, or the name of a port.
    Str(Str),
}

/// Why a value is neither number nor percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for IntOrString: {0}")]
pub struct PercentError(String);

impl IntOrString {
    /// A number if the text is one, else the text.
    pub fn parse(text: &str) -> IntOrString {
        text.parse().map_or_else(|_| IntOrString::Str(text.into()), IntOrString::Int)
    }

    /// The number; 0 for a text that is none (`IntValue`).
    pub fn int(&self) -> i32 {
        match self {
            IntOrString::Int(n) => *n,
            IntOrString::Str(text) => text.parse().unwrap_or(0),
        }
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            IntOrString::Int(_) => None,
            IntOrString::Str(text) => Some(text),
        }
    }

    /// The number, or that many percent of `total`, rounded up or down.
    pub fn scaled(&self, total: i64, round_up: bool) -> Result<i64, PercentError> {
        let (value, is_percent) = self.int_or_percent()?;
        if !is_percent {
            return Ok(value);
        }
        let scaled = value as f64 * total as f64 / 100.0;
        Ok(if round_up { scaled.ceil() } else { scaled.floor() } as i64)
    }

    /// The number and whether it is a percentage.
    pub fn int_or_percent(&self) -> Result<(i64, bool), PercentError> {
        let text = match self {
            IntOrString::Int(n) => return Ok(((*n).into(), false)),
            IntOrString::Str(text) => text,
        };
        let Some(number) = text.strip_suffix('%') else {
            return Err(PercentError("invalid type: string is not a percentage".into()));
        };
        match number.parse() {
            Ok(percent) => Ok((percent, true)),
            Err(error) => {
                use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                let problem = match error.kind() {
                    PosOverflow | NegOverflow => "value out of range",
                    _ => "invalid syntax",
                };
                Err(PercentError(format!(
                    "invalid value {text:?}: strconv.Atoi: parsing {number:?}: {problem}"
                )))
            }
        }
    }
}

impl Default for IntOrString {
    fn default() -> IntOrString {
        IntOrString::Int(0)
    }
}

impl From<i32> for IntOrString {
    fn from(value: i32) -> IntOrString {
        IntOrString::Int(value)
    }
}

impl From<&str> for IntOrString {
    fn from(value: &str) -> IntOrString {
        IntOrString::Str(value.into())
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IntOrString::Int(n) => n.fmt(f),
            IntOrString::Str(text) => f.write_str(text),
        }
    }
}

impl Serialize for IntOrString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            IntOrString::Int(n) => serializer.serialize_i32(*n),
            IntOrString::Str(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<IntOrString, D::Error> {
        deserializer.deserialize_any(IntOrStringVisitor)
    }
}

struct IntOrStringVisitor;

impl Visitor<'_> for IntOrStringVisitor {
    type Value = IntOrString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a 32-bit integer or a string")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<IntOrString, E> {
        i32::try_from(value).map(IntOrString::Int).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<IntOrString, E> {
        i32::try_from(value).map(IntOrString::Int).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<IntOrString, E> {
        Ok(IntOrString::Str(value.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, total: i64, up: &str, down: &str) {
        let scaled = |round_up| match IntOrString::parse(text).scaled(total, round_up) {
            Ok(n) => n.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!((&*scaled(true), &*scaled(false)), (up, down), "{text} of {total}");
    }

    #[test]
    fn numbers_stay_as_they_are() {
        check("5", 100, "5", "5");
        check("-2", 0, "-2", "-2");
    }

    #[test]
    fn percentages_round_both_ways() {
        check("25%", 10, "3", "2");
        check("100%", 7, "7", "7");
        check("0%", 7, "0", "0");
        check("-50%", 3, "-1", "-2");
    }

    #[test]
    fn other_texts_are_errors() {
        let start = "invalid value for IntOrString: ";
        let error = format!("{start}invalid type: string is not a percentage");
        check("http", 10, &error, &error);
        let error =
            format!("{start}invalid value \"x%\": strconv.Atoi: parsing \"x\": invalid syntax");
        check("x%", 10, &error, &error);
        let error = format!(
            "{start}invalid value \"99999999999999999999%\": strconv.Atoi: parsing \
             \"99999999999999999999\": value out of range"
        );
        check("99999999999999999999%", 10, &error, &error);
    }

    #[test]
    fn json_is_a_number_or_a_string() {
        let read = |text| serde_json::from_str::<IntOrString>(text).ok();
        assert_eq!(read("8080"), Some(8080.into()));
        assert_eq!(read("\"8080\""), Some("8080".into()));
        assert_eq!(read("2147483648"), None);
        assert_eq!(serde_json::to_string(&IntOrString::from("25%")).unwrap(), "\"25%\"");
    }

    proptest! {
        #[test]
        fn rounding_brackets_the_fraction(percent in 0i64..300, total in 0i64..10_000) {
            let value = IntOrString::Str(format!("{percent}%").into());
            let (up, down) = (value.scaled(total, true).unwrap(), value.scaled(total, false).unwrap());
            prop_assert!(down * 100 <= percent * total && percent * total <= up * 100);
            prop_assert!(up - down <= 1);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,12}") {
            let _ = IntOrString::parse(&text).scaled(3, true);
        }
    }
}
