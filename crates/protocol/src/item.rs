//! What a diagram is made of: items with a place, ties between them, and things that travel.

use serde::{Deserialize, Serialize};

use crate::{Fact, Micros};

/// Names one item in every view: `node/node-1`, `pod/default/web-7d4b9-abcde`, `part/etcd`.
pub type Key = String;

/// One diagram of the stage. Each has a module in `view`, a layout and a component in `web`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum View {
    /// Control plane, nodes and every pod. The outline is made from it, so it is always sent.
    Architecture,
    /// One Deployment, its ReplicaSets and their pods.
    Deployment,
    /// One Service: clients, virtual address, endpoints, pods and a node's rules.
    Service,
}

impl View {
    /// Every view, in the order of the keys 1 to 9.
    pub const ALL: [View; 3] = [View::Architecture, View::Deployment, View::Service];
}

/// What an item is: decides its silhouette and where a layout puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Kind {
    /// Somebody outside the cluster: `kubectl`, a user of a Service.
    Client,
    ApiServer,
    Etcd,
    ControllerManager,
    Scheduler,
    CloudControllerManager,
    Provider,
    Node,
    Kubelet,
    KubeProxy,
    /// The lane of pods that have no node yet.
    Waiting,
    Pod,
    Container,
    Deployment,
    ReplicaSet,
    DaemonSet,
    StatefulSet,
    Job,
    CronJob,
    Service,
    Endpoint,
    Ingress,
    /// A line of a node's packet rules.
    Rule,
    ConfigMap,
    Secret,
    Volume,
    Claim,
    StorageClass,
    Namespace,
    /// Stands for items that are not drawn one by one: "+37 more".
    More,
    /// Any other object.
    Object,
}

/// A status as shape and colour; its word is in [`State`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mark {
    /// Works as wanted.
    Ready,
    /// Runs, but is not ready.
    NotReady,
    /// Waits for a decision.
    Pending,
    /// Is being made.
    Creating,
    /// Fails again and again.
    CrashLoop,
    /// Is going away.
    Terminating,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Nobody knows.
    #[default]
    Unknown,
    /// Switched off or unplugged by a fault.
    Off,
    /// Has no status: a thing that merely is.
    Plain,
}

/// The status of an item: shape, word, and what there is to add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The shape and colour.
    pub mark: Mark,
    /// The word, as `kubectl get` prints it: `Running`, `Ready`, `CrashLoopBackOff`.
    pub word: String,
    /// A few more words, or nothing: `not ready`, `3 restarts`.
    pub note: String,
}

/// How much of something there is: ready replicas of wanted ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// How many there are.
    pub value: u32,
    /// How many there should be.
    pub max: u32,
}

/// A line from an item to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tie {
    /// The other end.
    pub to: Key,
    /// What the line means, or nothing.
    pub word: String,
    /// A tie that carries; one that does not is drawn broken.
    pub live: bool,
}

/// One thing in a diagram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its name in every view.
    pub key: Key,
    /// Its silhouette.
    pub kind: Kind,
    /// The item it sits in: a pod in its node (architecture) or its ReplicaSet (deployment).
    pub parent: Option<Key>,
    /// The namespace, empty for what has none.
    pub namespace: String,
    /// The whole name.
    pub name: String,
    /// The name for a card: workload and the last characters, `web ·abcde`.
    pub label: String,
    /// What the item is called in the outline: `pod default/web-7d4b9-abcde`.
    pub spoken: String,
    /// Its status.
    pub state: State,
    /// Order among its siblings where a layout sorts (revision of a ReplicaSet); greater is first.
    pub rank: i64,
    /// A bar, where one makes sense.
    pub gauge: Option<Gauge>,
    /// Lines of the card.
    pub facts: Vec<Fact>,
    /// Lines to other items.
    pub ties: Vec<Tie>,
}

/// What a travelling thing means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tone {
    /// A request that changes something.
    Write,
    /// News of a change.
    Watch,
    /// A network request of a client, answered.
    Request,
    /// Anything that did not arrive or was refused.
    Failed,
}

/// Something that travels along a path of items once: a ticket or a request dot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    /// The items it passes, first to last; at least two.
    pub path: Vec<Key>,
    /// What it is.
    pub tone: Tone,
    /// One caption: `create Pod default/web-7d4b9-abcde`.
    pub caption: String,
    /// How long it takes in virtual time.
    pub took: Micros,
    /// How many equal ones were put together in this frame.
    pub count: u32,
}

/// One change to one view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// The item is new or changed.
    Upsert(Box<Item>),
    /// The item is gone.
    Remove(Key),
    /// The item sits in another one now; nothing else changed.
    Move {
        /// Which item.
        key: Key,
        /// Where it sits now.
        parent: Option<Key>,
    },
    /// Something travels.
    Pulse(Pulse),
}
