//! The inspector: Summary, YAML, Events and Why? of the selected object.

use std::rc::Rc;

use protocol::{Action, Command, Fact, Inspection, Key, Kind};
use yew::prelude::*;

use crate::board::Board;
use crate::mark::Symbol;
use crate::page::{Act, Bus, Dock, Rail};
use crate::stage::focus;
use crate::words::moment;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tab {
    Summary,
    Yaml,
    Events,
    Why,
}

const TABS: [(Tab, &str); 4] =
    [(Tab::Summary, "Summary"), (Tab::Yaml, "YAML"), (Tab::Events, "Events"), (Tab::Why, "Why?")];

/// Properties of [`Inspector`].
#[derive(Clone, PartialEq, Properties)]
pub struct InspectorProps {
    /// The selected object.
    pub selected: Option<Key>,
    /// What is known of it.
    pub inspection: Option<Rc<Inspection>>,
    /// The cluster.
    pub board: Rc<Board>,
}

/// The inspector.
#[component]
pub fn Inspector(props: &InspectorProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let tab = use_state(|| Tab::Summary);
    let body = match (&props.inspection, &props.selected) {
        (Some(seen), _) => {
            let part = match *tab {
                Tab::Summary => summary(seen, &bus),
                Tab::Yaml => yaml(seen, &bus),
                Tab::Events => events(seen),
                Tab::Why => why(seen, &bus),
            };
            html! { <>{ title(seen) }{ tabs(&tab, seen) }<div class="scroll" tabindex="0" role="region" aria-label="Details">{ part }</div></> }
        }
        (None, Some(_)) => html! { <p class="quiet">{ "Looking…" }</p> },
        (None, None) => html! { <Welcome board={props.board.clone()} /> },
    };
    html! { <aside class="inspector" id="inspector" aria-label="Inspector" tabindex="-1">{ body }</aside> }
}

#[derive(Clone, PartialEq, Properties)]
struct WelcomeProps {
    board: Rc<Board>,
}

/// What there is to do, for somebody who has done nothing yet.
#[component]
fn Welcome(props: &WelcomeProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let to = |label: &'static str, act: Act, then: Option<&'static str>| {
        let bus = bus.clone();
        let onclick = Callback::from(move |_: MouseEvent| {
            bus.act.emit(act.clone());
            then.into_iter().for_each(focus);
        });
        html! { <li><button type="button" {onclick}>{ label }</button></li> }
    };
    let pod = props.board.children(None, Kind::Node).find_map(|node| {
        let pod = props.board.children(Some(&node.item.key), Kind::Pod).next()?;
        Some(pod.item.key.clone())
    });
    html! {
        <div class="welcome">
            <h2>{ "A real control loop runs in this tab" }</h2>
            <p>{ "Select a pod on the stage, delete it, and watch it come back." }</p>
            <p class="quiet">{ "What you select is explained here: its state, its YAML, its events, and why it is as it is." }</p>
            <ul class="plain try">
                { pod.map(|key| to("Select a pod", Act::Select(Some(key)), None)).unwrap_or_default() }
                { to("Write YAML and apply it", Act::Dock(Dock::Editor), Some(".editor textarea")) }
                { to("Follow a request to its pod", Act::Dock(Dock::Traffic), Some(".traffic input")) }
                { to("Take a lesson", Act::Rail(Rail::Learn), None) }
            </ul>
        </div>
    }
}

fn title(seen: &Inspection) -> Html {
    html! {
        <h2 class="subject">
            <Symbol mark={seen.state.mark} />
            <span>{ &seen.title }{ " " }<span class="quiet">
                { if seen.gone { "gone" } else { &seen.state.word } }
                { if seen.state.note.is_empty() || seen.gone { String::new() } else { format!(", {}", seen.state.note) } }
            </span></span>
        </h2>
    }
}

fn tabs(tab: &UseStateHandle<Tab>, seen: &Inspection) -> Html {
    html! {
        <div class="tabs" role="group" aria-label="About the object">
            { for TABS.into_iter().map(|(of, words)| {
                let setter = tab.setter();
                let onclick = Callback::from(move |_: MouseEvent| setter.set(of));
                let chosen = **tab == of;
                let count = if of == Tab::Events && !seen.events.is_empty() {
                    format!(" {}", seen.events.len())
                } else {
                    String::new()
                };
                html! {
                    <button type="button" class={classes!("tab", chosen.then_some("chosen"))} {onclick}
                        aria-pressed={chosen.to_string()}>{ words }{ count }</button>
                }
            }) }
        </div>
    }
}

