//! Amazon Web Services: EC2 machines in three zones, Elastic Load Balancing, EBS, VPC routes.
//!
//! Models what cloud-provider-aws asks of it.
//! Known deviations:
//! - One region, on-demand prices, and nodes are called as the cluster calls them, not by their private DNS names.
//! - Load balancers are classic ones or, with the annotation `aws-load-balancer-type: nlb`, network load balancers;
//!   internal ones and TLS listeners are not told apart.
//! - Quotas of an account (machines, routes of a table) are not enforced.

use api::Map;
use api::core::v1::NodeAddress;
use base::{Duration, Rng, Str};
use client::cloud::{BalancerSpec, CloudError};

use super::{BalancerShape, Disks, MachineType, Model, Times, address_list, hex};
use crate::cloud::Machine;

/// Amazon Web Services.
#[derive(Debug)]
pub struct Aws;

const REGION: &str = "us-east-1";
const BALANCER_TYPE: &str = "service.beta.kubernetes.io/aws-load-balancer-type";

static TYPES: [MachineType; 14] = [
    MachineType::new("t3.small", 2, 2, 20_800),
    MachineType::new("t3.medium", 2, 4, 41_600),
    MachineType::new("m5.large", 2, 8, 96_000),
    MachineType::new("r5.large", 2, 16, 126_000),
    MachineType::new("c5.xlarge", 4, 8, 170_000),
    MachineType::new("m5.xlarge", 4, 16, 192_000),
    MachineType::new("r5.xlarge", 4, 32, 252_000),
    MachineType::new("c5.2xlarge", 8, 16, 340_000),
    MachineType::new("m5.2xlarge", 8, 32, 384_000),
    MachineType::new("r5.2xlarge", 8, 64, 504_000),
    MachineType::new("c5.4xlarge", 16, 32, 680_000),
    MachineType::new("m5.4xlarge", 16, 64, 768_000),
    MachineType::new("m5.8xlarge", 32, 128, 1_536_000),
    MachineType::new("m5.16xlarge", 64, 256, 3_072_000),
];

static TIMES: Times = Times {
    call: (Duration::millis(60), Duration::millis(350)),
    boot: (Duration::secs(35), Duration::secs(65)),
    halt: (Duration::secs(15), Duration::secs(40)),
    disk: (Duration::secs(1), Duration::secs(4)),
    attach: (Duration::secs(2), Duration::secs(7)),
};

/// Sizes from the documentation of EBS volume types; 28 attachments of a Nitro machine less root disk and network.
static DISKS: Disks = Disks {
    kinds: &[
        ("gp3", 1, 65_536),
        ("gp2", 1, 16_384),
        ("io1", 4, 16_384),
        ("io2", 4, 65_536),
        ("st1", 125, 16_384),
        ("sc1", 125, 16_384),
    ],
    per_machine: 26,
    zonal: true,
    grow_pause: Duration::mins(360),
};

impl Model for Aws {
    fn region(&self) -> &'static str {
        REGION
    }

    fn zones(&self) -> &'static [&'static str] {
        &["us-east-1a", "us-east-1b", "us-east-1c"]
    }

    fn types(&self) -> &'static [MachineType] {
        &TYPES
    }

    fn times(&self) -> &'static Times {
        &TIMES
    }

    fn group(&self) -> &'static str {
        "eks-workers"
    }

    fn endpoint(&self) -> &'static str {
        "https://ec2.us-east-1.amazonaws.com/"
    }

    fn machine_id(&self, rng: &mut Rng) -> String {
        format!("i-0{}", hex(rng, 16))
    }

    fn provider_id(&self, machine: &Machine) -> String {
        format!("aws:///{}/{}", machine.zone, machine.id)
    }

    fn addresses(&self, machine: &Machine) -> Vec<NodeAddress> {
        let dashes = |ip: core::net::IpAddr| ip.to_string().replace('.', "-");
        let private = format!("ip-{}.ec2.internal", dashes(machine.internal_ip));
        let public = format!("ec2-{}.compute-1.amazonaws.com", dashes(machine.external_ip));
        address_list([
            ("InternalIP", machine.internal_ip.to_string()),
            ("ExternalIP", machine.external_ip.to_string()),
            ("InternalDNS", private.clone()),
            ("Hostname", private),
            ("ExternalDNS", public),
        ])
    }

    fn labels(&self, machine: &Machine) -> Map<Str> {
        let number = self.zones().iter().position(|zone| machine.zone == *zone);
        let zone_id = number.map(|number| Str::from(format!("use1-az{}", number + 1)));
        zone_id.into_iter().map(|id| ("topology.k8s.aws/zone-id", id)).collect()
    }

    fn has_routes(&self) -> bool {
        true
    }

    fn balancer(&self, spec: &BalancerSpec, rng: &mut Rng) -> Result<BalancerShape, CloudError> {
        if spec.sticky {
            return Err(CloudError::new("unsupported load balancer affinity: ClientIP"));
        }
        if !spec.address.is_empty() {
            return Err(CloudError::new("LoadBalancerIP cannot be specified for AWS ELB"));
        }
        let network = spec.annotations.text(BALANCER_TYPE).is_some_and(|kind| kind == "nlb");
        if !network && spec.ports.iter().any(|port| port.protocol != "TCP") {
            return Err(CloudError::new("Only TCP LoadBalancer is supported for AWS ELB"));
        }
        let name = &spec.name;
        let (hostname, provisioning) = if network {
            let host = format!("{name}-{}.elb.{REGION}.amazonaws.com", hex(rng, 16));
            (host, (Duration::secs(90), Duration::secs(150)))
        } else {
            let number = rng.between(100_000_000, 2_100_000_000);
            let host = format!("{name}-{number}.{REGION}.elb.amazonaws.com");
            (host, (Duration::secs(15), Duration::secs(45)))
        };
        Ok(BalancerShape {
            hostname: Some(hostname.into()),
            ip_mode: None,
            waits: None,
            hides_client: !network,
            fails_open: network,
            provisioning,
            check_every: Duration::secs(10),
            passes: if network { 3 } else { 2 },
            fails: if network { 3 } else { 6 },
        })
    }

    fn disks(&self) -> &'static Disks {
        &DISKS
    }

    fn storage(&self) -> &'static str {
        include_str!("aws.yaml")
    }

    fn disk_id(&self, rng: &mut Rng) -> String {
        format!("vol-0{}", hex(rng, 16))
    }

    fn device(&self, _: &str, nth: usize) -> String {
        let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
        format!("/dev/xvd{}{}", letter(1 + nth / 26), letter(nth))
    }
}
