//! Who asks, and whether they may.
//!
//! Models authentication, impersonation and the RBAC authorizer, for requests over HTTP. The parts of the cluster
//! hand over typed requests and are trusted.
//!
//! Known deviations:
//! - Whoever shows no token of a service account is `kubernetes-admin`: there are no certificates and no passwords.
//! - Signatures of tokens are not checked; their expiry is.
//! - What a role may grant to others (`escalate`, `bind`) is not limited.

mod policy;
mod rbac;

use api::Json;
use api::authentication::v1::UserInfo;
use api::core::v1::ServiceAccount;
use api::object::Kind;
use api::wire::failure;
use base::{Instant, Str, list, lit};

use crate::ApiServer;
use crate::base64;
use crate::errors::Refusal;
use crate::http::HttpRequest;
use crate::registry;

pub(crate) use policy::defaults;
pub(crate) use rbac::{Action, Decision};

/// As whom people and their tools ask.
pub fn admin() -> UserInfo {
    UserInfo {
        username: lit!("kubernetes-admin"),
        groups: list![lit!("system:masters"), lit!("system:authenticated")],
        ..UserInfo::default()
    }
}

impl ApiServer {
    /// The user of a request, after impersonation.
    pub(crate) fn user_of(&self, now: Instant, request: &HttpRequest) -> Result<UserInfo, Refusal> {
        let header = request.value("authorization").unwrap_or_default();
        let user = match header.strip_prefix("Bearer ") {
            Some(token) => self.token_user(now, token.trim())?,
            None => admin(),
        };
        let Some(name) = request.value("impersonate-user") else { return Ok(user) };
        let action = Action { verb: "impersonate", resource: "users", name, ..Action::default() };
        self.demand(&user, &action)?;
        let groups = request.headers.iter();
        let groups = groups.filter(|(key, _)| key.eq_ignore_ascii_case("impersonate-group"));
        let mut other = UserInfo { username: name.into(), ..UserInfo::default() };
        other.groups.extend(groups.map(|(_, value)| value.clone()));
        if let Some(rest) = name.strip_prefix("system:serviceaccount:")
            && let Some((namespace, _)) = rest.split_once(':')
        {
            other.groups.push(lit!("system:serviceaccounts"));
            other.groups.push(format!("system:serviceaccounts:{namespace}").into());
        }
        let everyone = if name == "system:anonymous" {
            lit!("system:unauthenticated")
        } else {
            lit!("system:authenticated")
        };
        if !other.groups.contains(&everyone) {
            other.groups.push(everyone);
        }
        Ok(other)
    }

    /// The service account of a token that this server made; other tokens are the administrator's.
    pub(crate) fn token_user(&self, now: Instant, token: &str) -> Result<UserInfo, Refusal> {
        let claims = token.split('.').nth(1).and_then(base64::decode_url);
        let Some(claims) = claims.and_then(|bytes| Json::parse(&bytes).ok()) else {
            return Ok(admin());
        };
        let subject = claims.get("sub").and_then(Json::as_str).unwrap_or_default();
        let parts = subject.strip_prefix("system:serviceaccount:").and_then(|s| s.split_once(':'));
        let Some((namespace, name)) = parts else { return Ok(admin()) };
        let refuse = || failure(401, "Unauthorized", "Unauthorized");
        let expires = claims.get("exp").and_then(Json::as_i64).unwrap_or(i64::MAX);
        let row = registry::of(ServiceAccount::INFO).ok_or_else(refuse)?;
        let account = self.stored(row, namespace, name).ok_or_else(refuse)?;
        let uid = claims.at(&["kubernetes.io", "serviceaccount", "uid"]).and_then(Json::as_str);
        if expires <= now.unix_seconds() || uid.is_some_and(|uid| *uid != *account.meta().uid) {
            return Err(refuse());
        }
        Ok(UserInfo {
            username: subject.into(),
            uid: account.meta().uid.clone(),
            groups: list![
                lit!("system:serviceaccounts"),
                Str::from(format!("system:serviceaccounts:{namespace}")),
                lit!("system:authenticated"),
            ],
            ..UserInfo::default()
        })
    }
}
