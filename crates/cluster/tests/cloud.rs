//! Whole clusters on the machines of a provider.

use api::Kind as _;
use api::core::v1::{Event, Node, Pod, Service};
use api::wire::Interest;
use base::Duration;
use cluster::{Cluster, Command, Config, Fault, Provider, read_log, write_log};
use network::What;

/// Two replicas, and a Service before them that the world can reach. `POLICY` and `CPU` are filled in.
const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: nginx
        image: nginx:1.27
        resources:
          requests: {cpu: CPU}
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: LoadBalancer
  externalTrafficPolicy: POLICY
  selector: {app: web}
  ports:
  - port: 80
";

fn start(provider: Provider) -> Cluster {
    let mut cluster = Cluster::new(Config { seed: 5, provider, ..Config::default() });
    cluster.run_for(Duration::secs(20));
    cluster
}

/// The same with the web behind its load balancer, which works.
fn served(provider: Provider, policy: &str) -> Cluster {
    let mut cluster = start(provider);
    let text = WEB.replace("POLICY", policy).replace("CPU", "100m");
    cluster.command(Command::Apply(text.into()));
    cluster.run_for(Duration::secs(180));
    cluster
}

fn nodes(cluster: &Cluster) -> Vec<std::sync::Arc<Node>> {
    let list = cluster.server().list(&Interest::all(Node::INFO)).expect("nodes are listed");
    list.items.iter().filter_map(|object| object.arc()).collect()
}

fn names(cluster: &Cluster) -> String {
    let names: Vec<String> = nodes(cluster).iter().map(|n| n.metadata.name.to_string()).collect();
    names.join(" ")
}

fn taints(cluster: &Cluster, name: &str) -> String {
    let node = cluster.server().get(Node::INFO, "", name).expect("the node is there");
    let node = node.get::<Node>().expect("it is a node");
    node.spec.taints.iter().map(|taint| format!("{} ", taint.key)).collect()
}

/// Where the Service is reached.
fn address(cluster: &Cluster) -> String {
    let object = cluster.server().get(Service::INFO, "default", "web").expect("it is there");
    let service = object.get::<Service>().expect("it is a Service");
    let at = service.status.load_balancer.ingress.first();
    at.map_or_else(String::new, |at| format!("{}{}", at.hostname, at.ip))
}

fn said(cluster: &Cluster, reason: &str) -> Vec<String> {
    let list = cluster.server().list(&Interest::all(Event::INFO)).expect("events are listed");
    let events = list.items.iter().filter_map(|object| object.get::<Event>());
    let about = events.filter(|event| event.reason == reason);
    about.map(|event| event.message.to_string()).collect()
}

/// Asks from outside: the answer's status, and the node that the load balancer chose.
fn ask(cluster: &mut Cluster) -> (Option<u16>, String) {
    let url = format!("http://{}/", address(cluster));
    let trace = cluster.curl("", &url).expect("it is a URL");
    let chosen = trace.hops.iter().find_map(|hop| match &hop.what {
        What::Balance { node, .. } => node.as_ref().map(ToString::to_string),
        _ => None,
    });
    (trace.http().map(|answer| answer.status), chosen.unwrap_or_default())
}

fn running(cluster: &Cluster) -> usize {
    let interest = Interest { namespace: "default".into(), ..Interest::all(Pod::INFO) };
    let pods = cluster.server().list(&interest).expect("pods are listed").items;
    let runs = |pod: &Pod| pod.status.phase == "Running";
    pods.iter().filter(|object| object.get::<Pod>().is_some_and(runs)).count()
}

#[test]
fn nodes_on_aws_are_initialised_and_know_their_machines() {
    let cluster = start(Provider::Aws);
    assert_eq!(names(&cluster), "node-1 node-2 node-3");
    for (node, zone) in nodes(&cluster).iter().zip(["us-east-1a", "us-east-1b", "us-east-1c"]) {
        assert_eq!(node.metadata.labels.text("topology.kubernetes.io/zone"), Some(zone));
        assert!(node.spec.provider_id.starts_with("aws:///"), "{}", node.spec.provider_id);
        assert!(node.spec.taints.is_empty(), "{:?}", node.spec.taints);
        let network = node.status.conditions.iter().find(|c| c.type_ == "NetworkUnavailable");
        assert_eq!(network.map(|c| &*c.reason), Some("RouteCreated"));
        assert_eq!(node.status.addresses.len(), 5);
    }
}

