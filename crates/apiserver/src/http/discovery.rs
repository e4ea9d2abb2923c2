//! Discovery: which groups, versions and resources there are.

use api::Json;
use api::wire::Subresource;

use super::{Content, HttpRequest, negotiate};
use crate::ApiServer;
use crate::registry::Row;

/// The groups in the order in which clients prefer them.
const GROUPS: &[&str] = &[
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

/// All groups: those of the server itself, then those of custom kinds by name.
fn groups(server: &ApiServer) -> Vec<&'static str> {
    let mut groups = GROUPS.to_vec();
    let mut custom: Vec<&str> = server.custom_rows().map(|row| row.info.group).collect();
    base::sort::naturally(&mut custom);
    custom.dedup();
    groups.extend(custom.into_iter().filter(|group| !GROUPS.contains(group)));
    groups
}

/// The versions of a group, preferred first.
fn versions(server: &ApiServer, group: &str) -> Vec<&'static str> {
    let mut versions: Vec<&str> = Vec::new();
    for row in server.all_rows().filter(|row| row.info.group == group) {
        if !versions.contains(&row.info.version) {
            versions.push(row.info.version);
        }
    }
    base::sort::by_key(&mut versions, |version| std::cmp::Reverse(rank(version)));
    versions
}

/// Stable versions before beta before alpha, higher numbers first, other names last.
fn rank(version: &str) -> (u8, u32, u32, std::cmp::Reverse<String>) {
    let name = std::cmp::Reverse(version.to_string());
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0, name) };
    let (major, stage, minor) = match (rest.split_once("beta"), rest.split_once("alpha")) {
        (Some((major, minor)), _) => (major, 2, minor),
        (_, Some((major, minor))) => (major, 1, minor),
        _ => (rest, 3, "0"),
    };
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => (stage, major, minor, name),
        _ => (0, 0, 0, name),
    }
}

fn object(fields: Vec<(&str, Json)>) -> Json {
    fields.into_iter().map(|(key, value)| (key.into(), value)).collect()
}

/// `/version`.
pub(super) fn version() -> Content {
    Content::Json(object(vec![
        ("major", "1".into()),
        ("minor", "36".into()),
        ("emulationMajor", "1".into()),
        ("emulationMinor", "36".into()),
        ("minCompatibilityMajor", "1".into()),
        ("minCompatibilityMinor", "35".into()),
        ("gitVersion", "v1.36.2".into()),
        ("gitCommit", "0000000000000000000000000000000000000000".into()),
        ("gitTreeState", "clean".into()),
        ("buildDate", "2026-01-01T00:00:00Z".into()),
        ("goVersion", "go1.26.1".into()),
        ("compiler", "gc".into()),
        ("platform", "linux/amd64".into()),
    ]))
}

/// `/`: all paths.
pub(super) fn paths(server: &ApiServer) -> Content {
    let mut paths: Vec<String> = vec![
        "/.well-known/openid-configuration".into(),
        "/api".into(),
        "/api/v1".into(),
        "/apis".into(),
        "/apis/".into(),
    ];
    let mut groups = groups(server);
    base::sort::naturally(&mut groups);
    for group in groups {
        paths.push(format!("/apis/{group}"));
        for version in versions(server, group) {
            paths.push(format!("/apis/{group}/{version}"));
        }
    }
    for path in [
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/",
        "/openid/v1/jwks/",
        "/readyz",
        "/version",
    ] {
        paths.push(path.into());
    }
    let paths = paths.into_iter().map(Json::from).collect::<Vec<_>>();
    Content::Json(object(vec![("paths", Json::Array(paths))]))
}

/// `/.well-known/openid-configuration`.
pub(super) fn openid() -> Content {
    let one = |text: &str| Json::Array(vec![text.into()]);
    Content::Json(object(vec![
        ("issuer", "https://kubernetes.default.svc.cluster.local".into()),
        ("jwks_uri", "https://172.18.0.2:6443/openid/v1/jwks".into()),
        ("response_types_supported", one("id_token")),
        ("subject_types_supported", one("public")),
        ("id_token_signing_alg_values_supported", one("RS256")),
    ]))
}

