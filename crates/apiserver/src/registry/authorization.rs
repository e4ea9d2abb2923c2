//! `authentication.k8s.io` and `authorization.k8s.io`: reviews, answered and not stored.

use std::sync::Arc;

use api::authentication::v1::*;
use api::authorization::v1::*;
use api::object::{Kind, Object};
use base::Instant;

use super::Row;
use crate::ApiServer;
use crate::access::{Action, Decision};
use crate::errors::{self, Refusal};

/// The rows.
pub static ROWS: &[Row] = &[
    Row::review(SelfSubjectReview::INFO, self_subject),
    Row { verbs: &[], ..Row::new(TokenRequest::INFO) },
    Row::review(TokenReview::INFO, token),
    Row::review(LocalSubjectAccessReview::INFO, access),
    Row::review(SelfSubjectAccessReview::INFO, access),
    Row::review(SelfSubjectRulesReview::INFO, rules),
    Row::review(SubjectAccessReview::INFO, access),
];

fn self_subject(
    _: &ApiServer,
    object: &mut Object,
    now: Instant,
    user: &UserInfo,
) -> Result<(), Refusal> {
    let Some(review) = object.edit_as::<SelfSubjectReview>() else { return Ok(()) };
    Arc::make_mut(&mut review.metadata).creation_timestamp = Some(now.into());
    review.status = Arc::new(SelfSubjectReviewStatus { user_info: Some(Box::new(user.clone())) });
    Ok(())
}

fn token(
    server: &ApiServer,
    object: &mut Object,
    now: Instant,
    _: &UserInfo,
) -> Result<(), Refusal> {
    let Some(review) = object.edit_as::<TokenReview>() else { return Ok(()) };
    if review.spec.token.is_empty() {
        return Err(errors::bad_request("token is required for TokenReview in authentication"));
    }
    let user = server.token_user(now, &review.spec.token).ok();
    let user = user.filter(|user| user.username.starts_with("system:serviceaccount:"));
    review.status = Arc::new(match user {
        Some(user) => TokenReviewStatus {
            authenticated: true,
            audiences: review.spec.audiences.clone(),
            user,
            ..TokenReviewStatus::default()
        },
        None => TokenReviewStatus {
            error: "invalid bearer token".into(),
            ..TokenReviewStatus::default()
        },
    });
    Ok(())
}

/// The three reviews that ask whether somebody may do something.
fn access(
    server: &ApiServer,
    object: &mut Object,
    _: Instant,
    user: &UserInfo,
) -> Result<(), Refusal> {
    let (own, resource, path) = if let Some(review) = object.get::<SelfSubjectAccessReview>() {
        let spec = &review.spec;
        (user.clone(), spec.resource_attributes.clone(), spec.non_resource_attributes.clone())
    } else {
        let spec = object.get::<SubjectAccessReview>().map(|review| &review.spec);
        let local = object.get::<LocalSubjectAccessReview>().map(|review| &review.spec);
        let Some(spec) = spec.or(local) else { return Ok(()) };
        let who = UserInfo {
            username: spec.user.clone(),
            groups: spec.groups.clone(),
            uid: spec.uid.clone(),
            extra: spec.extra.clone(),
        };
        (who, spec.resource_attributes.clone(), spec.non_resource_attributes.clone())
    };
    let decision = match (&resource, &path) {
        (Some(wanted), _) => server.decide(
            &own,
            &Action {
                verb: &wanted.verb,
                group: &wanted.group,
                resource: &wanted.resource,
                subresource: &wanted.subresource,
                namespace: &wanted.namespace,
                name: &wanted.name,
                path: "",
            },
        ),
        (None, Some(wanted)) => server
            .decide(&own, &Action { verb: &wanted.verb, path: &wanted.path, ..Action::default() }),
        (None, None) => Decision::default(),
    };
    let status = Arc::new(SubjectAccessReviewStatus {
        allowed: decision.allowed,
        reason: decision.reason.into(),
        ..SubjectAccessReviewStatus::default()
    });
    if let Some(review) = object.edit_as::<SubjectAccessReview>() {
        review.status = status;
    } else if let Some(review) = object.edit_as::<SelfSubjectAccessReview>() {
        review.status = status;
    } else if let Some(review) = object.edit_as::<LocalSubjectAccessReview>() {
        review.status = status;
    }
    Ok(())
}

fn rules(
    server: &ApiServer,
    object: &mut Object,
    _: Instant,
    user: &UserInfo,
) -> Result<(), Refusal> {
    let Some(review) = object.edit_as::<SelfSubjectRulesReview>() else { return Ok(()) };
    if review.spec.namespace.is_empty() {
        return Err(errors::bad_request("no namespace on request"));
    }
    let mut status = SubjectRulesReviewStatus::default();
    server.rules_of(user, &review.spec.namespace, &mut |rule, _| {
        if rule.non_resource_urls.is_empty() {
            status.resource_rules.push(ResourceRule {
                api_groups: rule.api_groups.clone(),
                resources: rule.resources.clone(),
                resource_names: rule.resource_names.clone(),
                verbs: rule.verbs.clone(),
            });
        } else {
            status.non_resource_rules.push(NonResourceRule {
                non_resource_urls: rule.non_resource_urls.clone(),
                verbs: rule.verbs.clone(),
            });
        }
        true
    });
    review.status = Arc::new(status);
    Ok(())
}
