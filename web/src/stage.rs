//! The stage: a diagram of the live cluster, with its tabs and its caption.

mod draw;
mod table;
mod travel;

use std::rc::Rc;

use gloo_timers::callback::Timeout;
use protocol::{Key, View};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, ResizeObserver};
use yew::prelude::*;

use crate::board::Board;
use crate::diagrams::diagram;
use crate::keys::{Move, StageKey, stage_key};
use crate::layout::{Scene, Size, layout};
use crate::page::{Act, Bus, Dialog};
use crate::pick::Pick;
use draw::Drawing;
use table::{Table, summary};
use travel::Travel;

/// Properties of [`Stage`].
#[derive(Clone, PartialEq, Properties)]
pub struct StageProps {
    /// Which diagram.
    pub view: View,
    /// Its items.
    pub board: Rc<Board>,
    /// The selected object.
    pub selected: Option<Key>,
    /// Time passes.
    pub playing: bool,
    /// The last sentence of the log.
    pub caption: AttrValue,
}

/// The stage.
#[component]
pub fn Stage(props: &StageProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let frame = use_node_ref();
    let as_table = use_state(|| false);
    let size = use_size(frame.clone(), *as_table);
    let scene = use_memo((props.view, props.board.clone(), *size), |(view, board, size)| {
        layout(*view, board, *size)
    });
    let select = {
        let bus = bus.clone();
        Callback::from(move |key: Key| bus.act.emit(Act::Select(Some(key))))
    };
    let onkeydown = {
        let (bus, scene, props) = (bus.clone(), scene.clone(), props.clone());
        Callback::from(move |event: KeyboardEvent| on_key(&event, &bus, &scene, &props))
    };
    let sum = use_memo(scene.clone(), |scene| summary(&scene.places));
    let title = diagram(props.view).title;
    let about = diagram(props.view).about;
    html! {
        <section class="stage" aria-label="Stage">
            <Tabs view={props.view} board={props.board.clone()} as_table={as_table.clone()} />
            <p id="stage-summary" class="unseen">{ &*sum }</p>
            if *as_table {
                <Table {scene} {title} selected={props.selected.clone()} {select} />
            } else {
                <div class="canvas" ref={frame} tabindex="0" role="application" {onkeydown}
                    aria-label={format!("{title} diagram. {about} Arrow keys go from item to item.")}
                    aria-describedby="stage-summary">
                    if props.board.is_empty() {
                        <p class="empty">{ empty_text(props.view) }</p>
                    }
                    <svg width={px(scene.w)} height={px(scene.h)} aria-hidden="true">
                        <Drawing scene={scene.clone()} selected={props.selected.clone()} {select} />
                        <Travel {scene} beat={props.board.beat} pulses={props.board.pulses.clone()} />
                    </svg>
                </div>
            }
            <p class="caption"><span>{ &props.caption }</span></p>
        </section>
    }
}

fn px(length: f64) -> AttrValue {
    format!("{}", length.round()).into()
}

fn empty_text(view: View) -> &'static str {
    match view {
        View::Architecture => "The cluster starts…",
        View::Deployment => "There is no Deployment to show.",
        View::Service => "There is no Service to show.",
    }
}

/// The room the diagram has, measured whenever it changes; the last one while a table is in its place.
#[hook]
fn use_size(frame: NodeRef, as_table: bool) -> UseStateHandle<Size> {
    let size = use_state(|| Size { w: 720.0, h: 420.0 });
    {
        let size = size.setter();
        use_effect_with((frame, as_table), move |(frame, _)| {
            let element = frame.cast::<Element>();
            let measured = element.clone();
            let measure = Closure::<dyn FnMut()>::new(move || {
                if let Some(element) = &measured {
                    let (w, h) = (element.client_width(), element.client_height());
                    size.set(Size { w: f64::from(w), h: f64::from(h) });
                }
            });
            let observer = ResizeObserver::new(measure.as_ref().unchecked_ref()).ok();
            if let (Some(observer), Some(element)) = (&observer, &element) {
                observer.observe(element);
            }
            move || {
                if let Some(observer) = observer {
                    observer.disconnect();
                }
                drop(measure);
            }
        });
    }
    size
}

