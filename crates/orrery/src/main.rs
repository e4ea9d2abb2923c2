//! The native binary: serve, run, bench.
fn main() {}
