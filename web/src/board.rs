//! One view as the page holds it: items by key, each in a slot that it keeps for life.

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::{Choice, Item, Key, Kind, Op, Pulse, ViewFrame};

/// The items of one view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// The object the view is about.
    pub focus: Option<Key>,
    /// The objects it could be about.
    pub choices: Rc<Vec<Choice>>,
    /// What travels since the last frame.
    pub pulses: Rc<Vec<Pulse>>,
    /// Grows whenever `pulses` is new.
    pub beat: u32,
    items: BTreeMap<Rc<str>, Seat>,
    rows: BTreeMap<(Option<Rc<str>>, Kind), Slots>,
}

/// An item and its slot among the items of its kind in the same parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The item.
    pub item: Rc<Item>,
    /// Its slot.
    pub slot: usize,
}

/// Who sits where. Its length is the most there ever was, so that a layout never shrinks under a
/// hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Slots(Vec<Option<Rc<str>>>);

impl Slots {
    fn take(&mut self, key: &Rc<str>) -> usize {
        let free = self.0.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            self.0.push(None);
            self.0.len() - 1
        });
        self.0[slot] = Some(key.clone());
        slot
    }
}

impl Board {
    /// Takes in what the worker sent.
    pub fn apply(&mut self, frame: &ViewFrame) {
        if let Some(reset) = &frame.reset {
            *self = Board {
                focus: reset.focus.clone(),
                choices: self.choices.clone(),
                beat: self.beat,
                ..Board::default()
            };
        }
        if let Some(choices) = &frame.choices {
            self.choices = Rc::new(choices.clone());
        }
        let mut pulses = Vec::new();
        for op in &frame.ops {
            match op {
                Op::Upsert(item) => self.upsert(item),
                Op::Remove(key) => self.remove(key),
                Op::Move { key, parent } => self.move_to(key, parent),
                Op::Pulse(pulse) => pulses.push(pulse.clone()),
            }
        }
        if !pulses.is_empty() {
            self.pulses = Rc::new(pulses);
            self.beat += 1;
        }
    }

    /// The item of a key.
    pub fn item(&self, key: &str) -> Option<&Rc<Item>> {
        self.items.get(key).map(|seat| &seat.item)
    }

    /// Every item, by key.
    pub fn items(&self) -> impl Iterator<Item = &Rc<Item>> {
        self.items.values().map(|seat| &seat.item)
    }

    /// The items of a kind in a parent, by slot.
    pub fn children(&self, parent: Option<&str>, kind: Kind) -> impl Iterator<Item = &Seat> {
        let row = self.rows.get(&(parent.map(Rc::from), kind));
        row.into_iter().flat_map(|slots| slots.0.iter().flatten()).map(|key| &self.items[key])
    }

    /// The first item of a kind that sits nowhere.
    pub fn root(&self, kind: Kind) -> Option<&Seat> {
        self.children(None, kind).next()
    }

    /// How many slots a layout has to reserve.
    pub fn capacity(&self, parent: Option<&str>, kind: Kind) -> usize {
        self.rows.get(&(parent.map(Rc::from), kind)).map_or(0, |slots| slots.0.len())
    }

    /// Gives up the empty slots at the end of every row: the only moment at which a diagram
    /// shrinks.
    pub fn fit(&mut self) {
        for slots in self.rows.values_mut() {
            while slots.0.last() == Some(&None) {
                slots.0.pop();
            }
        }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True before anything arrived.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn upsert(&mut self, item: &Item) {
        if let Some(seat) = self.items.get_mut(item.key.as_str())
            && seat.item.parent == item.parent
            && seat.item.kind == item.kind
        {
            seat.item = Rc::new(item.clone());
            return;
        }
        self.remove(&item.key);
        let key: Rc<str> = Rc::from(item.key.as_str());
        let row = (item.parent.as_deref().map(Rc::from), item.kind);
        let slot = self.rows.entry(row).or_default().take(&key);
        self.items.insert(key, Seat { item: Rc::new(item.clone()), slot });
    }

    fn remove(&mut self, key: &str) {
        if let Some(seat) = self.items.remove(key) {
            let row = (seat.item.parent.as_deref().map(Rc::from), seat.item.kind);
            if let Some(slots) = self.rows.get_mut(&row) {
                slots.0[seat.slot] = None;
            }
        }
    }

    fn move_to(&mut self, key: &str, parent: &Option<Key>) {
        if let Some(seat) = self.items.get(key) {
            let item = Item { parent: parent.clone(), ..(*seat.item).clone() };
            self.upsert(&item);
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use protocol::{State, View};

    /// An item with only what a layout looks at.
    pub fn item(key: &str, kind: Kind, parent: Option<&str>) -> Item {
        let name = key.rsplit('/').next().unwrap_or(key).to_owned();
        Item {
            key: key.into(),
            kind,
            parent: parent.map(Into::into),
            namespace: String::new(),
            label: name.clone(),
            spoken: name.clone(),
            name,
            state: State::default(),
            rank: 0,
            gauge: None,
            facts: vec![],
            ties: vec![],
        }
    }

    /// Applies operations to a new board.
    pub fn board(ops: Vec<Op>) -> Board {
        let mut board = Board::default();
        board.apply(&frame(ops));
        board
    }

    fn frame(ops: Vec<Op>) -> ViewFrame {
        ViewFrame { view: View::Architecture, reset: None, choices: None, ops }
    }

    /// Applies a script (`+a +b -a a>n2`) to pods of `n1`, and prints each parent's slots.
    fn check(script: &str, want: &str) {
        let mut board = Board::default();
        for word in script.split_whitespace() {
            let op = match word.split_at(1) {
                ("+", key) => Op::Upsert(Box::new(item(key, Kind::Pod, Some("n1")))),
                ("-", key) => Op::Remove(key.into()),
                ("!", _) => {
                    board.fit();
                    continue;
                }
                _ => {
                    let (key, parent) = word.split_once('>').unwrap();
                    Op::Move { key: key.into(), parent: Some(parent.into()) }
                }
            };
            board.apply(&frame(vec![op]));
        }
        let row = |parent: &str| {
            let mut cells = vec!["_"; board.capacity(Some(parent), Kind::Pod)];
            for seat in board.children(Some(parent), Kind::Pod) {
                cells[seat.slot] = &seat.item.key;
            }
            format!("{parent}:{}", cells.concat())
        };
        assert_eq!(format!("{} {}", row("n1"), row("n2")), want);
    }

    #[test]
    fn a_new_item_takes_the_lowest_free_slot() {
        check("+a +b +c -b +d", "n1:adc n2:");
    }
    #[test]
    fn a_change_keeps_the_slot() {
        check("+a +b +a", "n1:ab n2:");
    }
    #[test]
    fn nobody_moves_up_when_a_neighbour_goes() {
        check("+a +b +c -a", "n1:_bc n2:");
    }
    #[test]
    fn a_move_frees_one_slot_and_takes_another() {
        check("+a +b a>n2", "n1:_b n2:a");
    }
    #[test]
    fn a_row_shrinks_only_when_asked() {
        check("+a +b -b", "n1:a_ n2:");
        check("+a +b -b !", "n1:a n2:");
    }
    #[test]
    fn a_reset_forgets_items_and_keeps_choices() {
        let mut board = board(vec![Op::Upsert(Box::new(item("a", Kind::Pod, None)))]);
        board.choices = Rc::new(vec![Choice { key: "k".into(), label: "l".into() }]);
        board.apply(&ViewFrame { reset: Some(Default::default()), ..frame(vec![]) });
        assert!(board.is_empty());
        assert_eq!(board.choices.len(), 1);
    }
}
