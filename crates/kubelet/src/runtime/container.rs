//! Sandboxes, containers and their processes.

use std::sync::Arc;

use base::{BTreeMap, Duration, Instant, Rng, Str};
use network::{Call, IpAddr, Payload, Protocol, Reply, Trace};

use super::files::{Files, Mount, Volume};
use super::images;
use super::log::Log;
use super::program::Program;
use super::server::{Desk, Server, Term};
use super::shell::vm::{Env, World};
use super::shell::{Shell, Turn, compile};

/// A pod on the node: its network, its volumes and its containers.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// The pod's namespace.
    pub namespace: Str,
    /// The pod's name.
    pub name: Str,
    /// The host name its processes see.
    pub hostname: Str,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// It lives in the node's own network.
    pub host_network: bool,
    /// It runs; a stopped sandbox only keeps what is left of its containers.
    pub ready: bool,
    /// When it was made.
    pub created: Instant,
    /// How many sandboxes the pod had before.
    pub attempt: u32,
    /// The contents of the pod's volumes, in the order of its spec.
    pub volumes: Vec<Arc<Volume>>,
    /// For each volume the disk of the node on which it lies; empty where it goes with the pod.
    pub disks: Vec<Str>,
    /// Its containers by the position that the kubelet gives them.
    pub slots: Vec<Slot>,
}

/// A container's newest instance and the one before.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    /// The newest instance.
    pub current: Option<Box<Container>>,
    /// What is left of the instance before.
    pub previous: Option<Box<Past>>,
}

/// What is left of an ended instance.
#[derive(Clone, Debug)]
pub struct Past {
    /// Its id.
    pub id: Str,
    /// When it started.
    pub started: Instant,
    /// How it ended.
    pub exit: Exit,
    /// What it printed.
    pub log: Log,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Exit {
    /// When.
    pub at: Instant,
    /// Its code.
    pub code: i32,
    /// `Completed`, `Error`, `OOMKilled`, `StartError`.
    pub reason: Str,
    /// A message, if there is one.
    pub message: Str,
}

/// One instance of a container.
#[derive(Clone, Debug)]
pub struct Container {
    /// `containerd://…`.
    pub id: Str,
    /// How many instances there were before.
    pub attempt: i32,
    /// The image's full name.
    pub image: Str,
    /// The image with its digest.
    pub image_id: Str,
    /// When it started.
    pub started: Instant,
    /// How it ended, if it has.
    pub exit: Option<Exit>,
    /// What it printed.
    pub log: Log,
    /// Its environment.
    pub env: Arc<Env>,
    /// Its mounts.
    pub mounts: Arc<Vec<Mount>>,
    /// Its own files.
    pub files: BTreeMap<Str, Str>,
    /// Where it writes its termination message.
    pub message_path: Str,
    /// Resident memory in bytes.
    pub memory: i64,
    /// The process.
    pub process: Process,
    /// When it wants to be run next.
    pub wake: Option<Instant>,
}

/// The process of a container.
#[derive(Clone, Debug)]
pub enum Process {
    /// A server.
    Server(Arc<Server>),
    /// A shell.
    Shell(Box<Shell>),
    /// A task; what it prints and its code.
    Task(Str, i32),
    /// On its way out after a signal: the code.
    Ending(i32),
    /// Ended.
    Gone,
}

/// What the parts of a sandbox share while a process runs.
pub struct Host<'a> {
    /// The moment.
    pub now: Instant,
    /// Chance.
    pub rng: &'a mut Rng,
    /// Volumes of the pod.
    pub volumes: &'a mut [Arc<Volume>],
    /// The pod's host name.
    pub hostname: &'a str,
    /// The pod's address.
    pub ip: Option<IpAddr>,
    /// Calls to make.
    pub calls: &'a mut Vec<(u64, Call)>,
    /// The number of the next call.
    pub next_call: &'a mut u64,
}

