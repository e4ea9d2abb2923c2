//! Objects of custom kinds in a whole cluster: they go with their namespace, their owners and their definition.

use base::Duration;
use cluster::{Cluster, Command, Component, Config, Fault};

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: fleets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: fleets, singular: fleet, kind: Fleet}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"#;

struct World(Cluster);

impl World {
    /// A cluster in which fleets are served, with a namespace `blue`.
    fn new() -> World {
        let mut cluster = Cluster::new(Config { nodes: 1, ..Config::default() });
        cluster.run_for(Duration::secs(5));
        let mut world = World(cluster);
        world.apply(DEFINITION);
        world.apply("{apiVersion: v1, kind: Namespace, metadata: {name: blue}}");
        world
    }

    fn apply(&mut self, manifest: &str) {
        self.0.command(Command::Apply(manifest.into()));
        self.0.run_for(Duration::secs(2));
    }

    /// Makes an object; its uid.
    fn make(&mut self, kind: &str, name: &str, more: &str) -> String {
        let version = if kind == "Fleet" { "example.com/v1" } else { "v1" };
        let manifest = format!(
            "{{apiVersion: {version}, kind: {kind}, metadata: {{name: {name}, namespace: blue{more}}}}}"
        );
        self.apply(&manifest);
        let line = format!("kubectl get {kind} {name} -n blue -o jsonpath={{.metadata.uid}}");
        self.type_in(&line, 1).trim_end().to_string()
    }

    /// What a command prints, once so many seconds have passed.
    fn type_in(&mut self, line: &str, seconds: i64) -> String {
        self.0.take_printed();
        self.0.command(Command::Terminal(line.into()));
        self.0.run_for(Duration::secs(seconds));
        self.0.take_printed().iter().map(|printed| printed.text.to_string()).collect()
    }

    /// Which fleets and ConfigMaps there are in the namespace.
    fn check(&mut self, expect: &str) {
        let left = self.type_in("kubectl get fleets,configmaps -n blue -o name", 1);
        let left = left.lines().filter(|line| !line.contains("kube-root-ca"));
        assert_eq!(left.collect::<Vec<_>>().join(" "), expect);
    }
}

fn owned_by(kind: &str, version: &str, name: &str, uid: &str) -> String {
    format!(
        ", ownerReferences: [{{apiVersion: {version}, kind: {kind}, name: {name}, uid: {uid}, \
         blockOwnerDeletion: true}}]"
    )
}

#[test]
fn objects_of_custom_kinds_go_with_their_namespace() {
    let mut world = World::new();
    world.make("Fleet", "north", "");
    world.make("Fleet", "south", "");
    world.check("fleet.example.com/north fleet.example.com/south");
    world.type_in("kubectl delete namespace blue", 20);
    let left = world.type_in("kubectl get namespaces -o name", 1);
    assert!(!left.contains("blue"), "{left}");
    let left = world.type_in("kubectl get fleets -A", 1);
    assert!(left.contains("No resources found"), "{left}");
}

#[test]
fn a_namespace_says_which_custom_objects_hold_it() {
    let mut world = World::new();
    world.make("Fleet", "north", ", finalizers: [example.com/anchor]");
    world.type_in("kubectl delete namespace blue --wait=false", 20);
    let conditions = "kubectl get namespace blue -o jsonpath={.status.conditions[*].message}";
    let told = world.type_in(conditions, 1);
    assert!(told.contains("fleets.example.com has 1 resource instances"), "{told}");
    assert!(told.contains("example.com/anchor in 1 resource instances"), "{told}");
}

#[test]
fn what_a_custom_object_owns_goes_after_it() {
    let mut world = World::new();
    let uid = world.make("Fleet", "north", "");
    world.make("ConfigMap", "chart", &owned_by("Fleet", "example.com/v1", "north", &uid));
    world.make("Fleet", "tender", &owned_by("Fleet", "example.com/v1", "north", &uid));
    world.check("fleet.example.com/north fleet.example.com/tender configmap/chart");
    world.type_in("kubectl delete fleet north -n blue", 10);
    world.check("");
}

#[test]
fn a_custom_object_that_names_an_owner_that_never_was_goes() {
    let mut world = World::new();
    let uid = "00000000-0000-4000-8000-000000000001";
    world.make("ConfigMap", "chart", &owned_by("Fleet", "example.com/v1", "lost", uid));
    world.make("Fleet", "boat", &owned_by("ConfigMap", "v1", "lost", uid));
    world.0.run_for(Duration::secs(10));
    world.check("");
}

#[test]
fn a_custom_object_goes_with_its_owner_or_is_orphaned() {
    let mut world = World::new();
    for (policy, left) in
        [("background", ""), ("foreground", ""), ("orphan", "fleet.example.com/boat")]
    {
        let uid = world.make("ConfigMap", "harbour", "");
        world.make("Fleet", "boat", &owned_by("ConfigMap", "v1", "harbour", &uid));
        let line = format!("kubectl delete configmap harbour -n blue --cascade={policy}");
        world.type_in(&line, 10);
        world.check(left);
    }
    let line = "kubectl get fleet boat -n blue -o jsonpath={.metadata.ownerReferences}";
    let owners = world.type_in(line, 1);
    assert!(matches!(owners.trim_end(), "" | "[]"), "{owners}");
}

#[test]
fn custom_objects_are_collected_by_a_controller_manager_that_was_started_after_them() {
    let mut world = World::new();
    let uid = world.make("ConfigMap", "harbour", "");
    world.make("Fleet", "boat", &owned_by("ConfigMap", "v1", "harbour", &uid));
    let part = Component::ControllerManager;
    world.0.command(Command::Fault(Fault::Unplug(part, "".into())));
    world.type_in("kubectl delete configmap harbour -n blue", 10);
    world.check("fleet.example.com/boat");
    world.0.command(Command::Fault(Fault::Plug(part, "".into())));
    world.0.run_for(Duration::secs(40));
    world.check("");
}

#[test]
fn objects_go_with_the_definition_of_their_kind() {
    let mut world = World::new();
    world.make("Fleet", "north", "");
    world.make("Fleet", "south", ", finalizers: [example.com/anchor]");
    world.type_in("kubectl delete crd fleets.example.com --wait=false", 5);
    world.check("fleet.example.com/south");
    let kept = world.type_in("kubectl get crd -o jsonpath={.items[*].metadata.finalizers}", 1);
    assert!(kept.contains("customresourcecleanup.apiextensions.k8s.io"), "{kept}");
    let free =
        r#"kubectl patch fleet south -n blue --type=merge -p '{"metadata":{"finalizers":null}}'"#;
    world.type_in(free, 5);
    let left = world.type_in("kubectl get crd -o name", 1);
    assert!(!left.contains("fleets"), "{left}");
}

#[test]
fn a_quota_counts_custom_objects() {
    let mut world = World::new();
    world.apply(
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: few, namespace: blue}, \
         spec: {hard: {count/fleets.example.com: '1'}}}",
    );
    world.make("Fleet", "north", "");
    let used = "kubectl get resourcequota few -n blue -o jsonpath={.status.used}";
    assert_eq!(world.type_in(used, 1).trim_end(), r#"{"count/fleets.example.com":"1"}"#);
    world.make("Fleet", "south", "");
    world.check("fleet.example.com/north");
    world.type_in("kubectl delete fleet north -n blue", 10);
    assert_eq!(world.type_in(used, 1).trim_end(), r#"{"count/fleets.example.com":"0"}"#);
}
