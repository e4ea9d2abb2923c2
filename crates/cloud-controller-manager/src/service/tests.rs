//! Services and their load balancers, from creation to deletion.

use std::sync::Arc;

use super::*;
use crate::Provider;
use crate::testing::World;
use client::testing::object;

/// Two nodes, and a Service with this in its spec.
fn world(provider: Provider, spec: &str) -> World {
    let mut world = World::new(provider, 2);
    world.add_node(1, false);
    world.add_node(2, false);
    world.run(Duration::secs(1));
    world.bench.take_events();
    world.bench.put(object::<Service>(&format!(
        r#"{{"metadata": {{"name": "web", "namespace": "d"}}, "spec": {{"type": "LoadBalancer",
        "ports": [{{"port": 80, "nodePort": 30080, "protocol": "TCP"}}]{spec}}}}}"#
    )));
    world
}

fn ingress(world: &World) -> String {
    let service = world.service("web");
    let one = service.status.load_balancer.ingress.first();
    one.map_or_else(String::new, |at| {
        format!("{}{} {}", at.ip, at.hostname, at.ip_mode.as_deref().unwrap_or("-"))
    })
}

/// The nodes that the only load balancer sends traffic to.
fn in_use(world: &World) -> String {
    let balancer = world.cloud.balancers().next().expect("there is one");
    balancer.in_use().join(" ")
}

const ENSURED: &str = "Normal EnsuringLoadBalancer: Ensuring load balancer; \
                       Normal EnsuredLoadBalancer: Ensured load balancer";

#[test]
fn on_aws_a_service_gets_a_hostname_at_once() {
    let mut world = world(Provider::Aws, "");
    world.run(Duration::secs(2));
    let shown = ingress(&world);
    assert!(
        shown.starts_with("auid") && shown.ends_with(".us-east-1.elb.amazonaws.com -"),
        "{shown}"
    );
    assert_eq!(world.bench.take_events(), ENSURED);
    assert!(has_finalizer(&world.service("web")));
}

#[test]
fn on_digitalocean_it_gets_an_address_once_the_load_balancer_works() {
    let mut world = world(Provider::DigitalOcean, "");
    world.run(Duration::secs(5));
    assert_eq!(ingress(&world), "");
    assert_eq!(
        world.bench.take_events(),
        "Normal EnsuringLoadBalancer: Ensuring load balancer; Warning SyncLoadBalancerFailed: Error syncing \
         load balancer: failed to ensure load balancer: load-balancer is currently being created"
    );
    world.run(Duration::secs(140));
    assert_eq!(ingress(&world), "198.18.0.1 VIP");
    assert!(world.bench.take_events().ends_with("Ensured load balancer"));
}

#[test]
fn with_the_proxy_protocol_the_address_is_no_short_cut() {
    let mut world = world(Provider::DigitalOcean, "");
    world.bench.edit::<Service>("d", "web", |service| {
        let key = "service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol";
        Arc::make_mut(&mut service.metadata).annotations.insert(key, "true".into());
    });
    world.run(Duration::secs(150));
    assert_eq!(ingress(&world), "198.18.0.1 Proxy");
}

#[test]
fn a_deleted_service_stays_until_its_load_balancer_is_gone() {
    let mut world = world(Provider::Aws, "");
    world.run(Duration::secs(60));
    world.bench.take_events();
    let service = world.service("web");
    let options = api::meta::v1::DeleteOptions::default();
    let _ = world.bench.ask(&client::plan::delete(&*service, options));
    assert!(world.bench.api.get::<Service>("d", "web").is_some());
    world.run(Duration::secs(5));
    assert!(world.bench.api.get::<Service>("d", "web").is_none());
    assert_eq!(world.cloud.balancers().count(), 0);
    assert_eq!(
        world.bench.take_events(),
        "Normal DeletingLoadBalancer: Deleting load balancer; Normal DeletedLoadBalancer: Deleted load balancer"
    );
}

#[test]
fn a_service_of_another_type_gives_its_load_balancer_back() {
    let mut world = world(Provider::Aws, "");
    world.run(Duration::secs(60));
    world.bench.take_events();
    world.bench.edit::<Service>("d", "web", |service| {
        Arc::make_mut(&mut service.spec).type_ = "ClusterIP".into();
    });
    world.run(Duration::secs(5));
    let service = world.service("web");
    assert!(service.metadata.finalizers.is_empty());
    assert_eq!(ingress(&world), "");
    assert!(world.bench.take_events().starts_with("Normal Type: LoadBalancer -> ClusterIP; "));
    assert_eq!(world.cloud.balancers().count(), 0);
}

