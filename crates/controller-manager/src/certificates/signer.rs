//! The CSR signing controllers: give approved requests their certificates.
//!
//! Known deviations:
//! - A certificate is a text in PEM's clothes that says what it is for; nobody checks its signature.

use std::fmt::Write as _;
use std::sync::Arc;

use api::certificates::v1::CertificateSigningRequest;
use api::codec::Bytes;
use api::object::{Key, Kind, KindInfo};
use api::time::Time;
use base::{Duration, Instant};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::{Cx, Delta, Enqueue, Plan, Reconcile};

use super::{
    CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY, Subject, check_usages, condition, is,
};

/// A certificate holds so long, unless a shorter time is asked for.
const DURATION_MAX: Duration = Duration::secs(365 * 24 * 3600);
/// It holds from so long before it is signed: clocks differ.
const BACKDATE: Duration = Duration::mins(5);
/// The line in a certificate that says until when it holds.
const NOT_AFTER: &str = "Not After: ";

/// The CSR signing controllers of all signers.
#[derive(Clone, Default)]
pub struct CsrSigner;

impl Reconcile for CsrSigner {
    fn name(&self) -> &'static str {
        "certificatesigningrequest-signing-controller"
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
        let signer = &*request.spec.signer_name;
        let ours = [KUBELET_CLIENT, KUBELET_SERVING, CLIENT, LEGACY].contains(&signer);
        let open = request.status.certificate.0.is_empty()
            && is(request, "Approved")
            && !is(request, "Denied")
            && !is(request, "Failed");
        if !ours || !open {
            return plan;
        }
        let Some(subject) = Subject::of(&request.spec.request.0) else { return plan };
        let mut new = request.clone();
        let status = Arc::make_mut(&mut new.status);
        match check(request, &subject) {
            Ok(()) => status.certificate = Bytes(certificate(cx.now, request, &subject)),
            Err(why) if signer == LEGACY => drop(why),
            Err(why) => {
                let failed = condition(cx.now, "Failed", "SignerValidationFailure", why.into());
                status.conditions.push(failed);
            }
        }
        if new.status != request.status {
            plan.status(new);
        }
        plan
    }
}

/// Why the signer does not sign.
fn check(request: &CertificateSigningRequest, subject: &Subject) -> Result<(), String> {
    let usages = &request.spec.usages;
    match &*request.spec.signer_name {
        KUBELET_CLIENT => subject.check_kubelet_client(usages),
        KUBELET_SERVING => subject.check_kubelet_serving(usages),
        CLIENT => {
            check_usages(usages, &["client auth"], &["digital signature", "key encipherment"])
        }
        _ => Ok(()),
    }
}

fn certificate(
    now: Instant,
    request: &CertificateSigningRequest,
    subject: &Subject,
) -> base::List<u8> {
    let asked = request.spec.expiration_seconds.map(|seconds| Duration::secs(seconds.into()));
    let holds = asked.map_or(DURATION_MAX, |asked| asked.min(DURATION_MAX));
    let mut text = String::new();
    let groups = subject.organizations.join(", ");
    let _ = writeln!(text, "Subject: O = {groups}, CN = {}", subject.name);
    let _ = writeln!(text, "Issuer: CN = kubernetes, signer = {}", request.spec.signer_name);
    let _ = writeln!(text, "Serial: {}", request.metadata.uid);
    let _ = writeln!(text, "Usages: {}", request.spec.usages.join(", "));
    let _ = writeln!(text, "Not Before: {}", Time::from(now - BACKDATE));
    let _ = writeln!(text, "{NOT_AFTER}{}", Time::from(now - BACKDATE + holds));
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let body = STANDARD.encode(text);
    for line in body.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem.into_bytes().into_iter().collect()
}

/// Until when a certificate that was signed here holds.
pub(super) fn not_after(certificate: &[u8]) -> Option<Instant> {
    let pem = std::str::from_utf8(certificate).ok()?;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let text = String::from_utf8(STANDARD.decode(body).ok()?).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(NOT_AFTER))?;
    Time::parse(line).ok().map(Time::instant)
}
