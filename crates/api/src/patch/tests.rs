//! The three kinds of patch, applied and made.

use super::{
    PatchError, go_value, json_patch, merge, sort_merge_lists, strategic, three_way, two_way,
};
use crate::json::Json;
use crate::schema::{Field, Schema, Ty, field};
use proptest::prelude::*;

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn shown(result: Result<Json, PatchError>) -> String {
    match result {
        Ok(value) => value.sorted().to_string(),
        Err(PatchError::BadRequest(text)) => format!("400 {text}"),
        Err(PatchError::TooLarge(text)) => format!("413 {text}"),
        Err(PatchError::Unprocessable(text)) => format!("422 {text}"),
        Err(PatchError::Other(text)) => format!("500 {text}"),
    }
}

mod json_patches {
    use super::*;

    fn check(document: &str, patch: &str, expected: &str) {
        let got = shown(json_patch::apply(&json(document), &json(patch)));
        assert_eq!(got, expected, "{patch} on {document}");
    }

    #[test]
    fn operations_change_fields_and_elements() {
        let list = "{\"a\":[1,2]}";
        check(
            "{}",
            "[{\"op\":\"add\",\"path\":\"/a\",\"value\":{\"b\":null}}]",
            "{\"a\":{\"b\":null}}",
        );
        check(list, "[{\"op\":\"add\",\"path\":\"/a/1\",\"value\":9}]", "{\"a\":[1,9,2]}");
        check(list, "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":9}]", "{\"a\":[1,2,9]}");
        check(list, "[{\"op\":\"add\",\"path\":\"/a/-1\",\"value\":9}]", "{\"a\":[1,2,9]}");
        check(list, "[{\"op\":\"remove\",\"path\":\"/a/0\"}]", "{\"a\":[2]}");
        check(list, "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":0}]", "{\"a\":0}");
        check(list, "[{\"op\":\"replace\",\"path\":\"\",\"value\":{}}]", "{}");
        check(list, "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}]", "{\"b\":[1,2]}");
        check(
            list,
            "[{\"op\":\"copy\",\"from\":\"/a/0\",\"path\":\"/b\"}]",
            "{\"a\":[1,2],\"b\":1}",
        );
    }

    #[test]
    fn slashes_and_tildes_are_escaped() {
        check("{\"a/b~c\":1}", "[{\"op\":\"remove\",\"path\":\"/a~1b~0c\"}]", "{}");
    }

    #[test]
    fn test_compares_values() {
        let document = "{\"a\":{\"x\":1,\"y\":2},\"n\":null}";
        check(
            document,
            "[{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"y\":2,\"x\":1}}]",
            document,
        );
        check(document, "[{\"op\":\"test\",\"path\":\"/gone\",\"value\":null}]", document);
        check(
            document,
            "[{\"op\":\"test\",\"path\":\"/a/x\",\"value\":\"1\"}]",
            "422 testing value /a/x failed: test failed",
        );
    }

    #[test]
    fn operations_that_do_not_apply_say_why() {
        let document = "{\"a\":[1],\"s\":\"x\"}";
        let fails =
            |patch: &str, expected: &str| check(document, patch, &format!("422 {expected}"));
        fails(
            "[{\"op\":\"remove\",\"path\":\"/b\"}]",
            "error in remove for path: '/b': Unable to remove nonexistent key: b: missing value",
        );
        fails(
            "[{\"op\":\"add\",\"path\":\"/b/c\",\"value\":1}]",
            "add operation does not apply: doc is missing path: \"/b/c\": missing value",
        );
        fails(
            "[{\"op\":\"add\",\"path\":\"/s/c\",\"value\":1}]",
            "add operation does not apply: doc is missing path: \"/s/c\": missing value",
        );
        fails(
            "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]",
            "replace operation does not apply: doc is missing key: /b: missing value",
        );
        fails(
            "[{\"op\":\"add\",\"path\":\"/a/7\",\"value\":1}]",
            "error in add for path: '/a/7': Unable to access invalid index: 7: invalid index \
             referenced",
        );
        fails(
            "[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/c\"}]",
            "error in move for path: 'b': unable to get nonexistent key: b: missing value",
        );
        fails("[{\"op\":\"swap\",\"path\":\"/a\"}]", "Unexpected kind: swap");
        fails("[{\"op\":\"add\"}]", "add operation failed to decode path: missing value");
    }

    #[test]
    fn malformed_and_huge_patches_are_refused() {
        check(
            "{}",
            "{}",
            "400 json: cannot unmarshal object into Go value of type jsonpatch.Patch",
        );
        check(
            "{}",
            "[1]",
            "400 json: cannot unmarshal number into Go value of type jsonpatch.Operation",
        );
        let many = Json::Array(vec![Json::object(); 10_001]);
        assert_eq!(
            shown(json_patch::apply(&Json::object(), &many)),
            "413 The allowed maximum operations in a JSON patch is 10000, got 10001"
        );
    }

    #[test]
    fn copies_are_bounded() {
        let copy = "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}";
        let patch = format!("[{}]", vec![copy; 40].join(","));
        let got = shown(json_patch::apply(&json("{\"a\":[1]}"), &json(&patch)));
        assert!(got.starts_with("422 Unable to complete the copy, the accumulated size"), "{got}");
    }
}

