//! Two replicas of the control plane: one leads, the other stands by.

use api::Kind as _;
use api::coordination::v1::Lease;
use base::{Duration, Str};
use cluster::{Cluster, Command, Component, Config, Fault};

const PARTS: [Component; 2] = [Component::ControllerManager, Component::Scheduler];

fn two() -> Cluster {
    let config = Config { nodes: 1, control_plane_replicas: 2, ..Config::default() };
    let mut cluster = Cluster::new(config);
    cluster.run_for(Duration::secs(20));
    cluster
}

/// The machine of the leader, and how often the lead has changed.
fn leader(cluster: &Cluster, part: Component) -> (Str, i32) {
    let object = cluster.server().get(Lease::INFO, "kube-system", part.as_str());
    let object = object.expect("there is a lease");
    let spec = &object.get::<Lease>().expect("it is a lease").spec;
    let holder = spec.holder_identity.clone().unwrap_or_default();
    let host = holder.split_once('_').expect("a machine and an id").0;
    (host.into(), spec.lease_transitions.unwrap_or(0))
}

fn pods(cluster: &mut Cluster, name: &str) -> usize {
    let line = format!("kubectl create deployment {name} --image=nginx --replicas=2");
    cluster.command(Command::Terminal(line.into()));
    cluster.run_for(Duration::secs(10));
    cluster.pods_running()
}

#[test]
fn one_of_two_leads_and_the_cluster_works() {
    let mut cluster = two();
    for part in PARTS {
        assert_eq!(leader(&cluster, part).1, 0);
    }
    assert_eq!(pods(&mut cluster, "web"), 2);
}

#[test]
fn the_other_takes_over_when_the_lease_has_run_out() {
    for part in PARTS {
        let mut cluster = two();
        let (first, _) = leader(&cluster, part);
        cluster.command(Command::Fault(Fault::Unplug(part, first.clone())));
        cluster.run_for(Duration::secs(12));
        assert_eq!(leader(&cluster, part), (first.clone(), 0), "the lease still runs");
        assert_eq!(pods(&mut cluster, "web"), 2, "{} leads by now", part.as_str());
        let (second, transitions) = leader(&cluster, part);
        assert_ne!(second, first);
        assert_eq!(transitions, 1);

        cluster.command(Command::Fault(Fault::Plug(part, first)));
        cluster.run_for(Duration::secs(30));
        assert_eq!(leader(&cluster, part), (second, 1), "who comes back stands by");
    }
}

#[test]
fn a_leader_that_cannot_renew_ends_and_starts_anew() {
    let mut cluster = two();
    let (host, _) = leader(&cluster, Component::Scheduler);
    let lives = |cluster: &Cluster| {
        cluster.process(Component::Scheduler, &host).expect("it is there").lives
    };
    assert_eq!(lives(&cluster), 1);
    cluster.command(Command::Fault(Fault::Unplug(Component::ApiServer, Str::new())));
    cluster.run_for(Duration::secs(13));
    assert_eq!(lives(&cluster), 2);
    cluster.command(Command::Fault(Fault::Plug(Component::ApiServer, Str::new())));
    cluster.run_for(Duration::secs(30));
    assert_eq!(pods(&mut cluster, "web"), 2);
}

/// Whether the other replica leads so long after the leader was shut down.
fn is_followed(part: Component, span: Duration) -> bool {
    let mut cluster = two();
    let (first, _) = leader(&cluster, part);
    cluster.command(Command::Fault(Fault::ShutDown(part, first.clone())));
    cluster.run_for(span);
    let object = cluster.server().get(Lease::INFO, "kube-system", part.as_str());
    let object = object.expect("there is a lease");
    let holder = object.get::<Lease>().expect("it is a lease").spec.holder_identity.clone();
    holder.is_some_and(|holder| !holder.starts_with(&format!("{first}_")))
}

#[test]
fn a_scheduler_that_is_shut_down_lets_the_other_lead_and_a_controller_manager_lets_it_wait() {
    assert!(is_followed(Component::Scheduler, Duration::secs(5)));
    assert!(!is_followed(Component::ControllerManager, Duration::secs(10)));
    assert!(is_followed(Component::ControllerManager, Duration::secs(25)));
}
