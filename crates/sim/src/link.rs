//! A one-way network link: delay, loss and partition.

use base::{Duration, Instant, Rng};

/// A one-way link between two parts of the cluster.
///
/// Messages keep their order, as on one TCP connection: none is delivered before one sent earlier.
/// Two may be delivered at the same instant; the event queue keeps those in the order of scheduling.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    delay_min: Duration,
    delay_max: Duration,
    loss: f64,
    partitioned: bool,
    delivered_last: Instant,
}

impl Link {
    /// A link that delivers everything after a delay drawn evenly from `delay_min..=delay_max`.
    pub fn new(delay_min: Duration, delay_max: Duration) -> Link {
        let mut link = Link {
            delay_min: Duration::ZERO,
            delay_max: Duration::ZERO,
            loss: 0.0,
            partitioned: false,
            delivered_last: Instant(i64::MIN),
        };
        link.set_delay(delay_min, delay_max);
        link
    }

    /// The same link, losing a message with the probability `loss` (0 to 1).
    pub fn with_loss(mut self, loss: f64) -> Link {
        self.set_loss(loss);
        self
    }

    /// Changes the delay of the messages sent from now on.
    pub fn set_delay(&mut self, delay_min: Duration, delay_max: Duration) {
        assert!(Duration::ZERO <= delay_min && delay_min <= delay_max, "0 <= min <= max");
        (self.delay_min, self.delay_max) = (delay_min, delay_max);
    }

    /// The shortest and the longest delay.
    pub fn delay(&self) -> (Duration, Duration) {
        (self.delay_min, self.delay_max)
    }

    /// Changes the probability (0 to 1) that a message sent from now on is lost.
    pub fn set_loss(&mut self, loss: f64) {
        assert!((0.0..=1.0).contains(&loss), "a probability lies between 0 and 1");
        self.loss = loss;
    }

    /// The probability that a message is lost.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// Cuts the link, or mends it. Messages already under way still arrive.
    pub fn set_partitioned(&mut self, partitioned: bool) {
        self.partitioned = partitioned;
    }

    /// Whether the link is cut.
    pub fn is_partitioned(&self) -> bool {
        self.partitioned
    }

    /// When a message sent at `now` arrives; `None` if it is lost.
    ///
    /// Always draws the same number of values from `rng`, so that a partition or a changed loss does
    /// not change the delays of the messages that do arrive.
    pub fn deliver_at(&mut self, now: Instant, rng: &mut Rng) -> Option<Instant> {
        let fate = rng.fraction();
        let delay = rng.between(self.delay_min.0, self.delay_max.0);
        if self.partitioned || fate < self.loss {
            return None;
        }
        let at = (now + Duration(delay)).max(self.delivered_last);
        self.delivered_last = at;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::Link;
    use base::{Duration, Instant, Rng};

    /// Sends `count` messages, one each millisecond, and returns (sent, arrives) of those that arrive.
    fn check(mut link: Link, count: i64) -> Vec<(Instant, Instant)> {
        let mut rng = Rng::new(1);
        let mut arrivals = Vec::new();
        for n in 0..count {
            let now = Instant::START + Duration::millis(n);
            if let Some(at) = link.deliver_at(now, &mut rng) {
                arrivals.push((now, at));
            }
        }
        arrivals
    }

    fn link() -> Link {
        Link::new(Duration::millis(2), Duration::millis(9))
    }

    #[test]
    fn a_message_never_overtakes_an_earlier_one() {
        let arrivals = check(link(), 1_000);
        assert_eq!(arrivals.len(), 1_000);
        assert!(arrivals.windows(2).all(|pair| pair[0].1 <= pair[1].1));
    }

    #[test]
    fn delays_stay_within_the_range_and_vary() {
        let arrivals = check(link(), 1_000);
        let delays: Vec<Duration> = arrivals.iter().map(|(sent, at)| *at - *sent).collect();
        assert!(delays.iter().all(|d| (Duration::millis(2)..=Duration::millis(9)).contains(d)));
        assert_ne!(delays.iter().min(), delays.iter().max());
    }

    #[test]
    fn a_partitioned_link_delivers_nothing_until_mended() {
        let mut cut = link();
        cut.set_partitioned(true);
        assert!(check(cut.clone(), 10).is_empty());
        cut.set_partitioned(false);
        assert_eq!(check(cut, 10).len(), 10);
    }

    #[test]
    fn loss_takes_its_share_of_messages() {
        let arrived = check(link().with_loss(0.25), 10_000).len();
        assert!((7_300..7_700).contains(&arrived), "{arrived}");
        assert!(check(link().with_loss(1.0), 10).is_empty());
    }

    #[test]
    fn loss_does_not_change_the_delay_of_other_messages() {
        let spaced = |loss| {
            let mut link = link().with_loss(loss);
            let mut rng = Rng::new(3);
            (0..100)
                .map(|n| link.deliver_at(Instant::START + Duration::secs(n), &mut rng))
                .collect::<Vec<_>>()
        };
        let (all, some) = (spaced(0.0), spaced(0.5));
        assert!(some.iter().any(Option::is_none));
        assert!(all.iter().zip(&some).all(|(a, b)| b.is_none() || a == b));
    }
}
