//! A request's way: decode, default, admit, validate, patch, store; tables, discovery, OpenAPI, watches.
//!
//! Models kube-apiserver. [`ApiServer`] is one value: it holds etcd, the watches of its clients and the pools of
//! addresses. The parts of the cluster hand it typed requests ([`ApiServer::handle`]); people and real clients
//! speak HTTP ([`ApiServer::http`]). Both take the same way through the registry's rows.
//!
//! Known deviations:
//! - Webhooks, admission policies and aggregated API servers are stored, not called.

pub mod access;
pub mod admission;
pub mod alloc;
mod base64;
pub mod bootstrap;
mod components;
mod custom;
pub mod defaults;
pub mod errors;
mod expiry;
pub mod http;
pub mod ledger;
mod managed;
mod names;
mod options;
pub mod registry;
pub mod select;
mod storage;
mod subresource;
mod table;
pub mod validation;
mod verbs;
pub mod watch;

use std::sync::Arc;

use api::authentication::v1::UserInfo;
use api::object::Object;
use api::wire::{
    Answer, Cause, Change, Interest, ListOptions, ObjectList, Reply, Request, Subresource, Trigger,
    Verb, WatchEvent,
};
use base::{BTreeMap, BTreeSet, HashMap, Instant, Rng, Str};
use etcd::{Etcd, Retention};

pub use components::Probed;
use errors::Refusal;
use ledger::{Ledger, WriteRecord};
pub use options::{Authorization, Options, ServiceRange};
use registry::Row;
pub use verbs::FieldOrder;
use watch::Hub;
pub use watch::WatchId;

/// The API server with its etcd. A clone shares all objects with the original.
#[derive(Clone, Debug)]
pub struct ApiServer {
    pub(crate) etcd: Etcd<Object>,
    pub(crate) hub: Hub,
    pub(crate) ledger: Ledger,
    pub(crate) rng: Rng,
    /// Chance in the choice of addresses and ports of Services.
    pub(crate) draws: Rng,
    pub(crate) names: names::Names,
    pub(crate) pods: admission::SpecMemo,
    pub(crate) services: Arc<alloc::Pools>,
    pub(crate) options: Options,
    /// The definitions of custom kinds, by name.
    pub(crate) definitions: BTreeMap<Str, custom::Defined>,
    pub(crate) definition_changes: u64,
    /// How Go declares its structs, if that is known.
    pub(crate) field_order: Option<FieldOrder>,
    /// The parts that would answer a probe.
    pub(crate) answering: BTreeSet<Probed>,
    /// When events go.
    pub(crate) expiry: expiry::Expiry,
    /// The keys of the pods of each node, for lists by `spec.nodeName`.
    pub(crate) by_node: HashMap<Str, Arc<BTreeSet<Str>>>,
}

/// One write on its way.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub now: Instant,
    pub verb: &'static str,
    pub subresource: Subresource,
    pub dry_run: bool,
    pub manager: Str,
    pub cause: Cause,
    /// Texts for the `Warning` headers of the answer.
    pub warnings: Vec<String>,
    /// Asked by a person or a client outside: field managers are kept.
    pub is_http: bool,
    /// What becomes of unknown and duplicate fields in patches.
    pub strictness: Strictness,
    /// The version that the client speaks, where it is not the stored one.
    pub version: Option<Str>,
    /// The subresource under which field managers are kept.
    pub managed_as: Subresource,
    /// The managers are settled already, by server-side apply.
    pub applied: bool,
    /// The client named no labels.
    pub labels_defaulted: bool,
    /// Who asks.
    pub user: Arc<UserInfo>,
    /// The name was generated and is known to be free.
    pub generated: bool,
}

/// What becomes of unknown and duplicate fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    Ignore,
    Warn,
    Strict,
}

/// A text as Go's `%q` prints it.
pub(crate) fn go_quoted(text: &str) -> String {
    api::selector::quote(text)
}

