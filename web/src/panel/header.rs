//! The header: what this is, where to go, break, share, theme.

use std::rc::Rc;

use protocol::Key;
use yew::prelude::*;

use crate::board::Board;
use crate::page::{Act, Bus, Dialog, Rail};
use crate::panel::faults::Faults;
use crate::panel::share::ask;
use crate::theme;

/// Properties of [`Header`].
#[derive(Clone, PartialEq, Properties)]
pub struct HeaderProps {
    /// The version that is modelled.
    pub version: AttrValue,
    /// The tab of the rail.
    pub rail: Rail,
    /// The cluster.
    pub board: Rc<Board>,
    /// The selected object.
    pub selected: Option<Key>,
}

/// The header.
#[component]
pub fn Header(props: &HeaderProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let theme = use_state(theme::current);
    let rail = |rail: Rail, title: &'static str| {
        let act = bus.act.clone();
        let onclick = Callback::from(move |_: MouseEvent| act.emit(Act::Rail(rail)));
        let chosen = rail == props.rail;
        html! {
            <button type="button" class={classes!("tab", chosen.then_some("chosen"))} {onclick}
                aria-pressed={chosen.to_string()}>{ title }</button>
        }
    };
    let dialog = |dialog: Dialog| {
        let act = bus.act.clone();
        Callback::from(move |_: MouseEvent| act.emit(Act::Dialog(Some(dialog))))
    };
    let share = {
        let bus = bus.clone();
        Callback::from(move |_: MouseEvent| ask(&bus, false))
    };
    let toggle = {
        let theme = theme.clone();
        Callback::from(move |_: MouseEvent| {
            let next = theme.other();
            theme::set(next);
            theme.set(next);
        })
    };
    html! {
        <header class="top">
            <h1>
                <svg viewBox="-10 -10 20 20" width="20" height="20" aria-hidden="true" class="logo">
                    <circle r="3" /><circle class="orbit" r="8" /><circle cx="5.7" cy="-5.7" r="2" />
                </svg>
                { "Orrery" }
            </h1>
            <nav class="tabs" aria-label="Screens">
                { rail(Rail::Outline, "Play") }
                { rail(Rail::Learn, "Learn") }
            </nav>
            <button type="button" class="quietbutton" onclick={dialog(Dialog::Fidelity)}>
                <span class="long">{ format!("A simulation of Kubernetes {}", props.version) }</span>
                <span class="short">{ "Simulation" }</span>
            </button>
            <span class="space"></span>
            <Faults board={props.board.clone()} selected={props.selected.clone()} />
            <button type="button" onclick={share}>{ "Share" }</button>
            <button type="button" onclick={toggle}>{ theme.other().words() }</button>
            <button type="button" onclick={dialog(Dialog::Help)}>{ "Keys" }</button>
        </header>
    }
}
