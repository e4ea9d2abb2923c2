//! The machine of a node: everything that is there while its kubelet is not.

use std::sync::Arc;

use base::{BTreeMap, BTreeSet, HashMap, Instant, Rng, Str};
use network::{Call, Cidr, IpAddr, Payload, PodPool, Protocol, Reply, Trace};

use super::container::{Container, Exec, ExecTurn, Host, Sandbox, Slot};
use super::files::{Mount, Volume};
use super::image::Catalogue;
use super::program::Program;
use super::server::Server;
use super::shell::vm::Env;

/// A pod took or gave back an address of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteChange {
    /// The address.
    pub ip: IpAddr,
    /// The pod that has it now, by namespace and name; `None` if it is free.
    pub pod: Option<(Str, Str)>,
}

/// An image on the node.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// With its digest.
    pub id: Str,
    /// Bytes.
    pub size: i64,
}

/// Sandboxes, containers, images and addresses of a node.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What images do.
    pub catalogue: Arc<Catalogue>,
    /// Images on the node by full name.
    pub images: BTreeMap<Str, Stored>,
    pods: BTreeMap<Str, Sandbox>,
    by_ip: HashMap<IpAddr, Str>,
    host_pods: BTreeSet<Str>,
    /// What lies on the node itself: directories of the host and local ends of claims.
    disks: BTreeMap<Str, Arc<Volume>>,
    timers: BTreeSet<(Instant, Str, usize)>,
    pool: Option<PodPool>,
    calls: HashMap<u64, (Str, usize, Str)>,
    next_call: u64,
    /// Calls to be made.
    pub outgoing: Vec<(u64, Call)>,
    /// Pods in which a container has ended since this was last emptied.
    pub ended: Vec<(Str, Instant)>,
    changes: Vec<SiteChange>,
    rng: Rng,
    node_ip: IpAddr,
    shared: Shared,
}

/// What equal containers of the node hold in common.
#[derive(Clone, Debug, Default)]
struct Shared {
    servers: Vec<Arc<Server>>,
    envs: Vec<Arc<Env>>,
    mounts: Vec<Arc<Vec<Mount>>>,
    volumes: Vec<Arc<Volume>>,
}

/// So many different values of each sort are kept to be shared.
const SHARED_MAX: usize = 16;

/// The value, or one like it that is there already.
fn share<T: PartialEq>(known: &mut Vec<Arc<T>>, value: Arc<T>) -> Arc<T> {
    if let Some(known) = known.iter().find(|known| **known == value) {
        return known.clone();
    }
    if known.len() >= SHARED_MAX {
        known.remove(0);
    }
    known.push(value.clone());
    value
}

impl Machine {
    /// A machine that has just been switched on.
    pub fn new(catalogue: Arc<Catalogue>, node_ip: IpAddr, rng: Rng) -> Machine {
        Machine {
            catalogue,
            images: BTreeMap::new(),
            pods: BTreeMap::new(),
            by_ip: HashMap::default(),
            host_pods: BTreeSet::new(),
            disks: BTreeMap::new(),
            timers: BTreeSet::new(),
            pool: None,
            calls: HashMap::default(),
            next_call: 1,
            outgoing: Vec::new(),
            ended: Vec::new(),
            changes: Vec::new(),
            rng,
            node_ip,
            shared: Shared::default(),
        }
    }

    /// Whether pods can get addresses.
    pub fn has_network(&self) -> bool {
        self.pool.is_some()
    }

    /// Gives the node its block of pod addresses. Ignored if it has one.
    pub fn set_block(&mut self, block: Cidr) {
        if self.pool.is_none() {
            self.pool = Some(PodPool::new(block));
        }
    }

    /// A pod's sandbox.
    pub fn pod(&self, uid: &str) -> Option<&Sandbox> {
        self.pods.get(uid)
    }

    /// A pod's sandbox, to change it.
    pub fn pod_mut(&mut self, uid: &str) -> Option<&mut Sandbox> {
        self.pods.get_mut(uid)
    }

    /// All sandboxes by pod uid.
    pub fn pods(&self) -> impl Iterator<Item = (&Str, &Sandbox)> {
        self.pods.iter()
    }

    /// The pod at an address.
    pub fn uid_at(&self, ip: IpAddr) -> Option<&Str> {
        self.by_ip.get(&ip)
    }

    /// A container that exists, running or not.
    pub fn container(&self, uid: &str, index: usize) -> Option<&Container> {
        self.pods.get(uid)?.slots.get(index)?.current.as_deref()
    }

    /// Address changes since this was last asked.
    pub fn take_changes(&mut self) -> Vec<SiteChange> {
        std::mem::take(&mut self.changes)
    }

