//! `certificates.k8s.io`: certificate signing requests.
//!
//! Models `pkg/apis/certificates/validation` of Kubernetes.
//!
//! Known deviations:
//! - The request is read as a PEM block; what is in the block is not parsed.

use api::Object;
use api::certificates::v1::CertificateSigningRequest;
use api::names;

use super::check::Errors;
use super::path::Path;

const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// What is wrong with an object of the group besides its metadata.
pub fn validate(e: &mut Errors, object: &Object) {
    let Some(request) = object.get::<CertificateSigningRequest>() else { return };
    let (spec, at) = (&request.spec, Path::root("spec"));
    let pem = String::from_utf8_lossy(&spec.request.0);
    if !pem.contains("-----BEGIN CERTIFICATE REQUEST-----") {
        let why = "PEM block type must be CERTIFICATE REQUEST";
        e.invalid(&at.child("request"), "", why);
    }
    if spec.usages.is_empty() {
        e.required(&at.child("usages"), "");
    }
    let mut seen = base::HashSet::default();
    for (i, usage) in spec.usages.iter().enumerate() {
        let at = at.child("usages");
        if !USAGES.contains(&usage.as_str()) {
            e.unsupported(&at.index(i), usage, USAGES);
        }
        if !seen.insert(usage) {
            e.duplicate(&at.index(i), usage);
        }
    }
    signer(e, &spec.signer_name, &at.child("signerName"));
    if let Some(seconds) = spec.expiration_seconds.filter(|seconds| *seconds < 600) {
        let why = "may not specify a duration less than 600 seconds (10 minutes)";
        e.invalid(&at.child("expirationSeconds"), &seconds, why);
    }
}

fn signer(e: &mut Errors, name: &str, at: &Path) {
    if name.is_empty() {
        e.required(at, "");
        return;
    }
    let Some((domain, path)) = name.split_once('/') else {
        e.invalid(
            at,
            name,
            "must be a fully qualified domain and path of the form 'example.com/signer-name'",
        );
        return;
    };
    e.complaints(at, domain, names::dns1123_subdomain(domain));
    if !domain.contains('.') {
        let why = "should be a domain with at least two segments separated by dots";
        e.invalid(at, domain, why);
    }
    for part in path.split('.') {
        e.complaints(at, part, names::dns1123_label(part));
    }
    if name.len() > 571 {
        e.too_long(at, 571);
    }
}
