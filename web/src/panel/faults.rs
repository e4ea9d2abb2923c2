//! The menu of faults: what can be broken, and what is broken now.

use std::rc::Rc;

use protocol::{Command, Fault, Item, Key, Kind, Mark};
use yew::prelude::*;

use crate::board::Board;
use crate::page::Bus;

/// A menu longer than this sends the reader to the inspector of the object instead.
const NODES_MAX: usize = 12;

/// Properties of [`Faults`].
#[derive(Clone, PartialEq, Properties)]
pub struct FaultsProps {
    /// The cluster.
    pub board: Rc<Board>,
    /// The selected object.
    pub selected: Option<Key>,
}

/// The menu.
#[component]
pub fn Faults(props: &FaultsProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let entries = entries(&props.board, props.selected.as_deref());
    let group = |(title, rows): (&'static str, Vec<(String, Fault)>)| {
        html! {
            <li>
                <h2>{ title }</h2>
                <ul class="plain">
                    { for rows.into_iter().map(|(label, fault)| {
                        let send = bus.send.clone();
                        let onclick = Callback::from(move |_: MouseEvent| send.emit(Command::Fault(fault.clone())));
                        html! { <li><button type="button" {onclick}>{ label }</button></li> }
                    }) }
                </ul>
            </li>
        }
    };
    html! {
        <details class="menu" id="faults">
            <summary>{ "Break" }</summary>
            <ul class="popup wide">{ for entries.into_iter().map(group) }</ul>
        </details>
    }
}

/// The rows of the menu. What is off can be put right, what works can be broken.
fn entries(board: &Board, selected: Option<&str>) -> Vec<(&'static str, Vec<(String, Fault)>)> {
    let mut groups = Vec::new();
    if let Some(pod) = selected.and_then(|key| board.item(key)).filter(|i| i.kind == Kind::Pod) {
        let label = format!("Kill {}", pod.name);
        groups.push(("Selected pod", vec![(label, Fault::KillPod(pod.key.clone()))]));
    }
    let items = |kinds: &'static [Kind]| {
        let all = board.items().filter(|item| kinds.contains(&item.kind));
        all.take(NODES_MAX).collect::<Vec<_>>()
    };
    let nodes = items(&[Kind::Node]);
    let power = |node: &&Rc<Item>| match node.state.mark {
        Mark::Off => (format!("Switch {} on", node.name), Fault::NodeOn(node.key.clone())),
        _ => (format!("Switch {} off", node.name), Fault::NodeOff(node.key.clone())),
    };
    groups.push(("Machines", nodes.iter().map(power).collect()));
    let parts = items(&[
        Kind::ApiServer,
        Kind::ControllerManager,
        Kind::Scheduler,
        Kind::CloudControllerManager,
    ]);
    let plug = |part: &&Rc<Item>| match part.state.mark {
        Mark::Off => (format!("Plug in {}", part.name), Fault::Plug(part.key.clone())),
        _ => (format!("Unplug {}", part.name), Fault::Unplug(part.key.clone())),
    };
    groups.push(("Control plane", parts.iter().map(plug).collect()));
    if let Some(api) = board.root(Kind::ApiServer).map(|seat| &seat.item) {
        let link = |node: &&Rc<Item>| {
            let cut = node.ties.iter().any(|tie| tie.to == api.key && !tie.live);
            let (a, b) = (api.key.clone(), node.key.clone());
            if cut {
                (format!("Join {} again", node.name), Fault::HealLink(a, b))
            } else {
                (format!("Cut {} off", node.name), Fault::CutLink(a, b))
            }
        };
        groups.push(("Links to the API server", nodes.iter().map(link).collect()));
    }
    groups.retain(|(_, rows)| !rows.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::tests::{board, item};
    use protocol::{Op, State};

    /// The labels of the menu for a node and a scheduler with the given marks.
    fn check(node: Mark, scheduler: Mark, selected: Option<&str>, want: &[&str]) {
        let state = |mark| State { mark, ..State::default() };
        let board = board(vec![
            Op::Upsert(Box::new(Item { state: state(node), ..item("node/n1", Kind::Node, None) })),
            Op::Upsert(Box::new(Item {
                state: state(scheduler),
                ..item("part/kube-scheduler", Kind::Scheduler, None)
            })),
            Op::Upsert(Box::new(item("pod/default/p", Kind::Pod, Some("node/n1")))),
        ]);
        let labels: Vec<String> =
            entries(&board, selected).into_iter().flat_map(|(_, rows)| rows).map(|r| r.0).collect();
        assert_eq!(labels, want);
    }

    #[test]
    fn what_works_can_be_broken() {
        check(Mark::Ready, Mark::Ready, None, &["Switch n1 off", "Unplug kube-scheduler"]);
    }
    #[test]
    fn what_is_off_can_be_put_right() {
        check(Mark::Off, Mark::Off, None, &["Switch n1 on", "Plug in kube-scheduler"]);
    }
    #[test]
    fn a_selected_pod_can_be_killed() {
        let want = ["Kill p", "Switch n1 off", "Unplug kube-scheduler"];
        check(Mark::Ready, Mark::Ready, Some("pod/default/p"), &want);
    }
}
