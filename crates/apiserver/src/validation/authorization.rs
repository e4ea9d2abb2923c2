//! `authorization.k8s.io`: the reviews that ask whether somebody may do something.
//!
//! Known deviations:
//! - Field and label selectors of the asked attributes are not checked.

use api::Object;
use api::authorization::v1::{
    LocalSubjectAccessReview, NonResourceAttributes, ResourceAttributes, SelfSubjectAccessReview,
    SubjectAccessReview, SubjectAccessReviewSpec,
};
use api::meta::v1::ObjectMeta;

use super::check::{Errors, Raw, json};
use super::path::Path;

/// What is wrong with a review.
pub fn validate(e: &mut Errors, object: &Object) {
    if let Some(review) = object.get::<SubjectAccessReview>() {
        subject(e, &review.spec);
        no_metadata(e, object, false);
    } else if let Some(review) = object.get::<SelfSubjectAccessReview>() {
        let spec = &review.spec;
        let attributes =
            (spec.resource_attributes.as_deref(), spec.non_resource_attributes.as_deref());
        one_of_both(e, attributes);
        no_metadata(e, object, false);
    } else if let Some(review) = object.get::<LocalSubjectAccessReview>() {
        subject(e, &review.spec);
        no_metadata(e, object, true);
        local(e, review);
    }
}

fn subject(e: &mut Errors, spec: &SubjectAccessReviewSpec) {
    one_of_both(e, (spec.resource_attributes.as_deref(), spec.non_resource_attributes.as_deref()));
    if spec.user.is_empty() && spec.groups.is_empty() {
        let at = Path::root("spec");
        e.invalid(&at.child("user"), &spec.user, "at least one of user or group must be specified");
    }
}

fn one_of_both(
    e: &mut Errors,
    attributes: (Option<&ResourceAttributes>, Option<&NonResourceAttributes>),
) {
    let at = Path::root("spec");
    match attributes {
        (Some(_), Some(path)) => e.invalid(
            &at.child("nonResourceAttributes"),
            &json(path),
            "cannot be specified in combination with resourceAttributes",
        ),
        (None, None) => e.invalid(
            &at.child("resourceAttributes"),
            &Raw("null".into()),
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        _ => {}
    }
}

/// A review has no name; the namespace aside where it lives in one.
fn no_metadata(e: &mut Errors, object: &Object, namespaced: bool) {
    let mut meta = ObjectMeta::clone(object.meta());
    meta.managed_fields.clear();
    if namespaced {
        meta.namespace = Default::default();
    }
    if meta != ObjectMeta::default() {
        let why = if namespaced { "must be empty except for namespace" } else { "must be empty" };
        e.invalid(&Path::root("metadata"), &json(&**object.meta()), why);
    }
}

fn local(e: &mut Errors, review: &LocalSubjectAccessReview) {
    let at = Path::root("spec");
    if let Some(asked) = &review.spec.resource_attributes
        && asked.namespace != review.metadata.namespace
    {
        let at = at.child("resourceAttributes");
        e.invalid(&at.child("namespace"), &asked.namespace, "must match metadata.namespace");
    }
    if review.spec.non_resource_attributes.is_some() {
        let why = "disallowed on this kind of request";
        let shown = review.spec.non_resource_attributes.as_deref().map(|path| json(path).0);
        e.invalid(&at.child("nonResourceAttributes"), &Raw(shown.unwrap_or_default()), why);
    }
}
