//! The windows over the page: the link, what is modelled, the keys.

use web_sys::HtmlDialogElement;
use yew::prelude::*;

use crate::keys::{self, HELP};
use crate::page::{Act, Bus, Dialog, Shared};
use crate::panel::share::ShareForm;

/// Puts a text on the clipboard. A browser that refuses leaves the text selectable on the page.
pub fn copy(text: &str) {
    if let Some(window) = web_sys::window() {
        let _ = window.navigator().clipboard().write_text(text);
    }
}

/// Properties of [`Copy`].
#[derive(Clone, PartialEq, Properties)]
pub struct CopyProps {
    /// What is copied.
    pub text: AttrValue,
    /// The words of the button.
    pub label: AttrValue,
    /// It is what the reader came for.
    #[prop_or_default]
    pub primary: bool,
}

/// A button that copies a text and says that it did.
#[component]
pub fn Copy(props: &CopyProps) -> Html {
    let copied = use_state(|| None::<AttrValue>);
    let onclick = {
        let (copied, text) = (copied.setter(), props.text.clone());
        Callback::from(move |_: MouseEvent| {
            copy(&text);
            copied.set(Some(text.clone()));
        })
    };
    let done = copied.as_ref() == Some(&props.text);
    html! {
        <>
            <button type="button" class={classes!(props.primary.then_some("primary"))} {onclick}>{ &props.label }</button>
            <span role="status">{ if done { "Copied" } else { "" } }</span>
        </>
    }
}

/// Properties of [`Dialogs`].
#[derive(Clone, PartialEq, Properties)]
pub struct DialogsProps {
    /// Which window is open.
    pub dialog: Option<Dialog>,
    /// The link.
    pub share: Shared,
    /// The version that is modelled.
    pub version: AttrValue,
}

/// The open window, if there is one. The browser's own dialog keeps the keyboard inside, closes with Escape
/// and gives the focus back to where it was.
#[component]
pub fn Dialogs(props: &DialogsProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let window = use_node_ref();
    {
        let window = window.clone();
        use_effect_with(props.dialog, move |dialog| {
            let Some(window) = window.cast::<HtmlDialogElement>() else { return };
            match dialog {
                // Shown already, when one window follows another.
                Some(_) if window.open() => {}
                Some(_) => {
                    let _ = window.show_modal();
                }
                None => window.close(),
            }
        });
    }
    let onclose = {
        let act = bus.act.clone();
        Callback::from(move |_: Event| act.emit(Act::Dialog(None)))
    };
    let close = {
        let act = bus.act.clone();
        Callback::from(move |_: MouseEvent| act.emit(Act::Dialog(None)))
    };
    let (title, body) = match props.dialog {
        None => ("", Html::default()),
        Some(Dialog::Share) => {
            ("Share this cluster", html! { <ShareForm share={props.share.clone()} /> })
        }
        Some(Dialog::Fidelity) => ("What is modelled", fidelity(&props.version)),
        Some(Dialog::Help) => ("Keys", html! { <Help /> }),
    };
    html! {
        <dialog ref={window} class="dialog" aria-labelledby="dialog-title" {onclose}>
            if props.dialog.is_some() {
                <h2 id="dialog-title">{ title }</h2>
                { body }
                <p class="row end"><button type="button" onclick={close}>{ "Close" }</button></p>
            }
        </dialog>
    }
}

fn fidelity(version: &str) -> Html {
    html! {
        <>
            <p>{ format!("Orrery is a simulation of Kubernetes {version}. It runs in this tab and talks to nobody.") }</p>
            <dl class="facts wide">
                <dt>{ "Modelled" }</dt>
                <dd>{ "the API with its defaults and its answers, the store with revisions and watches, the controllers, \
                       the scheduler, the kubelets, the proxies' packet rules, the cluster's DNS" }</dd>
                <dt>{ "Simplified" }</dt>
                <dd>{ "a container image is a behaviour: how long it starts, what it listens on, what it prints, when it \
                       ends; how long things take is drawn from a seeded stream" }</dd>
                <dt>{ "Absent" }</dt>
                <dd>{ "no container runs, and no packet leaves the tab" }</dd>
            </dl>
        </>
    }
}

/// The keys, and the switch that turns the single ones off.
#[component]
fn Help() -> Html {
    let on = use_state(keys::enabled);
    let onchange = {
        let on = on.clone();
        Callback::from(move |_: Event| {
            keys::set_enabled(!*on);
            on.set(!*on);
        })
    };
    html! {
        <>
            <p>{ "Single keys work while the stage or the timeline has the focus, and / wherever no text is typed." }</p>
            <dl class="facts">
                { for HELP.iter().map(|(key, text)| html! {
                    <><dt><kbd>{ *key }</kbd></dt><dd>{ *text }</dd></>
                }) }
            </dl>
            <label class="choice"><input type="checkbox" checked={*on} {onchange} />{ "Single keys are on" }</label>
        </>
    }
}
