//! token: a signed token for a service account.
//!
//! Known deviations:
//! - The signature is made up: nothing in the model checks it.

use std::sync::Arc;

use api::Json;
use api::authentication::v1::{TokenRequest, TokenRequestStatus};
use api::object::Object;
use api::wire::{Answer, Reply, not_found};
use base::{Duration, Str, list, lit};

use crate::base64;
use crate::errors;
use crate::registry::Row;
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
    let expires = write.now + Duration::secs(seconds);
    let mut account_claim = Json::object();
    account_claim.set("name", name);
    account_claim.set("uid", account.meta().uid.clone());
    let mut kubernetes = Json::object();
    kubernetes.set("namespace", namespace);
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