impl Container {
    /// Whether its process runs.
    pub fn running(&self) -> bool {
        self.exit.is_none()
    }

    /// Begins the process.
    pub fn begin(&mut self, program: &Program, host: &mut Host<'_>) {
        match program {
            Program::Server(server) => {
                let at = host.now + server.starts_in;
                server.greeting.iter().for_each(|line| self.log.line(at, line.clone()));
                self.wake = server.ends.map(|(after, _)| host.now + after);
                self.process = Process::Server(server.clone());
            }
            Program::Script(script, args) => {
                let shell = Shell::new(script.clone(), args.clone(), self.env.clone());
                self.process = Process::Shell(Box::new(shell));
                self.run(host);
            }
            Program::Task { takes, prints, code } => {
                self.process = Process::Task(prints.clone(), *code);
                self.wake = Some(host.now + *takes);
            }
        }
    }

    /// Runs the process at a moment for which it has asked.
    pub fn run(&mut self, host: &mut Host<'_>) {
        self.wake = None;
        match &mut self.process {
            Process::Server(server) => {
                if let Some((_, code)) = server.ends {
                    self.end(host.now, code, "");
                }
            }
            Process::Task(prints, code) => {
                let (prints, code) = (prints.clone(), *code);
                self.log.print(host.now, &prints);
                self.end(host.now, code, "");
            }
            Process::Ending(code) => {
                let code = *code;
                self.end(host.now, code, "");
            }
            Process::Shell(_) => {
                let turn = self.with_shell(host, |shell, world| shell.run(world));
                self.turned(turn, host.now);
            }
            Process::Gone => {}
        }
    }

    /// The result of a network call of its process.
    pub fn called(&mut self, id: u64, trace: &Trace, host: &mut Host<'_>) {
        if matches!(self.process, Process::Shell(_)) {
            let turn = self.with_shell(host, |shell, world| {
                shell.called(id, trace, world);
                shell.run(world)
            });
            self.turned(turn, host.now);
        }
    }

    fn turned(&mut self, turn: Turn, now: Instant) {
        match turn {
            Turn::Waits(at) => self.wake = at,
            Turn::Serves => {
                self.wake = None;
                if let Process::Shell(shell) = &self.process
                    && let Some(server) = &shell.server
                {
                    let at = now + server.starts_in;
                    server.greeting.iter().for_each(|line| self.log.line(at, line.clone()));
                }
            }
            Turn::Exits(code) => self.end(now, code, ""),
        }
    }

