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

/// Disks of a kind may be as small and as large as that, and no smaller or larger.
fn check_disks(provider: Provider, kind: &str, sizes: (i64, i64)) {
    let mut cloud = cloud(provider);
    let (smallest, largest) = sizes;
    let mut make = |gib: i64| {
        let (name, zone) = (Str::from(format!("pvc-{gib}")), "us-east-1a".into());
        let spec = DiskSpec { name, gib, zone, kind: kind.into() };
        ask(&mut cloud, CloudRequest::CreateDisk(Box::new(spec)))
    };
    for gib in [smallest - 1, largest + 1] {
        let why = format!("volume size {gib} GiB is not between {smallest} GiB and {largest} GiB");
        assert_eq!(make(gib), why, "{kind}");
    }
    for gib in [smallest, largest] {
        assert!(!make(gib).contains("volume size"), "{kind} {gib}");
    }
}

#[test]
fn disks_of_every_kind_have_the_sizes_that_the_provider_documents() {
    check_disks(Provider::Aws, "gp3", (1, 65_536));
    check_disks(Provider::Aws, "gp2", (1, 16_384));
    check_disks(Provider::Aws, "io1", (4, 16_384));
    check_disks(Provider::Aws, "io2", (4, 65_536));
    check_disks(Provider::Aws, "st1", (125, 16_384));
    check_disks(Provider::Aws, "sc1", (125, 16_384));
    check_disks(Provider::DigitalOcean, "", (1, 16_384));
}

/// How long something takes: the shortest and the longest of 200 times, in seconds, rounded down and up.
fn spread(mut once: impl FnMut(u64) -> Duration) -> (i64, i64) {
    let times: Vec<Duration> = (0..200).map(&mut once).collect();
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    (least.as_secs(), (*most + Duration::millis(999)).as_secs())
}

#[test]
fn attaching_a_disk_takes_as_long_as_the_provider_needs() {
    let attach = |provider: Provider| {
        let mut cloud = cloud(provider);
        let id = Str::from(ask(&mut cloud, disk("pvc-1", 10)));
        spread(|_| {
            let (disk, node) = (id.clone(), Str::from("node-1"));
            let (after, reply) =
                cloud.handle(Instant::START, CloudRequest::AttachDisk { disk, node });
            assert!(reply.is_ok(), "{reply:?}");
            let (disk, node) = (id.clone(), Str::from("node-1"));
            assert_eq!(ask(&mut cloud, CloudRequest::DetachDisk { disk, node }), "Done");
            after
        })
    };
    assert_eq!(attach(Provider::Aws), (2, 7));
    assert_eq!(attach(Provider::DigitalOcean), (3, 9));
}

#[test]
fn a_machine_boots_as_long_as_the_provider_needs() {
    let boot = |provider: Provider, group: &'static str| {
        spread(|seed| {
            let mut cloud = Cloud::new(Setup { seed, ..cloud(provider).setup });
            let request = CloudRequest::Grow { group: group.into(), size: 4 };
            assert_eq!(ask(&mut cloud, request), "Done");
            cloud.next_wake().expect("a machine boots") - Instant::START
        })
    };
    assert_eq!(boot(Provider::Aws, "eks-workers"), (35, 65));
    assert_eq!(boot(Provider::DigitalOcean, "pool-workers"), (50, 90));
}

/// Monthly prices of the list, over 672 hours as they are billed at most.
#[test]
fn droplets_cost_what_the_price_list_says() {
    let hourly = |name: &str| {
        let types = Provider::DigitalOcean.model().types();
        types.iter().find(|type_| type_.name == name).expect("it is listed").price_micros
    };
    let monthly = [
        ("s-1vcpu-2gb", 12),
        ("s-2vcpu-2gb", 18),
        ("s-2vcpu-4gb", 24),
        ("s-4vcpu-8gb", 48),
        ("g-2vcpu-8gb", 63),
        ("c-4", 84),
        ("s-8vcpu-16gb", 96),
        ("g-4vcpu-16gb", 126),
        ("m-4vcpu-32gb", 168),
        ("g-8vcpu-32gb", 252),
        ("m-8vcpu-64gb", 336),
        ("g-16vcpu-64gb", 504),
    ];
    for (name, dollars) in monthly {
        let price = dollars * 1_000_000 / 672;
        assert!((hourly(name) - price).abs() <= 10, "{name}: {} and not {price}", hourly(name));
    }
    let cloud = cloud(Provider::DigitalOcean);
    let hour = Instant::START + Duration::mins(60);
    assert_eq!(cloud.spent_micros(hour), 3 * hourly("s-4vcpu-8gb"));
}

#[test]
fn without_a_provider_there_are_no_groups_no_balancers_and_no_disks() {
    let mut cloud = cloud(Provider::None);
    assert_eq!(ask(&mut cloud, CloudRequest::Groups), "Groups([])");
    let grow = CloudRequest::Grow { group: Str::new(), size: 4 };
    assert_eq!(ask(&mut cloud, grow), "there is no group called \"\"");
    assert_eq!(
        ask(&mut cloud, CloudRequest::EnsureBalancer(Box::new(spec(&["node-1"])))),
        "the cloud provider does not support external load balancers"
    );
    assert_eq!(ask(&mut cloud, disk("pvc-1", 1)), "invalid volume type \"\"");
    assert_eq!((cloud.balancers().count(), cloud.disks().count()), (0, 0));
    assert_eq!((cloud.hourly_micros(), cloud.machines().count()), (0, 3));
}

/// A load balancer whose nodes answer on their node port, and on `/healthz` of the health check node port with 200 or not.
fn judged(health_port: u16, healthz: &[(&str, bool)]) -> Vec<Str> {
    let mut cloud = cloud(Provider::Aws);
    let nodes: Vec<&str> = healthz.iter().map(|(node, _)| *node).collect();
    let spec = BalancerSpec { health_port, ..spec(&nodes) };
    ask(&mut cloud, CloudRequest::EnsureBalancer(Box::new(spec)));
    let mut now = Instant::START;
    for _ in 0..20 {
        now += Duration::secs(10);
        cloud.advance(now);
        for change in cloud.take_changes() {
            let Change::Check { balancer, probes } = change else { continue };
            let answer = |probe: &Probe| {
                let good = healthz.iter().any(|(node, good)| *node == probe.node && *good);
                match (probe.port, probe.path.as_deref()) {
                    (31_000, Some("/healthz")) => good,
                    (30_080, None) => true,
                    other => panic!("nobody listens at {other:?}"),
                }
            };
            let results: Vec<_> =
                probes.iter().map(|probe| (probe.node.clone(), answer(probe))).collect();
            assert_eq!(results.len(), nodes.len());
            cloud.checked(&balancer, &results);
        }
    }
    cloud.balancers().next().expect("there is one").in_use().to_vec()
}

#[test]
fn a_node_whose_healthz_says_no_gets_no_traffic_though_its_node_port_answers() {
    assert_eq!(judged(31_000, &[("node-1", true), ("node-2", false)]), ["node-1"]);
    assert_eq!(judged(31_000, &[("node-1", false), ("node-2", false)]), [""; 0]);
}

#[test]
fn without_a_health_check_node_port_a_connection_to_the_node_port_is_enough() {
    assert_eq!(judged(0, &[("node-1", true), ("node-2", false)]), ["node-1", "node-2"]);
}
