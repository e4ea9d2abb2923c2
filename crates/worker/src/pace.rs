//! How virtual time follows the wall.

use base::{Duration, Instant};
use protocol::{ClockState, Speed};

/// The hand on the clock.
#[derive(Clone, Debug)]
pub struct Pace {
    playing: bool,
    speed: Speed,
    wall: f64,
    at: Instant,
    rate: f64,
    rate_wall: f64,
    rate_at: Instant,
}

/// The rate is measured over so many milliseconds.
const RATE_MS: f64 = 1_000.0;

impl Pace {
    /// Plays at 1×. `wall` is the time of the wall in milliseconds.
    pub fn new(wall: f64, at: Instant) -> Pace {
        let speed = Speed::Times(1.0);
        Pace { playing: true, speed, wall, at, rate: 0.0, rate_wall: wall, rate_at: at }
    }

    /// Whether time passes.
    pub fn playing(&self) -> bool {
        self.playing
    }

    /// Where virtual time should be; none for as far as it comes.
    pub fn due(&self, wall: f64) -> Option<Instant> {
        match self.speed {
            Speed::Max => None,
            Speed::Times(times) => {
                let passed = (wall - self.wall).max(0.0) * times * 1e3;
                Some(self.at + Duration::micros(passed as i64))
            }
        }
    }

    /// Counts from here: after a stop, a change of speed, or when the model fell behind.
    pub fn anchor(&mut self, wall: f64, at: Instant) {
        (self.wall, self.at) = (wall, at);
    }

    /// Lets time pass, or holds it.
    pub fn play(&mut self, playing: bool, wall: f64, at: Instant) {
        self.playing = playing;
        self.anchor(wall, at);
        (self.rate_wall, self.rate_at) = (wall, at);
    }

    /// Sets the speed. Nonsense is held within what the timeline offers.
    pub fn set_speed(&mut self, speed: Speed, wall: f64, at: Instant) {
        self.speed = match speed {
            Speed::Times(times) if times.is_finite() => Speed::Times(times.clamp(0.01, 10_000.0)),
            Speed::Times(_) => Speed::Times(1.0),
            Speed::Max => Speed::Max,
        };
        self.anchor(wall, at);
    }

    /// Notes how far time came, for the rate.
    pub fn measure(&mut self, wall: f64, at: Instant) {
        let passed = wall - self.rate_wall;
        if passed >= RATE_MS {
            self.rate = at.since(self.rate_at).as_secs_f64() * 1e3 / passed;
            (self.rate_wall, self.rate_at) = (wall, at);
        }
    }

    /// What the timeline shows.
    pub fn state(&self) -> ClockState {
        ClockState { playing: self.playing, speed: self.speed, rate: self.rate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(speed: Speed, wall_ms: f64, want_ms: Option<i64>) {
        let mut pace = Pace::new(1_000.0, Instant::START);
        pace.set_speed(speed, 1_000.0, Instant::START);
        let due = pace.due(1_000.0 + wall_ms).map(|at| (at - Instant::START).0 / 1000);
        assert_eq!(due, want_ms);
    }

    #[test]
    fn virtual_time_follows_the_wall_at_its_speed() {
        check(Speed::Times(1.0), 16.0, Some(16));
        check(Speed::Times(0.25), 100.0, Some(25));
        check(Speed::Times(64.0), 100.0, Some(6_400));
        check(Speed::Max, 100.0, None);
    }
    #[test]
    fn a_speed_that_is_no_number_is_normal() {
        check(Speed::Times(f64::NAN), 16.0, Some(16));
    }
    #[test]
    fn the_rate_is_what_passed_in_a_second() {
        let mut pace = Pace::new(0.0, Instant::START);
        pace.measure(500.0, Instant::START + Duration::secs(20));
        assert_eq!(pace.state().rate, 0.0);
        pace.measure(1_000.0, Instant::START + Duration::secs(40));
        assert_eq!(pace.state().rate, 40.0);
    }
}
