//! The node seen from the network: who has which address and what it answers; and faults.

use api::object::Key;
use base::{Instant, Str};
use network::{IpAddr, Payload, Place, Reply};

use crate::kubelet::Kubelet;
use crate::runtime::{Server, SiteChange};

impl Kubelet {
    /// What the process at a place of this node does with a request from `client`.
    pub fn answer(
        &mut self,
        now: Instant,
        place: &Place,
        client: IpAddr,
        payload: &Payload,
    ) -> Reply {
        self.machine.advance(now);
        self.machine.answer(place.at.ip(), place.at.port(), place.protocol, client, payload, now)
    }

    /// Pods with an address of their own or the node's: namespace, name and address.
    pub fn pods(&self) -> impl Iterator<Item = (&Str, &Str, IpAddr)> {
        let placed = self.machine.pods().filter(|(_, pod)| pod.ready);
        placed.filter_map(|(_, pod)| Some((&pod.namespace, &pod.name, pod.ip?)))
    }

    /// Pod addresses that were taken or given back since this was last asked.
    pub fn take_site_changes(&mut self) -> Vec<SiteChange> {
        self.machine.take_changes()
    }

    /// Ends a container with a code: a fault. False if it does not run.
    pub fn crash(
        &mut self,
        now: Instant,
        namespace: &str,
        pod: &str,
        container: &str,
        code: i32,
    ) -> bool {
        self.end(now, namespace, pod, container, code, "")
    }

    /// Ends a container for want of memory: a fault. False if it does not run.
    pub fn oom(&mut self, now: Instant, namespace: &str, pod: &str, container: &str) -> bool {
        self.end(now, namespace, pod, container, 137, "OOMKilled")
    }

    /// Changes the server that a container runs: it hangs, fails or is slow. False if it runs none.
    pub fn alter(
        &mut self,
        now: Instant,
        namespace: &str,
        pod: &str,
        container: &str,
        change: impl FnOnce(&mut Server),
    ) -> bool {
        self.now = self.now.max(now);
        let Some((uid, index)) = self.find(namespace, pod, container) else { return false };
        let altered = self.machine.alter(&uid, index, change);
        if altered {
            self.wake_probes(&uid);
        }
        altered
    }

    fn end(
        &mut self,
        now: Instant,
        namespace: &str,
        pod: &str,
        container: &str,
        code: i32,
        reason: &'static str,
    ) -> bool {
        self.now = self.now.max(now);
        let Some((uid, index)) = self.find(namespace, pod, container) else { return false };
        let runs = self.machine.container(&uid, index).is_some_and(|c| c.running());
        self.machine.kill(&uid, index, now, code, reason);
        while let Some((uid, at)) = self.machine.ended.pop() {
            self.container_ended(&uid, at);
        }
        runs
    }

    fn find(&self, namespace: &str, pod: &str, container: &str) -> Option<(Str, usize)> {
        let uid = self.agent.uids.get(&Key::new(namespace, pod))?;
        let worker = self.agent.workers.get(uid)?;
        let index = match container {
            "" => worker.inits(),
            name => worker.index_of(name)?,
        };
        Some((uid.clone(), index))
    }
}
