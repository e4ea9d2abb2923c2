//! The chain of causes: what was done to an object, and why, back to a person or a timer.

use api::object::{Key as ObjectKey, KindInfo};
use api::wire::Trigger;
use protocol::Cause;

use super::{Source, Write};
use crate::item::{key_of, title};
use crate::news::micros;

/// Writes to the object itself that are listed.
const OWN_MAX: usize = 12;
/// Links of the chain behind them.
const CHAIN_MAX: usize = 20;

/// The writes to an object, newest first, and what led to the first of them.
pub fn of(source: &dyn Source, info: &'static KindInfo, key: &ObjectKey) -> Vec<Cause> {
    let writes = source.writes_to(info, key);
    let mut out = own(&writes);
    let Some(first) = writes.last() else { return out };
    let mut at = first.clone();
    for _ in 0..CHAIN_MAX {
        match at.trigger {
            Trigger::Revision(revision) if revision < at.revision => {
                let Some(before) = source.write_at(revision) else { break };
                out.push(cause(&before));
                at = before;
            }
            Trigger::Command(number) => {
                out.extend(source.command(number).map(|line| by(&at, "you", line)));
                break;
            }
            Trigger::Timer => {
                out.push(by(&at, "a timer", "time had passed".into()));
                break;
            }
            Trigger::Start => {
                out.push(by(&at, "the start", "the cluster was set up so".into()));
                break;
            }
            Trigger::Revision(_) => break,
        }
    }
    out
}

/// The writes to the object itself; equal ones in a row are counted.
fn own(writes: &[Write]) -> Vec<Cause> {
    let mut out: Vec<(Cause, u32)> = Vec::new();
    for write in writes {
        let next = cause(write);
        match out.last_mut() {
            Some((last, count)) if (&last.who, &last.what) == (&next.who, &next.what) => {
                *count += 1
            }
            _ => out.push((next, 1)),
        }
    }
    if out.len() > OWN_MAX {
        // The first of all is kept: the chain goes on from there.
        out.drain(OWN_MAX - 1..out.len() - 1);
    }
    let counted = |(mut cause, count): (Cause, u32)| {
        if count > 1 {
            cause.what.push_str(&format!(", {count} times"));
        }
        cause
    };
    out.into_iter().map(counted).collect()
}

fn by(write: &Write, who: &str, what: String) -> Cause {
    Cause { at: micros(write.at), who: who.into(), what, about: None }
}

fn cause(write: &Write) -> Cause {
    let done = match write.verb {
        "create" => "created",
        "delete" => "deleted",
        "patch" => "patched",
        "status" => "updated the status of",
        "bind" | "binding" => "bound",
        "update" => "updated",
        other => other,
    };
    Cause {
        at: micros(write.at),
        who: if write.actor.starts_with("kubectl") {
            "kubectl".into()
        } else {
            write.actor.to_string()
        },
        what: format!("{done} {}", title(write.kind, &write.key)),
        about: Some(key_of(write.kind, &write.key)),
    }
}