/// `/openid/v1/jwks`: there is no key, since nothing signs the tokens.
pub(super) fn keys() -> Content {
    Content::Keys(object(vec![("keys", Json::Array(Vec::new()))]))
}

/// `/api`, `/apis` and what is below them but no resource.
pub(super) fn answer(server: &ApiServer, request: &HttpRequest, path: &[&str]) -> Option<Content> {
    match path {
        ["api"] if negotiate::wants_aggregated(request) => {
            Some(Content::Json(aggregated(server, &[""])))
        }
        ["apis"] if negotiate::wants_aggregated(request) => {
            Some(Content::Json(aggregated(server, &groups(server))))
        }
        ["api"] => Some(Content::Json(api_versions())),
        ["apis"] => {
            let groups = groups(server)
                .into_iter()
                .map(|group| api_group(server, group))
                .collect::<Vec<_>>();
            Some(Content::Json(object(vec![
                ("kind", "APIGroupList".into()),
                ("apiVersion", "v1".into()),
                ("groups", Json::Array(groups)),
            ])))
        }
        ["api", version] => resource_list(server, "", version),
        ["apis", group] if groups(server).contains(group) => {
            let mut json = object(vec![("kind", "APIGroup".into()), ("apiVersion", "v1".into())]);
            for (key, value) in api_group(server, group).fields() {
                json.set(key.clone(), value.clone());
            }
            Some(Content::Json(json))
        }
        ["apis", group, version] => resource_list(server, group, version),
        _ => None,
    }
}

fn api_versions() -> Json {
    let address = object(vec![
        ("clientCIDR", "0.0.0.0/0".into()),
        ("serverAddress", format!("{}:6443", crate::bootstrap::ADDRESS).into()),
    ]);
    object(vec![
        ("kind", "APIVersions".into()),
        ("versions", Json::Array(vec!["v1".into()])),
        ("serverAddressByClientCIDRs", Json::Array(vec![address])),
    ])
}

fn api_group(server: &ApiServer, group: &str) -> Json {
    let entry = |version: &&str| {
        object(vec![
            ("groupVersion", format!("{group}/{version}").into()),
            ("version", (*version).into()),
        ])
    };
    let versions = versions(server, group);
    object(vec![
        ("name", group.into()),
        ("versions", Json::Array(versions.iter().map(entry).collect())),
        ("preferredVersion", versions.first().map(entry).unwrap_or_default()),
    ])
}

fn rows_of(server: &ApiServer, group: &str, version: &str) -> Vec<&'static Row> {
    let mut rows: Vec<&Row> = server
        .all_rows()
        .filter(|row| row.info.group == group && row.info.version == version)
        .filter(|row| !row.verbs.is_empty())
        .collect();
    base::sort::by_key(&mut rows, |row| row.info.plural);
    rows
}

/// The name, group, version, kind and verbs of a subresource.
fn sub(
    row: &Row,
    subresource: Subresource,
) -> (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]) {
    let own = (row.info.group, row.info.version, row.info.kind);
    let change: &[&str] = &["get", "patch", "update"];
    let (name, (group, version, kind), verbs): (_, _, &[&str]) = match subresource {
        Subresource::Status => ("status", own, change),
        Subresource::Scale => ("scale", ("autoscaling", "v1", "Scale"), change),
        Subresource::Binding => ("binding", ("", "v1", "Binding"), &["create"]),
        Subresource::Eviction => ("eviction", ("policy", "v1", "Eviction"), &["create"]),
        Subresource::EphemeralContainers => ("ephemeralcontainers", own, change),
        Subresource::Resize => ("resize", own, change),
        Subresource::Log => ("log", own, &["get"]),
        Subresource::Token => {
            ("token", ("authentication.k8s.io", "v1", "TokenRequest"), &["create"])
        }
        Subresource::Approval => ("approval", own, change),
        Subresource::Finalize => ("finalize", own, &["update"]),
        Subresource::None => ("", own, &[]),
    };
    (name, group, version, kind, verbs)
}

