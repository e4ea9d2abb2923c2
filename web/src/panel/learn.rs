//! Learn: the cards of lessons, and the lesson that runs.

use std::rc::Rc;

use protocol::{Block, Command, LessonCard, LessonCommand, LessonState, Quiz, Span, StepState};
use yew::prelude::*;

use crate::mark::Symbol;
use crate::page::Bus;
use crate::panel::dialogs::copy;

/// Properties of [`Learn`].
#[derive(Clone, PartialEq, Properties)]
pub struct LearnProps {
    /// The lessons there are.
    pub lessons: Rc<Vec<LessonCard>>,
    /// The one that runs.
    pub lesson: Option<Rc<LessonState>>,
}

/// The panel.
#[component]
pub fn Learn(props: &LearnProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    match &props.lesson {
        Some(lesson) => html! { <Lesson lesson={lesson.clone()} /> },
        None => html! {
            <div class="learn">
                <h2>{ "Lessons" }</h2>
                <ul class="plain cards">{ for props.lessons.iter().map(|card| lesson_card(card, &bus)) }</ul>
            </div>
        },
    }
}

fn tell(bus: &Bus, command: LessonCommand) -> Callback<MouseEvent> {
    let send = bus.send.clone();
    Callback::from(move |_| send.emit(Command::Lesson(command.clone())))
}

fn lesson_card(card: &LessonCard, bus: &Bus) -> Html {
    html! {
        <li>
            <h3>{ &card.title }</h3>
            <p class="quiet">{ format!("{} minutes, {}", card.minutes, card.concepts.join(", ")) }</p>
            <p><button type="button" class="primary" onclick={tell(bus, LessonCommand::Start(card.name.clone()))}>
                { "Start" }<span class="unseen">{ format!(" {}", card.title) }</span>
            </button></p>
        </li>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct LessonProps {
    lesson: Rc<LessonState>,
}

/// The lesson that runs: the open step at full length, the finished ones by name.
#[component]
fn Lesson(props: &LessonProps) -> Html {
    let bus = use_context::<Bus>().expect("the app provides the bus");
    let lesson = &props.lesson;
    let step = lesson.steps.get(lesson.at as usize);
    let last = lesson.at + 1 >= lesson.count;
    html! {
        <div class="learn">
            <h2>{ &lesson.card.title }</h2>
            <p class="quiet">{ format!("Step {} of {}", lesson.at + 1, lesson.count) }</p>
            { step.map(|step| open_step(step, &bus)).unwrap_or_default() }
            if lesson.done {
                <p class="done"><Symbol mark={protocol::Mark::Ready} />{ "The lesson is done." }</p>
            }
            <p class="row">
                if !last {
                    <button type="button" class="primary" disabled={!step.is_some_and(|s| s.done)}
                        onclick={tell(&bus, LessonCommand::Next)}>{ "Next step" }</button>
                }
                <button type="button" onclick={tell(&bus, LessonCommand::Leave)}>{ "Leave the lesson" }</button>
            </p>
        </div>
    }
}

fn open_step(step: &StepState, bus: &Bus) -> Html {
    html! {
        <>
            { for step.text.iter().map(|block| prose(block, bus)) }
            if !step.checks.is_empty() {
                <ul class="plain checks" aria-label="Checks">
                    { for step.checks.iter().map(|check| html! {
                        <li>
                            <Symbol mark={if check.done { protocol::Mark::Ready } else { protocol::Mark::Pending }} />
                            <span>
                                { &check.text }
                                <span class="quiet">{ if check.done { " done".into() } else { format!(" {}", check.why) } }</span>
                            </span>
                        </li>
                    }) }
                </ul>
            }
            { for step.hints.iter().map(|hint| html! { <p class="hint"><strong>{ "Hint: " }</strong>{ hint }</p> }) }
            { step.quiz.as_ref().map(|quiz| question(quiz, bus)).unwrap_or_default() }
            if !step.solution.is_empty() && !step.done {
                <details>
                    <summary>{ "Show the solution" }</summary>
                    { for step.solution.iter().map(|line| html! { <p>{ span(&Span::Run(line.clone()), bus) }</p> }) }
                </details>
            }
        </>
    }
}

fn question(quiz: &Quiz, bus: &Bus) -> Html {
    html! {
        <fieldset>
            <legend>{ &quiz.ask }</legend>
            { for quiz.options.iter().enumerate().map(|(i, option)| {
                let chosen = quiz.answered.filter(|(at, _)| *at as usize == i);
                let verdict = match chosen {
                    Some((_, true)) => " right",
                    Some((_, false)) => " not this one",
                    None => "",
                };
                html! {
                    <p><button type="button" aria-pressed={chosen.is_some().to_string()}
                        onclick={tell(bus, LessonCommand::Answer(i as u32))}>{ option }{ verdict }</button></p>
                }
            }) }
        </fieldset>
    }
}

fn prose(block: &Block, bus: &Bus) -> Html {
    let line = |spans: &Vec<Span>| html! { <>{ for spans.iter().map(|s| span(s, bus)) }</> };
    match block {
        Block::Heading(text) => html! { <h3>{ text }</h3> },
        Block::Paragraph(spans) => html! { <p>{ line(spans) }</p> },
        Block::List(items) => {
            html! { <ul>{ for items.iter().map(|item| html! { <li>{ line(item) }</li> }) }</ul> }
        }
        Block::Code(text) => html! { <pre>{ text }</pre> },
    }
}

fn span(span: &Span, bus: &Bus) -> Html {
    match span {
        Span::Text(text) => html! { text },
        Span::Strong(text) => html! { <strong>{ text }</strong> },
        Span::Code(text) => html! { <code>{ text }</code> },
        Span::Run(line) => {
            let (run, text) = (bus.run.clone(), line.clone());
            let onclick = Callback::from(move |_: MouseEvent| run.emit(text.clone()));
            html! { <button type="button" class="command" title="Runs in the terminal" {onclick}><code>{ line }</code></button> }
        }
        Span::Copy(text) => {
            let copied = text.clone();
            let onclick = Callback::from(move |_: MouseEvent| copy(&copied));
            html! { <button type="button" class="command" title="Copies the text" {onclick}><code>{ text }</code></button> }
        }
    }
}
