//! The two number forms below a quantity: a scaled 64-bit integer, and a decimal of up to 38 digits.

use super::Format;
use std::cmp::Ordering;
use std::fmt;

/// `value` times ten to the power of `scale`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Small {
    pub value: i64,
    pub scale: i32,
    pub format: Format,
}

/// `unscaled` divided by ten to the power of `scale`.
#[derive(Clone, Debug)]
pub(super) struct Dec {
    pub unscaled: i128,
    pub scale: i32,
    pub format: Format,
}

/// Ten to the power of `n`, where that fits.
fn pow10(n: i32) -> Option<i128> {
    10i128.checked_pow(u32::try_from(n).ok()?)
}

fn scale_up(value: i64, by: i32) -> Option<i64> {
    if value == 0 {
        return Some(0);
    }
    value.checked_mul(10i64.checked_pow(u32::try_from(by).ok()?)?)
}

/// Divides by ten to the power of `by`, away from zero.
fn scale_down(value: i128, by: i32) -> (i128, bool) {
    let Some(divisor) = pow10(by) else { return (value.signum(), value == 0) };
    let exact = value % divisor == 0;
    (value / divisor + if exact { 0 } else { value.signum() }, exact)
}

impl Small {
    pub fn as_i64(self) -> Option<i64> {
        if self.scale < 0 { None } else { scale_up(self.value, self.scale) }
    }

    /// Zero where the result does not fit.
    pub fn scaled(self, scale: i32) -> i64 {
        if self.scale < scale {
            scale_down(self.value.into(), scale.saturating_sub(self.scale)).0 as i64
        } else {
            scale_up(self.value, self.scale.saturating_sub(scale)).unwrap_or(0)
        }
    }

    /// The sum, with this one's format, where it fits the finer of both scales.
    pub fn add(self, other: Small) -> Option<Small> {
        if other.value == 0 {
            return Some(self);
        }
        if self.value == 0 {
            return Some(Small { format: self.format, ..other });
        }
        let scale = self.scale.min(other.scale);
        let a = scale_up(self.value, self.scale.checked_sub(scale)?)?;
        let b = scale_up(other.value, other.scale.checked_sub(scale)?)?;
        Some(Small { value: a.checked_add(b)?, scale, format: self.format })
    }

    pub fn mul(self, factor: i64) -> Option<Small> {
        if self.value == 0 {
            return Some(self);
        }
        if factor == 0 {
            return Some(Small { value: 0, scale: 0, ..self });
        }
        let value = self.value.checked_mul(factor)?;
        if self.scale > 0 {
            scale_up(value, self.scale)?;
        }
        Some(Small { value, ..self })
    }

    pub fn compare(self, other: Small) -> Ordering {
        if self.scale == other.scale {
            return self.value.cmp(&other.value);
        }
        Dec::from(self).compare(&Dec::from(other))
    }

    pub fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Dec::from(self).write(f)
    }
}

impl From<Small> for Dec {
    fn from(small: Small) -> Dec {
        Dec {
            unscaled: small.value.into(),
            scale: small.scale.saturating_neg(),
            format: small.format,
        }
    }
}

impl Dec {
    /// Wraps as upstream does where the result does not fit.
    pub fn scaled(&self, scale: i32) -> i64 {
        let down = self.scale.saturating_add(scale);
        let low = self.unscaled as i64;
        if down <= 0 {
            let factor = 10f64.powi(down.saturating_neg());
            return low.wrapping_mul(if factor < 9.3e18 { factor as i64 } else { i64::MIN });
        }
        // Upstream looks at the size of positive numbers only: a large negative one is cut to 64 bits
        // before it is divided. It also adds the one for the remainder whatever the sign.
        if self.unscaled < i128::from(i64::MAX) && down < 19 {
            let divisor = 10i64.pow(down as u32);
            return low / divisor + i64::from(low % divisor != 0);
        }
        match pow10(down) {
            Some(divisor) => {
                let rest = self.unscaled.rem_euclid(divisor);
                (self.unscaled.div_euclid(divisor) as i64).wrapping_add(i64::from(rest != 0))
            }
            None => i64::from(self.unscaled > 0),
        }
    }

