//! Cluster architecture: the control plane, nodes and pods, kept up to date change by change.
//!
//! The page draws some hundreds of pods. Of a larger cluster each node shows as many as its share,
//! and says how
//! many more there are; which pods are shown stays so for their life.

use api::core::v1::Pod;
use api::object::Key;
use base::{BTreeSet, HashMap, HashSet, Str};
use protocol::{Item, Kind, Mark, Tie, View};

use crate::canvas::Canvas;
use crate::infra::Part;
use crate::item::{fact, key_of_part, of_object, of_pod, plain, state};
use crate::status::node_state;
use crate::world::World;

/// The key of the lane of pods without a node.
const WAITING: &str = "lane/waiting";
/// Pods that are drawn in all.
const PODS_MAX: usize = 600;
/// Nodes that are drawn.
const NODES_MAX: usize = 100;
/// Pods without a node that are drawn.
const WAITING_MAX: usize = 24;

/// The view.
#[derive(Clone)]
pub struct Architecture {
    /// What the page has.
    pub canvas: Canvas,
    dirty_pods: BTreeSet<Key>,
    dirty_nodes: BTreeSet<Str>,
    infra_changed: bool,
    /// Nodes that are drawn.
    nodes: HashSet<Str>,
    /// Nodes there are but that are not drawn.
    nodes_hidden: BTreeSet<Str>,
    /// Pods by the node they are on; the empty name is the lane.
    rooms: HashMap<Str, Room>,
    /// Where each pod was last.
    room_of: HashMap<Key, Str>,
    shown: usize,
}

/// The pods of one node.
#[derive(Clone, Default)]
struct Room {
    shown: BTreeSet<Key>,
    hidden: BTreeSet<Key>,
}

impl Architecture {
    /// The view of a world, whole.
    pub fn new(world: &World) -> Architecture {
        let mut view = Architecture {
            canvas: Canvas::new(View::Architecture, None),
            dirty_pods: world.pods.keys().cloned().collect(),
            dirty_nodes: world.nodes.keys().cloned().collect(),
            infra_changed: true,
            nodes: HashSet::default(),
            nodes_hidden: BTreeSet::new(),
            rooms: HashMap::default(),
            room_of: HashMap::default(),
            shown: 0,
        };
        view.canvas.put(Item {
            state: state(Mark::Plain, "you"),
            ..plain("client/kubectl", Kind::Client, "kubectl")
        });
        view
    }

    /// A pod changed.
    pub fn pod(&mut self, key: &Key) {
        self.dirty_pods.insert(key.clone());
    }

    /// A node changed.
    pub fn node(&mut self, name: &Str) {
        self.dirty_nodes.insert(name.clone());
    }

    /// Something was unplugged, cut or put right.
    pub fn infra(&mut self) {
        self.infra_changed = true;
    }

    /// Brings the canvas up to date.
    pub fn update(&mut self, world: &World) {
        if std::mem::take(&mut self.infra_changed) {
            for part in &world.infra.parts {
                self.canvas.put(part_item(part));
            }
            self.dirty_nodes.extend(self.nodes.iter().cloned());
        }
        for name in std::mem::take(&mut self.dirty_nodes) {
            self.update_node(world, &name);
        }
        let mut rooms = BTreeSet::from([Str::new()]);
        for key in std::mem::take(&mut self.dirty_pods) {
            self.update_pod(world, &key, &mut rooms);
        }
        for room in rooms {
            self.settle(world, &room);
        }
    }

    fn update_node(&mut self, world: &World, name: &Str) {
        let key = format!("node/{name}");
        let Some(node) = world.nodes.get(name) else {
            self.nodes_hidden.remove(name);
            if self.nodes.remove(name) {
                for part in ["kubelet", "kube-proxy"] {
                    self.canvas.remove(&key_of_part(part, name));
                }
                self.canvas.remove(&key);
                if let Some(next) = self.nodes_hidden.pop_first() {
                    self.dirty_nodes.insert(next);
                }
            }
            return;
        };
        if !self.nodes.contains(name) {
            if self.nodes.len() >= NODES_MAX {
                self.nodes_hidden.insert(name.clone());
                return;
            }
            self.nodes.insert(name.clone());
        }
        let machine = world.infra.machine(name);
        let joined = Tie {
            to: key_of_part("kube-apiserver", ""),
            word: String::new(),
            live: machine.joined,
        };
        self.canvas.put(Item {
            spoken: name.to_string(),
            state: node_state(node, machine.powered),
            ties: vec![joined],
            ..of_object(&**node, &Key::new("", name.clone()))
        });
        let mut parts = vec![("kubelet", Kind::Kubelet, machine.kubelet)];
        parts.extend(machine.kube_proxy.map(|runs| ("kube-proxy", Kind::KubeProxy, runs)));
        for (part, kind, runs) in parts {
            self.canvas.put(Item {
                parent: Some(key.clone()),
                spoken: format!("{part} of {name}"),
                state: running(runs && machine.powered),
                ..plain(&key_of_part(part, name), kind, part)
            });
        }
    }

