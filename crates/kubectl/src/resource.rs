//! Names of resources as people type them, and the paths they are served at.
//!
//! Models the REST mapper and the resource builder of kubectl.
//!
//! Known deviations:
//! - The names come from the table of kinds and the CustomResourceDefinitions, not from discovery.

use api::{KINDS, KindInfo};
use base::Str;

use crate::cx::Cx;
use crate::failure::{Failure, Result, fail};

/// What a command is about: all objects of a kind, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub kind: Kind,
    pub name: Option<Str>,
}

/// A kind, compared by identity.
#[derive(Clone, Copy)]
pub(crate) struct Kind(pub &'static KindInfo);

impl std::ops::Deref for Kind {
    type Target = KindInfo;
    fn deref(&self) -> &KindInfo {
        self.0
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Kind) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Kind {}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.resource())
    }
}

impl Kind {
    /// `deployment.apps`: how kubectl names the kind in what it did.
    pub fn word(self) -> String {
        let kind = self.kind.to_ascii_lowercase();
        if self.group.is_empty() { kind } else { format!("{kind}.{}", self.group) }
    }

    /// `deployment.apps/web`
    pub fn named(self, name: &str) -> String {
        format!("{}/{name}", self.word())
    }
}

/// Kinds that only exist below others or as bodies of requests.
const HIDDEN: &[&str] = &["Scale", "Eviction", "TokenRequest"];

/// The kinds that have resources of their own, preferred versions only, in the order of discovery.
pub(crate) fn kinds() -> impl Iterator<Item = Kind> {
    let preferred = |kind: &KindInfo| {
        KINDS
            .iter()
            .filter(|k| (k.group, k.kind) == (kind.group, kind.kind))
            .map(|k| k.version)
            .max()
            == Some(kind.version)
    };
    KINDS
        .iter()
        .filter(move |kind| !HIDDEN.contains(&kind.kind) && preferred(kind))
        .map(|kind| Kind(kind))
}

/// The kind that a word names: `po`, `Pod`, `deployments.apps`, `deployments.v1.apps`.
pub(crate) fn find(word: &str) -> Option<Kind> {
    let all: Vec<Kind> =
        KINDS.iter().filter(|kind| !HIDDEN.contains(&kind.kind)).map(|kind| Kind(kind)).collect();
    let preferred: Vec<Kind> = kinds().collect();
    find_among(&preferred, &all, word)
}

/// Finds a word among kinds of which the preferred versions come first.
fn find_in(kinds: &[Kind], word: &str) -> Option<Kind> {
    find_among(kinds, kinds, word)
}

fn find_among(preferred: &[Kind], all: &[Kind], word: &str) -> Option<Kind> {
    let lower = word.to_ascii_lowercase();
    let (name, rest) = lower.split_once('.').unwrap_or((&lower, ""));
    let named = |kind: &KindInfo| {
        kind.plural == name
            || kind.singular == name
            || kind.kind.eq_ignore_ascii_case(name)
            || kind.short.contains(&name)
    };
    if rest.is_empty() {
        return preferred.iter().find(|kind| named(kind)).copied();
    }
    let of_version = || {
        let (version, group) = rest.split_once('.').unwrap_or((rest, ""));
        let found = all.iter().find(|k| named(k) && k.version == version && k.group == group);
        found.copied()
    };
    let in_group =
        |kind: &KindInfo| kind.group == rest || kind.group.starts_with(&format!("{rest}."));
    let by_group = || preferred.iter().find(|kind| named(kind) && in_group(kind)).copied();
    of_version().or_else(by_group)
}

/// The kind of an object.
pub(crate) fn of_object(api_version: &str, kind: &str) -> Option<Kind> {
    let found = KINDS.iter().find(|k| k.kind == kind && k.api_version() == api_version);
    found.map(|kind| Kind(kind))
}

/// The kind called so; for kinds that this crate names itself.
pub(crate) fn known(word: &str) -> Kind {
    find(word).expect("the table of kinds has every kind that commands name")
}

/// The kind that a word names, also a custom one, or the usual complaint.
pub(crate) fn kind_of(cx: &mut Cx<'_>, word: &str) -> Result<Kind> {
    find(word).or_else(|| find_in(cx.customs(), word)).ok_or_else(|| {
        Failure::Plain(format!("the server doesn't have a resource type \"{word}\""))
    })
}

