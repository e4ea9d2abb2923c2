//! A plan: the writes a controller has decided on, what it wants to say, and when it will look again.

use api::core::v1::ObjectReference;
use api::json::Json;
use api::meta::v1::{DeleteOptions, ObjectMeta, Preconditions, Status};
use api::object::{Key, KindInfo, Object, Resource};
use api::wire::{Patch, Request, Subresource, Verb};
use base::{Duration, Str};

use crate::cloud::CloudRequest;
use crate::owner::reference_to;

/// What to do about one key: ordered steps, events, and when to look again.
///
/// Steps are sent one after the other; the first failure ends the plan.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) notes: Vec<Note>,
    pub(crate) again: Option<Duration>,
    pub(crate) retry: bool,
}

/// Writes that are sent at once, or a question to the cloud provider.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub writes: Vec<Write>,
    pub ask: Option<Ask>,
}

/// A request to the cloud provider, with what to say if it is refused.
#[derive(Clone, Debug)]
pub struct Ask {
    pub(crate) request: CloudRequest,
    or_said: Option<Box<Note>>,
    or_failed: bool,
}

/// One write, with what to say of its outcome.
#[derive(Clone, Debug)]
pub struct Write {
    pub(crate) request: Request,
    said: Option<Box<Note>>,
    or_said: Option<Box<Note>>,
    or_exists: bool,
    or_failed: bool,
    unless: Option<Str>,
}

/// An event to record.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The object it is about.
    pub about: ObjectReference,
    /// `Normal` or `Warning`.
    pub type_: Str,
    /// The machine-readable reason.
    pub reason: Str,
    /// The sentence. In a write's note `{name}` stands for the written object's name, `{error}` for the
    /// error's message.
    pub message: Str,
}

/// A write that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was asked.
    pub request: Request,
    /// The answer.
    pub status: Box<Status>,
}

impl Failure {
    /// The error's message.
    pub fn message(&self) -> &Str {
        &self.status.message
    }

    /// Whether the answer has this reason, such as `Forbidden`.
    pub fn is(&self, reason: &str) -> bool {
        self.status.reason == reason
    }
}

impl Note {
    /// An event about an object.
    pub fn new(
        about: &dyn Resource,
        type_: impl Into<Str>,
        reason: impl Into<Str>,
        message: impl Into<Str>,
    ) -> Note {
        Note {
            about: reference_to(about),
            type_: type_.into(),
            reason: reason.into(),
            message: message.into(),
        }
    }
}

impl Plan {
    /// Nothing to do.
    pub fn settled() -> Plan {
        Plan::default()
    }

    /// Nothing to do now; look again after a while.
    pub fn after(wait: Duration) -> Plan {
        Plan { again: Some(wait), ..Plan::default() }
    }

    /// Nothing can be done now; look again with growing backoff.
    pub fn retry() -> Plan {
        Plan { retry: true, ..Plan::default() }
    }

