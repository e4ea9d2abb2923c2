//! What the page has of one view, so that it is told only what is new.

use base::BTreeMap;
use protocol::{Item, Key, Op, Pulse, Reset, View, ViewFrame};

/// More pulses than this in one frame are left out: nobody sees them.
const PULSES_MAX: usize = 48;

/// One view as the page has it.
#[derive(Clone, Debug)]
pub struct Canvas {
    view: View,
    sent: BTreeMap<Key, Item>,
    ops: Vec<Op>,
    pulses: Vec<Pulse>,
    reset: Option<Reset>,
}

impl Canvas {
    /// An empty view about an object.
    pub fn new(view: View, focus: Option<Key>) -> Canvas {
        Canvas {
            view,
            sent: BTreeMap::new(),
            ops: Vec::new(),
            pulses: Vec::new(),
            reset: Some(Reset { focus }),
        }
    }

    /// The item is so now.
    pub fn put(&mut self, item: Item) {
        match self.sent.get_mut(&item.key) {
            Some(old) if *old == item => {}
            Some(old) => {
                let mut moved = old.clone();
                moved.parent = item.parent.clone();
                let op = if moved == item {
                    Op::Move { key: item.key.clone(), parent: item.parent.clone() }
                } else {
                    Op::Upsert(Box::new(item.clone()))
                };
                *old = item;
                self.ops.push(op);
            }
            None => {
                self.ops.push(Op::Upsert(Box::new(item.clone())));
                self.sent.insert(item.key.clone(), item);
            }
        }
    }

    /// The item is gone.
    pub fn remove(&mut self, key: &str) {
        if self.sent.remove(key).is_some() {
            self.ops.push(Op::Remove(key.into()));
        }
    }

    /// These are all items there are.
    pub fn replace(&mut self, items: Vec<Item>) {
        let gone: Vec<Key> = {
            let keys: base::BTreeSet<&Key> = items.iter().map(|item| &item.key).collect();
            self.sent.keys().filter(|key| !keys.contains(key)).cloned().collect()
        };
        for key in gone {
            self.remove(&key);
        }
        for item in items {
            self.put(item);
        }
    }

    /// Something travels; equal ones within a frame are counted.
    pub fn pulse(&mut self, pulse: Pulse) {
        let same = |p: &&mut Pulse| p.path == pulse.path && p.tone == pulse.tone;
        if let Some(same) = self.pulses.iter_mut().find(same) {
            same.count += pulse.count;
        } else if self.pulses.len() < PULSES_MAX {
            self.pulses.push(pulse);
        }
    }

    /// What is new since the last time, if anything.
    pub fn take(&mut self) -> Option<ViewFrame> {
        if self.ops.is_empty() && self.pulses.is_empty() && self.reset.is_none() {
            return None;
        }
        let mut ops = std::mem::take(&mut self.ops);
        ops.extend(self.pulses.drain(..).map(Op::Pulse));
        Some(ViewFrame { view: self.view, reset: self.reset.take(), choices: None, ops })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::plain;
    use protocol::{Kind, Tone};

    /// Runs a script and prints the operations of the frame after it.
    fn check(before: &str, after: &str, want: &str) {
        let mut canvas = Canvas::new(View::Architecture, None);
        for (i, script) in [before, after].into_iter().enumerate() {
            for word in script.split_whitespace() {
                let (sign, rest) = word.split_at(1);
                match sign {
                    "+" => {
                        let (key, parent) = rest.split_once('@').unwrap_or((rest, ""));
                        let (key, label) = key.split_once('=').unwrap_or((key, "x"));
                        let mut item = plain(key, Kind::Pod, label);
                        item.parent = Some(parent.to_owned()).filter(|p| !p.is_empty());
                        canvas.put(item);
                    }
                    "-" => canvas.remove(rest),
                    _ => canvas.pulse(Pulse {
                        path: vec!["a".into(), rest.into()],
                        tone: Tone::Write,
                        caption: String::new(),
                        took: 0,
                        count: 1,
                    }),
                }
            }
            if i == 0 {
                canvas.take();
            }
        }
        let ops = canvas.take().map(|frame| frame.ops).unwrap_or_default();
        let words: Vec<String> = ops
            .iter()
            .map(|op| match op {
                Op::Upsert(item) => format!("+{}", item.key),
                Op::Remove(key) => format!("-{key}"),
                Op::Move { key, .. } => format!(">{key}"),
                Op::Pulse(pulse) => format!("*{}x{}", pulse.path[1], pulse.count),
            })
            .collect();
        assert_eq!(words.join(" "), want);
    }

    #[test]
    fn an_equal_item_is_not_sent_twice() {
        check("+a", "+a", "");
        check("+a", "+a=other", "+a");
    }
    #[test]
    fn a_new_parent_alone_is_a_move() {
        check("+a@n1", "+a@n2", ">a");
    }
    #[test]
    fn what_was_never_sent_is_not_removed() {
        check("+a", "-a -b", "-a");
    }
    #[test]
    fn equal_pulses_are_counted() {
        check("", "*b *c *b", "*bx2 *cx1");
    }
}