/// What the arguments of a command name: `TYPE[,TYPE] [NAME…]` or `TYPE/NAME …`.
pub(crate) fn targets(cx: &mut Cx<'_>, args: &[String]) -> Result<Vec<Target>> {
    let with_slash = args.iter().filter(|arg| arg.contains('/')).count();
    if with_slash > 0 {
        if with_slash < args.len() {
            return fail(
                "there is no need to specify a resource type as a separate argument when passing \
                 arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' \
                 instead of 'kubectl get resource resource/<resource_name>'",
            );
        }
        return args.iter().map(|arg| slashed(cx, arg)).collect();
    }
    let Some((types, names)) = args.split_first() else { return Ok(Vec::new()) };
    let mut kinds = Vec::new();
    for word in types.split(',').filter(|word| !word.is_empty()) {
        let mut category: Vec<Kind> =
            self::kinds().filter(|kind| kind.categories.contains(&word)).collect();
        if !category.is_empty() {
            let own = cx.customs().iter().filter(|kind| kind.categories.contains(&word));
            category.extend(own);
        }
        let found = if category.is_empty() { vec![kind_of(cx, word)?] } else { category };
        for kind in found {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    let mut targets = Vec::new();
    for kind in kinds {
        if names.is_empty() {
            targets.push(Target { kind, name: None });
        }
        let names = names.iter().map(|name| Some(Str::from(name.as_str())));
        targets.extend(names.map(|name| Target { kind, name }));
    }
    Ok(targets)
}

fn slashed(cx: &mut Cx<'_>, arg: &str) -> Result<Target> {
    let (kind, name) = arg.split_once('/').unwrap_or((arg, ""));
    if kind.is_empty() || name.is_empty() || name.contains('/') {
        return fail("arguments in resource/name form must have a single resource and name");
    }
    Ok(Target { kind: kind_of(cx, kind)?, name: Some(name.into()) })
}

/// The path of a collection, or of an object where `name` is not empty.
pub(crate) fn path(kind: &KindInfo, namespace: &str, name: &str) -> String {
    let mut path = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    if kind.namespaced && !namespace.is_empty() {
        path.push_str("/namespaces/");
        path.push_str(&encode(namespace));
    }
    path.push('/');
    path.push_str(kind.plural);
    if !name.is_empty() {
        path.push('/');
        path.push_str(&encode(name));
    }
    path
}

/// The path with a query; pairs with empty values are left out.
pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let mut whole = path.to_string();
    for (key, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        whole.push(if whole.contains('?') { '&' } else { '?' });
        whole.push_str(key);
        whole.push('=');
        whole.push_str(&encode(value));
    }
    whole
}

/// The value of a query parameter, decoded; empty where it is not there.
pub(crate) fn query_value(path: &str, name: &str) -> String {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let (mut bytes, mut rest) = (Vec::new(), found.unwrap_or("").as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Percent-encodes everything but letters, digits and `-_.~`.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte as char);
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, resource: Option<&str>) {
        assert_eq!(find(word).map(|kind| kind.resource()).as_deref(), resource, "{word}");
    }

    #[test]
    fn short_names_singulars_and_kinds_name_a_resource() {
        check("po", Some("pods"));
        check("Pod", Some("pods"));
        check("deploy", Some("deployments.apps"));
        check("netpol", Some("networkpolicies.networking.k8s.io"));
        check("foo", None);
    }

    #[test]
    fn a_group_may_be_named_and_cut_short() {
        check("deployments.apps", Some("deployments.apps"));
        check("deployments.v1.apps", Some("deployments.apps"));
        check("ingress.networking", Some("ingresses.networking.k8s.io"));
        check("events", Some("events"));
        check("events.events.k8s.io", Some("events.events.k8s.io"));
        check("pods.apps", None);
    }

    #[test]
    fn the_preferred_version_is_used() {
        assert_eq!(known("hpa").version, "v2");
    }

    #[test]
    fn all_is_what_has_that_category() {
        let all: Vec<&str> = kinds()
            .filter(|kind| kind.categories.contains(&"all"))
            .map(|kind| kind.0.plural)
            .collect();
        assert_eq!(
            all.join(" "),
            "pods replicationcontrollers services daemonsets deployments replicasets statefulsets \
             horizontalpodautoscalers cronjobs jobs"
        );
    }

    #[test]
    fn paths_hold_group_namespace_and_name() {
        assert_eq!(path(&known("po"), "a", "b"), "/api/v1/namespaces/a/pods/b");
        assert_eq!(path(&known("deploy"), "", ""), "/apis/apps/v1/deployments");
        assert_eq!(path(&known("no"), "a", "n"), "/api/v1/nodes/n");
        assert_eq!(with_query("/a", &[("l", "a=b,c"), ("m", "")]), "/a?l=a%3Db%2Cc");
        assert_eq!(query_value("/a?l=a%3Db%2Cc&m=1", "l"), "a=b,c");
    }
}
