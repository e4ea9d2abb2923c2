//! `authentication.k8s.io` and `authorization.k8s.io`: reviews, answered and not stored.
//!
//! Known deviations:
//! - Everybody may do everything, as with `--authorization-mode=AlwaysAllow`.
//! - No bearer token is valid.

use std::sync::Arc;

use api::authentication::v1::*;
use api::authorization::v1::*;
use api::object::{Kind, Object};
use base::{Instant, Str, list, lit};

use super::Row;
use crate::ApiServer;
use crate::errors::{self, Refusal};

/// The rows.
pub static ROWS: &[Row] = &[
    Row::review(SelfSubjectReview::INFO, self_subject),
    Row { verbs: &[], ..Row::new(TokenRequest::INFO) },
    Row::review(TokenReview::INFO, token),
    Row::review(LocalSubjectAccessReview::INFO, allow),
    Row::review(SelfSubjectAccessReview::INFO, allow),
    Row::review(SelfSubjectRulesReview::INFO, rules),
    Row::review(SubjectAccessReview::INFO, allow),
];

/// The user as whom every request is made.
pub fn admin() -> UserInfo {
    UserInfo {
        username: lit!("kubernetes-admin"),
        groups: list![lit!("system:masters"), lit!("system:authenticated")],
        ..UserInfo::default()
    }
}

fn self_subject(_: &ApiServer, object: &mut Object, now: Instant) -> Result<(), Refusal> {
    let Some(review) = object.edit_as::<SelfSubjectReview>() else { return Ok(()) };
    Arc::make_mut(&mut review.metadata).creation_timestamp = Some(now.into());
    review.status = Arc::new(SelfSubjectReviewStatus { user_info: Some(Box::new(admin())) });
    Ok(())
}

fn token(_: &ApiServer, object: &mut Object, _: Instant) -> Result<(), Refusal> {
    let Some(review) = object.edit_as::<TokenReview>() else { return Ok(()) };
    if review.spec.token.is_empty() {
        return Err(errors::bad_request("token is required for TokenReview in authentication"));
    }
    let error = lit!("invalid bearer token");
    review.status = Arc::new(TokenReviewStatus { error, ..TokenReviewStatus::default() });
    Ok(())
}

fn allow(_: &ApiServer, object: &mut Object, _: Instant) -> Result<(), Refusal> {
    let status = Arc::new(SubjectAccessReviewStatus { allowed: true, ..Default::default() });
    if let Some(review) = object.edit_as::<SubjectAccessReview>() {
        review.status = status;
    } else if let Some(review) = object.edit_as::<SelfSubjectAccessReview>() {
        review.status = status;
    } else if let Some(review) = object.edit_as::<LocalSubjectAccessReview>() {
        review.status = status;
    }
    Ok(())
}

fn rules(_: &ApiServer, object: &mut Object, _: Instant) -> Result<(), Refusal> {
    let Some(review) = object.edit_as::<SelfSubjectRulesReview>() else { return Ok(()) };
    let any = || list![Str::from("*")];
    review.status = Arc::new(SubjectRulesReviewStatus {
        resource_rules: list![ResourceRule {
            api_groups: any(),
            resources: any(),
            verbs: any(),
            ..ResourceRule::default()
        }],
        non_resource_rules: list![NonResourceRule { non_resource_urls: any(), verbs: any() }],
        ..SubjectRulesReviewStatus::default()
    });
    Ok(())
}
