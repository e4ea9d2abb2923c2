//! No provider: machines that stand in somebody's own rack, and nobody to ask for more.

use api::core::v1::NodeAddress;
use base::{Duration, Rng};
use client::cloud::{BalancerSpec, CloudError};

use super::{BalancerShape, Disks, MachineType, Model, Times, address_list};
use crate::cloud::Machine;

/// No provider.
#[derive(Debug)]
pub struct None;

/// The machine that is there.
pub static ANY: MachineType = MachineType::new("", 4, 8, 0);

static TIMES: Times = Times {
    call: (Duration::ZERO, Duration::ZERO),
    boot: (Duration::secs(30), Duration::secs(60)),
    halt: (Duration::secs(2), Duration::secs(5)),
    disk: (Duration::ZERO, Duration::ZERO),
    attach: (Duration::ZERO, Duration::ZERO),
};

static DISKS: Disks =
    Disks { kinds: &[], per_machine: 0, zonal: false, grow_pause: Duration::ZERO };

impl Model for None {
    fn region(&self) -> &'static str {
        ""
    }

    fn zones(&self) -> &'static [&'static str] {
        &[]
    }

    fn types(&self) -> &'static [MachineType] {
        &[]
    }

    fn times(&self) -> &'static Times {
        &TIMES
    }

    fn group(&self) -> &'static str {
        ""
    }

    fn endpoint(&self) -> &'static str {
        ""
    }

    fn machine_id(&self, _: &mut Rng) -> String {
        String::new()
    }

    fn provider_id(&self, _: &Machine) -> String {
        String::new()
    }

    fn addresses(&self, machine: &Machine) -> Vec<NodeAddress> {
        address_list([
            ("InternalIP", machine.internal_ip.to_string()),
            ("Hostname", machine.name.to_string()),
        ])
    }

    fn has_routes(&self) -> bool {
        false
    }

    fn balancer(&self, _: &BalancerSpec, _: &mut Rng) -> Result<BalancerShape, CloudError> {
        Err(CloudError::new("the cloud provider does not support external load balancers"))
    }

    fn disks(&self) -> &'static Disks {
        &DISKS
    }

    fn disk_id(&self, _: &mut Rng) -> String {
        String::new()
    }

    fn device(&self, _: &str, _: usize) -> String {
        String::new()
    }
}
