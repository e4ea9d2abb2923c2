//! Light and dark. The browser's wish counts until somebody chooses; the choice is kept in the
//! browser.

/// A theme of `tokens.css`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark words on light ground.
    Light,
    /// Light words on dark ground.
    Dark,
}

impl Theme {
    /// The other one.
    pub fn other(self) -> Theme {
        match self {
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Light,
        }
    }

    /// The words of its button.
    pub fn words(self) -> &'static str {
        match self {
            Theme::Light => "Light",
            Theme::Dark => "Dark",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// The theme that was chosen, else the one the browser asks for.
pub fn current() -> Theme {
    let Some(window) = web_sys::window() else { return Theme::Light };
    // A browser that keeps nothing has nothing to tell.
    let kept =
        window.local_storage().ok().flatten().and_then(|s| s.get_item("theme").ok().flatten());
    match kept.as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => {
            let dark = window.match_media("(prefers-color-scheme: dark)").ok().flatten();
            if dark.is_some_and(|query| query.matches()) { Theme::Dark } else { Theme::Light }
        }
    }
}

/// Shows a theme.
pub fn show(theme: Theme) {
    let document = web_sys::window().and_then(|window| window.document());
    if let Some(root) = document.and_then(|document| document.document_element()) {
        // The attribute's name and value are always valid.
        let _ = root.set_attribute("data-theme", theme.name());
    }
}

/// Shows a theme and keeps it.
pub fn set(theme: Theme) {
    show(theme);
    let storage = web_sys::window().and_then(|window| window.local_storage().ok().flatten());
    if let Some(storage) = storage {
        // A full or forbidden store only forgets the choice.
        let _ = storage.set_item("theme", theme.name());
    }
}
