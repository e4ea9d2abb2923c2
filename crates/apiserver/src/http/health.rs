//! `/healthz`, `/livez`, `/readyz` and `/metrics`.

use std::fmt::Write as _;

use super::query::Query;
use super::{Content, Reply};
use crate::ApiServer;

const LIVE: &[&str] = &[
    "ping",
    "log",
    "etcd",
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter",
    "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-kube-apiserver-identity-lease-garbage-collector",
    "poststarthook/start-legacy-token-tracking-controller",
    "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer",
    "poststarthook/bootstrap-controller",
    "poststarthook/start-kubernetes-service-cidr-controller",
    "poststarthook/aggregator-reload-proxy-client-cert",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
];

fn checks(endpoint: &str) -> Vec<&'static str> {
    let mut checks: Vec<&str> = LIVE.to_vec();
    if endpoint == "readyz" {
        checks.insert(3, "etcd-readiness");
        checks.insert(4, "informer-sync");
        checks.push("shutdown");
    }
    checks
}

/// One of the three endpoints, or a single check of it.
pub(super) fn answer(_: &ApiServer, path: &[&str], query: &Query) -> Reply {
    let checks = checks(path[0]);
    let excluded: Vec<&str> =
        query.pairs.iter().filter(|(key, _)| key == "exclude").map(|(_, v)| v.as_str()).collect();
    let single = path[1..].join("/");
    let (code, text) = if single.is_empty() {
        match query.has("verbose") {
            false => (200, "ok".to_string()),
            true => {
                let mut text = String::new();
                for check in &checks {
                    let word = if excluded.contains(check) { "excluded: " } else { "" };
                    let _ = writeln!(text, "[+]{check} {word}ok");
                }
                let _ = writeln!(text, "{} check passed", path[0]);
                (200, text)
            }
        }
    } else if checks.contains(&single.as_str()) {
        (200, "ok".to_string())
    } else {
        (404, "404 page not found\n".to_string())
    };
    Reply { code, warnings: Vec::new(), content: Content::Text(text) }
}

/// A few of the numbers that the real server counts.
pub(super) fn metrics(server: &ApiServer) -> String {
    let mut text = String::new();
    text.push_str("# HELP apiserver_storage_objects [STABLE] Number of stored objects at the time of last check split by kind.\n");
    text.push_str("# TYPE apiserver_storage_objects gauge\n");
    for row in server.all_rows().filter(|row| row.verbs.contains(&"list")) {
        if row.stored.is_none() {
            let count = server.etcd.store().count(&server.range_of(row, ""));
            let name = row.info.resource();
            let _ = writeln!(text, "apiserver_storage_objects{{resource=\"{name}\"}} {count}");
        }
    }
    text.push_str("# HELP apiserver_longrunning_requests [STABLE] Gauge of all active long-running apiserver requests.\n");
    text.push_str("# TYPE apiserver_longrunning_requests gauge\n");
    let _ =
        writeln!(text, "apiserver_longrunning_requests{{verb=\"WATCH\"}} {}", server.watch_count());
    text.push_str(
        "# HELP etcd_debugging_mvcc_current_revision The current revision of the store.\n",
    );
    text.push_str("# TYPE etcd_debugging_mvcc_current_revision gauge\n");
    let _ = writeln!(text, "etcd_debugging_mvcc_current_revision {}", server.revision());
    text
}