    fn with_shell<R>(
        &mut self,
        host: &mut Host<'_>,
        act: impl FnOnce(&mut Shell, &mut World<'_>) -> R,
    ) -> R {
        let Process::Shell(shell) = &mut self.process else { unreachable!("it is a shell") };
        let (env, hostname) = (self.env.clone(), host.hostname);
        let server = move |words: &[String]| images::server(words, &env, hostname);
        let mut world = World {
            now: host.now,
            rng: host.rng,
            files: Files { own: &mut self.files, mounts: &self.mounts, volumes: host.volumes },
            log: &mut self.log,
            hostname,
            ip: host.ip,
            calls: host.calls,
            next_call: host.next_call,
            server: &server,
        };
        act(shell, &mut world)
    }

    /// The termination signal: what is left to do is asked for through `wake`.
    pub fn terminate(&mut self, host: &mut Host<'_>) {
        let term = match &mut self.process {
            Process::Server(server) => server.term,
            Process::Shell(shell) => match &shell.server {
                Some(server) if shell.serves_alone() => server.term,
                _ => {
                    if shell.terminate() {
                        self.run(host);
                    }
                    return;
                }
            },
            Process::Task(..) => Term::Ends(143, Duration::millis(5)),
            Process::Ending(_) | Process::Gone => return,
        };
        if let Term::Ends(code, after) = term {
            self.process = Process::Ending(code);
            self.wake = Some(host.now + after);
        }
    }

    /// Ends the process with a code; a reason is made from it where none is given.
    pub fn end(&mut self, now: Instant, code: i32, reason: &'static str) {
        if self.exit.is_some() {
            return;
        }
        let reason = match (reason, code) {
            ("", 0) => "Completed",
            ("", _) => "Error",
            (reason, _) => reason,
        };
        let message = self.files.remove(&self.message_path).unwrap_or_default();
        self.exit = Some(Exit { at: now, code, reason: reason.into(), message });
        self.process = Process::Gone;
        self.wake = None;
        self.files = BTreeMap::new();
    }

    /// The server it runs, if it is one and listens by now.
    pub fn server(&self, now: Instant) -> Option<&Server> {
        let server = match &self.process {
            Process::Server(server) => &**server,
            Process::Shell(shell) => shell.server.as_deref()?,
            _ => return None,
        };
        (now >= self.started + server.starts_in).then_some(server)
    }

    /// The server it runs, also before it listens.
    pub fn any_server(&self) -> Option<&Server> {
        match &self.process {
            Process::Server(server) => Some(server),
            Process::Shell(shell) => shell.server.as_deref(),
            _ => None,
        }
    }

    /// Changes the server it runs: a fault.
    pub fn server_mut(&mut self) -> Option<&mut Server> {
        match &mut self.process {
            Process::Server(server) => Some(Arc::make_mut(server)),
            Process::Shell(shell) => shell.server.as_deref_mut(),
            _ => None,
        }
    }

    /// What it answers on a port; `None` if it does not listen there.
    pub fn answer(
        &mut self,
        port: u16,
        protocol: Protocol,
        client: IpAddr,
        payload: &Payload,
        host: &mut Host<'_>,
    ) -> Option<Reply> {
        let server = self.server(host.now).filter(|s| s.listens(port, protocol))?.clone();
        let mut desk = Desk {
            now: host.now,
            started: self.started,
            client,
            rng: host.rng,
            files: Files { own: &mut self.files, mounts: &self.mounts, volumes: host.volumes },
            log: &mut self.log,
            hostname: host.hostname,
            ip: host.ip,
        };
        Some(server.answer(payload, &mut desk))
    }

    /// Runs a command to its end, as `exec` does: its output, its code and how long it took.
    ///
    /// What the command would wait for (a network call, an endless wait) is cut off; the code is `None` then.
    pub fn exec(
        &mut self,
        command: &[Str],
        host: &mut Host<'_>,
    ) -> (String, Option<i32>, Duration) {
        let words: Vec<String> =
            command.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        let Ok(script) = compile(&words.join(" ")) else {
            return (String::new(), Some(2), Duration::ZERO);
        };
        let mut shell = Shell::new(script, Vec::new(), self.env.clone());
        let mut log = Log::default();
        let mut now = host.now;
        let (env, hostname) = (self.env.clone(), host.hostname);
        let server = move |words: &[String]| images::server(words, &env, hostname);
        let mut calls = Vec::new();
        for _ in 0..EXEC_TURNS_MAX {
            let mut world = World {
                now,
                rng: host.rng,
                files: Files { own: &mut self.files, mounts: &self.mounts, volumes: host.volumes },
                log: &mut log,
                hostname,
                ip: host.ip,
                calls: &mut calls,
                next_call: host.next_call,
                server: &server,
            };
            let code = match shell.run(&mut world) {
                Turn::Exits(code) => Some(code),
                Turn::Waits(Some(at)) if calls.is_empty() => {
                    now = at;
                    continue;
                }
                Turn::Waits(_) | Turn::Serves => None,
            };
            return (log.text(&Default::default()), code, now - host.now);
        }
        (log.text(&Default::default()), None, now - host.now)
    }
}

/// A command that is run to its end may sleep at most so often.
const EXEC_TURNS_MAX: usize = 64;
