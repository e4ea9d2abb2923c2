//! Nodes, namespaces, events and other things of the cluster as a whole.

use api::Json;
use api::certificates::v1::CertificateSigningRequest;
use api::coordination::v1::Lease;
use api::core::v1::{ComponentStatus, Event, Namespace, Node};
use api::node::v1::RuntimeClass;
use api::object::Object;
use api::scheduling::v1::PriorityClass;

use super::Cx;
use super::format::*;

/// The cells of an object of the cluster.
pub(super) fn cells(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(node) = object.get::<Node>() {
        return Some(node_cells(cx, object, node));
    }
    if let Some(event) = object.get::<Event>() {
        return Some(event_cells(cx, object, event));
    }
    if let Some(namespace) = object.get::<Namespace>() {
        let phase = Json::Str(namespace.status.phase.clone());
        return Some(vec![name(object), phase, age(cx, object)]);
    }
    if let Some(lease) = object.get::<Lease>() {
        let holder = lease.spec.holder_identity.as_deref().unwrap_or_default();
        return Some(vec![name(object), holder.into(), age(cx, object)]);
    }
    if let Some(class) = object.get::<RuntimeClass>() {
        return Some(vec![name(object), Json::Str(class.handler.clone()), age(cx, object)]);
    }
    if let Some(class) = object.get::<PriorityClass>() {
        return Some(vec![
            name(object),
            class.value.unwrap_or(0).into(),
            class.global_default.into(),
            age(cx, object),
            class.preemption_policy.as_deref().unwrap_or_default().into(),
        ]);
    }
    if let Some(request) = object.get::<CertificateSigningRequest>() {
        return Some(request_cells(cx, object, request));
    }
    let component = object.get::<ComponentStatus>()?;
    let healthy = component.conditions.iter().find(|c| c.type_ == "Healthy");
    let (status, message, error) = healthy.map_or(("Unknown", "", ""), |condition| {
        let word = if condition.status == "True" { "Healthy" } else { "Unhealthy" };
        (word, condition.message.as_str(), condition.error.as_str())
    });
    Some(vec![name(object), status.into(), message.into(), error.into()])
}

fn node_cells(cx: &Cx, object: &Object, node: &Node) -> Vec<Json> {
    let mut words = Vec::new();
    match node.status.conditions.iter().find(|condition| condition.type_ == "Ready") {
        Some(condition) if condition.status == "True" => words.push("Ready"),
        Some(_) => words.push("NotReady"),
        None => words.push("Unknown"),
    }
    if node.spec.unschedulable {
        words.push("SchedulingDisabled");
    }
    let mut roles: Vec<&str> = Vec::new();
    for (key, value) in object.meta().labels.iter() {
        if let Some(role) = key.strip_prefix("node-role.kubernetes.io/") {
            roles.extend((!role.is_empty()).then_some(role));
        } else if key == "kubernetes.io/role" && !value.is_empty() {
            roles.push(value);
        }
    }
    base::sort::naturally(&mut roles);
    roles.dedup();
    let address = |kind: &str| {
        let found = node.status.addresses.iter().find(|address| address.type_ == kind);
        or(found.map_or("", |address| &address.address), "<none>")
    };
    let info = api::Value::to_json(&node.status.node_info);
    let text = |key: &str| info.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
    vec![
        name(object),
        words.join(",").into(),
        or(&roles.join(","), "<none>"),
        age(cx, object),
        text("kubeletVersion").into(),
        address("InternalIP"),
        address("ExternalIP"),
        or(&text("osImage"), "<unknown>"),
        or(&text("kernelVersion"), "<unknown>"),
        or(&text("containerRuntimeVersion"), "<unknown>"),
    ]
}

fn event_cells(cx: &Cx, object: &Object, event: &Event) -> Vec<Json> {
    let micro = event.event_time.map(|at| between(at.instant(), cx.now));
    let unknown = || "<unknown>".to_string();
    let first = match event.first_timestamp {
        Some(at) => since(cx, Some(at)),
        None => micro.clone().unwrap_or_else(unknown),
    };
    let mut last = match event.last_timestamp {
        Some(at) => since(cx, Some(at)),
        None => first.clone(),
    };
    let mut count = event.count;
    if let Some(series) = &event.series {
        if let Some(at) = series.last_observed_time {
            last = between(at.instant(), cx.now);
        }
        count = series.count;
    } else if count == 0 {
        count = 1;
    }
    let about = &event.involved_object;
    let target = match about.name.as_str() {
        "" => about.kind.to_lowercase(),
        own => format!("{}/{own}", about.kind.to_lowercase()),
    };
    let source = match (event.source.component.as_str(), event.source.host.as_str()) {
        ("", _) => {
            let (by, at) = (&event.reporting_component, &event.reporting_instance);
            if at.is_empty() { by.to_string() } else { format!("{by}, {at}") }
        }
        (by, "") => by.to_string(),
        (by, host) => format!("{by}, {host}"),
    };
    vec![
        last.into(),
        Json::Str(event.type_.clone()),
        Json::Str(event.reason.clone()),
        target.into(),
        Json::Str(about.field_path.clone()),
        source.into(),
        event.message.trim().into(),
        first.into(),
        count.into(),
        name(object),
    ]
}

fn request_cells(cx: &Cx, object: &Object, request: &CertificateSigningRequest) -> Vec<Json> {
    let has = |kind: &str| request.status.conditions.iter().any(|c| c.type_ == kind);
    let mut words: Vec<&str> = Vec::new();
    if has("Denied") {
        words.push("Denied");
    } else if has("Approved") {
        words.push("Approved");
    } else {
        words.push("Pending");
    }
    if has("Failed") {
        words.push("Failed");
    }
    if !request.status.certificate.0.is_empty() {
        words.push("Issued");
    }
    let wanted = request.spec.expiration_seconds;
    vec![
        name(object),
        age(cx, object),
        Json::Str(request.spec.signer_name.clone()),
        Json::Str(request.spec.username.clone()),
        wanted.map_or("<none>".to_string(), |s| duration(i64::from(s))).into(),
        words.join(",").into(),
    ]
}
