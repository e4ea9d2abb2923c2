//! The outline: every node and pod by name with its status in words, as a tree.

use std::rc::Rc;

use gloo_timers::callback::Timeout;
use protocol::{Item, Key, Kind};
use yew::prelude::*;

use crate::board::Board;
use crate::mark::Symbol;
use crate::page::{Act, Bus};
use crate::words::status;

/// A tree longer than this is cut, and says so.
const ROWS_MAX: usize = 1000;
/// From so many items on the tree is drawn anew only so often, in milliseconds.
const CALM_FROM: usize = 150;
const CALM_MS: u32 = 300;

/// Properties of [`Outline`].
#[derive(Clone, PartialEq, Properties)]
pub struct OutlineProps {
    /// The cluster.
    pub board: Rc<Board>,
    /// The selected object.
    pub selected: Option<Key>,
}

/// One row of the tree.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    item: Rc<Item>,
    level: u32,
    /// What sits in it, in rows.
    inside: usize,
}

/// The tree.
#[component]
pub fn Outline(props: &OutlineProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let board = use_calm(props.board.clone());
    let rows = use_memo(board, |board| rows(board));
    let tree = use_node_ref();
    let at = {
        let selected = props.selected.as_deref();
        rows.iter().position(|row| Some(row.item.key.as_str()) == selected).unwrap_or(0)
    };
    let onkeydown = {
        let (bus, rows, tree) = (bus.clone(), rows.clone(), tree.clone());
        Callback::from(move |event: KeyboardEvent| {
            let Some(to) = step(&rows, at, &event.key()) else { return };
            event.prevent_default();
            bus.act.emit(Act::Select(Some(rows[to].item.key.clone())));
            let all = tree.cast::<web_sys::Element>();
            let row =
                all.and_then(|t| t.query_selector(&format!("[data-row='{to}']")).ok().flatten());
            if let Some(row) =
                row.and_then(|r| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(r).ok())
            {
                // A row of the tree can always take the focus.
                let _ = row.focus();
            }
        })
    };
    let shown = rows.len().min(ROWS_MAX);
    html! {
        <>
            <div class="outline" role="tree" aria-label="Outline of the cluster" ref={tree} {onkeydown}>
                { for rows[..shown].iter().enumerate().map(|(i, row)| html! {
                    <Line key={row.item.key.clone()} row={row.clone()} index={i} at={i == at}
                        selected={props.selected.as_deref() == Some(row.item.key.as_str())} />
                }) }
            </div>
            if rows.len() > shown {
                <p class="quiet note">{ format!("{} more are not listed. Use kubectl get in the terminal.", rows.len() - shown) }</p>
            }
        </>
    }
}

/// The board itself while it is small; of a large one, the newest a few times a second.
#[hook]
fn use_calm(board: Rc<Board>) -> Rc<Board> {
    let shown = use_state(|| board.clone());
    let newest = use_mut_ref(|| board.clone());
    let timer = use_mut_ref(|| None::<Timeout>);
    *newest.borrow_mut() = board.clone();
    if board.len() <= CALM_FROM {
        return board;
    }
    if timer.borrow().is_none() && *shown != board {
        let (shown, slot) = (shown.setter(), timer.clone());
        *timer.borrow_mut() = Some(Timeout::new(CALM_MS, move || {
            slot.borrow_mut().take();
            shown.set(newest.borrow().clone());
        }));
    }
    (*shown).clone()
}

#[derive(Clone, PartialEq, Properties)]
struct LineProps {
    row: Row,
    index: usize,
    at: bool,
    selected: bool,
}