    /// Makes a sandbox, or a new one for a pod whose first was stopped. False without an address.
    pub fn create_sandbox(&mut self, uid: &Str, mut sandbox: Sandbox, now: Instant) -> bool {
        if sandbox.host_network {
            sandbox.ip = Some(self.node_ip);
            self.host_pods.insert(uid.clone());
        } else {
            let Some(ip) = self.pool.as_mut().and_then(|pool| pool.allocate(now)) else {
                return false;
            };
            sandbox.ip = Some(ip);
            self.by_ip.insert(ip, uid.clone());
            let pod = Some((sandbox.namespace.clone(), sandbox.name.clone()));
            self.changes.push(SiteChange { ip, pod });
        }
        for (disk, volume) in sandbox.disks.iter().zip(&mut sandbox.volumes) {
            if let Some(kept) = self.disks.get(disk).filter(|_| !disk.is_empty()) {
                volume.clone_from(kept);
            }
        }
        for volume in &mut sandbox.volumes {
            *volume = share(&mut self.shared.volumes, volume.clone());
        }
        sandbox.ready = true;
        sandbox.created = now;
        if let Some(old) = self.pods.remove(uid) {
            sandbox.slots = old.slots;
            sandbox.volumes = old.volumes;
            sandbox.attempt = old.attempt + 1;
        }
        self.pods.insert(uid.clone(), sandbox);
        true
    }

    /// Stops a sandbox: its address is free again; what is left of its containers stays.
    pub fn stop_sandbox(&mut self, uid: &str, now: Instant) {
        let Some(sandbox) = self.pods.get_mut(uid) else { return };
        if !sandbox.ready {
            return;
        }
        sandbox.ready = false;
        for (disk, volume) in sandbox.disks.iter().zip(&sandbox.volumes) {
            if !disk.is_empty() {
                self.disks.insert(disk.clone(), volume.clone());
            }
        }
        self.host_pods.remove(uid);
        if let Some(ip) = sandbox.ip.take()
            && !sandbox.host_network
        {
            self.by_ip.remove(&ip);
            self.changes.push(SiteChange { ip, pod: None });
            if let Some(pool) = &mut self.pool {
                pool.release(ip, now);
            }
        }
    }

    /// Removes a pod with all that is left of it.
    pub fn remove_pod(&mut self, uid: &str, now: Instant) {
        self.stop_sandbox(uid, now);
        let Some(sandbox) = self.pods.remove(uid) else { return };
        for (index, slot) in sandbox.slots.iter().enumerate() {
            if let Some(at) = slot.current.as_ref().and_then(|c| c.wake) {
                self.timers.remove(&(at, uid.into(), index));
            }
        }
    }

    /// Starts a container; the instance before becomes the previous one.
    pub fn start(
        &mut self,
        uid: &Str,
        index: usize,
        mut container: Container,
        program: &Program,
        now: Instant,
    ) {
        container.id = format!("containerd://{}", self.hex()).into();
        container.env = share(&mut self.shared.envs, container.env);
        container.mounts = share(&mut self.shared.mounts, container.mounts);
        if let Some((name, stored)) = self.images.get_key_value(&container.image) {
            container.image = name.clone();
            container.image_id = stored.id.clone();
        }
        let program = match program {
            Program::Server(server) => {
                Program::Server(share(&mut self.shared.servers, server.clone()))
            }
            other => other.clone(),
        };
        self.shelve(uid, index);
        self.with(uid, index, now, Some(container), |container, host| {
            container.begin(&program, host);
        });
    }

    /// Records a container that could not be started.
    pub fn start_failed(
        &mut self,
        uid: &Str,
        index: usize,
        mut container: Container,
        why: &str,
        now: Instant,
    ) {
        container.id = format!("containerd://{}", self.hex()).into();
        container.end(now, 128, "StartError");
        if let Some(exit) = &mut container.exit {
            exit.message = why.into();
        }
        self.shelve(uid, index);
        self.with(uid, index, now, Some(container), |_, _| ());
    }

    fn shelve(&mut self, uid: &str, index: usize) {
        let Some(sandbox) = self.pods.get_mut(uid) else { return };
        if sandbox.slots.len() <= index {
            sandbox.slots.resize_with(index + 1, Slot::default);
        }
        let slot = &mut sandbox.slots[index];
        if let Some(old) = slot.current.take()
            && let Some(exit) = old.exit
        {
            let past =
                super::container::Past { id: old.id, started: old.started, exit, log: old.log };
            slot.previous = Some(Box::new(past));
        }
    }

    /// Sends the termination signal.
    pub fn terminate(&mut self, uid: &Str, index: usize, now: Instant) {
        self.with(uid, index, now, None, Container::terminate);
    }

    /// Ends a container at once: 137 for a kill.
    pub fn kill(&mut self, uid: &Str, index: usize, now: Instant, code: i32, reason: &'static str) {
        self.with(uid, index, now, None, |container, _| container.end(now, code, reason));
    }

    /// Lets a command run on in a container. Without one, or where it has ended, there is nothing.
    pub fn exec(
        &mut self,
        uid: &Str,
        index: usize,
        exec: &mut Exec,
        answer: Option<(u64, &Trace)>,
        now: Instant,
    ) -> Option<ExecTurn> {
        self.with(uid, index, now, None, |container, host| {
            container.running().then(|| container.exec(exec, answer, host))
        })?
    }

