//! Requests to the API server and its answers, as the parts of a cluster hand them to each other: typed, not JSON.

use base::{Instant, Str};

use crate::json::Json;
use crate::meta::v1::{DeleteOptions, Status, StatusCause, StatusDetails};
use crate::object::{Key, KindInfo, Object};
use crate::selector::{FieldSelector, Selector};

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The kind asked for.
    pub kind: &'static KindInfo,
    /// Namespace; empty for cluster-scoped kinds and for all namespaces.
    pub namespace: Str,
    /// Name; empty for collections.
    pub name: Str,
    /// The part of the object that is addressed.
    pub subresource: Subresource,
    /// What to do.
    pub verb: Verb,
    /// Answer as if, but store nothing.
    pub dry_run: bool,
    /// Who asks, as field manager: `kube-scheduler`.
    pub manager: Str,
    /// Why it is asked.
    pub cause: Cause,
}

/// What a request does.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads a collection.
    List(ListOptions),
    /// Stores a new object (or binds, evicts … through a subresource).
    Create(Object),
    /// Replaces an object.
    Update(Object),
    /// Changes an object.
    Patch(Patch),
    /// Deletes an object.
    Delete(Box<DeleteOptions>),
    /// Deletes the objects of a collection that match.
    DeleteCollection(Box<DeleteOptions>, ListOptions),
}

/// A patch of one of the four types.
#[derive(Clone, Debug)]
pub enum Patch {
    /// RFC 6902.
    Json(Json),
    /// RFC 7386.
    Merge(Json),
    /// Strategic merge patch.
    Strategic(Json),
    /// Server-side apply.
    Apply {
        /// The applied configuration.
        body: Json,
        /// Take over fields that others manage.
        force: bool,
    },
}

/// The part of an object that a request addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Subresource {
    /// The object itself.
    #[default]
    None,
    /// Its status.
    Status,
    /// Its replica count.
    Scale,
    /// A pod's binding.
    Binding,
    /// A pod's eviction.
    Eviction,
    /// A pod's ephemeral containers.
    EphemeralContainers,
    /// A pod's resources.
    Resize,
    /// A container's log.
    Log,
    /// A service account's token.
    Token,
    /// A certificate signing request's approval.
    Approval,
    /// A namespace's finalizers.
    Finalize,
}

/// Which objects of a collection are meant.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Only objects with these labels.
    pub labels: Selector,
    /// Only objects with these field values.
    pub fields: FieldSelector,
    /// At most so many; 0 is no limit.
    pub limit: i64,
    /// Goes on where an earlier page ended.
    pub continue_token: Str,
    /// The revision asked for; empty for the newest.
    pub resource_version: Str,
    /// `Exact` or `NotOlderThan`; empty if not given.
    pub resource_version_match: Str,
}

/// Why a write was made: who decided it and what it was reacting to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Cause {
    /// The part that decided: `deployment-controller`, `kubelet`, `kubectl`.
    pub actor: Str,
    /// What it was reacting to.
    pub trigger: Trigger,
}

/// What a part was reacting to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Trigger {
    /// The cluster's start.
    #[default]
    Start,
    /// The numbered command of a person.
    Command(u32),
    /// The write that made this revision.
    Revision(i64),
    /// A timer.
    Timer,
}

/// A successful answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The object, as stored; `true` where it was created by this request.
    Object(Object, bool),
    /// A collection.
    List(ObjectList),
    /// A status, such as after a deletion.
    Status(Box<Status>),
}

/// A page of a collection.
#[derive(Clone, Debug, Default)]
pub struct ObjectList {
    /// The objects, ordered by namespace and name.
    pub items: Vec<Object>,
    /// The revision at which they were read.
    pub revision: i64,
    /// Where the next page starts; empty on the last.
    pub continue_token: Str,
    /// How many are left after this page, where it is known.
    pub remaining: Option<i64>,
}

/// An answer or the error in the API's own form.
pub type Reply = Result<Answer, Box<Status>>;

/// What happened to a watched object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It is new, or has begun to match the selectors.
    Added,
    /// It changed.
    Modified,
    /// It is gone, or matches no more.
    Deleted,
    /// Nothing happened up to this revision.
    Bookmark,
}