#[test]
fn a_service_with_a_class_is_somebody_elses() {
    let mut world = world(Provider::Aws, r#", "loadBalancerClass": "example.com/own""#);
    world.run(Duration::secs(60));
    assert_eq!(world.bench.take_events(), "");
    assert_eq!(world.cloud.balancers().count(), 0);
    assert!(world.service("web").metadata.finalizers.is_empty());
}

#[test]
fn changed_source_ranges_are_said_and_sent() {
    let mut world = world(Provider::Aws, r#", "loadBalancerSourceRanges": ["10.0.0.0/8"]"#);
    world.run(Duration::secs(60));
    world.bench.take_events();
    world.bench.edit::<Service>("d", "web", |service| {
        let spec = Arc::make_mut(&mut service.spec);
        spec.load_balancer_source_ranges = base::list!["192.0.2.0/24".into()];
    });
    world.run(Duration::secs(5));
    let events = world.bench.take_events();
    assert!(
        events.starts_with("Normal LoadBalancerSourceRanges: [10.0.0.0/8] -> [192.0.2.0/24]"),
        "{events}"
    );
    assert_eq!(world.cloud.balancers().next().unwrap().spec.ranges, ["192.0.2.0/24"]);
}

#[test]
fn an_excluded_node_gets_no_traffic() {
    let mut world = world(Provider::Aws, "");
    world.run(Duration::secs(60));
    assert_eq!(in_use(&world), "node-1 node-2");
    world.bench.take_events();
    world.bench.edit::<Node>("", "node-1", |node| {
        Arc::make_mut(&mut node.metadata).labels.insert(EXCLUDE, Str::new());
    });
    world.run(Duration::secs(2));
    assert_eq!(in_use(&world), "node-2");
    let said = "Normal UpdatedLoadBalancer: Updated load balancer with new hosts";
    assert_eq!(world.bench.take_events(), said);
}

#[test]
fn a_new_node_gets_traffic_after_its_first_good_check() {
    let mut world = world(Provider::Aws, "");
    world.run(Duration::secs(60));
    world.sick.insert("node-3".into());
    world.add_node(3, false);
    world.run(Duration::secs(30));
    assert_eq!(in_use(&world), "node-1 node-2");
    world.sick.clear();
    world.run(Duration::secs(11));
    assert_eq!(in_use(&world), "node-1 node-2 node-3");
}

#[test]
fn a_node_that_fails_its_checks_is_left_out_and_taken_back() {
    let mut world = world(Provider::Aws, "");
    world.run(Duration::secs(60));
    world.sick.insert("node-1".into());
    world.run(Duration::secs(45));
    assert_eq!(in_use(&world), "node-1 node-2", "six checks must fail in a row");
    world.run(Duration::secs(20));
    assert_eq!(in_use(&world), "node-2");
    world.sick.clear();
    world.run(Duration::secs(25));
    assert_eq!(in_use(&world), "node-1 node-2");
}

#[test]
fn without_any_node_the_service_is_warned() {
    let mut world = world(Provider::Aws, "");
    world.run(Duration::secs(5));
    world.bench.take_events();
    world.bench.remove::<Node>("", "node-1");
    world.bench.remove::<Node>("", "node-2");
    world.run(Duration::secs(5));
    let text = "Warning UnAvailableLoadBalancer: There are no available nodes for LoadBalancer";
    assert!(world.bench.take_events().ends_with(text));
}

#[test]
fn with_the_local_policy_checks_ask_the_health_check_node_port() {
    let local = r#", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000"#;
    let mut world = world(Provider::Aws, local);
    world.run(Duration::secs(2));
    assert_eq!(world.cloud.balancers().next().unwrap().spec.health_port, 31000);
}

#[test]
fn what_the_provider_cannot_do_is_said_and_tried_again_with_backoff() {
    let mut world = world(Provider::Aws, r#", "sessionAffinity": "ClientIP""#);
    world.run(Duration::secs(2));
    assert_eq!(
        world.bench.take_events(),
        "Normal EnsuringLoadBalancer: Ensuring load balancer; Warning SyncLoadBalancerFailed: Error syncing \
         load balancer: failed to ensure load balancer: unsupported load balancer affinity: ClientIP"
    );
    world.bench.edit::<Service>("d", "web", |service| {
        Arc::make_mut(&mut service.spec).session_affinity = "None".into();
    });
    world.run(Duration::secs(10));
    assert!(world.bench.take_events().ends_with("EnsuredLoadBalancer: Ensured load balancer"));
}

#[test]
fn a_cloud_that_does_not_answer_is_asked_again_until_it_does() {
    let mut world = world(Provider::Aws, "");
    world.cloud.set_reachable(false);
    world.run(Duration::secs(60));
    let events = world.bench.take_events();
    assert!(
        events.contains(
            "failed to ensure load balancer: Post \"https://ec2.us-east-1.amazonaws.com/\": dial tcp: i/o timeout"
        ),
        "{events}"
    );
    world.cloud.set_reachable(true);
    world.run(Duration::secs(120));
    assert!(!ingress(&world).is_empty());
}
