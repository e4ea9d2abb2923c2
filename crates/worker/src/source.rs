//! Where the inspector reads: the cluster itself.

use api::Kind as _;
use api::Object;
use api::core::v1::Event;
use api::object::{Key, KindInfo};
use api::wire::Interest;
use cluster::{Cluster, Command};
use view::{Infra, Source, Write};

use crate::feed::{infra, write};

/// Records of the ledger that are looked through for one object.
const LOOK_BACK: usize = 50_000;
/// What is shown of a long command.
const COMMAND_MAX: usize = 200;

/// A cluster, lent to the inspector.
pub struct Reading<'a>(pub &'a Cluster);

impl Source for Reading<'_> {
    fn object(&self, kind: &'static KindInfo, key: &Key) -> Option<Object> {
        self.0.server().get(kind, &key.namespace, &key.name)
    }

    fn events(&self, object: &Object) -> Vec<Event> {
        let mut namespace = object.namespace().clone();
        if namespace.is_empty() {
            namespace = base::lit!("default");
        }
        let interest = Interest { namespace, ..Interest::all(Event::INFO) };
        let list = self.0.server().list(&interest).map(|list| list.items).unwrap_or_default();
        let (kind, name, uid) = (object.info().kind, object.name(), &object.meta().uid);
        list.iter()
            .filter_map(|item| item.get::<Event>())
            .filter(|event| {
                let about = &event.involved_object;
                about.kind == kind
                    && about.name == *name
                    && (about.uid.is_empty() || about.uid == *uid || kind == "Node")
            })
            .cloned()
            .collect()
    }

    fn write_at(&self, revision: i64) -> Option<Write> {
        self.0.server().cause_of(revision).map(write)
    }

    fn writes_to(&self, kind: &'static KindInfo, key: &Key) -> Vec<Write> {
        let records = self.0.server().writes().take(LOOK_BACK);
        let mut found: Vec<Write> =
            records.filter(|record| record.kind == kind && record.key == *key).map(write).collect();
        // An older object of the same name has a history of its own.
        if let Some(first) = found.iter().position(|write| write.verb == "create") {
            found.truncate(first + 1);
        }
        found
    }

    fn command(&self, number: u32) -> Option<String> {
        let entry = self.0.log().get(number.checked_sub(1)? as usize)?;
        let words = match &entry.command {
            Command::Apply(_) => "applied the text of the editor".to_owned(),
            Command::Terminal(line) => line.lines().next().unwrap_or_default().to_owned(),
            Command::File { name, .. } => format!("wrote {name}"),
            Command::Interrupt(_) => "ended a line of the terminal".to_owned(),
            Command::Fault(fault) => crate::faults::words(fault),
            Command::Request { url, .. } => format!("asked {url}"),
            Command::Http { method, path, .. } => format!("{method} {path}"),
            Command::Panic(why) => why.to_string(),
        };
        Some(words.chars().take(COMMAND_MAX).collect())
    }

    fn infra(&self) -> Infra {
        infra(self.0)
    }
}
