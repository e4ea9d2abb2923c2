//! The views the page subscribed to, kept up to date.

use std::collections::VecDeque;

use api::object::Key;
use api::wire::WatchEvent;
use base::{BTreeMap, Duration, Instant};
use network::{Outcome, Trace};
use protocol::{Choice, LogLine, Pulse, Subscription, Tone, View, ViewFrame};

use crate::architecture::Architecture;
use crate::canvas::Canvas;
use crate::infra::Infra;
use crate::inspect::Write;
use crate::item::{key_of, reference};
use crate::service::{client_key, endpoint_key, service_key};
use crate::world::{Touched, World};
use crate::{deployment, news, service, tickets};

/// Objects a view can be about that are listed.
const CHOICES_MAX: usize = 200;
/// Sentences kept until the next frame.
const NEWS_MAX: usize = 100;
/// A pod that asked a Service is drawn as its client for so long.
const CLIENT_STAYS: Duration = Duration::secs(30);
/// Clients of one Service that are drawn.
const CLIENTS_MAX: usize = 6;

/// All views of one cluster.
#[derive(Clone, Default)]
pub struct Views {
    world: World,
    architecture: Option<Architecture>,
    focused: BTreeMap<View, Focused>,
    choices_changed: bool,
    news: VecDeque<LogLine>,
    clients: BTreeMap<Key, BTreeMap<Key, Instant>>,
    now: Instant,
}

/// A view about one object.
#[derive(Clone)]
struct Focused {
    canvas: Canvas,
    /// What was asked for; with none the first choice is taken.
    wanted: Option<Key>,
    about: Option<Key>,
    dirty: bool,
    rules: Vec<String>,
}

impl Views {
    /// An object changed.
    pub fn change(&mut self, now: Instant, event: &WatchEvent) {
        self.now = now;
        let key = Key::of(event.object.meta());
        let (old_pod, old_node) = match event.object.info().kind {
            "Pod" => (self.world.pods.get(&key).cloned(), None),
            "Node" => (None, self.world.nodes.get(&key.name).cloned()),
            _ => (None, None),
        };
        let touched = self.world.apply(event);
        match &touched {
            Touched::Pod(key) => {
                let new = self.world.pods.get(key);
                let line = news::of_pods(now, old_pod.as_deref(), new.map(|pod| &**pod));
                self.news.extend(line);
                if let Some(view) = &mut self.architecture {
                    view.pod(key);
                }
            }
            Touched::Node(name) => {
                let new = self.world.nodes.get(name);
                let line = news::of_nodes(now, old_node.as_deref(), new.map(|node| &**node));
                self.news.extend(line);
                if let Some(view) = &mut self.architecture {
                    view.node(name);
                }
            }
            Touched::Deployment(_) | Touched::Service(_) => self.choices_changed = true,
            Touched::Set(_) | Touched::Nothing => {}
        }
        if touched != Touched::Nothing {
            for view in self.focused.values_mut() {
                view.dirty = true;
            }
        }
        while self.news.len() > NEWS_MAX {
            self.news.pop_front();
        }
    }

    /// A write was made.
    pub fn write(&mut self, write: &Write) {
        if let Some(view) = &mut self.architecture {
            for pulse in tickets::of_write(&self.world, write) {
                view.canvas.pulse(pulse);
            }
        }
    }

    /// A pod made a request over the network.
    pub fn request(&mut self, now: Instant, from: &Key, story: &Trace) {
        self.now = now;
        let Some(service) = self.service_asked(story) else { return };
        let seen = self.clients.entry(service.clone()).or_default();
        let new = seen.insert(from.clone(), now).is_none();
        let world = &self.world;
        let Some(view) = self.focused.get_mut(&View::Service) else { return };
        if view.about.as_ref() != Some(&service) {
            return;
        }
        view.dirty |= new;
        let mut path = vec![client_key(from), service_key(&service)];
        let ok = matches!(story.outcome, Outcome::Answered(_));
        if let Some(place) = &story.place {
            path.push(endpoint_key(&service, &place.at.ip().to_string()));
            if let Some((namespace, name)) = &place.pod
                && world.pods.contains_key(&Key::new(namespace.clone(), name.clone()))
            {
                path.push(format!("pod/{namespace}/{name}"));
            }
        }
        view.canvas.pulse(Pulse {
            path,
            tone: if ok { Tone::Request } else { Tone::Failed },
            caption: story.outcome.to_string(),
            took: story.latency.0.max(0) as u64,
            count: 1,
        });
    }

