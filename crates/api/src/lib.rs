//! Every API kind as a compact Rust type, with quantities, selectors, schema tables and the JSON codec.
