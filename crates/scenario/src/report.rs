//! The report of a crash: what the model said, and all that repeats the run, in one text.
//!
//! It is a log that [`cluster::read_log`] reads; what else a replay needs stands in its comments. So the text
//! that the page shows, copied into a file, is what `orrery run --replay` takes.

use std::fmt::Write as _;

use base::Duration;

/// A crash, as it is reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The build that crashed.
    pub build: String,
    /// Where chance came from.
    pub seed: String,
    /// What the model said.
    pub message: String,
    /// The last moment that was reached without a crash.
    pub seen: Option<Seen>,
    /// The scenario file of the run.
    pub scenario: String,
    /// What was done, as `cluster::write_log` writes it. The last line may be what crashed.
    pub log: String,
}

/// A moment of a run, told from those of other runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Since the start.
    pub at: Duration,
    /// The trace hash.
    pub trace: u64,
    /// How many lines of the log were done.
    pub done: usize,
}

const TITLE: &str =
    "# Orrery stopped. Save this text to a file; it repeats the run: orrery run --replay FILE";
const SCENARIO: &str = "#|";
const SEEN: &str = "# seen ";

impl Report {
    /// The text to copy.
    pub fn write(&self) -> String {
        let mut text = format!("{TITLE}\n# build {}\n# seed {}\n", self.build, self.seed);
        for line in self.message.lines() {
            // Writing to a string cannot fail; the same below.
            let _ = writeln!(text, "# said {line}");
        }
        if let Some(Seen { at, trace, done }) = self.seen {
            let _ = writeln!(text, "{SEEN}{} {trace:016x} {done}", at.as_micros());
        }
        for line in self.scenario.lines() {
            let _ = writeln!(text, "{SCENARIO} {line}");
        }
        text + &self.log
    }

    /// What a replay needs besides the log: the scenario, where the text holds one, and the last moment.
    pub fn read(text: &str) -> (Option<String>, Option<Seen>) {
        let mut scenario = String::new();
        let mut seen = None;
        for line in text.lines() {
            if let Some(line) = line.strip_prefix(SCENARIO) {
                scenario.push_str(line.strip_prefix(' ').unwrap_or(line));
                scenario.push('\n');
            } else if let Some(rest) = line.strip_prefix(SEEN) {
                seen = Seen::read(rest);
            }
        }
        (Some(scenario).filter(|text| !text.is_empty()), seen)
    }
}

impl Seen {
    fn read(words: &str) -> Option<Seen> {
        let mut words = words.split_whitespace();
        let at = Duration::micros(words.next()?.parse().ok()?);
        let trace = u64::from_str_radix(words.next()?, 16).ok()?;
        Some(Seen { at, trace, done: words.next()?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scenario: &str, log: &str) {
        let seen = Some(Seen { at: Duration::millis(1_500), trace: 0xa1, done: 3 });
        let report = Report {
            build: "dev".into(),
            seed: "7".into(),
            message: "one\ntwo".into(),
            seen,
            scenario: scenario.into(),
            log: log.into(),
        };
        let text = report.write();
        assert_eq!(Report::read(&text), (Some(scenario.to_owned()), seen), "{text}");
        assert_eq!(cluster::read_log(&text), cluster::read_log(log), "{text}");
    }

    #[test]
    fn a_report_holds_its_scenario_and_is_a_log() {
        check(
            "kind: Scenario\nmanifests: |\n  a: b\n\n  # c\n",
            "5 terminal \"kubectl get pods\"\n",
        );
        check("kind: Scenario\n", "");
    }
    #[test]
    fn a_bare_log_says_nothing_of_its_scenario() {
        assert_eq!(Report::read("# note\n5 interrupt \"0\"\n"), (None, None));
    }
}
