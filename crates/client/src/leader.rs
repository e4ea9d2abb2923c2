//! Leader election through a Lease, as client-go's `leaderelection` does it for the controller manager and the
//! scheduler.
//!
//! A leader that is shut down may release its Lease. In v1.36 the scheduler does; the controller manager does so only
//! behind a feature gate that is off.
//!
//! Known deviations:
//! - A leader that ends does not say that it stopped leading.

use std::sync::Arc;

use api::coordination::v1::{Lease, LeaseSpec};
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, Object};
use api::time::MicroTime;
use api::wire::{Answer, Reply, Request, Verb};
use base::{Duration, Instant, Rng, Str};

use crate::plan::Note;

const LEASE_DURATION: Duration = Duration::secs(15);
const RENEW_DEADLINE: Duration = Duration::secs(10);
const RETRY_PERIOD: Duration = Duration::secs(2);
/// A candidate that does not lead waits for up to so much longer, by chance: 120 % of the period.
const JITTER_MAX: Duration = Duration::millis(2_400);

/// One candidate for the lead.
#[derive(Clone, Debug)]
pub struct Elector {
    lease: Key,
    identity: Str,
    known: Option<Arc<Lease>>,
    /// When `known` was first seen in this state, by this candidate's own clock.
    known_since: Instant,
    renewed: Option<Instant>,
    next: Instant,
    busy: bool,
    note: Option<Note>,
    rng: Rng,
}

impl Elector {
    /// A candidate for the Lease `name` in `kube-system`.
    ///
    /// Its identity is drawn by chance, and what else is left to chance follows from it.
    pub fn new(name: impl Into<Str>, identity: impl Into<Str>) -> Elector {
        let identity = identity.into();
        Elector {
            lease: Key::new("kube-system", name),
            rng: Rng::stream(0, &identity),
            identity,
            known: None,
            known_since: Instant::default(),
            renewed: None,
            next: Instant::default(),
            busy: false,
            note: None,
        }
    }

    /// Forgets everything: the process starts anew.
    pub fn reset(&mut self) {
        *self = Elector::new(self.lease.name.clone(), self.identity.clone());
    }

    /// Whether this candidate leads.
    pub fn leads(&self, now: Instant) -> bool {
        self.renewed.is_some_and(|at| now - at < RENEW_DEADLINE)
    }

    /// When it has something to do next.
    pub fn next_wake(&self) -> Option<Instant> {
        let deadline = self.renewed.map(|at| at + RENEW_DEADLINE);
        if self.busy { deadline } else { Some(self.next) }
    }

    /// The request to send now, if any; give its reply to [`Elector::answered`].
    pub fn poll(&mut self, now: Instant) -> Option<Request> {
        if self.renewed.is_some() && !self.leads(now) {
            self.renewed = None;
            self.busy = false;
        }
        if self.busy || now < self.next {
            return None;
        }
        self.busy = true;
        self.next = now + RETRY_PERIOD;
        if !self.leads(now) {
            self.next += Duration::micros(self.rng.between(0, JITTER_MAX.as_micros()));
        }
        match &self.known {
            Some(known) if self.leads(now) => Some(self.claim(known, now)),
            _ => Some(Request::new(Lease::INFO, &self.lease, Verb::Get)),
        }
    }

    /// Takes the reply to the last request; may give another request to send at once.
    pub fn answered(&mut self, now: Instant, reply: &Reply) -> Option<Request> {
        self.busy = false;
        match reply {
            Ok(Answer::Object(object, _)) => {
                let lease = object.arc::<Lease>()?;
                if self.known.as_ref().is_none_or(|known| known.spec != lease.spec) {
                    self.known_since = now;
                }
                self.known = Some(lease.clone());
                if lease.spec.holder_identity.as_ref() == Some(&self.identity)
                    && self.wrote(&lease, now)
                {
                    return None;
                }
                let free = lease
                    .spec
                    .holder_identity
                    .as_ref()
                    .is_none_or(|holder| holder.is_empty() || *holder == self.identity);
                if free || now - self.known_since >= LEASE_DURATION {
                    self.busy = true;
                    return Some(self.claim(&lease, now));
                }
                None
            }
            Err(status) if status.reason == "NotFound" => {
                self.busy = true;
                Some(Request::create(Object::new(self.fresh(now))))
            }
            _ => {
                self.known = None;
                None
            }
        }
    }

    /// The request by which a leader gives its Lease up; none for who does not lead.
    pub fn release(&mut self, now: Instant) -> Option<Request> {
        let lease = self.known.clone().filter(|_| self.leads(now))?;
        self.renewed = None;
        let mut free = self.fresh(now);
        free.metadata = lease.metadata.clone();
        let spec = Arc::make_mut(&mut free.spec);
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        spec.lease_transitions = lease.spec.lease_transitions;
        Some(Request::update(Object::new(free)))
    }

    /// The event of having won, once.
    pub fn take_note(&mut self) -> Option<Note> {
        self.note.take()
    }

