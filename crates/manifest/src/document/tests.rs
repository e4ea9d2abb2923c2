//! What `document` promises, as tests.

use super::*;
use crate::to_yaml;
use proptest::prelude::*;

/// Reads a text; documents as compact JSON, errors as `line:column words`.
fn check(text: &str, expected: &str) {
    assert_eq!(outcome(documents(text)), expected, "reading {text:?}");
}

fn check_strict(text: &str, expected: &str) {
    assert_eq!(
        outcome(Documents { strict: true, ..documents(text) }),
        expected,
        "reading {text:?}"
    );
}

fn outcome(documents: Documents) -> String {
    let each = documents.map(|result| match result {
        Ok(document) => document.value.to_string(),
        Err(error) => match error.position() {
            Some(at) => format!("{at} {error}"),
            None => error.to_string(),
        },
    });
    each.collect::<Vec<_>>().join(" | ")
}

#[test]
fn scalars_have_their_yaml_1_1_meaning() {
    check("[yes, No, on, OFF, y, n, true]", "[true,false,true,false,true,false,true]");
    check("[0644, 0o644, 0b11, 0x1F, 1_000, 1.50, 1e3]", "[420,420,3,31,1000,1.5,1000]");
    check(
        "[~, null, , 'x']",
        "1:11 error converting YAML to JSON: yaml: did not find expected node content",
    );
    check("a:\nb: ~\nc: null\n", r#"{"a":null,"b":null,"c":null}"#);
    check("[2026-01-02, 12:30, 1.2.3, 100m]", r#"["2026-01-02","12:30","1.2.3","100m"]"#);
}

#[test]
fn quotes_make_text() {
    check(
        r#"["yes", 'no', "0644", '1', "~", "", "a\\yes", "\x41"]"#,
        r#"["yes","no","0644","1","~","","a\\yes","A"]"#,
    );
    check("a: |\n  yes\nb: >-\n  0644\n", r#"{"a":"yes\n","b":"0644"}"#);
    check("[!!str yes, !!str 0644, &x !!str on, !!int \"3\"]", r#"["yes","0644","on",3]"#);
    check("a: yes # a comment\nb: &x off\nc: *x\n", r#"{"a":true,"b":false,"c":false}"#);
}

#[test]
fn keys_become_text() {
    check("yes: 1\n0644: 2\n1.5: 3\n'no': 4\n5: 5\n", r#"{"true":1,"420":2,"1.5":3,"no":4,"5":5}"#);
    check(
        "~: 1\n",
        "1:1 error converting YAML to JSON: unsupported map key of type: %!s(<nil>), key: <nil>",
    );
}

#[test]
fn a_template_left_in_is_named_as_upstream_does() {
    check(
        "a: 1\nb: {{ .Values.x }}\n",
        "2:5 error converting YAML to JSON: yaml: invalid map key: map[interface {}]interface {}{\".Values.x\":interface {}(nil)}",
    );
}

#[test]
fn documents_are_cut_at_separators_and_empty_ones_skipped() {
    check("# top\n---\na: 1\n---\n# only a comment\n---\nb: 2\n", r#"{"a":1} | {"b":2}"#);
    check("---\n---\n", "");
    check("", "");
    check("a: |\n  x\n  ---\nb: 1\n", r#"{"a":"x\n---\n","b":1}"#);
    check("a: 1\r\n---\r\nb: 2\r\n", r#"{"a":1} | {"b":2}"#);
    check("a: 1\n--- x\nb: 2\n", "2:1 invalid Yaml document separator: x | {\"b\":2}");
}

#[test]
fn an_error_leaves_the_documents_around_it() {
    check(
        "a: 1\n---\nb: [\n---\nc: 3\n",
        "{\"a\":1} | 4:1 error converting YAML to JSON: yaml: line 1: did not find expected node content | {\"c\":3}",
    );
}

#[test]
fn errors_read_like_kubectl() {
    // The first is a recorded answer of kubectl.
    check(
        "apiVersion: v1\nkind: [unclosed\n",
        "3:1 error converting YAML to JSON: yaml: line 2: did not find expected ',' or ']'",
    );
    check(
        "a: 1\nb: c: d\n",
        "2:5 error converting YAML to JSON: yaml: line 2: mapping values are not allowed in this context",
    );
    check(
        "a:\n  b: 1\n c: 2\n",
        "3:2 error converting YAML to JSON: yaml: line 2: did not find expected key",
    );
    check(
        "a: @x\n",
        "1:4 error converting YAML to JSON: yaml: found character that cannot start any token",
    );
    check(
        "a: 1\nb:\n\t- x\n",
        "3:1 error converting YAML to JSON: yaml: line 3: found character that cannot start any token",
    );
    check("a: *x\n", "1:4 error converting YAML to JSON: yaml: unknown anchor 'x' referenced");
    check(
        "a: \u{1}\n",
        "1:4 error converting YAML to JSON: yaml: control characters are not allowed",
    );
    check("a: .inf\n", "1:4 error converting YAML to JSON: json: unsupported value: +Inf");
    let error = parse("a: 1\nb: c: d\n").unwrap_err();
    assert_eq!(error.reason(), "mapping values are not allowed in this context");
    assert_eq!(
        error.in_file("d.yaml"),
        "error parsing d.yaml: error converting YAML to JSON: yaml: line 2: mapping values are not allowed in this context"
    );
}

#[test]
fn repeated_keys_are_noted_and_the_last_counts() {
    let text = "# x\n---\na: 1\nb:\n  c: 1\n  c: 2\n'a': 3\n";
    check(text, r#"{"a":3,"b":{"c":2}}"#);
    let document = &parse(text).unwrap()[0];
    let places: Vec<String> =
        document.duplicates.iter().map(|d| format!("{} {}", d.key, d.position)).collect();
    assert_eq!(places, ["c 6:3", "a 7:2"]);
    check_strict(
        text,
        "6:3 error converting YAML to JSON: yaml: unmarshal errors:\n  line 4: key \"c\" already set in map\n  line 5: key \"a\" already set in map",
    );
    let many: String = (0..40).map(|i| format!("k{i}: 1\n")).collect();
    assert_eq!(parse(&format!("{many}k7: 2\n")).unwrap()[0].duplicates.len(), 1);
    assert_eq!(parse(&"a: 1\n".repeat(500_000)).unwrap()[0].duplicates.len(), 64);
}

#[test]
fn anchors_and_merge_keys_are_expanded() {
    check(
        "base: &b {u: 1, v: 2}\nc:\n  <<: *b\n  v: 3\n",
        r#"{"base":{"u":1,"v":2},"c":{"u":1,"v":3}}"#,
    );
    check("a:\n  <<: [{u: 1}, {u: 2, v: 3}]\n", r#"{"a":{"u":1,"v":3}}"#);
    check_strict("a:\n  <<: {x: 1}\n  x: 2\n", r#"{"a":{"x":2}}"#);
    check("a: {'<<': 1}\n", r#"{"a":{"\u003c\u003c":1}}"#);
    check(
        "a:\n  <<: 1\n",
        "2:3 error converting YAML to JSON: yaml: map merge requires map or sequence of maps as the value",
    );
}

#[test]
fn json_is_yaml_and_keeps_repeated_keys() {
    check("{\"a\": 1, \"a\": \"\\ud83d\\ude00\"}", r#"{"a":1,"a":"😀"}"#);
    check("{\n  \"a\": [1, 2],\n\t\"b\": {}\n}\n", r#"{"a":[1,2],"b":{}}"#);
    check("{a: yes}", r#"{"a":true}"#);
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let before = format!("*a{}", i - 1);
        bomb.push_str(&format!("a{i}: &a{i} [{}]\n", vec![before; 9].join(", ")));
    }
    let error = parse(&bomb).unwrap_err();
    assert_eq!(error.reason(), "document contains excessive aliasing");
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1_000_000), vec!["*a"; 1_000].join(", "));
    assert_eq!(parse(&long).unwrap_err().reason(), "document contains excessive aliasing");
    assert!(parse("a: &a [*a, *a]\n").is_err());
}

#[test]
fn deep_nesting_is_an_error() {
    for text in ["[".repeat(1_000_000), "- ".repeat(10_000), "{a: ".repeat(100_000)] {
        assert_eq!(parse(&text).unwrap_err().reason(), "exceeded max depth of 128", "{:.9}", text);
    }
}

#[test]
fn a_text_beyond_the_limit_is_refused() {
    let error = parse(&" ".repeat(TEXT_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(error.to_string(), "the text is too long: limit is 3145728 bytes");
}

const POD: &str = "# a pod
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app.kubernetes.io/name: web, tier: \"front\"}
spec:
  containers:
    - name: app
      ports:
      - containerPort: 70000
        name: é
      - {name: x, containerPort: 80}
    - name: side
---
kind: Service
spec:
  ports: [{port: 1}]
";

/// Where a path of the documents of [`POD`] is: key, value.
fn check_place(document: usize, path: &str, expected: &str) {
    let documents = parse(POD).unwrap();
    let located = documents[document].locate(path).unwrap();
    let key = located.key.map_or("-".to_owned(), |p| p.to_string());
    let near = if located.exact { "" } else { " near" };
    assert_eq!(format!("{key} {}{near}", located.value), expected, "{path}");
}

#[test]
fn fields_are_found_at_their_place() {
    check_place(0, "kind", "3:1 3:7");
    check_place(0, "spec.containers[0].ports[0].containerPort", "11:9 11:24");
    check_place(0, "spec.containers[0].ports[1].containerPort", "13:19 13:34");
    check_place(0, "spec.containers[1]", "- 14:7");
    check_place(0, "metadata.labels[app.kubernetes.io/name]", "6:12 6:36");
    check_place(0, "metadata.labels.app.kubernetes.io/name", "6:12 6:36");
    check_place(0, "metadata.labels", "6:3 6:11");
    check_place(0, "", "- 2:1");
    check_place(1, "spec.ports[0].port", "18:12 18:18");
    assert_eq!(parse(POD).unwrap()[1].line(), 16);
}

#[test]
fn a_missing_field_is_shown_at_what_is_around_it() {
    check_place(0, "spec.selector.matchLabels", "7:1 8:3 near");
    check_place(0, "spec.containers[7].name", "8:3 9:5 near");
}

#[test]
fn merged_fields_are_shown_where_they_are_merged() {
    let documents = parse("u: &x {a: 1}\nv:\n  <<: *x\n").unwrap();
    let located = documents[0].locate("v.a").unwrap();
    assert_eq!((located.mark().to_string(), located.exact), ("2:1".to_owned(), false));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "([-?:,\\[\\]{}#&*!|>'\"%@` \n\ta-c01~<.]{0,3}|---\n|: |- |<<: |&a |\\*a |\\|\n ){0,30}") {
        for document in documents(&text).flatten() {
            document.locate("a.b[0]");
            document.line();
            to_yaml(&document.value);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn every_line_of_a_map_is_found(keys in prop::collection::btree_set("[a-m]{1,6}", 1..8)) {
        let text: String = keys.iter().map(|k| format!("x{k}: {{{k}: 1}}\n")).collect();
        let document = &parse(&text).unwrap()[0];
        for (i, key) in keys.iter().enumerate() {
            let located = document.locate(&format!("x{key}.{key}")).unwrap();
            prop_assert_eq!(located.key.map(|p| p.line), Some(i + 1));
            prop_assert_eq!(located.key.map(|p| p.column), Some(key.len() + 5));
        }
    }
}
