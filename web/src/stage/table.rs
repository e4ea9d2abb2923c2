//! The diagram in words: one sentence that sums it up, and a table with a row for each item. Both are made from
//! what is drawn, so they never tell anything else.

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::{Item, Key, Kind};
use yew::prelude::*;

use crate::layout::{Place, Scene, Shape};
use crate::mark::Symbol;
use crate::words::{kind, kinds, status};

/// Properties of [`Table`].
#[derive(Clone, PartialEq, Properties)]
pub struct TableProps {
    /// What would be drawn.
    pub scene: Rc<Scene>,
    /// The name of the diagram.
    pub title: AttrValue,
    /// The selected object.
    pub selected: Option<Key>,
    /// Called when an item is clicked.
    pub select: Callback<Key>,
}

/// The table.
#[component]
pub fn Table(props: &TableProps) -> Html {
    let head = ["What", "Name", "Status", "In", "More"];
    let rows = props.scene.places.iter().map(|place| row(place, props));
    html! {
        <div class="scroll astable" tabindex="0" role="region" aria-label="Table">
            <table>
                <caption>{ format!("{}. {}", props.title, summary(&props.scene.places)) }</caption>
                <thead><tr>{ for head.iter().map(|word| html! { <th scope="col">{ *word }</th> }) }</tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}

fn row(place: &Place, props: &TableProps) -> Html {
    let item = &place.item;
    let onclick = {
        let (select, key) = (props.select.clone(), item.key.clone());
        Callback::from(move |_: MouseEvent| select.emit(key.clone()))
    };
    let holder = item.parent.as_deref().and_then(|key| props.scene.place(key));
    let facts: Vec<String> =
        item.facts.iter().map(|fact| format!("{} {}", fact.name, fact.value)).collect();
    let chosen = props.selected.as_deref() == Some(item.key.as_str());
    let name = match place.shape {
        Shape::Line => html! { <code>{ &item.label }</code> },
        _ => html! { <button type="button" class="link" {onclick}>{ &item.name }</button> },
    };
    html! {
        <tr key={item.key.clone()} class={classes!(chosen.then_some("chosen"))}>
            <td>{ kind(item.kind) }</td>
            <th scope="row">{ name }</th>
            <td><Symbol mark={item.state.mark} />{ " " }{ status(&item.state) }</td>
            <td>{ holder.map(|place| place.item.name.clone()).unwrap_or_default() }</td>
            <td>{ facts.join(", ") }</td>
        </tr>
    }
}

/// What is on the stage, in a sentence for each kind of which there are several.
pub fn summary(places: &[Place]) -> String {
    let mut order: Vec<Kind> = Vec::new();
    let mut groups: BTreeMap<Kind, BTreeMap<String, usize>> = BTreeMap::new();
    for item in places.iter().map(|place| &place.item).filter(|item| counts(item)) {
        if !order.contains(&item.kind) {
            order.push(item.kind);
        }
        *groups.entry(item.kind).or_default().entry(status(&item.state)).or_default() += 1;
    }
    let sentences = order.iter().map(|kind| {
        let statuses = &groups[kind];
        let all = statuses.values().sum::<usize>();
        let words: Vec<String> = match statuses.len() {
            1 => statuses.keys().filter(|word| !word.is_empty()).cloned().collect(),
            _ => statuses.iter().map(|(word, n)| format!("{n} {word}")).collect(),
        };
        if all == 1 && words.is_empty() {
            return String::new();
        }
        let number =
            if all == 1 { kinds(*kind).0.to_owned() } else { format!("{all} {}", kinds(*kind).1) };
        let colon = if words.is_empty() { "" } else { ": " };
        format!("{number}{colon}{}.", words.join(", "))
    });
    sentences.filter(|sentence| !sentence.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Lanes and rules are not things of which there are some.
fn counts(item: &Item) -> bool {
    !matches!(item.kind, Kind::Waiting | Kind::Rule | Kind::More)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::tests::item;
    use protocol::{Mark, State};

    fn check(items: &[(&str, Kind, &str)], want: &str) {
        let place = |(key, kind, word): &(&str, Kind, &str)| {
            let state = State { mark: Mark::Ready, word: (*word).into(), note: String::new() };
            let item = Rc::new(Item { state, ..item(key, *kind, None) });
            Place { item, shape: Shape::Strip, x: 0.0, y: 0.0, w: 1.0, h: 1.0 }
        };
        assert_eq!(summary(&items.iter().map(place).collect::<Vec<_>>()), want);
    }

    #[test]
    fn equal_statuses_are_said_once_and_others_counted() {
        check(
            &[
                ("part/etcd", Kind::Etcd, "running"),
                ("node/a", Kind::Node, "Ready"),
                ("node/b", Kind::Node, "Ready"),
                ("pod/a/p", Kind::Pod, "Running"),
                ("pod/a/q", Kind::Pod, "Pending"),
            ],
            "etcd: running. 2 nodes: Ready. 2 pods: 1 Pending, 1 Running.",
        );
    }
    #[test]
    fn an_empty_stage_has_nothing_to_say() {
        check(&[], "");
        check(&[("lane/waiting", Kind::Waiting, "none")], "");
    }
}
