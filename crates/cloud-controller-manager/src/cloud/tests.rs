//! The provider's side alone.

use client::cloud::{BalancerPort, BalancerSpec, DiskSpec};

use super::*;

fn cloud(provider: Provider) -> Cloud {
    Cloud::new(Setup {
        provider,
        seed: 3,
        machines: 3,
        min: 3,
        max: 5,
        cpu_milli: 4_000,
        memory: 8 << 30,
        pods: 110,
        zones: Vec::new(),
        groups: Vec::new(),
        node_ip: |number| [10, 0, 0, number as u8].into(),
    })
}

fn spec(nodes: &[&str]) -> BalancerSpec {
    BalancerSpec {
        name: "a1".into(),
        service: "default/web".into(),
        address: Str::new(),
        ports: vec![BalancerPort { port: 80, node_port: 30080, protocol: "TCP".into() }],
        nodes: nodes.iter().map(|node| Str::from(*node)).collect(),
        health_port: 0,
        ranges: Vec::new(),
        sticky: false,
        annotations: Default::default(),
    }
}

fn disk(name: &str, gib: i64) -> CloudRequest {
    let (name, zone, kind) = (name.into(), "us-east-1a".into(), Str::new());
    CloudRequest::CreateDisk(Box::new(DiskSpec { name, gib, zone, kind }))
}

/// The answer to a request, in short.
fn ask(cloud: &mut Cloud, request: CloudRequest) -> String {
    match cloud.handle(Instant::START, request).1 {
        Ok(CloudAnswer::Disk(facts)) => facts.id.to_string(),
        Ok(answer) => format!("{answer:?}"),
        Err(error) => error.message.to_string(),
    }
}

