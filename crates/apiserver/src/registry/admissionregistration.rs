//! `admissionregistration.k8s.io`. Webhooks and policies are stored, not called.

use api::admissionregistration::v1::*;
use api::object::Kind;
use api::wire::Subresource;

use super::Row;

const fn configuration(info: &'static api::KindInfo) -> Row {
    Row { generation: true, ..Row::new(info) }
}

/// The rows.
pub static ROWS: &[Row] = &[
    configuration(MutatingAdmissionPolicy::INFO),
    configuration(MutatingAdmissionPolicyBinding::INFO),
    Row { unconditional: false, ..configuration(MutatingWebhookConfiguration::INFO) },
    Row { subresources: &[Subresource::Status], ..configuration(ValidatingAdmissionPolicy::INFO) },
    configuration(ValidatingAdmissionPolicyBinding::INFO),
    Row { unconditional: false, ..configuration(ValidatingWebhookConfiguration::INFO) },
];
