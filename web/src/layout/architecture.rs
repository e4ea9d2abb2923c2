//! Cluster architecture: the control plane on top, below it the nodes with their pods.
//!
//! The API server is in the middle and every line leads to it: etcd is reached only through it.

use std::rc::Rc;

use protocol::{Item, Kind, Mark};

use super::{CHIP, GAP, STRIP, Scene, Shape, Size};
use crate::board::Board;

const PART_H: f64 = 48.0;
const LANE: f64 = 22.0;
const NODE_W_MIN: f64 = 190.0;
const CROWD_NODE_W_MIN: f64 = 124.0;
const NODE_HEAD: f64 = 30.0;
const STRIP_W_MIN: f64 = 244.0;
/// The parts that stand in the second row, left to right.
const SECOND_ROW: [Kind; 4] =
    [Kind::ControllerManager, Kind::Scheduler, Kind::CloudControllerManager, Kind::Provider];

/// Lays out the view.
pub fn layout(board: &Board, size: Size) -> Scene {
    let mut scene = Scene::default();
    let w = size.w.max(320.0);
    let bottom = control_plane(&mut scene, board, w);
    nodes(&mut scene, board, (w, size.h), bottom);
    scene
}

fn control_plane(scene: &mut Scene, board: &Board, w: f64) -> f64 {
    let side = (w * 0.22).max(92.0);
    let clients: Vec<_> = board.children(None, Kind::Client).map(|s| s.item.clone()).collect();
    let etcd: Vec<_> = board.children(None, Kind::Etcd).map(|s| s.item.clone()).collect();
    let rows = clients.len().max(etcd.len()).max(1) as f64;
    let h = PART_H.max(rows * (STRIP + 4.0) - 4.0);
    let api_x = GAP + side + 2.0 * GAP;
    let api_w = w - 2.0 * api_x;
    let api = board.root(Kind::ApiServer).map(|seat| seat.item.clone());
    if let Some(api) = &api {
        scene.put(api, Shape::Part, api_x, GAP, api_w, h);
    }
    column(scene, &clients, GAP, side, h);
    column(scene, &etcd, w - GAP - side, side, h);
    if let Some(api) = &api {
        for item in &clients {
            let y = scene.place(&item.key).map_or(0.0, |p| p.centre().1);
            scene.edge(&item.key, &api.key, runs(api), vec![(GAP + side, y), (api_x, y)]);
        }
        for item in &etcd {
            let y = scene.place(&item.key).map_or(0.0, |p| p.centre().1);
            scene.edge(
                &api.key,
                &item.key,
                runs(item) && runs(api),
                vec![(api_x + api_w, y), (w - GAP - side, y)],
            );
        }
    }
    second_row(scene, board, w, GAP + h)
}

fn runs(item: &Item) -> bool {
    item.state.mark != Mark::Off
}

/// Whether a node reaches the API server.
fn joined(node: &Item, api: &str) -> bool {
    runs(node) && node.ties.iter().find(|tie| tie.to == api).is_none_or(|tie| tie.live)
}

/// Items one below the other; a single one takes the whole height.
fn column(scene: &mut Scene, items: &[Rc<Item>], x: f64, w: f64, h: f64) {
    if let [item] = items {
        return scene.put(item, Shape::Part, x, GAP, w, h);
    }
    for (i, item) in items.iter().enumerate() {
        scene.put(item, Shape::Strip, x, GAP + i as f64 * (STRIP + 4.0), w, STRIP);
    }
}

