//! One sync of a pod: decide its status, then bring the runtime a step closer to the spec.
//!
//! Stands for `SyncPod` of the kubelet and of its generic runtime manager. What a sync changed in the runtime is
//! looked at on demand, as is the default since v1.36 (`PLEGOnDemandRelist`); what containers do by themselves is
//! seen with the next look at all of them, once a second.
//!
//! Known deviations:
//! - There is no periodic sync of a pod in which nothing has changed.

use base::{Duration, Str};
use network::ResolvConf;

use crate::attach;
use crate::env::{self, Source};
use crate::kubelet::Kubelet;
use crate::runtime::container::Sandbox;
use crate::timers::Timer;
use crate::volumes;
use crate::worker::{Job, Stage, restarts};

/// What a pod needs next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Actions {
    /// A new sandbox.
    pub sandbox: bool,
    /// These containers killed and started again.
    pub kill: Vec<usize>,
    /// These containers started, in order.
    pub start: Vec<usize>,
}

impl Kubelet {
    /// Brings a pod a step further. Its worker must not be busy.
    pub(crate) fn sync(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if worker.stage != Stage::Syncing || worker.job != Job::Idle {
            worker.again |= worker.job != Job::Idle;
            return;
        }
        worker.again = false;
        worker.planned = None;
        worker.errors = false;
        worker.acted = false;
        self.observe_units(uid);
        let phase = self.decide_status(uid);
        if matches!(phase, "Succeeded" | "Failed") {
            return self.terminate(uid);
        }
        let host_network = self.agent.workers[uid].pod.spec.host_network;
        if !self.machine.has_network() && !host_network {
            let why = "network is not ready: container runtime network not ready: NetworkReady=false \
                       reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin \
                       not initialized";
            self.pod_event(uid, None, "Warning", "NetworkNotReady", why);
            let again = self.tick_after(self.now + Duration::secs(1));
            return self.plan_sync(uid, again);
        }
        let steady = self.agent.workers[uid].mounted.is_some() && !self.needs_starts(uid);
        if steady {
            return self.act(uid);
        }
        self.set_job(uid, Job::Fetching, None);
        let pod = self.agent.workers[uid].pod.clone();
        let mut names = env::references(&pod);
        names.extend(volumes::references(&pod));
        names.extend(attach::deeper(&pod, &self.agent.refs));
        if self.fetch(uid, names) {
            self.fetched(uid);
        }
    }

    fn needs_starts(&self, uid: &Str) -> bool {
        let actions = self.actions(uid);
        actions.sandbox || !actions.start.is_empty()
    }

    /// Everything the pod refers to has been read.
    pub(crate) fn fetched(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        if worker.stage != Stage::Syncing || !matches!(worker.job, Job::Fetching) {
            return self.refresh(uid);
        }
        if worker.mounted.is_some() {
            return self.act(uid);
        }
        let mut deeper = attach::deeper(&worker.pod, &self.agent.refs);
        deeper.retain(|name| self.agent.refs.get(name).is_none());
        if self.fetch(uid, deeper) {
            self.mount(uid);
        }
    }

    fn mount(&mut self, uid: &Str) {
        let unattached = self.unattached(uid);
        if !unattached.is_empty() {
            self.use_changed(uid);
            return self.mount_failed(uid, &unattached, &unattached);
        }
        let made = volumes::contents(&self.source(uid));
        match made {
            Ok((volumes, disks)) => {
                let now = self.now;
                let Some(worker) = self.agent.workers.get_mut(uid) else { return };
                worker.mounted = Some(now);
                worker.mounting = None;
                self.plan_refresh(uid);
                if let Some(pod) = self.machine.pod_mut(uid) {
                    // Taken over from an earlier life of this process.
                    if pod.volumes.is_empty() {
                        (pod.volumes, pod.disks) = (volumes, disks);
                    }
                    return self.act(uid);
                }
                self.act_with(uid, Some((volumes, disks)));
            }
            Err(failed) => {
                for (name, why) in &failed {
                    let text = format!("MountVolume.SetUp failed for volume \"{name}\" : {why}");
                    self.pod_event(uid, None, "Warning", "FailedMount", text);
                }
                let names: Vec<Str> = failed.into_iter().map(|(name, _)| name).collect();
                self.mount_failed(uid, &names, &[]);
            }
        }
    }

