//! The editor: YAML with line numbers, applied with a button or Ctrl-Enter.

use std::rc::Rc;

use protocol::{Command, Problem};
use web_sys::HtmlTextAreaElement;
use yew::prelude::*;

use crate::page::{Act, Applied, Bus};

/// The height of a line, as the style sheet has it.
const LINE_PX: i32 = 18;

/// Properties of [`Editor`].
#[derive(Clone, PartialEq, Properties)]
pub struct EditorProps {
    /// A text to take over; the number grows with each.
    pub draft: (u32, Rc<str>),
    /// What the last apply did.
    pub applied: Option<Rc<Applied>>,
}

/// The editor.
#[component]
pub fn Editor(props: &EditorProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let text = use_state(|| AttrValue::from(STARTER));
    let area = use_node_ref();
    let gutter = use_node_ref();
    {
        let text = text.setter();
        use_effect_with(props.draft.clone(), move |(count, draft)| {
            if *count > 0 {
                text.set(AttrValue::from(draft.to_string()));
            }
        });
    }
    let oninput = {
        let text = text.setter();
        Callback::from(move |event: InputEvent| {
            if let Some(area) = event.target_dyn_into::<HtmlTextAreaElement>() {
                text.set(area.value().into());
            }
        })
    };
    let onscroll = {
        let (area, gutter) = (area.clone(), gutter.clone());
        Callback::from(move |_: Event| {
            if let (Some(area), Some(gutter)) =
                (area.cast::<web_sys::Element>(), gutter.cast::<web_sys::Element>())
            {
                gutter.set_scroll_top(area.scroll_top());
            }
        })
    };
    let apply = {
        let (send, text) = (bus.send.clone(), text.clone());
        Callback::from(move |()| send.emit(Command::Apply { yaml: text.to_string() }))
    };
    let onkeydown = {
        let apply = apply.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
                event.prevent_default();
                apply.emit(());
            }
        })
    };
    {
        // The first wrong line comes into sight.
        let area = area.clone();
        use_effect_with(props.applied.clone(), move |applied| {
            let first =
                applied.as_ref().and_then(|applied| applied.problems.iter().find(|p| p.line > 0));
            if let (Some(problem), Some(area)) = (first, area.cast::<web_sys::Element>()) {
                area.set_scroll_top(LINE_PX * (problem.line as i32 - 3).max(0));
            }
        });
    }
    let problems: &[Problem] = props.applied.as_ref().map_or(&[], |applied| &applied.problems);
    let lines = text.lines().count().max(1) + usize::from(text.ends_with('\n'));
    let number = |line: usize| {
        let wrong = problems.iter().any(|p| p.line as usize == line);
        html! { <span key={line} class={classes!(wrong.then_some("wrong"))}>{ line }</span> }
    };
    html! {
        <div class="editor">
            <div class="code">
                <div class="gutter" ref={gutter} aria-hidden="true">{ for (1..=lines).map(number) }</div>
                <textarea ref={area.clone()} aria-label="YAML" spellcheck="false" autocomplete="off" wrap="off"
                    aria-describedby="apply-result" aria-invalid={(!problems.is_empty()).to_string()}
                    value={(*text).clone()} {oninput} {onscroll} {onkeydown} />
            </div>
            <div class="result">
                <p class="row">
                    <button type="button" class="primary" onclick={move |_: MouseEvent| apply.emit(())}>{ "Apply" }</button>
                    <span class="quiet">{ "Ctrl-Enter" }</span>
                </p>
                <div id="apply-result" role="status">
                    { props.applied.as_ref().map(|applied| result(applied, &bus, &area)).unwrap_or_default() }
                </div>
            </div>
        </div>
    }
}

fn result(applied: &Applied, bus: &Bus, area: &NodeRef) -> Html {
    html! {
        <ul class="plain">
            { for applied.problems.iter().map(|problem| html! {
                <li class="problem">{ place(problem, area) }{ &problem.message }</li>
            }) }
            { for applied.lines.iter().map(|line| html! {
                <li>{ match line.key.clone() {
                    Some(key) => {
                        let act = bus.act.clone();
                        let onclick = Callback::from(move |_: MouseEvent| act.emit(Act::Select(Some(key.clone()))));
                        html! { <button type="button" class="link" {onclick}>{ &line.text }</button> }
                    }
                    None => html! { &line.text },
                } }</li>
            }) }
        </ul>
    }
}

/// The place of a problem; a click puts the cursor there.
fn place(problem: &Problem, area: &NodeRef) -> Html {
    if problem.line == 0 {
        return Html::default();
    }
    let words = match problem.column {
        0 => format!("Line {}", problem.line),
        column => format!("Line {}, column {column}", problem.line),
    };
    let (area, line, column) = (area.clone(), problem.line, problem.column);
    let onclick = Callback::from(move |_: MouseEvent| {
        if let Some(area) = area.cast::<HtmlTextAreaElement>() {
            let at = offset(&area.value(), line, column);
            // Both fail only on an element that is not shown; the button is beside it.
            let _ = area.focus();
            let _ = area.set_selection_range(at, at + 1);
        }
    });
    html! { <><button type="button" class="link" {onclick}>{ words }</button>{ ": " }</> }
}

/// Counts from line and column to the place in the text, in UTF-16 units as the browser does.
fn offset(text: &str, line: u32, column: u32) -> u32 {
    let before = text.split('\n').take(line.saturating_sub(1) as usize);
    let start: usize = before.map(|line| line.encode_utf16().count() + 1).sum();
    start as u32 + column.saturating_sub(1)
}

/// What the editor holds at first.
const STARTER: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: hello
spec:
  replicas: 2
  selector:
    matchLabels:
      app: hello
  template:
    metadata:
      labels:
        app: hello
    spec:
      containers:
      - name: hello
        image: nginx:1.29
        ports:
        - containerPort: 80
";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, line: u32, column: u32, want: u32) {
        assert_eq!(offset(text, line, column), want);
    }

    #[test]
    fn places_are_counted_from_one() {
        check("ab\ncd", 1, 1, 0);
        check("ab\ncd", 2, 2, 4);
    }
    #[test]
    fn places_are_counted_as_the_browser_counts() {
        check("😀\nx", 2, 1, 3);
    }
    #[test]
    fn an_unknown_column_is_the_start_of_the_line() {
        check("ab\ncd", 2, 0, 3);
    }
}