impl Change {
    /// The word in a watch stream.
    pub const fn as_str(self) -> &'static str {
        match self {
            Change::Added => "ADDED",
            Change::Modified => "MODIFIED",
            Change::Deleted => "DELETED",
            Change::Bookmark => "BOOKMARK",
        }
    }
}

/// One event of a watch.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// What happened.
    pub change: Change,
    /// The object after it; for a deletion its last state.
    pub object: Object,
    /// The store's revision of the change.
    pub revision: i64,
}

/// What a watch follows: one kind, perhaps in one namespace, perhaps selected.
#[derive(Clone, Debug)]
pub struct Interest {
    /// The kind.
    pub kind: &'static KindInfo,
    /// One namespace; empty for all.
    pub namespace: Str,
    /// Only objects with these labels.
    pub labels: Selector,
    /// Only objects with these field values.
    pub fields: FieldSelector,
}

impl Interest {
    /// All objects of a kind.
    pub fn all(kind: &'static KindInfo) -> Interest {
        Interest {
            kind,
            namespace: Str::new(),
            labels: Selector::default(),
            fields: FieldSelector::default(),
        }
    }
}

impl Request {
    /// A request for the object itself with no options.
    pub fn new(kind: &'static KindInfo, key: &Key, verb: Verb) -> Request {
        Request {
            kind,
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            subresource: Subresource::None,
            verb,
            dry_run: false,
            manager: Str::new(),
            cause: Cause::default(),
        }
    }

    /// Creates `object` in its own namespace.
    pub fn create(object: Object) -> Request {
        let key = Key::new(object.namespace().clone(), Str::new());
        Request::new(object.info(), &key, Verb::Create(object))
    }

    /// Replaces the object of the same key.
    pub fn update(object: Object) -> Request {
        Request::new(object.info(), &Key::of(object.meta()), Verb::Update(object))
    }

    /// Replaces the status of the object of the same key.
    pub fn update_status(object: Object) -> Request {
        Request { subresource: Subresource::Status, ..Request::update(object) }
    }

    /// Deletes by key.
    pub fn delete(kind: &'static KindInfo, key: &Key, options: DeleteOptions) -> Request {
        Request::new(kind, key, Verb::Delete(Box::new(options)))
    }

    /// The same request from another field manager and for another cause.
    pub fn by(mut self, manager: impl Into<Str>, cause: Cause) -> Request {
        self.manager = manager.into();
        self.cause = cause;
        self
    }
}

/// A `Failure` status with a code, a reason and a message.
pub fn failure(code: i32, reason: &str, message: impl Into<Str>) -> Box<Status> {
    Box::new(Status {
        code: Some(code),
        reason: reason.into(),
        message: message.into(),
        status: base::lit!("Failure"),
        ..Status::default()
    })
}

/// 404 for a named object.
pub fn not_found(kind: &KindInfo, name: &str) -> Box<Status> {
    let message = format!("{} {name:?} not found", kind.resource());
    with_details(failure(404, "NotFound", message), kind.group, kind.plural, name)
}

/// 409: a name is taken.
pub fn already_exists(kind: &KindInfo, name: &str) -> Box<Status> {
    let message = format!("{} {name:?} already exists", kind.resource());
    with_details(failure(409, "AlreadyExists", message), kind.group, kind.plural, name)
}

/// 409: the object changed, or something else is in the way.
pub fn conflict(kind: &KindInfo, name: &str, why: &str) -> Box<Status> {
    let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.resource());
    with_details(failure(409, "Conflict", message), kind.group, kind.plural, name)
}

/// Fills in what the status is about.
pub fn with_details(mut status: Box<Status>, group: &str, kind: &str, name: &str) -> Box<Status> {
    let causes = status.details.take().map(|d| d.causes).unwrap_or_default();
    status.details = Some(Box::new(StatusDetails {
        group: group.into(),
        kind: kind.into(),
        name: name.into(),
        causes,
        ..StatusDetails::default()
    }));
    status
}

/// One cause of an `Invalid` status.
pub fn cause(reason: &str, field: &str, message: &str) -> StatusCause {
    StatusCause { reason: reason.into(), field: field.into(), message: message.into() }
}

/// What a conflict on resourceVersion says.
pub const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// The API time of a virtual instant, to the second.
pub fn time_of(now: Instant) -> crate::time::Time {
    crate::time::Time::from(now)
}
