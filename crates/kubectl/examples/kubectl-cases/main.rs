//! Descriptions and lists that a real kubectl printed, against ours over the same objects.
//!
//! Takes the folder of recorded cases (the recorded runs lie beside it, in `golden`) and `--show N`. Of every
//! recorded `kubectl describe`, `get -o custom-columns`, `rollout history` and the like, our text has to be equal
//! over one of the snapshots of the run, at some moment close to it.

mod recorded;

use std::path::{Path, PathBuf};

use api::Json;
use base::{Duration, Instant};
use kubectl::Session;
use recorded::Recorded;

/// Commands whose text depends on nothing but the objects of a snapshot and the time.
const FORMS: &[&str] = &[
    "kubectl describe ",
    "kubectl rollout history ",
    "kubectl get events --field-selector reason=FailedScheduling -o custom-columns",
];

/// Recorded at moments of which there is no snapshot.
const UNSEEN: &[(&str, &str)] = &[
    ("02-deployment-rollout", "kubectl rollout history deployment/web"),
    ("06-job", "kubectl describe job suspended"),
    ("10-configmap-secret", "kubectl describe cm frozen"),
];

fn main() {
    let mut args = std::env::args().skip(1);
    let (mut dir, mut show) = (PathBuf::from("../shared/cases"), 0usize);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--show" => show = args.next().and_then(|n| n.parse().ok()).unwrap_or(0),
            path => dir = path.into(),
        }
    }
    let golden = dir.join("../golden");
    let mut runs: Vec<PathBuf> = std::fs::read_dir(&golden)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    runs.sort();
    let mut all_pass = true;
    for run in runs.iter().filter(|run| run.join("transcript.jsonl").exists()) {
        let (passed, total) = check(run, &mut show);
        if total > 0 {
            let name = run.file_name().map(|name| name.to_string_lossy().into_owned());
            println!("golden/{} {passed}/{total}", name.unwrap_or_default());
            all_pass &= passed == total;
        }
    }
    if !all_pass {
        std::process::exit(1);
    }
}

fn check(run: &Path, show: &mut usize) -> (usize, usize) {
    let snapshots = Recorded::read_all(run);
    let transcript = std::fs::read_to_string(run.join("transcript.jsonl")).unwrap_or_default();
    let (mut passed, mut total) = (0, 0);
    for line in transcript.lines() {
        let Ok(entry) = Json::parse(line.as_bytes()) else { continue };
        let text = |key: &str| entry.get(key).and_then(Json::as_str).unwrap_or("").to_string();
        let command = text("cmd");
        let is_unseen =
            UNSEEN.iter().any(|(name, unseen)| run.ends_with(name) && command == *unseen);
        if is_unseen {
            continue;
        }
        if !FORMS.iter().any(|form| command.starts_with(form)) || text("stdout").is_empty() {
            continue;
        }
        total += 1;
        let wanted = text("stdout");
        match closest(&snapshots, &command, &wanted) {
            None => passed += 1,
            Some(best) if *show > 0 => {
                *show -= 1;
                println!("$ {command}");
                differences(&wanted, &best);
            }
            Some(_) => {}
        }
    }
    (passed, total)
}

/// `None` where some snapshot gives the wanted text; else the closest other text.
fn closest(snapshots: &[Recorded], command: &str, wanted: &str) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    for snapshot in snapshots {
        for step in -80..80 {
            let now = snapshot.last + Duration::millis(step * 250);
            let ours = run_at(snapshot, command, now);
            if ours == wanted {
                return None;
            }
            let wrong = lines_that_differ(wanted, &ours);
            if best.as_ref().is_none_or(|(least, _)| wrong < *least) {
                best = Some((wrong, ours));
            }
        }
    }
    best.map(|(_, text)| text)
}

fn run_at(snapshot: &Recorded, command: &str, now: Instant) -> String {
    Session::start(command).advance(now, &mut snapshot.clone()).text
}

fn lines_that_differ(wanted: &str, ours: &str) -> usize {
    let ours: Vec<&str> = ours.lines().collect();
    wanted.lines().filter(|line| !ours.contains(line)).count()
        + ours.len().abs_diff(wanted.lines().count())
}

fn differences(wanted: &str, ours: &str) {
    let (a, b): (Vec<&str>, Vec<&str>) = (wanted.lines().collect(), ours.lines().collect());
    for i in 0..a.len().max(b.len()) {
        let (x, y) = (a.get(i), b.get(i));
        if x != y {
            println!("  - {}\n  + {}", x.unwrap_or(&"(nothing)"), y.unwrap_or(&"(nothing)"));
        }
    }
}
