//! Probes: when they look, what they decide, and what they say.

use super::bench::{Bench, pod, sh};

fn web(probes: &str) -> String {
    pod("web", &format!(r#"{{"name":"c","image":"nginx",{probes}}}"#), "")
}

/// Runs a pod and compares its last state and one of its events.
fn check(json: &str, seconds: f64, state: &str, event: &str) -> Bench {
    let mut bench = Bench::new();
    bench.put(json);
    bench.run(seconds);
    assert_eq!(bench.story("web").last().unwrap(), state, "{:#?}", bench.events("web"));
    let events = bench.events("web");
    assert!(
        event.is_empty() || events.iter().any(|e| e == event),
        "{event} is not among {events:#?}"
    );
    bench
}

#[test]
fn a_probe_that_succeeds_makes_a_pod_ready() {
    let json = web(r#""readinessProbe":{"httpGet":{"path":"/","port":80}}"#);
    check(&json, 12.0, "Running c+=running SICR", "");
}

#[test]
fn the_first_look_waits_for_its_delay() {
    let json = web(
        r#""readinessProbe":{"tcpSocket":{"port":80},"initialDelaySeconds":15,"periodSeconds":5}"#,
    );
    check(&json, 14.0, "Running c=running SI", "");
    check(&json, 22.0, "Running c+=running SICR", "");
}

#[test]
fn a_path_that_is_not_there_fails() {
    let json = web(r#""readinessProbe":{"httpGet":{"path":"/nope","port":80},"periodSeconds":5}"#);
    let event = "Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404 x4";
    check(&json, 18.0, "Running c=running SI", event);
}

#[test]
fn a_port_where_nothing_listens_fails() {
    let json =
        web(r#""readinessProbe":{"httpGet":{"path":"/ready","port":9090},"periodSeconds":20}"#);
    let event = "Unhealthy Readiness probe failed: Get \"http://10.244.1.2:9090/ready\": dial tcp \
                 10.244.1.2:9090: connect: connection refused";
    check(&json, 5.0, "Running c=running SI", event);
}

#[test]
fn an_exec_probe_shows_what_the_command_printed() {
    let json =
        web(r#""readinessProbe":{"exec":{"command":["cat","/tmp/ready"]},"periodSeconds":20}"#);
    let event = "Unhealthy Readiness probe failed: cat: can't open '/tmp/ready': No such file or directory\n";
    check(&json, 5.0, "Running c=running SI", event);
}

#[test]
fn a_failing_liveness_probe_restarts_the_container() {
    let script = "touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600";
    let container = sh("c", script).trim_end_matches('}').to_string()
        + r#","livenessProbe":{"exec":{"command":["cat","/tmp/healthy"]},"initialDelaySeconds":5,"periodSeconds":5}}"#;
    let json = pod("web", &container, r#","terminationGracePeriodSeconds":1"#);
    let killing = "Killing Container c failed liveness probe, will be restarted";
    let bench = check(&json, 55.0, "Running c+#1=running<Error:137 SICR", killing);
    let text = "Unhealthy Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n x3";
    assert!(bench.events("web").contains(&text.to_string()));
}

#[test]
fn the_other_probes_wait_for_the_startup_probe() {
    let json = web(
        r#""startupProbe":{"exec":{"command":["false"]},"periodSeconds":1,"failureThreshold":60},
           "livenessProbe":{"httpGet":{"path":"/nope","port":80},"periodSeconds":1,"failureThreshold":1}"#,
    );
    check(&json, 20.0, "Running c=running SI", "");
}

#[test]
fn a_startup_probe_that_never_succeeds_restarts_the_container() {
    let json =
        web(r#""startupProbe":{"tcpSocket":{"port":81},"periodSeconds":2,"failureThreshold":3}"#);
    let killing = "Killing Container c failed startup probe, will be restarted";
    let mut bench = check(&json, 9.0, "Running c#1=running<Completed:0 SI", killing);
    bench.run(1.0);
    assert!(!bench.pod("web").status.container_statuses[0].ready);
}

#[test]
fn a_sidecar_lets_the_others_start_once_its_startup_probe_succeeds() {
    let inits = r#","initContainers":[{"name":"side","image":"postgres","restartPolicy":"Always",
        "env":[{"name":"POSTGRES_PASSWORD","value":"x"}],
        "startupProbe":{"tcpSocket":{"port":5432},"periodSeconds":1,"failureThreshold":60}}]"#;
    let mut bench = Bench::new();
    bench.put(&pod("web", r#"{"name":"c","image":"nginx"}"#, inits));
    bench.run(2.5);
    assert_eq!(bench.story("web").last().unwrap(), "Pending side=running c=PodInitializing S");
    bench.run(6.0);
    assert_eq!(bench.story("web").last().unwrap(), "Running side+=running c+=running SICR");
}

#[test]
fn a_server_that_hangs_loses_and_regains_readiness() {
    let json = web(
        r#""readinessProbe":{"httpGet":{"path":"/","port":80},"periodSeconds":5,"timeoutSeconds":2}"#,
    );
    let mut bench = check(&json, 12.0, "Running c+=running SICR", "");
    let now = bench.now;
    assert!(bench.kubelet.alter(now, "default", "web", "c", |server| server.hangs = true));
    bench.run(25.0);
    assert_eq!(bench.story("web").last().unwrap(), "Running c=running SI");
    let url = "Get \"http://10.244.1.2:80/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    assert!(
        bench
            .events("web")
            .iter()
            .any(|e| e.starts_with(&format!("Unhealthy Readiness probe failed: {url}")))
    );
    let now = bench.now;
    bench.kubelet.alter(now, "default", "web", "c", |server| server.hangs = false);
    bench.run(10.0);
    assert_eq!(bench.story("web").last().unwrap(), "Running c+=running SICR");
}

#[test]
fn probes_that_cannot_change_cost_nothing() {
    let json = web(r#""readinessProbe":{"httpGet":{"path":"/","port":80},"periodSeconds":1},
           "livenessProbe":{"tcpSocket":{"port":80},"periodSeconds":1}"#);
    let mut bench = check(&json, 30.0, "Running c+=running SICR", "");
    let wakes = bench.wakes;
    bench.run(60.0);
    assert!(bench.wakes - wakes <= 20, "{} wakes", bench.wakes - wakes);
}
