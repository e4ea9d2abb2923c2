//! Paths: which resource, object and subresource is meant.

use super::query::decode;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A collection, an object or a subresource.
    Resource(ResourcePath),
    /// Discovery, health, documents: the path's segments.
    Other(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct ResourcePath {
    pub group: String,
    pub version: String,
    pub namespace: String,
    pub resource: String,
    pub name: String,
    pub subresource: String,
    /// What follows the subresource.
    pub rest: Vec<String>,
    /// The old form `/watch/` before the resource.
    pub watch: bool,
}

pub(super) fn parse(path: &str) -> Target {
    let segments: Vec<String> =
        path.split('/').filter(|part| !part.is_empty()).map(|part| decode(part, false)).collect();
    let (group, version, rest) = match segments.as_slice() {
        [api, version, rest @ ..] if api == "api" && !rest.is_empty() => ("", version, rest),
        [apis, group, version, rest @ ..] if apis == "apis" && !rest.is_empty() => {
            (group.as_str(), version, rest)
        }
        _ => return Target::Other(segments),
    };
    let mut path =
        ResourcePath { group: group.into(), version: version.clone(), ..ResourcePath::default() };
    let mut rest = rest;
    if let [watch, more @ ..] = rest
        && watch == "watch"
        && !more.is_empty()
    {
        path.watch = true;
        rest = more;
    }
    if let [namespaces, namespace, more @ ..] = rest
        && namespaces == "namespaces"
        && !more.is_empty()
        && !(more.len() == 1 && matches!(more[0].as_str(), "status" | "finalize"))
    {
        path.namespace = namespace.clone();
        rest = more;
    }
    let mut rest = rest.iter().cloned();
    path.resource = rest.next().unwrap_or_default();
    path.name = rest.next().unwrap_or_default();
    path.subresource = rest.next().unwrap_or_default();
    path.rest = rest.collect();
    Target::Resource(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let text = match parse(path) {
            Target::Other(segments) => segments.join(","),
            Target::Resource(p) => format!(
                "{}|{}|{}|{}|{}|{}",
                p.group, p.version, p.namespace, p.resource, p.name, p.subresource
            ),
        };
        assert_eq!(text, expected, "{path}");
    }

    #[test]
    fn collections_objects_and_subresources_are_told_apart() {
        check("/api/v1/pods", "|v1||pods||");
        check("/api/v1/namespaces/a/pods", "|v1|a|pods||");
        check("/apis/apps/v1/namespaces/a/deployments/b/scale", "apps|v1|a|deployments|b|scale");
        check("/api/v1/nodes/n1/status", "|v1||nodes|n1|status");
    }

    #[test]
    fn a_namespace_is_an_object_too() {
        check("/api/v1/namespaces", "|v1||namespaces||");
        check("/api/v1/namespaces/a", "|v1||namespaces|a|");
        check("/api/v1/namespaces/a/finalize", "|v1||namespaces|a|finalize");
        check("/api/v1/namespaces/a/status", "|v1||namespaces|a|status");
    }

    #[test]
    fn documents_are_no_resources() {
        check("/apis/apps/v1", "apis,apps,v1");
        check("/healthz/ping", "healthz,ping");
        check("/", "");
    }

    #[test]
    fn names_are_decoded() {
        check(
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            "rbac.authorization.k8s.io|v1||clusterroles|system:node|",
        );
    }
}