/// Controllers, scheduler and the lane of pods without a node. Returns the y of the bus to the
/// nodes.
fn second_row(scene: &mut Scene, board: &Board, w: f64, top: f64) -> f64 {
    let mut items: Vec<Rc<Item>> =
        SECOND_ROW.iter().filter_map(|&k| board.root(k)).map(|s| s.item.clone()).collect();
    items.extend(board.root(Kind::Waiting).map(|s| s.item.clone()));
    let per_row = if w < 600.0 { 2 } else { items.len().max(1) };
    let room = w - GAP * (per_row + 1) as f64;
    // Of two columns the first has the longest name.
    let share = if per_row == 2 { [0.54, 0.46] } else { [1.0 / per_row as f64; 2] };
    let api = board.root(Kind::ApiServer).map(|seat| seat.item.key.clone());
    let api_box = api.as_ref().and_then(|key| scene.place(key)).map(|p| (p.x, p.x + p.w));
    let mut bottom = top;
    for (i, item) in items.iter().enumerate() {
        let (row, col) = (i / per_row, i % per_row);
        let cell = room * share[col.min(1)];
        let x = if col == 0 {
            GAP
        } else {
            GAP + room * share[0] + GAP + (col - 1) as f64 * (cell + GAP)
        };
        let y = top + LANE + row as f64 * (PART_H + LANE);
        let waiting = item.kind == Kind::Waiting;
        scene.put(item, if waiting { Shape::Frame } else { Shape::Part }, x, y, cell, PART_H);
        bottom = bottom.max(y + PART_H);
        if waiting {
            waiting_pods(scene, board, &item.key, x, y, cell);
        } else if let (Some(api), Some((left, right))) = (&api, api_box) {
            let cx = x + cell / 2.0;
            let ax = cx.clamp(left + 24.0, right - 24.0);
            let mid = y - LANE / 2.0;
            let points = if row == 0 {
                vec![(cx, y), (cx, mid), (ax, mid), (ax, top)]
            } else {
                let lane = if col == 0 { 3.0 } else { w - 3.0 };
                let up = top + LANE / 2.0;
                vec![(cx, y), (cx, mid), (lane, mid), (lane, up), (ax, up), (ax, top)]
            };
            scene.edge(&item.key, api, runs(item), points);
        }
    }
    bottom
}

/// Pods without a node: chips in the lane, as many as fit in one line; the lane's own word counts
/// them.
fn waiting_pods(scene: &mut Scene, board: &Board, lane: &str, x: f64, y: f64, w: f64) {
    let room = ((w - GAP) / (CHIP + 2.0)).floor().max(0.0) as usize;
    for seat in board.children(Some(lane), Kind::Pod).filter(|seat| seat.slot < room) {
        let cx = x + GAP / 2.0 + seat.slot as f64 * (CHIP + 2.0);
        scene.put(&seat.item, Shape::Chip, cx, y + PART_H - CHIP - 1.0, CHIP, CHIP);
    }
}

fn nodes(scene: &mut Scene, board: &Board, (w, stage_h): (f64, f64), top: f64) {
    let count = board.capacity(None, Kind::Node);
    let crowd = Crowd::of(board, count);
    let node_w_min = if crowd.compact { CROWD_NODE_W_MIN } else { NODE_W_MIN };
    let fitting = (((w - GAP) / (node_w_min + GAP)).floor() as usize).max(1);
    let cols = fitting.min(count.max(3));
    let node_w = (w - GAP * (cols + 1) as f64) / cols as f64;
    let bus = top + LANE / 2.0;
    let api = board.root(Kind::ApiServer).map(|seat| seat.item.key.clone());
    let api_box =
        api.as_ref().and_then(|key| scene.place(key)).map(|p| (p.x + p.w / 2.0, p.y + p.h));
    let trunk = trunk_x(scene, api_box.map_or(w / 2.0, |(x, _)| x));

    let seats: Vec<_> = board.children(None, Kind::Node).cloned().collect();
    let mut y = top + LANE;
    let rows = count.div_ceil(cols.max(1));
    for row in 0..rows {
        let members = || seats.iter().filter(|seat| seat.slot / cols == row);
        let lines = members().map(|s| crowd.lines(board, &s.item.key, node_w)).max().unwrap_or(1);
        let has_parts =
            !crowd.compact && members().any(|s| parts_of(board, &s.item.key).next().is_some());
        let has_more = members().any(|s| board.capacity(Some(&s.item.key), Kind::More) > 0);
        let parts_h = if has_parts { STRIP + 6.0 } else { 0.0 };
        let more_h = if has_more { STRIP } else { 0.0 };
        let h = NODE_HEAD
            + parts_h
            + lines.max(crowd.lines_min()) as f64 * crowd.pitch()
            + more_h
            + 4.0;
        // A single row of nodes takes what room there is.
        let h = if rows == 1 { h.max(stage_h - y - GAP) } else { h };
        for seat in members() {
            let x = GAP + (seat.slot % cols) as f64 * (node_w + GAP);
            node(scene, board, &seat.item, &crowd, (x, y, node_w, h), parts_h);
            if let (Some(api), Some((_, api_bottom))) = (&api, api_box) {
                let mut points = vec![(trunk, api_bottom), (trunk, bus)];
                if row == 0 {
                    points.extend([(x + 16.0, bus), (x + 16.0, y)]);
                } else {
                    let gap = x - GAP / 2.0;
                    points.extend([(gap, bus), (gap, y + 14.0), (x, y + 14.0)]);
                }
                scene.edge(api, &seat.item.key, joined(&seat.item, api), points);
            }
        }
        y += h + GAP;
    }
}

