//! Startup, readiness and liveness probes.
//!
//! Stands for the kubelet's prober.
//!
//! Known deviations:
//! - A probe that can only see the same again is not run again until something changes; the access log of
//!   the probed server lacks those lines.

use api::core::v1::{Container, HTTPGetAction, Probe};
use api::int_or_string::IntOrString;
use base::{Duration, Instant, Str};
use network::{
    Call, HttpRequest, IpAddr, Origin, Outcome, Payload, Protocol, Reply, Response, To, Trace,
    authority,
};

use crate::kubelet::Kubelet;
use crate::runtime::container::Process;
use crate::timers::Timer;
use crate::worker::{Stage, container};

/// What a probe decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Startup,
    Liveness,
    Readiness,
}

/// One probe of one container.
#[derive(Clone, Debug)]
pub(crate) struct Prober {
    pub kind: Kind,
    /// The result that counts.
    pub result: Option<bool>,
    /// The last single result, and how often it came in a row.
    last: Option<bool>,
    row: i32,
    /// It ticks for the running instance.
    armed: bool,
    /// It has done its part for this instance.
    held: bool,
    /// Tells its timer from an older one's.
    serial: u32,
    /// A result that is known but not due yet.
    pending: Option<Box<Result<(), Str>>>,
}

/// The sight of a probe: success, or how long it took to fail and why.
pub(crate) type Sight = Result<Duration, (Duration, String)>;

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Startup => "Startup",
            Kind::Liveness => "Liveness",
            Kind::Readiness => "Readiness",
        }
    }
}

fn probe(spec: &Container, kind: Kind) -> Option<&Probe> {
    match kind {
        Kind::Startup => spec.startup_probe.as_deref(),
        Kind::Liveness => spec.liveness_probe.as_deref(),
        Kind::Readiness => spec.readiness_probe.as_deref(),
    }
}

impl Kubelet {
    /// Sets up the probes of a new pod.
    pub(crate) fn begin_probes(&mut self, uid: &Str) {
        let now = self.now;
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        worker.probes_from = now;
        for index in 0..worker.units.len() {
            let spec = container(&worker.pod, index);
            let kinds = [Kind::Startup, Kind::Liveness, Kind::Readiness];
            worker.units[index].probes = kinds
                .into_iter()
                .filter(|kind| probe(spec, *kind).is_some())
                .map(|kind| Prober {
                    kind,
                    result: None,
                    last: None,
                    row: 0,
                    armed: false,
                    held: false,
                    serial: 0,
                    pending: None,
                })
                .collect();
        }
    }

