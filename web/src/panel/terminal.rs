//! The terminal: command lines in, text out. Names in the text select their objects.

use std::rc::Rc;

use protocol::Command;
use web_sys::{Element, HtmlInputElement};
use yew::prelude::*;

use crate::page::{Act, Bus, Entry};
use crate::panel::dialogs::Copy;
use crate::words::Piece;

/// Properties of [`Terminal`].
#[derive(Clone, PartialEq, Properties)]
pub struct TerminalProps {
    /// Lines and answers, oldest first.
    pub entries: Rc<Vec<Rc<Entry>>>,
}

/// The terminal.
#[component]
pub fn Terminal(props: &TerminalProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let scroll = use_node_ref();
    let past = use_mut_ref(History::default);
    {
        let scroll = scroll.clone();
        use_effect_with(props.entries.clone(), move |_| {
            if let Some(element) = scroll.cast::<Element>() {
                element.set_scroll_top(element.scroll_height());
            }
        });
    }
    let running: Vec<u32> =
        props.entries.iter().filter(|entry| entry.code.is_none()).map(|entry| entry.id).collect();
    let interrupt_all = {
        let (send, running) = (bus.send.clone(), running.clone());
        move || running.iter().for_each(|&id| send.emit(Command::Interrupt { id }))
    };
    let interrupt = {
        let interrupt_all = interrupt_all.clone();
        Callback::from(move |_: MouseEvent| interrupt_all())
    };
    let clear = {
        let act = bus.act.clone();
        Callback::from(move |_: MouseEvent| act.emit(Act::ClearTerminal))
    };
    let onkeydown = Callback::from(move |event: KeyboardEvent| {
        let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
        let line = match event.key().as_str() {
            "Enter" => {
                let line = input.value().trim().to_owned();
                if line == "clear" {
                    bus.act.emit(Act::ClearTerminal);
                } else if !line.is_empty() {
                    bus.run.emit(line.clone());
                }
                past.borrow_mut().push(line);
                String::new()
            }
            "c" if event.ctrl_key() && input.value().is_empty() => {
                interrupt_all();
                String::new()
            }
            "ArrowUp" => past.borrow_mut().older(&input.value()),
            "ArrowDown" => past.borrow_mut().newer(),
            _ => return,
        };
        event.prevent_default();
        input.set_value(&line);
    });
    html! {
        <div class="terminal">
            <div class="scroll" ref={scroll} tabindex="0" role="region" aria-label="Terminal output">
                { for props.entries.iter().enumerate().map(|(i, entry)| html! {
                    <Answer key={i} entry={entry.clone()} />
                }) }
            </div>
            <div class="prompt">
                <span aria-hidden="true">{ "$" }</span>
                <label class="unseen" for="command">{ "Command line" }</label>
                <input id="command" type="text" autocomplete="off" autocapitalize="off" spellcheck="false"
                    placeholder="kubectl get pods -o wide" {onkeydown} />
                if !running.is_empty() {
                    <button type="button" onclick={interrupt}>{ "Stop" }</button>
                }
                if !props.entries.is_empty() {
                    <Copy text={transcript(&props.entries)} label="Copy" />
                    <button type="button" onclick={clear}>{ "Clear" }</button>
                }
            </div>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct AnswerProps {
    entry: Rc<Entry>,
}

/// A line with its answer.
#[component]
fn Answer(props: &AnswerProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let entry = &props.entry;
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => html! { text },
        Piece::Name(name, key) => {
            let (act, key) = (bus.act.clone(), key.clone());
            let onclick =
                Callback::from(move |_: MouseEvent| act.emit(Act::Select(Some(key.clone()))));
            html! { <button type="button" class="link" {onclick}>{ name }</button> }
        }
    };
    html! {
        <>
            <div class={classes!("typed", entry.echo.then_some("echo"))}>
                { if entry.echo { "# the same: " } else { "$ " } }{ &entry.line }
            </div>
            if !entry.output.is_empty() {
                <pre class={classes!(entry.code.is_some_and(|code| code != 0).then_some("failed"))}>
                    { for entry.output.iter().map(piece) }
                </pre>
            }
            if entry.code.is_none() {
                <div class="quiet">{ "runs, Ctrl-C ends it" }</div>
            }
        </>
    }
}

/// Everything that is on the screen, as text to copy.
fn transcript(entries: &[Rc<Entry>]) -> String {
    let mut text = String::new();
    for entry in entries.iter() {
        text.push_str(if entry.echo { "# " } else { "$ " });
        text.push_str(&entry.line);
        text.push('\n');
        for piece in &entry.output {
            text.push_str(match piece {
                Piece::Text(text) | Piece::Name(text, _) => text,
            });
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

/// What was typed before.
#[derive(Default)]
struct History {
    lines: Vec<String>,
    at: usize,
    unfinished: String,
}

impl History {
    fn push(&mut self, line: String) {
        if !line.is_empty() && self.lines.last() != Some(&line) {
            self.lines.push(line);
        }
        self.at = self.lines.len();
        self.unfinished.clear();
    }

    fn older(&mut self, now: &str) -> String {
        if self.at == self.lines.len() {
            self.unfinished = now.into();
        }
        self.at = self.at.saturating_sub(1);
        self.here()
    }

    fn newer(&mut self) -> String {
        self.at = (self.at + 1).min(self.lines.len());
        self.here()
    }

    fn here(&self) -> String {
        self.lines.get(self.at).cloned().unwrap_or_else(|| self.unfinished.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_reads_like_the_screen() {
        let entry = |echo: bool, line: &str, output: Vec<Piece>| {
            Rc::new(Entry { id: 1, line: line.into(), echo, output, code: Some(0) })
        };
        let name = Piece::Name("web-1".into(), "pod/default/web-1".into());
        let pieces = vec![Piece::Text("pod \"".into()), name, Piece::Text("\" deleted\n".into())];
        let entries = [
            entry(false, "kubectl delete pod web-1", pieces),
            entry(true, "kubectl get pods", vec![]),
        ];
        let want = "$ kubectl delete pod web-1\npod \"web-1\" deleted\n# kubectl get pods\n";
        assert_eq!(transcript(&entries), want);
    }

    #[test]
    fn arrows_walk_the_history_and_return_to_what_was_typed() {
        let mut past = History::default();
        past.push("a".into());
        past.push("b".into());
        past.push("b".into());
        assert_eq!(past.older("dra"), "b");
        assert_eq!(past.older("b"), "a");
        assert_eq!(past.older("a"), "a");
        assert_eq!(past.newer(), "b");
        assert_eq!(past.newer(), "dra");
        assert_eq!(past.newer(), "dra");
    }
}
