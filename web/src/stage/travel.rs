//! What travels on the stage: tickets on the lines and request dots.
//!
//! The dots live outside the virtual DOM: one animation loop moves them by their attributes. Where
//! a
//! person asked for less motion nothing moves, and the end of the way is marked instead.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use protocol::{Pulse, Tone};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::Element;
use yew::prelude::*;

use crate::layout::Scene;

/// More than this would be a blur; the rest is left out.
const DOTS_MAX: usize = 60;
const LEG_MS: f64 = 420.0;
const STILL_MS: f64 = 1200.0;

/// Properties of [`Travel`].
#[derive(Clone, PartialEq, Properties)]
pub struct TravelProps {
    /// Where the ways are.
    pub scene: Rc<Scene>,
    /// Changes with the pulses.
    pub beat: u32,
    /// What starts now.
    pub pulses: Rc<Vec<Pulse>>,
}

/// The layer of everything that travels.
#[component]
pub fn Travel(props: &TravelProps) -> Html {
    let layer = use_node_ref();
    let crew = use_memo((), |()| Rc::new(RefCell::new(Crew::default())));
    {
        let (layer, crew, props) = (layer.clone(), (*crew).clone(), props.clone());
        use_effect_with(props.beat, move |_| {
            if let Some(layer) = layer.cast::<Element>() {
                start(&crew, &layer, &props);
            }
        });
    }
    html! { <g class="travel" ref={layer}></g> }
}

/// The dots that are under way.
#[derive(Default)]
struct Crew {
    dots: VecDeque<Dot>,
    looping: bool,
}

struct Dot {
    element: Element,
    way: Vec<(f64, f64)>,
    length: f64,
    begin: f64,
    span: f64,
    still: bool,
}

fn start(crew: &Rc<RefCell<Crew>>, layer: &Element, props: &TravelProps) {
    let Some(window) = web_sys::window() else { return };
    let now = window.performance().map_or(0.0, |p| p.now());
    let still = prefers_less_motion(&window);
    let mut all = crew.borrow_mut();
    for pulse in props.pulses.iter() {
        if all.dots.len() >= DOTS_MAX {
            break;
        }
        let way = props.scene.route(&pulse.path);
        let Some(element) = dot(layer, pulse).filter(|_| way.len() > 1) else { continue };
        let length = way.windows(2).map(|pair| distance(pair[0], pair[1])).sum();
        let legs = (pulse.path.len() - 1) as f64;
        let span = if still { STILL_MS } else { LEG_MS * legs };
        all.dots.push_back(Dot { element, way, length, begin: now, span, still });
    }
    if !all.looping && !all.dots.is_empty() {
        all.looping = true;
        drop(all);
        next(crew.clone());
    }
}

fn prefers_less_motion(window: &web_sys::Window) -> bool {
    let query = window.match_media("(prefers-reduced-motion: reduce)");
    query.ok().flatten().is_some_and(|query| query.matches())
}

fn dot(layer: &Element, pulse: &Pulse) -> Option<Element> {
    let document = layer.owner_document()?;
    let svg = Some("http://www.w3.org/2000/svg");
    let element = document.create_element_ns(svg, "circle").ok()?;
    let tone = match pulse.tone {
        Tone::Write => "dot tone-write",
        Tone::Watch => "dot tone-watch",
        Tone::Request => "dot tone-request",
        Tone::Failed => "dot tone-failed",
    };
    let radius = if pulse.count > 1 { "6" } else { "4.5" };
    element.set_attribute("class", tone).ok()?;
    element.set_attribute("r", radius).ok()?;
    let title = document.create_element_ns(svg, "title").ok()?;
    title.set_text_content(Some(&pulse.caption));
    element.append_child(&title).ok()?;
    Some(layer.append_child(&element).ok()?.unchecked_into())
}

/// Asks for the next picture.
fn next(crew: Rc<RefCell<Crew>>) {
    let Some(window) = web_sys::window() else { return };
    let step = Closure::once_into_js(move |now: f64| {
        let mut all = crew.borrow_mut();
        all.dots.retain(|dot| dot.draw(now));
        if all.dots.is_empty() {
            all.looping = false;
        } else {
            drop(all);
            next(crew);
        }
    });
    // Without an animation frame nothing moves, and nothing else depends on it.
    let _ = window.request_animation_frame(step.unchecked_ref());
}

impl Dot {
    /// Moves the dot; false once it has arrived.
    fn draw(&self, now: f64) -> bool {
        let share = ((now - self.begin) / self.span).clamp(0.0, 1.0);
        if share >= 1.0 {
            self.element.remove();
            return false;
        }
        let (x, y) = if self.still { self.way[self.way.len() - 1] } else { self.at(share) };
        // An attribute of an element that left the page has no effect.
        let _ = self.element.set_attribute("transform", &format!("translate({x:.1} {y:.1})"));
        true
    }

    fn at(&self, share: f64) -> (f64, f64) {
        let mut left = share * self.length;
        for pair in self.way.windows(2) {
            let leg = distance(pair[0], pair[1]);
            if left <= leg && leg > 0.0 {
                let t = left / leg;
                let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
                return (ax + (bx - ax) * t, ay + (by - ay) * t);
            }
            left -= leg;
        }
        self.way[self.way.len() - 1]
    }
}

fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}
