//! The benchmark that the native host and the browser share: fill a cluster and see how long it takes.

use base::{Duration, Str};

use crate::{Cluster, Config};

/// A cluster and the pods to be brought to Running on it.
#[derive(Clone)]
pub struct Scale {
    /// The cluster.
    pub cluster: Cluster,
    pods: usize,
}

/// Replicas of one Deployment of the benchmark, at most.
const REPLICAS_MAX: usize = 500;

impl Scale {
    /// A cluster of `nodes` Ready nodes with nothing on it, able to hold `pods` pods.
    pub fn new(nodes: usize, pods: usize, seed: u64) -> Scale {
        let per_node = pods.div_ceil(nodes.max(1));
        let config = Config {
            nodes,
            seed,
            node_cpu_milli: 32_000,
            node_memory: 64 << 30,
            node_pods: (per_node as i64 + 10).max(110),
            ..Config::default()
        };
        Scale { cluster: Cluster::new(config), pods }
    }

    /// Applies the Deployments.
    pub fn apply(&mut self) {
        let mut left = self.pods;
        let mut number = 0;
        while left > 0 {
            let replicas = left.min(REPLICAS_MAX);
            self.cluster.command(crate::Command::Apply(deployment(number, replicas)));
            left -= replicas;
            number += 1;
        }
    }

    /// How many pods are Running.
    pub fn running(&self) -> usize {
        self.cluster.pods_running()
    }

    /// How many there should be.
    pub fn wanted(&self) -> usize {
        self.pods
    }
}

/// Applies and runs until all pods are Running; the virtual time it took, or what is missing.
pub fn fill(bench: &mut Scale) -> Result<Duration, String> {
    let start = bench.cluster.now();
    bench.apply();
    let deadline = start + Duration::mins(60);
    while bench.running() < bench.wanted() {
        if bench.cluster.now() >= deadline {
            return Err(format!(
                "only {} of {} pods were Running after an hour",
                bench.running(),
                bench.wanted()
            ));
        }
        bench.cluster.run_for(Duration::millis(100));
    }
    Ok(bench.cluster.now() - start)
}

fn deployment(number: usize, replicas: usize) -> Str {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{number:04}\nspec:\n  replicas: {replicas}\n  \
         selector:\n    matchLabels: {{app: app-{number:04}}}\n  template:\n    metadata:\n      labels: {{app: app-{number:04}}}\n    \
         spec:\n      containers:\n      - name: app\n        image: nginx\n        resources:\n          requests: {{cpu: 50m, memory: 64Mi}}\n"
    )
    .into()
}
