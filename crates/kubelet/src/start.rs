//! Starting a container: back-off, image, configuration, start, hook.

use std::sync::Arc;

use api::core::v1::LifecycleHandler;
use api::expansion::expand;
use base::{Duration, Instant, Str};
use network::Protocol;

use crate::env;
use crate::kubelet::Kubelet;
use crate::runtime::container::{Container, Process};
use crate::runtime::image::Reference;
use crate::runtime::program::{Program, Start, program};
use crate::volumes;
use crate::worker::{Backoff, Job, Stage};

impl Kubelet {
    /// The sandbox of a pod stands.
    pub(crate) fn sandbox_ready(&mut self, uid: &Str) {
        self.publish_sandbox(uid);
        self.acted(uid);
    }

    /// Starts a container. False if nothing is left to wait for: it runs into an error at once.
    pub(crate) fn start_unit(&mut self, uid: &Str, index: usize) -> bool {
        if self.holds_back(uid, index) {
            return false;
        }
        self.ensure_image(uid, index)
    }

    /// Whether the container has to wait after it has ended.
    fn holds_back(&mut self, uid: &Str, index: usize) -> bool {
        let now = self.now;
        let exit = self.machine.container(uid, index).and_then(|c| c.exit.as_ref());
        let Some(at) = exit.map(|exit| exit.at) else { return false };
        let Some(worker) = self.agent.workers.get_mut(uid) else { return true };
        let old = worker.units[index].restart;
        if !old.is_some_and(|old| old.holds(at, now)) {
            worker.units[index].restart = Some(Backoff::next(old, at, now));
            return false;
        }
        let wait = old.map_or(Duration::ZERO, |old| old.wait);
        let (name, meta) = (worker.spec(index).name.clone(), worker.pod.metadata.clone());
        let pod = format!("{}_{}({})", meta.name, meta.namespace, meta.uid);
        let message =
            format!("back-off {} restarting failed container={name} pod={pod}", wait.go());
        self.fails(uid, index, base::lit!("CrashLoopBackOff"), message.into());
        let text = format!("Back-off restarting failed container {name} in pod {pod}");
        self.pod_event(uid, Some(index), "Warning", "BackOff", text);
        true
    }

    /// Notes why a container does not run; the sync will be tried again.
    pub(crate) fn fails(&mut self, uid: &Str, index: usize, reason: Str, message: Str) {
        if let Some(worker) = self.agent.workers.get_mut(uid) {
            worker.units[index].waiting = Some(Box::new((reason, message)));
            worker.errors = true;
        }
    }

    /// The image is there: the container is created.
    pub(crate) fn create(&mut self, uid: &Str, index: usize) -> bool {
        let source = self.source(uid);
        let made = env::environment(&source, index)
            .and_then(|env| volumes::check_mounts(source.pod, index, &env));
        match made {
            Ok(()) => {
                let jitter = self.rng.between(80, 140);
                let time = Duration(self.config.times.start.0 * jitter / 100);
                self.set_job(uid, Job::Starting(index), Some(time));
                true
            }
            Err(why) => {
                let text = format!("Error: {why}");
                self.pod_event(uid, Some(index), "Warning", "Failed", text);
                self.fails(uid, index, base::lit!("CreateContainerConfigError"), why.into());
                false
            }
        }
    }

    /// The container is created: its process begins.
    pub(crate) fn started(&mut self, uid: &Str, index: usize) {
        let Ok(env) = env::environment(&self.source(uid), index) else {
            return self.start_next(uid);
        };
        let hostname = self.machine.pod(uid).map(|pod| pod.hostname.clone()).unwrap_or_default();
        let worker = &self.agent.workers[uid];
        let spec = worker.spec(index);
        let Ok(reference) = Reference::parse(&spec.image) else { return self.start_next(uid) };
        let image = self.machine.catalogue.find(&reference).clone();
        let words = |list: &base::List<Str>| -> Vec<Str> {
            list.iter().map(|w| expand(w, |name| env.get(name).map(Str::as_str)).into()).collect()
        };
        let (command, args) = (words(&spec.command), words(&spec.args));
        let ports: Vec<(u16, Protocol)> = spec
            .ports
            .iter()
            .filter_map(|port| Some((port.container_port as u16, Protocol::of(&port.protocol)?)))
            .collect();
        let mounts = volumes::mounts(&worker.pod, index, &env);
        let before = self.machine.container(uid, index).map(|container| container.attempt + 1);
        let made = program(&Start {
            image: &image,
            command: &command,
            args: &args,
            env: &env,
            ports: &ports,
            hostname: &hostname,
        });
        let memory = match &made {
            Ok(Program::Server(server)) => server.memory.unwrap_or(image.memory),
            _ => image.memory,
        };
        let limit = spec.resources.limits.get("memory");
        let too_little = limit.is_some_and(|limit| limit.value() < memory);
        let container = Container {
            id: Str::new(),
            attempt: before.unwrap_or(0),
            image: reference.full(),
            image_id: reference.id(),
            started: self.now,
            exit: None,
            log: Default::default(),
            env: Arc::new(env),
            mounts: Arc::new(mounts),
            files: Default::default(),
            message_path: spec.termination_message_path.clone(),
            memory,
            cpu: Duration::ZERO,
            process: Process::Gone,
            wake: None,
        };
        let name = spec.name.clone();
        self.pod_event(uid, Some(index), "Normal", "Created", "Container created");
        match made {
            Ok(program) => {
                self.machine.start(uid, index, container, &program, self.now);
                self.pod_event(uid, Some(index), "Normal", "Started", "Container started");
                if too_little {
                    self.machine.kill(uid, index, self.now, 137, "OOMKilled");
                }
                self.unit_began(uid, index);
                self.after_start(uid, index);
            }
            Err(why) => {
                self.machine.start_failed(uid, index, container, &why, self.now);
                self.pod_event(uid, Some(index), "Warning", "Failed", format!("Error: {why}"));
                let message = format!("failed to start container \"{name}\": {why}");
                self.fails(uid, index, base::lit!("RunContainerError"), message.into());
                self.acted(uid);
                self.start_next(uid);
            }
        }
    }

