//! Every API kind as a compact Rust type, with quantities, selectors, schema tables and the JSON codec.

pub mod codec;
pub mod cron;
pub mod custom;
pub mod expansion;
pub mod generated;
mod go_types;
pub mod hash;
pub mod int_or_string;
pub mod json;
pub mod names;
pub mod node_fit;
pub mod object;
pub mod patch;
pub mod placed;
pub mod qos;
pub mod quantity;
pub mod quota;
pub mod schema;
pub mod selector;
pub mod time;
pub mod wire;

pub use codec::{Bytes, Decode, Map, Record, Shaped, Value};
pub use custom::Custom;
pub use generated::*;
pub use json::Json;
pub use object::{Key, Kind, KindInfo, Object, Resource};
pub use placed::PlacedSpec;
pub use quantity::Quantity;
