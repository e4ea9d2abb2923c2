//! The node itself: registration, lease, status, and what survives of it.

use api::coordination::v1::Lease;
use api::core::v1::{Node, Pod};
use base::Duration;

use super::bench::{Bench, config, pod, sh, uniform};

fn ready(node: &Node) -> (String, String) {
    let condition = node.status.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
    (condition.status.to_string(), condition.reason.to_string())
}

#[test]
fn a_node_registers_and_becomes_ready_with_its_pod_block() {
    let bench = Bench::new();
    let node = bench.get::<Node>("node-1").unwrap();
    assert_eq!(ready(&node), ("True".into(), "KubeletReady".into()));
    assert_eq!(node.metadata.labels.text("kubernetes.io/hostname"), Some("node-1"));
    assert_eq!(node.status.capacity.get("memory").unwrap().to_string(), "8Gi");
    assert_eq!(bench.count("PUT nodes/node-1/status"), 1);
    let events = bench.events("node-1");
    assert_eq!(events[0], "Starting Starting kubelet.");
    // It was never anything but about to be Ready.
    assert!(!events.iter().any(|line| line.starts_with("NodeReady")), "{events:?}");
}

#[test]
fn an_idle_node_renews_its_lease_and_reports_every_five_minutes() {
    let mut bench = Bench::new();
    bench.writes.clear();
    bench.run(590.0);
    let leases = bench.writes.iter().filter(|line| line.contains("leases")).count();
    assert!((55..=59).contains(&leases), "{leases} renewals");
    assert_eq!(bench.count("PUT nodes/node-1/status"), 1);
    assert_eq!(bench.writes.len(), leases + 1, "{:?}", bench.writes);
}