impl Write {
    /// A write that the server makes by itself.
    pub(crate) fn own(now: Instant, verb: &'static str, actor: Str) -> Write {
        Write {
            now,
            verb,
            subresource: Subresource::None,
            dry_run: false,
            manager: actor.clone(),
            cause: Cause { actor, trigger: Trigger::Timer },
            warnings: Vec::new(),
            is_http: false,
            strictness: Strictness::Ignore,
            version: None,
            managed_as: Subresource::None,
            applied: false,
            labels_defaulted: false,
            user: Arc::default(),
            generated: false,
        }
    }

    pub(crate) fn cx(&self) -> registry::Cx {
        registry::Cx {
            now: self.now,
            subresource: self.subresource,
            labels_defaulted: self.labels_defaulted,
        }
    }

    pub(crate) fn validation(&self) -> validation::Ctx {
        let new_events = self.version.as_deref() == Some("events.k8s.io/v1");
        validation::Ctx { now: self.now, subresource: self.subresource, new_events }
    }
}

/// An answer with its objects as the served version shows them.
fn presented(answer: Answer, row: &Row, served: &Row) -> Answer {
    match answer {
        Answer::Object(object, created) => {
            Answer::Object(row.present(&object, served.info), created)
        }
        Answer::List(mut list) => {
            list.items.iter_mut().for_each(|item| *item = row.present(item, served.info));
            Answer::List(list)
        }
        other => other,
    }
}

impl ApiServer {
    /// An API server over an empty etcd. Equal seeds give equal names and uids.
    pub fn new(seed: u64) -> ApiServer {
        let retention = Retention { entries: Some(50_000), ..Retention::default() };
        ApiServer::with_retention(seed, retention)
    }

    /// The same, with a limit for the history that watches and pages can go back to.
    pub fn with_retention(seed: u64, retention: Retention) -> ApiServer {
        let options = Options::default();
        ApiServer {
            options,
            etcd: storage::store(retention),
            hub: Hub::default(),
            ledger: Ledger::default(),
            rng: Rng::stream(seed, "kube-apiserver"),
            draws: Rng::stream(seed, "kube-apiserver/services"),
            names: names::Names::new(seed),
            pods: admission::SpecMemo::default(),
            services: Arc::new(alloc::Pools::new(options.service_range)),
            definitions: BTreeMap::new(),
            definition_changes: 0,
            field_order: None,
            answering: BTreeSet::new(),
            expiry: expiry::Expiry::default(),
            by_node: HashMap::default(),
        }
    }

    /// Shows documents in messages in this order from now on.
    pub fn set_field_order(&mut self, order: FieldOrder) {
        self.field_order = Some(order);
    }

    /// The same server, started with other flags. Nothing may be stored yet.
    pub fn with_options(self, options: Options) -> ApiServer {
        let services = Arc::new(alloc::Pools::new(options.service_range));
        ApiServer { options, services, ..self }
    }

    /// The flags that it was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Answers one request of a part of the cluster.
    pub fn handle(&mut self, now: Instant, request: Request) -> Reply {
        let mut write = Write {
            subresource: request.subresource,
            managed_as: request.subresource,
            dry_run: request.dry_run,
            cause: request.cause.clone(),
            ..Write::own(now, verbs::name(&request), request.manager.clone())
        };
        self.answer(&mut write, request)
    }

    pub(crate) fn answer(&mut self, write: &mut Write, request: Request) -> Reply {
        let Some(served) = registry::of(request.kind) else {
            return Err(errors::unknown_resource());
        };
        let Some(stored) = &served.stored else {
            let answer = verbs::answer(self, write, served, request)?;
            // The schema of a custom kind may have changed since the object was stored.
            return Ok(if served.custom.is_some() {
                presented(answer, served, served)
            } else {
                answer
            });
        };
        // Another version of a stored kind: translate on the way in and out.
        let row = registry::of(stored.info).expect("stored kinds are registered");
        let mut request = request;
        request.kind = stored.info;
        write.version = Some(served.info.api_version().into());
        match &mut request.verb {
            Verb::Create(object) | Verb::Update(object) if object.info() == served.info => {
                defaults::apply(object);
                *object = (stored.to)(object, stored.info);
            }
            Verb::Patch(_) => return verbs::patch_as(self, write, served, row, request),
            _ => {}
        }
        let answer = verbs::answer(self, write, row, request)?;
        Ok(presented(answer, row, served))
    }

