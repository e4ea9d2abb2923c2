//! The dock below the stage: terminal, editor, traffic.

use yew::prelude::*;

use crate::page::{Act, Bus, Dock};

/// Properties of [`DockPanel`].
#[derive(Clone, PartialEq, Properties)]
pub struct DockProps {
    /// The open tab.
    pub dock: Dock,
    /// The terminal, the editor and the traffic panel, in this order.
    pub children: Children,
}

/// Three tabs. A closed panel stays in the page, so that no text in it is lost.
#[component]
pub fn DockPanel(props: &DockProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let tabs = [
        (Dock::Terminal, "dock-terminal", "Terminal"),
        (Dock::Editor, "dock-editor", "Editor"),
        (Dock::Traffic, "dock-traffic", "Traffic"),
    ];
    let tab = |(dock, id, title): (Dock, &str, &'static str)| {
        let act = bus.act.clone();
        let onclick = Callback::from(move |_: MouseEvent| act.emit(Act::Dock(dock)));
        let chosen = dock == props.dock;
        html! {
            <button type="button" class={classes!("tab", chosen.then_some("chosen"))} {onclick}
                aria-pressed={chosen.to_string()} aria-controls={id.to_owned()}>{ title }</button>
        }
    };
    html! {
        <section class="dock" aria-label="Dock">
            <div class="toolbar"><div class="tabs" role="group" aria-label="Dock tabs">{ for tabs.map(tab) }</div></div>
            { for tabs.iter().zip(props.children.iter()).map(|((dock, id, _), child)| html! {
                <div key={*id} id={*id} class="dockbody" hidden={*dock != props.dock}>{ child }</div>
            }) }
        </section>
    }
}
