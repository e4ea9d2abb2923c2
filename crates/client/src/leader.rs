//! Leader election through a Lease, as client-go's `leaderelection` does it for the controller manager and the
//! scheduler.
//!
//! Known deviations:
//! - Candidates look every two seconds, without upstream's jitter of up to 120 %.
//! - A leader that is stopped never releases its Lease, as if it had been killed.

use std::sync::Arc;

use api::coordination::v1::{Lease, LeaseSpec};
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, Object};
use api::time::MicroTime;
use api::wire::{Answer, Reply, Request, Verb};
use base::{Duration, Instant, Str};

use crate::plan::Note;

const LEASE_DURATION: Duration = Duration::secs(15);
const RENEW_DEADLINE: Duration = Duration::secs(10);
const RETRY_PERIOD: Duration = Duration::secs(2);

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
}

impl Elector {
    /// A candidate for the Lease `name` in `kube-system`.
    pub fn new(name: impl Into<Str>, identity: impl Into<Str>) -> Elector {
        Elector {
            lease: Key::new("kube-system", name),
            identity: identity.into(),
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
