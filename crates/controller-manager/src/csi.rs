//! Modelled CSI drivers: what the helpers of an installed driver do, that is provisioner, attacher, resizer and registrar.
//!
//! A CSIDriver object stands for a driver whose pods run. Annotations of it say what the driver can do:
//! [`TOPOLOGY`] and [`VOLUMES_MAX`].
//!
//! Known deviations:
//! - They run in the controller manager, not in pods of their own, and nothing that they do fails by chance.
//! - Their work takes a fixed time, save for disks of a cloud, about which the cloud is asked.

use api::storage::v1::CSIDriver;
use base::{Duration, Str};
use client::Cx;

pub mod attacher;
pub mod provisioner;
pub mod registrar;
pub mod resizer;

/// The annotation that names the node labels, parted by commas, within which the driver's volumes can be used.
pub const TOPOLOGY: &str = "csi.orrery.dev/topology-keys";
/// The annotation that says how many volumes of the driver a node can attach.
pub const VOLUMES_MAX: &str = "csi.orrery.dev/volumes-per-node";

/// Making or removing a volume, or making it larger, takes so long.
const TAKES: Duration = Duration::secs(2);
/// Attaching or detaching one takes so long.
const ATTACHING: Duration = Duration::secs(1);

/// Drivers whose volumes are disks of a cloud: what they do takes as long as the cloud takes, and may fail there.
const OF_CLOUDS: [&str; 2] = ["ebs.csi.aws.com", "dobs.csi.digitalocean.com"];

/// An installed driver.
#[derive(Clone, Copy)]
pub struct Driver<'a> {
    object: &'a CSIDriver,
}

impl<'a> Driver<'a> {
    /// The driver of this name, if it is installed.
    pub fn named(cx: &Cx<'a>, name: &str) -> Option<Driver<'a>> {
        Driver::of(cx.all::<CSIDriver>().named("", name)?)
    }

    /// All installed drivers, by name.
    pub fn all(cx: &Cx<'a>) -> impl Iterator<Item = Driver<'a>> {
        cx.all::<CSIDriver>().all().filter_map(Driver::of)
    }

    fn of(object: &'a CSIDriver) -> Option<Driver<'a>> {
        object.metadata.deletion_timestamp.is_none().then_some(Driver { object })
    }

    /// Whether its volumes are disks of a cloud.
    pub fn is_of_cloud(&self) -> bool {
        OF_CLOUDS.contains(&&*self.object.metadata.name)
    }

    /// Its name.
    pub fn name(&self) -> &'a Str {
        &self.object.metadata.name
    }

    /// The node labels within which its volumes can be used.
    pub fn topology(&self) -> impl Iterator<Item = &'a str> {
        let keys = self.object.metadata.annotations.text(TOPOLOGY).unwrap_or("");
        keys.split(',').map(str::trim).filter(|key| !key.is_empty())
    }

    /// How many of its volumes a node can attach.
    pub fn volumes_max(&self) -> Option<i32> {
        self.object.metadata.annotations.text(VOLUMES_MAX)?.trim().parse().ok()
    }
}
