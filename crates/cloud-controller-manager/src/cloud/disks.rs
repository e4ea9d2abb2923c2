//! Disks: made, attached to one machine at a time, grown, deleted, within the provider's limits.

use base::{Duration, Instant, Str};
use client::cloud::{CloudAnswer, CloudError, CloudReply, CloudRequest, DiskFacts, DiskSpec};

use super::{Cloud, MachineState};

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What it is.
    pub facts: DiskFacts,
    /// The name under which it was asked for.
    pub name: Str,
    /// `gp3`
    pub kind: &'static str,
    /// The node to whose machine it is attached.
    pub node: Option<Str>,
    /// When its size was last changed.
    grown: Option<Instant>,
}

type Done = Result<(Duration, CloudAnswer), CloudError>;

impl Cloud {
    /// The disks, by ID.
    pub fn disks(&self) -> impl Iterator<Item = &Disk> {
        self.disks.values()
    }

    pub(super) fn disk_request(
        &mut self,
        now: Instant,
        request: CloudRequest,
    ) -> (Duration, CloudReply) {
        let done = match request {
            CloudRequest::CreateDisk(spec) => self.create_disk(&spec),
            CloudRequest::DeleteDisk(id) => self.delete_disk(&id),
            CloudRequest::AttachDisk { disk, node } => self.attach_disk(&disk, &node),
            CloudRequest::DetachDisk { disk, node } => Ok(self.detach_disk(&disk, &node)),
            CloudRequest::GrowDisk { disk, gib } => self.grow_disk(now, &disk, gib),
            _ => unreachable!("{} is not about disks", request.name()),
        };
        match done {
            Ok((after, answer)) => (after, Ok(answer)),
            Err(error) => (Duration::ZERO, Err(error)),
        }
    }

