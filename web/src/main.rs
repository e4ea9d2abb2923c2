//! The page: draws what the worker sends, and asks the worker for what a person does.
//!
//! It holds no Kubernetes logic. State is in [`page`], one view's items in [`board`], their places
//! in
//! [`layout`] (pure, tested natively), and everything a person sees in [`stage`] and [`panel`].

mod app;
mod board;
mod diagrams;
mod keys;
mod layout;
mod link;
mod mark;
mod page;
mod panel;
mod pick;
mod stage;
mod theme;
mod timeline;
mod words;

fn main() {
    theme::show(theme::current());
    yew::Renderer::<app::App>::new().render();
}