    /// A new instance of a container: its probes begin anew.
    pub(crate) fn reset_probes(&mut self, uid: &Str, index: usize) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        for prober in &mut worker.units[index].probes {
            let serial = prober.serial + 1;
            let kind = prober.kind;
            let (result, last, pending) = (None, None, None);
            *prober =
                Prober { kind, result, last, row: 0, armed: false, held: false, serial, pending };
        }
    }

    /// Lets the probes of a running container tick; a readiness probe looks at once.
    pub(crate) fn arm_probes(&mut self, uid: &Str, index: usize) {
        let Some(worker) = self.agent.workers.get(uid) else { return };
        if worker.stage != Stage::Syncing || worker.units[index].probes.is_empty() {
            return;
        }
        let started = worker.units[index].started;
        for place in 0..self.agent.workers[uid].units[index].probes.len() {
            let Some(worker) = self.agent.workers.get_mut(uid) else { return };
            let prober = &mut worker.units[index].probes[place];
            let waits = prober.kind != Kind::Startup && !started;
            if prober.armed || prober.held || waits {
                continue;
            }
            prober.armed = true;
            let at_once =
                prober.kind == Kind::Readiness && self.delay_over(uid, index, place, self.now);
            if at_once {
                let serial = self.agent.workers[uid].units[index].probes[place].serial;
                self.agent.timers.set(self.now, Timer::Probe(uid.clone(), index, place, serial));
            } else {
                self.next_tick(uid, index, place);
            }
        }
    }

    fn delay_over(&self, uid: &Str, index: usize, place: usize, at: Instant) -> bool {
        let worker = &self.agent.workers[uid];
        let spec = worker.spec(index);
        let Some(probe) = probe(spec, worker.units[index].probes[place].kind) else { return true };
        let began =
            self.began(uid, index).map_or(at, |at| Instant(at.0 - at.0.rem_euclid(1_000_000)));
        at.since(began).as_secs() >= i64::from(probe.initial_delay_seconds)
    }

    /// Sets the timer for the next tick at which the probe may look.
    fn next_tick(&mut self, uid: &Str, index: usize, place: usize) {
        let worker = &self.agent.workers[uid];
        let Some(probe) = probe(worker.spec(index), worker.units[index].probes[place].kind) else {
            return;
        };
        let period = Duration::secs(i64::from(probe.period_seconds.max(1)));
        let from = worker.probes_from;
        let serial = worker.units[index].probes[place].serial;
        let began = self.began(uid, index).unwrap_or(self.now);
        let began = Instant(began.0 - began.0.rem_euclid(1_000_000));
        let earliest = began + Duration::secs(i64::from(probe.initial_delay_seconds));
        let past = self.now.since(from).0.div_euclid(period.0) + 1;
        let due = (earliest.since(from).0 + period.0 - 1).div_euclid(period.0);
        let at = from + period * past.max(due);
        self.agent.timers.set(at, Timer::Probe(uid.clone(), index, place, serial));
    }

    /// A probe's moment has come.
    pub(crate) fn probe_due(&mut self, uid: &Str, index: usize, place: usize, serial: u32) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        let stage = worker.stage;
        let Some(prober) = worker.units.get_mut(index).and_then(|unit| unit.probes.get_mut(place))
        else {
            return;
        };
        let runs = self.machine.container(uid, index).is_some_and(|c| c.running());
        let ends = stage != Stage::Syncing;
        if prober.serial != serial
            || prober.held
            || !runs
            || ends && prober.kind != Kind::Readiness
            || stage as u8 > 1
        {
            return;
        }
        if let Some(result) = prober.pending.take() {
            return self.probed(uid, index, place, *result);
        }
        let kind = prober.kind;
        let spec = worker.spec(index).clone();
        let Some(wanted) = probe(&spec, kind).cloned() else { return };
        if self.remote_probe(uid, index, place, &spec, &wanted) {
            return;
        }
        let result = self.look(uid, index, &spec, &wanted);
        let timeout = Duration::secs(i64::from(wanted.timeout_seconds.max(1)));
        match result {
            Err((took, why)) if took >= timeout => {
                let Some(worker) = self.agent.workers.get_mut(uid) else { return };
                let prober = &mut worker.units[index].probes[place];
                prober.pending = Some(Box::new(Err(why.into())));
                let serial = prober.serial;
                self.later(timeout, Timer::Probe(uid.clone(), index, place, serial));
            }
            Err((_, why)) => self.probed(uid, index, place, Err(why.into())),
            Ok(_) => self.probed(uid, index, place, Ok(())),
        }
    }

    /// Takes a single result into account, and goes on ticking.
    fn probed(&mut self, uid: &Str, index: usize, place: usize, result: Result<(), Str>) {
        let kind = self.agent.workers[uid].units[index].probes[place].kind;
        if let Err(why) = &result {
            let text = format!("{} probe failed: {why}", kind.name());
            self.pod_event(uid, Some(index), "Warning", "Unhealthy", text);
        }
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        let Some(wanted) = probe(container(&worker.pod, index), kind) else { return };
        let (failures, successes) =
            (wanted.failure_threshold.max(1), wanted.success_threshold.max(1));
        let prober = &mut worker.units[index].probes[place];
        let good = result.is_ok();
        if prober.last == Some(good) {
            prober.row = prober.row.saturating_add(1);
        } else {
            prober.last = Some(good);
            prober.row = 1;
        }
        let counts = prober.row >= if good { successes } else { failures };
        let before = prober.result;
        if counts {
            prober.result = Some(good);
            if !good && kind != Kind::Readiness || good && kind == Kind::Startup {
                prober.held = true;
            }
        }
        let held = prober.held;
        let settled = counts && good && before == Some(true);
        let idle = settled && self.sees_the_same(uid, index, kind);
        if !held && !idle {
            self.next_tick(uid, index, place);
        } else if !held {
            // Nothing can change what it sees until somebody wakes it.
            self.agent.workers.get_mut(uid).expect("it is there").units[index].probes[place]
                .armed = false;
        }
        if counts && before != Some(good) {
            self.verdict(uid, index, kind, good);
        }
    }

    /// A probe's result that counts has changed.
    fn verdict(&mut self, uid: &Str, index: usize, kind: Kind, good: bool) {
        let Some(worker) = self.agent.workers.get_mut(uid) else { return };
        let name = worker.spec(index).name.clone();
        let unit = &mut worker.units[index];
        match (kind, good) {
            (Kind::Readiness, good) => {
                if unit.ready == good {
                    return;
                }
                unit.ready = good;
                self.decide_status(uid);
            }
            (Kind::Startup, true) => {
                unit.started = true;
                self.observe_units(uid);
                self.decide_status(uid);
                self.want_sync(uid);
            }
            (Kind::Liveness, true) => {}
            (Kind::Startup | Kind::Liveness, false) => {
                let what = kind.name().to_lowercase();
                unit.unhealthy =
                    Some(format!("Container {name} failed {what} probe, will be restarted").into());
                self.want_sync(uid);
            }
        }
    }

    /// Whether a successful probe would see success again as long as nobody interferes.
    fn sees_the_same(&self, uid: &Str, index: usize, kind: Kind) -> bool {
        let worker = &self.agent.workers[uid];
        let Some(wanted) = probe(worker.spec(index), kind) else { return true };
        let Some(target) = self.machine.container(uid, index) else { return false };
        if wanted.exec.is_none() {
            let mounted = !target.mounts.is_empty() && !self.asleep(uid);
            return target.any_server().is_some_and(|server| server.steady()) && !mounted;
        }
        self.asleep(uid)
    }

    /// Whether no process of the pod is going to do anything by itself.
    fn asleep(&self, uid: &Str) -> bool {
        let slots = self.machine.pod(uid).map(|pod| pod.slots.as_slice()).unwrap_or_default();
        slots.iter().filter_map(|slot| slot.current.as_deref()).all(|container| {
            container.wake.is_none() && !matches!(container.process, Process::Task(..))
        })
    }

    /// Lets all probes of a pod look again: somebody has interfered.
    pub(crate) fn wake_probes(&mut self, uid: &Str) {
        let count = self.agent.workers.get(uid).map_or(0, |worker| worker.units.len());
        for index in 0..count {
            for place in 0..self.agent.workers[uid].units[index].probes.len() {
                let Some(worker) = self.agent.workers.get_mut(uid) else { return };
                let prober = &mut worker.units[index].probes[place];
                if prober.result.is_some() && !prober.armed && !prober.held {
                    prober.armed = true;
                    self.next_tick(uid, index, place);
                }
            }
        }
    }

    /// Sends a probe through the network where it is not for the pod itself.
    fn remote_probe(
        &mut self,
        uid: &Str,
        index: usize,
        place: usize,
        spec: &Container,
        wanted: &Probe,
    ) -> bool {
        let http = wanted.http_get.as_deref();
        let host = http.map(|http| &http.host).or(wanted.tcp_socket.as_ref().map(|tcp| &tcp.host));
        let Some(host) = host.filter(|host| !host.is_empty()).cloned() else { return false };
        let port = http.map(|h| &h.port).or(wanted.tcp_socket.as_ref().map(|tcp| &tcp.port));
        let port = port.and_then(|port| number(port, spec)).unwrap_or(0);
        let payload = http.map_or(Payload::Connect, |http| Payload::Http(request(http, &host)));
        let from = Origin::Node(self.config.name.clone());
        let to = host.parse().map_or_else(|_| To::Name(host.clone()), To::Ip);
        let mut call = Call::new(from, to, port, payload);
        call.timeout = Duration::secs(i64::from(wanted.timeout_seconds.max(1)));
        call.detail = false;
        let id = self.machine.call_number();
        let serial = self.agent.workers[uid].units[index].probes[place].serial;
        self.agent.probe_calls.insert(id, (uid.clone(), index, place, serial));
        self.machine.outgoing.push((id, call));
        true
    }

    /// The outcome of a probe that went through the network.
    pub(crate) fn probe_called(
        &mut self,
        uid: &Str,
        index: usize,
        place: usize,
        serial: u32,
        trace: &Trace,
    ) {
        let fits = |w: &crate::worker::Worker| {
            w.units.get(index).and_then(|u| u.probes.get(place)).is_some_and(|p| p.serial == serial)
        };
        if !self.agent.workers.get(uid).is_some_and(fits) {
            return;
        }
        let result = match &trace.outcome {
            Outcome::Answered(Response::Http(response)) => judge(response.status),
            Outcome::Answered(_) => Ok(()),
            other => Err(other.error().unwrap_or_default()),
        };
        self.probed(uid, index, place, result.map_err(Str::from));
    }

    /// What a probe of a container sees.
    pub(crate) fn look(
        &mut self,
        uid: &Str,
        index: usize,
        spec: &Container,
        wanted: &Probe,
    ) -> Sight {
        let timeout = Duration::secs(i64::from(wanted.timeout_seconds.max(1)));
        if let Some(exec) = &wanted.exec {
            return self.look_exec(uid, index, &exec.command, timeout);
        }
        let Some(ip) = self.machine.pod(uid).and_then(|pod| pod.ip) else {
            return Err((Duration::ZERO, "the pod has no address".into()));
        };
        if let Some(http) = &wanted.http_get {
            let port = number(&http.port, spec).unwrap_or(0);
            let scheme = if http.scheme == "HTTPS" { "https" } else { "http" };
            let path = if http.path.starts_with('/') {
                http.path.to_string()
            } else {
                format!("/{}", http.path)
            };
            let url = format!("Get \"{scheme}://{}{path}\"", authority(ip, port));
            let payload = Payload::Http(request(http, &authority(ip, port)));
            let slow = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
            return match self.touch(ip, port, &payload, timeout) {
                Touch::Answer(Response::Http(response), took) => {
                    judge(response.status).map(|()| took).map_err(|why| (took, why))
                }
                Touch::Answer(_, took) | Touch::Reset(took) => Err((took, format!("{url}: EOF"))),
                Touch::Refused => Err((
                    Duration::ZERO,
                    format!("{url}: dial tcp {}: connect: connection refused", authority(ip, port)),
                )),
                Touch::Slow => Err((timeout, format!("{url}: {slow}"))),
            };
        }
        if let Some(tcp) = &wanted.tcp_socket {
            let port = number(&tcp.port, spec).unwrap_or(0);
            return match self.touch(ip, port, &Payload::Connect, timeout) {
                Touch::Refused => Err((
                    Duration::ZERO,
                    format!("dial tcp {}: connect: connection refused", authority(ip, port)),
                )),
                Touch::Answer(_, took) | Touch::Reset(took) => Ok(took),
                Touch::Slow => Ok(Duration::ZERO),
            };
        }
        if let Some(grpc) = &wanted.grpc {
            let port = grpc.port as u16;
            let service = grpc.service.clone().unwrap_or_default();
            let at = authority(ip, port);
            let seconds = timeout.as_secs();
            return match self.touch(ip, port, &Payload::GrpcHealth(service), timeout) {
                Touch::Answer(Response::GrpcHealth(state), took) if state == "SERVING" => Ok(took),
                Touch::Answer(Response::GrpcHealth(state), took) => {
                    Err((took, format!("service unhealthy (responded with \"{state}\")")))
                }
                _ => Err((
                    timeout,
                    format!(
                        "timeout: failed to connect service \"{at}\" within {seconds}s: context deadline exceeded"
                    ),
                )),
            };
        }
        Ok(Duration::ZERO)
    }

    fn look_exec(&mut self, uid: &Str, index: usize, command: &[Str], timeout: Duration) -> Sight {
        match self.run_command(uid, index, command) {
            Some((_, Some(0), took)) if took <= timeout => Ok(took),
            Some((out, Some(_), took)) if took <= timeout => Err((took, out)),
            Some(_) => {
                let words: Vec<&str> = command.iter().map(Str::as_str).collect();
                let (words, after) = (words.join(" "), timeout.go());
                Err((timeout, format!("command timed out: \"{words}\" timed out after {after}")))
            }
            None => Err((Duration::ZERO, "container not running".into())),
        }
    }

    fn touch(&mut self, ip: IpAddr, port: u16, payload: &Payload, timeout: Duration) -> Touch {
        let client = self.config.internal_ip;
        match self.machine.answer(ip, port, Protocol::Tcp, client, payload, self.now) {
            Reply::Respond { after, response } if after < timeout => Touch::Answer(response, after),
            Reply::Respond { .. } | Reply::Hang => Touch::Slow,
            Reply::Reset | Reply::Forward { .. } => Touch::Reset(Duration::ZERO),
            Reply::NotListening | Reply::Lost => Touch::Refused,
        }
    }
}

enum Touch {
    Answer(Response, Duration),
    Reset(Duration),
    Refused,
    Slow,
}

fn judge(status: u16) -> Result<(), String> {
    if (200..400).contains(&status) {
        return Ok(());
    }
    Err(format!("HTTP probe failed with statuscode: {status}"))
}

fn request(http: &HTTPGetAction, host: &str) -> HttpRequest {
    let path = if http.path.starts_with('/') {
        http.path.clone()
    } else {
        format!("/{}", http.path).into()
    };
    let mut request = HttpRequest::get(host, path);
    request.tls = http.scheme == "HTTPS";
    request.headers.push((base::lit!("User-Agent"), base::lit!("kube-probe/1.36")));
    for header in &http.http_headers {
        if header.name.eq_ignore_ascii_case("host") {
            request.host = header.value.clone();
        } else {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(&header.name));
            request.headers.push((header.name.clone(), header.value.clone()));
        }
    }
    request
}

/// The number of a port that may be given by name.
fn number(port: &IntOrString, spec: &Container) -> Option<u16> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::Str(name) => {
            let named = spec.ports.iter().find(|port| port.name == *name);
            named.map(|port| port.container_port as u16).or_else(|| name.parse().ok())
        }
    }
}
