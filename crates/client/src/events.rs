//! The event recorder: client-go's correlation of events, without the network.
//!
//! Known deviations:
//! - Where client-go forgets an arbitrary message of an aggregate, this forgets the newest.
//! - A series of events.k8s.io events is written when it begins, not again when it ends.

use api::core::v1::{Event, EventSeries, EventSource, ObjectReference};
use api::json::Json;
use api::meta::v1::ObjectMeta;
use api::object::{Key, Kind, Object};
use api::time::{MicroTime, Time};
use api::wire::{Answer, Cause, Patch, Reply, Request, Trigger, Verb};
use base::{BTreeMap, Duration, HashMap, Instant, List, Str};
use std::sync::Arc;

use crate::plan::Note;

/// Events of one reason about one object with so many different messages are combined.
const MESSAGES_MAX: usize = 10;
/// Similar events further apart than this are not combined.
const AGGREGATION: Duration = Duration::secs(600);
/// So many events about one object may be recorded at once …
const BURST: f64 = 25.0;
/// … and one more in each such span.
const REFILL: Duration = Duration::secs(300);
/// How many different events are remembered.
const REMEMBERED_MAX: usize = 4096;

/// Turns what a part has to say into few requests: repeated events are counted, similar ones combined and
/// floods cut. Its requests never hold up anything else.
#[derive(Clone, Debug)]
pub struct Recorder {
    component: Str,
    host: Str,
    series: bool,
    manager: Str,
    seed: u64,
    said: u64,
    known: Lru<Known>,
    groups: Lru<Group>,
    budgets: Lru<Budget>,
    outgoing: Vec<(u64, Request)>,
}

/// An event that was written, or is about to be. Its text is kept only as long as a request may need it.
#[derive(Clone, Debug)]
struct Known {
    name: Str,
    count: i32,
    busy: bool,
    stale: bool,
    first: Option<Time>,
    in_series: bool,
    event: Option<Box<Event>>,
    cause: Cause,
}

#[derive(Clone, Debug)]
struct Group {
    /// At most [`MESSAGES_MAX`] hashes.
    messages: List<u64>,
    last: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Budget {
    tokens: f64,
    at: Instant,
}

impl Recorder {
    /// A recorder for `component` on `host` (empty if it runs on no node), writing as field manager `manager`.
    pub fn new(
        component: impl Into<Str>,
        host: impl Into<Str>,
        manager: impl Into<Str>,
    ) -> Recorder {
        let (component, host) = (component.into(), host.into());
        Recorder {
            seed: hash(&[&component, &host]),
            component,
            host,
            series: false,
            manager: manager.into(),
            said: 0,
            known: Lru::default(),
            groups: Lru::default(),
            budgets: Lru::default(),
            outgoing: Vec::new(),
        }
    }

    /// A recorder in the manner of events.k8s.io, as the scheduler uses it: with an action and microseconds,
    /// without counts, source or combination.
    pub fn with_series(
        controller: impl Into<Str>,
        instance: impl Into<Str>,
        manager: impl Into<Str>,
    ) -> Recorder {
        Recorder { series: true, ..Recorder::new(controller, instance, manager) }
    }

    /// The same, remembering at most so many different events: a repeated one that was forgotten begins anew.
    pub fn remembering(mut self, max: usize) -> Recorder {
        (self.known.max, self.groups.max, self.budgets.max) = (max, max, max);
        self
    }

    /// Records a note.
    pub fn record(&mut self, now: Instant, note: &Note, trigger: Trigger) {
        self.record_action(now, note, "", None, trigger);
    }

    /// Records a note with the action taken and another object that matters.
    pub fn record_action(
        &mut self,
        now: Instant,
        note: &Note,
        action: &str,
        related: Option<ObjectReference>,
        trigger: Trigger,
    ) {
        let cause = Cause { actor: self.component.clone(), trigger };
        let mut event = self.event(now, note);
        if self.series {
            event.action = action.into();
            event.related = related.map(Box::new);
            self.observe_series(now, event, cause);
        } else if let Some(event) = self.admit(now, event) {
            self.observe(now, event, cause);
        }
    }

    /// The next request to send; give its reply to [`Recorder::answered`] with the number beside it.
    pub fn poll(&mut self) -> Option<(u64, Request)> {
        if self.outgoing.is_empty() { None } else { Some(self.outgoing.remove(0)) }
    }

    /// All requests to send, as [`Recorder::poll`] gives them.
    pub fn drain(&mut self) -> Vec<(u64, Request)> {
        std::mem::take(&mut self.outgoing)
    }

