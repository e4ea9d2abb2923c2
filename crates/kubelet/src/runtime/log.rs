//! What a container has printed, bounded.

use std::collections::VecDeque;
use std::fmt::Write as _;

use api::time::Civil;
use base::{Instant, Str};

/// A container's log keeps at most so many lines …
const LINES_MAX: usize = 2_000;
/// … and at most so many bytes of one line.
const LINE_BYTES_MAX: usize = 4_096;

/// The last lines a container has printed.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: VecDeque<(Instant, Str)>,
    /// A line that is not ended yet.
    open: Option<Box<(Instant, String)>>,
}

/// Which part of a log is wanted, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogOptions {
    /// Only so many lines from the end.
    pub tail: Option<usize>,
    /// Only what was printed at or after this moment.
    pub since: Option<Instant>,
    /// Of the instance before this one.
    pub previous: bool,
    /// Each line begins with its moment.
    pub timestamps: bool,
    /// At most so many bytes.
    pub limit: Option<usize>,
}

impl Log {
    /// Adds text; lines end at line feeds.
    pub fn print(&mut self, now: Instant, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let (line, ended, after) = match rest.split_once('\n') {
                Some((line, after)) => (line, true, after),
                None => (rest, false, ""),
            };
            rest = after;
            let line = &line[..line.floor_char_boundary(LINE_BYTES_MAX)];
            match (&mut self.open, ended) {
                (Some(open), _) if open.1.len() < LINE_BYTES_MAX => open.1.push_str(line),
                (Some(_), _) => {}
                (None, false) => self.open = Some(Box::new((now, line.to_string()))),
                (None, true) => self.push(now, line.into()),
            }
            if ended && let Some(open) = self.open.take() {
                self.push(open.0, open.1.into());
            }
        }
    }

    /// Adds a line.
    pub fn line(&mut self, now: Instant, line: impl Into<Str>) {
        if let Some(open) = self.open.take() {
            self.push(open.0, open.1.into());
        }
        self.push(now, line.into());
    }

    /// Whether nothing was printed.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.open.is_none()
    }

    /// The text as `kubectl logs` shows it.
    pub fn text(&self, options: &LogOptions) -> String {
        let open = self.open.iter().map(|open| (open.0, open.1.as_str(), false));
        let all = self.lines.iter().map(|(at, line)| (*at, line.as_str(), true)).chain(open);
        let mut lines: Vec<_> =
            all.filter(|(at, ..)| options.since.is_none_or(|since| *at >= since)).collect();
        if let Some(tail) = options.tail {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        let mut out = String::new();
        for (at, line, ended) in lines {
            if options.timestamps {
                let civil = Civil::from(at);
                let _ = write!(out, "{civil}.{:06}000Z ", civil.micros);
            }
            out.push_str(line);
            if ended {
                out.push('\n');
            }
        }
        if let Some(limit) = options.limit {
            out.truncate(out.floor_char_boundary(limit));
        }
        out
    }

    /// The end of the log, as a termination message falls back to it.
    pub fn last(&self, lines: usize, bytes: usize) -> String {
        let text = self.text(&LogOptions { tail: Some(lines), ..LogOptions::default() });
        let from = text.len().saturating_sub(bytes);
        let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        text[from..].to_string()
    }

    fn push(&mut self, at: Instant, line: Str) {
        if self.lines.len() >= LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back((at, line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Duration;

    fn log() -> Log {
        let mut log = Log::default();
        let t = Instant::START;
        log.print(t, "one\ntwo\nthr");
        log.print(t + Duration::secs(5), "ee\nfour\n");
        log.print(t + Duration::secs(6), "open");
        log
    }

    fn check(options: LogOptions, want: &str) {
        assert_eq!(log().text(&options), want, "{options:?}");
    }

    #[test]
    fn lines_come_as_printed() {
        check(LogOptions::default(), "one\ntwo\nthree\nfour\nopen");
    }

    #[test]
    fn tail_counts_lines_from_the_end() {
        check(LogOptions { tail: Some(2), ..LogOptions::default() }, "four\nopen");
        check(LogOptions { tail: Some(0), ..LogOptions::default() }, "");
    }

    #[test]
    fn since_and_limit_cut() {
        let since = Some(Instant::START + Duration::secs(1));
        check(LogOptions { since, ..LogOptions::default() }, "four\nopen");
        check(LogOptions { limit: Some(5), ..LogOptions::default() }, "one\nt");
    }

    #[test]
    fn timestamps_are_those_of_the_line() {
        let options = LogOptions { timestamps: true, tail: Some(2), ..LogOptions::default() };
        check(options, "2026-01-01T00:00:05.000000000Z four\n2026-01-01T00:00:06.000000000Z open");
    }

    #[test]
    fn a_log_is_bounded() {
        let mut log = Log::default();
        for n in 0..3_000 {
            log.line(Instant::START, n.to_string());
        }
        let text = log.text(&LogOptions::default());
        assert!(text.starts_with("1000\n") && text.ends_with("2999\n"));
    }
}
