//! Strategic merge patch, on the type that upstream's own tables use.

use crate::{Failure, same, text};
use api::Json;
use api::patch::{PatchError, sort_merge_lists, strategic, three_way, two_way};
use api::schema::{Field, Schema, Ty, field};

static ITEM: Ty = Ty::Struct(&MERGE_ITEM);
const INTS: Ty = Ty::List(&Ty::Int64);

const fn merging(name: &'static str, ty: Ty, key: &'static str) -> Field {
    field(name, ty).merge().key(key)
}

static MERGE_ITEM: Schema = Schema {
    go: "strategicpatch.MergeItem",
    definition: "MergeItem",
    fields: &[
        merging("mergeItemPtr", Ty::List(&ITEM), "name"),
        merging("mergingIntList", INTS, ""),
        merging("mergingList", Ty::List(&ITEM), "name"),
        field("name", Ty::Str),
        field("nonMergingIntList", INTS),
        field("nonMergingList", Ty::List(&ITEM)),
        field("other", Ty::Str),
        field("replacingItem", Ty::Any),
        field("retainKeysMap", Ty::Struct(&RETAIN_KEYS_ITEM)).retain_keys(),
        merging("retainKeysMergingList", Ty::List(&ITEM), "name").retain_keys(),
        field("simpleMap", Ty::Map(&Ty::Str)),
        field("value", Ty::Str),
    ],
};

static RETAIN_KEYS_ITEM: Schema = Schema {
    go: "strategicpatch.RetainKeysMergeItem",
    definition: "RetainKeysMergeItem",
    fields: &[
        merging("mergingIntList", INTS, ""),
        merging("mergingList", Ty::List(&ITEM), "name"),
        field("name", Ty::Str),
        field("nonMergingIntList", INTS),
        field("nonMergingList", Ty::List(&ITEM)),
        field("other", Ty::Str),
        field("simpleMap", Ty::Map(&Ty::Str)),
        field("value", Ty::Str),
    ],
};

fn shown(result: Result<Json, PatchError>) -> String {
    result.map_or_else(|e| e.to_string(), |value| value.sorted().to_string())
}

/// Patches made from two and three documents, and patches applied.
pub fn strategic_merge_patch(case: &Json, _: &Json) -> Result<(), Failure> {
    let part = |name: &str| case.get(name).cloned();
    let document = |name: &str| part(name).unwrap_or_else(Json::object);
    let applied =
        |to: &str, patch: &str| shown(strategic::apply(document(to), document(patch), &MERGE_ITEM));
    let expect = |value: Option<Json>, got: &str| match value {
        Some(value) => same(case, &value.sorted().to_string(), got),
        None => Ok(()),
    };
    if let Some(sorted) = part("sorted") {
        return expect(Some(sorted), &shown(sort_merge_lists(&document("original"), &MERGE_ITEM)));
    }
    if case.get("expectedError").is_some() {
        let got = applied("original", "twoWay");
        let expected = text(case, "expectedError");
        return same(case, expected, if got.contains(expected) { expected } else { &got });
    }
    expect(part("twoWayResult").or(part("modified")), &applied("original", "twoWay"))?;
    if text(case, "table").starts_with("custom") {
        return Ok(()); // these tables only apply patches
    }
    let made = two_way(document("original"), document("modified"), &MERGE_ITEM);
    expect(part("twoWay"), &shown(made))?;
    if part("threeWay").is_some() {
        let (original, modified) = (document("original"), document("modified"));
        let made = three_way(original, modified, document("current"), &MERGE_ITEM);
        expect(part("threeWay"), &shown(made))?;
        expect(part("result"), &applied("current", "threeWay"))?;
    }
    Ok(())
}