    fn create_disk(&mut self, spec: &DiskSpec) -> Done {
        if let Some(known) = self.disks.values().find(|disk| disk.name == spec.name) {
            return Ok((Duration::ZERO, CloudAnswer::Disk(Box::new(known.facts.clone()))));
        }
        let limits = self.model.disks();
        let wanted =
            |(kind, ..): &&(&'static str, i64, i64)| spec.kind.is_empty() || spec.kind == **kind;
        let Some((kind, min, max)) = limits.kinds.iter().find(wanted) else {
            return Err(CloudError::new(format!("invalid volume type {:?}", spec.kind)));
        };
        in_range(spec.gib, *min, *max)?;
        let zone = if !limits.zonal {
            Str::new()
        } else if spec.zone.is_empty() {
            self.model.zones().first().map_or_else(Str::new, |zone| (*zone).into())
        } else {
            spec.zone.clone()
        };
        let id = Str::from(self.model.disk_id(&mut self.rng));
        let facts = DiskFacts {
            id: id.clone(),
            gib: spec.gib,
            zone,
            region: self.model.region().into(),
            device: Str::new(),
        };
        let answer = CloudAnswer::Disk(Box::new(facts.clone()));
        let disk = Disk { facts, name: spec.name.clone(), kind, node: None, grown: None };
        self.disks.insert(id, disk);
        Ok((self.draw(self.model.times().disk), answer))
    }

    fn delete_disk(&mut self, id: &str) -> Done {
        if let Some(node) = self.disks.get(id).and_then(|disk| disk.node.as_ref()) {
            let text = format!("VolumeInUse: Volume {id} is currently attached to {node}");
            return Err(CloudError::new(text));
        }
        self.disks.remove(id);
        Ok((Duration::ZERO, CloudAnswer::Done))
    }

    fn attach_disk(&mut self, id: &str, node: &str) -> Done {
        let limits = self.model.disks();
        let disk = self.disks.get(id).ok_or_else(|| not_found(id))?;
        let machine = self.machines.get(node).filter(|m| m.state != MachineState::ShuttingDown);
        let Some(machine) = machine else {
            return Err(CloudError::new(format!("instance of node {node:?} not found")));
        };
        match &disk.node {
            Some(known) if known == node => {
                return Ok((Duration::ZERO, CloudAnswer::Disk(Box::new(disk.facts.clone()))));
            }
            Some(known) => {
                let text = format!("VolumeInUse: {id} is already attached to {known}");
                return Err(CloudError::new(text));
            }
            None => {}
        }
        if limits.zonal && disk.facts.zone != machine.zone {
            let text = format!(
                "InvalidVolume.ZoneMismatch: The volume {id:?} is not in the same availability zone as instance {:?}",
                machine.id
            );
            return Err(CloudError::new(text));
        }
        let attached = self.disks.values().filter(|disk| disk.node.as_deref() == Some(node));
        let count = attached.count();
        if count >= limits.per_machine {
            let text = format!("too many volumes are attached to {node}: {count}");
            return Err(CloudError::new(text));
        }
        let device = self.free_device(id, node);
        let disk = self.disks.get_mut(id).expect("it was just found");
        disk.node = Some(node.into());
        disk.facts.device = device;
        let facts = Box::new(disk.facts.clone());
        Ok((self.draw(self.model.times().attach), CloudAnswer::Disk(facts)))
    }

    /// The first device of a machine that no disk has.
    fn free_device(&self, id: &str, node: &str) -> Str {
        let name = &self.disks[id].name;
        let used = |device: &str| {
            let mut here = self.disks.values().filter(|disk| disk.node.as_deref() == Some(node));
            here.any(|disk| disk.facts.device == device)
        };
        let devices = (0..=self.model.disks().per_machine).map(|n| self.model.device(name, n));
        devices.map(Str::from).find(|device| !used(device)).unwrap_or_default()
    }

    fn detach_disk(&mut self, id: &str, node: &str) -> (Duration, CloudAnswer) {
        let there = self.disks.get_mut(id).filter(|disk| disk.node.as_deref() == Some(node));
        let Some(disk) = there else { return (Duration::ZERO, CloudAnswer::Done) };
        disk.node = None;
        disk.facts.device = Str::new();
        (self.draw(self.model.times().attach), CloudAnswer::Done)
    }

    fn grow_disk(&mut self, now: Instant, id: &str, gib: i64) -> Done {
        let limits = self.model.disks();
        let disk = self.disks.get_mut(id).ok_or_else(|| not_found(id))?;
        if gib <= disk.facts.gib {
            return Ok((Duration::ZERO, CloudAnswer::Disk(Box::new(disk.facts.clone()))));
        }
        if let Some((_, min, max)) = limits.kinds.iter().find(|(kind, ..)| *kind == disk.kind) {
            in_range(gib, *min, *max)?;
        }
        if disk.grown.is_some_and(|at| at + limits.grow_pause > now) {
            return Err(CloudError::new(
                "VolumeModificationRateExceeded: You've reached the maximum modification rate per volume limit",
            ));
        }
        disk.grown = Some(now);
        disk.facts.gib = gib;
        let facts = Box::new(disk.facts.clone());
        Ok((self.draw(self.model.times().disk), CloudAnswer::Disk(facts)))
    }

    /// A machine is gone, and leaves its disks behind.
    pub(super) fn release_disks(&mut self, node: &str) {
        for disk in self.disks.values_mut().filter(|disk| disk.node.as_deref() == Some(node)) {
            disk.node = None;
            disk.facts.device = Str::new();
        }
    }
}

fn in_range(gib: i64, min: i64, max: i64) -> Result<(), CloudError> {
    if gib < min || gib > max {
        let text = format!("volume size {gib} GiB is not between {min} GiB and {max} GiB");
        return Err(CloudError::new(text));
    }
    Ok(())
}

fn not_found(id: &str) -> CloudError {
    CloudError::new(format!("InvalidVolume.NotFound: The volume '{id}' does not exist."))
}
