//! Killing and restarting a part of the control plane at any moment of any scenario ends in the same settled state.
//!
//! Every scenario is played once, with a checkpoint at every command. Then chance picks a scenario, a part and a moment,
//! again and again: from the checkpoint before it the run goes on to the moment, the part is killed, stays away for some
//! seconds, and is started anew with empty memory. The commands come when they came before. Wherever the scenario rests
//! long enough, and at its end, the objects must be what they were without the restart.
//!
//! `SWEEP=1000` takes so many moments, `SWEEP_SEED=7` others; `SCENARIO=name` stays with one scenario.

mod scripts;
mod settled;

use base::{Duration, Instant, Rng, Str};
use cluster::{Cluster, Command, Component, Entry, Fault};

use settled::{Ranges, Settled, difference};

/// So many moments are tried.
const MOMENTS: usize = 240;
/// The longest time for which a part is away.
const AWAY_MAX: Duration = Duration::secs(5);
/// A scenario rests where nothing is done for so long.
const REST: Duration = Duration::secs(30);
/// After a part was started anew, so much time is given before objects are compared.
const PATIENCE: Duration = Duration::secs(25);

/// Compared at their end alone. When a node fails, upstream counts the time that pods tolerate it anew after a
/// restart, and it is chance on which node a pod was.
const AT_THE_END: &[&str] = &["node", "autoscaling"];

/// What is restarted; the last only where there is a cloud.
const PARTS: &[Component] =
    &[Component::ControllerManager, Component::Scheduler, Component::CloudControllerManager];

/// A scenario as it went without a restart.
struct Run {
    name: String,
    log: Vec<Entry>,
    /// The cluster before each command of the log, and where it stands in the log.
    checkpoints: Vec<(Instant, usize, Cluster)>,
    /// What there was at each rest.
    rests: Vec<(Instant, Settled)>,
    begin: Instant,
    end: Instant,
}

impl Run {
    fn of(written: &scripts::Written) -> Run {
        let played = written.script.play().unwrap_or_else(|why| panic!("{}: {why}", written.name));
        let mut cluster = written.script.start().expect("it started before");
        let begin = cluster.now();
        let known = cluster.log().len();
        let log: Vec<Entry> = played.cluster.log()[known..].to_vec();
        let end = played.cluster.now() + REST * 2;
        let mut stops: Vec<Instant> =
            played.runs.iter().filter(|(_, span)| *span >= REST).map(|(at, _)| *at).collect();
        stops.push(end);
        let (mut checkpoints, mut rests) = (Vec::new(), Vec::new());
        let mut stops = stops.into_iter().peekable();
        for (number, entry) in log.iter().enumerate() {
            while let Some(stop) = stops.next_if(|stop| *stop <= entry.at) {
                cluster.run_until(stop);
                rests.push((stop, Settled::of(&cluster)));
            }
            cluster.run_until(entry.at);
            checkpoints.push((entry.at, number, cluster.clone()));
            cluster.command(entry.command.clone());
        }
        for stop in stops {
            cluster.run_until(stop);
            rests.push((stop, Settled::of(&cluster)));
        }
        Run { name: written.name.clone(), log, checkpoints, rests, begin, end }
    }

    /// Whether the scenario itself leaves the part alone, and running, from `moment` on for a while.
    fn is_running(&self, part: Component, moment: Instant, away: Duration) -> bool {
        let touched = |entry: &&Entry| matches!(&entry.command, Command::Fault(Fault::Unplug(c, _) | Fault::ShutDown(c, _) | Fault::Plug(c, _)) if *c == part);
        let runs = |entry: &Entry| matches!(entry.command, Command::Fault(Fault::Plug(..)));
        let back = moment + away;
        let last = self.log.iter().filter(touched).rfind(|entry| entry.at <= moment);
        let later =
            self.log.iter().filter(touched).any(|entry| moment < entry.at && entry.at <= back);
        last.is_none_or(runs) && !later
    }

