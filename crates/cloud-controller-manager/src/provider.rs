//! The cloud providers: one module a provider, each a table of facts and a few rules behind [`Model`].

pub mod aws;
pub mod digitalocean;
pub mod none;

use api::Map;
use api::core::v1::NodeAddress;
use base::{Duration, Rng, Str};
use client::cloud::{BalancerSpec, CloudError};

use crate::cloud::Machine;

/// Whose machines the cluster runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// Nobody's: there are no load balancers and no machines to add.
    #[default]
    None,
    /// Amazon Web Services.
    Aws,
    /// DigitalOcean.
    DigitalOcean,
}

impl Provider {
    /// Every provider with its name in files and on command lines.
    pub const ALL: &'static [(&'static str, Provider)] = &[
        ("none", Provider::None),
        ("aws", Provider::Aws),
        ("digitalocean", Provider::DigitalOcean),
    ];

    /// The provider with this name.
    pub fn parse(name: &str) -> Option<Provider> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, provider)| *provider)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// What is special about it.
    pub fn model(self) -> &'static dyn Model {
        match self {
            Provider::None => &none::None,
            Provider::Aws => &aws::Aws,
            Provider::DigitalOcean => &digitalocean::DigitalOcean,
        }
    }
}

/// A span of time, from the shortest to the longest.
pub type Span = (Duration, Duration);

/// What is special about a provider.
pub trait Model: Sync + std::fmt::Debug {
    /// The region in which everything lies.
    fn region(&self) -> &'static str;

    /// The zones of the region; none where the provider does not tell.
    fn zones(&self) -> &'static [&'static str];

    /// The types of machines, by price.
    fn types(&self) -> &'static [MachineType];

    /// How long things take.
    fn times(&self) -> &'static Times;

    /// The name of the group of machines that the cluster's nodes form.
    fn group(&self) -> &'static str;

    /// Where its API is.
    fn endpoint(&self) -> &'static str;

    /// A machine's ID.
    fn machine_id(&self, rng: &mut Rng) -> String;

    /// `spec.providerID` of a machine's node.
    fn provider_id(&self, machine: &Machine) -> String;

    /// The addresses and names of a machine, in the provider's order.
    fn addresses(&self, machine: &Machine) -> Vec<NodeAddress>;

    /// Labels of the provider's own for a machine's node.
    fn labels(&self, _machine: &Machine) -> Map<Str> {
        Map::new()
    }

    /// Whether packets to pods need routes of the provider's network.
    fn has_routes(&self) -> bool;

    /// How a load balancer works, or why there can be none.
    fn balancer(&self, spec: &BalancerSpec, rng: &mut Rng) -> Result<BalancerShape, CloudError>;

    /// Its disks.
    fn disks(&self) -> &'static Disks;

    /// The CSI driver for its disks and the StorageClass that clusters start with, as a manifest.
    fn storage(&self) -> &'static str {
        ""
    }

    /// A disk's ID.
    fn disk_id(&self, rng: &mut Rng) -> String;

    /// The device as which the `nth` disk of a machine appears.
    fn device(&self, disk_name: &str, nth: usize) -> String;
}

/// A type of machine.
#[derive(Debug, PartialEq, Eq)]
pub struct MachineType {
    /// `c5.xlarge`
    pub name: &'static str,
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory: i64,
    /// Its price for an hour, in millionths of a dollar.
    pub price_micros: i64,
}

impl MachineType {
    pub(crate) const fn new(
        name: &'static str,
        cpu: i64,
        memory_gib: i64,
        price_micros: i64,
    ) -> MachineType {
        MachineType { name, cpu_milli: cpu * 1_000, memory: memory_gib << 30, price_micros }
    }
}

/// The cheapest type that has so much of both, or else the largest there is.
pub fn type_for(model: &dyn Model, cpu_milli: i64, memory: i64) -> &'static MachineType {
    let types = model.types();
    let fits = |t: &&MachineType| t.cpu_milli >= cpu_milli && t.memory >= memory;
    let cheapest = types.iter().filter(fits).min_by_key(|t| t.price_micros);
    cheapest.or(types.last()).unwrap_or(&none::ANY)
}

/// How long things take.
#[derive(Debug)]
pub struct Times {
    /// A request to the API.
    pub call: Span,
    /// From the request for a machine until its kubelet starts.
    pub boot: Span,
    /// From the request to stop or terminate a machine until it is down.
    pub halt: Span,
    /// Making a disk.
    pub disk: Span,
    /// Attaching a disk, or detaching it.
    pub attach: Span,
}

/// How a load balancer works.
#[derive(Clone, Debug, PartialEq)]
pub struct BalancerShape {
    /// The name it is known by, where it is not known by its address.
    pub hostname: Option<Str>,
    /// What `ipMode` says of it.
    pub ip_mode: Option<Str>,
    /// The request for it is refused, with a time to ask again, until it works.
    pub waits: Option<Duration>,
    /// Nodes see its own address as the client's.
    pub hides_client: bool,
    /// Where no node passes the health check, traffic goes to all of them.
    pub fails_open: bool,
    /// From the first request for it until it works.
    pub provisioning: Span,
    /// Between two health checks of a node.
    pub check_every: Duration,
    /// A node that has passed so many checks in a row is used again.
    pub passes: u32,
    /// A node that has failed so many checks in a row is not used.
    pub fails: u32,
}

/// The limits of a provider's disks.
#[derive(Debug)]
pub struct Disks {
    /// The kinds of disks with their smallest and largest sizes in GiB, the usual one first.
    pub kinds: &'static [(&'static str, i64, i64)],
    /// How many a machine takes.
    pub per_machine: usize,
    /// A disk can be attached only to machines of its own zone.
    pub zonal: bool,
    /// Between two requests for a larger size.
    pub grow_pause: Duration,
}

/// So many hexadecimal digits.
pub(crate) fn hex(rng: &mut Rng, digits: usize) -> String {
    let (high, low) = (rng.next_u64(), rng.next_u64());
    format!("{high:016x}{low:016x}")[..digits].to_owned()
}

/// Node addresses from types and values.
pub(crate) fn address_list<const N: usize>(list: [(&'static str, String); N]) -> Vec<NodeAddress> {
    let address = |(type_, address): (&'static str, String)| NodeAddress {
        address: address.into(),
        type_: type_.into(),
    };
    list.into_iter().map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_of_the_cheapest_type_that_is_large_enough() {
        let check = |provider: Provider, cpu: i64, gib: i64, expect: &str| {
            assert_eq!(type_for(provider.model(), cpu * 1_000, gib << 30).name, expect);
        };
        check(Provider::Aws, 4, 8, "c5.xlarge");
        check(Provider::Aws, 4, 16, "m5.xlarge");
        check(Provider::DigitalOcean, 4, 8, "s-4vcpu-8gb");
        check(Provider::Aws, 999, 8, "m5.16xlarge");
    }

    #[test]
    fn every_provider_is_found_by_its_name() {
        for (name, provider) in Provider::ALL {
            assert_eq!(Provider::parse(name), Some(*provider));
            assert_eq!(provider.name(), *name);
        }
        assert_eq!(Provider::parse("gcp"), None);
    }

    #[test]
    fn types_are_listed_by_price() {
        for (_, provider) in Provider::ALL {
            assert!(provider.model().types().is_sorted_by_key(|t| t.price_micros));
        }
    }
}
