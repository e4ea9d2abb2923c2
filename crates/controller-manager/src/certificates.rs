//! Certificate signing requests: what is asked for, and the controllers that approve, sign and remove them.

use api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition};
use api::wire::time_of;
use base::{Instant, Str, lit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub mod approver;
pub mod cleaner;
mod der;
pub mod signer;

/// The signer of certificates by which kubelets are known to the API server.
pub const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// The signer of certificates by which kubelets are known to those who call them.
pub const KUBELET_SERVING: &str = "kubernetes.io/kubelet-serving";
/// The signer of certificates for other clients of the API server.
pub const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
/// The signer that promises nothing.
pub const LEGACY: &str = "kubernetes.io/legacy-unknown";

/// Whom a certificate is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subject {
    /// The common name.
    pub name: String,
    /// The organizations, which are groups to Kubernetes.
    pub organizations: Vec<String>,
    /// Names of hosts.
    pub dns: usize,
    /// Addresses of hosts.
    pub ips: usize,
    /// Addresses for mail.
    pub emails: usize,
    /// URIs.
    pub uris: usize,
}

impl Subject {
    /// Reads the subject of a request in PEM; `None` if it is not one.
    pub fn of(pem: &[u8]) -> Option<Subject> {
        let pem = std::str::from_utf8(pem).ok()?;
        let body = pem.split("-----BEGIN CERTIFICATE REQUEST-----").nth(1)?;
        let body = body.split("-----END CERTIFICATE REQUEST-----").next()?;
        let body: String = body.split_whitespace().collect();
        der::subject(&STANDARD.decode(body).ok()?)
    }

    /// Why a kubelet cannot be known to the API server by it.
    pub fn check_kubelet_client(&self, usages: &[Str]) -> Result<(), String> {
        self.check_node()?;
        self.check_no_names()?;
        let required = ["client auth", "digital signature"];
        check_usages(usages, &required, &["key encipherment"])
    }

    /// Why a kubelet cannot be known to its clients by it.
    pub fn check_kubelet_serving(&self, usages: &[Str]) -> Result<(), String> {
        self.check_node()?;
        if self.dns == 0 && self.ips == 0 {
            return Err("DNS or IP subjectAltName is required".into());
        }
        if self.emails > 0 {
            return Err("Email subjectAltNames are not allowed".into());
        }
        if self.uris > 0 {
            return Err("URI subjectAltNames are not allowed".into());
        }
        let required = ["digital signature", "server auth"];
        check_usages(usages, &required, &["key encipherment"])
    }

    fn check_node(&self) -> Result<(), String> {
        if self.organizations != ["system:nodes"] {
            return Err("subject organization is not system:nodes".into());
        }
        if !self.name.starts_with("system:node:") {
            return Err("subject common name does not begin with system:node:".into());
        }
        Ok(())
    }

    fn check_no_names(&self) -> Result<(), String> {
        let counts =
            [("DNS", self.dns), ("Email", self.emails), ("IP", self.ips), ("URI", self.uris)];
        match counts.iter().find(|(_, count)| *count > 0) {
            Some((what, _)) => Err(format!("{what} subjectAltNames are not allowed")),
            None => Ok(()),
        }
    }
}

/// All required usages must be there, and no others than these and the optional ones.
fn check_usages(usages: &[Str], required: &[&str], optional: &[&str]) -> Result<(), String> {
    let has = |usage: &&str| usages.iter().any(|known| known == *usage);
    let allowed = |usage: &Str| required.contains(&&**usage) || optional.contains(&&**usage);
    if required.iter().all(has) && usages.iter().all(allowed) {
        return Ok(());
    }
    Err(format!("usages did not match [{}]", required.join(" ")))
}

/// Whether the request has a condition.
fn is(request: &CertificateSigningRequest, type_: &str) -> bool {
    request.status.conditions.iter().any(|known| known.type_ == type_)
}

fn condition(
    now: Instant,
    type_: &'static str,
    reason: &'static str,
    message: Str,
) -> CertificateSigningRequestCondition {
    let now = Some(time_of(now));
    CertificateSigningRequestCondition {
        type_: type_.into(),
        status: lit!("True"),
        reason: reason.into(),
        message,
        last_transition_time: now,
        last_update_time: now,
    }
}

#[cfg(test)]
mod tests;
