//! What `certificates` promises, as tests. The requests were made with openssl.

use std::sync::Arc;

use api::codec::Bytes;
use base::{Duration, List};
use client::Runner;
use client::testing::{Bench, object};

use super::*;

/// O=system:nodes, CN=system:node:node-9
const NODE: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIHwMIGWAgEAMDQxFTATBgNVBAoMDHN5c3RlbTpub2RlczEbMBkGA1UEAwwSc3lz
dGVtOm5vZGU6bm9kZS05MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYeseYYh2
YPk5ES3M5w6qMQBVOGiRQg37E5H4SrBT47zMVPjAbCoyrLIrBBuvGaHA8zPMb58x
1moGOJF/eRenf6AAMAoGCCqGSM49BAMCA0kAMEYCIQDrwz0+AsH3JPcJVoeSEHiL
Odg7St6KLmI++S14wsmQGwIhAKItntwRvpK0rIBf0/RQNQMbaZsu2hDP3eEKQBUO
uBr5
-----END CERTIFICATE REQUEST-----
";
/// The same, with DNS:node-9 and IP:10.0.0.9
const NODE_SERVING: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIIBGTCBwAIBADA0MRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxGzAZBgNVBAMMEnN5
c3RlbTpub2RlOm5vZGUtOTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABD4WoKQU
z3Q2iY5ZjYFRfTdoYktYKe9KBhVXFsKgpHAa0UeEorW0Hp2odCfFlB+V3NwRyjez
jHBni5h7Cij01L6gKjAoBgkqhkiG9w0BCQ4xGzAZMBcGA1UdEQQQMA6CBm5vZGUt
OYcECgAACTAKBggqhkjOPQQDAgNIADBFAiEApuJd1UcDyIiRDAIbALp3TnGUrh8u
U7wwMGpa3GPTOY0CIBxS1EGEg6qLwZfL3oz43HI7eMNVX0lxZuwuJi0C2kMM
-----END CERTIFICATE REQUEST-----
";
/// O=dev, CN=ana
const PERSON: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIHVMH4CAQAwHDEMMAoGA1UECgwDZGV2MQwwCgYDVQQDDANhbmEwWTATBgcqhkjO
PQIBBggqhkjOPQMBBwNCAASf8KLmgJrcasfck3A21MMH4uEb8Shomae/mZuGS0sk
5euHLIwUZAmkBbH9UONzXyU2yxocI7ee7Fyaw9bDgQ7BoAAwCgYIKoZIzj0EAwID
RwAwRAIgMpUACIQ0gtU3ayWiJ/wfUX15MJrsOmebBxTbIPOyO44CIFIN/GAPoM3z
MxRxo4w+Dg/czANlTLGpTHCCJhl2NA09
-----END CERTIFICATE REQUEST-----
";

const CLIENT_USAGES: &str = r#"["digital signature", "client auth"]"#;
const SERVER_USAGES: &str = r#"["digital signature", "server auth"]"#;

type World = Bench<Runner>;

/// A request by a user of a group.
fn ask(signer: &str, pem: &str, usages: &str, user: &str, group: &str) -> World {
    let mut request: CertificateSigningRequest = object(&format!(
        r#"{{"metadata": {{"name": "r"}}, "spec": {{"signerName": "{signer}", "request": "", "usages": {usages},
        "username": "{user}", "groups": ["{group}"]}}}}"#
    ));
    let bytes: List<u8> = pem.bytes().collect();
    Arc::make_mut(&mut request.spec).request = Bytes(bytes);
    let runner = Runner::new(
        "kcm",
        vec![
            Box::new(approver::CsrApprover),
            Box::new(signer::CsrSigner),
            Box::new(cleaner::CsrCleaner),
        ],
    );
    Bench::new(runner, [request.into()])
}

/// Conditions with their reasons, and whether there is a certificate.
fn check(world: &World, expect: &str) {
    let request = world.api.get::<CertificateSigningRequest>("", "r");
    let got = request.map_or("gone".to_string(), |request| {
        let conditions = request.status.conditions.iter();
        let words: Vec<String> =
            conditions.map(|known| format!("{} {}", known.type_, known.reason)).collect();
        let signed = !request.status.certificate.0.is_empty();
        format!("{}{}", words.join(", "), if signed { ", signed" } else { "" })
    });
    assert_eq!(got, expect);
}

