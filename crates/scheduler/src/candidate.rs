//! Schedulers that stand by for each other: the one that holds the Lease places pods.

use api::wire::{Reply, Trigger};
use base::{Instant, lit};
use client::{Elector, Outbox, Recorder};

use crate::binding::Asked;
use crate::scheduler::Scheduler;

/// What one scheduler knows of the election.
#[derive(Clone)]
pub(crate) struct Candidate {
    elector: Elector,
    /// The election's events are of the old kind, with a source and counts.
    recorder: Recorder,
    leads: bool,
    exited: bool,
}

impl Candidate {
    fn new(elector: Elector) -> Candidate {
        let recorder = Recorder::new(lit!("default-scheduler"), "", lit!("kube-scheduler"));
        Candidate { elector, recorder, leads: false, exited: false }
    }

    /// The same candidate as its process starts anew.
    pub fn anew(&self) -> Candidate {
        let mut elector = self.elector.clone();
        elector.reset();
        Candidate::new(elector)
    }

    pub fn has_exited(&self) -> bool {
        self.exited
    }

    pub fn leads(&self) -> bool {
        self.leads
    }

    pub fn next_wake(&self) -> Option<Instant> {
        self.elector.next_wake().filter(|_| !self.exited)
    }
}

impl Scheduler {
    /// The same scheduler, which places pods only while it leads.
    pub fn with_election(mut self, elector: Elector) -> Scheduler {
        self.candidate = Some(Candidate::new(elector));
        self
    }

    /// Takes part in the election; true if it may place pods. A lost lead ends the process.
    pub(crate) fn elect(&mut self, now: Instant, out: &mut Outbox) -> bool {
        let Some(candidate) = &mut self.candidate else { return true };
        let request = candidate.elector.poll(now);
        let leads = candidate.elector.leads(now);
        if candidate.leads && !leads {
            candidate.exited = true;
            out.exits = true;
            return false;
        }
        candidate.leads = leads;
        if let Some(note) = candidate.elector.take_note() {
            candidate.recorder.record(now, &note, Trigger::Timer);
        }
        let notes = candidate.recorder.drain();
        if let Some(request) = request {
            self.send(out, Asked::Lease, self.sign_lease(request));
        }
        for (token, request) in notes {
            self.send(out, Asked::LeaseNote(token), request);
        }
        leads
    }

    /// The process is told to end: a leader lets others lead at once.
    pub(crate) fn resign(&mut self, now: Instant, out: &mut Outbox) {
        if let Some(request) = self.candidate.as_mut().and_then(|c| c.elector.release(now)) {
            self.send(out, Asked::Lease, self.sign_lease(request));
        }
    }

    /// The Lease was answered.
    pub(crate) fn lease_answered(&mut self, now: Instant, reply: &Reply, out: &mut Outbox) {
        let candidate = self.candidate.as_mut();
        if let Some(request) = candidate.and_then(|c| c.elector.answered(now, reply)) {
            self.send(out, Asked::Lease, self.sign_lease(request));
        }
    }

    /// An event of the election was answered.
    pub(crate) fn lease_note_answered(&mut self, token: u64, reply: &Reply) {
        if let Some(candidate) = &mut self.candidate {
            candidate.recorder.answered(token, reply);
        }
    }

    fn sign_lease(&self, request: api::wire::Request) -> api::wire::Request {
        let cause = api::wire::Cause { actor: lit!("kube-scheduler"), trigger: Trigger::Timer };
        request.by(lit!("kube-scheduler"), cause)
    }
}
