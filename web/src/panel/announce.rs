//! Tells a screen reader what happens, politely: at most one message in a second and a half.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use gloo_timers::callback::Interval;
use protocol::LogLine;
use yew::prelude::*;

/// No message comes sooner after the one before.
const PAUSE_MS: f64 = 1500.0;
const LOOK_MS: u32 = 250;
const LINES_MAX: usize = 20;

/// Properties of [`Announce`].
#[derive(Clone, PartialEq, Properties)]
pub struct AnnounceProps {
    /// What happened, oldest first.
    pub log: Rc<VecDeque<LogLine>>,
    /// How many lines there ever were.
    pub logged: u32,
}

/// The live region.
#[component]
pub fn Announce(props: &AnnounceProps) -> Html {
    let said = use_state(Vec::<(u32, String)>::new);
    let heard = use_mut_ref(|| (0_u32, props.clone()));
    heard.borrow_mut().1 = props.clone();
    let told = use_memo((), |()| Cell::new(f64::NEG_INFINITY));
    {
        // Counted from when it stands on the page, which on a busy one is later than when it was made.
        let told = told.clone();
        let newest = said.last().map(|(id, _)| *id);
        use_effect_with(newest, move |_| told.set(now_ms()));
    }
    {
        let (said, heard) = (said.clone(), heard.clone());
        let lines = use_mut_ref(Vec::<(u32, String)>::new);
        use_effect_with((), move |()| {
            let timer = Interval::new(LOOK_MS, move || {
                if now_ms() - told.get() < PAUSE_MS {
                    return;
                }
                let mut heard = heard.borrow_mut();
                let (from, now) = (heard.0, heard.1.logged);
                if let Some(text) = message(&heard.1.log, now - from) {
                    let mut lines = lines.borrow_mut();
                    lines.push((now, text));
                    if lines.len() > LINES_MAX {
                        lines.remove(0);
                    }
                    said.set(lines.clone());
                }
                heard.0 = now;
            });
            move || drop(timer)
        });
    }
    html! {
        <div class="unseen" role="log" aria-live="polite" aria-label="What happens">
            { for said.iter().map(|(id, text)| html! { <p key={*id}>{ text }</p> }) }
        </div>
    }
}

fn now_ms() -> f64 {
    let performance = web_sys::window().and_then(|window| window.performance());
    performance.map_or(0.0, |performance| performance.now())
}

/// One message for the newest lines: a warning first, else the last; the others are counted.
fn message(log: &VecDeque<LogLine>, new: u32) -> Option<String> {
    if new == 0 {
        return None;
    }
    let fresh = || log.iter().rev().take(new as usize);
    let line = fresh().find(|line| line.warning).or_else(|| fresh().next())?;
    Some(match new {
        1 => line.text.clone(),
        more => format!("{}, and {} more", line.text, more - 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], new: u32, want: Option<&str>) {
        let log = lines.iter().map(|text| LogLine {
            at: 0,
            text: text.trim_start_matches('!').into(),
            about: None,
            warning: text.starts_with('!'),
        });
        assert_eq!(message(&log.collect(), new).as_deref(), want);
    }

    #[test]
    fn nothing_new_is_nothing_said() {
        check(&["a"], 0, None);
    }
    #[test]
    fn many_lines_become_one_message() {
        check(&["a", "b", "c"], 2, Some("c, and 1 more"));
    }
    #[test]
    fn a_warning_goes_first() {
        check(&["a", "!b", "c"], 3, Some("b, and 2 more"));
    }
}