/// The trunk runs down in a gap of the second row, as near to the middle as there is one.
fn trunk_x(scene: &Scene, middle: f64) -> f64 {
    scene
        .places
        .iter()
        .filter(|p| SECOND_ROW.contains(&p.item.kind) || p.item.kind == Kind::Waiting)
        .flat_map(|p| [p.x - GAP / 2.0, p.x + p.w + GAP / 2.0])
        .min_by(|a, b| (a - middle).abs().total_cmp(&(b - middle).abs()))
        .unwrap_or(middle)
}

fn parts_of<'a>(board: &'a Board, node: &'a str) -> impl Iterator<Item = &'a Rc<Item>> {
    [Kind::Kubelet, Kind::KubeProxy]
        .into_iter()
        .filter_map(move |kind| board.children(Some(node), kind).next())
        .map(|seat| &seat.item)
}

fn node(
    scene: &mut Scene,
    board: &Board,
    item: &Rc<Item>,
    crowd: &Crowd,
    (x, y, w, h): (f64, f64, f64, f64),
    parts_h: f64,
) {
    scene.put(item, Shape::Frame, x, y, w, h);
    let parts: Vec<_> = parts_of(board, &item.key).cloned().collect();
    if crowd.compact {
        parts.iter().for_each(|part| scene.stand_in(&part.key, &item.key));
    }
    let part_w = (w - 3.0 * GAP) / 2.0;
    for (i, part) in parts.iter().enumerate().filter(|_| !crowd.compact) {
        let px = x + GAP + i as f64 * (part_w + GAP);
        scene.put(part, Shape::Strip, px, y + NODE_HEAD, part_w, STRIP);
    }
    let top = y + NODE_HEAD + parts_h;
    let (cols, cell) = crowd.columns(w);
    for seat in board.children(Some(&item.key), Kind::Pod) {
        let (row, col) = (seat.slot / cols, seat.slot % cols);
        let px = x + GAP + col as f64 * (cell + 4.0);
        let py = top + row as f64 * crowd.pitch();
        if crowd.chips {
            scene.put(&seat.item, Shape::Chip, px, py, CHIP, CHIP);
        } else {
            scene.put(&seat.item, Shape::Strip, px, py, cell, STRIP);
        }
    }
    for seat in board.children(Some(&item.key), Kind::More) {
        scene.put(&seat.item, Shape::Strip, x + GAP, y + h - STRIP - 2.0, w - 2.0 * GAP, STRIP);
    }
}

/// Whether pods are drawn as strips or as chips.
struct Crowd {
    chips: bool,
    /// So many nodes that their own parts are left out: the node stands for them.
    compact: bool,
}

impl Crowd {
    fn of(board: &Board, nodes: usize) -> Crowd {
        let mut total = 0;
        let mut most = 0;
        for seat in board.children(None, Kind::Node) {
            let pods = board.capacity(Some(&seat.item.key), Kind::Pod);
            total += pods;
            most = most.max(pods);
        }
        Crowd { chips: total > 60 || most > 12 || nodes > 12, compact: nodes > 12 }
    }

    fn columns(&self, node_w: f64) -> (usize, f64) {
        let inner = node_w - 2.0 * GAP;
        let min = if self.chips { CHIP } else { STRIP_W_MIN };
        let cols = (((inner + 4.0) / (min + 4.0)).floor() as usize).max(1);
        let cell = if self.chips { CHIP } else { (inner - 4.0 * (cols - 1) as f64) / cols as f64 };
        (cols, cell)
    }

    fn pitch(&self) -> f64 {
        if self.chips { CHIP + 4.0 } else { STRIP + 4.0 }
    }

    fn lines(&self, board: &Board, node: &str, node_w: f64) -> usize {
        board.capacity(Some(node), Kind::Pod).div_ceil(self.columns(node_w).0)
    }

    fn lines_min(&self) -> usize {
        if self.chips { 2 } else { 4 }
    }
}