    /// Opens a watch. With a revision, the changes since then come first; without one, or with revision 0, the
    /// present objects do, as `ADDED`.
    ///
    /// A revision that is compacted gives 410.
    pub fn watch(
        &mut self,
        interest: Interest,
        from_revision: Option<i64>,
    ) -> Result<WatchId, Refusal> {
        let (row, at) = self.row_of(&interest)?;
        match from_revision.filter(|revision| *revision > 0) {
            Some(revision) => {
                if revision > self.revision() {
                    return Err(errors::too_large_resource_version(revision, self.revision()));
                }
                let changes = self.changes_since(row, revision)?;
                let id = self.hub.open(at, interest.clone());
                for (old, new, revision) in changes {
                    let seen = watch::seen(row, &interest, old.as_ref(), new.as_ref(), revision);
                    if let Some(event) = seen {
                        self.hub.push(id, event);
                    }
                }
                Ok(id)
            }
            None => {
                let id = self.hub.open(at, interest.clone());
                let options = ListOptions {
                    labels: interest.labels.clone(),
                    fields: interest.fields.clone(),
                    ..ListOptions::default()
                };
                for object in self.select(row, &interest.namespace, &options) {
                    let revision = object.meta().resource_version.parse().unwrap_or(0);
                    let object = row.present(&object, interest.kind);
                    self.hub.push(id, WatchEvent { change: Change::Added, object, revision });
                }
                Ok(id)
            }
        }
    }

    /// Lists what a watch would show, and opens it from there on.
    pub fn list_and_watch(&mut self, interest: Interest) -> Result<(WatchId, ObjectList), Refusal> {
        let list = self.list(&interest)?;
        let (_, at) = self.row_of(&interest)?;
        Ok((self.hub.open(at, interest), list))
    }

    /// The objects that `interest` covers now.
    pub fn list(&self, interest: &Interest) -> Result<ObjectList, Refusal> {
        let (row, _) = self.row_of(interest)?;
        let options = ListOptions {
            labels: interest.labels.clone(),
            fields: interest.fields.clone(),
            ..ListOptions::default()
        };
        let mut items = self.select(row, &interest.namespace, &options);
        if row.custom.is_some() || row.info != interest.kind {
            items.iter_mut().for_each(|item| *item = row.present(item, interest.kind));
        }
        Ok(ObjectList { items, revision: self.revision(), ..ObjectList::default() })
    }

    /// One object, as it is now.
    pub fn get(&self, kind: &'static api::KindInfo, namespace: &str, name: &str) -> Option<Object> {
        let served = registry::of(kind)?;
        let row =
            served.stored.as_ref().map_or(Some(served), |stored| registry::of(stored.info))?;
        self.stored(row, namespace, name).map(|object| row.present(object, kind))
    }

    fn row_of(&self, interest: &Interest) -> Result<(&'static Row, usize), Refusal> {
        let served = registry::of(interest.kind).ok_or_else(errors::unknown_resource)?;
        let info = served.stored.as_ref().map_or(served.info, |stored| stored.info);
        let at = registry::index_of(info).expect("stored kinds are registered");
        Ok((registry::of(info).expect("found above"), at))
    }

    /// Ends a watch.
    pub fn unwatch(&mut self, id: WatchId) {
        self.hub.close(id);
    }

    /// Takes the events of all watches that came about since the last call, in order.
    pub fn take_events(&mut self) -> Vec<(WatchId, WatchEvent)> {
        self.hub.take()
    }

    /// Whether [`ApiServer::take_events`] would give something.
    pub fn has_events(&self) -> bool {
        self.hub.has_events()
    }

    /// How many watches are open.
    pub fn watch_count(&self) -> usize {
        self.hub.open_count()
    }

    /// The write that made `revision`, with its cause, unless it is too old.
    pub fn cause_of(&self, revision: i64) -> Option<&WriteRecord> {
        self.ledger.at(revision)
    }

    /// The last writes, newest first.
    pub fn writes(&self) -> impl Iterator<Item = &WriteRecord> {
        self.ledger.newest()
    }

    /// etcd, to read and to fail.
    pub fn etcd(&self) -> &Etcd<Object> {
        &self.etcd
    }
}
