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

/// The shape, drawn around (0, 0) with a radius of 6: one path, so that a change of status changes
/// two
/// attributes and no element.
pub fn shape(mark: Mark) -> Html {
    if mark == Mark::Plain {
        return Html::default();
    }
    html! { <path class={classes!("mark", class(mark))} d={outline(mark)} /> }
}

/// The path of a mark. Filled ones count overlaps (even-odd); the others are strokes.
fn outline(mark: Mark) -> &'static str {
    match mark {
        Mark::Ready => "M-5.5 0A5.5 5.5 0 1 0 5.5 0 5.5 5.5 0 1 0-5.5 0Z",
        Mark::NotReady => {
            "M-5.8 0A5.8 5.8 0 1 0 5.8 0 5.8 5.8 0 1 0-5.8 0ZM-4.2 0A4.2 4.2 0 1 0 4.2 0 4.2 4.2 0 1 0-4.2 0Z\
             M0-4.2A4.2 4.2 0 0 1 0 4.2Z"
        }
        Mark::Creating => {
            "M-5.8 0A5.8 5.8 0 1 0 5.8 0 5.8 5.8 0 1 0-5.8 0ZM-4.2 0A4.2 4.2 0 1 0 4.2 0 4.2 4.2 0 1 0-4.2 0Z\
             M0 0V-4.2A4.2 4.2 0 0 1 4.2 0Z"
        }
        Mark::Pending => "M-5 0A5 5 0 1 0 5 0 5 5 0 1 0-5 0Z",
        Mark::CrashLoop => "M0-6 6.2 5H-6.2Z",
        Mark::Terminating => "M-5 0A5 5 0 1 0 5 0 5 5 0 1 0-5 0ZM-4 2 2-4M-2.5 4.3 4.3-2.5",
        Mark::Succeeded => "M-5-5H5V5H-5Z",
        Mark::Failed => {
            "M-5.5-3.5-3.5-5.5 0-2 3.5-5.5 5.5-3.5 2 0 5.5 3.5 3.5 5.5 0 2-3.5 5.5-5.5 3.5-2 0Z"
        }
        Mark::Unknown => "M-3-2.5C-3-6.5 3-6.5 3-2.5 3 0 0 0 0 2.6M0 5.2V5.3",
        Mark::Off => "M-5 0A5 5 0 1 0 5 0 5 5 0 1 0-5 0ZM-3.5 3.5 3.5-3.5",
        Mark::Plain => "",
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