    /// Notes a write of our own coming back; false if it only shows an older one.
    fn wrote(&mut self, lease: &Lease, now: Instant) -> bool {
        let Some(at) = lease.spec.renew_time.map(MicroTime::instant) else { return false };
        if now - at >= RENEW_DEADLINE
            || self.renewed.is_none_or(|old| old < at) && now - at > RETRY_PERIOD
        {
            return false;
        }
        if self.renewed.is_none() {
            let message = format!("{} became leader", self.identity);
            self.note = Some(Note::new(lease, "Normal", "LeaderElection", message));
            self.next = now + RETRY_PERIOD;
        }
        self.renewed = Some(at);
        true
    }

    fn fresh(&self, now: Instant) -> Lease {
        let at = MicroTime::from(now);
        Lease {
            metadata: Arc::new(ObjectMeta {
                name: self.lease.name.clone(),
                namespace: self.lease.namespace.clone(),
                ..ObjectMeta::default()
            }),
            spec: Arc::new(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: Some(LEASE_DURATION.as_secs() as i32),
                acquire_time: Some(at),
                renew_time: Some(at),
                lease_transitions: Some(0),
                ..LeaseSpec::default()
            }),
        }
    }

    fn claim(&self, lease: &Lease, now: Instant) -> Request {
        let mut new = self.fresh(now);
        new.metadata = lease.metadata.clone();
        let mine = lease.spec.holder_identity.as_ref() == Some(&self.identity);
        let spec = Arc::make_mut(&mut new.spec);
        let transitions = lease.spec.lease_transitions.unwrap_or(0);
        spec.lease_transitions = Some(transitions + i32::from(!mine));
        if mine {
            spec.acquire_time = lease.spec.acquire_time;
        }
        Request::update(Object::new(new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::START + Duration::millis(millis)
    }

    /// A Lease that somebody holds, or nobody.
    fn lease(holder: Option<&'static str>) -> Reply {
        let mut lease = Elector::new("test", holder.unwrap_or("nobody")).fresh(at(0));
        Arc::make_mut(&mut lease.spec).holder_identity = holder.map(Str::from);
        Ok(Answer::Object(Object::new(lease), false))
    }

    /// The times between a candidate's first looks at a Lease that another one holds.
    fn waits(identity: &'static str) -> Vec<Duration> {
        let mut elector = Elector::new("test", identity);
        let mut looks = vec![at(0)];
        for _ in 0..20 {
            let now = looks[looks.len() - 1];
            assert!(matches!(elector.poll(now).map(|r| r.verb), Some(Verb::Get)));
            elector.answered(now, &lease(Some("other")));
            looks.push(elector.next_wake().expect("it looks again"));
            // Somebody renews the Lease all the time.
            elector.known = None;
        }
        looks.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn candidates_look_every_two_seconds_and_up_to_120_percent_later() {
        let (one, other) = (waits("one"), waits("two"));
        assert_ne!(one, other, "each has times of its own");
        assert_eq!(one, waits("one"), "which repeat");
        let all: Vec<Duration> = one.into_iter().chain(other).collect();
        assert!(all.iter().all(|wait| (RETRY_PERIOD..=RETRY_PERIOD + JITTER_MAX).contains(wait)));
        assert!(all.iter().any(|wait| *wait > RETRY_PERIOD + Duration::secs(1)));
    }

    /// A candidate that has just taken a free Lease.
    fn leader() -> Elector {
        let mut elector = Elector::new("test", "one");
        elector.poll(at(0));
        let claim = elector.answered(at(10), &lease(None)).expect("it takes what is free");
        let Verb::Update(object) = claim.verb else { panic!("it takes it by an update") };
        assert_eq!(elector.answered(at(20), &Ok(Answer::Object(object, false))).map(|_| ()), None);
        assert!(elector.leads(at(20)));
        elector
    }

    #[test]
    fn a_leader_renews_every_two_seconds() {
        assert_eq!(leader().next_wake(), Some(at(20) + RETRY_PERIOD));
    }

    #[test]
    fn a_leader_that_ends_leaves_its_lease_to_whoever_comes_next() {
        let mut elector = leader();
        let release = elector.release(at(500)).expect("it holds the Lease");
        let Verb::Update(object) = release.verb else { panic!("it releases it by an update") };
        let left = object.get::<Lease>().expect("it is a Lease").spec.clone();
        assert_eq!((&left.holder_identity, left.lease_duration_seconds), (&None, Some(1)));
        assert_eq!(left.lease_transitions, Some(1), "as it was");
        assert!(!elector.leads(at(500)));
        let mut next = Elector::new("test", "two");
        next.poll(at(600));
        let free = Ok(Answer::Object(object, false));
        assert!(next.answered(at(600), &free).is_some(), "it need not wait");
    }

    #[test]
    fn who_does_not_lead_has_nothing_to_release() {
        let mut elector = Elector::new("test", "two");
        elector.poll(at(0));
        elector.answered(at(10), &lease(Some("one")));
        assert!(elector.release(at(500)).is_none());
    }
}