    /// Rounds away from zero to `scale` digits after the point, or adds zeros up to there.
    pub fn round_up(&mut self, scale: i32) {
        if self.scale > scale {
            self.unscaled = scale_down(self.unscaled, self.scale.saturating_sub(scale)).0;
        } else {
            self.unscaled = self.aligned(scale).unwrap_or(self.limit());
        }
        self.scale = scale;
    }

    fn limit(&self) -> i128 {
        if self.unscaled < 0 { -i128::MAX } else { i128::MAX }
    }

    /// The unscaled value at a finer scale, where it fits.
    fn aligned(&self, scale: i32) -> Option<i128> {
        if self.unscaled == 0 {
            return Some(0);
        }
        self.unscaled.checked_mul(pow10(scale.checked_sub(self.scale)?)?)
    }

    pub fn neg(mut self) -> Dec {
        self.unscaled = self.unscaled.saturating_neg();
        self
    }

    pub fn add(&self, other: &Dec, format: Format) -> Dec {
        let scale = self.scale.max(other.scale);
        let a = self.aligned(scale).unwrap_or(self.limit());
        let b = other.aligned(scale).unwrap_or(other.limit());
        Dec { unscaled: a.saturating_add(b), scale, format }
    }

    pub fn mul(mut self, factor: i64) -> Dec {
        self.unscaled = self.unscaled.saturating_mul(factor.into());
        self
    }

    pub fn compare(&self, other: &Dec) -> Ordering {
        let signs = self.unscaled.signum().cmp(&other.unscaled.signum());
        if signs != Ordering::Equal || self.unscaled == 0 {
            return signs;
        }
        let scale = self.scale.max(other.scale);
        match (self.aligned(scale), other.aligned(scale)) {
            (Some(a), Some(b)) => a.cmp(&b),
            // What does not fit when it is written out is the larger in size; never both.
            (None, _) => self.unscaled.signum().cmp(&0),
            (_, None) => 0.cmp(&other.unscaled.signum()),
        }
    }

    fn is_whole(&self) -> bool {
        self.scale <= 0 || scale_down(self.unscaled, self.scale).1
    }

    /// Writes the canonical form.
    pub fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unscaled == 0 {
            return f.write_str("0");
        }
        let kibi = Dec { unscaled: 1024, scale: 0, format: self.format };
        let binary = self.format == Format::BinarySI
            && Dec { unscaled: self.unscaled.saturating_abs(), ..*self }.compare(&kibi)
                != Ordering::Less
            && self.is_whole();
        if binary { self.write_binary(f) } else { self.write_decimal(f) }
    }

    fn write_binary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut whole = Dec { ..*self };
        whole.round_up(0);
        let (mut number, mut thousands) = (whole.unscaled, 0);
        while number % 1024 == 0 {
            number /= 1024;
            thousands += 1;
        }
        const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        write!(f, "{number}{}", SUFFIXES.get(thousands).unwrap_or(&""))
    }

    fn write_decimal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut number, mut exponent) = (self.unscaled, self.scale.saturating_neg());
        while number % 10 == 0 {
            number /= 10;
            exponent += 1;
        }
        let zeros = exponent.rem_euclid(3) as usize;
        exponent -= zeros as i32;
        write!(f, "{number}{}", &"00"[..zeros])?;
        if self.format == Format::DecimalExponent {
            return if exponent == 0 { Ok(()) } else { write!(f, "e{exponent}") };
        }
        f.write_str(match exponent {
            -9 => "n",
            -6 => "u",
            -3 => "m",
            3 => "k",
            6 => "M",
            9 => "G",
            12 => "T",
            15 => "P",
            18 => "E",
            _ => "",
        })
    }
}
