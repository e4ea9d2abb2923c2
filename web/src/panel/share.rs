//! The link: from where it opens, how long it is, and by what its run is known.

use protocol::{Command, Moment};
use yew::prelude::*;

use crate::page::{Act, Bus, Shared};
use crate::panel::dialogs::Copy;
use crate::words::moment;

/// Properties of [`ShareForm`].
#[derive(Clone, PartialEq, Properties)]
pub struct ShareProps {
    /// The link, as far as it is made.
    pub share: Shared,
}

/// The body of the dialog.
#[component]
pub fn ShareForm(props: &ShareProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let share = &props.share;
    let choice = |from_start: bool, words: &'static str| {
        let bus = bus.clone();
        let onchange = Callback::from(move |_: Event| ask(&bus, from_start));
        html! {
            <label class="choice">
                <input type="radio" name="share-from" checked={share.from_start == from_start} {onchange} />
                { words }
            </label>
        }
    };
    html! {
        <>
            <p>{ "The link holds what was done to the cluster, not the cluster: whoever opens it repeats the run. \
                  Nothing is sent to a server." }</p>
            <fieldset class="bare">
                <legend>{ "It opens" }</legend>
                { choice(false, "at this moment, and goes on from here") }
                { choice(true, "at the start, before anything was done") }
            </fieldset>
            { match &share.fragment {
                Some(fragment) => made(fragment, share.moment.as_ref()),
                None => html! { <p role="status">{ "Making the link…" }</p> },
            } }
        </>
    }
}

/// Opens the dialog and asks for a link.
pub fn ask(bus: &Bus, from_start: bool) {
    bus.act.emit(Act::Share { from_start });
    bus.send.emit(Command::Share { from_start });
}

fn made(fragment: &str, opens_at: Option<&Moment>) -> Html {
    let link = format!("{}{fragment}", here());
    let length = link.len();
    let (class, verdict) = verdict(length);
    html! {
        <>
            <label for="share-link">{ "Link" }</label>
            <input id="share-link" class="wide" readonly=true value={link.clone()} />
            <p class={classes!("meter", class)}>{ format!("{length} characters: {verdict}") }</p>
            if let Some(Moment { at, trace }) = opens_at {
                <p>{ format!("Cluster time {}, trace ", moment(*at)) }<code id="share-trace">{ trace }</code>
                    <span class="quiet">{ ". A run with the same trace made the same writes at the same times; \
                        who opens the link is told whether theirs did." }</span></p>
            }
            <p class="row"><Copy text={link} label="Copy the link" primary=true /></p>
        </>
    }
}

fn verdict(length: usize) -> (&'static str, &'static str) {
    match length {
        0..=300 => ("meter-short", "fits anywhere"),
        301..=1_900 => ("meter-medium", "fits into mail and chat"),
        1_901..=8_000 => ("meter-long", "long, some programs cut it"),
        _ => ("meter-long", "too long for most programs"),
    }
}

/// The address of the page without its fragment and its query.
fn here() -> String {
    let Some(window) = web_sys::window() else { return String::new() };
    let location = window.location();
    let origin = location.origin().unwrap_or_default();
    format!("{origin}{}", location.pathname().unwrap_or_default())
}