fn texts(list: &[&str]) -> Json {
    Json::Array(list.iter().map(|text| Json::from(*text)).collect())
}

fn resource_list(server: &ApiServer, group: &str, version: &str) -> Option<Content> {
    let rows = rows_of(server, group, version);
    if rows.is_empty() {
        return None;
    }
    let mut resources = Vec::new();
    for row in rows {
        let info = row.info;
        let mut entry = object(vec![
            ("name", info.plural.into()),
            ("singularName", info.singular.into()),
            ("namespaced", info.namespaced.into()),
            ("kind", info.kind.into()),
            ("verbs", texts(row.verbs)),
        ]);
        if !info.short.is_empty() {
            entry.set("shortNames", texts(info.short));
        }
        if !info.categories.is_empty() {
            entry.set("categories", texts(info.categories));
        }
        resources.push(entry);
        for subresource in row.subresources {
            let (name, group, version, kind, verbs) = sub(row, *subresource);
            let mut entry = object(vec![
                ("name", format!("{}/{name}", info.plural).into()),
                ("singularName", "".into()),
                ("namespaced", info.namespaced.into()),
            ]);
            if (group, version) != (info.group, info.version) {
                if !group.is_empty() {
                    entry.set("group", group);
                }
                entry.set("version", version);
            }
            entry.set("kind", kind);
            entry.set("verbs", texts(verbs));
            resources.push(entry);
        }
    }
    let group_version =
        if group.is_empty() { version.to_string() } else { format!("{group}/{version}") };
    Some(Content::Json(object(vec![
        ("kind", "APIResourceList".into()),
        ("apiVersion", "v1".into()),
        ("groupVersion", group_version.into()),
        ("resources", Json::Array(resources)),
    ])))
}

/// All groups with their resources in one document.
fn aggregated(server: &ApiServer, groups: &[&str]) -> Json {
    let items = groups.iter().map(|group| {
        let versions = versions(server, group).into_iter().map(|version| {
            let resources = rows_of(server, group, version).into_iter().map(discovered).collect();
            object(vec![
                ("version", version.into()),
                ("resources", Json::Array(resources)),
                ("freshness", "Current".into()),
            ])
        });
        let mut meta = Json::object();
        if !group.is_empty() {
            meta.set("name", *group);
        }
        meta.set("creationTimestamp", Json::Null);
        object(vec![("metadata", meta), ("versions", Json::Array(versions.collect()))])
    });
    object(vec![
        ("kind", "APIGroupDiscoveryList".into()),
        ("apiVersion", "apidiscovery.k8s.io/v2".into()),
        ("metadata", Json::object()),
        ("items", Json::Array(items.collect())),
    ])
}

fn response_kind(group: &str, version: &str, kind: &str) -> Json {
    object(vec![("group", group.into()), ("version", version.into()), ("kind", kind.into())])
}

fn discovered(row: &Row) -> Json {
    let info = row.info;
    let mut entry = object(vec![
        ("resource", info.plural.into()),
        ("responseKind", response_kind(info.group, info.version, info.kind)),
        ("scope", if info.namespaced { "Namespaced" } else { "Cluster" }.into()),
        ("singularResource", info.singular.into()),
        ("verbs", texts(row.verbs)),
    ]);
    if !info.short.is_empty() {
        entry.set("shortNames", texts(info.short));
    }
    if !info.categories.is_empty() {
        entry.set("categories", texts(info.categories));
    }
    let subresources = row.subresources.iter().map(|subresource| {
        let (name, group, version, kind, verbs) = sub(row, *subresource);
        object(vec![
            ("subresource", name.into()),
            ("responseKind", response_kind(group, version, kind)),
            ("verbs", texts(verbs)),
        ])
    });
    let subresources: Vec<Json> = subresources.collect();
    if !subresources.is_empty() {
        entry.set("subresources", Json::Array(subresources));
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_that_is_served_is_listed() {
        for row in crate::registry::rows().iter().filter(|row| !row.info.group.is_empty()) {
            assert!(GROUPS.contains(&row.info.group), "{}", row.info.group);
        }
    }
}