mod merge_patches {
    use super::*;

    fn check(document: &str, patch: &str, expected: &str) {
        let got = shown(merge::apply(json(document), &json(patch)));
        assert_eq!(got, expected, "{patch} on {document}");
    }

    #[test]
    fn fields_merge_and_nulls_delete() {
        check(
            "{\"a\":{\"b\":1,\"c\":2}}",
            "{\"a\":{\"b\":null,\"d\":3}}",
            "{\"a\":{\"c\":2,\"d\":3}}",
        );
        check("{\"a\":[1]}", "{\"a\":[2,3]}", "{\"a\":[2,3]}");
        check("{\"a\":1}", "{\"a\":{\"b\":null}}", "{\"a\":{}}");
        check("{}", "{\"a\":[{\"b\":null}]}", "{\"a\":[{}]}");
    }

    #[test]
    fn only_objects_and_lists_are_patches() {
        check("{}", "1", "400 Invalid JSON Patch");
        check("{\"a\":1}", "[1]", "[1]");
    }

    #[test]
    fn apply_adds_what_is_new_and_deletes_what_was_dropped() {
        let original = json("{\"a\":1,\"gone\":{\"x\":1},\"keep\":{\"x\":1,\"y\":1}}");
        let modified = json("{\"a\":2,\"keep\":{\"x\":1}}");
        let current = json("{\"a\":1,\"gone\":{\"x\":1},\"keep\":{\"x\":1,\"y\":1},\"own\":1}");
        let patch = merge::three_way(&original, &modified, &current);
        assert_eq!(patch.sorted().to_string(), "{\"a\":2,\"gone\":null,\"keep\":{\"y\":null}}");
    }

    #[test]
    fn an_unchanged_object_needs_no_patch() {
        let same = json("{\"a\":{\"b\":[1]}}");
        assert_eq!(merge::three_way(&same, &same, &same), Json::object());
    }
}

static PORT: Schema = Schema {
    go: "v1.Port",
    definition: "test.Port",
    fields: &[field("name", Ty::Str), field("port", Ty::Int32)],
};

static PART: Schema = Schema {
    go: "v1.Part",
    definition: "test.Part",
    fields: &[
        field("args", Ty::List(&Ty::Str)),
        field("labels", Ty::Map(&Ty::Str)),
        field("name", Ty::Str),
        merging(field("ports", Ty::List(&Ty::Struct(&PORT))), "port"),
        field("value", Ty::Str),
    ],
};

static ROOT: Schema = Schema {
    go: "v1.Root",
    definition: "test.Root",
    fields: &[
        field("free", Ty::Any),
        merging(field("names", Ty::List(&Ty::Str)), ""),
        merging(field("parts", Ty::List(&Ty::Struct(&PART))), "name"),
        Field { retain_keys: true, ..field("strategy", Ty::Struct(&PART)) },
        field("whole", Ty::List(&Ty::Struct(&PART))),
    ],
};

