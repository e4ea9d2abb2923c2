//! The commands of a small userland: what busybox, coreutils, curl and wget do in examples.

use api::time::Civil;
use base::{Duration, Instant, Str};
use network::{Call, HttpRequest, Origin, Outcome, Payload, Response, To, Trace, What};

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

/// The program that waits for a network call.
#[derive(Clone, Debug, PartialEq)]
pub enum Tool {
    /// wget, with its output file (`-` for standard output) and whether it is quiet.
    Wget(String, bool, String),
    /// curl, with its output file.
    Curl {
        /// The output file, if any.
        file: Option<String>,
        /// Only errors are shown of failures.
        silent: bool,
        /// Fails on HTTP errors.
        fail: bool,
        /// Shows the response's head.
        head: bool,
        /// What `-w` writes.
        format: String,
        /// Host and port as written.
        host: String,
        /// The port.
        port: u16,
    },
    /// nc, with host and port.
    Nc(String, u16, bool),
    /// nslookup and its kin.
    Lookup(String, bool),
    /// ping.
    Ping(String),
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
        "dd" | "stress" | "yes" | "top" | "watch" => Done::Forever(String::new()),
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

fn unescape(text: &str) -> String {
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

fn read(path: &str, world: &World<'_>) -> Option<String> {
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

fn filter(name: &str, args: &[&str], stdin: Option<String>, world: &World<'_>) -> Done {
    if name == "tail"
        && args.iter().any(|a| a.starts_with('-') && (a.contains('f') || a.contains('F')))
    {
        let path = args.iter().rev().find(|a| a.starts_with('/')).copied().unwrap_or_default();
        return Done::Forever(read(path, world).unwrap_or_default());
    }
    let takes =
        |flag: &str| matches!((name, flag), ("tail" | "head", "-n" | "-c") | ("cut", "-d" | "-f"));
    let mut operands = Vec::new();
    let value = |flag: &str| {
        let at = args.iter().position(|a| a.starts_with(flag))?;
        let joined = args[at].strip_prefix(flag).filter(|rest| !rest.is_empty());
        joined.or_else(|| args.get(at + 1).copied()).map(str::to_string)
    };
    let (n, d, f) = (value("-n"), value("-d"), value("-f"));
    let mut skip = false;
    for arg in args {
        if std::mem::take(&mut skip) {
            continue;
        }
        skip = takes(arg);
        if !arg.starts_with('-') || *arg == "-" {
            operands.push(*arg);
        }
    }
    let pattern = matches!(name, "grep" | "sed" | "tr" | "awk");
    let files = if pattern {
        operands.get(if name == "tr" { 2 } else { 1 }..)
    } else {
        Some(&operands[..])
    };
    let text = match files.and_then(<[&str]>::first) {
        Some(path) => match read(path, world) {
            Some(text) => text,
            None => return Done::fail(format!("{name}: {path}: No such file or directory\n"), 1),
        },
        None => stdin.unwrap_or_default(),
    };
    let count: usize = n.and_then(|n| n.trim_start_matches('+').parse().ok()).unwrap_or(10);
    let lines: Vec<&str> = text.lines().collect();
    let has = |flag: char| args.iter().any(|a| a.starts_with('-') && a.contains(flag));
    let all =
        |lines: Vec<String>| Done::ok(lines.iter().map(|l| format!("{l}\n")).collect::<String>());
    let own = |lines: &[&str]| lines.iter().map(|l| l.to_string()).collect::<Vec<_>>();
    match name {
        "head" => all(own(&lines[..count.min(lines.len())])),
        "tail" => all(own(&lines[lines.len().saturating_sub(count)..])),
        "wc" if has('l') => Done::ok(format!("{}\n", lines.len())),
        "wc" if has('w') => Done::ok(format!("{}\n", text.split_whitespace().count())),
        "wc" => Done::ok(format!("{}\n", text.len())),
        "grep" => {
            let wanted = operands.first().copied().unwrap_or_default();
            let wanted = wanted.trim_start_matches('^').trim_end_matches('$');
            let hit = |line: &&&str| {
                let found = if has('i') {
                    line.to_lowercase().contains(&wanted.to_lowercase())
                } else {
                    line.contains(wanted)
                };
                found != has('v')
            };
            let found: Vec<&str> = lines.iter().filter(hit).copied().collect();
            let status = i32::from(found.is_empty());
            let out = if has('q') {
                String::new()
            } else if has('c') {
                format!("{}\n", found.len())
            } else {
                found.iter().map(|l| format!("{l}\n")).collect()
            };
            Done::Text { out, err: String::new(), status }
        }
        "cut" => {
            let delimiter = d.and_then(|d| d.chars().next()).unwrap_or('\t');
            let field: usize = f.and_then(|f| f.parse().ok()).unwrap_or(1);
            let cut = |line: &&str| {
                line.split(delimiter).nth(field.saturating_sub(1)).unwrap_or_default().to_string()
            };
            all(lines.iter().map(cut).collect())
        }
        "tr" => Done::ok(translate(&text, &operands)),
        "sort" => {
            let mut lines = own(&lines);
            if has('n') {
                lines.sort_by_key(|l| l.trim().parse::<i64>().unwrap_or(0));
            } else {
                lines.sort();
            }
            if has('r') {
                lines.reverse();
            }
            all(lines)
        }
        "uniq" => {
            let mut lines = own(&lines);
            lines.dedup();
            all(lines)
        }
        "sed" => {
            all(lines.iter().map(|l| substitute(l, operands.first().unwrap_or(&""))).collect())
        }
        "rev" => all(lines.iter().map(|l| l.chars().rev().collect()).collect()),
        _ => Done::ok(awk(&lines, operands.first().copied().unwrap_or_default())),
    }
}

fn translate(text: &str, operands: &[&str]) -> String {
    let set = |at: usize| -> Vec<char> {
        match operands.get(at).copied().unwrap_or_default() {
            "a-z" | "[:lower:]" => ('a'..='z').collect(),
            "A-Z" | "[:upper:]" => ('A'..='Z').collect(),
            other => unescape(other).chars().collect(),
        }
    };
    let (from, to) = (set(0), set(1));
    text.chars()
        .filter_map(|c| match from.iter().position(|f| *f == c) {
            Some(at) => to.get(at).or(to.last()).copied(),
            None => Some(c),
        })
        .collect()
}

/// `s/plain text/other/`, with or without `g`.
fn substitute(line: &str, script: &str) -> String {
    let mut chars = script.chars();
    let (Some('s'), Some(mark)) = (chars.next(), chars.next()) else { return line.to_string() };
    let parts: Vec<&str> = script[2..].split(mark).collect();
    match parts.as_slice() {
        [from, to, flags, ..] if flags.contains('g') => line.replace(from, to),
        [from, to, ..] => line.replacen(from, to, 1),
        _ => line.to_string(),
    }
}

/// `{print $N}`.
fn awk(lines: &[&str], script: &str) -> String {
    let field = script.split_once('$').map(|(_, rest)| rest.trim_end_matches([' ', '}']));
    let n: usize = field.and_then(|f| f.parse().ok()).unwrap_or(0);
    let pick = |line: &&str| match n {
        0 => format!("{line}\n"),
        n => format!("{}\n", line.split_whitespace().nth(n - 1).unwrap_or_default()),
    };
    lines.iter().map(pick).collect()
}

fn call(world: &World<'_>, host: &str, port: u16, payload: Payload, wait: i64, tool: Tool) -> Done {
    let Some(ip) = world.ip else { return Done::fail("network is down\n", 1) };
    let to = host.parse().map_or_else(|_| To::Name(host.into()), To::Ip);
    let mut call = Call::new(Origin::Pod(ip), to, port, payload);
    call.timeout = Duration::secs(wait);
    Done::Call(Box::new(call), tool)
}

struct Url {
    tls: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

fn url(text: &str) -> Url {
    let tls = text.starts_with("https://");
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
    let default = if tls { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(']') || host.starts_with('[') => {
            (host, port.parse().unwrap_or(default))
        }
        _ => (authority, default),
    };
    let host = host.trim_matches(['[', ']']).to_string();
    Url { tls, host, port, authority: authority.to_string(), path }
}

fn request(url: &Url, method: &str, headers: Vec<(Str, Str)>, body: &str) -> Payload {
    let mut host: Str = url.authority.as_str().into();
    let mut rest = Vec::new();
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("host") {
            host = value;
        } else {
            rest.push((name, value));
        }
    }
    Payload::Http(HttpRequest {
        method: method.into(),
        tls: url.tls,
        host,
        path: url.path.as_str().into(),
        headers: rest,
        body: body.into(),
    })
}

fn wget(args: &[&str], world: &World<'_>) -> Done {
    let (mut file, mut quiet, mut wait, mut target) = (None, false, 900, None);
    let (mut body, mut headers, mut spider) = (None, Vec::new(), false);
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        at += 1;
        match *arg {
            "--spider" => spider = true,
            "-T" | "--timeout" => {
                wait = args.get(at).and_then(|n| n.parse().ok()).unwrap_or(wait);
                at += 1;
            }
            "-O" | "-qO" | "--output-document" => {
                quiet |= *arg == "-qO";
                file = args.get(at).map(|f| f.to_string());
                at += 1;
            }
            "--header" => {
                headers.extend(args.get(at).and_then(|h| header(h)));
                at += 1;
            }
            arg if arg.starts_with("--timeout=") => wait = arg[10..].parse().unwrap_or(wait),
            arg if arg.starts_with("--header=") => headers.extend(header(&arg[9..])),
            arg if arg.starts_with("--post-data=") => body = Some(arg[12..].to_string()),
            arg if arg.starts_with("-T") => wait = arg[2..].parse().unwrap_or(wait),
            arg if arg.starts_with('-') && !arg.starts_with("--") => {
                quiet |= arg.contains('q');
                if let Some((_, name)) = arg.split_once('O') {
                    if name.is_empty() {
                        file = args.get(at).map(|f| f.to_string());
                        at += 1;
                    } else {
                        file = Some(name.to_string());
                    }
                }
            }
            arg if arg.starts_with('-') => {}
            arg => target = Some(arg),
        }
    }
    let Some(target) = target else { return Done::fail("wget: missing URL\n", 1) };
    let url = url(target);
    let last = url.path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("index.html");
    let file = file.unwrap_or_else(|| if spider { "/dev/null".into() } else { last.to_string() });
    let method = if body.is_some() { "POST" } else { "GET" };
    let payload = request(&url, method, headers, body.as_deref().unwrap_or_default());
    call(world, &url.host, url.port, payload, wait, Tool::Wget(file, quiet, url.authority.clone()))
}

fn header(text: &str) -> Option<(Str, Str)> {
    text.split_once(':').map(|(name, value)| (name.trim().into(), value.trim().into()))
}

fn curl(args: &[&str], world: &World<'_>) -> Done {
    let (mut file, mut silent, mut fail, mut head, mut wait) = (None, false, false, false, 300);
    let (mut show, mut target, mut method, mut body) = (false, None, None, String::new());
    let (mut headers, mut format) = (Vec::new(), String::new());
    let mut at = 0;
    while let Some(arg) = args.get(at).copied() {
        at += 1;
        let mut value = || {
            at += 1;
            args.get(at - 1).copied().unwrap_or_default().to_string()
        };
        match arg {
            "-o" | "--output" => file = Some(value()),
            "-w" | "--write-out" => format = value(),
            "-H" | "--header" => headers.extend(header(&value())),
            "-X" | "--request" => method = Some(value()),
            "-d" | "--data" | "--data-raw" => body = value(),
            "-m" | "--max-time" | "--connect-timeout" => {
                wait = value().parse::<f64>().map_or(wait, |s| s.ceil() as i64)
            }
            "-A" | "-u" | "-b" | "-e" | "--retry" | "--resolve" | "--cacert" | "--retry-delay" => {
                drop(value())
            }
            "--silent" => silent = true,
            "--show-error" => show = true,
            "--fail" => fail = true,
            "--head" => (head, method) = (true, Some("HEAD".into())),
            "--include" => head = true,
            _ if arg.starts_with("--") => {}
            _ if arg.starts_with('-') && arg.len() > 1 => {
                silent |= arg.contains('s');
                show |= arg.contains('S');
                fail |= arg.contains('f');
                head |= arg.contains('i') || arg.contains('I');
                if arg.contains('I') {
                    method = Some("HEAD".into());
                }
                if arg.ends_with('o') {
                    file = Some(value());
                } else if arg.ends_with('m') {
                    wait = value().parse().unwrap_or(wait);
                } else if arg.ends_with('w') {
                    format = value();
                }
            }
            _ => target = Some(arg),
        }
    }
    let Some(target) = target else {
        return Done::fail("curl: try 'curl --help' or 'curl --manual' for more information\n", 2);
    };
    let url = url(target);
    let method = method.unwrap_or_else(|| if body.is_empty() { "GET" } else { "POST" }.to_string());
    headers.push((base::lit!("User-Agent"), base::lit!("curl/8.14.1")));
    let payload = request(&url, &method, headers, &body);
    let silent = silent && !show;
    let (host, port) = (url.host.clone(), url.port);
    let tool = Tool::Curl { file, silent, fail, head, format, host, port };
    call(world, &url.host, url.port, payload, wait, tool)
}

fn nc(args: &[&str], world: &World<'_>) -> Done {
    if args.iter().any(|a| a.starts_with('-') && a.contains('l')) {
        let port = args.iter().rev().find_map(|a| a.trim_start_matches('-').parse().ok());
        return match port {
            Some(port) => Done::Serve(Box::new(Server::tcp(port))),
            None => Done::Forever(String::new()),
        };
    }
    let verbose = args.iter().any(|a| a.starts_with('-') && a.contains('v'));
    let mut wait = 30;
    let mut plain = Vec::new();
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        at += 1;
        if arg.starts_with('-') && arg.ends_with('w') {
            wait = args.get(at).and_then(|n| n.parse().ok()).unwrap_or(wait);
            at += 1;
        } else if !arg.starts_with('-') {
            plain.push(*arg);
        }
    }
    match plain.as_slice() {
        [host, port, ..] => {
            let port = port.parse().unwrap_or(0);
            call(
                world,
                host,
                port,
                Payload::Connect,
                wait,
                Tool::Nc(host.to_string(), port, verbose),
            )
        }
        _ => Done::fail("nc: bad address\n", 1),
    }
}

fn lookup(name: &str, plain: &[&str], args: &[&str], world: &World<'_>) -> Done {
    let short = args.contains(&"+short") || name == "getent";
    let host = match (name, plain) {
        ("getent", [_, host, ..]) | (_, [host, ..]) => host.to_string(),
        _ => return Done::fail(format!("{name}: missing name\n"), 1),
    };
    call(world, &host.clone(), 9, Payload::Connect, 5, Tool::Lookup(host, short))
}

impl Tool {
    /// What the program prints and returns once its call has ended.
    pub fn finish(&self, trace: &Trace, world: &mut World<'_>) -> Done {
        match self {
            Tool::Wget(file, quiet, host) => finish_wget(trace, file, *quiet, host, world),
            Tool::Curl { .. } => self.finish_curl(trace, world),
            Tool::Nc(host, port, verbose) => match (&trace.outcome, verbose) {
                (_, true) if trace.connected() => Done::Text {
                    out: String::new(),
                    err: format!("{host} ({host}:{port}) open\n"),
                    status: 0,
                },
                (_, false) if trace.connected() => Done::ok(""),
                (outcome, _) => {
                    Done::fail(format!("nc: {host} ({host}:{port}): {}\n", reason(outcome)), 1)
                }
            },
            Tool::Lookup(name, short) => finish_lookup(trace, name, *short),
            Tool::Ping(host) => match &trace.outcome {
                Outcome::Unresolved { .. } => {
                    Done::fail(format!("ping: bad address '{host}'\n"), 1)
                }
                Outcome::ConnectTimeout(_) => Done::fail(
                    format!(
                        "PING {host}: 56 data bytes\n\n--- {host} ping statistics ---\n1 packets transmitted, 0 packets received, 100% packet loss\n"
                    ),
                    1,
                ),
                _ => Done::ok(format!(
                    "PING {host}: 56 data bytes\n64 bytes from {host}: seq=0 ttl=62 time={:.3} ms\n",
                    trace.latency.as_secs_f64() * 1e3
                )),
            },
        }
    }