/// One row. Its words are drawn by the style sheet, for what is heard is the row's own name.
#[component]
fn Line(props: &LineProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let item = props.row.item.clone();
    let onclick = {
        let key = item.key.clone();
        Callback::from(move |_: MouseEvent| bus.act.emit(Act::Select(Some(key.clone()))))
    };
    let words = status(&item.state);
    html! {
        <div role="treeitem" class={classes!("row", format!("level-{}", props.row.level))}
            tabindex={if props.at { "0" } else { "-1" }} aria-level={props.row.level.to_string()}
            aria-selected={props.selected.to_string()} aria-label={name(&item)} {onclick}
            aria-expanded={(props.row.inside > 0).then_some("true")}
            data-row={props.index.to_string()} data-key={item.key.clone()}>
            <Symbol mark={item.state.mark} />
            <span class="what" data-text={item.label.clone()}></span>
            <span class="quiet" data-text={words}></span>
        </div>
    }
}

/// The name of a row for those who hear it: `pod default/web-1, Running`.
fn name(item: &Item) -> String {
    let words = status(&item.state);
    if words.is_empty() { item.spoken.clone() } else { format!("{}, {words}", item.spoken) }
}

/// The tree as rows: nodes with their pods, pods that wait, then the control plane.
fn rows(board: &Board) -> Vec<Row> {
    let mut out = Vec::new();
    let holders = [Kind::Node, Kind::Waiting];
    for kind in holders {
        for seat in board.children(None, kind) {
            let at = out.len();
            out.push(Row { item: seat.item.clone(), level: 1, inside: 0 });
            for inner in [Kind::Pod, Kind::More, Kind::Kubelet, Kind::KubeProxy] {
                for seat in board.children(Some(&seat.item.key), inner) {
                    out.push(Row { item: seat.item.clone(), level: 2, inside: 0 });
                }
            }
            out[at].inside = out.len() - at - 1;
        }
    }
    let plane = [
        Kind::ApiServer,
        Kind::Etcd,
        Kind::ControllerManager,
        Kind::Scheduler,
        Kind::CloudControllerManager,
        Kind::Provider,
        Kind::Client,
    ];
    for kind in plane {
        for seat in board.children(None, kind) {
            out.push(Row { item: seat.item.clone(), level: 1, inside: 0 });
        }
    }
    out
}

/// Where a key leads from a row.
fn step(rows: &[Row], at: usize, key: &str) -> Option<usize> {
    let row = rows.get(at)?;
    let to = match key {
        "ArrowDown" => at + 1,
        "ArrowUp" => at.checked_sub(1)?,
        "Home" => 0,
        "End" => rows.len() - 1,
        "ArrowRight" if row.inside > 0 => at + 1,
        "ArrowLeft" if row.level > 1 => rows[..at].iter().rposition(|r| r.level < row.level)?,
        "Enter" | " " => at,
        _ => return None,
    };
    (to < rows.len()).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::tests::{board, item};
    use protocol::{Mark, Op, State};

    fn sample() -> Vec<Row> {
        let state = |word: &str, note: &str| State {
            mark: Mark::Ready,
            word: word.into(),
            note: note.into(),
        };
        let ops = vec![
            Item { state: state("Ready", ""), ..item("node/node-1", Kind::Node, None) },
            Item {
                spoken: "pod default/web-1".into(),
                state: state("Running", "not ready"),
                ..item("pod/default/web-1", Kind::Pod, Some("node/node-1"))
            },
            Item { state: state("running", ""), ..item("part/etcd", Kind::Etcd, None) },
        ];
        rows(&board(ops.into_iter().map(|item| Op::Upsert(Box::new(item))).collect()))
    }

    #[test]
    fn every_row_says_its_status_in_words() {
        let names: Vec<String> = sample().iter().map(|row| name(&row.item)).collect();
        assert_eq!(
            names,
            ["node-1, Ready", "pod default/web-1, Running, not ready", "etcd, running"]
        );
    }

    #[test]
    fn arrows_walk_the_tree() {
        let rows = sample();
        assert_eq!(step(&rows, 0, "ArrowRight"), Some(1));
        assert_eq!(step(&rows, 1, "ArrowLeft"), Some(0));
        assert_eq!(step(&rows, 2, "ArrowDown"), None);
        assert_eq!(step(&rows, 0, "ArrowUp"), None);
        assert_eq!(step(&rows, 0, "End"), Some(2));
        assert_eq!(step(&rows, 0, "x"), None);
    }
}
