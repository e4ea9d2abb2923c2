//! What `emit` promises, as tests.

use super::*;
use crate::parse_strict;
use proptest::prelude::*;

fn check(json: &str, expected: &str) {
    let value = Json::parse(json.as_bytes()).expect("the test's own JSON");
    assert_eq!(to_yaml(&value), expected);
}

/// How one string value is written behind its key.
fn check_text(text: &str, expected: &str) {
    let value: Json = [(Str::from("k"), Json::str(text))].into_iter().collect();
    let yaml = to_yaml(&value);
    assert_eq!(yaml, format!("k: {expected}\n"), "writing {text:?}");
    assert_eq!(parse_strict(&yaml).expect("own output")[0].value, value, "reading {yaml:?}");
}

#[test]
fn lists_stand_at_the_indent_of_their_key() {
    check(
        r#"{"spec":{"containers":[{"name":"a","args":["x","y"],"env":[]},{"name":"b","resources":{}}]}}"#,
        "spec:\n  containers:\n  - args:\n    - x\n    - \"y\"\n    env: []\n    name: a\n  - name: b\n    resources: {}\n",
    );
    check(r#"[[1,[2]],[],{"a":[{}]}]"#, "- - 1\n  - - 2\n- []\n- a:\n  - {}\n");
    check("{}", "{}\n");
    check("[]", "[]\n");
    check("null", "null\n");
    check("\"x\"", "x\n");
}

#[test]
fn texts_that_mean_something_else_are_double_quoted() {
    for text in [
        "",
        "true",
        "no",
        "y",
        "On",
        "null",
        "~",
        "123",
        "0644",
        "1.5",
        "1e3",
        "0x1f",
        "1_000",
        ".inf",
        "2026-11-22T14:13:05Z",
        "2026-1-2",
        "12:30",
        "190:20:30.15",
        "<<",
    ] {
        check_text(text, &format!("\"{text}\""));
    }
}

#[test]
fn ordinary_texts_are_bare() {
    for text in [
        "nginx:1.27",
        "100m",
        "1.2.3",
        "-c",
        "a b",
        "a:b",
        "a#b",
        "/var/run",
        "it's",
        "x=\"1\"",
        "1.36.2",
        "a, b",
        "a [b]",
        "containerd://47f3642b",
        "aHVudGVyMg==",
        "é",
        "10.0.0.1",
        "*.example".get(1..).unwrap(),
    ] {
        check_text(text, text);
    }
}

#[test]
fn indicators_are_single_quoted() {
    for text in [
        "a: b", "a #b", "#x", "*", "&x", "!x", "|", ">", "%x", "@x", "`x", "[x]", "{x}", ",x",
        "- x", "-", "? x", "x:", "---", "--- x", "...", " x", "x ", "\"x\"",
    ] {
        check_text(text, &format!("'{text}'"));
    }
    check_text("'x'", "'''x'''");
}

#[test]
fn control_characters_tabs_and_emoji_are_escaped() {
    check_text("a\tb", "\"a\\tb\"");
    check_text("a\u{1}\u{7f}\r", "\"a\\x01\\x7F\\r\"");
    check_text("😀 \"x\\", "\"\\U0001F600 \\\"x\\\\\"");
    check_text("\u{feff}", "\"\\uFEFF\"");
}

#[test]
fn several_lines_are_a_literal() {
    check_text("a\nb\n", "|\n  a\n  b");
    check_text("a\nb", "|-\n  a\n  b");
    check_text("a\n\nb\n\n", "|+\n  a\n\n  b\n");
    check_text("  a\n b\n", "|2\n    a\n   b");
    check_text("\na", "|2-\n\n  a");
    check_text("\n", "|2+\n");
}

#[test]
fn lines_that_end_in_spaces_or_hold_tabs_are_quoted_whole() {
    check_text("a \nb\n", "\"a \\nb\\n\"");
    check_text("a\n\tb\n", "\"a\\n\\tb\\n\"");
    check_text("a\nb ", "\"a\\nb \"");
}

#[test]
fn a_literal_that_keeps_its_end_is_followed_at_once() {
    check(r#"{"a":"x\n\n","b":["y\n",1]}"#, "a: |+\n  x\n\nb:\n- |\n  y\n- 1\n");
}

#[test]
fn long_lines_fold_at_the_first_space_after_column_80() {
    check(
        r#"{"metadata":{"annotations":{"kubernetes.io/limit-ranger":"LimitRanger plugin set: cpu request for container hostnames"}}}"#,
        "metadata:\n  annotations:\n    kubernetes.io/limit-ranger: 'LimitRanger plugin set: cpu request for container\n      hostnames'\n",
    );
    let word = "x".repeat(130);
    check_text(&format!("{word}: .s"), &format!("'{word}:\n  .s'"));
    check_text(&format!("{word} y  z"), &format!("{word}\n  y  z"));
    check_text(&format!("{word}\t  y z"), &format!("\"{word}\\t\n  \\ y z\""));
}

#[test]
fn long_keys_get_a_question_mark() {
    let key = "k".repeat(129);
    check(&format!("{{\"{key}\":{{\"b\":1,\"c\":2}}}}"), &format!("? {key}\n: b: 1\n  c: 2\n"));
    check("{\"a\\nb\":[1]}", "? |-\n  a\n  b\n: - 1\n");
}

#[test]
fn numbers_are_written_as_go_does() {
    check(
        r#"{"a":1,"b":-0.5,"c":1e21,"d":1234567.5,"e":3.0,"f":0.00001}"#,
        "a: 1\nb: -0.5\nc: 1e+21\nd: 1.2345675e+06\ne: 3\nf: 1e-05\n",
    );
}

#[test]
fn keys_are_sorted_with_numbers_by_value() {
    let order = |keys: &[&str]| {
        let value: Json = keys.iter().rev().map(|k| (Str::from(*k), Json::Null)).collect();
        let yaml = to_yaml(&value);
        let got: Vec<&str> = yaml.lines().map(|l| l.strip_suffix(": null").unwrap_or(l)).collect();
        assert_eq!(got, keys);
    };
    order(&["a1", "a2", "a10", "b"]);
    order(&["a.b", "a/b", "aB", "ab", "abc"]);
    order(&["A", "Z", "a"]);
}

#[test]
fn of_repeated_keys_the_last_is_written() {
    check(r#"{"a":1,"b":2,"a":3}"#, "a: 3\nb: 2\n");
}

/// Answers of `kubectl get -o yaml` recorded from a v1.36.2 cluster.
#[test]
fn recorded_objects_are_written_byte_for_byte() {
    let recorded = include_str!("recorded.yaml");
    for text in recorded.split_inclusive("---\n") {
        let text = text.trim_end_matches("---\n");
        assert_eq!(to_yaml(&parse_strict(text).unwrap()[0].value), text);
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}",
        "[ -~\n\t]{0,20}",
        "[-+0-9_:.eExob]{0,8}",
        "[a ]{60,140}",
        "([a-z]{1,3}[ \n]){0,40}",
        prop::sample::select(vec![
            "yes",
            "off",
            "~",
            "",
            "2026-01-02",
            "0o7",
            "<<",
            "---",
            "...",
            "\n",
            "- a"
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::Int),
        (-1.0e9..1.0e9f64).prop_filter("a fraction", |n| n.fract() != 0.0).prop_map(Json::Float),
        any_text().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 48, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            prop::collection::btree_map(any_text(), inner, 0..5)
                .prop_map(|map| map.into_iter().map(|(k, v)| (Str::from(k), v)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(value in any_json()) {
        let yaml = to_yaml(&value);
        let back = parse_strict(&yaml);
        prop_assert!(back.is_ok(), "{:?} for\n{yaml}", back.unwrap_err());
        let back = back.unwrap().into_iter().next().map_or(Json::Null, |d| d.value);
        prop_assert_eq!(back, value, "{}", yaml);
    }

    #[test]
    fn any_keys_can_be_sorted(keys in prop::collection::vec("[0-2x.]{0,4}", 0..60)) {
        let value: Json = keys.into_iter().map(|k| (Str::from(k), Json::Null)).collect();
        to_yaml(&value);
    }
}
