//! The screen for a model that stopped: what it said, and how to repeat the run.

use yew::prelude::*;

use crate::page::{Bus, Phase};
use crate::panel::dialogs::copy;

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
            let report = format!("build {}\nseed {seed}\n{message}\n\n{log}", protocol::BUILD);
            let onclick = {
                let report = report.clone();
                Callback::from(move |_: MouseEvent| copy(&report))
            };
            html! {
                <main><section class="crash" role="alertdialog" aria-labelledby="crash-title">
                    <h1 id="crash-title">{ "The model stopped" }</h1>
                    <p>{ "It broke one of its own rules and shows nothing rather than something wrong. \
                          The seed and the list of what was done repeat the run exactly." }</p>
                    <p>{ "Seed " }<code>{ seed }</code></p>
                    <label for="crash-log">{ "What it said, and what was done" }</label>
                    <textarea id="crash-log" readonly=true rows="12" value={report} />
                    <p class="row">
                        <button type="button" {onclick}>{ "Copy" }</button>
                        <button type="button" class="primary" onclick={restart}>{ "Start again" }</button>
                    </p>
                </section></main>
            }
        }
    }
}
