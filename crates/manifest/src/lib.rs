//! Multi-document YAML with positions, read and written as `kubectl` does; the only user of
//! serde_yaml.
//!
//! [`documents`] walks the documents of one text in order, as `kubectl apply -f` does: a document
//! that cannot be read leaves those before it untouched. Every [`Document`] keeps its text, so that
//! a field path of a later API error can still be shown at its place. [`to_yaml`] writes an object
//! back.
//!
//! Invariants: no input makes this crate panic, and the work for a text of `n` bytes is bounded by
//! a small multiple of `n` whatever its aliases expand to.

mod chunk;
mod document;
mod emit;
mod error;
mod guard;
mod locate;
mod scalar;
mod tree;

pub use document::{Document, Documents, documents, parse, parse_strict};
pub use emit::to_yaml;
pub use error::Error;
pub use locate::{Located, Position};
pub use tree::Duplicate;

/// The longest text that is read, in bytes: the limit of an API request body.
pub const TEXT_BYTES_MAX: usize = 3 * 1024 * 1024;
