//! cargo xtask: play, test, build, codegen, tidy, size, cases, bench, golden.
fn main() {}