    /// Takes the reply to a request of [`Recorder::poll`].
    pub fn answered(&mut self, token: u64, reply: &Reply) {
        let Some(known) = self.known.get(token) else { return };
        known.busy = false;
        match reply {
            Ok(Answer::Object(..)) => {}
            // It has expired in the store: write it anew.
            Err(status) if status.reason == "NotFound" && known.count > 1 => {
                known.busy = true;
                known.stale = false;
                let request = create(known, &self.manager);
                return self.outgoing.push((token, request));
            }
            _ => return known.event = None,
        }
        if std::mem::take(&mut known.stale) {
            known.busy = true;
            let request = patch(known, self.series, &self.manager);
            self.outgoing.push((token, request));
        } else {
            known.event = None;
        }
    }

    fn event(&mut self, now: Instant, note: &Note) -> Event {
        let about = &note.about;
        let namespace: Str = if about.namespace.is_empty() {
            base::lit!("default")
        } else {
            about.namespace.clone()
        };
        let time = Time::from(now);
        let (component, host) = (self.component.clone(), self.host.clone());
        let metadata = Arc::new(ObjectMeta { namespace, ..ObjectMeta::default() });
        let event = Event {
            metadata,
            involved_object: about.clone(),
            type_: note.type_.clone(),
            reason: note.reason.clone(),
            message: note.message.clone(),
            reporting_component: component.clone(),
            reporting_instance: host.clone(),
            ..Event::default()
        };
        if self.series {
            return Event { event_time: Some(MicroTime::from(now)), ..event };
        }
        Event {
            first_timestamp: Some(time),
            last_timestamp: Some(time),
            count: 1,
            source: EventSource { component, host },
            ..event
        }
    }

    /// Combines the event with similar ones and drops it if there were too many about the object.
    fn admit(&mut self, now: Instant, mut event: Event) -> Option<Event> {
        let group =
            self.groups.entry(group_key(&event), || Group { messages: List::new(), last: now });
        if now - group.last > AGGREGATION {
            group.messages.clear();
        }
        group.last = now;
        let message = hash(&[&event.message]);
        let new = !group.messages.contains(&message);
        if new {
            group.messages.push(message);
        }
        if group.messages.len() >= MESSAGES_MAX {
            if new {
                group.messages.pop();
            }
            event.message = format!("(combined from similar events): {}", event.message).into();
            event.reporting_component = Str::new();
            event.reporting_instance = Str::new();
        }
        let about = &event.involved_object;
        let key = hash(&[
            &event.source.component,
            &event.source.host,
            &about.kind,
            &about.namespace,
            &about.name,
            &about.uid,
        ]);
        let budget = self.budgets.entry(key, || Budget { tokens: BURST, at: now });
        let refill = (now - budget.at).as_secs_f64() / REFILL.as_secs_f64();
        budget.tokens = (budget.tokens + refill).min(BURST);
        budget.at = now;
        if budget.tokens < 1.0 {
            return None;
        }
        budget.tokens -= 1.0;
        Some(event)
    }

    fn observe(&mut self, now: Instant, event: Event, cause: Cause) {
        let combined = event.reporting_component.is_empty();
        let text = if combined { group_key(&event) } else { 0 };
        let about = &event.involved_object;
        let token = if combined {
            text ^ 1
        } else {
            hash_more(group_key(&event), &[&about.field_path, &event.message])
        };
        if let Some(known) = self.known.get(token) {
            known.count += 1;
            let count = known.count;
            let mut event = Event { count, first_timestamp: known.first, ..event };
            Arc::make_mut(&mut event.metadata).name = known.name.clone();
            known.event = Some(Box::new(event));
            known.cause = cause;
            return self.repeat(token);
        }
        self.begin(now, token, event, cause);
    }

    fn observe_series(&mut self, now: Instant, event: Event, cause: Cause) {
        let about = &event.involved_object;
        let token = hash_more(
            group_key(&event),
            &[&event.action, &about.field_path, &about.resource_version],
        );
        let Some(known) = self.known.get(token) else {
            return self.begin(now, token, event, cause);
        };
        known.count += 1;
        let first = !std::mem::replace(&mut known.in_series, true);
        let mut event = event;
        event.series = Some(Box::new(EventSeries {
            count: known.count,
            last_observed_time: Some(MicroTime::from(now)),
        }));
        Arc::make_mut(&mut event.metadata).name = known.name.clone();
        known.cause = cause;
        if first || known.busy {
            known.event = Some(Box::new(event));
        }
        if first {
            self.repeat(token);
        }
    }

    fn begin(&mut self, now: Instant, token: u64, mut event: Event, cause: Cause) {
        self.said += 1;
        let nanos = now.unix_micros() as u64 * 1000 + hash_more(self.seed ^ self.said, &[]) % 1000;
        let name: Str = format!("{}.{nanos:016x}", event.involved_object.name).into();
        Arc::make_mut(&mut event.metadata).name = name.clone();
        let first = event.first_timestamp;
        let event = Some(Box::new(event));
        let (busy, stale, in_series) = (true, false, false);
        let known = Known { name, count: 1, busy, stale, first, in_series, event, cause };
        let request = create(&known, &self.manager);
        self.known.insert(token, known);
        self.outgoing.push((token, request));
    }

