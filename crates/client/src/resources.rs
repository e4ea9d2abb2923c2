//! What pods ask for and nodes have, as plain numbers.

use api::core::v1::{Container, PodSpec};
use api::{Map, Quantity};
use base::{BTreeMap, Str};

/// Amounts of resources: CPU in thousandths of a core, memory and storage in bytes, the rest by
/// name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu: i64,
    /// Bytes.
    pub memory: i64,
    /// Bytes.
    pub ephemeral_storage: i64,
    /// Extended resources, huge pages and attachable volumes, in units.
    pub scalars: BTreeMap<Str, i64>,
}

/// What scoring assumes for a container that asks for no CPU: 100m.
pub const CPU_ASSUMED: i64 = 100;
/// What scoring assumes for a container that asks for no memory: 200 MiB.
pub const MEMORY_ASSUMED: i64 = 200 * 1024 * 1024;

impl Resources {
    /// Reads a resource list.
    pub fn of(list: &Map<Quantity>) -> Resources {
        let mut resources = Resources::default();
        for (name, quantity) in list.iter() {
            let (slot, amount) = match name.as_str() {
                "cpu" => (&mut resources.cpu, quantity.milli_value()),
                "memory" => (&mut resources.memory, quantity.value()),
                "ephemeral-storage" => (&mut resources.ephemeral_storage, quantity.value()),
                "pods" => continue,
                _ => (resources.scalars.entry(name.clone()).or_default(), quantity.value()),
            };
            *slot = amount;
        }
        resources
    }

    /// Adds what `other` has.
    pub fn add(&mut self, other: &Resources) {
        self.cpu += other.cpu;
        self.memory += other.memory;
        self.ephemeral_storage += other.ephemeral_storage;
        for (name, amount) in &other.scalars {
            *self.scalars.entry(name.clone()).or_default() += amount;
        }
    }

    /// Takes away what `other` has.
    pub fn sub(&mut self, other: &Resources) {
        self.cpu -= other.cpu;
        self.memory -= other.memory;
        self.ephemeral_storage -= other.ephemeral_storage;
        for (name, amount) in &other.scalars {
            *self.scalars.entry(name.clone()).or_default() -= amount;
        }
    }

    /// Takes the larger of both for each resource.
    pub fn max(&mut self, other: &Resources) {
        self.cpu = self.cpu.max(other.cpu);
        self.memory = self.memory.max(other.memory);
        self.ephemeral_storage = self.ephemeral_storage.max(other.ephemeral_storage);
        for (name, amount) in &other.scalars {
            let own = self.scalars.entry(name.clone()).or_default();
            *own = (*own).max(*amount);
        }
    }

    /// The amount of a resource by name.
    pub fn get(&self, name: &str) -> i64 {
        match name {
            "cpu" => self.cpu,
            "memory" => self.memory,
            "ephemeral-storage" => self.ephemeral_storage,
            _ => self.scalars.get(name).copied().unwrap_or(0),
        }
    }
}

/// What a pod needs at its busiest: its containers and sidecars together, or an init container's
/// moment.
///
/// Resources given for the whole pod replace the sum. `assumed` fills in CPU and memory of
/// containers that ask for none, as scoring does. Follows the documentation of init and sidecar
/// containers' resource sharing.
pub fn of_pod(spec: &PodSpec, assumed: bool) -> Resources {
    let of = |container: &Container| {
        let mut own = Resources::of(&container.resources.requests);
        if assumed {
            let asks = |name: &str| container.resources.requests.contains_key(name);
            own.cpu = if asks("cpu") { own.cpu } else { CPU_ASSUMED };
            own.memory = if asks("memory") { own.memory } else { MEMORY_ASSUMED };
        }
        own
    };
    let mut total = Resources::default();
    for container in &spec.containers {
        total.add(&of(container));
    }
    let mut sidecars = Resources::default();
    let mut init = Resources::default();
    for container in &spec.init_containers {
        let mut own = of(container);
        if container.restart_policy.as_deref() == Some("Always") {
            total.add(&own);
            sidecars.add(&own);
            own = sidecars.clone();
        } else {
            own.add(&sidecars);
        }
        init.max(&own);
    }
    total.max(&init);
    if let Some(whole) = &spec.resources {
        let whole_pod = Resources::of(&whole.requests);
        for name in whole.requests.keys() {
            match name.as_str() {
                "cpu" => total.cpu = whole_pod.cpu,
                "memory" => total.memory = whole_pod.memory,
                _ => {
                    total.scalars.insert(name.clone(), whole_pod.get(name));
                }
            }
        }
    }
    total.add(&Resources::of(&spec.overhead));
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::{Decode, Json, Value as _};

    fn check(spec: &str, cpu: i64, memory: i64) {
        let mut pod = PodSpec::default();
        let mut cx = Decode::new();
        pod.take(Json::parse(spec.as_bytes()).expect("JSON"), &mut cx);
        assert_eq!(cx.error, None);
        let needs = of_pod(&pod, false);
        assert_eq!((needs.cpu, needs.memory), (cpu, memory), "{spec}");
    }

    #[test]
    fn containers_add_up() {
        check(
            r#"{"containers":[{"name":"a","resources":{"requests":{"cpu":"100m","memory":"1Ki"}}},
               {"name":"b","resources":{"requests":{"cpu":"1"}}}]}"#,
            1_100,
            1_024,
        );
    }

    #[test]
    fn an_init_container_counts_only_where_it_is_larger() {
        check(
            r#"{"initContainers":[{"name":"i","resources":{"requests":{"cpu":"3","memory":"1"}}}],
               "containers":[{"name":"a","resources":{"requests":{"cpu":"1","memory":"5"}}}]}"#,
            3_000,
            5,
        );
    }

    #[test]
    fn a_sidecar_counts_beside_the_containers_and_beside_later_init_containers() {
        check(
            r#"{"initContainers":[
                 {"name":"s","restartPolicy":"Always","resources":{"requests":{"cpu":"1"}}},
                 {"name":"i","resources":{"requests":{"cpu":"4"}}}],
               "containers":[{"name":"a","resources":{"requests":{"cpu":"2"}}}]}"#,
            5_000,
            0,
        );
    }

    #[test]
    fn requests_of_the_whole_pod_and_overhead() {
        check(
            r#"{"resources":{"requests":{"cpu":"2"}},"overhead":{"cpu":"250m"},
               "containers":[{"name":"a","resources":{"requests":{"cpu":"1","memory":"7"}}}]}"#,
            2_250,
            7,
        );
    }
}
