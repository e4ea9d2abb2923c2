//! What the plain values and the containers are made of.

use std::sync::Arc;

use base64::Engine as _;

use base::{List, Str};

use super::{Decode, Look, Map, Mapping, Optional, Sequence, Shaped, Slot};
use crate::int_or_string::IntOrString;
use crate::json::Json;
use crate::quantity::Quantity;
use crate::time::{MicroTime, Time};

macro_rules! leaf {
    ($ty:ty, $value:ident => $look:expr, $slot:ident) => {
        impl Shaped for $ty {
            fn look(&self) -> Look<'_> {
                let $value = self;
                $look
            }
            fn open(&mut self) -> Slot<'_> {
                Slot::$slot(self)
            }
        }
    };
}

leaf!(bool, value => Look::Bool(*value), Bool);
leaf!(i32, value => Look::Int(i64::from(*value)), Int32);
leaf!(i64, value => Look::Int(*value), Int64);
leaf!(f64, value => Look::Float(*value), Float);
leaf!(Str, text => Look::Str(text), Str);
leaf!(Bytes, bytes => Look::Bytes(bytes), Bytes);
leaf!(Json, json => Look::Json(json), Json);
leaf!(Time, time => Look::Time(time), Time);
leaf!(MicroTime, time => Look::MicroTime(time), MicroTime);
leaf!(Quantity, quantity => Look::Quantity(quantity), Quantity);
leaf!(IntOrString, value => Look::IntOrString(value), IntOrString);

/// Bytes that are base64 text in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub List<u8>);

impl Bytes {
    pub(super) fn encoded(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(&self.0)
    }

    pub(super) fn decode(&mut self, text: &str, cx: &mut Decode) {
        let plain: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
        match base64::engine::general_purpose::STANDARD.decode(&plain) {
            Ok(bytes) => self.0 = bytes.into_iter().collect(),
            Err(error) => cx.fail(format!(
                "illegal base64 data at input byte {}",
                match error {
                    base64::DecodeError::InvalidByte(at, _) => at,
                    base64::DecodeError::InvalidLastSymbol { offset, .. } => offset,
                    _ => plain.len() / 4 * 4,
                }
            )),
        }
    }
}

impl Default for Time {
    /// The Unix epoch. Fields that may be unset are `Option<Time>`; this is only where decoding starts.
    fn default() -> Time {
        Time::from(base::Instant(0))
    }
}

impl Default for MicroTime {
    /// The Unix epoch, as for [`Time`].
    fn default() -> MicroTime {
        MicroTime::from(base::Instant(0))
    }
}

impl<T: Shaped + Default> Shaped for Option<T> {
    fn look(&self) -> Look<'_> {
        match self {
            Some(value) => Look::Set(value),
            None => Look::Unset,
        }
    }
    fn open(&mut self) -> Slot<'_> {
        Slot::Optional(self)
    }
}

impl<T: Shaped + Default> Optional for Option<T> {
    fn clear(&mut self) {
        *self = None;
    }
    fn fill(&mut self) -> &mut dyn Shaped {
        self.get_or_insert_default()
    }
}

impl<T: Shaped> Shaped for Box<T> {
    fn look(&self) -> Look<'_> {
        (**self).look()
    }
    fn open(&mut self) -> Slot<'_> {
        (**self).open()
    }
}

impl<T: Shaped + Clone> Shaped for Arc<T> {
    fn look(&self) -> Look<'_> {
        (**self).look()
    }
    /// Shorter than `Arc::make_mut`, which has a way of its own where only weak pointers are left.
    fn open(&mut self) -> Slot<'_> {
        if Arc::get_mut(self).is_none() {
            *self = Arc::new(T::clone(self));
        }
        Arc::get_mut(self).expect("a fresh copy has one owner").open()
    }
}

impl<T: Shaped + Default> Shaped for List<T> {
    fn look(&self) -> Look<'_> {
        Look::List(self)
    }
    fn open(&mut self) -> Slot<'_> {
        Slot::List(self)
    }
}

impl<T: Shaped + Default> Sequence for List<T> {
    fn count(&self) -> usize {
        self.len()
    }
    fn item(&self, index: usize) -> &dyn Shaped {
        &self[index]
    }
    fn restart(&mut self, capacity: usize) {
        self.clear();
        self.reserve_exact(capacity);
    }
    fn add(&mut self) -> &mut dyn Shaped {
        self.push(T::default());
        let last = self.len() - 1;
        &mut self[last]
    }
}

impl<V: Shaped + Default> Shaped for Map<V> {
    fn look(&self) -> Look<'_> {
        Look::Map(self)
    }
    fn open(&mut self) -> Slot<'_> {
        Slot::Map(self)
    }
}

impl<V: Shaped + Default> Mapping for Map<V> {
    fn count(&self) -> usize {
        self.len()
    }
    fn entry(&self, index: usize) -> (&Str, &dyn Shaped) {
        let (key, value) = &self.0[index];
        (key, value)
    }
    fn empty(&mut self) {
        self.0.clear();
    }
    fn expect(&mut self, entries: usize) {
        self.0.reserve_exact(entries);
    }
    fn add(&mut self, key: Str) -> (&mut dyn Shaped, bool) {
        let (at, again) = self.place(key, V::default());
        (&mut self.0[at].1, again.is_some())
    }
}
