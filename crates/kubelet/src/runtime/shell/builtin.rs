//! The commands of a small userland: what busybox, coreutils, curl and wget do in examples.

use api::time::Civil;
use base::{Duration, Instant};
use network::{Call, Payload};

use super::filter::filter;
use super::tools::{Tool, call, client, curl, is_client, lookup, nc, wget};
use super::vm::World;
use crate::runtime::server::Server;

/// What a command does.
#[derive(Debug)]
pub enum Done {
    /// The flow of the script has gone elsewhere.
    Left,
    /// It has printed and ended.
    Text {
        /// Standard output.
        out: String,
        /// Standard error.
        err: String,
        /// Exit status.
        status: i32,
    },
    /// It waits.
    Sleep(Duration),
    /// It prints and then runs until it is killed.
    Forever(String),
    /// It talks to somebody.
    Call(Box<Call>, Tool),
    /// It serves.
    Serve(Box<Server>),
}

impl Done {
    /// Success with this output.
    pub fn ok(out: impl Into<String>) -> Done {
        Done::Text { out: out.into(), err: String::new(), status: 0 }
    }

    /// Failure with this message.
    pub fn fail(err: impl Into<String>, status: i32) -> Done {
        Done::Text { out: String::new(), err: err.into(), status }
    }

    fn is(yes: bool) -> Done {
        if yes { Done::ok("") } else { Done::fail("", 1) }
    }
}

/// Runs a command that the shell itself does not know.
pub fn run(name: &str, words: &[String], stdin: Option<String>, world: &mut World<'_>) -> Done {
    let args: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    let plain: Vec<&str> = args.iter().copied().filter(|a| !a.starts_with('-')).collect();
    match name {
        "true" | ":" | "cd" | "chmod" | "chown" | "ulimit" | "umask" | "sync" | "apk"
        | "apt-get" | "apt" | "ln" | "alias" | "mkdir" | "install" | "kill" | "sysctl"
        | "mount" => Done::ok(""),
        "false" => Done::fail("", 1),
        "sleep" | "usleep" => sleep(&args),
        "pause" => Done::Forever(String::new()),
        "echo" => echo(&args),
        "printf" => Done::ok(printf(&args)),
        "date" => Done::ok(date(world.now, &args)),
        "hostname" => match args.first() {
            Some(&"-i" | &"-I") => {
                Done::ok(format!("{}\n", world.ip.map(|ip| ip.to_string()).unwrap_or_default()))
            }
            _ => Done::ok(format!("{}\n", world.hostname)),
        },
        "whoami" => Done::ok("root\n"),
        "id" => Done::ok("uid=0(root) gid=0(root) groups=0(root)\n"),
        "uname" => Done::ok(uname(&args, world)),
        "nproc" => Done::ok("1\n"),
        "pwd" => Done::ok("/\n"),
        "test" | "[" | "[[" => test(&args, world),
        "expr" => {
            let value = super::text::sum(&args.join(" "), &|_| 0);
            Done::Text {
                out: format!("{value}\n"),
                err: String::new(),
                status: i32::from(value == 0),
            }
        }
        "seq" => seq(&plain),
        "cat" => cat(&plain, stdin, world),
        "ls" => ls(&args, world),
        "touch" => write_all(&plain, "", true, world),
        "rm" | "rmdir" => {
            for path in &plain {
                world.files.remove(path);
            }
            Done::ok("")
        }
        "cp" | "mv" => copy(name, &plain, world),
        "tee" => {
            let text = stdin.unwrap_or_default();
            write_all(&plain, &text, args.contains(&"-a"), world);
            Done::ok(text)
        }
        "tail" | "head" | "wc" | "grep" | "cut" | "tr" | "sort" | "uniq" | "sed" | "rev"
        | "awk" => filter(name, &args, stdin, world),
        "basename" => {
            Done::ok(format!("{}\n", args.first().and_then(|p| p.rsplit('/').next()).unwrap_or("")))
        }
        "dirname" => {
            let path = args.first().copied().unwrap_or_default();
            Done::ok(format!("{}\n", path.rsplit_once('/').map_or(".", |(dir, _)| dir)))
        }
        "wget" => wget(&args, world),
        "curl" => curl(&args, world),
        "nc" | "netcat" | "telnet" => nc(&args, world),
        "nslookup" | "dig" | "getent" | "host" => lookup(name, &plain, &args, world),
        "ping" => match plain.last() {
            Some(host) => call(world, host, 7, Payload::Connect, 2, Tool::Ping(host.to_string())),
            None => Done::fail("ping: missing host\n", 1),
        },
        "nginx" | "httpd" | "apachectl" | "killall" | "pkill" => Done::ok(""),
        _ if is_client(name) => client(name, &args, world),
        "dd" | "yes" | "top" | "watch" => Done::Forever(String::new()),
        _ => Done::fail(format!("sh: {}: not found\n", words[0]), 127),
    }
}