    /// Whether there is nothing to write and nothing to say.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.notes.is_empty()
    }

    /// Adds a write as a step of its own.
    pub fn write(&mut self, request: Request) -> &mut Write {
        self.batch(vec![Write::new(request)]);
        self.last()
    }

    /// Creates an object.
    pub fn create(&mut self, object: impl Into<Object>) -> &mut Write {
        self.write(Request::create(object.into()))
    }

    /// Replaces an object.
    pub fn update(&mut self, object: impl Into<Object>) -> &mut Write {
        self.write(Request::update(object.into()))
    }

    /// Replaces an object's status.
    pub fn status(&mut self, object: impl Into<Object>) -> &mut Write {
        self.write(Request::update_status(object.into()))
    }

    /// Deletes this very object (and no later one of its name).
    pub fn delete(&mut self, object: &dyn Resource, options: DeleteOptions) -> &mut Write {
        self.write(delete(object, options))
    }

    /// Changes an object by a strategic merge patch.
    pub fn patch(&mut self, object: &dyn Resource, body: Json) -> &mut Write {
        self.patch_of(object, Subresource::None, Patch::Strategic(body))
    }

    /// Changes an object or a part of it by a patch.
    pub fn patch_of(
        &mut self,
        object: &dyn Resource,
        subresource: Subresource,
        patch: Patch,
    ) -> &mut Write {
        let request = Request::new(object.info(), &Key::of(object.meta()), Verb::Patch(patch));
        self.write(Request { subresource, ..request })
    }

    /// Goes on only if the API server itself says that the object with this uid is gone: caches may lag.
    pub fn only_if_gone(&mut self, kind: &'static KindInfo, key: &Key, uid: Str) {
        let write = self.write(Request::new(kind, key, Verb::Get));
        write.unless = Some(uid);
    }

    /// Sends several writes at once, as one step.
    pub fn batch(&mut self, writes: Vec<Write>) {
        if !writes.is_empty() {
            self.steps.push(Step { writes, ask: None });
        }
    }

    /// Asks the cloud provider. What `Reconcile::answered` makes of the answer comes before the steps planned after.
    pub fn ask(&mut self, request: CloudRequest) -> &mut Ask {
        self.steps.push(Step { writes: Vec::new(), ask: Some(Ask::new(request)) });
        let step = self.steps.last_mut().expect("a step was just added");
        step.ask.as_mut().expect("it asks")
    }

    /// Sends writes in batches of 1, 2, 4, 8 …, so that a common error is met once, not a hundred times.
    pub fn slow_start(&mut self, writes: Vec<Write>) {
        let mut rest = writes.into_iter();
        let mut size = 1;
        loop {
            let writes: Vec<Write> = rest.by_ref().take(size).collect();
            if writes.is_empty() {
                return;
            }
            self.batch(writes);
            size *= 2;
        }
    }

    /// Records an event before the first write.
    pub fn event(
        &mut self,
        about: &dyn Resource,
        type_: impl Into<Str>,
        reason: impl Into<Str>,
        message: impl Into<Str>,
    ) {
        self.notes.push(Note::new(about, type_, reason, message));
    }

    /// Records a note before the first write.
    pub fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Looks again after `wait`, or earlier if it was so planned before.
    pub fn again(&mut self, wait: Duration) {
        self.again = Some(self.again.map_or(wait, |known| known.min(wait)));
    }

    /// Looks again with growing backoff once the plan is carried out.
    pub fn again_with_backoff(&mut self) {
        self.retry = true;
    }

    /// Goes on with the steps of another plan.
    pub fn then(&mut self, other: Plan) {
        self.steps.extend(other.steps);
        self.notes.extend(other.notes);
        self.retry |= other.retry;
        if let Some(wait) = other.again {
            self.again(wait);
        }
    }

    /// The planned requests in order, for tests.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.steps.iter().flat_map(|step| step.writes.iter().map(|write| &write.request))
    }

    fn last(&mut self) -> &mut Write {
        let step = self.steps.last_mut().expect("a step was just added");
        step.writes.last_mut().expect("it has a write")
    }
}

impl Ask {
    fn new(request: CloudRequest) -> Ask {
        Ask { request, or_said: None, or_failed: false }
    }

    /// Records an event if the request is refused; `{took}` stands for the time that it took.
    pub fn or_said(&mut self, note: Note) -> &mut Ask {
        self.or_said = Some(Box::new(note));
        self
    }

    /// Goes on with the plan even if the request is refused.
    pub fn or_failed(&mut self) -> &mut Ask {
        self.or_failed = true;
        self
    }

    /// Whether a refusal ends the plan.
    pub(crate) fn is_needed(&self) -> bool {
        !self.or_failed
    }

    pub(crate) fn note_of_failure(&self, error: &str, took: Duration) -> Option<Note> {
        let note = with_error(self.or_said.as_ref()?, error);
        Some(Note { message: note.message.replace("{took}", &took.go()).into(), ..note })
    }
}

fn with_error(note: &Note, error: &str) -> Note {
    Note { message: note.message.replace("{error}", error).into(), ..note.clone() }
}

/// The request to delete this very object.
pub fn delete(object: &dyn Resource, mut options: DeleteOptions) -> Request {
    let meta = object.meta();
    if options.preconditions.is_none() && !meta.uid.is_empty() {
        options.preconditions =
            Some(Box::new(Preconditions { uid: Some(meta.uid.clone()), resource_version: None }));
    }
    Request::delete(object.info(), &Key::of(meta), options)
}

impl Write {
    /// A write with nothing to say.
    pub fn new(request: Request) -> Write {
        Write {
            request,
            said: None,
            or_said: None,
            or_exists: false,
            or_failed: false,
            unless: None,
        }
    }

    /// The creation of an object.
    pub fn create(object: impl Into<Object>) -> Write {
        Write::new(Request::create(object.into()))
    }

