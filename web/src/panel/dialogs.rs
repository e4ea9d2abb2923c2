//! The windows over the page: the link, what is modelled, the keys.

use std::rc::Rc;

use web_sys::HtmlElement;
use yew::prelude::*;

use crate::keys::HELP;
use crate::page::{Act, Bus, Dialog};

/// Puts a text on the clipboard. A browser that refuses leaves the text selectable on the page.
pub fn copy(text: &str) {
    if let Some(window) = web_sys::window() {
        let _ = window.navigator().clipboard().write_text(text);
    }
}

/// Properties of [`Dialogs`].
#[derive(Clone, PartialEq, Properties)]
pub struct DialogsProps {
    /// Which window is open.
    pub dialog: Option<Dialog>,
    /// The link, once made.
    pub share: Option<Rc<str>>,
    /// The version that is modelled.
    pub version: AttrValue,
}

/// The open window, if there is one.
#[component]
pub fn Dialogs(props: &DialogsProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let window = use_node_ref();
    {
        let window = window.clone();
        use_effect_with(props.dialog, move |open| {
            if open.is_some()
                && let Some(element) = window.cast::<HtmlElement>()
            {
                // The dialog takes the keyboard; it always can.
                let _ = element.focus();
            }
        });
    }
    let Some(dialog) = props.dialog else { return Html::default() };
    let close = {
        let act = bus.act.clone();
        Callback::from(move |_: MouseEvent| act.emit(Act::Dialog(None)))
    };
    let onkeydown = {
        let act = bus.act.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                act.emit(Act::Dialog(None));
            }
        })
    };
    let (title, body) = match dialog {
        Dialog::Share => ("Share this cluster", share(props.share.as_deref())),
        Dialog::Fidelity => ("What is modelled", fidelity(&props.version)),
        Dialog::Help => ("Keys", help()),
    };
    html! {
        <div class="veil" {onkeydown}>
            <div class="dialog" role="dialog" aria-modal="true" aria-labelledby="dialog-title"
                tabindex="-1" ref={window}>
                <h2 id="dialog-title">{ title }</h2>
                { body }
                <p class="row end"><button type="button" onclick={close}>{ "Close" }</button></p>
            </div>
        </div>
    }
}

fn share(fragment: Option<&str>) -> Html {
    let Some(fragment) = fragment else {
        return html! { <p>{ "Making the link…" }</p> };
    };
    let link = format!("{}{fragment}", here());
    let length = link.len();
    let (class, verdict) = match length {
        0..=300 => ("meter-short", "short: fits anywhere"),
        301..=1900 => ("meter-medium", "fits into mail and chat"),
        1901..=8000 => ("meter-long", "long: some programs cut it"),
        _ => ("meter-long", "too long for most programs"),
    };
    let onclick = {
        let link = link.clone();
        Callback::from(move |_: MouseEvent| copy(&link))
    };
    html! {
        <>
            <p>{ "The link holds what was done to the cluster. Whoever opens it sees the same run. \
                  Nothing is sent to a server." }</p>
            <label for="share-link">{ "Link" }</label>
            <input id="share-link" readonly=true value={link} />
            <p class={classes!("meter", class)}>{ format!("{length} characters, {verdict}") }</p>
            <p class="row"><button type="button" class="primary" {onclick}>{ "Copy the link" }</button></p>
        </>
    }
}

/// The address of the page without its fragment and its query.
fn here() -> String {
    let Some(window) = web_sys::window() else { return String::new() };
    let location = window.location();
    let origin = location.origin().unwrap_or_default();
    format!("{origin}{}", location.pathname().unwrap_or_default())
}

fn fidelity(version: &str) -> Html {
    html! {
        <>
            <p>{ format!("Orrery is a simulation of Kubernetes {version}. It runs in this tab and talks to nobody.") }</p>
            <p>{ "Modelled: the API with its defaults and its answers, the store with revisions and watches, \
                  the controllers, the scheduler, the kubelets, the proxies' packet rules, the cluster's DNS." }</p>
            <p>{ "Simplified: a container image is a behaviour (how long it starts, what it listens on, when it \
                  ends), and latencies are drawn from a seeded stream." }</p>
            <p>{ "Absent: no container runs, no packet leaves the tab." }</p>
        </>
    }
}

fn help() -> Html {
    html! {
        <>
            <p>{ "These work while the stage or the timeline has the focus." }</p>
            <dl class="facts">
                { for HELP.iter().map(|(key, text)| html! {
                    <><dt><kbd>{ *key }</kbd></dt><dd>{ *text }</dd></>
                }) }
            </dl>
        </>
    }
}