fn sleep(args: &[&str]) -> Done {
    let mut total = 0.0;
    for arg in args {
        let (number, unit) = match arg.find(|c: char| c.is_ascii_alphabetic()) {
            _ if *arg == "infinity" || *arg == "inf" => return Done::Forever(String::new()),
            Some(at) => arg.split_at(at),
            None => (*arg, "s"),
        };
        let scale = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Done::fail(format!("sleep: invalid number '{arg}'\n"), 1),
        };
        match number.parse::<f64>() {
            Ok(n) => total += n * scale,
            Err(_) => return Done::fail(format!("sleep: invalid number '{arg}'\n"), 1),
        }
    }
    if args.is_empty() {
        return Done::fail("BusyBox v1.37.0 multi-call binary.\n\nUsage: sleep [N]...\n", 1);
    }
    Done::Sleep(Duration::micros((total.clamp(0.0, 1e10) * 1e6) as i64))
}

fn echo(args: &[&str]) -> Done {
    let (mut newline, mut escapes, mut at) = (true, false, 0);
    while let Some(flag) = args
        .get(at)
        .filter(|a| a.len() > 1 && a.starts_with('-') && a[1..].chars().all(|c| "neE".contains(c)))
    {
        newline &= !flag.contains('n');
        escapes |= flag.contains('e');
        at += 1;
    }
    let mut text = args[at..].join(" ");
    if escapes {
        text = unescape(&text);
    }
    if newline {
        text.push('\n');
    }
    Done::ok(text)
}

pub(super) fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('e') => out.push('\u{1b}'),
            Some('0') => out.push('\0'),
            Some(c) => out.extend((c != '\\').then_some('\\').into_iter().chain([c])),
            None => out.push('\\'),
        }
    }
    out
}

fn printf(args: &[&str]) -> String {
    let Some((format, mut rest)) = args.split_first() else { return String::new() };
    let format = unescape(format);
    let mut out = String::new();
    loop {
        let before = rest.len();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let spec = chars.by_ref().find(|c| c.is_ascii_alphabetic() || *c == '%').unwrap_or('%');
            if spec == '%' {
                out.push('%');
                continue;
            }
            if let Some((first, others)) = rest.split_first() {
                out.push_str(first);
                rest = others;
            } else if spec == 'd' {
                out.push('0');
            }
        }
        if rest.is_empty() || rest.len() == before || out.len() > 65_536 {
            return out;
        }
    }
}

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn date(now: Instant, args: &[&str]) -> String {
    let c = Civil::from(now);
    let (day, month) = (DAYS[c.weekday() as usize % 7], MONTHS[(c.month as usize + 11) % 12]);
    let format = args.iter().find_map(|arg| arg.strip_prefix('+'));
    let Some(format) = format else {
        if args.iter().any(|arg| arg.starts_with("-I")) {
            return format!("{:04}-{:02}-{:02}\n", c.year, c.month, c.day);
        }
        return format!(
            "{day} {month} {:>2} {:02}:{:02}:{:02} UTC {}\n",
            c.day, c.hour, c.minute, c.second, c.year
        );
    };
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(ch) = chars.next() {
        if ch != '%' {
            out.push(ch);
            continue;
        }
        match chars.next() {
            Some('Y') => out += &format!("{:04}", c.year),
            Some('m') => out += &format!("{:02}", c.month),
            Some('d') => out += &format!("{:02}", c.day),
            Some('H') => out += &format!("{:02}", c.hour),
            Some('M') => out += &format!("{:02}", c.minute),
            Some('S') => out += &format!("{:02}", c.second),
            Some('F') => out += &format!("{:04}-{:02}-{:02}", c.year, c.month, c.day),
            Some('T') => out += &format!("{:02}:{:02}:{:02}", c.hour, c.minute, c.second),
            Some('s') => out += &now.unix_seconds().to_string(),
            Some('N') => out += &format!("{:06}000", c.micros),
            Some('a') => out += day,
            Some('b') => out += month,
            Some('Z') => out += "UTC",
            Some('z') => out += "+0000",
            Some(other) => out.extend((other != '%').then_some('%').into_iter().chain([other])),
            None => out.push('%'),
        }
    }
    out.push('\n');
    out
}

fn uname(args: &[&str], world: &World<'_>) -> String {
    match args.first().copied() {
        Some("-a") => format!("Linux {} 6.1.0-generic #1 SMP x86_64 Linux\n", world.hostname),
        Some("-n") => format!("{}\n", world.hostname),
        Some("-r") => "6.1.0-generic\n".into(),
        Some("-m") => "x86_64\n".into(),
        _ => "Linux\n".into(),
    }
}

fn test(args: &[&str], world: &World<'_>) -> Done {
    let args: Vec<&str> = args.iter().copied().filter(|a| !matches!(*a, "]" | "]]")).collect();
    Done::is(holds(&args, world))
}

