//! Deployment: the Deployment, its ReplicaSets newest first, and the pods of each.

use std::rc::Rc;

use protocol::{Item, Kind};

use super::{CHIP, GAP, STRIP, Scene, Shape, Size};
use crate::board::Board;

const HEAD_H: f64 = 132.0;
const SET_H: f64 = 92.0;
const POD_W_MIN: f64 = 244.0;
/// From here on pods are chips.
const STRIPS_MAX: usize = 16;

/// Lays out the view.
pub fn layout(board: &Board, size: Size) -> Scene {
    let mut scene = Scene::default();
    let w = size.w.max(320.0);
    let Some(head) = board.root(Kind::Deployment).map(|seat| seat.item.clone()) else {
        return scene;
    };
    let stacked = w < 600.0;
    let lane = if stacked { 12.0 } else { 36.0 };
    let column = if stacked { w - 2.0 * GAP } else { (w * 0.26).clamp(176.0, 260.0) };
    scene.put(&head, Shape::Tile, GAP, GAP, column, HEAD_H);

    let sets_x = if stacked { GAP + lane } else { GAP + column + lane };
    let set_w = if stacked { column - lane } else { column };
    let pods_x = if stacked { sets_x } else { sets_x + set_w + lane };
    let pods_w = w - GAP - pods_x;
    let mut y = if stacked { GAP + HEAD_H + 2.0 * GAP } else { GAP };
    for set in newest_first(board, &head.key) {
        scene.put(&set, Shape::Tile, sets_x, y, set_w, SET_H);
        let from = if stacked { (GAP + 6.0, GAP + HEAD_H) } else { (GAP + column, GAP + 22.0) };
        let mid = if stacked { GAP + 6.0 } else { GAP + column + lane / 2.0 };
        let to = (sets_x, y + 22.0);
        scene.edge(&head.key, &set.key, true, vec![from, (mid, from.1), (mid, to.1), to]);
        let top = if stacked { y + SET_H + GAP } else { y };
        let pods_h = pods(&mut scene, board, &set, (pods_x, top, pods_w), stacked);
        let h = if stacked { SET_H + GAP + pods_h } else { SET_H.max(pods_h) };
        y += h + 2.0 * GAP;
    }
    scene
}

fn newest_first(board: &Board, head: &str) -> Vec<Rc<Item>> {
    let mut sets: Vec<_> =
        board.children(Some(head), Kind::ReplicaSet).map(|seat| seat.item.clone()).collect();
    sets.sort_by(|a, b| b.rank.cmp(&a.rank).then_with(|| a.key.cmp(&b.key)));
    sets
}

/// Places the pods of a set; returns the height they take.
fn pods(
    scene: &mut Scene,
    board: &Board,
    set: &Rc<Item>,
    (x, y, w): (f64, f64, f64),
    stacked: bool,
) -> f64 {
    let count = board.capacity(Some(&set.key), Kind::Pod);
    let chips = count > STRIPS_MAX;
    let min = if chips { CHIP } else { POD_W_MIN };
    let cols = (((w + 4.0) / (min + 4.0)).floor() as usize).max(1);
    let cell = if chips { CHIP } else { (w - 4.0 * (cols - 1) as f64) / cols as f64 };
    let pitch = if chips { CHIP + 4.0 } else { STRIP + 4.0 };
    for seat in board.children(Some(&set.key), Kind::Pod) {
        let px = x + (seat.slot % cols) as f64 * (cell + 4.0);
        let py = y + (seat.slot / cols) as f64 * pitch;
        let (shape, h) = if chips { (Shape::Chip, CHIP) } else { (Shape::Strip, STRIP) };
        scene.put(&seat.item, shape, px, py, cell, h);
        if !stacked && seat.slot % cols == 0 {
            scene.edge_across(&set.key, &seat.item.key, true);
        }
    }
    let lines = count.div_ceil(cols) as f64;
    let mut h = lines * pitch;
    for seat in board.children(Some(&set.key), Kind::More) {
        scene.put(&seat.item, Shape::Strip, x, y + h, w, STRIP);
        h += STRIP + 4.0;
    }
    h
}
