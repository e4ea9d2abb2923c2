//! What repeats the run, kept outside the host: a crash leaves the host as it was in the middle of its work.

use base::{Duration, Instant};
use cluster::{Entry, write_log};
use protocol::{BUILD, Command};
use scenario::{Report, Seen};

use crate::Host;
use crate::host::input;
use crate::run::Run;

/// The log of one cluster as text, and the last moment at which all was well.
#[derive(Default)]
pub struct Record {
    boot: u32,
    scenario: String,
    seed: String,
    log: String,
    /// Entries that the text holds; more than are done while a link is repeated.
    written: usize,
    seen: Option<Seen>,
    under_way: String,
}

impl Record {
    /// A command is about to be carried out.
    pub fn before(&mut self, host: &Host, command: &Command) {
        self.under_way = match (host.run(), input(command)) {
            (Some(run), Some(input)) => {
                write_log(&[Entry { at: run.cluster.now(), command: input }])
            }
            (_, None) if matches!(command, Command::Boot { .. }) => format!("# {command:?}\n"),
            _ => String::new(),
        };
    }

    /// What was to be done is done.
    pub fn after(&mut self, host: &Host) {
        self.under_way.clear();
        let Some(run) = host.run() else { return };
        if self.boot != host.boots() {
            *self = Record::of(run, host.boots());
        }
        let log = run.cluster.log();
        if self.written < log.len() {
            self.log.push_str(&write_log(&log[self.written..]));
            self.written = log.len();
        }
        self.seen = Some(Seen {
            at: run.cluster.now() - Instant::START,
            trace: run.cluster.trace_hash(),
            done: log.len(),
        });
    }

    fn of(run: &Run, boot: u32) -> Record {
        let mut log: Vec<Entry> = run.cluster.log().to_vec();
        log.extend(run.replay.iter().cloned());
        Record {
            boot,
            scenario: run.scenario_text(),
            seed: run.seed.to_string(),
            log: write_log(&log),
            written: log.len(),
            seen: None,
            under_way: String::new(),
        }
    }

    /// The report of a crash.
    pub fn report(&self, message: &str) -> Report {
        Report {
            build: BUILD.into(),
            seed: self.seed.clone(),
            message: message.into(),
            seen: self.seen.filter(|seen| seen.at > Duration::ZERO),
            scenario: self.scenario.clone(),
            log: format!("{}{}", self.log, self.under_way),
        }
    }
}
