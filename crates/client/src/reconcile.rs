//! The trait of a controller: it reads caches and decides; it never calls.

use api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use api::batch::v1::{CronJob, Job};
use api::coordination::v1::Lease;
use api::core::v1::{
    ConfigMap, Endpoints, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, Service,
    ServiceAccount,
};
use api::discovery::v1::EndpointSlice;
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, KindInfo};
use api::wire::Trigger;
use base::{Duration, Instant, Str};

use crate::cache::{Caches, Delta, Lister};
use crate::cloud::{CloudAnswer, CloudError};
use crate::plan::{Failure, Plan};

/// A controller: maps changes to keys, and a key to what should be written.
pub trait Reconcile: CloneReconcile {
    /// The name in causes: `replicaset-controller`.
    fn name(&self) -> &'static str;

    /// The source of its events, where it is not the name.
    fn source(&self) -> &'static str {
        self.name()
    }

    /// The kinds it reads. Its caches hold all objects of these, in all namespaces.
    fn watches(&self) -> Vec<&'static KindInfo>;

    /// Whether it reads every custom kind as well, from when the kind is served.
    fn follows_custom_kinds(&self) -> bool {
        false
    }

    /// Maps a change to the keys that must be looked at.
    fn on_delta(&mut self, cx: &Cx<'_>, delta: &Delta, queue: &mut Enqueue);

    /// Decides what to write for a key.
    fn reconcile(&mut self, cx: &Cx<'_>, key: &Key) -> Plan;

    /// Adds keys that no change brings. Called when all caches are full, and then every [`Reconcile::resync`].
    fn on_start(&mut self, _cx: &Cx<'_>, _queue: &mut Enqueue) {}

    /// What to write after a write for this key failed (not for conflicts); it is retried with backoff anyway.
    fn failed(&mut self, _cx: &Cx<'_>, _key: &Key, _failure: &Failure) -> Plan {
        Plan::settled()
    }

    /// What to do once the cloud provider has answered what a plan for this key asked: the steps come before
    /// those that the plan still has.
    fn answered(&mut self, _cx: &Cx<'_>, _key: &Key, _answer: CloudAnswer) -> Plan {
        Plan::settled()
    }

    /// What to write after the cloud provider has refused what a plan for this key asked; it is retried anyway.
    fn refused(&mut self, _cx: &Cx<'_>, _key: &Key, _error: &CloudError) -> Plan {
        Plan::settled()
    }

    /// Forgets everything: the process starts anew.
    fn reset(&mut self) {}

    /// How often [`Reconcile::on_start`] is repeated, if at all.
    fn resync(&self) -> Option<Duration> {
        None
    }

    /// How long a key waits before its first retry, and at most; the wait doubles each time.
    fn backoff(&self) -> (Duration, Duration) {
        (Duration::millis(5), Duration::secs(1_000))
    }

    /// How many keys are in work at once.
    fn workers(&self) -> usize {
        5
    }
}

/// Copying of boxed controllers, for checkpoints. Every `Clone` controller has it.
pub trait CloneReconcile: Send {
    /// A copy behind a new box.
    fn clone_box(&self) -> Box<dyn Reconcile>;
}

impl<T: Reconcile + Clone + 'static> CloneReconcile for T {
    fn clone_box(&self) -> Box<dyn Reconcile> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Reconcile> {
    fn clone(&self) -> Box<dyn Reconcile> {
        (**self).clone_box()
    }
}

/// What a controller sees while it decides.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    /// The moment.
    pub now: Instant,
    /// What is known of the cluster.
    pub caches: &'a Caches,
    /// What brought this up.
    pub trigger: Trigger,
}

macro_rules! shorthands {
    ($($(#[$doc:meta])* $name:ident: $kind:ty),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> Lister<'a, $kind> {
            self.caches.all()
        }
    )*};
}

impl<'a> Cx<'a> {
    /// The cached objects of a kind.
    pub fn all<K: Kind>(&self) -> Lister<'a, K> {
        self.caches.all()
    }

    shorthands! {
        /// The pods.
        pods: Pod,
        /// The nodes.
        nodes: Node,
        /// The namespaces.
        namespaces: Namespace,
        /// The Services.
        services: Service,
        /// The EndpointSlices.
        endpoint_slices: EndpointSlice,
        /// The Endpoints.
        endpoints: Endpoints,
        /// The ReplicaSets.
        replica_sets: ReplicaSet,
        /// The Deployments.
        deployments: Deployment,
        /// The StatefulSets.
        stateful_sets: StatefulSet,
        /// The DaemonSets.
        daemon_sets: DaemonSet,
        /// The ControllerRevisions.
        revisions: ControllerRevision,
        /// The Jobs.
        jobs: Job,
        /// The CronJobs.
        cron_jobs: CronJob,
        /// The ConfigMaps.
        config_maps: ConfigMap,
        /// The ServiceAccounts.
        service_accounts: ServiceAccount,
        /// The PersistentVolumes.
        volumes: PersistentVolume,
        /// The PersistentVolumeClaims.
        claims: PersistentVolumeClaim,
        /// The Leases.
        leases: Lease,
    }
}

/// Collects the keys that a change concerns.
#[derive(Debug, Default)]
pub struct Enqueue {
    pub(crate) now: Vec<Key>,
    pub(crate) later: Vec<(Key, Duration)>,
}

impl Enqueue {
    /// This key must be looked at.
    pub fn add(&mut self, key: Key) {
        self.now.push(key);
    }

    /// The object with this metadata must be looked at.
    pub fn of(&mut self, meta: &ObjectMeta) {
        self.add(Key::of(meta));
    }

    /// The object called `name` in `namespace` must be looked at.
    pub fn named(&mut self, namespace: impl Into<Str>, name: impl Into<Str>) {
        self.add(Key::new(namespace, name));
    }

    /// This key must be looked at after a while.
    pub fn after(&mut self, key: Key, wait: Duration) {
        self.later.push((key, wait));
    }

    /// Takes out the keys that must be looked at now, so that they can be delayed or mapped further.
    pub fn drain(&mut self) -> impl Iterator<Item = Key> {
        self.now.drain(..)
    }
}
