//! From an image and a command line to what runs.

use std::sync::Arc;

use base::{Duration, Str};

use super::image::Image;
use super::images;
use super::server::{Says, Server, Term};
use super::shell::vm::Env;
use super::shell::{Script, compile};

/// What a container runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Program {
    /// A server.
    Server(Arc<Server>),
    /// A script with its positional parameters.
    Script(Arc<Script>, Vec<Str>),
    /// Something that works for a while, prints, and ends.
    Task {
        /// How long it takes.
        takes: Duration,
        /// What it prints at its end.
        prints: Str,
        /// Its exit code.
        code: i32,
    },
}

/// What a container is started with.
pub struct Start<'a> {
    /// The image as written, for messages.
    pub image: &'a Image,
    /// The container's command, after expansion.
    pub command: &'a [Str],
    /// Its arguments, after expansion.
    pub args: &'a [Str],
    /// Its environment.
    pub env: &'a Env,
    /// Ports that its spec names.
    pub ports: &'a [(u16, network::Protocol)],
    /// The host name.
    pub hostname: &'a str,
}

/// The program of a container, or why the runtime cannot start it.
pub fn program(start: &Start<'_>) -> Result<Program, String> {
    let image = start.image;
    if let Some((names, message)) = &image.needs
        && start.command.is_empty()
        && !names.iter().any(|name| start.env.get(name.as_str()).is_some_and(|v| !v.is_empty()))
    {
        let takes = Duration::millis(300);
        return Ok(Program::Task { takes, prints: format!("{message}\n").into(), code: 1 });
    }
    if let Some(program) = &image.program
        && start.command.is_empty()
    {
        return Ok(program.clone());
    }
    let words = command_line(start);
    let Some(first) = words.first() else { return Ok(listener(start)) };
    let name = first.rsplit('/').next().unwrap_or_default();
    if let Some(program) = interpreter(name, &words) {
        return Ok(program);
    }
    if let Some(server) = images::server(&words, start.env, start.hostname) {
        return Ok(Program::Server(Arc::new(server)));
    }
    if name == "hello" && image.name == "hello-world" {
        let prints = base::lit!(
            "\nHello from Docker!\nThis message shows that your installation appears to be working correctly.\n\n"
        );
        return Ok(Program::Task { takes: Duration::millis(20), prints, code: 0 });
    }
    let unknown_image = image.name.is_empty();
    if images::is_userland(name) && (image.shell || unknown_image) {
        return Ok(Program::Script(quoted(&words), Vec::new()));
    }
    if unknown_image
        || !start.command.is_empty() && first.starts_with('/') && !first.starts_with("/bin/")
    {
        return Ok(listener(start));
    }
    Err(format!(
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc \
         create failed: unable to start container process: error during container init: exec: \
         \"{first}\": {}",
        if first.contains('/') {
            format!("stat {first}: no such file or directory: unknown")
        } else {
            "executable file not found in $PATH: unknown".to_string()
        }
    ))
}

/// Entrypoint and arguments, without the wrapper scripts that images begin with.
fn command_line(start: &Start<'_>) -> Vec<String> {
    let image = start.image;
    let entry = if start.command.is_empty() { &image.entrypoint[..] } else { start.command };
    let args = match (start.args.is_empty(), start.command.is_empty()) {
        (false, _) => start.args,
        (true, true) => &image.cmd[..],
        (true, false) => &[],
    };
    let mut words: Vec<String> = entry.iter().chain(args).map(Str::to_string).collect();
    let wrapper = |word: &String| {
        let name = word.rsplit('/').next().unwrap_or_default();
        matches!(name, "docker-entrypoint.sh" | "docker-php-entrypoint" | "tini" | "dumb-init")
    };
    while words.len() > 1 && wrapper(&words[0]) || words.len() > 2 && words[0] == "--" {
        words.remove(0);
    }
    // Options alone go to the image's own program, as its entrypoint script does it.
    if words.first().is_some_and(|word| word.starts_with('-'))
        && let Some(own) = image.cmd.first()
    {
        words.insert(0, own.to_string());
    }
    words
}

fn interpreter(name: &str, words: &[String]) -> Option<Program> {
    let shell = matches!(name, "sh" | "bash" | "ash" | "dash" | "zsh");
    let flag = words
        .iter()
        .position(|word| word.starts_with('-') && word.ends_with('c') && word.len() < 6);
    if shell {
        let Some(flag) = flag else {
            // A shell without a script reads an empty standard input and ends.
            let alone = words.len() == 1 || words[1].starts_with('-');
            return alone.then(|| Program::Task {
                takes: Duration::millis(5),
                prints: "".into(),
                code: 0,
            });
        };
        let text = words.get(flag + 1).cloned().unwrap_or_default();
        return Some(match compile(&text) {
            Ok(script) => {
                let args = words.iter().skip(flag + 3).map(Str::from).collect();
                Program::Script(script, args)
            }
            Err(message) => {
                let prints = format!("{message}\n").into();
                Program::Task { takes: Duration::millis(5), prints, code: 2 }
            }
        });
    }
    let text = words[1..].join(" ");
    match name {
        "perl" if text.contains("bpi(") => {
            let digits =
                text.split("bpi(").nth(1)?.split(')').next()?.trim().parse().unwrap_or(100);
            let prints = format!("{}\n", pi(digits)).into();
            Some(Program::Task { takes: Duration::secs(5), prints, code: 0 })
        }
        "python" | "python3" | "perl" | "node" | "ruby" | "php" | "java" | "go" | "jshell"
        | "irb" => {
            let runs = matches!(
                words.get(1).map(String::as_str),
                Some("-c" | "-e" | "-wle" | "-le" | "--version" | "-V") | None
            ) || words.get(1).is_some_and(|word| matches!(word.as_str(), "-a" | "-de0"));
            let says = text.split("print(").nth(1).and_then(|rest| rest.split(['"', '\'']).nth(1));
            let prints = says.map(|says| format!("{says}\n")).unwrap_or_default().into();
            runs.then_some(Program::Task {
                takes: Duration::millis(200),
                prints,
                code: exit_code(&text),
            })
        }
        _ => None,
    }
}