    /// What differs after `part` was away from `moment` on for a while.
    fn restarted(&self, part: Component, moment: Instant, away: Duration) -> Option<String> {
        let before = self.checkpoints.iter().rev().find(|(at, ..)| *at <= moment)?;
        let (mut cluster, back) = (before.2.clone(), moment + away);
        let mut faults =
            [(moment, Fault::Unplug(part, Str::new())), (back, Fault::Plug(part, Str::new()))]
                .into_iter()
                .peekable();
        let mut rests = self.rests.iter().filter(|(at, _)| *at > moment).peekable();
        let mut entries = self.log[before.1..].iter().peekable();
        let mut known = None;
        loop {
            let next = [
                faults.peek().map(|(at, _)| (*at, 0)),
                rests.peek().map(|(at, _)| (*at, 1)),
                entries.peek().map(|entry| (entry.at, 2)),
            ];
            let (at, what) = next.into_iter().flatten().min()?;
            cluster.run_until(at);
            match what {
                0 => {
                    known.get_or_insert_with(|| settled::ranges(&cluster));
                    cluster.command(Command::Fault(faults.next()?.1));
                }
                1 => {
                    let (at, expected) = rests.next()?;
                    let is_end = *at == self.end;
                    let is_quiet = self.last_command(*at) + PATIENCE <= *at
                        && !AT_THE_END.contains(&self.name.as_str());
                    if back + PATIENCE <= *at && is_quiet || is_end {
                        let found = Settled::of(&cluster);
                        let moved = known.as_ref().and_then(|known| moved(known, &cluster));
                        if let Some(why) = moved.or_else(|| difference(expected, &found)) {
                            return Some(format!("at {:?}: {why}", *at - Instant::START));
                        }
                    }
                }
                _ => cluster.command(entries.next()?.command.clone()),
            }
        }
    }

    fn last_command(&self, before: Instant) -> Instant {
        let earlier = self.log.iter().rev().find(|entry| entry.at < before);
        earlier.map_or(self.begin, |entry| entry.at)
    }
}

/// A node that was there before and has another range of pod addresses now.
fn moved(before: &Ranges, cluster: &Cluster) -> Option<String> {
    let now = settled::ranges(cluster);
    let moved = |(uid, range): (&Str, &Str)| {
        let new = now.get(uid).filter(|new| *new != range && !range.is_empty())?;
        Some(format!("the node with the range {range} has {new:?} now"))
    };
    before.iter().find_map(moved)
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn a_restart_at_any_moment_ends_in_the_same_settled_state() {
    let runs: Vec<Run> = scripts::all().iter().map(Run::of).collect();
    let (moments, seed) = (number("SWEEP", MOMENTS as u64), number("SWEEP_SEED", 1));
    let mut rng = Rng::stream(seed, "restarts");
    let mut wrong = Vec::new();
    let mut done = 0;
    while done < moments {
        // All scenarios in turn, so that each gets its share.
        let run = &runs[done as usize % runs.len()];
        let has_cloud = run.checkpoints.iter().any(|(.., cluster)| cluster.cloud().is_some());
        let parts = PARTS.len() - usize::from(!has_cloud);
        let part = PARTS[rng.below(parts as u64) as usize];
        let span = (run.end - run.begin).as_micros();
        let moment = run.begin + Duration::micros(rng.between(0, span - 1));
        let away = Duration::micros(rng.between(0, AWAY_MAX.as_micros()));
        if !run.is_running(part, moment, away) {
            continue;
        }
        done += 1;
        if let Some(why) = run.restarted(part, moment, away) {
            let (name, part) = (&run.name, part.as_str());
            let at = moment - Instant::START;
            wrong.push(format!("{name}: {part} killed at {at:?} for {away:?}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {moments}:\n{}", wrong.len(), wrong.join("\n"));
}