fn decide(world: &mut World, type_: &'static str) {
    let now = world.now;
    world.edit::<CertificateSigningRequest>("", "r", |request| {
        let new = condition(now, type_, "ByPerson", Str::new());
        Arc::make_mut(&mut request.status).conditions.push(new);
    });
}

#[test]
fn a_subject_is_read_from_the_request() {
    let subject = Subject::of(NODE_SERVING.as_bytes()).expect("it can be read");
    assert_eq!(subject.name, "system:node:node-9");
    assert_eq!(subject.organizations, ["system:nodes"]);
    assert_eq!((subject.dns, subject.ips, subject.emails, subject.uris), (1, 1, 0, 0));
    assert_eq!(Subject::of(b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA"), None);
    assert_eq!(Subject::of(b"what?"), None);
}

#[test]
fn a_kubelet_gets_its_client_certificate_by_itself() {
    let user = "system:node:node-9";
    let world = ask(KUBELET_CLIENT, NODE, CLIENT_USAGES, user, "system:nodes");
    check(&world, "Approved AutoApproved, signed");
    let joins = "system:bootstrappers:kubeadm:default-node-token";
    let world = ask(KUBELET_CLIENT, NODE, CLIENT_USAGES, "system:bootstrap:abc", joins);
    check(&world, "Approved AutoApproved, signed");
}

#[test]
fn nobody_else_does() {
    check(&ask(KUBELET_CLIENT, NODE, CLIENT_USAGES, "ana", "dev"), "");
    let other = "system:node:other";
    check(&ask(KUBELET_CLIENT, PERSON, CLIENT_USAGES, other, "system:nodes"), "");
    check(&ask(KUBELET_CLIENT, NODE, SERVER_USAGES, other, "system:nodes"), "");
}

#[test]
fn a_serving_certificate_waits_for_a_person() {
    let user = "system:node:node-9";
    let mut world = ask(KUBELET_SERVING, NODE_SERVING, SERVER_USAGES, user, "system:nodes");
    check(&world, "");
    decide(&mut world, "Approved");
    check(&world, "Approved ByPerson, signed");
}

#[test]
fn what_does_not_fit_its_signer_fails() {
    let mut world = ask(KUBELET_SERVING, NODE, SERVER_USAGES, "ana", "dev");
    decide(&mut world, "Approved");
    check(&world, "Approved ByPerson, Failed SignerValidationFailure");
    let request = world.api.get::<CertificateSigningRequest>("", "r").expect("it is there");
    assert_eq!(request.status.conditions[1].message, "DNS or IP subjectAltName is required");
}

#[test]
fn an_approved_person_gets_a_certificate_and_a_denied_one_does_not() {
    let mut world = ask(CLIENT, PERSON, CLIENT_USAGES, "ana", "dev");
    decide(&mut world, "Approved");
    check(&world, "Approved ByPerson, signed");
    let request = world.api.get::<CertificateSigningRequest>("", "r").expect("it is there");
    let pem = String::from_utf8(request.status.certificate.0.to_vec()).expect("it is text");
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"), "{pem}");
    let mut world = ask(CLIENT, PERSON, CLIENT_USAGES, "ana", "dev");
    decide(&mut world, "Denied");
    check(&world, "Denied ByPerson");
}

#[test]
fn a_foreign_signer_is_left_to_others() {
    let mut world = ask("example.com/mine", PERSON, CLIENT_USAGES, "ana", "dev");
    decide(&mut world, "Approved");
    check(&world, "Approved ByPerson");
}

#[test]
fn settled_requests_go_after_an_hour_and_open_ones_after_a_day() {
    let mut world = ask(CLIENT, PERSON, CLIENT_USAGES, "ana", "dev");
    decide(&mut world, "Denied");
    world.run(Duration::mins(59));
    check(&world, "Denied ByPerson");
    world.run(Duration::mins(62));
    check(&world, "gone");
    let mut world = ask(CLIENT, PERSON, CLIENT_USAGES, "ana", "dev");
    world.run(Duration::mins(23 * 60));
    check(&world, "");
    world.run(Duration::mins(3 * 60));
    check(&world, "gone");
}