const fn merging(field: Field, patch_key: &'static str) -> Field {
    Field { merge: true, patch_key, ..field }
}

mod strategic_patches {
    use super::*;

    fn check(document: &str, patch: &str, expected: &str) {
        let got = shown(strategic::apply(json(document), json(patch), &ROOT));
        assert_eq!(got, expected, "{patch} on {document}");
    }

    #[test]
    fn lists_merge_by_their_key() {
        check(
            "{\"parts\":[{\"name\":\"a\",\"value\":\"1\"},{\"name\":\"b\"}]}",
            "{\"parts\":[{\"name\":\"a\",\"value\":\"2\"},{\"name\":\"c\"}]}",
            "{\"parts\":[{\"name\":\"a\",\"value\":\"2\"},{\"name\":\"c\"},{\"name\":\"b\"}]}",
        );
        check(
            "{\"parts\":[{\"name\":\"a\",\"ports\":[{\"port\":1}]}]}",
            "{\"parts\":[{\"name\":\"a\",\"ports\":[{\"port\":1,\"name\":\"x\"},{\"port\":2}]}]}",
            "{\"parts\":[{\"name\":\"a\",\"ports\":[{\"name\":\"x\",\"port\":1},{\"port\":2}]}]}",
        );
    }

    #[test]
    fn other_lists_and_free_form_json_are_replaced() {
        check("{\"whole\":[{\"name\":\"a\"}]}", "{\"whole\":[]}", "{\"whole\":[]}");
        check("{\"free\":{\"a\":1}}", "{\"free\":{\"b\":1}}", "{\"free\":{\"b\":1}}");
    }

    #[test]
    fn scalars_are_added_and_deleted() {
        check(
            "{\"names\":[\"a\",\"b\"]}",
            "{\"names\":[\"b\",\"c\"]}",
            "{\"names\":[\"a\",\"b\",\"c\"]}",
        );
        check(
            "{\"names\":[\"a\",\"b\"]}",
            "{\"$deleteFromPrimitiveList/names\":[\"a\"]}",
            "{\"names\":[\"b\"]}",
        );
    }

    #[test]
    fn directives_delete_and_replace() {
        let parts = "{\"parts\":[{\"name\":\"a\"},{\"name\":\"b\"}]}";
        check(
            parts,
            "{\"parts\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}",
            "{\"parts\":[{\"name\":\"b\"}]}",
        );
        check(
            parts,
            "{\"parts\":[{\"$patch\":\"replace\"},{\"name\":\"c\"}]}",
            "{\"parts\":[{\"name\":\"c\"}]}",
        );
        check(parts, "{\"$patch\":\"replace\",\"names\":[]}", "{\"names\":[]}");
        check("{}", "{\"parts\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}", "{\"parts\":[]}");
        check(
            parts,
            "{\"parts\":[{\"name\":\"a\",\"$patch\":\"twist\"}]}",
            "500 unknown patch type: twist in map: map[$patch:twist name:a]",
        );
    }

    #[test]
    fn an_order_is_kept() {
        check(
            "{\"parts\":[{\"name\":\"a\"},{\"name\":\"own\"},{\"name\":\"b\"}]}",
            "{\"$setElementOrder/parts\":[{\"name\":\"b\"},{\"name\":\"a\"}]}",
            "{\"parts\":[{\"name\":\"own\"},{\"name\":\"b\"},{\"name\":\"a\"}]}",
        );
        check(
            "{\"parts\":[{\"name\":\"a\"}]}",
            "{\"$setElementOrder/parts\":[{\"name\":\"a\"}],\"parts\":[{\"name\":\"b\"}]}",
            "500 The order in patch list:\n[map[name:b]]\n doesn't match $setElementOrder list:\n\
             [map[name:a]]\n",
        );
    }

