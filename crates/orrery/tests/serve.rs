//! The flags of `orrery serve`, and what it does with bodies that are too large.

mod server;

use std::process::Command;

use server::Server;

fn has(server: &Server, path: &str, fragments: &[&str]) {
    let answer = server.ask("GET", path, b"").expect("an answer");
    for fragment in fragments {
        assert!(answer.contains(fragment), "{path} has no {fragment}: {answer}");
    }
}

#[test]
fn addresses_come_from_the_blocks_that_were_named_and_plugins_can_be_left_out() {
    let flags = [
        "--service-cidr=10.50.0.0/16",
        "--cluster-cidr=10.60.0.0/16",
        "--disable-admission=ServiceAccount,Priority",
        "--only=apiserver,controller-manager,kubelet",
        "--nodes=1",
    ];
    let server = Server::start("flags", &flags);
    has(
        &server,
        "/api/v1/namespaces/default/services/kubernetes",
        &["\"clusterIP\":\"10.50.0.1\""],
    );
    has(&server, "/apis/networking.k8s.io/v1/servicecidrs/kubernetes", &["\"10.50.0.0/16\""]);
    let pod = br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},
        "spec":{"serviceAccountName":"nobody","containers":[{"name":"c","image":"i"}]}}"#;
    let pods = "/api/v1/namespaces/default/pods?dryRun=All";
    let made = server.ask("POST", pods, pod).expect("an answer");
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    assert!(!made.contains("kube-api-access-") && !made.contains("\"priority\""), "{made}");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !server.ask("GET", "/api/v1/nodes", b"").expect("an answer").contains("\"podCIDR\"") {
        assert!(std::time::Instant::now() < end, "the node has no block after a minute");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    has(&server, "/api/v1/nodes", &["\"podCIDR\":\"10.60."]);
}

#[test]
fn by_itself_the_api_server_allows_everything() {
    let review = br#"{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{
        "user":"bob","resourceAttributes":{"verb":"create","resource":"pods"}}}"#;
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let bare = Server::start("bare", &["--only=apiserver"]);
    let answer = bare.ask("POST", path, review).expect("an answer");
    assert!(answer.contains("\"allowed\":true"), "{answer}");
    let strict = Server::start("strict", &["--only=apiserver", "--authorization-mode=RBAC"]);
    let answer = strict.ask("POST", path, review).expect("an answer");
    assert!(answer.contains("\"allowed\":false"), "{answer}");
}

#[test]
fn more_than_three_megabytes_are_not_read() {
    let server = Server::start("large", &["--only=apiserver"]);
    let body = vec![b' '; 4 << 20];
    let path = "/api/v1/namespaces/default/configmaps";
    // The answer may come before all was sent.
    let answer = server.ask("POST", path, &body[..(3 << 20) + 1]).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("Request entity too large: limit is 3145728"), "{answer}");
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    for (flag, text) in [
        ("--disable-admission=Nonsense", "plugin \"Nonsense\" is unknown"),
        ("--service-cidr=10.0.0.0/30", "--service-cidr must be"),
        ("--cluster-cidr=10.0.0.0/26", "--cluster-cidr must be"),
        ("--authorization-mode=Never", "no mode \"Never\""),
    ] {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_orrery"));
        let out = serve.args(["serve", "--port=0", flag]).output().expect("it ends");
        assert_eq!(out.status.code(), Some(2));
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.contains(text), "{said}");
    }
}
