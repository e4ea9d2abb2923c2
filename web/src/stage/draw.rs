//! Draws a scene: lines first, then items, each in its shape.

use std::rc::Rc;

use protocol::{Gauge, Item, Key, Kind, Mark};
use yew::prelude::*;

use crate::layout::{Edge, Place, Scene, Shape, fit, width_of};
use crate::mark::{class as mark_class, shape as mark_shape};
use crate::words::status;

/// The width of a fixed-width character at 12 px.
const MONO: f64 = 7.3;
/// How much wider a bold text is.
const BOLD: f64 = 1.1;

/// Properties of [`Drawing`].
#[derive(Clone, PartialEq, Properties)]
pub struct DrawingProps {
    /// What to draw.
    pub scene: Rc<Scene>,
    /// The selected object.
    pub selected: Option<Key>,
    /// Called when an item is clicked.
    pub select: Callback<Key>,
}

/// All lines, words and items of a scene.
#[component]
pub fn Drawing(props: &DrawingProps) -> Html {
    let scene = &props.scene;
    let selected = props.selected.as_deref();
    let tied = |item: &Item| {
        selected.is_some_and(|key| {
            item.ties.iter().any(|tie| tie.to == key)
                || scene.place(key).is_some_and(|p| p.item.ties.iter().any(|t| t.to == item.key))
        })
    };
    html! {
        <>
            <g class="edges">{ for scene.edges.iter().map(edge) }</g>
            <g class="words">
                { for scene.captions.iter().map(|caption| html! {
                    <text x={n(caption.x)} y={n(caption.y)}>{ &caption.text }</text>
                }) }
            </g>
            <g class="items">
                { for scene.places.iter().map(|place| html! {
                    <Card key={place.item.key.clone()} place={place.clone()}
                        selected={selected == Some(place.item.key.as_str())}
                        tied={tied(&place.item)} select={props.select.clone()} />
                }) }
            </g>
        </>
    }
}

fn n(length: f64) -> AttrValue {
    format!("{}", (length * 2.0).round() / 2.0).into()
}

fn edge(edge: &Edge) -> Html {
    let points: Vec<String> = edge.points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let class = classes!("edge", (!edge.live).then_some("broken"));
    html! {
        <polyline key={format!("{}>{}", edge.from, edge.to)} {class} points={points.join(" ")} />
    }
}

#[derive(Clone, PartialEq, Properties)]
struct CardProps {
    place: Place,
    selected: bool,
    tied: bool,
    select: Callback<Key>,
}

/// One item.
#[component]
fn Card(props: &CardProps) -> Html {
    let place = &props.place;
    let item = &place.item;
    let onclick = {
        let (select, key) = (props.select.clone(), item.key.clone());
        Callback::from(move |event: MouseEvent| {
            event.stop_propagation();
            select.emit(key.clone());
        })
    };
    let class = classes!(
        "item",
        shape_class(place.shape),
        kind_class(item.kind),
        mark_class(item.state.mark),
        props.selected.then_some("selected"),
        props.tied.then_some("tied"),
    );
    let inside = match place.shape {
        Shape::Frame => frame(place),
        Shape::Part => part(place),
        Shape::Tile => tile(place),
        Shape::Strip => strip(place),
        Shape::Chip => {
            html! { <g transform="translate(12 12)">{ mark_shape(item.state.mark) }</g> }
        }
        Shape::Line => {
            html! { <text class="mono" x="0" y="13">{ cut(&item.label, place.w) }</text> }
        }
    };
    html! {
        <g {class} transform={format!("translate({} {})", n(place.x), n(place.y))} {onclick}
            data-key={item.key.clone()}>
            <title>{ hover(item) }</title>
            <rect class="box" width={n(place.w)} height={n(place.h)} rx="5" />
            { inside }
        </g>
    }
}

fn shape_class(shape: Shape) -> &'static str {
    match shape {
        Shape::Frame => "frame",
        Shape::Part => "part",
        Shape::Tile => "tile",
        Shape::Strip => "strip",
        Shape::Chip => "chip",
        Shape::Line => "line",
    }
}

fn kind_class(kind: Kind) -> &'static str {
    match kind {
        Kind::Client => "kind-client",
        Kind::Pod => "kind-pod",
        Kind::Node => "kind-node",
        Kind::Waiting => "kind-waiting",
        Kind::More => "kind-more",
        Kind::Service | Kind::Endpoint | Kind::Ingress => "kind-network",
        Kind::Deployment | Kind::ReplicaSet => "kind-workload",
        _ => "kind-part",
    }
}