    #[test]
    fn retained_keys_clear_the_others() {
        check(
            "{\"strategy\":{\"name\":\"x\",\"value\":\"1\"}}",
            "{\"strategy\":{\"$retainKeys\":[\"name\"],\"name\":\"y\"}}",
            "{\"strategy\":{\"name\":\"y\"}}",
        );
        check(
            "{\"strategy\":{\"name\":\"x\"}}",
            "{\"strategy\":{\"$retainKeys\":[\"name\"],\"value\":\"y\"}}",
            "400 invalid patch format of retainKeys",
        );
    }

    #[test]
    fn a_missing_merge_key_is_an_error() {
        check(
            "{\"parts\":[{\"name\":\"a\"}]}",
            "{\"parts\":[{\"value\":\"1\"}]}",
            "500 map: map[value:1] does not contain declared merge key: name",
        );
    }

    #[test]
    fn nulls_delete() {
        check("{\"names\":[\"a\"]}", "{\"names\":null,\"free\":null}", "{}");
        check(
            "{}",
            "{\"strategy\":{\"name\":null,\"value\":\"1\"}}",
            "{\"strategy\":{\"value\":\"1\"}}",
        );
    }
}

mod strategic_diffs {
    use super::*;

    fn check(original: &str, modified: &str, expected: &str) {
        let patch = two_way(json(original), json(modified), &ROOT);
        assert_eq!(shown(patch.clone()), expected, "{original} to {modified}");
        let applied = strategic::apply(json(original), patch.unwrap(), &ROOT);
        assert_eq!(shown(applied), shown(Ok(json(modified))), "{expected} on {original}");
    }

    #[test]
    fn elements_are_added_changed_and_deleted() {
        check(
            "{\"parts\":[{\"name\":\"a\"},{\"name\":\"b\",\"value\":\"1\"}]}",
            "{\"parts\":[{\"name\":\"b\",\"value\":\"2\"},{\"name\":\"c\"}]}",
            "{\"$setElementOrder/parts\":[{\"name\":\"b\"},{\"name\":\"c\"}],\"parts\":[\
             {\"name\":\"b\",\"value\":\"2\"},{\"name\":\"c\"},{\"$patch\":\"delete\",\"name\":\"a\"}]}",
        );
    }

    #[test]
    fn scalars_are_added_and_deleted() {
        check(
            "{\"names\":[\"a\",\"b\"]}",
            "{\"names\":[\"c\",\"b\"]}",
            "{\"$deleteFromPrimitiveList/names\":[\"a\"],\"$setElementOrder/names\":[\"c\",\"b\"],\
             \"names\":[\"c\"]}",
        );
    }

    #[test]
    fn a_struct_that_retains_keys_lists_them() {
        check(
            "{\"strategy\":{\"name\":\"a\",\"value\":\"1\"}}",
            "{\"strategy\":{\"name\":\"a\"}}",
            "{\"strategy\":{\"$retainKeys\":[\"name\"],\"value\":null}}",
        );
    }

    #[test]
    fn apply_leaves_what_others_wrote() {
        let original = "{\"parts\":[{\"name\":\"a\"},{\"name\":\"b\"}]}";
        let modified = "{\"parts\":[{\"name\":\"a\",\"value\":\"2\"}]}";
        let current = "{\"names\":[\"x\"],\"parts\":[{\"name\":\"a\",\"args\":[\"z\"]},\
             {\"name\":\"b\"},{\"name\":\"own\"}]}";
        let patch = three_way(json(original), json(modified), json(current), &ROOT).unwrap();
        let applied = strategic::apply(json(current), patch, &ROOT);
        assert_eq!(
            shown(applied),
            "{\"names\":[\"x\"],\"parts\":[{\"args\":[\"z\"],\"name\":\"a\",\"value\":\"2\"},\
             {\"name\":\"own\"}]}"
        );
    }

    #[test]
    fn merging_lists_sort_by_their_key() {
        let document = json(
            "{\"parts\":[{\"name\":\"b\"},{\"name\":\"a\"}],\"whole\":[{\"name\":\"b\"},{\"name\":\"a\"}]}",
        );
        assert_eq!(
            shown(sort_merge_lists(&document, &ROOT)),
            "{\"parts\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"whole\":[{\"name\":\"b\"},{\"name\":\"a\"}]}"
        );
    }
}

