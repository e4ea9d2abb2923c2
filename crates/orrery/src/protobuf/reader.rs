//! The protobuf wire format: numbered fields, one after the other.

use super::table::CUT_OFF;

/// A value as it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire<'a> {
    /// A number of any length; negative ones take all 64 bits.
    Number(u64),
    /// Eight bytes.
    Fixed(u64),
    /// Text, bytes, or a message.
    Bytes(&'a [u8]),
}

/// Reads one message.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A message.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The next field, unless the message is over.
    pub fn field(&mut self) -> Result<Option<(u32, Wire<'a>)>, &'static str> {
        let Some(tag) = self.number()? else { return Ok(None) };
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or("illegal tag")?;
        let value = match tag & 7 {
            0 => Wire::Number(self.number()?.ok_or(CUT_OFF)?),
            1 => Wire::Fixed(self.fixed(8)?),
            2 => {
                let length = self.number()?.ok_or(CUT_OFF)?;
                let length = usize::try_from(length).map_err(|_| CUT_OFF)?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Number(self.fixed(4)?),
            _ => return Err("illegal wireType"),
        };
        Ok(Some((number, value)))
    }

    /// A number: seven bits a byte, the lowest first.
    pub fn number(&mut self) -> Result<Option<u64>, &'static str> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(Some(value));
            }
        }
        Err("integer overflow")
    }

    fn fixed(&mut self, length: usize) -> Result<u64, &'static str> {
        let bytes = self.take(length)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Text; what is no UTF-8 becomes question marks.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