#[test]
fn a_service_on_aws_answers_the_world_by_its_hostname() {
    let mut cluster = served(Provider::Aws, "Cluster");
    assert!(address(&cluster).ends_with(".us-east-1.elb.amazonaws.com"), "{}", address(&cluster));
    for _ in 0..10 {
        assert_eq!(ask(&mut cluster).0, Some(200));
    }
    assert_eq!(said(&cluster, "EnsuredLoadBalancer"), ["Ensured load balancer"]);
}

#[test]
fn a_service_on_digitalocean_answers_the_world_by_its_address() {
    let mut cluster = served(Provider::DigitalOcean, "Cluster");
    assert_eq!(address(&cluster), "198.18.0.1");
    assert_eq!(ask(&mut cluster).0, Some(200));
}

#[test]
fn with_the_local_policy_only_nodes_with_a_pod_get_traffic() {
    let mut cluster = served(Provider::Aws, "Local");
    let list = cluster.server().list(&Interest::all(Pod::INFO)).expect("pods are listed");
    let web = list.items.iter().filter_map(|object| object.get::<Pod>());
    let web = web.filter(|pod| pod.metadata.labels.text("app") == Some("web"));
    let homes: Vec<String> = web.map(|pod| pod.spec.node_name.to_string()).collect();
    for _ in 0..20 {
        let (status, node) = ask(&mut cluster);
        assert_eq!(status, Some(200));
        assert!(homes.contains(&node), "{node} of {homes:?}");
    }
}

#[test]
fn a_pod_reaches_the_load_balancer_by_its_name_too() {
    let mut cluster = served(Provider::Aws, "Cluster");
    let list = cluster.server().list(&Interest::all(Pod::INFO)).expect("pods are listed");
    let web = list.items.iter().filter_map(|object| object.get::<Pod>());
    let mut web = web.filter(|pod| pod.metadata.labels.text("app") == Some("web"));
    let name = web.next().expect("there is one").metadata.name.clone();
    let url = format!("http://{}/", address(&cluster));
    let trace = cluster.curl(&format!("default/{name}"), &url).expect("it is a URL");
    assert_eq!(trace.http().map(|answer| answer.status), Some(200), "{:?}", trace.outcome);
}

#[test]
fn a_node_without_power_gets_no_traffic_once_its_checks_have_failed() {
    let mut cluster = served(Provider::Aws, "Cluster");
    cluster.command(Command::Fault(Fault::NodeOff("node-1".into())));
    cluster.run_for(Duration::secs(120));
    for _ in 0..20 {
        let (_, node) = ask(&mut cluster);
        assert_ne!(node, "node-1");
    }
}

#[test]
fn a_deleted_service_takes_its_load_balancer_with_it() {
    let mut cluster = served(Provider::Aws, "Cluster");
    cluster.command(Command::Terminal("kubectl delete service web".into()));
    cluster.run_for(Duration::secs(30));
    assert!(cluster.server().get(Service::INFO, "default", "web").is_none());
    assert_eq!(cluster.cloud().expect("there is one").balancers().count(), 0);
    assert_eq!(said(&cluster, "DeletedLoadBalancer"), ["Deleted load balancer"]);
}

#[test]
fn the_node_of_a_terminated_machine_is_removed_and_its_pods_move() {
    let mut cluster = served(Provider::Aws, "Cluster");
    cluster.command(Command::Fault(Fault::TerminateMachine("node-2".into())));
    cluster.run_for(Duration::mins(4));
    assert_eq!(names(&cluster), "node-1 node-3");
    assert_eq!(
        said(&cluster, "DeletingNode"),
        ["Deleting node node-2 because it does not exist in the cloud provider"]
    );
    assert_eq!(running(&cluster), 2);
    assert_eq!(ask(&mut cluster).0, Some(200));
}

