//! The timeline: play, pause, step, speed, and what time it is.

use protocol::{Clock, ClockState, Command, Micros, Speed};
use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use crate::keys::{StageKey, stage_key};
use crate::page::Bus;
use crate::pick::Pick;
use crate::words::{SPEEDS, moment, speed as speed_words};

/// Properties of [`Timeline`].
#[derive(Clone, PartialEq, Properties)]
pub struct TimelineProps {
    /// Virtual time.
    pub at: Micros,
    /// The clock.
    pub clock: ClockState,
    /// The cluster runs.
    pub enabled: bool,
}

/// The timeline.
#[component]
pub fn Timeline(props: &TimelineProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let clock = |clock: Clock| {
        let send = bus.send.clone();
        Callback::from(move |_: MouseEvent| send.emit(Command::Clock(clock)))
    };
    let onpick = {
        let send = bus.send.clone();
        Callback::from(move |words: String| {
            if let Some(&speed) = SPEEDS.iter().find(|&&speed| speed_words(speed) == words) {
                send.emit(Command::Clock(Clock::Speed(speed)));
            }
        })
    };
    let speeds = SPEEDS.iter().map(|&speed| {
        let words = AttrValue::from(speed_words(speed));
        (words.clone(), words)
    });
    let onkeydown = {
        let (send, playing) = (bus.send.clone(), props.clock.playing);
        Callback::from(move |event: KeyboardEvent| on_key(&event, &send, playing))
    };
    let playing = props.clock.playing;
    let enabled = props.enabled;
    let toggle = clock(if playing { Clock::Pause } else { Clock::Play });
    html! {
        <section class="timeline" aria-label="Timeline" {onkeydown}>
            <button type="button" class="play" onclick={toggle} disabled={!enabled}>
                <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
                    <path d={if playing { "M3 2h4v12H3zM9 2h4v12H9z" } else { "M3 1.5 14 8 3 14.5z" }} />
                </svg>
                { if playing { "Pause" } else { "Play" } }
            </button>
            <button type="button" onclick={clock(Clock::Step)} disabled={!enabled}>
                <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
                    <path d="M2 2 10 8 2 14zM11 2h3v12h-3z" />
                </svg>
                { "Step" }
            </button>
            <label>{ "Speed " }
                <Pick id="speed" options={speeds.collect::<Vec<_>>()} value={speed_words(props.clock.speed)}
                    {onpick} disabled={!enabled} />
            </label>
            <span class="now"><span class="quiet">{ "Cluster time " }</span><output class="time">{ moment(props.at) }</output></span>
            <span class="rate quiet">{ rate(props) }</span>
        </section>
    }
}

fn rate(props: &TimelineProps) -> String {
    if !props.clock.playing {
        return "held".into();
    }
    match props.clock.speed {
        Speed::Times(_) => "live".into(),
        Speed::Max => format!("{:.0}× just now", props.clock.rate),
    }
}

fn on_key(event: &KeyboardEvent, send: &Callback<Command>, playing: bool) {
    // A button or a list has its own meaning for these.
    let own = event.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
    if own.is_some_and(|element| element.tag_name() == "SELECT") {
        return;
    }
    match stage_key(event) {
        Some(StageKey::Time(hand)) if event.key() != " " => {
            send.emit(Command::Clock(hand.clock(playing)));
        }
        Some(StageKey::Speed(by)) => nudge_speed(by),
        _ => return,
    }
    event.prevent_default();
}

/// One speed up or down, by way of the list, so that both always agree.
pub fn nudge_speed(by: i32) {
    let document = web_sys::window().and_then(|window| window.document());
    let list = document
        .and_then(|d| d.get_element_by_id("speed"))
        .and_then(|e| e.dyn_into::<HtmlSelectElement>().ok());
    if let Some(list) = list {
        let to = (list.selected_index() + by).clamp(0, SPEEDS.len() as i32 - 1);
        list.set_selected_index(to);
        if let Ok(event) = Event::new_with_event_init_dict("change", &bubbling()) {
            // Nobody cancels a change.
            let _ = list.dispatch_event(&event);
        }
    }
}

fn bubbling() -> web_sys::EventInit {
    let init = web_sys::EventInit::new();
    init.set_bubbles(true);
    init
}