    fn unit_began(&mut self, uid: &Str, index: usize) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        let unit = &mut worker.units[index];
        unit.waiting = None;
        unit.unhealthy = None;
        unit.stopping = None;
        unit.started = false;
        unit.ready = false;
        worker.acted = true;
        self.reset_probes(uid, index);
    }

    /// Runs the hook after the start, if there is one.
    fn after_start(&mut self, uid: &Str, index: usize) {
        let spec = self.agent.workers[uid].spec(index);
        let hook = spec.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.clone());
        let Some(hook) = hook else { return self.start_next(uid) };
        match self.run_hook(uid, index, &hook) {
            Ok(time) => self.set_job(uid, Job::PostStart(index), Some(time)),
            Err(why) => {
                self.hook_failed(uid, index, "FailedPostStartHook", "PostStartHook failed", &why);
                self.machine.terminate(uid, index, self.now);
                self.machine.kill(uid, index, self.now + Duration::millis(100), 137, "");
                let text = "FailedPostStartHook";
                self.pod_event(uid, Some(index), "Normal", "Killing", text);
                self.fails(uid, index, base::lit!("PostStartHookError"), why.into());
                self.start_next(uid);
            }
        }
    }

    pub(crate) fn hook_done(&mut self, uid: &Str, _index: usize) {
        self.start_next(uid);
    }

    pub(crate) fn hook_failed(
        &mut self,
        uid: &Str,
        index: usize,
        reason: &'static str,
        words: &str,
        _why: &str,
    ) {
        self.pod_event(uid, Some(index), "Warning", reason, words.to_string());
    }

    /// Runs a hook: how long it takes, or why it fails.
    pub(crate) fn run_hook(
        &mut self,
        uid: &Str,
        index: usize,
        hook: &LifecycleHandler,
    ) -> Result<Duration, String> {
        if let Some(sleep) = &hook.sleep {
            return Ok(Duration::secs(sleep.seconds));
        }
        if let Some(exec) = &hook.exec {
            return match self.run_command(uid, index, &exec.command) {
                Some((_, Some(0) | None, took)) => Ok(took),
                Some((_, Some(code), _)) => Err(format!(
                    "command '{}' exited with {code}: ",
                    exec.command.iter().map(Str::as_str).collect::<Vec<_>>().join(" ")
                )),
                None => Ok(Duration::ZERO),
            };
        }
        if let Some(http) = &hook.http_get {
            let worker = &self.agent.workers[uid];
            let probe = api::core::v1::Probe { http_get: Some(http.clone()), ..Default::default() };
            let spec = worker.spec(index).clone();
            let outcome = self.look(uid, index, &spec, &probe);
            return outcome.map(|_| Duration::millis(5)).map_err(|(_, why)| why);
        }
        Ok(Duration::ZERO)
    }

    /// Kills a container that failed a probe; its next sync starts it again.
    pub(crate) fn restart_unhealthy(&mut self, uid: &Str, index: usize) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        if worker.stage != Stage::Syncing {
            return;
        }
        let Some(text) = worker.units[index].unhealthy.take() else { return };
        let spec = worker.spec(index);
        let own = [&spec.liveness_probe, &spec.startup_probe]
            .into_iter()
            .flatten()
            .find_map(|probe| probe.termination_grace_period_seconds);
        let grace = own.or(worker.pod.spec.termination_grace_period_seconds).unwrap_or(30);
        self.stop_unit(uid, index, grace, text);
    }

    /// When the newest instance of a container began.
    pub(crate) fn began(&self, uid: &Str, index: usize) -> Option<Instant> {
        self.machine.container(uid, index).map(|container| container.started)
    }
}