fn hover(item: &Item) -> String {
    let mut text = item.spoken.clone();
    if !status(&item.state).is_empty() {
        text.push_str(", ");
        text.push_str(&status(&item.state));
    }
    for fact in &item.facts {
        text.push_str(&format!("\n{}: {}", fact.name, fact.value));
    }
    text
}

/// Cuts a line of fixed-width text at its end.
fn cut(text: &str, w: f64) -> String {
    let room = (w / MONO).floor().max(1.0) as usize;
    if text.chars().count() <= room {
        return text.into();
    }
    let start: String = text.chars().take(room - 1).collect();
    format!("{start}…")
}

/// Mark, name at the left, status at the right, on one line with the given middle.
fn line(item: &Item, w: f64, y: f64, bold: f64) -> Html {
    let plain = item.state.mark == Mark::Plain;
    let left = if plain { 8.0 } else { 22.0 };
    let full = status(&item.state);
    let name_w = width_of(&item.label) * bold;
    let room = w - left - 8.0;
    // The name keeps what it needs; only trouble is worth a shorter name.
    let reserved = match item.state.mark {
        Mark::CrashLoop | Mark::Failed => room * 0.34,
        _ => 0.0,
    };
    let word_room = (room - name_w - 8.0).max(reserved);
    let word = if width_of(&full) <= word_room { full } else { item.state.word.clone() };
    // A word that would be a stump is left out: the mark and the outline say it.
    let word = if width_of(&word) <= word_room { word } else { String::new() };
    let name = fit(&item.label, (room - 8.0 - width_of(&word)) / bold);
    html! {
        <>
            if !plain {
                <g transform={format!("translate(12 {})", n(y))}>{ mark_shape(item.state.mark) }</g>
            }
            <text class="name" x={n(left)} y={n(y + 4.0)}>{ name }</text>
            <text class="word" x={n(w - 8.0)} y={n(y + 4.0)} text-anchor="end">{ word }</text>
        </>
    }
}

fn strip(place: &Place) -> Html {
    line(&place.item, place.w, place.h / 2.0, 1.0)
}

fn frame(place: &Place) -> Html {
    let item = &place.item;
    if item.kind == Kind::Waiting {
        return html! {
            <>
                <text class="name" x="8" y="16">{ fit(&item.label, (place.w - 40.0) / BOLD) }</text>
                <text class="word" x={n(place.w - 8.0)} y="16" text-anchor="end">{ &item.state.word }</text>
            </>
        };
    }
    line(item, place.w, 15.0, BOLD)
}

fn part(place: &Place) -> Html {
    let item = &place.item;
    let (w, middle) = (place.w, place.h / 2.0);
    let plain = item.state.mark == Mark::Plain;
    let left = if plain { 8.0 } else { 22.0 };
    html! {
        <>
            if !plain {
                <g transform={format!("translate(12 {})", n(middle - 8.0))}>{ mark_shape(item.state.mark) }</g>
            }
            <text class="name" x={n(left)} y={n(middle - 4.0)}>{ fit(&item.label, (w - left - 6.0) / BOLD) }</text>
            <text class="word" x={n(left)} y={n(middle + 14.0)}>{ fit(&status(&item.state), w - left - 6.0) }</text>
        </>
    }
}

fn tile(place: &Place) -> Html {
    let item = &place.item;
    let w = place.w;
    let top = if item.gauge.is_some() { 58.0 } else { 44.0 };
    let room = ((place.h - top) / 17.0).floor().max(0.0) as usize + 1;
    html! {
        <>
            { line(item, w, 16.0, BOLD) }
            { item.gauge.map(|gauge| bar(gauge, w)).unwrap_or_default() }
            { for item.facts.iter().take(room).enumerate().map(|(i, fact)| {
                let y = n(top + i as f64 * 17.0);
                let name_w = width_of(&fact.name);
                html! {
                    <>
                        <text class="word" x="8" y={y.clone()}>{ &fact.name }</text>
                        <text class="name" x={n(w - 8.0)} {y} text-anchor="end">
                            { fit(&fact.value, (w - 24.0 - name_w) / BOLD) }
                        </text>
                    </>
                }
            }) }
        </>
    }
}

/// A bar with as many cells as there should be, or an even one when they are many.
fn bar(gauge: Gauge, w: f64) -> Html {
    let room = w - 16.0;
    let share = if gauge.max == 0 {
        0.0
    } else {
        f64::from(gauge.value.min(gauge.max)) / f64::from(gauge.max)
    };
    html! {
        <g class="bar">
            <rect class="track" x="8" y="30" width={n(room)} height="8" rx="2" />
            <rect class="fill" x="8" y="30" width={n(room * share)} height="8" rx="2" />
        </g>
    }
}