    fn update_pod(&mut self, world: &World, key: &Key, rooms: &mut BTreeSet<Str>) {
        let pod = world.pods.get(key);
        let now = pod.map(|pod| room_name(pod));
        if let Some(was) = self.room_of.get(key).cloned()
            && now.as_ref() != Some(&was)
        {
            rooms.insert(was.clone());
            self.room_of.remove(key);
            if let Some(room) = self.rooms.get_mut(&was) {
                room.hidden.remove(key);
                if room.shown.remove(key) {
                    self.shown -= 1;
                }
            }
        }
        let (Some(pod), Some(now)) = (pod, now) else {
            self.canvas.remove(&pod_key(key));
            return;
        };
        rooms.insert(now.clone());
        self.room_of.insert(key.clone(), now.clone());
        let limit = self.limit(&now);
        let room = self.rooms.entry(now.clone()).or_default();
        if !room.shown.contains(key) {
            if room.shown.len() >= limit || self.shown >= PODS_MAX {
                room.hidden.insert(key.clone());
                self.canvas.remove(&pod_key(key));
                return;
            }
            room.hidden.remove(key);
            room.shown.insert(key.clone());
            self.shown += 1;
        }
        self.canvas.put(pod_item(pod, &now));
    }

    /// How many pods of a room are drawn.
    fn limit(&self, room: &Str) -> usize {
        if room.is_empty() {
            return WAITING_MAX;
        }
        if !self.nodes.contains(room) {
            return 0;
        }
        (PODS_MAX / self.nodes.len().max(1)).clamp(4, 60)
    }

    /// Fills free places of a room and counts what is left over.
    fn settle(&mut self, world: &World, name: &Str) {
        let limit = self.limit(name);
        let room = self.rooms.entry(name.clone()).or_default();
        while room.shown.len() < limit && self.shown < PODS_MAX {
            let Some(key) = room.hidden.pop_first() else { break };
            if let Some(pod) = world.pods.get(&key) {
                self.canvas.put(pod_item(pod, name));
                room.shown.insert(key);
                self.shown += 1;
            }
        }
        let (shown, hidden) = (room.shown.len(), room.hidden.len());
        if shown + hidden == 0 && !name.is_empty() {
            self.rooms.remove(name);
        }
        let more = format!("more/{name}");
        if name.is_empty() {
            let word =
                if shown + hidden == 0 { "none".into() } else { (shown + hidden).to_string() };
            self.canvas.put(Item {
                state: state(Mark::Plain, word),
                ..plain(WAITING, Kind::Waiting, "Waiting for a node")
            });
        } else if hidden > 0 && self.nodes.contains(name) {
            self.canvas.put(Item {
                parent: Some(format!("node/{name}")),
                spoken: format!("{hidden} more pods on {name}"),
                ..plain(&more, Kind::More, &format!("+{hidden} more"))
            });
        } else {
            self.canvas.remove(&more);
        }
    }
}

fn pod_key(key: &Key) -> String {
    format!("pod/{}/{}", key.namespace, key.name)
}

fn room_name(pod: &Pod) -> Str {
    pod.spec.node_name.clone()
}

fn pod_item(pod: &Pod, room: &Str) -> Item {
    let parent = if room.is_empty() { WAITING.to_owned() } else { format!("node/{room}") };
    Item { parent: Some(parent), ..of_pod(pod) }
}

/// The status of a part.
pub fn running(runs: bool) -> protocol::State {
    if runs { state(Mark::Ready, "running") } else { state(Mark::Off, "off") }
}

fn part_item(part: &Part) -> Item {
    Item {
        state: running(part.running),
        facts: vec![fact("part of", "the control plane")],
        ..plain(&key_of_part(&part.name, ""), part.kind, &part.name)
    }
}
