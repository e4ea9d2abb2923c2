//! Service: clients, the virtual address, endpoints and pods from left to right; a node's rules
//! below.

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::{Item, Kind};

use super::{GAP, STRIP, Scene, Shape, Size};
use crate::board::Board;

const HEAD_H: f64 = 132.0;
const ROW_H: f64 = 40.0;
const PITCH: f64 = ROW_H + 6.0;
const RULE_H: f64 = 18.0;
const TOP: f64 = 28.0;

/// Lays out the view.
pub fn layout(board: &Board, size: Size) -> Scene {
    let mut scene = Scene::default();
    let Some(head) = board.root(Kind::Service).map(|seat| seat.item.clone()) else {
        return scene;
    };
    // Narrower than this the four columns do not fit and the stage scrolls sideways.
    let w = size.w.max(660.0);
    let lane = (w * 0.045).clamp(28.0, 60.0);
    let room = w - 2.0 * GAP - 3.0 * lane;
    let widths = [0.19, 0.31, 0.24, 0.26].map(|share| share * room);
    let mut xs = [GAP; 4];
    for i in 1..4 {
        xs[i] = xs[i - 1] + widths[i - 1] + lane;
    }
    for (x, text) in xs.iter().zip(["Clients", "Virtual address", "Endpoints", "Pods"]) {
        scene.caption(*x, 18.0, text);
    }
    scene.put(&head, Shape::Tile, xs[1], TOP, widths[1], HEAD_H);
    for seat in board.children(None, Kind::Client) {
        scene.put(&seat.item, Shape::Part, xs[0], TOP + seat.slot as f64 * PITCH, widths[0], ROW_H);
        scene.edge_across(&seat.item.key, &head.key, tie_is_live(&seat.item, &head.key));
    }
    let rows = backends(&mut scene, board, &head, (xs[2], widths[2]), (xs[3], widths[3]));
    let bottom = (TOP + rows as f64 * PITCH).max(TOP + HEAD_H);
    rules(&mut scene, board, &head, w, bottom + 3.0 * GAP);
    scene
}

/// Pods by their slot, each endpoint in the row of its pod. Returns how many rows there are.
fn backends(
    scene: &mut Scene,
    board: &Board,
    head: &Rc<Item>,
    (end_x, end_w): (f64, f64),
    (pod_x, pod_w): (f64, f64),
) -> usize {
    let mut row_of: BTreeMap<&str, usize> = BTreeMap::new();
    for seat in board.children(Some(&head.key), Kind::Pod) {
        row_of.insert(&seat.item.key, seat.slot);
        let y = TOP + seat.slot as f64 * PITCH;
        scene.put(&seat.item, Shape::Part, pod_x, y, pod_w, ROW_H);
    }
    let mut rows = board.capacity(Some(&head.key), Kind::Pod);
    let pods = rows;
    for seat in board.children(Some(&head.key), Kind::Endpoint) {
        let tie = seat.item.ties.first();
        let row = tie.and_then(|tie| row_of.get(tie.to.as_str()).copied());
        let row = row.unwrap_or(pods + seat.slot);
        rows = rows.max(row + 1);
        scene.put(&seat.item, Shape::Part, end_x, TOP + row as f64 * PITCH, end_w, ROW_H);
        let live = tie_is_live(head, &seat.item.key);
        scene.edge_across(&head.key, &seat.item.key, live);
        if let Some(tie) = tie {
            scene.edge_across(&seat.item.key, &tie.to, tie.live && live);
        }
    }
    for seat in board.children(Some(&head.key), Kind::More) {
        scene.put(&seat.item, Shape::Strip, end_x, TOP + rows as f64 * PITCH, end_w, STRIP);
        rows += 1;
    }
    rows
}

fn tie_is_live(item: &Item, to: &str) -> bool {
    item.ties.iter().find(|tie| tie.to == to).is_none_or(|tie| tie.live)
}

fn rules(scene: &mut Scene, board: &Board, head: &Rc<Item>, w: f64, y: f64) {
    let mut lines = board.children(Some(&head.key), Kind::Rule).peekable();
    if lines.peek().is_none() {
        return;
    }
    scene.caption(GAP, y + 8.0, "Packet rules on every node");
    for seat in lines {
        let top = y + 16.0 + seat.slot as f64 * RULE_H;
        scene.put(&seat.item, Shape::Line, GAP, top, w - 2.0 * GAP, RULE_H);
    }
}