/// A name that selects its object.
fn link(text: &str, key: &Option<Key>, bus: &Bus) -> Html {
    match key.clone() {
        Some(key) => {
            let act = bus.act.clone();
            let onclick =
                Callback::from(move |_: MouseEvent| act.emit(Act::Select(Some(key.clone()))));
            html! { <button type="button" class="link" {onclick}>{ text }</button> }
        }
        None => html! { text },
    }
}

fn summary(seen: &Inspection, bus: &Bus) -> Html {
    let row = |fact: &Fact| {
        html! { <><dt>{ &fact.name }</dt><dd>{ link(&fact.value, &fact.link, bus) }</dd></> }
    };
    html! {
        <>
            if !seen.actions.is_empty() && !seen.gone {
                <p class="row wrap">{ for seen.actions.iter().map(|action| button(action, bus)) }</p>
            }
            { for seen.summary.iter().map(|section| html! {
                <section>
                    <h3>{ &section.title }</h3>
                    <dl class="facts">{ for section.facts.iter().map(row) }</dl>
                </section>
            }) }
        </>
    }
}

fn button(action: &Action, bus: &Bus) -> Html {
    let bus = bus.clone();
    match action.clone() {
        Action::Run { label, line } => {
            let title = line.clone();
            let onclick = Callback::from(move |_: MouseEvent| bus.run.emit(line.clone()));
            html! { <button type="button" {title} {onclick}>{ label }</button> }
        }
        Action::Break { label, fault } => {
            let onclick =
                Callback::from(move |_: MouseEvent| bus.send.emit(Command::Fault(fault.clone())));
            html! { <button type="button" class="harm" {onclick}>{ label }</button> }
        }
    }
}

fn yaml(seen: &Inspection, bus: &Bus) -> Html {
    if seen.yaml.is_empty() {
        return html! { <p class="quiet">{ "This is a part of the cluster, not an object of its API." }</p> };
    }
    let (act, text) = (bus.act.clone(), seen.yaml.clone());
    let onclick = Callback::from(move |_: MouseEvent| act.emit(Act::Edit(text.clone())));
    html! {
        <>
            <p class="row"><button type="button" {onclick}>{ "Open in the editor" }</button></p>
            <pre class="yaml">{ &seen.yaml }</pre>
        </>
    }
}

fn events(seen: &Inspection) -> Html {
    if seen.events.is_empty() {
        return html! { <p class="quiet">{ "No events." }</p> };
    }
    html! {
        <ol class="plain cards">
            { for seen.events.iter().map(|event| html! {
                <li class={classes!("event", event.warning.then_some("warning"))}>
                    <p>
                        <strong>{ &event.reason }</strong>
                        { if event.warning { " Warning" } else { "" } }
                        <span class="quiet">
                            { format!(" {} {}", moment(event.at), event.from) }
                            { if event.count > 1 { format!(", {} times", event.count) } else { String::new() } }
                        </span>
                    </p>
                    <p>{ &event.message }</p>
                </li>
            }) }
        </ol>
    }
}

fn why(seen: &Inspection, bus: &Bus) -> Html {
    html! {
        <>
            if !seen.verdicts.is_empty() {
                <section>
                    <h3>{ "Why it has no node" }</h3>
                    <ul class="plain cards">
                        { for seen.verdicts.iter().map(|verdict| html! {
                            <li><strong>{ &verdict.node }</strong>{ format!(" {}: {}", verdict.plugin, verdict.reason) }</li>
                        }) }
                    </ul>
                </section>
            }
            <section>
                <h3>{ "The chain of causes, newest first" }</h3>
                if seen.causes.is_empty() {
                    <p class="quiet">{ "Nothing is recorded." }</p>
                }
                <ol class="plain cards causes">
                    { for seen.causes.iter().map(|cause| html! {
                        <li>
                            <p><strong>{ &cause.who }</strong><span class="quiet">{ format!(" {}", moment(cause.at)) }</span></p>
                            <p>{ link(&cause.what, &cause.about, bus) }</p>
                        </li>
                    }) }
                </ol>
            </section>
        </>
    }
}