    /// Changes the server that a container runs: a fault.
    pub fn alter(&mut self, uid: &str, index: usize, change: impl FnOnce(&mut Server)) -> bool {
        let slot = self.pods.get_mut(uid).and_then(|pod| pod.slots.get_mut(index));
        let server = slot.and_then(|slot| slot.current.as_mut()?.server_mut());
        server.map(change).is_some()
    }

    /// What the process that listens at an address and port does with a request.
    pub fn answer(
        &mut self,
        ip: IpAddr,
        port: u16,
        protocol: Protocol,
        client: IpAddr,
        payload: &Payload,
        now: Instant,
    ) -> Reply {
        let uids: Vec<Str> = match self.by_ip.get(&ip) {
            Some(uid) => vec![uid.clone()],
            None if ip == self.node_ip || ip.is_loopback() => {
                self.host_pods.iter().cloned().collect()
            }
            None => return Reply::Lost,
        };
        for uid in uids {
            let count = self.pods.get(&uid).map_or(0, |pod| pod.slots.len());
            for index in 0..count {
                let reply = self.with(&uid, index, now, None, |container, host| {
                    container.answer(port, protocol, client, payload, host)
                });
                if let Some(Some(reply)) = reply {
                    return reply;
                }
            }
        }
        Reply::NotListening
    }

    /// When a process wants to be run next.
    pub fn next_wake(&self) -> Option<Instant> {
        self.timers.first().map(|(at, ..)| *at)
    }

    /// Runs every process that asked to be run by now, each at its own moment.
    pub fn advance(&mut self, now: Instant) {
        while let Some((at, ..)) = self.timers.first()
            && *at <= now
        {
            let (at, uid, index) = self.timers.pop_first().expect("it was there");
            self.with(&uid, index, at, None, Container::run);
        }
    }

    /// The result of a call of some process. False if it is not one of ours.
    pub fn called(&mut self, id: u64, trace: &Trace, now: Instant) -> bool {
        let Some((uid, index, container)) = self.calls.remove(&id) else { return false };
        if self.container(&uid, index).is_some_and(|c| c.id == container) {
            self.with(&uid, index, now, None, |container, host| container.called(id, trace, host));
        }
        true
    }

    /// Takes a number for a call that the kubelet itself makes.
    pub fn call_number(&mut self) -> u64 {
        self.next_call += 1;
        self.next_call - 1
    }

    /// The power is back. What ran when it went is found ended now, as nobody knows when it did.
    pub fn power_on(&mut self, now: Instant) {
        let slots = self.pods.values_mut().flat_map(|pod| &mut pod.slots);
        for container in slots.filter_map(|slot| slot.current.as_mut()) {
            if let Some(exit) = &mut container.exit
                && exit.reason == "Unknown"
            {
                exit.at = now;
            }
        }
    }

    /// The power goes: all that runs is gone, the images stay.
    pub fn power_off(&mut self, now: Instant) {
        let uids: Vec<Str> = self.pods.keys().cloned().collect();
        for uid in uids {
            let count = self.pods.get(&uid).map_or(0, |pod| pod.slots.len());
            for index in 0..count {
                self.kill(&uid, index, now, 255, "Unknown");
            }
            self.stop_sandbox(&uid, now);
        }
        self.timers.clear();
        self.calls.clear();
        self.outgoing.clear();
        self.ended.clear();
    }

    /// Gives a container what it needs to run, and keeps timers, calls and endings in step.
    fn with<R>(
        &mut self,
        uid: &Str,
        index: usize,
        now: Instant,
        new: Option<Container>,
        act: impl FnOnce(&mut Container, &mut Host<'_>) -> R,
    ) -> Option<R> {
        let sandbox = self.pods.get_mut(uid)?;
        let slot = sandbox.slots.get_mut(index)?;
        if let Some(new) = new {
            slot.current = Some(Box::new(new));
        }
        let container = slot.current.as_mut()?;
        let (before, ran) = (container.wake, container.exit.is_none());
        let first_call = self.next_call;
        let mut host = Host {
            now,
            rng: &mut self.rng,
            volumes: &mut sandbox.volumes,
            hostname: &sandbox.hostname,
            ip: sandbox.ip,
            calls: &mut self.outgoing,
            next_call: &mut self.next_call,
        };
        let result = act(container, &mut host);
        if before != container.wake
            && let Some(at) = before
        {
            self.timers.remove(&(at, uid.clone(), index));
        }
        if let Some(at) = container.wake {
            self.timers.insert((at, uid.clone(), index));
        }
        for (id, _) in self.outgoing.iter().rev().take_while(|(id, _)| *id >= first_call) {
            self.calls.insert(*id, (uid.clone(), index, container.id.clone()));
        }
        if ran && container.exit.is_some() {
            self.ended.push((uid.clone(), now));
        }
        Some(result)
    }

    fn hex(&mut self) -> String {
        (0..4).map(|_| format!("{:016x}", self.rng.next_u64())).collect()
    }
}