/// The code that a one-line program leaves with: `sys.exit(3)`, `process.exit(1)`.
fn exit_code(text: &str) -> i32 {
    let rest = text.split("exit(").nth(1).and_then(|rest| rest.split(')').next());
    rest.and_then(|code| code.trim().parse().ok()).unwrap_or(0)
}

/// A script of one command whose words are taken as they are.
fn quoted(words: &[String]) -> Arc<Script> {
    let words: Vec<String> =
        words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    compile(&words.join(" ")).expect("quoted words are a command")
}

/// What an image does of which nothing is known: it listens on its ports and answers.
fn listener(start: &Start<'_>) -> Program {
    let mut server = Server::new(&[], Says::Fine);
    server.ports = start.ports.to_vec();
    server.starts_in = Duration::millis(200);
    server.term = Term::Ends(0, Duration::millis(100));
    Program::Server(Arc::new(server))
}

/// The first digits of pi, by the spigot of Rabinowitz and Wagon.
fn pi(digits: usize) -> String {
    let digits = digits.clamp(2, 4_000);
    let len = digits * 10 / 3 + 2;
    let mut cells = vec![2i64; len];
    let mut out = String::new();
    let (mut nines, mut held) = (0, None::<i64>);
    let mut put = |digit: i64| out.push(char::from(b'0' + digit.rem_euclid(10) as u8));
    for _ in 0..=digits {
        let mut carry = 0;
        for i in (0..len).rev() {
            let value = cells[i] * 10 + carry * (i as i64 + 1);
            let base = if i == 0 { 10 } else { 2 * i as i64 + 1 };
            cells[i] = value % base;
            carry = value / base;
        }
        match carry {
            9 => nines += 1,
            10 => {
                put(held.unwrap_or(0) + 1);
                (0..nines).for_each(|_| put(0));
                (nines, held) = (0, Some(0));
            }
            digit => {
                if let Some(held) = held {
                    put(held);
                }
                (0..nines).for_each(|_| put(9));
                (nines, held) = (0, Some(digit));
            }
        }
    }
    if let Some(held) = held {
        put(held);
    }
    out.truncate(digits);
    out.insert(1, '.');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::image::{Catalogue, Reference};

    fn run(image: &str, command: &[&str], args: &[&str]) -> Result<Program, String> {
        let catalogue = Catalogue::default();
        let image = catalogue.find(&Reference::parse(image).unwrap()).clone();
        let words = |words: &[&str]| words.iter().map(|w| Str::from(*w)).collect::<Vec<_>>();
        let (command, args) = (words(command), words(args));
        program(&Start {
            image: &image,
            command: &command,
            args: &args,
            env: &Env::new(),
            ports: &[(1234, network::Protocol::Tcp)],
            hostname: "web-0",
        })
    }

    fn listens(program: Result<Program, String>) -> Vec<u16> {
        match program.unwrap() {
            Program::Server(server) => server.ports.iter().map(|(port, _)| *port).collect(),
            other => panic!("no server: {other:?}"),
        }
    }

    #[test]
    fn images_run_their_own_programs() {
        assert_eq!(listens(run("nginx:1.27", &[], &[])), [80]);
        assert_eq!(listens(run("redis", &[], &["--port", "7000"])), [7000]);
        assert_eq!(
            listens(run(
                "registry.k8s.io/e2e-test-images/agnhost:2.53",
                &[],
                &["netexec", "--http-port=9090"]
            )),
            [9090, 8081]
        );
        assert_eq!(
            listens(run("hashicorp/http-echo", &[], &["-text=hi", "-listen=:8080"])),
            [8080]
        );
    }

    #[test]
    fn an_unknown_image_listens_on_its_ports() {
        assert_eq!(listens(run("acme/shop:7", &[], &[])), [1234]);
    }

    #[test]
    fn a_database_without_its_password_ends() {
        assert!(matches!(run("mysql:9", &[], &[]), Ok(Program::Task { code: 1, .. })));
        assert_eq!(listens(run("postgres:17", &[], &[])), [5432]);
    }

    #[test]
    fn a_command_that_is_not_there_cannot_start() {
        let error = run("busybox", &["nosuch"], &[]).unwrap_err();
        assert!(error.ends_with("exec: \"nosuch\": executable file not found in $PATH: unknown"));
    }

    #[test]
    fn the_perl_job_prints_pi() {
        let program = run("perl:5.34.0", &["perl", "-Mbignum=bpi", "-wle", "print bpi(60)"], &[]);
        let Ok(Program::Task { prints, code: 0, .. }) = program else { panic!("{program:?}") };
        assert_eq!(prints, "3.14159265358979323846264338327950288419716939937510582097494\n");
    }
}
