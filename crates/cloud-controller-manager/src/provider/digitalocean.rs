//! DigitalOcean: Droplets in one region without zones, load balancers known by address, block storage.
//!
//! Models what digitalocean-cloud-controller-manager asks of it.
//! Known deviations:
//! - One region; limits of an account are not enforced.
//! - Load balancers are regional ones, and forward TCP and UDP only.

use api::core::v1::NodeAddress;
use base::{Duration, Rng, Str, lit};
use client::cloud::{BalancerSpec, CloudError};

use super::{BalancerShape, Disks, MachineType, Model, Times, address_list};
use crate::cloud::Machine;

/// DigitalOcean.
#[derive(Debug)]
pub struct DigitalOcean;

const PROXY_PROTOCOL: &str = "service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol";
const HOSTNAME: &str = "service.beta.kubernetes.io/do-loadbalancer-hostname";

static TYPES: [MachineType; 13] = [
    MachineType::new("s-1vcpu-2gb", 1, 2, 17_860),
    MachineType::new("s-2vcpu-2gb", 2, 2, 26_790),
    MachineType::new("s-2vcpu-4gb", 2, 4, 35_710),
    MachineType::new("s-4vcpu-8gb", 4, 8, 71_430),
    MachineType::new("g-2vcpu-8gb", 2, 8, 93_750),
    MachineType::new("c-4", 4, 8, 125_000),
    MachineType::new("s-8vcpu-16gb", 8, 16, 142_860),
    MachineType::new("g-4vcpu-16gb", 4, 16, 187_500),
    MachineType::new("m-4vcpu-32gb", 4, 32, 250_000),
    MachineType::new("g-8vcpu-32gb", 8, 32, 375_000),
    MachineType::new("m-8vcpu-64gb", 8, 64, 500_000),
    MachineType::new("g-16vcpu-64gb", 16, 64, 750_000),
    MachineType::new("g-32vcpu-128gb", 32, 128, 1_500_000),
];

static TIMES: Times = Times {
    call: (Duration::millis(120), Duration::millis(600)),
    boot: (Duration::secs(50), Duration::secs(90)),
    halt: (Duration::secs(5), Duration::secs(20)),
    disk: (Duration::secs(1), Duration::secs(5)),
    attach: (Duration::secs(3), Duration::secs(9)),
};

static DISKS: Disks =
    Disks { kinds: &[("pd", 1, 16_384)], per_machine: 7, zonal: false, grow_pause: Duration::ZERO };

impl Model for DigitalOcean {
    fn region(&self) -> &'static str {
        "nyc3"
    }

    fn zones(&self) -> &'static [&'static str] {
        &[]
    }

    fn types(&self) -> &'static [MachineType] {
        &TYPES
    }

    fn times(&self) -> &'static Times {
        &TIMES
    }

    fn group(&self) -> &'static str {
        "pool-workers"
    }

    fn endpoint(&self) -> &'static str {
        "https://api.digitalocean.com/v2/"
    }

    fn machine_id(&self, rng: &mut Rng) -> String {
        rng.between(400_000_000, 599_999_999).to_string()
    }

    fn provider_id(&self, machine: &Machine) -> String {
        format!("digitalocean://{}", machine.id)
    }

    fn addresses(&self, machine: &Machine) -> Vec<NodeAddress> {
        address_list([
            ("Hostname", machine.name.to_string()),
            ("InternalIP", machine.internal_ip.to_string()),
            ("ExternalIP", machine.external_ip.to_string()),
        ])
    }

    fn has_routes(&self) -> bool {
        false
    }

    fn balancer(&self, spec: &BalancerSpec, _: &mut Rng) -> Result<BalancerShape, CloudError> {
        let other = |protocol: &Str| !matches!(protocol.as_str(), "TCP" | "UDP");
        if let Some(port) = spec.ports.iter().find(|port| other(&port.protocol)) {
            let text = format!("only TCP or UDP protocol is supported, got: {:?}", port.protocol);
            return Err(CloudError::new(text));
        }
        let says_true = |key: &str| spec.annotations.text(key) == Some("true");
        let hostname = spec.annotations.text(HOSTNAME).filter(|name| !name.is_empty());
        let mode = if says_true(PROXY_PROTOCOL) { lit!("Proxy") } else { lit!("VIP") };
        Ok(BalancerShape {
            ip_mode: hostname.is_none().then_some(mode),
            hostname: hostname.map(Str::from),
            waits: Some(Duration::secs(15)),
            hides_client: true,
            fails_open: false,
            provisioning: (Duration::secs(60), Duration::secs(110)),
            check_every: Duration::secs(3),
            passes: 5,
            fails: 3,
        })
    }

    fn disks(&self) -> &'static Disks {
        &DISKS
    }

    fn storage(&self) -> &'static str {
        include_str!("digitalocean.yaml")
    }

    fn disk_id(&self, rng: &mut Rng) -> String {
        rng.uuid()
    }

    fn device(&self, disk_name: &str, _: usize) -> String {
        format!("/dev/disk/by-id/scsi-0DO_Volume_{disk_name}")
    }
}
