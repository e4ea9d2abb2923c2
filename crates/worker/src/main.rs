//! The wasm binary: postMessage to cluster and back.
fn main() {}
