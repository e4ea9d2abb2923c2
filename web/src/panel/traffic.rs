//! Traffic: send one request and read every hop it took.

use std::collections::VecDeque;
use std::rc::Rc;

use protocol::{Command, Hop, Kind, Mark, Outcome, Trace};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::board::Board;
use crate::mark::Symbol;
use crate::page::{Act, Bus};
use crate::pick::Pick;
use crate::words::{duration, moment};

/// Senders beyond this many are not listed; the terminal's `kubectl exec` reaches them all.
const SENDERS_MAX: usize = 60;

/// Properties of [`Traffic`].
#[derive(Clone, PartialEq, Properties)]
pub struct TrafficProps {
    /// The cluster.
    pub board: Rc<Board>,
    /// Requests, newest first.
    pub traces: Rc<VecDeque<Rc<Trace>>>,
}

/// The panel.
#[component]
pub fn Traffic(props: &TrafficProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let url = use_node_ref();
    let from = use_state(|| None::<String>);
    let open = use_state(|| None::<u32>);
    let of = |kind: Kind| props.board.items().filter(move |item| item.kind == kind);
    let visitors = of(Kind::Client).filter(|item| item.key != "client/kubectl");
    let senders: Vec<_> = visitors.chain(of(Kind::Pod)).take(SENDERS_MAX).collect();
    let sender = from
        .as_ref()
        .filter(|key| senders.iter().any(|item| item.key == **key))
        .cloned()
        .or_else(|| senders.first().map(|item| item.key.clone()))
        .unwrap_or_default();
    let send = {
        let (from, url, open) = (sender.clone(), url.clone(), open.setter());
        Callback::from(move |()| {
            if let Some(url) = url.cast::<HtmlInputElement>().map(|input| input.value()) {
                open.set(None);
                bus.send.emit(Command::Request { from: from.clone(), url });
            }
        })
    };
    let onpick = {
        let from = from.setter();
        Callback::from(move |key: String| from.set(Some(key)))
    };
    let options = senders
        .iter()
        .map(|item| (AttrValue::from(item.key.clone()), AttrValue::from(item.label.clone())));
    let onkeydown = {
        let send = send.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Enter" {
                send.emit(());
            }
        })
    };
    let chosen = match *open {
        Some(id) => props.traces.iter().find(|trace| trace.id == id),
        None => props.traces.front(),
    };
    html! {
        <div class="traffic">
            <div class="side">
                <p class="row wrap">
                    <label>{ "From " }<Pick options={options.collect::<Vec<_>>()} value={sender} {onpick} /></label>
                    <label class="grow">{ "to " }<input ref={url} type="text" value="http://web/" {onkeydown} /></label>
                    <button type="button" class="primary" onclick={move |_: MouseEvent| send.emit(())}>{ "Send" }</button>
                </p>
                <ul class="plain traces" aria-label="Requests">
                    { for props.traces.iter().map(|trace| {
                        let (open, id) = (open.setter(), trace.id);
                        let onclick = Callback::from(move |_: MouseEvent| open.set(Some(id)));
                        let mark = if trace.ok { Mark::Ready } else { Mark::Failed };
                        html! {
                            <li key={id}><button type="button" class="link" {onclick}>
                                <Symbol {mark} />{ format!("{} {} {}", moment(trace.at), trace.url, trace.result) }
                            </button></li>
                        }
                    }) }
                </ul>
            </div>
            <div class="scroll" tabindex="0" role="region" aria-label="The way of the request">
                { match chosen {
                    Some(trace) => html! { <Way trace={trace.clone()} /> },
                    None => html! { <p class="quiet">{ "Send a request to see every hop it takes." }</p> },
                } }
            </div>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct WayProps {
    trace: Rc<Trace>,
}

/// Every hop of a request.
#[component]
fn Way(props: &WayProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let trace = &props.trace;
    html! {
        <>
            <p>
                <strong>{ &trace.result }</strong>
                <span class="quiet">{ format!(" in {}", duration(trace.took)) }</span>
            </p>
            <ol class="hops">{ for trace.hops.iter().map(|hop| stop(hop, &bus)) }</ol>
            if !trace.body.is_empty() {
                <pre>{ &trace.body }</pre>
            }
        </>
    }
}

fn stop(hop: &Hop, bus: &Bus) -> Html {
    let (mark, word) = match hop.outcome {
        Outcome::Passed => (Mark::Succeeded, "passed"),
        Outcome::Chosen => (Mark::Ready, "chosen"),
        Outcome::Rejected => (Mark::Off, "not taken"),
        Outcome::Dropped => (Mark::Failed, "ended here"),
    };
    let place = match hop.key.clone() {
        Some(key) => {
            let act = bus.act.clone();
            let onclick =
                Callback::from(move |_: MouseEvent| act.emit(Act::Select(Some(key.clone()))));
            html! { <button type="button" class="link" {onclick}>{ &hop.place }</button> }
        }
        None => html! { <strong>{ &hop.place }</strong> },
    };
    html! {
        <li>
            <Symbol {mark} />
            <div>
                { place }<span class="quiet">{ format!(" {word}, {}", duration(hop.after)) }</span>
                <p>{ &hop.text }</p>
                if !hop.rules.is_empty() {
                    <pre>{ hop.rules.join("\n") }</pre>
                }
            </div>
        </li>
    }
}
