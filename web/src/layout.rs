//! Where things are: one pure function per diagram, from a board and a size to a scene.
//!
//! A layout places by slot, never by count, so an object stays where it is for life. All lengths
//! are
//! CSS pixels; text is 12 or 13 of them high and never scaled.

mod architecture;
mod deployment;
mod service;
mod text;

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::{Item, View};

use crate::board::Board;
pub use text::{fit, width_of};

/// The room a diagram has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// Its width.
    pub w: f64,
    /// Its height. A scene may be higher: the stage scrolls.
    pub h: f64,
}

/// How an item is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A box that holds others, with a title line.
    Frame,
    /// A box with a name and, below it, a status.
    Part,
    /// A box with a name, a status, facts and a bar.
    Tile,
    /// One line: mark, name, status.
    Strip,
    /// Only a mark.
    Chip,
    /// A line of fixed-width text without a box.
    Line,
}

/// An item with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The item.
    pub item: Rc<Item>,
    /// How it is drawn.
    pub shape: Shape,
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl Place {
    /// The middle.
    pub fn centre(&self) -> (f64, f64) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }
}

/// A line between two items.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// One end.
    pub from: Rc<str>,
    /// The other.
    pub to: Rc<str>,
    /// The corners, from `from` to `to`.
    pub points: Vec<(f64, f64)>,
    /// Carries; otherwise it is drawn broken.
    pub live: bool,
}

/// A few words on the stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    /// Left.
    pub x: f64,
    /// Baseline.
    pub y: f64,
    /// The words.
    pub text: String,
}

/// A drawn diagram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// The width it takes.
    pub w: f64,
    /// The height it takes.
    pub h: f64,
    /// Items; what holds others comes before what it holds.
    pub places: Vec<Place>,
    /// Lines.
    pub edges: Vec<Edge>,
    /// Words.
    pub captions: Vec<Caption>,
    index: BTreeMap<Rc<str>, usize>,
    stand_ins: BTreeMap<Rc<str>, Rc<str>>,
}

/// The distance between things.
pub const GAP: f64 = 8.0;
/// The height of a strip.
pub const STRIP: f64 = 26.0;
/// The side of a chip: no target is smaller.
pub const CHIP: f64 = 24.0;

/// Lays out a view.
pub fn layout(view: View, board: &Board, size: Size) -> Scene {
    let mut scene = match view {
        View::Architecture => architecture::layout(board, size),
        View::Deployment => deployment::layout(board, size),
        View::Service => service::layout(board, size),
    };
    scene.close(size);
    scene
}

impl Scene {
    /// Puts an item.
    fn put(&mut self, item: &Rc<Item>, shape: Shape, x: f64, y: f64, w: f64, h: f64) {
        let key: Rc<str> = Rc::from(item.key.as_str());
        self.index.insert(key, self.places.len());
        self.places.push(Place { item: item.clone(), shape, x, y, w, h });
    }

    /// Says which item stands for one that is too small to draw.
    fn stand_in(&mut self, key: &str, by: &str) {
        self.stand_ins.insert(key.into(), by.into());
    }

    /// Draws a line.
    fn edge(&mut self, from: &str, to: &str, live: bool, points: Vec<(f64, f64)>) {
        self.edges.push(Edge { from: from.into(), to: to.into(), points, live });
    }

    /// Draws a line from the right side of one item to the left side of another.
    fn edge_across(&mut self, from: &str, to: &str, live: bool) {
        let (Some(a), Some(b)) = (self.place(from), self.place(to)) else { return };
        let (ax, ay) = (a.x + a.w, a.y + (a.h / 2.0).min(20.0));
        let (bx, by) = (b.x, b.y + (b.h / 2.0).min(20.0));
        let mid = ax + ((bx - ax) / 2.0).max(4.0);
        let points = if ay == by {
            vec![(ax, ay), (bx, by)]
        } else {
            vec![(ax, ay), (mid, ay), (mid, by), (bx, by)]
        };
        self.edge(from, to, live, points);
    }

    fn caption(&mut self, x: f64, y: f64, text: &str) {
        self.captions.push(Caption { x, y, text: text.into() });
    }

    fn close(&mut self, size: Size) {
        let (mut w, mut h) = (size.w, 0.0_f64);
        for p in &self.places {
            w = w.max(p.x + p.w + GAP);
            h = h.max(p.y + p.h + GAP);
        }
        (self.w, self.h) = (w, h);
    }

    /// Where an item is.
    pub fn place(&self, key: &str) -> Option<&Place> {
        let key = self.stand_ins.get(key).map_or(key, |by| by);
        self.index.get(key).map(|&i| &self.places[i])
    }

    /// The way from item to item, along lines where there are some.
    pub fn route(&self, path: &[String]) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for pair in path.windows(2) {
            let (Some(a), Some(b)) = (self.place(&pair[0]), self.place(&pair[1])) else {
                continue;
            };
            if points.is_empty() {
                points.push(a.centre());
            }
            points.extend(self.between(a, b));
            points.push(b.centre());
        }
        points.dedup();
        points
    }

    fn between(&self, a: &Place, b: &Place) -> Vec<(f64, f64)> {
        let is = |place: &Place, end: &str| {
            place.item.key == end || place.item.parent.as_deref() == Some(end)
        };
        for edge in &self.edges {
            if is(a, &edge.from) && is(b, &edge.to) {
                return edge.points.clone();
            }
            if is(a, &edge.to) && is(b, &edge.from) {
                return edge.points.iter().rev().copied().collect();
            }
        }
        Vec::new()
    }

    /// The item next to another one in a direction, or any first one.
    pub fn neighbour(&self, key: Option<&str>, dx: f64, dy: f64) -> Option<&Place> {
        let Some(from) = key.and_then(|key| self.place(key)) else { return self.places.first() };
        let (x, y) = from.centre();
        let score = |place: &&Place| {
            let (px, py) = place.centre();
            let ahead = (px - x) * dx + (py - y) * dy;
            let aside = ((px - x) * dy).abs() + ((py - y) * dx).abs();
            (ahead > 1.0).then_some(ahead + 2.0 * aside)
        };
        self.places
            .iter()
            .filter(|place| {
                let (item, own) = (&place.item, &from.item);
                // Into a frame and out of it lead other keys.
                item.key != own.key
                    && item.parent.as_ref() != Some(&own.key)
                    && own.parent.as_ref() != Some(&item.key)
            })
            .filter_map(|place| score(&place).map(|s| (s, place)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, place)| place)
    }
}

#[cfg(test)]
mod tests;