    /// The deletion of this very object.
    pub fn delete(object: &dyn Resource, options: DeleteOptions) -> Write {
        Write::new(delete(object, options))
    }

    /// Records an event once the write has succeeded.
    pub fn said(&mut self, note: Note) -> &mut Write {
        self.said = Some(Box::new(note));
        self
    }

    /// Records an event if the write fails.
    pub fn or_said(&mut self, note: Note) -> &mut Write {
        self.or_said = Some(Box::new(note));
        self
    }

    /// Counts "already exists" as success.
    pub fn or_exists(&mut self) -> &mut Write {
        self.or_exists = true;
        self
    }

    /// Goes on with the plan even if this write fails.
    pub fn or_failed(&mut self) -> &mut Write {
        self.or_failed = true;
        self
    }

    /// Addresses another part of the object.
    pub fn on(&mut self, subresource: Subresource) -> &mut Write {
        self.request.subresource = subresource;
        self
    }

    /// The kind that is written.
    pub fn kind(&self) -> &'static KindInfo {
        self.request.kind
    }

    /// Whether an error needs no attention: the object to delete is gone, or its namespace is going.
    pub(crate) fn tolerates(&self, status: &Status) -> bool {
        let deletes = matches!(self.request.verb, Verb::Delete(_) | Verb::DeleteCollection(..));
        let creates = matches!(self.request.verb, Verb::Create(_));
        self.or_failed
            || self.unless.is_some() && status.reason == "NotFound"
            || deletes && status.reason == "NotFound"
            || deletes && status.reason == "Conflict"
            || creates && self.or_exists && status.reason == "AlreadyExists"
            || creates && namespace_terminating(status)
    }

    /// Whether this successful answer forbids to go on.
    pub(crate) fn is_stopped_by(&self, meta: &ObjectMeta) -> bool {
        self.unless.as_ref().is_some_and(|uid| *uid == meta.uid)
    }

    pub(crate) fn note_of_success(&self, name: &str) -> Option<Note> {
        let mut note = (**self.said.as_ref()?).clone();
        note.message = note.message.replace("{name}", name).into();
        Some(note)
    }

    pub(crate) fn note_of_failure(&self, error: &str) -> Option<Note> {
        Some(with_error(self.or_said.as_ref()?, error))
    }
}

fn namespace_terminating(status: &Status) -> bool {
    status
        .details
        .iter()
        .flat_map(|details| &details.causes)
        .any(|cause| cause.reason == "NamespaceTerminating")
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::core::v1::ConfigMap;

    fn steps(plan: &Plan) -> Vec<usize> {
        plan.steps.iter().map(|step| step.writes.len()).collect()
    }

    #[test]
    fn a_slow_start_doubles_its_batches() {
        let check = |count: usize, expect: &[usize]| {
            let mut plan = Plan::settled();
            plan.slow_start((0..count).map(|_| Write::create(ConfigMap::default())).collect());
            assert_eq!(steps(&plan), expect);
        };
        check(0, &[]);
        check(1, &[1]);
        check(10, &[1, 2, 4, 3]);
    }

    #[test]
    fn the_earliest_look_counts_and_plans_can_be_joined() {
        let mut plan = Plan::after(Duration::secs(9));
        plan.create(ConfigMap::default());
        let mut other = Plan::after(Duration::secs(3));
        other.delete(&ConfigMap::default(), DeleteOptions::default());
        plan.then(other);
        assert_eq!((plan.again, steps(&plan)), (Some(Duration::secs(3)), vec![1, 1]));
    }

    #[test]
    fn a_delete_means_this_very_object() {
        let mut map = ConfigMap::default();
        std::sync::Arc::make_mut(&mut map.metadata).uid = base::lit!("u");
        let request = delete(&map, DeleteOptions::default());
        let Verb::Delete(options) = request.verb else { panic!("it deletes") };
        assert_eq!(options.preconditions.and_then(|p| p.uid).as_deref(), Some("u"));
    }

    #[test]
    fn what_is_gone_already_needs_no_attention() {
        let status = |reason: &str| api::wire::failure(404, reason, "");
        let delete = Write::delete(&ConfigMap::default(), DeleteOptions::default());
        assert!(delete.tolerates(&status("NotFound")));
        assert!(!delete.tolerates(&status("Forbidden")));
        let mut create = Write::create(ConfigMap::default());
        assert!(!create.tolerates(&status("AlreadyExists")));
        assert!(create.or_exists().tolerates(&status("AlreadyExists")));
    }
}