    /// Tries again later; a pod that has waited for too long says so.
    fn mount_failed(&mut self, uid: &Str, unmounted: &[Str], unattached: &[Str]) {
        let list = |names: &[Str]| names.iter().map(Str::as_str).collect::<Vec<_>>().join(" ");
        let (names, unattached) = (list(unmounted), list(unattached));
        let now = self.now;
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        let (since, wait) = worker.mounting.unwrap_or((now, Duration::millis(500)));
        worker.mounting = Some((since, Duration((wait.0 * 2).min(Duration::secs(122).0))));
        if now.since(since) >= Duration::secs(123) {
            worker.mounting = Some((now, worker.mounting.map_or(wait, |(_, wait)| wait)));
            let text = format!(
                "Unable to attach or mount volumes: unmounted volumes=[{names}], unattached volumes=[{unattached}], \
                 failed to process volumes=[]: context deadline exceeded"
            );
            self.pod_event(uid, None, "Warning", "FailedMount", text);
        }
        self.set_job(uid, Job::Mounting, Some(wait));
    }

    /// What downward references of a pod look up.
    pub(crate) fn source(&self, uid: &Str) -> Source<'_> {
        let worker = &self.agent.workers[uid];
        let sandbox = self.machine.pod(uid);
        let ip = sandbox.and_then(|pod| pod.ip).map(|ip| ip.to_string());
        Source {
            pod: &worker.pod,
            refs: &self.agent.refs,
            pod_ip: ip.unwrap_or_default().into(),
            host_ip: self.config.internal_ip.to_string().into(),
            allocatable: self.config.allocatable(),
        }
    }

    /// The host name that a pod's processes see.
    fn hostname<'a>(&'a self, pod: &'a api::core::v1::Pod) -> &'a str {
        if let Some(name) = &pod.spec.hostname_override {
            return name;
        }
        match pod.spec.hostname.as_str() {
            _ if pod.spec.host_network => &self.config.name,
            "" => &pod.metadata.name[..pod.metadata.name.len().min(63)],
            name => name,
        }
    }

    fn act(&mut self, uid: &Str) {
        self.act_with(uid, None);
    }

    /// Carries out what the pod needs next.
    fn act_with(&mut self, uid: &Str, new: Option<volumes::Contents>) {
        let actions = self.actions(uid);
        for index in &actions.kill {
            self.restart_unhealthy(uid, *index);
        }
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.queue = actions.start.into();
        if !actions.sandbox {
            return self.start_next(uid);
        }
        let pod = worker.pod.clone();
        // A new sandbox takes over the volumes of the old one.
        let (volumes, disks) = new.unwrap_or_default();
        let sandbox = Sandbox {
            namespace: pod.metadata.namespace.clone(),
            name: pod.metadata.name.clone(),
            hostname: self.hostname(&pod).into(),
            ip: None,
            host_network: pod.spec.host_network,
            ready: false,
            created: self.now,
            attempt: 0,
            volumes,
            disks,
            slots: vec![
                Default::default();
                pod.spec.init_containers.len() + pod.spec.containers.len()
            ],
        };
        if !self.machine.create_sandbox(uid, sandbox, self.now) {
            let why = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network \
                       for sandbox: no IP addresses available in range set";
            self.pod_event(uid, None, "Warning", "FailedCreatePodSandBox", why);
            if let Some(worker) = self.agent.workers.get_mut(uid) {
                worker.errors = true;
                worker.queue.clear();
                worker.mounted = None;
            }
            return self.finish_sync(uid);
        }
        let jitter = self.rng.between(80, 125);
        let time = Duration(self.config.times.sandbox.0 * jitter / 100);
        self.set_job(uid, Job::Sandbox, Some(time));
    }

    /// Makes a worker busy, for a while if that is known.
    pub(crate) fn set_job(&mut self, uid: &Str, job: Job, time: Option<Duration>) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.job = job;
        worker.serial += 1;
        let serial = worker.serial;
        if let Some(time) = time {
            self.later(time, Timer::Job(uid.clone(), serial));
        }
    }

    /// The step that a worker was busy with has ended.
    pub(crate) fn job_done(&mut self, uid: &Str) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        match worker.job {
            Job::Idle | Job::Fetching => {}
            Job::Mounting => {
                worker.job = Job::Idle;
                self.sync(uid);
            }
            Job::Sandbox => {
                self.sandbox_ready(uid);
                self.start_next(uid);
            }
            Job::Pulling(index) => self.pulled(uid, index),
            Job::Starting(index) => self.started(uid, index),
            Job::PostStart(index) => self.hook_done(uid, index),
        }
    }

    /// Starts the next container of this sync, or ends it.
    pub(crate) fn start_next(&mut self, uid: &Str) {
        loop {
            let Some(worker) = self.agent.workers.get_mut(uid) else { return };
            worker.job = Job::Idle;
            match worker.queue.pop_front() {
                None => return self.finish_sync(uid),
                Some(index) => {
                    if self.start_unit(uid, index) {
                        return;
                    }
                }
            }
        }
    }

    /// Notes that the runtime was changed in this sync.
    pub(crate) fn acted(&mut self, uid: &Str) {
        if let Some(worker) = self.agent.workers.get_mut(uid) {
            worker.acted = true;
        }
    }

    fn finish_sync(&mut self, uid: &Str) {
        let now = self.now;
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.job = Job::Idle;
        let (again, errors, acted) = (worker.again, worker.errors, worker.acted);
        worker.idle_since = (!acted).then_some(now);
        if acted {
            // The pod is looked at on demand: what was changed in the runtime is seen at once.
            self.look_on_demand(uid);
        } else if again {
            let tick = self.tick_after(now);
            self.plan_sync(uid, tick);
        } else if errors {
            let retry = self.config.times.retry.0;
            let wait = Duration(retry + self.rng.between(0, retry / 2));
            let tick = self.tick_after(now + wait);
            self.plan_sync(uid, tick);
        }
    }

    /// What a pod needs next, from its spec and from what runs.
    pub(crate) fn actions(&self, uid: &Str) -> Actions {
        let worker = &self.agent.workers[uid];
        let pod = &worker.pod;
        let inits = worker.inits();
        let sandbox = self.machine.pod(uid);
        let fresh = sandbox.is_none_or(|pod| !pod.ready);
        let ended = |index: usize| {
            let container = self.machine.container(uid, index)?;
            container.exit.as_ref().map(|exit| exit.code)
        };
        let mut out = Actions { sandbox: fresh, ..Actions::default() };
        let mains = inits..worker.units.len();
        if fresh {
            let due: Vec<usize> =
                mains.filter(|i| ended(*i).is_none_or(|code| restarts(pod, *i, code))).collect();
            out.sandbox = !due.is_empty();
            out.start = if inits > 0 && out.sandbox { vec![0] } else { due };
            return out;
        }
        let initialized = self.init_actions(uid, &mut out);
        if !initialized {
            return out;
        }
        for index in mains {
            match self.machine.container(uid, index) {
                None => out.start.push(index),
                Some(container) if container.running() => {
                    if worker.units[index].unhealthy.is_some() {
                        out.kill.push(index);
                    }
                }
                Some(_) => {
                    if ended(index).is_some_and(|code| restarts(pod, index, code)) {
                        out.start.push(index);
                    }
                }
            }
        }
        out
    }

    /// The next init container; true once all have done their part.
    fn init_actions(&self, uid: &Str, out: &mut Actions) -> bool {
        let worker = &self.agent.workers[uid];
        let begun = self.machine.pod(uid).map(|pod| pod.created);
        let main_begun = (worker.inits()..worker.units.len()).any(|index| {
            self.machine.container(uid, index).is_some_and(|c| Some(c.started) >= begun)
        });
        for index in 0..worker.inits() {
            // What an earlier sandbox ran has to be run again in this one.
            let container = self
                .machine
                .container(uid, index)
                .filter(|c| Some(c.started) >= begun || main_begun);
            if worker.is_sidecar(index) {
                match container {
                    Some(container) if container.running() => {
                        if worker.units[index].unhealthy.is_some() {
                            out.kill.push(index);
                        }
                        if !worker.units[index].started && !main_begun {
                            return false;
                        }
                    }
                    _ => {
                        out.start.push(index);
                        if !main_begun {
                            return false;
                        }
                    }
                }
                continue;
            }
            if main_begun {
                continue;
            }
            match container.map(|c| c.exit.as_ref().map(|exit| exit.code)) {
                Some(Some(0)) => {}
                Some(None) => return false,
                Some(Some(code)) => {
                    if restarts(&worker.pod, index, code) {
                        out.start.push(index);
                    }
                    return false;
                }
                None => {
                    out.start.push(index);
                    return false;
                }
            }
        }
        true
    }

    /// The resolver settings of the pod at an address, for its name lookups.
    pub fn resolv_conf(&self, ip: network::IpAddr) -> Option<ResolvConf> {
        let uid = self.machine.uid_at(ip)?;
        let pod = &self.agent.workers.get(uid)?.pod;
        let own = |conf: &mut ResolvConf| {
            if let Some(config) = &pod.spec.dns_config {
                conf.servers.extend(
                    config.nameservers.iter().filter_map(|ip| ip.parse::<network::IpAddr>().ok()),
                );
                let mut search: Vec<Str> = conf.search.to_vec();
                search.extend(config.searches.iter().cloned());
                conf.search = search.into();
                for option in config.options.iter().filter(|option| option.name == "ndots") {
                    let value: Option<u8> = option.value.parse().ok();
                    conf.ndots = value.unwrap_or(conf.ndots);
                }
            }
        };
        let cluster = match pod.spec.dns_policy.as_str() {
            "" | "ClusterFirst" => !pod.spec.host_network,
            "ClusterFirstWithHostNet" => true,
            _ => false,
        };
        let mut conf = if cluster {
            let (namespace, domain) = (&pod.metadata.namespace, &self.config.cluster_domain);
            let search = [
                Str::from(format!("{namespace}.svc.{domain}")),
                format!("svc.{domain}").into(),
                domain.clone(),
            ];
            ResolvConf { servers: self.config.cluster_dns.clone(), search: search.into(), ndots: 5 }
        } else {
            ResolvConf { servers: Vec::new(), search: [].into(), ndots: 1 }
        };
        own(&mut conf);
        Some(conf)
    }

    /// Addresses that the hosts file of the pod at an address has for a name.
    pub fn hosts(&self, ip: network::IpAddr, name: &str) -> Option<Vec<network::IpAddr>> {
        let uid = self.machine.uid_at(ip)?;
        let sandbox = self.machine.pod(uid)?;
        if name == "localhost" {
            return Some(vec![network::Ipv4Addr::LOCALHOST.into()]);
        }
        let pod = &self.agent.workers.get(uid)?.pod;
        let subdomain = &pod.spec.subdomain;
        let full = format!(
            "{}.{subdomain}.{}.svc.{}",
            sandbox.hostname, pod.metadata.namespace, self.config.cluster_domain
        );
        if name == sandbox.hostname || !subdomain.is_empty() && name.trim_end_matches('.') == full {
            return Some(vec![ip]);
        }
        let alias = pod.spec.host_aliases.iter().find(|a| a.hostnames.iter().any(|h| h == name))?;
        Some(vec![alias.ip.parse().ok()?])
    }
}