#[test]
fn the_node_of_a_stopped_machine_is_tainted_until_it_is_started() {
    let mut cluster = start(Provider::Aws);
    cluster.command(Command::Fault(Fault::StopMachine("node-2".into())));
    cluster.run_for(Duration::mins(3));
    assert!(taints(&cluster, "node-2").contains("node.cloudprovider.kubernetes.io/shutdown"));
    cluster.command(Command::Fault(Fault::StartMachine("node-2".into())));
    cluster.run_for(Duration::mins(3));
    assert_eq!(taints(&cluster, "node-2"), "");
    assert_eq!(names(&cluster), "node-1 node-2 node-3");
}

#[test]
fn while_the_cloud_does_not_answer_a_service_waits_and_is_told_why() {
    let mut cluster = start(Provider::Aws);
    cluster.command(Command::Fault(Fault::CutCloud));
    let text = WEB.replace("POLICY", "Cluster").replace("CPU", "100m");
    cluster.command(Command::Apply(text.into()));
    cluster.run_for(Duration::secs(60));
    assert_eq!(address(&cluster), "");
    let errors = said(&cluster, "SyncLoadBalancerFailed");
    assert!(errors[0].contains("dial tcp: i/o timeout"), "{errors:?}");
    cluster.command(Command::Fault(Fault::MendCloud));
    cluster.run_for(Duration::mins(6));
    assert_eq!(ask(&mut cluster).0, Some(200));
}

/// A claim of so many GiB, and a pod that uses it.
const DATABASE: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests: {storage: SIZEGi}
---
apiVersion: v1
kind: Pod
metadata:
  name: db
spec:
  containers:
  - name: redis
    image: redis:7
    volumeMounts:
    - {name: data, mountPath: /data}
  volumes:
  - name: data
    persistentVolumeClaim: {claimName: data}
";

fn with_database(provider: Provider, gib: &str) -> Cluster {
    let mut cluster = start(provider);
    cluster.command(Command::Apply(DATABASE.replace("SIZE", gib).into()));
    cluster.run_for(Duration::mins(2));
    cluster
}

/// Size, zone and machine of the only disk.
fn disk(cluster: &Cluster) -> String {
    let cloud = cluster.cloud().expect("there is one");
    let disks: Vec<String> = cloud
        .disks()
        .map(|disk| {
            let machine = disk.node.as_ref().and_then(|node| cloud.machine(node));
            let zone = machine.map_or("nowhere".into(), |machine| machine.zone.clone());
            format!("{} {} {}", disk.facts.gib, disk.facts.zone, zone)
        })
        .collect();
    disks.join(", ")
}

#[test]
fn a_claim_on_aws_gets_a_disk_in_the_zone_of_its_pod() {
    let mut cluster = with_database(Provider::Aws, "10");
    assert_eq!(running(&cluster), 1, "{:?}", said(&cluster, "FailedMount"));
    let shown = disk(&cluster);
    let words: Vec<&str> = shown.split(' ').collect();
    assert!(words[0] == "10" && words[1] == words[2], "{shown}");
    let patch =
        r#"kubectl patch pvc data -p '{"spec":{"resources":{"requests":{"storage":"20Gi"}}}}'"#;
    cluster.command(Command::Terminal(patch.into()));
    cluster.run_for(Duration::mins(1));
    assert!(disk(&cluster).starts_with("20 "), "{}", disk(&cluster));
    cluster.command(Command::Terminal("kubectl delete pod/db pvc/data".into()));
    cluster.run_for(Duration::mins(5));
    assert_eq!(disk(&cluster), "");
}

#[test]
fn a_claim_on_digitalocean_gets_a_disk_of_the_region() {
    let cluster = with_database(Provider::DigitalOcean, "10");
    assert_eq!(running(&cluster), 1);
    assert_eq!(disk(&cluster), "10  ");
}

#[test]
fn a_claim_beyond_the_providers_limits_is_told_so() {
    let cluster = with_database(Provider::DigitalOcean, "20000");
    assert_eq!(running(&cluster), 0);
    assert_eq!(
        said(&cluster, "ProvisioningFailed")[0],
        "failed to provision volume with StorageClass \"do-block-storage\": volume size 20000 GiB is not \
         between 1 GiB and 16384 GiB"
    );
}