    fn repeat(&mut self, token: u64) {
        let Some(known) = self.known.get(token) else { return };
        if known.busy {
            known.stale = true;
            return;
        }
        known.busy = true;
        let request = patch(known, self.series, &self.manager);
        self.outgoing.push((token, request));
    }
}

fn create(known: &Known, manager: &Str) -> Request {
    let event = known.event.as_deref().cloned().unwrap_or_default();
    Request::create(Object::new(event)).by(manager.clone(), known.cause.clone())
}

fn patch(known: &Known, series: bool, manager: &Str) -> Request {
    let mut body = Json::object();
    let event = known.event.as_deref().cloned().unwrap_or_default();
    if series {
        if let Some(series) = &event.series {
            body.set("series", api::Value::to_json(&**series));
        }
    } else {
        body.set("count", i64::from(known.count));
        if let Some(last) = event.last_timestamp {
            body.set("lastTimestamp", Json::str(last.to_string()));
        }
        body.set("message", Json::Str(event.message.clone()));
    }
    let key = Key::new(event.metadata.namespace.clone(), known.name.clone());
    Request::new(Event::INFO, &key, Verb::Patch(Patch::Strategic(body)))
        .by(manager.clone(), known.cause.clone())
}

fn group_key(event: &Event) -> u64 {
    let about = &event.involved_object;
    hash(&[
        &about.kind,
        &about.namespace,
        &about.name,
        &about.uid,
        &about.api_version,
        &event.type_,
        &event.reason,
    ])
}

fn hash(parts: &[&Str]) -> u64 {
    hash_more(0xcbf2_9ce4_8422_2325, parts)
}

/// FNV-1a over the parts, each ended by a byte that no text has.
fn hash_more(start: u64, parts: &[&Str]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = start;
    for part in parts {
        hash = part.bytes().fold(hash, step);
        hash = step(hash, 0xff);
    }
    hash ^ (hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// The most recently used values, at most `max` of them.
#[derive(Clone, Debug)]
struct Lru<V> {
    values: HashMap<u64, (u64, V)>,
    order: BTreeMap<u64, u64>,
    clock: u64,
    max: usize,
}

impl<V> Default for Lru<V> {
    fn default() -> Lru<V> {
        Lru { values: HashMap::default(), order: BTreeMap::new(), clock: 0, max: REMEMBERED_MAX }
    }
}

impl<V> Lru<V> {
    fn get(&mut self, key: u64) -> Option<&mut V> {
        let (stamp, value) = self.values.get_mut(&key)?;
        self.clock += 1;
        self.order.remove(stamp);
        self.order.insert(self.clock, key);
        *stamp = self.clock;
        Some(value)
    }

    fn insert(&mut self, key: u64, value: V) {
        if self.values.len() >= self.max
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.values.remove(&oldest);
        }
        self.clock += 1;
        self.order.insert(self.clock, key);
        self.values.insert(key, (self.clock, value));
    }

    fn entry(&mut self, key: u64, new: impl FnOnce() -> V) -> &mut V {
        if !self.values.contains_key(&key) {
            self.insert(key, new());
        }
        self.get(key).expect("it was just put there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::core::v1::Pod;

    /// Records the messages one second apart and compares the requests: `+` a new event, `*n` a count of n,
    /// `~` a combined one.
    fn check(messages: &[&str], expect: &str) {
        let mut recorder = Recorder::new("kubelet", "node-1", "kubelet");
        let mut now = Instant::START;
        let mut got = Vec::new();
        for message in messages {
            recorder.record(
                now,
                &Note::new(&Pod::default(), "Normal", "Pulled", *message),
                Trigger::Timer,
            );
            now += Duration::secs(1);
            for (token, request) in recorder.drain() {
                got.push(describe(&request));
                recorder.answered(token, &Ok(Answer::Object(Object::new(Event::default()), true)));
            }
        }
        assert_eq!(got.join(" "), expect);
    }

    fn describe(request: &Request) -> String {
        match &request.verb {
            Verb::Create(object) => {
                let event = object.get::<Event>().expect("it is an event");
                let combined = event.message.starts_with("(combined");
                if combined { "~".into() } else { format!("+{}", event.message) }
            }
            Verb::Patch(Patch::Strategic(body)) => {
                format!("*{}", body.get("count").and_then(Json::as_i64).unwrap_or(0))
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    #[test]
    fn equal_events_are_counted() {
        check(&["a", "a", "b", "a"], "+a *2 +b *3");
    }

    #[test]
    fn the_tenth_different_message_begins_an_aggregate() {
        let messages = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "3"];
        check(&messages, "+1 +2 +3 +4 +5 +6 +7 +8 +9 ~ *2 *2");
    }

    #[test]
    fn a_flood_about_one_object_is_cut() {
        let expect: Vec<String> =
            ["+a".to_string()].into_iter().chain((2..=25).map(|n| format!("*{n}"))).collect();
        check(&["a"; 40], &expect.join(" "));
    }
}
