//! The kinds that live in the store, for controllers that follow all of them.

use api::object::KindInfo;
use client::Cx;

/// Kinds that are asked, not stored, and second names of kinds that are.
const NOT_STORED: [(&str, &str); 12] = [
    ("", "Binding"),
    ("", "ComponentStatus"),
    ("authentication.k8s.io", "SelfSubjectReview"),
    ("authentication.k8s.io", "TokenRequest"),
    ("authentication.k8s.io", "TokenReview"),
    ("authorization.k8s.io", "LocalSubjectAccessReview"),
    ("authorization.k8s.io", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "SelfSubjectRulesReview"),
    ("authorization.k8s.io", "SubjectAccessReview"),
    ("autoscaling", "Scale"),
    ("events.k8s.io", "Event"),
    ("policy", "Eviction"),
];

/// All stored kinds but events, which nothing owns and of which there are too many.
pub fn followed() -> Vec<&'static KindInfo> {
    let stored = |kind: &&'static KindInfo| {
        !NOT_STORED.contains(&(kind.group, kind.kind))
            && kind.kind != "Event"
            && (kind.group, kind.version) != ("autoscaling", "v1")
    };
    api::KINDS.iter().copied().filter(stored).collect()
}

/// The custom kinds that are followed besides.
pub fn custom<'a>(cx: &Cx<'a>) -> impl Iterator<Item = &'static KindInfo> + 'a {
    cx.caches.kinds().filter(|kind| is_custom(kind))
}

/// Whether a definition makes the kind.
pub fn is_custom(kind: &'static KindInfo) -> bool {
    !api::KINDS.contains(&kind)
}

/// The stored kind that a reference names, whatever its version.
pub fn named(cx: &Cx<'_>, api_version: &str, kind: &str) -> Option<&'static KindInfo> {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let known = |info: &&'static KindInfo| info.kind == kind && info.group == group;
    let preferred = |info: &KindInfo| (info.group, info.version) != ("autoscaling", "v1");
    let own = api::KINDS.iter().copied().filter(known).find(|info| preferred(info));
    own.or_else(|| custom(cx).find(|info| known(info)))
}
