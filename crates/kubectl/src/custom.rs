//! Kinds that CustomResourceDefinitions make, as the server knows them at the moment.
//!
//! Known deviations:
//! - Their fields are not known here: `explain` lists none, and `apply` merges their lists as wholes (so does
//!   upstream's client-side apply).

use std::sync::{Mutex, OnceLock, PoisonError};

use api::custom::Custom;
use api::schema::Schema;
use api::{Json, KindInfo};
use base::BTreeMap;

use crate::cx::Cx;
use crate::look::Look;
use crate::resource::{self, Kind};

static UNKNOWN: Schema = Schema { go: "", definition: "", fields: &[] };

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// The served versions of every definition, the preferred version of each first.
pub(crate) fn fetch(cx: &mut Cx<'_>) -> Vec<Kind> {
    let Ok(list) = cx.get(DEFINITIONS) else { return Vec::new() };
    let mut kinds = Vec::new();
    for definition in list.list("items") {
        let mut versions: Vec<&str> = definition
            .list("spec.versions")
            .iter()
            .filter(|version| version.is("served"))
            .map(|version| version.text("name"))
            .collect();
        base::sort::by_key(&mut versions, |version| rank(version));
        versions.reverse();
        kinds.extend(versions.iter().map(|version| Kind(info(definition.look("spec"), version))));
    }
    kinds
}

/// The order in which clients prefer versions: `v2`, `v1`, `v1beta2`, `v1beta1`, `v1alpha1`, anything else.
fn rank(version: &str) -> (u8, u32, u32) {
    let number = |text: &str| text.parse::<u32>().ok();
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0) };
    for (stage, word) in [(2, "beta"), (1, "alpha")] {
        if let Some((major, minor)) = rest.split_once(word) {
            return match (number(major), number(minor)) {
                (Some(major), Some(minor)) => (stage, major, minor),
                _ => (0, 0, 0),
            };
        }
    }
    number(rest).map_or((0, 0, 0), |major| (3, major, 0))
}

/// The kind's record. Kinds are told apart by their addresses, so equal ones share one record, which stays.
fn info(spec: &Json, version: &str) -> &'static KindInfo {
    static ALL: OnceLock<Mutex<BTreeMap<String, &'static KindInfo>>> = OnceLock::new();
    let names = spec.look("names");
    let key = format!("{}|{version}|{}|{names}", spec.text("group"), spec.text("scope"));
    let mut all = ALL.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(key).or_insert_with(|| {
        let keep = |text: &str| -> &'static str { Box::leak(text.to_string().into_boxed_str()) };
        let keep_all = |list: &str| -> &'static [&'static str] {
            let texts = names.list(list).iter().filter_map(Json::as_str);
            Box::leak(texts.map(keep).collect::<Vec<_>>().into_boxed_slice())
        };
        let singular = match names.text("singular") {
            "" => names.text("kind").to_lowercase(),
            singular => singular.to_string(),
        };
        Box::leak(Box::new(KindInfo {
            group: keep(spec.text("group")),
            version: keep(version),
            kind: keep(names.text("kind")),
            plural: keep(names.text("plural")),
            singular: keep(&singular),
            namespaced: spec.text("scope") == "Namespaced",
            short: keep_all("shortNames"),
            categories: keep_all("categories"),
            schema: &UNKNOWN,
            new: Custom::object,
        }))
    })
}

/// Whether a kind is made by a definition.
pub(crate) fn is_custom(kind: Kind) -> bool {
    std::ptr::eq(kind.schema, &UNKNOWN)
}

/// The kind of an object, also of a custom one.
pub(crate) fn of_object(cx: &mut Cx<'_>, api_version: &str, kind: &str) -> Option<Kind> {
    let is_it = |k: &&Kind| k.kind == kind && k.api_version() == api_version;
    resource::of_object(api_version, kind).or_else(|| cx.customs().iter().find(is_it).copied())
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn newer_and_more_stable_versions_are_preferred() {
        let mut versions = vec!["v1alpha1", "v10", "foo", "v1beta2", "v2", "v1beta1"];
        versions.sort_by_key(|version| std::cmp::Reverse(rank(version)));
        assert_eq!(versions, ["v10", "v2", "v1beta2", "v1beta1", "v1alpha1", "foo"]);
    }
}
