//! Runs that the tests of this folder compare.

use base::Duration;
use cluster::{Cluster, Command, Config, Fault};

/// Three replicas and the Service before them.
const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: nginx
        image: nginx:1.27
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports:
  - port: 80
";

/// A cluster of three nodes in which a Deployment has come up behind a Service.
pub fn served(seed: u64) -> Cluster {
    let mut cluster = Cluster::new(Config { seed, ..Config::default() });
    // The nodes are there first, so that each gets a pod.
    cluster.run_for(Duration::secs(10));
    cluster.command(Command::Apply(WEB.into()));
    cluster.run_for(Duration::secs(60));
    cluster
}

/// The rest of the story: a node loses power, and for six minutes nobody helps.
pub fn lose_a_node(cluster: &mut Cluster) {
    cluster.command(Command::Fault(Fault::NodeOff("node-2".into())));
    cluster.run_for(Duration::secs(360));
}
