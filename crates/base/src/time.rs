//! Virtual instants and durations, in whole microseconds.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

/// A moment of virtual time: microseconds since the Unix epoch.
///
/// Nothing below the hosts reads a wall clock; every `Instant` comes from the cluster's event queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub i64);

/// A signed span of virtual time in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(pub i64);

impl Instant {
    /// Where every fresh cluster starts: 2026-01-01T00:00:00Z.
    pub const START: Instant = Instant(1_767_225_600_000_000);

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Microseconds since the Unix epoch.
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// The time from `earlier` until `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration((self.0 - earlier.0).max(0))
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);

    /// Whole microseconds.
    pub const fn micros(n: i64) -> Duration {
        Duration(n)
    }

    /// Whole milliseconds.
    pub const fn millis(n: i64) -> Duration {
        Duration(n * 1_000)
    }

    /// Whole seconds.
    pub const fn secs(n: i64) -> Duration {
        Duration(n * 1_000_000)
    }

    /// Whole minutes.
    pub const fn mins(n: i64) -> Duration {
        Duration::secs(n * 60)
    }

    /// The span as Go prints it, down to milliseconds: `200ms`, `2m40s`.
    pub fn go(self) -> String {
        let micros = self.0;
        if micros < 1_000_000 {
            return format!("{}ms", micros / 1_000);
        }
        let (minutes, rest) = (micros / 60_000_000, micros % 60_000_000);
        let seconds = format!("{:.3}", rest as f64 / 1e6);
        let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
        match minutes {
            0 => format!("{seconds}s"),
            m if m >= 60 => format!("{}h{}m{seconds}s", m / 60, m % 60),
            m => format!("{m}m{seconds}s"),
        }
    }

    /// The span in seconds, with its fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The span in whole seconds, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The span in whole milliseconds, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The span in whole microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, d: Duration) -> Instant {
        Instant(self.0.saturating_add(d.0))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, d: Duration) -> Instant {
        Instant(self.0.saturating_sub(d.0))
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        Duration(self.0 - earlier.0)
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Duration;
    fn sub(self, other: Duration) -> Duration {
        Duration(self.0 - other.0)
    }
}

impl Mul<i64> for Duration {
    type Output = Duration;
    fn mul(self, n: i64) -> Duration {
        Duration(self.0.saturating_mul(n))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{:+.6}s", Duration(self.0 - Instant::START.0).as_secs_f64())
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}s", self.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        for (millis, want) in
            [(200, "200ms"), (10_000, "10s"), (1_523, "1.523s"), (160_000, "2m40s")]
        {
            assert_eq!(Duration::millis(millis).go(), want);
        }
    }
}