    /// The Service whose virtual address the request went to.
    fn service_asked(&self, story: &Trace) -> Option<Key> {
        // The packets of the name's resolution come before those of the request itself.
        let resolved = |hop: &network::Hop| matches!(hop.what, network::What::Resolve { .. });
        let from = story.hops.iter().rposition(resolved).map_or(0, |at| at + 1);
        let to = story.hops[from..].iter().find_map(|hop| match &hop.what {
            network::What::Tables { to, .. } => Some(to.ip().to_string()),
            network::What::Nowhere { to } => Some(to.ip().to_string()),
            _ => None,
        })?;
        // A cluster has few Services that clients ask at any moment; the focused one is looked at
        // first.
        let about = self.focused.get(&View::Service).and_then(|view| view.about.clone());
        let is = |key: &Key| {
            self.world.services.get(key).is_some_and(|service| service.spec.cluster_ip == to)
        };
        if let Some(key) = about.filter(is) {
            return Some(key);
        }
        let found = self.world.services.iter().find(|(_, s)| s.spec.cluster_ip == to);
        found.map(|(key, _)| key.clone())
    }

    /// Something was unplugged, cut or put right.
    pub fn set_infra(&mut self, infra: Infra) {
        if self.world.infra != infra {
            self.world.infra = infra;
            if let Some(view) = &mut self.architecture {
                view.infra();
            }
        }
    }

    /// The packet rules about the Service on the stage; ask [`Views::service_shown`] which that is.
    pub fn set_rules(&mut self, rules: Vec<String>) {
        if let Some(view) = self.focused.get_mut(&View::Service)
            && view.rules != rules
        {
            view.rules = rules;
            view.dirty = true;
        }
    }

    /// The Service on the stage.
    pub fn service_shown(&self) -> Option<&Key> {
        self.focused.get(&View::Service)?.about.as_ref()
    }

    /// Sends these views from now on, each whole at first.
    pub fn subscribe(&mut self, wanted: &[Subscription]) {
        let has = |view: View| wanted.iter().any(|s| s.view == view);
        if !has(View::Architecture) {
            self.architecture = None;
        } else if self.architecture.is_none() {
            self.architecture = Some(Architecture::new(&self.world));
        }
        self.focused.retain(|view, _| has(*view));
        for subscription in wanted.iter().filter(|s| s.view != View::Architecture) {
            let focus = subscription.focus.as_deref().and_then(reference).map(|(_, key)| key);
            let same = |old: &Focused| old.wanted == focus;
            if !self.focused.get(&subscription.view).is_some_and(same) {
                let view = Focused::new(subscription.view, focus);
                self.focused.insert(subscription.view, view);
            }
        }
        self.choices_changed = true;
    }

