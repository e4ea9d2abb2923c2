//! What happened, in sentences: what is worth saying about a change of an object.

use api::Resource;
use api::core::v1::{Node, Pod};
use api::object::Key;
use base::Instant;
use protocol::{LogLine, Mark};

use crate::item::{key_of, of_pod};
use crate::status::node_state;

/// Microseconds since the start of the cluster.
pub fn micros(at: Instant) -> u64 {
    (at.0 - Instant::START.0).max(0) as u64
}

/// What to say about a pod that was so and is so now.
pub fn of_pods(now: Instant, before: Option<&Pod>, after: Option<&Pod>) -> Option<LogLine> {
    let pod = after.or(before)?;
    let name = format!("Pod {}", Key::of(&pod.metadata));
    let item = of_pod(pod);
    let mut warning = false;
    let text = match (before, after) {
        (_, None) => format!("{name} is gone."),
        (None, Some(_)) => format!("{name} was created."),
        (Some(old), Some(new)) => {
            let (was, is) = (of_pod(old).state, &item.state);
            if old.spec.node_name.is_empty() && !new.spec.node_name.is_empty() {
                format!("{name} goes to {}.", new.spec.node_name)
            } else if was.word == is.word && was.mark == is.mark {
                return None;
            } else {
                warning = matches!(is.mark, Mark::CrashLoop | Mark::Failed);
                match is.mark {
                    Mark::Ready => format!("{name} is ready."),
                    _ if is.note.is_empty() => format!("{name} is {}.", is.word),
                    _ => format!("{name} is {}, {}.", is.word, is.note),
                }
            }
        }
    };
    Some(LogLine { at: micros(now), text, about: Some(item.key), warning })
}

/// What to say about a node that was so and is so now.
pub fn of_nodes(now: Instant, before: Option<&Node>, after: Option<&Node>) -> Option<LogLine> {
    let node = after.or(before)?;
    let name = &node.metadata.name;
    let mut warning = false;
    let text = match (before, after) {
        (_, None) => format!("Node {name} left the cluster."),
        (None, Some(_)) => format!("Node {name} joined."),
        (Some(old), Some(new)) => {
            let (was, is) = (node_state(old, true), node_state(new, true));
            if was == is {
                return None;
            }
            warning = is.mark == Mark::Failed;
            format!("Node {name} is {}.", is.word)
        }
    };
    let about = Some(key_of(node.info(), &Key::of(&node.metadata)));
    Some(LogLine { at: micros(now), text, about, warning })
}
