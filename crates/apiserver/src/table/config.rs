//! Configuration, quotas, roles and registrations.

use api::Json;
use api::admissionregistration::v1::*;
use api::apiregistration::v1::APIService;
use api::core::v1::{ConfigMap, ResourceQuota, Secret, ServiceAccount};
use api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use api::object::Object;
use api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use base::List;

use super::Cx;
use super::format::*;

/// The cells of a configuration object.
pub(super) fn cells(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    if let Some(map) = object.get::<ConfigMap>() {
        let len = (map.data.len() + map.binary_data.len()) as i64;
        return Some(vec![name(object), len.into(), age(cx, object)]);
    }
    if let Some(secret) = object.get::<Secret>() {
        let len = secret.data.len() as i64;
        return Some(vec![
            name(object),
            Json::Str(secret.type_.clone()),
            len.into(),
            age(cx, object),
        ]);
    }
    if object.get::<ServiceAccount>().is_some() {
        return Some(vec![name(object), age(cx, object)]);
    }
    if let Some(quota) = object.get::<ResourceQuota>() {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (resource, hard) in quota.status.hard.iter() {
            let used = quota.status.used.get(resource);
            let text =
                format!("{resource}: {}/{hard}", used.map_or("0".to_string(), ToString::to_string));
            if resource.starts_with("limits.") { limits.push(text) } else { requests.push(text) }
        }
        return Some(vec![
            name(object),
            requests.join(", ").into(),
            limits.join(", ").into(),
            age(cx, object),
        ]);
    }
    if let Some(binding) = object.get::<RoleBinding>() {
        return Some(bound(cx, object, &binding.role_ref, &binding.subjects));
    }
    if let Some(binding) = object.get::<ClusterRoleBinding>() {
        return Some(bound(cx, object, &binding.role_ref, &binding.subjects));
    }
    admission(cx, object).or_else(|| flow(cx, object))
}

fn bound(cx: &Cx, object: &Object, role: &RoleRef, subjects: &List<Subject>) -> Vec<Json> {
    let of = |kind: &str| -> Json {
        let texts =
            subjects.iter().filter(|subject| subject.kind == kind).map(|subject| match kind {
                "ServiceAccount" => format!("{}/{}", subject.namespace, subject.name),
                _ => subject.name.to_string(),
            });
        texts.collect::<Vec<_>>().join(", ").into()
    };
    vec![
        name(object),
        format!("{}/{}", role.kind, role.name).into(),
        age(cx, object),
        of("User"),
        of("Group"),
        of("ServiceAccount"),
    ]
}

fn admission(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    let counted = |len: usize| Some(vec![name(object), (len as i64).into(), age(cx, object)]);
    if let Some(own) = object.get::<MutatingWebhookConfiguration>() {
        return counted(own.webhooks.len());
    }
    if let Some(own) = object.get::<ValidatingWebhookConfiguration>() {
        return counted(own.webhooks.len());
    }
    let json = object.to_json();
    let text = |path: &[&str]| json.at(path).and_then(Json::as_str).unwrap_or_default();
    let len = |path: &[&str]| json.at(path).map_or(0, |list| list.items().len()) as i64;
    let kind = || match json.at(&["spec", "paramKind"]) {
        Some(_) => format!(
            "{}/{}",
            text(&["spec", "paramKind", "apiVersion"]),
            text(&["spec", "paramKind", "kind"])
        ),
        None => "<unset>".into(),
    };
    let reference = || match json.at(&["spec", "paramRef"]) {
        Some(_) => {
            let (space, own) =
                (text(&["spec", "paramRef", "namespace"]), text(&["spec", "paramRef", "name"]));
            if space.is_empty() { own.to_string() } else { format!("{space}/{own}") }
        }
        None => "<unset>".into(),
    };
    let (second, third): (Json, String) = if object.get::<ValidatingAdmissionPolicy>().is_some() {
        (len(&["spec", "validations"]).into(), kind())
    } else if object.get::<MutatingAdmissionPolicy>().is_some() {
        (len(&["spec", "mutations"]).into(), kind())
    } else if object.get::<ValidatingAdmissionPolicyBinding>().is_some()
        || object.get::<MutatingAdmissionPolicyBinding>().is_some()
    {
        (text(&["spec", "policyName"]).into(), reference())
    } else {
        return None;
    };
    Some(vec![name(object), second, third.into(), age(cx, object)])
}

fn flow(cx: &Cx, object: &Object) -> Option<Vec<Json>> {
    let json = || object.to_json();
    if object.get::<FlowSchema>().is_some() {
        let json = json();
        let text = |path: &[&str]| json.at(path).and_then(Json::as_str).unwrap_or_default();
        let precedence = json.at(&["spec", "matchingPrecedence"]).and_then(Json::as_i64);
        let conditions = json.at(&["status", "conditions"]).map_or(&[][..], Json::items);
        let dangling =
            conditions.iter().find(|c| c.get("type").and_then(Json::as_str) == Some("Dangling"));
        let dangling = dangling.and_then(|c| c.get("status")).and_then(Json::as_str);
        return Some(vec![
            name(object),
            text(&["spec", "priorityLevelConfiguration", "name"]).into(),
            precedence.unwrap_or(0).into(),
            or(text(&["spec", "distinguisherMethod", "type"]), "<none>"),
            age(cx, object),
            dangling.unwrap_or("?").into(),
        ]);
    }
    if object.get::<PriorityLevelConfiguration>().is_some() {
        let json = json();
        let number = |path: &[&str]| {
            json.at(path).and_then(Json::as_i64).map_or("<none>".to_string(), |n| n.to_string())
        };
        let kind = json.at(&["spec", "type"]).and_then(Json::as_str).unwrap_or_default();
        let part = if kind == "Exempt" { "exempt" } else { "limited" };
        let queuing = ["spec", "limited", "limitResponse", "queuing"];
        let of =
            |last: &'static str| number(&[queuing[0], queuing[1], queuing[2], queuing[3], last]);
        return Some(vec![
            name(object),
            kind.into(),
            number(&["spec", part, "nominalConcurrencyShares"]).into(),
            of("queues").into(),
            of("handSize").into(),
            of("queueLengthLimit").into(),
            age(cx, object),
        ]);
    }
    object.get::<APIService>()?;
    let json = json();
    let service = json.at(&["spec", "service"]).filter(|service| service.is_object());
    let place = service.map_or("Local".to_string(), |service| {
        let text = |key: &str| service.get(key).and_then(Json::as_str).unwrap_or_default();
        format!("{}/{}", text("namespace"), text("name"))
    });
    let conditions = json.at(&["status", "conditions"]).map_or(&[][..], Json::items);
    let available =
        conditions.iter().find(|c| c.get("type").and_then(Json::as_str) == Some("Available"));
    let available = available.map_or("Unknown".to_string(), |condition| {
        let text = |key: &str| condition.get(key).and_then(Json::as_str).unwrap_or_default();
        match text("status") {
            "True" => "True".to_string(),
            other => format!("{other} ({})", text("reason")),
        }
    });
    Some(vec![name(object), place.into(), available.into(), age(cx, object)])
}