#[test]
fn values_print_as_in_go() {
    let value = json("{\"b\":[1,\"x\",null],\"a\":{\"c\":1.5,\"d\":1e21}}");
    assert_eq!(go_value(&value), "map[a:map[c:1.5 d:1e+21] b:[1 x <nil>]]");
}

fn any_part() -> impl Strategy<Value = Json> {
    let names = prop::collection::btree_set("[a-d]", 0..4);
    (names, prop::collection::btree_map(0i64..4, "[x-z]", 0..3), prop::option::of("[x-z]"))
        .prop_map(|(args, ports, value)| {
            let mut part = Json::object();
            part.set("args", args.into_iter().map(Json::from).collect::<Json>());
            part.set(
                "ports",
                ports
                    .into_iter()
                    .map(|(port, name)| {
                        let mut item = Json::object();
                        item.set("port", port);
                        item.set("name", name);
                        item
                    })
                    .collect::<Json>(),
            );
            if let Some(value) = value {
                part.set("value", value);
            }
            part
        })
}

fn any_root() -> impl Strategy<Value = Json> {
    let names = prop::collection::btree_set("[a-e]", 0..4);
    let parts = prop::collection::btree_map("[a-d]", any_part(), 0..4);
    (names, parts, prop::option::of(any_part())).prop_shuffle_parts()
}

trait ShuffleParts {
    fn prop_shuffle_parts(self) -> BoxedStrategy<Json>;
}

impl<S> ShuffleParts for S
where
    S: Strategy<
            Value = (
                std::collections::BTreeSet<String>,
                std::collections::BTreeMap<String, Json>,
                Option<Json>,
            ),
        > + 'static,
{
    fn prop_shuffle_parts(self) -> BoxedStrategy<Json> {
        self.prop_flat_map(|(names, parts, strategy)| {
            let parts: Vec<Json> = parts
                .into_iter()
                .map(|(name, mut part)| {
                    part.set("name", name);
                    part
                })
                .collect();
            let names: Vec<Json> = names.into_iter().map(Json::from).collect();
            (Just(names).prop_shuffle(), Just(parts).prop_shuffle(), Just(strategy))
        })
        .prop_map(|(names, parts, strategy)| {
            let mut root = Json::object();
            root.set("names", names);
            root.set("parts", parts);
            if let Some(strategy) = strategy {
                root.set("strategy", strategy);
            }
            root
        })
        .boxed()
    }
}

/// Upstream loses the order of a list of scalars that is only shuffled; that of structs must be right.
fn in_order(mut root: Json) -> Json {
    let mut names = root.entry("names").as_array().map(<[Json]>::to_vec).unwrap_or_default();
    names.sort_by_key(go_value);
    root.set("names", names);
    root
}

proptest! {
    #[test]
    fn a_two_way_patch_leads_to_the_new_object(old in any_root(), new in any_root()) {
        let patch = two_way(old.clone(), new.clone(), &ROOT).unwrap();
        let applied = strategic::apply(old, patch, &ROOT).unwrap();
        prop_assert_eq!(in_order(applied), in_order(new));
    }

    #[test]
    fn a_three_way_patch_on_the_original_leads_to_the_new_object(old in any_root(), new in any_root()) {
        let patch = three_way(old.clone(), new.clone(), old.clone(), &ROOT).unwrap();
        let applied = strategic::apply(old, patch, &ROOT).unwrap();
        prop_assert_eq!(in_order(applied), in_order(new));
    }

    #[test]
    fn a_merge_patch_leads_to_the_new_object(old in any_root(), new in any_root()) {
        let patch = merge::diff(&old, &new);
        prop_assert_eq!(merge::apply(old.clone(), &patch).unwrap(), new.clone());
        let patch = merge::three_way(&old, &new, &old);
        prop_assert_eq!(merge::apply(old, &patch).unwrap(), new);
    }
}