fn holds(args: &[&str], world: &World<'_>) -> bool {
    if let Some(at) = args.iter().position(|a| matches!(*a, "-o" | "||")) {
        return holds(&args[..at], world) || holds(&args[at + 1..], world);
    }
    if let Some(at) = args.iter().position(|a| matches!(*a, "-a" | "&&")) {
        return holds(&args[..at], world) && holds(&args[at + 1..], world);
    }
    let number = |text: &str| text.trim().parse::<i64>().unwrap_or(0);
    match *args {
        [] => false,
        ["!", ..] => !holds(&args[1..], world),
        [text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        ["-n", text] => !text.is_empty(),
        ["-f" | "-r" | "-x" | "-w", path] => world.files.read(path).is_some(),
        ["-s", path] => world.files.read(path).is_some_and(|text| !text.is_empty()),
        ["-d", path] => world.files.is_dir(path),
        ["-e", path] => world.files.read(path).is_some() || world.files.is_dir(path),
        [a, "=" | "==", b] => super::text::fits(b, a),
        [a, "!=", b] => a != b,
        [a, "-eq", b] => number(a) == number(b),
        [a, "-ne", b] => number(a) != number(b),
        [a, "-lt", b] => number(a) < number(b),
        [a, "-le", b] => number(a) <= number(b),
        [a, "-gt", b] => number(a) > number(b),
        [a, "-ge", b] => number(a) >= number(b),
        _ => false,
    }
}

fn seq(args: &[&str]) -> Done {
    let n = |at: usize| args.get(at).and_then(|a| a.parse::<i64>().ok());
    let (first, step, last) = match args.len() {
        1 => (Some(1), Some(1), n(0)),
        2 => (n(0), Some(1), n(1)),
        _ => (n(0), n(1), n(2)),
    };
    let (Some(first), Some(step), Some(last)) = (first, step, last) else {
        return Done::fail("seq: invalid number\n", 1);
    };
    let mut out = String::new();
    let mut at = first;
    for _ in 0..10_000 {
        if step == 0 || (step > 0 && at > last) || (step < 0 && at < last) {
            break;
        }
        out += &format!("{at}\n");
        at = at.saturating_add(step);
    }
    Done::ok(out)
}

fn special(path: &str, world: &World<'_>) -> Option<String> {
    Some(match path {
        "/dev/null" => String::new(),
        "/etc/hostname" => format!("{}\n", world.hostname),
        "/etc/hosts" => {
            let ip = world.ip.map(|ip| ip.to_string()).unwrap_or_default();
            format!(
                "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n{ip}\t{}\n",
                world.hostname
            )
        }
        "/etc/os-release" => "NAME=\"Linux\"\nID=linux\n".into(),
        "/proc/cpuinfo" => "processor\t: 0\n".into(),
        _ => return None,
    })
}

pub(super) fn read(path: &str, world: &World<'_>) -> Option<String> {
    world.files.read(path).map(|text| text.to_string()).or_else(|| special(path, world))
}

fn cat(paths: &[&str], stdin: Option<String>, world: &World<'_>) -> Done {
    let (mut out, mut err, mut status) = (String::new(), String::new(), 0);
    if paths.is_empty() {
        match stdin {
            Some(text) => out = text,
            None => return Done::Forever(String::new()),
        }
    }
    for path in paths {
        match read(path, world) {
            Some(text) => out += &text,
            None => {
                let why = if world.files.is_dir(path) {
                    "read error: Is a directory".to_string()
                } else {
                    format!("can't open '{path}': No such file or directory")
                };
                err += &format!("cat: {why}\n");
                status = 1;
            }
        }
    }
    Done::Text { out, err, status }
}

fn ls(args: &[&str], world: &World<'_>) -> Done {
    let paths: Vec<&str> = args.iter().copied().filter(|a| !a.starts_with('-')).collect();
    let paths = if paths.is_empty() { vec!["/"] } else { paths };
    let (mut out, mut err, mut status) = (String::new(), String::new(), 0);
    for path in paths {
        if world.files.read(path).is_some() {
            out += &format!("{path}\n");
        } else if world.files.is_dir(path) {
            world.files.list(path).iter().for_each(|name| out += &format!("{name}\n"));
        } else {
            err += &format!("ls: {path}: No such file or directory\n");
            status = 1;
        }
    }
    Done::Text { out, err, status }
}

fn write_all(paths: &[&str], text: &str, append: bool, world: &mut World<'_>) -> Done {
    for path in paths {
        if let Err(why) = world.files.write(path, text, append) {
            return Done::fail(format!("touch: {path}: {why}\n"), 1);
        }
    }
    Done::ok("")
}

fn copy(name: &str, paths: &[&str], world: &mut World<'_>) -> Done {
    let [from @ .., to] = paths else { return Done::fail(format!("{name}: missing operand\n"), 1) };
    for source in from {
        let Some(text) = read(source, world) else {
            let why = "No such file or directory";
            return Done::fail(format!("{name}: can't stat '{source}': {why}\n"), 1);
        };
        let target = if world.files.is_dir(to) {
            format!("{to}/{}", source.rsplit('/').next().unwrap_or_default())
        } else {
            to.to_string()
        };
        if let Err(why) = world.files.write(&target, &text, false) {
            return Done::fail(format!("{name}: can't create '{target}': {why}\n"), 1);
        }
        if name == "mv" {
            world.files.remove(source);
        }
    }
    Done::ok("")
}
