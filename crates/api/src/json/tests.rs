//! Reading, writing and comparing documents.

use super::*;
use proptest::prelude::*;

fn check(text: &str, expected: &str) {
    let got = match Json::parse(text.as_bytes()) {
        Ok(value) => value.to_string(),
        Err(error) => format!("{}:{} {error}", error.line, error.column),
    };
    assert_eq!(got, expected, "reading {text:?}");
}

#[test]
fn scalars_read_and_write_as_in_go() {
    check("null", "null");
    check(" true ", "true");
    check("-0", "0");
    check("9223372036854775807", "9223372036854775807");
    check("9223372036854775808", "9223372036854776000");
    check("1.0", "1");
    check("1e21", "1e+21");
    check("0.0000001", "1e-7");
    check("0.000001", "0.000001");
    check("123456789.125", "123456789.125");
    check("\"a<b>&\\u2028\\n\\u0001\\u00e9\\/\"", "\"a\\u003cb\\u003e\\u0026\\u2028\\n\\u0001é/\"");
}

#[test]
fn order_and_repeated_keys_are_kept() {
    check("{ \"b\" : 1 , \"a\" : [ ] , \"b\" : {} }", "{\"b\":1,\"a\":[],\"b\":{}}");
}

#[test]
fn errors_read_as_in_go() {
    check("", "1:1 unexpected end of JSON input");
    check("x", "1:1 invalid character 'x' looking for beginning of value");
    check("{\"a\":1,}", "1:8 invalid character '}' looking for beginning of object key string");
    check("{\"a\" 1}", "1:6 invalid character '1' after object key");
    check("{\"a\":1 \"b\"}", "1:8 invalid character '\"' after object key:value pair");
    check("[1,]", "1:4 invalid character ']' looking for beginning of value");
    check("[1 2]", "1:4 invalid character '2' after array element");
    check("01", "1:2 invalid character '1' after top-level value");
    check("tru", "1:4 unexpected end of JSON input");
    check("trux", "1:4 invalid character 'x' in literal true (expecting 'e')");
    check("-x", "1:2 invalid character 'x' in numeric literal");
    check("1.x", "1:3 invalid character 'x' after decimal point in numeric literal");
    check("1e+", "1:4 unexpected end of JSON input");
    check("\"\n\"", "1:2 invalid character '\\n' in string literal");
    check("\"\\x\"", "1:3 invalid character 'x' in string escape code");
    check("\"\\u12g4\"", "1:6 invalid character 'g' in \\u hexadecimal character escape");
    check("[\n  1,\n  y]", "3:3 invalid character 'y' looking for beginning of value");
}

#[test]
fn half_a_surrogate_pair_is_replaced() {
    check("\"\\ud83d\\ude00\"", "\"😀\"");
    check("\"\\ud83dx\"", "\"\u{fffd}x\"");
    check("\"\\ud83d\\u0041\"", "\"\u{fffd}A\"");
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    assert_eq!(Json::parse(b"\"a\xff\"").unwrap(), Json::str("a\u{fffd}"));
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    assert!(Json::parse("[".repeat(DEPTH_MAX).as_bytes()).is_err());
    let error = Json::parse("[".repeat(100_000).as_bytes()).unwrap_err();
    assert_eq!(error.message, "exceeded max depth");
    let fits = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
    assert!(Json::parse(fits.as_bytes()).is_ok());
}

#[test]
fn equality_ignores_the_order_of_fields_only() {
    let same = |a: &str, b: &str| Json::parse(a.as_bytes()) == Json::parse(b.as_bytes());
    assert!(same("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"));
    assert!(same("{\"a\":0,\"a\":1}", "{\"a\":1}"));
    assert!(!same("{\"a\":1}", "{\"a\":1,\"b\":2}"));
    assert!(!same("{\"a\":1,\"b\":2}", "{\"a\":1}"));
    assert!(!same("[1,2]", "[2,1]"));
}

#[test]
fn lines_are_indented_by_four() {
    let value = Json::parse(b"{\"a\":[1,{}],\"b\":{\"c\":[]}}").unwrap();
    let expected = "{\n    \"a\": [\n        1,\n        {}\n    ],\n    \"b\": {\n        \"c\": []\n    }\n}";
    assert_eq!(value.pretty(), expected);
}

#[test]
fn fields_are_set_taken_and_sorted() {
    let mut value = Json::parse(b"{\"b\":1,\"a\":2,\"b\":3}").unwrap();
    value.set("a", "x");
    value.entry("c").set("d", true);
    assert_eq!(value.clone().sorted().to_string(), "{\"a\":\"x\",\"b\":3,\"c\":{\"d\":true}}");
    assert_eq!(value.remove("b"), Some(Json::Int(3)));
    assert_eq!(value.get("b"), None);
    assert_eq!(value.at(&["c", "d"]), Some(&Json::Bool(true)));
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::Int),
        ".{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            prop::collection::vec((".{0,4}".prop_map(Str::from), inner), 0..5)
                .prop_map(Json::Object),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(value in any_json()) {
        prop_assert_eq!(&Json::parse(value.to_string().as_bytes()).unwrap(), &value);
        prop_assert_eq!(&Json::parse(value.pretty().as_bytes()).unwrap(), &value);
        let text = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Json>(&text).unwrap(), &value);
    }

    #[test]
    fn floats_read_back(n in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
        let text = Json::Float(n).to_string();
        prop_assert_eq!(Json::parse(text.as_bytes()).unwrap().as_f64(), Some(n));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let ours = Json::parse(&bytes);
        if serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() {
            prop_assert!(ours.is_ok());
        }
    }
}
