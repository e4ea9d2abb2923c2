//! The same run natively and in wasm (`cargo xtask test --only wasm`): one seed, the same writes at the same times.

#![allow(unsafe_code)]

#[cfg(target_arch = "wasm32")]
mod memory;
mod runs;

use wasm_bindgen_test::wasm_bindgen_test;

/// The trace of the run below, on every machine.
///
/// It changes with any change of behaviour, down to a message or the order of two writes. That is
/// fine if the change was meant: write down the new value, which must come out natively and in wasm.
const TRACE: u64 = 0x426b_64ec_adfc_4c61;

#[wasm_bindgen_test(unsupported = test)]
fn a_run_that_loses_a_node_is_the_same_everywhere() {
    let mut cluster = runs::served(7);
    assert_eq!(cluster.pods_running(), 3);
    runs::lose_a_node(&mut cluster);
    let trace = cluster.trace_hash();
    assert_eq!(trace, TRACE, "the run made other writes: its trace is now {trace:#018x}");
}
