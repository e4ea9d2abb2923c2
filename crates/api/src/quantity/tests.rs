//! Reading, writing and reckoning with quantities.

use super::*;
use proptest::prelude::*;

fn q(text: &str) -> Quantity {
    Quantity::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn check(text: &str, canonical: &str, value: i64, milli: i64) {
    let q = q(text);
    let got = (q.to_string(), q.value(), q.milli_value());
    assert_eq!(got, (canonical.into(), value, milli), "parsing {text:?}");
}

#[test]
fn texts_become_canonical() {
    check("0", "0", 0, 0);
    check("0.5", "500m", 1, 500);
    check("1000m", "1", 1, 1000);
    check("2048Mi", "2Gi", 2147483648, 2147483648000);
    check("1.25Gi", "1280Mi", 1342177280, 1342177280000);
    check("1000Ki", "1000Ki", 1024000, 1024000000);
    check("3000000", "3M", 3000000, 3000000000);
    check("1e4", "10e3", 10000, 10000000);
    check("100n", "100n", 1, 1);
    check("0.1n", "1n", 1, 1);
    check("512", "512", 512, 512000);
    check("1023.5Ki", "1048064", 1048064, 1048064000);
}

#[test]
fn some_texts_come_back_as_they_are() {
    check("+7", "+7", 7, 7000);
    check("1.234M", "1.234M", 1234000, 1234000000);
    check("007", "007", 7, 7000);
    check("1E3", "1E3", 1000, 1000000);
    check("05Mi", "05Mi", 5242880, 5242880000);
    let mut sum = q("+7");
    sum.add(&q("0"));
    assert_eq!(sum.to_string(), "7", "a sum is written anew");
}

#[test]
fn numbers_that_do_not_fit_give_what_upstream_gives() {
    check("20E", "20E", 0, 0);
    check("8Ei", "9223372036854775807", i64::MAX, -1000);
    check("5E", "5E", 5_000_000_000_000_000_000, 0);
    check("1e100", "10e99", 0, 0);
}

#[test]
fn malformed_texts_are_refused() {
    let fails = |text: &str, error| assert_eq!(Quantity::parse(text).err(), Some(error), "{text}");
    for text in ["", "one", "1 Gi", "1,5", "1.2.3", "0x1", "1_000", "1Gib"] {
        fails(text, QuantityError::FormatWrong);
    }
    for text in ["1K", "1e", "1mi", "1ki", "1MM", "1e99999999999999999999"] {
        fails(text, QuantityError::Suffix);
    }
    fails("e-10", QuantityError::Numeric);
    assert_eq!(
        QuantityError::FormatWrong.to_string(),
        "quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    );
}

#[test]
fn sums_keep_the_first_format() {
    let sum = |a: &str, b: &str, add: &str, sub: &str| {
        let (mut plus, mut minus) = (q(a), q(a));
        plus.add(&q(b));
        minus.sub(&q(b));
        assert_eq!((plus.to_string(), minus.to_string()), (add.into(), sub.into()), "{a} and {b}");
    };
    sum("1Gi", "1G", "2073741824", "73741824");
    sum("250m", "750m", "1", "-500m");
    sum("0", "2Mi", "2Mi", "-2Mi");
    sum("1Mi", "512Ki", "1536Ki", "512Ki");
    sum("9E", "9E", "18E", "0");
    sum("1.5Gi", "0.5Gi", "2Gi", "1Gi");
}

#[test]
fn products_and_negatives() {
    let product = |a: &str, factor, expected: &str| {
        let mut product = q(a);
        product.mul_i64(factor);
        assert_eq!(product.to_string(), expected, "{a} * {factor}");
    };
    product("250m", 4, "1");
    product("1Gi", 3, "3Gi");
    product("9E", 10, "90E");
    product("5", 0, "0");
    let mut minus = q("100m");
    minus.neg();
    assert_eq!((minus.to_string(), minus.sign()), ("-100m".into(), -1));
}

#[test]
fn order_is_that_of_the_numbers() {
    let sorted =
        ["-1e50", "-2Gi", "-1", "0", "1n", "999m", "1", "1Ki", "1e9", "1Gi", "7Ei", "1e50"];
    for (i, a) in sorted.iter().enumerate() {
        for (j, b) in sorted.iter().enumerate() {
            assert_eq!(q(a).cmp(&q(b)), i.cmp(&j), "{a} {b}");
        }
    }
    assert_eq!(q("1000m"), q("1"));
    assert_eq!(q("1.5Gi"), q("1536Mi"));
}

#[test]
fn a_quantity_takes_sixteen_bytes() {
    assert_eq!(size_of::<Quantity>(), 16);
    assert_eq!(size_of::<Option<Quantity>>(), 16);
}

#[test]
fn bare_numbers_are_read_too() {
    let read = |text| serde_json::from_str::<Quantity>(text).unwrap().to_string();
    assert_eq!((read("5"), read("0.5"), read("\"5\"")), ("5".into(), "500m".into(), "5".into()));
}

proptest! {
    #[test]
    fn canonical_text_reads_back(number in any::<i64>(), scale in -9i32..=18) {
        for format in [Format::DecimalSI, Format::BinarySI, Format::DecimalExponent] {
            let value = if format == Format::DecimalSI { number >> 8 } else { number };
            let small = Small { value, scale: if value == number { 0 } else { scale.min(0) }, format };
            let quantity = Quantity(Repr::Small(small));
            prop_assert_eq!(Quantity::parse(&quantity.to_string()).unwrap(), quantity);
        }
    }

    #[test]
    fn sums_of_whole_numbers_are_exact(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000) {
        let mut sum = Quantity::millis(a);
        sum.add(&Quantity::millis(b));
        prop_assert_eq!(sum.milli_value(), a + b);
        sum.sub(&Quantity::millis(b));
        prop_assert_eq!(&sum, &Quantity::millis(a));
        prop_assert_eq!(Quantity::millis(a).cmp(&Quantity::millis(b)), a.cmp(&b));
        prop_assert_eq!(Quantity::units(a).cmp(&Quantity::millis(b)), (a * 1000).cmp(&b));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-+]?[0-9]{0,45}[.]?[0-9]{0,12}(n|u|m|k|M|E|Ki|Ei|e-?[0-9]{1,12})?") {
        if let Ok(mut a) = Quantity::parse(&text) {
            let other = Quantity::parse("1.5Gi").unwrap();
            let _ = (a.to_string(), a.value(), a.milli_value(), a.cmp(&other), a.as_f64());
            a.add(&other);
            a.sub(&Quantity::ZERO);
            a.mul_i64(-3);
            a.neg();
            let _ = a.to_string();
        }
    }

    #[test]
    fn arbitrary_text_does_not_make_it_panic(text in ".{0,12}") {
        let _ = Quantity::parse(&text);
    }
}