    fn finish_curl(&self, trace: &Trace, world: &mut World<'_>) -> Done {
        let Tool::Curl { file, silent, fail, head, format, host, port } = self else {
            return Done::fail("", 1);
        };
        let millis = trace.latency.as_millis();
        let (mut out, mut err, mut code) = (String::new(), String::new(), 0);
        let mut status = 0;
        match &trace.outcome {
            Outcome::Answered(Response::Http(response)) => {
                status = response.status;
                if *head {
                    out += &format!("HTTP/1.1 {} {}\r\n", response.status, response.reason());
                    response.headers.iter().for_each(|(n, v)| out += &format!("{n}: {v}\r\n"));
                    out += "\r\n";
                }
                if *fail && response.status >= 400 {
                    err = format!(
                        "curl: (22) The requested URL returned error: {}\n",
                        response.status
                    );
                    code = 22;
                } else {
                    out += &response.body;
                }
            }
            Outcome::Answered(Response::Text(text)) => out += text,
            Outcome::Answered(_) => {
                err = "curl: (52) Empty reply from server\n".into();
                code = 52;
            }
            Outcome::Unresolved { name, .. } => {
                err = format!("curl: (6) Could not resolve host: {name}\n");
                code = 6;
            }
            Outcome::Refused(_) => {
                err = format!(
                    "curl: (7) Failed to connect to {host} port {port} after {millis} ms: Could not connect to server\n"
                );
                code = 7;
            }
            Outcome::Reset(_) => {
                err = "curl: (56) Recv failure: Connection reset by peer\n".into();
                code = 56;
            }
            Outcome::ConnectTimeout(_) => {
                err = format!("curl: (28) Connection timed out after {millis} milliseconds\n");
                code = 28;
            }
            Outcome::AnswerTimeout(_) => {
                err = format!(
                    "curl: (28) Operation timed out after {millis} milliseconds with 0 bytes received\n"
                );
                code = 28;
            }
        }
        if let Some(file) = file {
            let _ = world.files.write(file, &out, false);
            out.clear();
        }
        let time = format!("{:.6}", trace.latency.as_secs_f64());
        out += &unescape(format)
            .replace("%{http_code}", &format!("{status:03}"))
            .replace("%{response_code}", &format!("{status:03}"))
            .replace("%{time_total}", &time);
        if *silent {
            err.clear();
        }
        Done::Text { out, err, status: code }
    }
}

fn finish_wget(trace: &Trace, file: &str, quiet: bool, host: &str, world: &mut World<'_>) -> Done {
    let say = |text: String| if quiet { String::new() } else { text };
    let body = match &trace.outcome {
        Outcome::Answered(Response::Http(response)) if response.status < 400 => {
            response.body.clone()
        }
        Outcome::Answered(Response::Http(response)) => {
            let (status, words) = (response.status, response.reason());
            return Done::fail(
                format!("wget: server returned error: HTTP/1.1 {status} {words}\n"),
                1,
            );
        }
        Outcome::Answered(_) => return Done::fail("wget: error getting response\n", 1),
        Outcome::AnswerTimeout(_) => return Done::fail("wget: download timed out\n", 1),
        Outcome::Unresolved { name, .. } => {
            return Done::fail(format!("wget: bad address '{name}'\n"), 1);
        }
        Outcome::Reset(_) => {
            return Done::fail("wget: error getting response: Connection reset by peer\n", 1);
        }
        Outcome::Refused(at) | Outcome::ConnectTimeout(at) => {
            let why = reason(&trace.outcome);
            return Done::fail(
                format!("wget: can't connect to remote host ({}): {why}\n", at.ip()),
                1,
            );
        }
    };
    let mut err = say(format!("Connecting to {host}\n"));
    if file == "-" {
        return Done::Text { out: body.to_string(), err, status: 0 };
    }
    if let Err(why) = world.files.write(file, &body, false) {
        return Done::fail(format!("wget: can't open '{file}': {why}\n"), 1);
    }
    err += &say(format!("saving to '{file}'\n'{file}' saved\n"));
    Done::Text { out: String::new(), err, status: 0 }
}

fn reason(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Refused(_) => "Connection refused",
        Outcome::Unresolved { .. } => "bad address",
        _ => "Connection timed out",
    }
}

fn finish_lookup(trace: &Trace, name: &str, short: bool) -> Done {
    let resolve = trace.hops.iter().find_map(|hop| match &hop.what {
        What::Resolve { server, tried, found, .. } => Some((server, tried, found)),
        _ => None,
    });
    let Some((server, tried, found)) = resolve else {
        return Done::fail(format!("nslookup: can't resolve '{name}'\n"), 1);
    };
    if short {
        let out: String = found.iter().map(|ip| format!("{ip}\n")).collect();
        return Done::Text { status: i32::from(found.is_empty()), err: String::new(), out };
    }
    let mut out = String::new();
    if let Some(server) = server {
        out += &format!("Server:\t\t{}\nAddress:\t{server}\n\n", server.ip());
    }
    if found.is_empty() {
        out += &format!("** server can't find {name}: NXDOMAIN\n\n");
        return Done::Text { out, err: String::new(), status: 1 };
    }
    let full = tried.iter().rev().find(|(_, exists)| *exists);
    let full = full.map_or(name, |(full, _)| full.trim_end_matches('.'));
    found.iter().for_each(|ip| out += &format!("Name:\t{full}\nAddress: {ip}\n"));
    out.push('\n');
    Done::ok(out)
}