    /// Everything that is new, and what to say about it.
    pub fn frame(&mut self) -> (Vec<ViewFrame>, Vec<LogLine>) {
        let mut frames = Vec::new();
        if let Some(view) = &mut self.architecture {
            view.update(&self.world);
            frames.extend(view.canvas.take());
        }
        self.forget_clients();
        let deployments =
            choices(&self.world.deployments, <api::apps::v1::Deployment as api::Kind>::INFO);
        let services = choices(&self.world.services, <api::core::v1::Service as api::Kind>::INFO);
        for (&view, focused) in &mut self.focused {
            let list = if view == View::Service { &services } else { &deployments };
            focused.choose(view, &self.world, list);
            if std::mem::take(&mut focused.dirty) {
                let items = focused.items(view, &self.world, &self.clients);
                focused.canvas.replace(items);
            }
            frames.extend(focused.canvas.take());
        }
        if std::mem::take(&mut self.choices_changed) {
            for (view, list) in [(View::Deployment, deployments), (View::Service, services)] {
                let list: Vec<Choice> = list.into_iter().map(|(_, choice)| choice).collect();
                match frames.iter_mut().find(|frame| frame.view == view) {
                    Some(frame) => frame.choices = Some(list),
                    None => frames.push(ViewFrame {
                        view,
                        reset: None,
                        choices: Some(list),
                        ops: Vec::new(),
                    }),
                }
            }
        }
        (frames, self.news.drain(..).collect())
    }

    fn forget_clients(&mut self) {
        let now = self.now;
        for seen in self.clients.values_mut() {
            let before = seen.len();
            seen.retain(|_, at| now.since(*at) < CLIENT_STAYS);
            if seen.len() != before
                && let Some(view) = self.focused.get_mut(&View::Service)
            {
                view.dirty = true;
            }
        }
        self.clients.retain(|_, seen| !seen.is_empty());
    }
}

/// What a view could be about: the cluster's own last.
fn choices<T>(objects: &BTreeMap<Key, T>, info: &api::KindInfo) -> Vec<(Key, Choice)> {
    let own = |key: &Key| key.namespace == "kube-system" || key.name == "kubernetes";
    let listed = |own_ones: bool| objects.keys().filter(move |key| own(key) == own_ones);
    listed(false)
        .chain(listed(true))
        .take(CHOICES_MAX)
        .map(|key| (key.clone(), Choice { key: key_of(info, key), label: key.to_string() }))
        .collect()
}

/// What a view is about if nobody asked: the largest Deployment, the first Service.
fn first(view: View, world: &World, list: &[(Key, Choice)]) -> Option<Key> {
    let size = |key: &Key| {
        let deployment = world.deployments.get(key).filter(|_| view == View::Deployment);
        deployment.and_then(|deployment| deployment.spec.replicas).unwrap_or(0)
    };
    let own = list.iter().filter(|(key, _)| key.namespace != "kube-system");
    let largest = own.rev().max_by_key(|(key, _)| size(key));
    largest.or_else(|| list.first()).map(|(key, _)| key.clone())
}

impl Focused {
    fn new(view: View, wanted: Option<Key>) -> Focused {
        let canvas = Canvas::new(view, None);
        Focused { canvas, about: None, wanted, dirty: true, rules: Vec::new() }
    }

    /// Settles what the view is about: what was asked for while it exists, else the one with most
    /// to see.
    fn choose(&mut self, view: View, world: &World, list: &[(Key, Choice)]) {
        let is = |key: &Key| list.iter().any(|(choice, _)| choice == key);
        let about = self
            .wanted
            .clone()
            .filter(is)
            .or_else(|| self.about.clone().filter(is))
            .or_else(|| first(view, world, list));
        if about != self.about {
            let focus = list.iter().find(|(key, _)| Some(key) == about.as_ref());
            self.canvas = Canvas::new(view, focus.map(|(_, choice)| choice.key.clone()));
            self.about = about;
            self.rules.clear();
            self.dirty = true;
        }
    }

    fn items(
        &self,
        view: View,
        world: &World,
        clients: &BTreeMap<Key, BTreeMap<Key, Instant>>,
    ) -> Vec<protocol::Item> {
        let Some(about) = &self.about else { return Vec::new() };
        match view {
            View::Architecture => Vec::new(),
            View::Deployment => deployment::items(world, about),
            View::Service => {
                let asking = clients.get(about).into_iter().flat_map(|seen| seen.keys().cloned());
                let asking: Vec<Key> = asking.take(CLIENTS_MAX).collect();
                service::items(world, about, &asking, &self.rules)
            }
        }
    }
}
