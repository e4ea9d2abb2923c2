//! Commands that read text and print some of it: head, tail, grep, cut, sed and their kin.

use super::builtin::{Done, read, unescape};
use super::vm::World;

/// Runs one of them.
pub fn filter(name: &str, args: &[&str], stdin: Option<String>, world: &World<'_>) -> Done {
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
                base::sort::by_key(&mut lines, |l| l.trim().parse::<i64>().unwrap_or(0));
            } else {
                base::sort::naturally(&mut lines);
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