#[test]
fn equal_seeds_give_equal_clouds() {
    let ids = |cloud: &Cloud| cloud.machines().map(|m| m.id.clone()).collect::<Vec<_>>();
    let (one, other) = (cloud(Provider::Aws), cloud(Provider::Aws));
    assert_eq!(ids(&one), ids(&other));
    assert!(ids(&one).windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn machines_are_spread_over_the_zones() {
    let zones: Vec<Str> = cloud(Provider::Aws).machines().map(|m| m.zone.clone()).collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    assert!(cloud(Provider::DigitalOcean).machines().all(|m| m.zone.is_empty()));
}

#[test]
fn a_new_machine_boots_for_a_while_and_no_more_are_given_than_allowed() {
    let mut cloud = cloud(Provider::Aws);
    let group = || Str::from("eks-workers");
    assert_eq!(ask(&mut cloud, CloudRequest::Grow { group: group(), size: 4 }), "Done");
    assert_eq!(cloud.machine("node-4").unwrap().state, MachineState::Pending);
    cloud.advance(Instant::START + Duration::secs(30));
    assert_eq!(cloud.machine("node-4").unwrap().state, MachineState::Pending);
    cloud.advance(Instant::START + Duration::secs(70));
    assert_eq!(cloud.machine("node-4").unwrap().state, MachineState::Running);
    let refused = ask(&mut cloud, CloudRequest::Grow { group: group(), size: 9 });
    assert_eq!(refused, "size increase too large - desired:9 max:5");
}

#[test]
fn a_stopped_machine_costs_nothing_and_comes_back() {
    let mut cloud = cloud(Provider::Aws);
    let (start, minute) = (Instant::START, Duration::mins(1));
    assert_eq!(cloud.hourly_micros(), 3 * 170_000);
    assert_eq!(cloud.spent_micros(start + Duration::mins(60)), 3 * 170_000);
    cloud.stop(start, "node-1");
    cloud.advance(start + minute);
    assert_eq!(cloud.hourly_micros(), 2 * 170_000);
    assert!(matches!(&cloud.take_changes()[..], [Change::Down(node)] if node == "node-1"));
    cloud.start(start + minute, "node-1");
    cloud.advance(start + minute * 3);
    assert!(matches!(&cloud.take_changes()[..], [Change::Up(machine)] if machine.name == "node-1"));
}

#[test]
fn a_terminated_machine_is_gone_with_its_place_in_the_group() {
    let mut cloud = cloud(Provider::Aws);
    cloud.end(Instant::START, "node-2");
    cloud.end(Instant::START, "node-2");
    cloud.advance(Instant::START + Duration::mins(1));
    assert!(cloud.machine("node-2").is_none());
    assert_eq!(cloud.groups()[0].size, 2);
    assert!(matches!(&cloud.take_changes()[..], [Change::Gone(node)] if node == "node-2"));
}

#[test]
fn a_hostname_is_known_once_the_load_balancer_works() {
    let mut cloud = cloud(Provider::Aws);
    let request = CloudRequest::EnsureBalancer(Box::new(spec(&["node-1"])));
    let (_, reply) = cloud.handle(Instant::START, request);
    let Ok(CloudAnswer::Balancer(Some(address))) = reply else { panic!("{reply:?}") };
    assert_eq!(cloud.resolve(&address.hostname), None);
    cloud.advance(Instant::START + Duration::mins(1));
    let hostname = format!("{}.", address.hostname);
    assert_eq!(cloud.resolve(&hostname), Some(vec!["198.18.0.1".parse().unwrap()]));
}

#[test]
fn a_load_balancer_that_is_ensured_again_keeps_its_name() {
    let mut cloud = cloud(Provider::Aws);
    let ensure = |nodes: &[&str]| CloudRequest::EnsureBalancer(Box::new(spec(nodes)));
    let first = ask(&mut cloud, ensure(&["node-1"]));
    assert_eq!(ask(&mut cloud, ensure(&["node-1", "node-2"])), first);
    assert_eq!(cloud.balancers().count(), 1);
}

#[test]
fn disks_are_made_once_within_their_limits() {
    let mut cloud = cloud(Provider::Aws);
    let first = ask(&mut cloud, disk("pvc-1", 10));
    assert!(first.starts_with("vol-0"), "{first}");
    assert_eq!(ask(&mut cloud, disk("pvc-1", 10)), first);
    let refused = ask(&mut cloud, disk("pvc-2", 70_000));
    assert_eq!(refused, "volume size 70000 GiB is not between 1 GiB and 65536 GiB");
}

#[test]
fn a_disk_is_attached_to_one_machine_of_its_zone() {
    let mut cloud = cloud(Provider::Aws);
    let id = Str::from(ask(&mut cloud, disk("pvc-1", 10)));
    let attach = |node: &str| CloudRequest::AttachDisk { disk: id.clone(), node: node.into() };
    let refused = ask(&mut cloud, attach("node-2"));
    assert!(refused.starts_with("InvalidVolume.ZoneMismatch"), "{refused}");
    let (after, reply) = cloud.handle(Instant::START, attach("node-1"));
    let Ok(CloudAnswer::Disk(facts)) = reply else { panic!("{reply:?}") };
    assert_eq!(facts.device, "/dev/xvdba");
    assert!(after >= Duration::secs(2), "attaching takes a while");
    let in_use = ask(&mut cloud, CloudRequest::DeleteDisk(id.clone()));
    assert!(in_use.starts_with("VolumeInUse"), "{in_use}");
    let detach = CloudRequest::DetachDisk { disk: id.clone(), node: "node-1".into() };
    assert_eq!(ask(&mut cloud, detach), "Done");
    assert_eq!(ask(&mut cloud, CloudRequest::DeleteDisk(id)), "Done");
    assert_eq!(cloud.disks().count(), 0);
}

#[test]
fn a_machine_takes_so_many_disks() {
    let check = |provider: Provider, limit: usize| {
        let mut cloud = cloud(provider);
        for i in 0..=limit {
            let id = ask(&mut cloud, disk(&format!("pvc-{i}"), 1)).into();
            let answer =
                ask(&mut cloud, CloudRequest::AttachDisk { disk: id, node: "node-1".into() });
            let refused = answer.starts_with("too many volumes");
            assert_eq!(refused, i == limit, "{answer}");
        }
    };
    check(Provider::Aws, 26);
    check(Provider::DigitalOcean, 7);
}

#[test]
fn a_disk_grows_but_not_twice_in_six_hours() {
    let mut cloud = cloud(Provider::Aws);
    let id = Str::from(ask(&mut cloud, disk("pvc-1", 10)));
    let grow = |gib| CloudRequest::GrowDisk { disk: id.clone(), gib };
    assert_eq!(ask(&mut cloud, grow(20)), id.as_str());
    assert_eq!(cloud.disks().next().unwrap().facts.gib, 20);
    let refused = ask(&mut cloud, grow(30));
    assert!(refused.starts_with("VolumeModificationRateExceeded"), "{refused}");
}

#[test]
fn the_disks_of_a_machine_that_is_gone_are_free() {
    let mut cloud = cloud(Provider::DigitalOcean);
    let id = Str::from(ask(&mut cloud, disk("pvc-1", 10)));
    ask(&mut cloud, CloudRequest::AttachDisk { disk: id, node: "node-1".into() });
    cloud.end(Instant::START, "node-1");
    cloud.advance(Instant::START + Duration::mins(1));
    assert_eq!(cloud.disks().next().unwrap().node, None);
}