#[test]
fn an_image_is_told_with_the_next_list_of_images() {
    let mut bench = Bench::new();
    bench.put(&pod("a", r#"{"name":"c","image":"nginx"}"#, ""));
    let told = |bench: &Bench| bench.get::<Node>("node-1").unwrap().status.images.len();
    bench.run(15.0);
    assert_eq!(told(&bench), 0);
    bench.run(16.0);
    assert_eq!(told(&bench), 1);
}

#[test]
fn a_lease_names_its_node_and_moves_on() {
    let mut bench = Bench::new();
    let lease = |bench: &Bench| {
        let key = api::object::Key::new("kube-node-lease", "node-1");
        bench.object::<Lease>(&key).unwrap()
    };
    let first = lease(&bench);
    assert_eq!(first.spec.holder_identity.as_deref(), Some("node-1"));
    assert_eq!(first.spec.lease_duration_seconds, Some(40));
    bench.run(11.0);
    let moved =
        lease(&bench).spec.renew_time.unwrap().instant() - first.spec.renew_time.unwrap().instant();
    assert!(moved >= Duration::secs(10) && moved < Duration::millis(10_500), "{moved:?}");
}

#[test]
fn a_node_that_is_known_is_taken_over() {
    let mut bench = Bench::new();
    bench.edit::<Node>("node-1", |node| {
        std::sync::Arc::make_mut(&mut node.metadata).labels.insert("disk", base::lit!("ssd"));
    });
    bench.kubelet.stop();
    bench.run(5.0);
    bench.boot();
    bench.run(3.0);
    let node = bench.get::<Node>("node-1").unwrap();
    assert_eq!(node.metadata.labels.text("disk"), Some("ssd"));
    assert_eq!(ready(&node).0, "True");
}

#[test]
fn containers_run_on_while_the_kubelet_is_away() {
    let mut bench = Bench::new();
    bench.put(&pod("web", &sh("c", "while true; do echo tick; sleep 1; done"), ""));
    bench.put(&pod("short", &sh("c", "sleep 10"), r#","restartPolicy":"Never""#));
    bench.run(5.0);
    let before = bench.pod("web").status.container_statuses[0].container_id.clone();
    bench.kubelet.stop();
    bench.writes.clear();
    bench.run(30.0);
    assert!(bench.writes.is_empty());
    bench.boot();
    bench.run(5.0);
    let after = bench.pod("web").status.container_statuses[0].clone();
    assert_eq!((after.container_id, after.restart_count), (before, 0));
    assert_eq!(bench.count("PUT pods/web/status"), 0);
    assert_eq!(bench.story("short").last().unwrap(), "Succeeded c=Completed:0 I");
    let ticks = bench.kubelet.logs("default", "web", "c", &Default::default()).unwrap();
    assert!(ticks.lines().count() >= 38, "{}", ticks.lines().count());
}

#[test]
fn power_loss_restarts_every_container() {
    let mut bench = Bench::new();
    bench.put(&pod("web", r#"{"name":"c","image":"nginx"}"#, ""));
    bench.run(5.0);
    bench.kubelet.power_off();
    bench.run(20.0);
    bench.boot();
    bench.run(10.0);
    let status = bench.pod("web").status.clone();
    assert_eq!(bench.story("web").last().unwrap(), "Running c+#1=running<Unknown:255 SICR");
    assert_eq!(status.pod_ip, bench.kubelet.pods().next().unwrap().2.to_string());
    let events = bench.events("node-1");
    assert!(events.iter().any(|event| event.starts_with("Rebooted Node node-1 has been rebooted")));
}

#[test]
fn pods_deleted_while_the_kubelet_was_away_are_stopped() {
    let mut bench = Bench::new();
    bench.put(&pod("web", r#"{"name":"c","image":"nginx"}"#, ""));
    bench.run(5.0);
    bench.kubelet.stop();
    bench.delete("web", 0);
    bench.run(5.0);
    bench.boot();
    bench.run(2.0);
    assert_eq!(bench.kubelet.pods().count(), 0);
}

#[test]
fn addresses_are_announced_and_given_back() {
    let mut bench = Bench::new();
    bench.put(&pod("web", r#"{"name":"c","image":"nginx"}"#, ""));
    bench.run(5.0);
    let taken = bench.kubelet.take_site_changes();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].pod, Some(("default".into(), "web".into())));
    assert_eq!(bench.pod("web").status.pod_ip, taken[0].ip.to_string());
    bench.delete("web", 30);
    bench.run(5.0);
    let freed = bench.kubelet.take_site_changes();
    assert_eq!((freed[0].ip, &freed[0].pod), (taken[0].ip, &None));
}

#[test]
fn without_an_api_server_containers_are_still_restarted() {
    let mut bench = Bench::new();
    bench.put(&pod("web", &sh("c", "sleep 20; exit 1"), ""));
    bench.run(5.0);
    bench.cut = true;
    bench.run(40.0);
    let log = bench.kubelet.logs(
        "default",
        "web",
        "c",
        &crate::LogOptions { previous: true, ..Default::default() },
    );
    assert_eq!(log, Ok(String::new()));
}

#[test]
fn a_thousand_pods_cost_three_writes_each() {
    let mut config = config();
    config.pods = 1_000;
    let mut bench = Bench::with(config, uniform());
    bench.run(3.0);
    for n in 0..200 {
        bench.put(&pod(&format!("web-{n}"), r#"{"name":"c","image":"nginx"}"#, ""));
    }
    bench.run(20.0);
    let running = (0..200)
        .filter(|n| bench.get::<Pod>(&format!("web-{n}")).unwrap().status.phase == "Running");
    assert_eq!(running.count(), 200);
    assert_eq!(bench.count("PUT pods/"), 600);
}

#[test]
fn a_cordon_is_told_with_the_next_look_and_one_undone_before_it_is_not() {
    let mut bench = Bench::new();
    let mut cordon = |on: bool, seconds: f64| {
        bench.edit::<Node>("node-1", |node| {
            std::sync::Arc::make_mut(&mut node.spec).unschedulable = on;
        });
        bench.run(seconds);
        let told = bench.events("node-1");
        let is_told = |line: &&String| line.contains("Schedulable");
        told.iter().filter(is_told).cloned().collect::<Vec<_>>()
    };
    let told = ["NodeNotSchedulable Node node-1 status is now: NodeNotSchedulable"];
    cordon(true, 1.0);
    assert!(cordon(false, 10.0).is_empty());
    assert_eq!(cordon(true, 10.0), told);
    assert_eq!(
        cordon(false, 10.0)[1..],
        ["NodeSchedulable Node node-1 status is now: NodeSchedulable"]
    );
}

#[test]
fn a_node_that_was_thought_lost_speaks_up_within_ten_seconds() {
    let mut bench = Bench::new();
    bench.edit::<Node>("node-1", |node| {
        for condition in &mut std::sync::Arc::make_mut(&mut node.status).conditions {
            condition.status = "Unknown".into();
            condition.reason = "NodeStatusUnknown".into();
        }
    });
    bench.run(11.0);
    assert_eq!(
        ready(&bench.get::<Node>("node-1").unwrap()),
        ("True".into(), "KubeletReady".into())
    );
    let told = bench.events("node-1");
    assert!(told.contains(&"NodeReady Node node-1 status is now: NodeReady".to_string()));
}

#[test]
fn statuses_are_written_once_the_api_server_answers_again() {
    let mut bench = Bench::new();
    bench.put(&pod("web", &sh("c", "sleep 8"), r#","restartPolicy":"Never""#));
    bench.run(5.0);
    let down = api::wire::failure(504, "Timeout", "context deadline exceeded");
    bench.refuse = Some(("pods", down));
    bench.run(30.0);
    assert_eq!(bench.story("web").last().unwrap(), "Running c+=running SICR");
    bench.refuse = None;
    bench.run(11.0);
    assert_eq!(bench.story("web").last().unwrap(), "Succeeded c=Completed:0 I");
}
