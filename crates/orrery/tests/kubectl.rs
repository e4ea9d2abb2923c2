//! A tour through `orrery serve` with the real kubectl, as `kubectl/tour.txt` tells it.
//!
//! Runs where a kubectl is on the path, and says so where there is none.

mod server;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use server::Server;

/// No command may take longer.
const COMMAND_MAX: Duration = Duration::from_secs(150);

/// A command of the tour, and what is expected of it.
struct Step<'a> {
    line: &'a str,
    /// When it is interrupted.
    limit: Option<Duration>,
    exit: i32,
    fragments: Vec<&'a str>,
}

fn steps(text: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(command) = line.strip_prefix("$ ") {
            let first =
                command.split_once("s ").and_then(|(n, rest)| Some((n.parse().ok()?, rest)));
            let (limit, line) = match first {
                Some((seconds, rest)) => (Some(Duration::from_secs(seconds)), rest),
                None => (None, command),
            };
            steps.push(Step { line, limit, exit: 0, fragments: Vec::new() });
            continue;
        }
        let step = steps.last_mut().expect("the tour begins with a command");
        match line.strip_prefix("exit ") {
            Some(code) => step.exit = code.parse().expect("an exit code"),
            None => step.fragments.push(line),
        }
    }
    steps
}

/// Runs a command; its exit code (`None` if it was ended) and what it printed.
fn kubectl(server: &Server, step: &Step) -> (Option<i32>, String) {
    let file = server.dir.join("printed");
    let out = std::fs::File::create(&file).expect("a file for the output");
    let mut words = step.line.split(' ');
    let mut process = Command::new(words.next().expect("a program"))
        .args(words)
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/kubectl"))
        .env("KUBECONFIG", server.dir.join("kubeconfig"))
        .env("HOME", &server.dir)
        .env("KUBE_EDITOR", "sh editor.sh")
        .stdin(Stdio::null())
        .stderr(out.try_clone().expect("the same file"))
        .stdout(out)
        .spawn()
        .expect("kubectl starts");
    let end = Instant::now() + step.limit.unwrap_or(COMMAND_MAX);
    let code = loop {
        if let Some(status) = process.try_wait().expect("kubectl can be waited for") {
            break status.code();
        }
        if Instant::now() > end {
            process.kill().expect("kubectl can be ended");
            process.wait().expect("kubectl has ended");
            break None;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    (code, String::from_utf8_lossy(&std::fs::read(&file).expect("its output")).into_owned())
}

/// What is wrong with what a command did.
fn problem(server: &Server, step: &Step) -> Option<String> {
    let (code, printed) = kubectl(server, step);
    let ended_as_expected =
        if step.limit.is_some() { code.is_none() } else { code == Some(step.exit) };
    let missing: Vec<_> = step.fragments.iter().filter(|f| !printed.contains(**f)).collect();
    let fine = ended_as_expected && missing.is_empty();
    let wanted = format!("exit code {code:?}, wanted {}; missing {missing:?}", step.exit);
    (!fine).then(|| format!("$ {}\n{wanted}\n{printed}", step.line))
}

#[test]
fn the_real_kubectl_finds_what_it_knows() {
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        println!("not run: there is no kubectl on the path");
        return;
    }
    let steps = steps(include_str!("kubectl/tour.txt"));
    assert!(steps.len() >= 60, "the tour has {} commands", steps.len());
    let server = Server::start("kubectl", &[]);
    let problems: Vec<String> = steps.iter().filter_map(|step| problem(&server, step)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
