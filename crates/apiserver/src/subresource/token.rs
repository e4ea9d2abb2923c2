//! token: a signed token for a service account.
//!
//! Known deviations:
//! - The signature is made up: nothing in the model checks it.

use std::sync::Arc;

use api::Json;
use api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestStatus};
use api::core::v1::{Node, Pod, Secret};
use api::object::{Kind, KindInfo, Object};
use api::wire::{Answer, Reply, failure, not_found, with_details};
use base::{Duration, Str, list, lit};

use crate::base64;
use crate::errors::{self, Refusal, field_error};
use crate::registry::{self, Row};
use crate::{ApiServer, Write};

const ISSUER: Str = lit!("https://kubernetes.default.svc.cluster.local");

/// Issues a token.
pub(super) fn create(
    server: &mut ApiServer,
    write: &mut Write,
    row: &'static Row,
    namespace: &str,
    name: &str,
    mut object: Object,
) -> Reply {
    let Some(account) = server.stored(row, namespace, name).cloned() else {
        return Err(not_found(row.info, name));
    };
    let Some(request) = object.edit_as::<TokenRequest>() else {
        return Err(errors::bad_request("expected input object type to be TokenRequest"));
    };
    let meta = Arc::make_mut(&mut request.metadata);
    (meta.name, meta.namespace) = (name.into(), namespace.into());
    meta.creation_timestamp = Some(write.now.into());
    let spec = Arc::make_mut(&mut request.spec);
    if spec.audiences.is_empty() {
        spec.audiences = list![ISSUER];
    }
    let seconds = *spec.expiration_seconds.get_or_insert(3600);
    check_seconds(seconds)?;
    let bound = match &spec.bound_object_ref {
        Some(reference) => bound_claims(server, namespace, name, reference)?,
        None => Vec::new(),
    };
    let expires = write.now + Duration::secs(seconds);
    let mut account_claim = Json::object();
    account_claim.set("name", name);
    account_claim.set("uid", account.meta().uid.clone());
    let mut kubernetes = Json::object();
    kubernetes.set("namespace", namespace);
    for (what, claim) in bound {
        kubernetes.set(what, claim);
    }
    kubernetes.set("serviceaccount", account_claim);
    let mut claims = Json::object();
    claims.set("aud", Json::Array(spec.audiences.iter().map(|a| Json::Str(a.clone())).collect()));
    claims.set("exp", expires.unix_seconds());
    claims.set("iat", write.now.unix_seconds());
    claims.set("iss", ISSUER);
    claims.set("jti", server.rng.uuid());
    claims.set("kubernetes.io", kubernetes);
    claims.set("nbf", write.now.unix_seconds());
    claims.set("sub", format!("system:serviceaccount:{namespace}:{name}"));
    let head = base64::encode_url(br#"{"alg":"RS256","kid":"orrery"}"#);
    let body = base64::encode_url(claims.to_string().as_bytes());
    let seal: Vec<u8> = (0..32).flat_map(|_| server.rng.next_u64().to_be_bytes()).collect();
    let token = format!("{head}.{body}.{}", base64::encode_url(&seal));
    request.status = Arc::new(TokenRequestStatus {
        expiration_timestamp: Some(expires.into()),
        token: token.into(),
    });
    Ok(Answer::Object(object, true))
}

/// Tokens are good for ten minutes at least.
const SECONDS_MIN: i64 = 600;
const SECONDS_MAX: i64 = 1 << 32;

fn check_seconds(seconds: i64) -> Result<(), Refusal> {
    let why = if seconds < SECONDS_MIN {
        "may not specify a duration less than 10 minutes"
    } else if seconds > SECONDS_MAX {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        return Ok(());
    };
    let text = format!("Invalid value: {seconds}: {why}");
    let error = field_error("FieldValueInvalid", "spec.expirationSeconds", text);
    Err(errors::invalid(TokenRequest::INFO, "", &[error]))
}

/// What a token says of the object that it lives and dies with, which must be there.
fn bound_claims(
    server: &ApiServer,
    namespace: &str,
    account: &str,
    reference: &BoundObjectReference,
) -> Result<Vec<(&'static str, Json)>, Refusal> {
    let (group, version) =
        reference.api_version.rsplit_once('/').unwrap_or(("", &reference.api_version));
    let (what, info): (&str, &KindInfo) = match (group, reference.kind.as_str()) {
        ("", "Pod") => ("pod", Pod::INFO),
        ("", "Node") => ("node", Node::INFO),
        ("", "Secret") => ("secret", Secret::INFO),
        (_, kind) => {
            return Err(errors::bad_request(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let find = |info: &'static KindInfo, name: &str| {
        let namespace = if info.namespaced { namespace } else { "" };
        server.stored(registry::of(info).expect("registered"), namespace, name)
    };
    let name = &reference.name;
    let object = find(info, name).ok_or_else(|| not_found(info, name))?;
    let pod = object.get::<Pod>();
    if pod.is_some_and(|pod| pod.spec.service_account_name != account) {
        return Err(errors::bad_request(format!(
            "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
        )));
    }
    let uid = &reference.uid;
    if !uid.is_empty() && *uid != object.meta().uid {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The \
             object might have been deleted and then recreated"
        );
        // Here upstream names the kind, not the resource.
        let kind = info.kind;
        let text = format!("Operation cannot be fulfilled on {kind} {:?}: {why}", &**name);
        return Err(with_details(failure(409, "Conflict", text), "", kind, name));
    }
    let mut claims = Vec::new();
    if let Some(node) = pod.map(|pod| &pod.spec.node_name).filter(|node| !node.is_empty()) {
        // A node that is gone is still named.
        let uid = find(Node::INFO, node).map(|node| node.meta().uid.clone());
        claims.push(("node", claim(node, uid.as_ref())));
    }
    claims.push((what, claim(name, Some(&object.meta().uid))));
    Ok(claims)
}

fn claim(name: &Str, uid: Option<&Str>) -> Json {
    let mut claim = Json::object();
    claim.set("name", name.clone());
    if let Some(uid) = uid {
        claim.set("uid", uid.clone());
    }
    claim
}

#[cfg(test)]
mod tests {
    use api::core::v1::{NodeSpec, PodSpec};
    use api::meta::v1::ObjectMeta;
    use base::Instant;

    use super::*;

    fn meta(namespace: &str, name: &str, uid: &str) -> Arc<ObjectMeta> {
        let (namespace, name) = (namespace.into(), name.into());
        Arc::new(ObjectMeta { namespace, name, uid: uid.into(), ..ObjectMeta::default() })
    }

    fn check(node: &str, expect: &str) {
        let mut server = ApiServer::new(1);
        let write = Write::own(Instant::START, "create", lit!("test"));
        let spec = PodSpec {
            service_account_name: lit!("robot"),
            node_name: node.into(),
            ..PodSpec::default()
        };
        let pod = Pod {
            metadata: meta("default", "a", "u1"),
            spec: api::PlacedSpec::new(Arc::new(spec)),
            ..Pod::default()
        };
        let here = Node {
            metadata: meta("", "here", "u2"),
            spec: Arc::new(NodeSpec::default()),
            ..Node::default()
        };
        for object in [Object::new(pod), Object::new(here)] {
            let row = registry::of(object.info()).expect("registered");
            server.put(&write, row, None, object).expect("stored");
        }
        let reference = BoundObjectReference {
            api_version: lit!("v1"),
            kind: lit!("Pod"),
            name: lit!("a"),
            ..BoundObjectReference::default()
        };
        let claims = bound_claims(&server, "default", "robot", &reference).expect("bound");
        let shown: Vec<String> =
            claims.iter().map(|(what, json)| format!("{what}={json}")).collect();
        assert_eq!(shown.join(" "), expect);
    }

    #[test]
    fn a_bound_token_says_which_pod_it_is_of_and_where_that_runs() {
        let pod = r#"pod={"name":"a","uid":"u1"}"#;
        check("", pod);
        check("here", &format!(r#"node={{"name":"here","uid":"u2"}} {pod}"#));
        check("gone", &format!(r#"node={{"name":"gone"}} {pod}"#));
    }
}
