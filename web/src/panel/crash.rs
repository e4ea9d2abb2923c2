//! The screen for a model that stopped: what it said, and how to repeat the run.

use yew::prelude::*;

use crate::page::{Bus, Phase};
use crate::panel::dialogs::Copy;

/// Properties of [`Crash`].
#[derive(Clone, PartialEq, Properties)]
pub struct CrashProps {
    /// How the page stands with its worker.
    pub phase: Phase,
}

/// Covers the page while there is no model to show.
#[component]
pub fn Crash(props: &CrashProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let restart = Callback::from(move |_: MouseEvent| bus.restart.emit(()));
    match &props.phase {
        Phase::Starting | Phase::Running => Html::default(),
        Phase::Lost(why) => html! {
            <main><section class="crash" role="alertdialog" aria-labelledby="crash-title">
                <h1 id="crash-title">{ "The model is not there" }</h1>
                <p>{ why }</p>
                <p><button type="button" class="primary" onclick={restart}>{ "Try again" }</button></p>
            </section></main>
        },
        Phase::Crashed { message, seed, log } => {
            html! {
                <main><section class="crash" role="alertdialog" aria-labelledby="crash-title">
                    <h1 id="crash-title">{ "The model stopped" }</h1>
                    <p>{ "It broke one of its own rules and shows nothing rather than something wrong." }</p>
                    <pre class="said">{ message }</pre>
                    <p>{ "The seed was " }<code>{ seed }</code>
                        { ". The report below repeats the run exactly: save it to a file and run " }
                        <code>{ "orrery run --replay FILE" }</code>{ "." }</p>
                    <label for="crash-log">{ "Report: the seed, the scenario and everything that was done" }</label>
                    <textarea id="crash-log" readonly=true rows="12" wrap="off" value={log.clone()} />
                    <p class="row">
                        <Copy text={log.clone()} label="Copy the report" />
                        <button type="button" class="primary" onclick={restart}>{ "Start again" }</button>
                    </p>
                </section></main>
            }
        }
    }
}
