//! The keys of the stage and the timeline. They work only while one of the two has the focus.

use protocol::Clock;
use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent};

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Up.
    Up,
    /// Down.
    Down,
}

/// A hand on the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Play, or pause.
    Toggle,
    /// One event.
    Step,
}

impl Hand {
    /// The command it means.
    pub fn clock(self, playing: bool) -> Clock {
        match self {
            Hand::Toggle if playing => Clock::Pause,
            Hand::Toggle => Clock::Play,
            Hand::Step => Clock::Step,
        }
    }
}

/// What a key means on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageKey {
    /// To the neighbour.
    Go(Move),
    /// To what it sits in.
    Owner,
    /// To the first that sits in it.
    Child,
    /// Read about it.
    Inspect,
    /// Read no more.
    Close,
    /// The menu of faults.
    Break,
    /// Requests.
    Trace,
    /// The outline.
    Find,
    /// The keys.
    Help,
    /// A diagram, from 0.
    Diagram(usize),
    /// Time.
    Time(Hand),
    /// Faster (1) or slower (-1).
    Speed(i32),
}

/// What a key press means; none for keys that belong to the browser.
pub fn stage_key(event: &KeyboardEvent) -> Option<StageKey> {
    if event.ctrl_key() || event.meta_key() || event.alt_key() {
        return None;
    }
    let key = event.key();
    let single = key.chars().count() == 1 && key != " ";
    if single && !enabled() {
        return None;
    }
    meaning(&key)
}

/// Whether a key press asks for the terminal: a slash, wherever no text is typed.
pub fn wants_terminal(event: &KeyboardEvent) -> bool {
    let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let busy = |element: Element| {
        matches!(&*element.tag_name(), "INPUT" | "TEXTAREA" | "SELECT")
            || element.closest("dialog").is_ok_and(|dialog| dialog.is_some())
    };
    plain && event.key() == "/" && !target.is_some_and(busy) && enabled()
}

const SETTING: &str = "single-keys";

/// Whether keys without Ctrl or Alt mean something. Who speaks to the computer may not want that.
pub fn enabled() -> bool {
    // A browser that keeps nothing has nothing to tell.
    storage().and_then(|s| s.get_item(SETTING).ok().flatten()).as_deref() != Some("off")
}

/// Turns them on or off, and keeps the choice in the browser.
pub fn set_enabled(on: bool) {
    if let Some(storage) = storage() {
        // A full or forbidden store only forgets the choice.
        let _ = storage.set_item(SETTING, if on { "on" } else { "off" });
    }
}

fn storage() -> Option<web_sys::Storage> {
    web_sys::window().and_then(|window| window.local_storage().ok().flatten())
}

fn meaning(key: &str) -> Option<StageKey> {
    Some(match key {
        "ArrowLeft" => StageKey::Go(Move::Left),
        "ArrowRight" => StageKey::Go(Move::Right),
        "ArrowUp" => StageKey::Go(Move::Up),
        "ArrowDown" => StageKey::Go(Move::Down),
        "o" => StageKey::Owner,
        "i" => StageKey::Child,
        "Enter" => StageKey::Inspect,
        "Escape" => StageKey::Close,
        "b" => StageKey::Break,
        "t" => StageKey::Trace,
        "f" => StageKey::Find,
        "?" => StageKey::Help,
        " " => StageKey::Time(Hand::Toggle),
        "." => StageKey::Time(Hand::Step),
        "[" => StageKey::Speed(-1),
        "]" => StageKey::Speed(1),
        _ => {
            let digit = key.parse::<usize>().ok().filter(|n| (1..=9).contains(n))?;
            StageKey::Diagram(digit - 1)
        }
    })
}

/// The keys and what they do, for the help.
pub const HELP: [(&str, &str); 15] = [
    ("Space", "play or pause"),
    (".", "one event"),
    ("[  ]", "slower, faster"),
    ("Arrows", "to the neighbour"),
    ("o  i", "to what it sits in, into it"),
    ("Enter", "read about it"),
    ("Esc", "close"),
    ("b", "break something"),
    ("t", "requests"),
    ("/", "the terminal"),
    ("f", "the outline"),
    ("1 to 9", "diagrams"),
    ("?", "this list"),
    ("Ctrl-`", "the terminal, from anywhere"),
    ("Ctrl-Enter", "apply, in the editor"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, want: Option<StageKey>) {
        assert_eq!(meaning(key), want, "{key}");
    }

    #[test]
    fn digits_choose_diagrams() {
        check("1", Some(StageKey::Diagram(0)));
        check("9", Some(StageKey::Diagram(8)));
        check("0", None);
    }
    #[test]
    fn space_and_dot_move_time() {
        check(" ", Some(StageKey::Time(Hand::Toggle)));
        check(".", Some(StageKey::Time(Hand::Step)));
        assert_eq!(Hand::Toggle.clock(true), Clock::Pause);
        assert_eq!(Hand::Toggle.clock(false), Clock::Play);
    }
    #[test]
    fn tab_stays_with_the_browser() {
        check("Tab", None);
        check("F5", None);
    }
}
