//! The random streams, natively and in wasm (`cargo xtask test --only wasm`): one seed, the same numbers.

use base::Rng;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test(unsupported = test)]
fn one_seed_gives_the_same_bits_everywhere() {
    let mut rng = Rng::stream(7, "scheduler");
    assert_eq!(
        [rng.next_u64(), rng.next_u64(), rng.next_u64()],
        [0xdf8e_03e6_70e1_22da, 0x712f_b97d_d6d3_7dcf, 0xbb96_d13e_6836_6e87]
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn one_seed_gives_the_same_choices_everywhere() {
    let mut rng = Rng::stream(7, "kubelet");
    let choices: Vec<i64> = (0..8).map(|_| rng.between(-50, 50)).collect();
    assert_eq!(choices, [15, 27, -27, -10, -33, 14, 35, -8]);
    assert_eq!(rng.fraction().to_bits(), 0x3fea_91e7_59f7_d63b);
}
