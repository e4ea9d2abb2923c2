//! The health of the control plane, as kubectl tells it.

use base::Duration;
use cluster::{Cluster, Command, Component, Config, Fault};

const REFUSED: &str = "scheduler Unhealthy Get \"https://127.0.0.1:10259/healthz\": dial tcp \
                       127.0.0.1:10259: connect: connection refused";

fn check(cluster: &mut Cluster, expect: &[&str]) {
    cluster.run_for(Duration::secs(5));
    cluster.take_printed();
    cluster.command(Command::Terminal("kubectl get componentstatuses".into()));
    cluster.run_for(Duration::secs(1));
    let printed: String = cluster.take_printed().iter().map(|p| p.text.to_string()).collect();
    let rows = printed.lines().filter(|line| !line.starts_with("Warning"));
    let words = rows.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    assert_eq!(words.collect::<Vec<_>>(), expect, "{printed}");
}

#[test]
fn a_part_that_is_unplugged_is_unhealthy_until_it_is_plugged_in() {
    let mut cluster = Cluster::new(Config { nodes: 1, ..Config::default() });
    let all = [
        "NAME STATUS MESSAGE ERROR",
        "controller-manager Healthy ok",
        "etcd-0 Healthy ok",
        "scheduler Healthy ok",
    ];
    check(&mut cluster, &all);
    cluster.command(Command::Fault(Fault::Unplug(Component::Scheduler, "".into())));
    check(&mut cluster, &[all[0], all[1], all[2], REFUSED]);
    cluster.command(Command::Fault(Fault::Plug(Component::Scheduler, "".into())));
    check(&mut cluster, &all);
}

#[test]
fn of_several_replicas_one_that_runs_is_enough() {
    let config = Config { nodes: 1, control_plane_replicas: 2, ..Config::default() };
    let mut cluster = Cluster::new(config);
    let rows = |scheduler: &'static str| {
        let others = ["controller-manager Healthy ok", "etcd-0 Healthy ok"];
        ["NAME STATUS MESSAGE ERROR", others[0], others[1], scheduler]
    };
    check(&mut cluster, &rows("scheduler Healthy ok"));
    let unplug =
        |machine: &str| Command::Fault(Fault::Unplug(Component::Scheduler, machine.into()));
    cluster.command(unplug("control-plane-1"));
    check(&mut cluster, &rows("scheduler Healthy ok"));
    cluster.command(unplug("control-plane-2"));
    check(&mut cluster, &rows(REFUSED));
}
