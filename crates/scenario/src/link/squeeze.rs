//! Deflate against a preset dictionary, so that a short manifest is a short link.
//!
//! The library has no call for a preset dictionary. Packing feeds it the dictionary first and drops
//! what comes out up to a flush; unpacking lets it write behind a copy of the dictionary, which it
//! may then refer to.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// What links tend to hold. It belongs to version 1 of the format and never changes.
const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");

const LEVEL: i32 = 10;
/// Raw deflate, without a header.
const WINDOW_BITS: i32 = -15;

/// Packs bytes.
pub(super) fn pack(data: &[u8]) -> Vec<u8> {
    let flags = create_comp_flags_from_zip_params(LEVEL, WINDOW_BITS, 0);
    let mut compressor = CompressorOxide::new(flags);
    let (status, _) = compress_to_output(&mut compressor, DICTIONARY, TDEFLFlush::Sync, |_| true);
    assert_eq!(status, TDEFLStatus::Okay, "the dictionary is taken whole");
    let mut out = Vec::new();
    let (status, _) = compress_to_output(&mut compressor, data, TDEFLFlush::Finish, |bytes| {
        out.extend_from_slice(bytes);
        true
    });
    assert_eq!(status, TDEFLStatus::Done, "the data is taken whole");
    out
}

/// Unpacks what [`pack`] made, up to `max` bytes.
pub(super) fn unpack(packed: &[u8], max: usize) -> Result<Vec<u8>, &'static str> {
    let start = DICTIONARY.len();
    let mut out = DICTIONARY.to_vec();
    let (mut read, mut written) = (0, start);
    let mut decompressor = DecompressorOxide::new();
    loop {
        let room = out.len().max(8 * 1024).min(start + max + 1 - out.len());
        out.resize(out.len() + room, 0);
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, took, gave) =
            decompress(&mut decompressor, &packed[read..], &mut out, written, flags);
        read += took;
        written += gave;
        if written - start > max {
            return Err("it unpacks to too much");
        }
        match status {
            TINFLStatus::Done if read == packed.len() => break,
            TINFLStatus::HasMoreOutput if written == out.len() => {}
            _ => return Err("it cannot be unpacked"),
        }
    }
    out.truncate(written);
    Ok(out.split_off(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_dictionary_is_that_of_version_1() {
        let hash = DICTIONARY.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(
            (DICTIONARY.len(), hash),
            (5_349, 17_024_495_360_906_608_286),
            "old links would no longer open"
        );
    }

    #[test]
    fn what_the_dictionary_holds_packs_to_almost_nothing() {
        let part = &DICTIONARY[DICTIONARY.len() - 400..];
        assert!(pack(part).len() < 20, "{}", pack(part).len());
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let packed = pack(&vec![b'x'; 50_000_000]);
        assert!(packed.len() < 100_000);
        assert_eq!(unpack(&packed, 1 << 20), Err("it unpacks to too much"));
    }

    #[test]
    fn exactly_the_limit_fits() {
        for size in [0, 1, 8 * 1024, 100_000] {
            let data: Vec<u8> = (0..size).map(|i| (i * i % 251) as u8).collect();
            assert_eq!(unpack(&pack(&data), size).as_deref(), Ok(&data[..]));
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_unpacks(data in prop::collection::vec(any::<u8>(), 0..5_000)) {
            prop_assert_eq!(unpack(&pack(&data), 5_000), Ok(data));
        }

        #[test]
        fn no_bytes_make_it_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(out) = unpack(&data, 10_000) {
                prop_assert!(out.len() <= 10_000);
            }
        }
    }
}
