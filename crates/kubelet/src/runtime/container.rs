//! Sandboxes, containers and their processes.

use std::sync::Arc;

use base::{BTreeMap, Duration, Instant, Rng, Str};
use network::{Call, IpAddr, Payload, Protocol, Reply, Trace};

use super::files::{Files, Mount, Volume};
use super::images;
use super::log::Log;
use super::program::Program;
use super::server::{Desk, Says, Server, Term};
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
    /// Processor time used for work that somebody asked for, beside what it takes to be there.
    pub cpu: Duration,
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
        let serving = self.server(host.now).is_some();
        let Process::Shell(shell) = &mut self.process else { unreachable!("it is a shell") };
        let (env, hostname) = (self.env.clone(), host.hostname);
        let server = move |words: &[String]| images::server(words, &env, hostname);
        let mut world = World {
            now: host.now,
            rng: host.rng,
            files: Files {
                own: &mut self.files,
                mounts: &self.mounts,
                volumes: host.volumes,
                image: None,
            },
            log: &mut self.log,
            hostname,
            ip: host.ip,
            calls: host.calls,
            next_call: host.next_call,
            serving,
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

    /// Processor time used beside what it takes to be there.
    pub fn used(&self) -> Duration {
        match &self.process {
            Process::Shell(shell) => self.cpu + shell.busy,
            _ => self.cpu,
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
        self.server(host.now).filter(|server| server.listens(port, protocol))?;
        let server = match &self.process {
            Process::Server(server) => server.clone(),
            Process::Shell(shell) => Arc::new((**shell.server.as_ref()?).clone()),
            _ => return None,
        };
        if matches!(payload, Payload::Http(_)) {
            self.cpu = self.cpu + server.cost;
        }
        let mut desk = Desk {
            now: host.now,
            started: self.started,
            client,
            rng: host.rng,
            files: Files {
                own: &mut self.files,
                mounts: &self.mounts,
                volumes: host.volumes,
                image: None,
            },
            log: &mut self.log,
            hostname: host.hostname,
            ip: host.ip,
        };
        Some(server.answer(payload, &mut desk))
    }

    /// Lets a command that runs beside the process go on until it ends, calls, or waits for ever.
    pub fn exec(
        &mut self,
        exec: &mut Exec,
        answer: Option<(u64, &Trace)>,
        host: &mut Host<'_>,
    ) -> ExecTurn {
        let (env, hostname) = (self.env.clone(), host.hostname);
        let server = move |words: &[String]| images::server(words, &env, hostname);
        let mut calls = Vec::new();
        let mut answer = answer;
        while exec.turns < EXEC_TURNS_MAX {
            exec.turns += 1;
            let image = self.image_file();
            let serving = self.server(exec.now).is_some();
            let mut world = World {
                now: exec.now,
                rng: host.rng,
                files: Files {
                    own: &mut self.files,
                    mounts: &self.mounts,
                    volumes: host.volumes,
                    image: image.as_ref(),
                },
                log: &mut exec.log,
                hostname,
                ip: host.ip,
                calls: &mut calls,
                next_call: host.next_call,
                serving,
                server: &server,
            };
            if let Some((id, trace)) = answer.take() {
                exec.shell.called(id, trace, &mut world);
            }
            match exec.shell.run(&mut world) {
                Turn::Exits(code) => return ExecTurn::Ends(code),
                Turn::Waits(_) if !calls.is_empty() => {
                    let (id, call) = calls.remove(0);
                    return ExecTurn::Calls(id, Box::new(call));
                }
                Turn::Waits(Some(at)) => exec.now = at,
                Turn::Waits(None) | Turn::Serves => return ExecTurn::Endless,
            }
        }
        ExecTurn::Endless
    }

    /// A file that the image itself holds: the welcome page of a web server.
    fn image_file(&self) -> Option<(Str, Str)> {
        match self.any_server().map(|server| &server.says) {
            Some(Says::Files(root, welcome, _)) => {
                Some((format!("{root}/index.html").into(), welcome.clone()))
            }
            _ => None,
        }
    }
}

/// A command that runs beside the process of a container.
#[derive(Clone, Debug)]
pub struct Exec {
    shell: Shell,
    log: Log,
    began: Instant,
    now: Instant,
    turns: usize,
}

/// What a command wants that runs beside a process.
#[derive(Clone, Debug)]
pub enum ExecTurn {
    /// It has ended with this code.
    Ends(i32),
    /// It makes a call and goes on with its outcome.
    Calls(u64, Box<Call>),
    /// It would never end by itself.
    Endless,
}

impl Exec {
    /// A command about to run.
    pub fn new(command: &[Str], env: Arc<Env>, now: Instant) -> Exec {
        let words: Vec<String> =
            command.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        let script = compile(&words.join(" ")).expect("quoted words are a command");
        let (shell, log) = (Shell::new(script, Vec::new(), env), Log::default());
        Exec { shell, log, began: now, now, turns: 0 }
    }

    /// What it has printed.
    pub fn output(&self) -> String {
        self.log.text(&Default::default())
    }

    /// How long it has taken.
    pub fn took(&self) -> Duration {
        self.now - self.began
    }

    /// Lets time pass for it, as a call takes it.
    pub fn wait(&mut self, time: Duration) {
        self.now += time;
    }
}

/// A command that is run to its end may wait at most so often.
const EXEC_TURNS_MAX: usize = 256;
