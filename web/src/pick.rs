//! A list to choose from whose choice always is what the page says it is.

use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// Properties of [`Pick`].
#[derive(Clone, PartialEq, Properties)]
pub struct PickProps {
    /// What is chosen for those who hear it; none where a label stands around.
    #[prop_or_default]
    pub label: Option<AttrValue>,
    /// An id, where other parts look for the list.
    #[prop_or_default]
    pub id: Option<AttrValue>,
    /// A class.
    #[prop_or_default]
    pub class: Classes,
    /// Values and the words for them.
    pub options: Vec<(AttrValue, AttrValue)>,
    /// The chosen value.
    pub value: AttrValue,
    /// Called with another value.
    pub onpick: Callback<String>,
    /// Nothing can be chosen now.
    #[prop_or_default]
    pub disabled: bool,
}

/// The list.
#[component]
pub fn Pick(props: &PickProps) -> Html {
    let list = use_node_ref();
    {
        // The attribute of an option only counts until somebody has chosen; the list's value
        // always does.
        let list = list.clone();
        use_effect_with((props.value.clone(), props.options.clone()), move |(value, _)| {
            if let Some(list) = list.cast::<HtmlSelectElement>() {
                list.set_value(value);
            }
        });
    }
    let onchange = {
        let onpick = props.onpick.clone();
        Callback::from(move |event: Event| {
            if let Some(list) = event.target_dyn_into::<HtmlSelectElement>() {
                onpick.emit(list.value());
            }
        })
    };
    html! {
        <select ref={list} id={props.id.clone()} class={props.class.clone()} {onchange}
            disabled={props.disabled} aria-label={props.label.clone()}>
            { for props.options.iter().map(|(value, words)| html! {
                <option key={value.to_string()} value={value.clone()}>{ words }</option>
            }) }
        </select>
    }
}