fn on_key(event: &KeyboardEvent, bus: &Bus, scene: &Scene, props: &StageProps) {
    let Some(key) = stage_key(event) else { return };
    event.prevent_default();
    let selected = props.selected.as_deref();
    let to = match key {
        StageKey::Go(Move::Left) => scene.neighbour(selected, -1.0, 0.0),
        StageKey::Go(Move::Right) => scene.neighbour(selected, 1.0, 0.0),
        StageKey::Go(Move::Up) => scene.neighbour(selected, 0.0, -1.0),
        StageKey::Go(Move::Down) => scene.neighbour(selected, 0.0, 1.0),
        StageKey::Owner => selected
            .and_then(|key| props.board.item(key))
            .and_then(|item| item.parent.as_deref())
            .and_then(|key| scene.place(key)),
        StageKey::Child => {
            scene.places.iter().find(|p| p.item.parent.as_deref() == selected && selected.is_some())
        }
        StageKey::Close => return bus.act.emit(Act::Select(None)),
        StageKey::Inspect => return focus("#inspector"),
        StageKey::Break => return focus("#faults > summary"),
        StageKey::Find => return focus("[role=treeitem][tabindex='0']"),
        StageKey::Trace => return bus.act.emit(Act::Dock(crate::page::Dock::Traffic)),
        StageKey::Help => return bus.act.emit(Act::Dialog(Some(Dialog::Help))),
        StageKey::Diagram(n) => {
            if let Some(&view) = View::ALL.get(n) {
                bus.act.emit(Act::Show(view));
            }
            return;
        }
        StageKey::Time(hand) => {
            return bus.send.emit(protocol::Command::Clock(hand.clock(props.playing)));
        }
        StageKey::Speed(by) => return crate::timeline::nudge_speed(by),
    };
    if let Some(place) = to {
        bus.act.emit(Act::Select(Some(place.item.key.clone())));
    }
}

/// Moves the keyboard to the first element a selector finds, once what was asked for before is drawn.
pub fn focus(selector: &'static str) {
    Timeout::new(0, move || focus_now(selector)).forget();
}

fn focus_now(selector: &str) {
    let document = web_sys::window().and_then(|window| window.document());
    let found = document.and_then(|d| d.query_selector(selector).ok().flatten());
    if let Some(element) = found.and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok()) {
        // An element that cannot take the focus leaves it where it is.
        let _ = element.focus();
    }
}

#[derive(Clone, PartialEq, Properties)]
struct TabsProps {
    view: View,
    board: Rc<Board>,
    as_table: UseStateHandle<bool>,
}

/// The diagrams to choose from, and what the shown one is about.
#[component]
fn Tabs(props: &TabsProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let tab = |view: View| {
        let act = bus.act.clone();
        let onclick = Callback::from(move |_: MouseEvent| act.emit(Act::Show(view)));
        let chosen = view == props.view;
        html! {
            <button type="button" class={classes!("tab", chosen.then_some("chosen"))} {onclick}
                aria-pressed={chosen.to_string()}>{ diagram(view).title }</button>
        }
    };
    let flip = {
        let as_table = props.as_table.clone();
        Callback::from(move |_: MouseEvent| as_table.set(!*as_table))
    };
    html! {
        <div class="toolbar">
            <div class="tabs" role="group" aria-label="Diagrams">{ for View::ALL.into_iter().map(tab) }</div>
            <Chooser view={props.view} board={props.board.clone()} />
            <span class="space"></span>
            <button type="button" class={classes!("tab", (*props.as_table).then_some("chosen"))}
                aria-pressed={props.as_table.to_string()} onclick={flip}>{ "Table" }</button>
            <Legend view={props.view} />
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ChooserProps {
    view: View,
    board: Rc<Board>,
}

/// Which object the diagram is about.
#[component]
fn Chooser(props: &ChooserProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    if props.board.choices.is_empty() {
        return Html::default();
    }
    let view = props.view;
    let onpick = Callback::from(move |key: String| bus.act.emit(Act::Focus(view, key)));
    let options =
        props.board.choices.iter().map(|choice| {
            (AttrValue::from(choice.key.clone()), AttrValue::from(choice.label.clone()))
        });
    html! {
        <Pick class="chooser" label={format!("Which {}", diagram(view).title)}
            options={options.collect::<Vec<_>>()}
            value={props.board.focus.clone().unwrap_or_default()} {onpick} />
    }
}

#[derive(Clone, PartialEq, Properties)]
struct LegendProps {
    view: View,
}

/// What the marks and the moving dots mean.
#[component]
fn Legend(props: &LegendProps) -> Html {
    use protocol::Mark::*;
    let marks = [
        (Ready, "works"),
        (NotReady, "runs, not ready"),
        (Pending, "waits"),
        (Creating, "is being made"),
        (CrashLoop, "fails again and again"),
        (Terminating, "goes away"),
        (Succeeded, "ended well"),
        (Failed, "ended badly"),
        (Off, "switched off"),
        (Unknown, "nobody knows"),
    ];
    html! {
        <details class="menu legend">
            <summary>{ "Legend" }</summary>
            <ul class="popup">
                { for marks.into_iter().map(|(mark, text)| html! {
                    <li><crate::mark::Symbol {mark} />{ text }</li>
                }) }
                { for diagram(props.view).legend.iter().map(|(class, text)| html! {
                    <li>
                        <svg class="symbol" viewBox="-7 -7 14 14" width="14" height="14" aria-hidden="true">
                            <circle class={classes!("dot", *class)} r="4.5" />
                        </svg>
                        { *text }
                    </li>
                }) }
            </ul>
        </details>
    }
}
