//! The CSR approving controller: approves the certificates by which kubelets are known to the API server.
//!
//! Known deviations:
//! - Who may ask is told by groups, as the bindings of a usual cluster say, not by a SubjectAccessReview.

use std::sync::Arc;

use api::certificates::v1::CertificateSigningRequest;
use api::object::{Key, Kind, KindInfo};
use api::wire::Subresource;
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use super::{KUBELET_CLIENT, Subject, condition, is};

/// The CSR approving controller.
#[derive(Clone, Default)]
pub struct CsrApprover;

impl Reconcile for CsrApprover {
    fn name(&self) -> &'static str {
        "certificatesigningrequest-approving-controller"
    }

    fn watches(&self) -> Vec<&'static KindInfo> {
        vec![CertificateSigningRequest::INFO]
    }

    fn on_delta(&mut self, _: &Cx<'_>, delta: &Delta, queue: &mut Enqueue) {
        if !delta.deleted() {
            queue.add(delta.key());
        }
    }

    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan {
        let mut plan = Plan::settled();
        let Some(request) = cx.all::<CertificateSigningRequest>().get(key) else { return plan };
        let decided = is(request, "Approved") || is(request, "Denied");
        if decided || !request.status.certificate.0.is_empty() {
            return plan;
        }
        if let Some(message) = approval(request) {
            let mut new = request.clone();
            let approved = condition(cx.now, "Approved", "AutoApproved", message.into());
            Arc::make_mut(&mut new.status).conditions.push(approved);
            plan.update(new).on(Subresource::Approval);
        }
        plan
    }
}

/// Why the request may be approved, if it may.
fn approval(request: &CertificateSigningRequest) -> Option<&'static str> {
    let spec = &request.spec;
    if spec.signer_name != KUBELET_CLIENT {
        return None;
    }
    let subject = Subject::of(&spec.request.0)?;
    subject.check_kubelet_client(&spec.usages).ok()?;
    let is_in = |group: &str| spec.groups.iter().any(|known| known == group);
    if spec.username == *subject.name && is_in("system:nodes") {
        return Some("Auto approving self kubelet client certificate after SubjectAccessReview.");
    }
    let bootstraps = is_in("system:bootstrappers:kubeadm:default-node-token")
        || is_in("system:bootstrappers")
        || is_in("system:masters");
    bootstraps.then_some("Auto approving kubelet client certificate after SubjectAccessReview.")
}