/// Pods that three nodes of four cores do not hold.
fn crowded() -> Cluster {
    let mut cluster = start(Provider::Aws);
    let text = WEB.replace("POLICY", "Cluster").replace("CPU", "3");
    cluster.command(Command::Apply(text.into()));
    cluster.command(Command::Terminal("kubectl scale deployment web --replicas=3".into()));
    cluster.run_for(Duration::mins(1));
    // The youngest pod is the first that a shrinking set gives up.
    cluster.command(Command::Terminal("kubectl scale deployment web --replicas=4".into()));
    cluster.run_for(Duration::mins(4));
    cluster
}

#[test]
fn a_pod_that_fits_nowhere_gets_a_machine_and_runs_there() {
    let cluster = crowded();
    assert_eq!(names(&cluster), "node-1 node-2 node-3 node-4");
    assert_eq!(running(&cluster), 4);
    assert_eq!(
        said(&cluster, "TriggeredScaleUp"),
        ["pod triggered scale-up: [{eks-workers 3->4 (max: 10)}]"]
    );
    assert_eq!(taints(&cluster, "node-4"), "");
}

#[test]
fn an_idle_machine_is_removed_and_the_next_one_takes_its_kubelets_place() {
    let mut cluster = crowded();
    cluster.command(Command::Terminal("kubectl scale deployment web --replicas=3".into()));
    cluster.run_for(Duration::mins(30));
    assert_eq!(nodes(&cluster).len(), 3, "{}", names(&cluster));
    assert_eq!(running(&cluster), 3);
    let machines = cluster.cloud().expect("there is one").machines().count();
    assert_eq!(machines, 3);
    cluster.command(Command::Terminal("kubectl scale deployment web --replicas=4".into()));
    cluster.run_for(Duration::mins(4));
    assert!(names(&cluster).ends_with("node-5"), "{}", names(&cluster));
    assert_eq!(running(&cluster), 4);
}

#[test]
fn without_its_controller_nodes_stay_as_they_registered() {
    let mut config = Config { provider: Provider::Aws, ..Config::default() };
    let names = ["kubelet", "controller-manager"].map(String::from);
    config.restrict_to(&names).expect("they are parts");
    let mut cluster = Cluster::new(config.clone());
    cluster.run_for(Duration::secs(60));
    assert!(taints(&cluster, "node-1").contains("uninitialized"));
    let names = ["kubelet", "cloud-controller-manager"].map(String::from);
    config.restrict_to(&names).expect("they are parts");
    let mut cluster = Cluster::new(config);
    cluster.run_for(Duration::secs(60));
    assert!(!taints(&cluster, "node-1").contains("uninitialized"));
}

#[test]
fn a_run_on_a_cloud_repeats_from_its_log_and_from_a_checkpoint() {
    let mut cluster = crowded();
    let mut checkpoint = cluster.clone();
    for run in [&mut cluster, &mut checkpoint] {
        run.command(Command::Fault(Fault::TerminateMachine("node-1".into())));
        run.run_for(Duration::mins(5));
    }
    assert_eq!(checkpoint.trace_hash(), cluster.trace_hash());
    let log = read_log(&write_log(cluster.log())).expect("what was written can be read");
    let mut again = Cluster::new(cluster.config().clone());
    again.replay(&log);
    again.run_until(cluster.now());
    assert_eq!(again.trace_hash(), cluster.trace_hash());
}

#[test]
fn a_restarted_cloud_controller_manager_finds_its_way() {
    let mut cluster = served(Provider::Aws, "Cluster");
    let before = address(&cluster);
    let part = cluster::Component::CloudControllerManager;
    cluster.command(Command::Fault(Fault::Unplug(part, "".into())));
    cluster.command(Command::Fault(Fault::TerminateMachine("node-3".into())));
    cluster.run_for(Duration::mins(3));
    assert_eq!(names(&cluster), "node-1 node-2 node-3");
    cluster.command(Command::Fault(Fault::Plug(part, "".into())));
    cluster.run_for(Duration::mins(1));
    assert_eq!(names(&cluster), "node-1 node-2");
    assert_eq!(address(&cluster), before);
    assert_eq!(ask(&mut cluster).0, Some(200));
}
