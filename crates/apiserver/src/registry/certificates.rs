//! `certificates.k8s.io`.

use std::sync::Arc;

use api::certificates::v1::CertificateSigningRequest;
use api::object::{Kind, Object};
use api::wire::Subresource;
use base::Str;

use super::{Cx, Row};
use crate::access;

/// The rows.
pub static ROWS: &[Row] = &[Row {
    subresources: &[Subresource::Approval, Subresource::Status],
    prepare_create,
    selectable: &["spec.signerName"],
    read,
    ..Row::new(CertificateSigningRequest::INFO)
}];

fn prepare_create(object: &mut Object, _: &Cx) {
    let Some(request) = object.edit_as::<CertificateSigningRequest>() else { return };
    let user = access::admin();
    let spec = Arc::make_mut(&mut request.spec);
    (spec.username, spec.groups) = (user.username, user.groups);
    (spec.uid, spec.extra) = (user.uid, user.extra);
}

fn read(object: &Object, path: &str) -> Option<Str> {
    let request = object.get::<CertificateSigningRequest>()?;
    (path == "spec.signerName").then(|| request.spec.signer_name.clone())
}
