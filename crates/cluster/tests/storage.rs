//! A volume's life in a whole cluster: made, attached, used, grown, and gone.

use base::Duration;
use cluster::{Cluster, Command, Config};

const STORAGE: &str = r#"
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata:
  name: disk.example.com
  annotations:
    csi.orrery.dev/topology-keys: topology.kubernetes.io/zone
    csi.orrery.dev/volumes-per-node: "1"
spec: {attachRequired: true}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: disk.example.com
allowVolumeExpansion: true
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: db}
spec:
  nodeSelector: {topology.kubernetes.io/zone: b}
  containers: [{name: c, image: nginx, volumeMounts: [{name: d, mountPath: /data}]}]
  volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]
"#;

struct World(Cluster);

impl World {
    fn new() -> World {
        let zones = vec!["a".into(), "b".into()];
        let mut cluster = Cluster::new(Config { zones, ..Config::default() });
        cluster.run_for(Duration::secs(10));
        cluster.command(Command::Apply(STORAGE.into()));
        cluster.run_for(Duration::secs(60));
        World(cluster)
    }

    /// What a command prints, once so many seconds have passed.
    fn type_in(&mut self, line: &str, seconds: i64) -> String {
        self.0.take_printed();
        self.0.command(Command::Terminal(line.into()));
        self.0.run_for(Duration::secs(seconds));
        self.0.take_printed().iter().map(|printed| printed.text.to_string()).collect()
    }

    fn check(&mut self, line: &str, expect: &str) {
        assert_eq!(self.type_in(line, 2).trim_end(), expect, "{line}");
    }
}

const SIZE: &str = "kubectl get pvc data -o jsonpath={.status.phase}/{.status.capacity.storage}";
const ATTACHED: &str = "kubectl get volumeattachments -o jsonpath={.items[*].spec.nodeName}";

#[test]
fn a_volume_is_made_in_the_pods_zone_attached_grown_and_removed() {
    let mut world = World::new();
    world
        .check("kubectl get pod db -o jsonpath={.status.phase}/{.spec.nodeName}", "Running/node-2");
    world.check(ATTACHED, "node-2");
    world.check(SIZE, "Bound/1Gi");
    let patch =
        r#"kubectl patch pvc data -p '{"spec":{"resources":{"requests":{"storage":"3Gi"}}}}'"#;
    world.type_in(patch, 20);
    world.check(SIZE, "Bound/3Gi");
    world.type_in("kubectl delete pod db", 60);
    world.check(ATTACHED, "");
    world.type_in("kubectl delete pvc data", 30);
    world.check("kubectl get pv -o jsonpath={.items[*].metadata.name}", "");
}

#[test]
fn a_node_takes_no_more_volumes_than_it_can_attach() {
    let mut world = World::new();
    let second = STORAGE.split("---").skip(2).collect::<Vec<_>>().join("---");
    let second =
        second.replace("name: data", "name: more").replace("claimName: data", "claimName: more");
    world.0.command(Command::Apply(second.replace("name: db", "name: second").into()));
    world.0.run_for(Duration::secs(30));
    let why =
        world.type_in("kubectl get pod second -o jsonpath={.status.conditions[0].message}", 2);
    assert!(why.contains("1 node(s) exceed max volume count"), "{why}");
}
