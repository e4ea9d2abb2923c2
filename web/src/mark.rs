//! The status marks: one shape per status, told apart without colour.

use protocol::Mark;
use yew::prelude::*;

/// The class that colours a mark and whatever it stands in.
pub fn class(mark: Mark) -> &'static str {
    match mark {
        Mark::Ready => "is-ready",
        Mark::NotReady => "is-notready",
        Mark::Pending => "is-pending",
        Mark::Creating => "is-creating",
        Mark::CrashLoop => "is-crash",
        Mark::Terminating => "is-terminating",
        Mark::Succeeded => "is-succeeded",
        Mark::Failed => "is-failed",
        Mark::Unknown => "is-unknown",
        Mark::Off => "is-off",
        Mark::Plain => "is-plain",
    }
}

/// The shape, drawn around (0, 0) with a radius of 6.
pub fn shape(mark: Mark) -> Html {
    let class = classes!("mark", class(mark));
    match mark {
        Mark::Ready => html! { <circle {class} r="5.5" /> },
        Mark::NotReady => html! {
            <g {class}><circle class="hollow" r="5" /><path d="M0-5A5 5 0 0 1 0 5Z" /></g>
        },
        Mark::Pending => html! {
            <g {class}><circle class="hollow" r="5" stroke-dasharray="2.6 2.6" /></g>
        },
        Mark::Creating => html! {
            <g {class}><circle class="hollow" r="5" /><path d="M0 0V-5A5 5 0 0 1 5 0Z" /></g>
        },
        Mark::CrashLoop => html! { <path {class} d="M0-6 6.2 5H-6.2Z" /> },
        Mark::Terminating => html! {
            <g {class}>
                <circle class="hollow" r="5" /><path class="hollow" d="M-4 2 2-4M-2.5 4.3 4.3-2.5" />
            </g>
        },
        Mark::Succeeded => html! { <rect {class} x="-5" y="-5" width="10" height="10" /> },
        Mark::Failed => html! {
            <path {class} d="M-5.5-3.5-3.5-5.5 0-2 3.5-5.5 5.5-3.5 2 0 5.5 3.5 3.5 5.5 0 2-3.5 5.5-5.5 3.5-2 0Z" />
        },
        Mark::Unknown => html! {
            <g {class}>
                <path class="hollow" d="M-3-2.5C-3-6.5 3-6.5 3-2.5 3 0 0 0 0 2.6" /><circle cy="5.2" r="1.2" />
            </g>
        },
        Mark::Off => html! {
            <g {class}><circle class="hollow" r="5" /><path class="hollow" d="M-3.5 3.5 3.5-3.5" /></g>
        },
        Mark::Plain => Html::default(),
    }
}

/// Properties of [`Symbol`].
#[derive(Clone, PartialEq, Properties)]
pub struct SymbolProps {
    /// Which mark.
    pub mark: Mark,
}

/// A mark in a line of text.
#[component]
pub fn Symbol(props: &SymbolProps) -> Html {
    if props.mark == Mark::Plain {
        return Html::default();
    }
    html! {
        <svg class="symbol" viewBox="-7 -7 14 14" width="14" height="14" aria-hidden="true">
            { shape(props.mark) }
        </svg>
    }
}
