//! The page: wires the worker to the state and the state to the panels.

use std::cell::RefCell;
use std::rc::Rc;

use protocol::{Command, Message, Start, View};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use yew::prelude::*;

use crate::keys::wants_terminal;
use crate::link::Link;
use crate::page::{Act, Bus, Dock, Notice, Page, Phase, Rail};
use crate::panel::announce::Announce;
use crate::panel::crash::Crash;
use crate::panel::dialogs::Dialogs;
use crate::panel::dock::DockPanel;
use crate::panel::editor::Editor;
use crate::panel::header::Header;
use crate::panel::inspector::Inspector;
use crate::panel::learn::Learn;
use crate::panel::outline::Outline;
use crate::panel::terminal::Terminal;
use crate::panel::traffic::Traffic;
use crate::stage::{Stage, focus};
use crate::timeline::Timeline;

type Wire = Rc<RefCell<Option<Link>>>;

/// The whole page.
#[component]
pub fn App() -> Html {
    let page = use_reducer(Page::default);
    let bus = use_bus(&page);
    use_commands(&page, &bus);
    use_bench(&page);
    use_slash(&bus);
    let board = page.board(View::Architecture);
    let running = page.phase == Phase::Running;
    let caption = page.log.back().map(|line| line.text.clone()).unwrap_or_default();
    let crashed = matches!(page.phase, Phase::Crashed { .. } | Phase::Lost(_));
    let onkeydown = {
        let act = bus.act.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                close_all_menus(None);
            } else if event.ctrl_key() && event.key() == "`" {
                act.emit(Act::Dock(Dock::Terminal));
                focus("#command");
                event.prevent_default();
            }
        })
    };
    html! {
        <ContextProvider<Bus> context={bus.clone()}>
            <div class="app" hidden={crashed} {onkeydown} onclick={Callback::from(close_menus)}>
                <Header version={page.version.clone()} rail={page.rail} board={board.clone()}
                    selected={page.selected.clone()} />
                <main class={classes!("desk", (page.rail == Rail::Learn).then_some("learning"))}>
                    <section class="rail" aria-label={if page.rail == Rail::Learn { "Learn" } else { "Outline" }}>
                        { notice(&page, &bus) }
                        <div class="scroll" hidden={page.rail != Rail::Learn}>
                            <Learn lessons={page.lessons.clone()} lesson={page.lesson.clone()} />
                        </div>
                        <div class={classes!("scroll", (page.rail == Rail::Learn).then_some("below"))}>
                            <h2 class="railtitle">{ "Outline" }</h2>
                            <Outline board={board.clone()} selected={page.selected.clone()} />
                        </div>
                    </section>
                    <Stage view={page.view} board={page.board(page.view)} selected={page.selected.clone()}
                        playing={page.clock.playing} {caption} />
                    <Inspector selected={page.selected.clone()} inspection={page.inspection.clone()}
                        board={board.clone()} />
                    <DockPanel dock={page.dock}>
                        <Terminal entries={page.terminal.clone()} />
                        <Editor draft={page.draft.clone()} applied={page.applied.clone()} />
                        <Traffic {board} traces={page.traces.clone()} />
                    </DockPanel>
                </main>
                <Timeline at={page.at} clock={page.clock} enabled={running} />
            </div>
            <Announce log={page.log.clone()} logged={page.logged} />
            <Dialogs dialog={page.dialog} share={page.share.clone()} version={page.version.clone()} />
            <Crash phase={page.phase.clone()} />
        </ContextProvider<Bus>>
    }
}

/// A click beside an open menu closes it.
fn close_menus(event: MouseEvent) {
    close_all_menus(event.target().and_then(|target| target.dyn_into().ok()).as_ref());
}

fn close_all_menus(but_around: Option<&web_sys::Element>) {
    let document = web_sys::window().and_then(|window| window.document());
    let own = but_around.and_then(|element| element.closest("details.menu").ok().flatten());
    let open = document.and_then(|d| d.query_selector_all("details.menu[open]").ok());
    let Some(open) = open else { return };
    for i in 0..open.length() {
        let menu = open.get(i).and_then(|node| node.dyn_into::<web_sys::Element>().ok());
        if let Some(menu) = menu.filter(|menu| own.as_ref() != Some(menu)) {
            // The name of the attribute is valid.
            let _ = menu.remove_attribute("open");
        }
    }
}

fn notice(page: &Page, bus: &Bus) -> Html {
    let Some(Notice { bad, text }) = page.notice.clone() else { return Html::default() };
    let act = bus.act.clone();
    let onclick = Callback::from(move |_: MouseEvent| act.emit(Act::Dismiss));
    html! {
        <div class={classes!("notice", bad.then_some("bad"))} role={if bad { "alert" } else { "status" }}>
            <p>{ text }</p>
            <p><button type="button" {onclick}>{ "Understood" }</button></p>
        </div>
    }
}

/// Starts the worker and gives the ways to reach it.
#[hook]
fn use_bus(page: &UseReducerHandle<Page>) -> Bus {
    let wire = use_memo((), |()| Wire::default());
    let dispatch = page.dispatcher();
    let bus = use_memo((), |()| {
        let wire: Wire = (*wire).clone();
        let count = Rc::new(std::cell::Cell::new(0_u32));
        let act = {
            let dispatch = dispatch.clone();
            Callback::from(move |act: Act| dispatch.dispatch(act))
        };
        let send = {
            let wire = wire.clone();
            Callback::from(move |command: Command| {
                if let Some(link) = &*wire.borrow() {
                    link.send(command);
                }
            })
        };
        let run = {
            let (act, send) = (act.clone(), send.clone());
            Callback::from(move |line: String| {
                count.set(count.get() + 1);
                act.emit(Act::Typed { id: count.get(), line: line.clone() });
                send.emit(Command::Terminal { id: count.get(), line });
            })
        };
        let restart = {
            let act = act.clone();
            Callback::from(move |()| {
                wire.take();
                act.emit(Act::Restarted);
                start(&wire, &act);
            })
        };
        Bus { send, act, run, restart }
    });
    {
        let bus = bus.clone();
        use_effect_with((), move |()| start(&wire, &bus.act));
    }
    (*bus).clone()
}

/// Starts a worker and asks for the cluster the address names.
fn start(wire: &Wire, act: &Callback<Act>) {
    let heard = {
        let (wire, act) = (wire.clone(), act.clone());
        Callback::from(move |message: Message| {
            let seq = match &message {
                Message::Frame(frame) => Some(frame.seq),
                _ => None,
            };
            act.emit(Act::Worker(Box::new(message)));
            if let Some(seq) = seq {
                after_drawing(wire.clone(), seq);
            }
        })
    };
    let lost = {
        let act = act.clone();
        Callback::from(move |why: String| act.emit(Act::Lost(why)))
    };
    match Link::start(heard, lost) {
        Ok(link) => {
            link.send(Command::Boot { start: wanted() });
            *wire.borrow_mut() = Some(link);
        }
        Err(why) => act.emit(Act::Lost(why)),
    }
}

/// Asks for the next frame once this one is on the screen. A hidden tab draws nothing and asks for
/// nothing.
fn after_drawing(wire: Wire, seq: u32) {
    let Some(window) = web_sys::window() else { return };
    let ack = Closure::once_into_js(move || {
        if let Some(link) = &*wire.borrow() {
            link.send(Command::Ack { seq });
        }
    });
    // A window always gives animation frames.
    let _ = window.request_animation_frame(ack.unchecked_ref());
}

/// The cluster that the address of the page asks for.
fn wanted() -> Start {
    let Some(location) = web_sys::window().map(|window| window.location()) else {
        return Start::Default;
    };
    start_of(&location.search().unwrap_or_default(), &location.hash().unwrap_or_default())
}

fn start_of(search: &str, hash: &str) -> Start {
    let query = search.trim_start_matches('?').split('&');
    let bench = query.filter_map(|pair| pair.strip_prefix("bench=")).next();
    if let Some((nodes, pods)) = bench.and_then(|size| size.split_once(['/', 'x']))
        && let (Ok(nodes), Ok(pods)) = (nodes.parse(), pods.parse())
    {
        return Start::Bench { nodes, pods };
    }
    let hash = hash.trim_start_matches('#');
    if hash.is_empty() { Start::Default } else { Start::Share(format!("#{hash}")) }
}

/// Keeps the worker up to date about what is looked at.
#[hook]
fn use_commands(page: &UseReducerHandle<Page>, bus: &Bus) {
    let running = page.phase == Phase::Running;
    {
        let (send, views) = (bus.send.clone(), page.subscriptions());
        use_effect_with((running, views), move |(running, views)| {
            if *running {
                send.emit(Command::Subscribe(views.clone()));
            }
        });
    }
    let send = bus.send.clone();
    use_effect_with((running, page.selected.clone()), move |(running, selected)| {
        if *running {
            send.emit(Command::Inspect(selected.clone()));
        }
    });
}

/// A slash opens the terminal, also while nothing has the focus.
#[hook]
fn use_slash(bus: &Bus) {
    let act = bus.act.clone();
    use_effect_with((), move |()| {
        let heard = Closure::<dyn Fn(KeyboardEvent)>::new(move |event: KeyboardEvent| {
            if wants_terminal(&event) {
                act.emit(Act::Dock(Dock::Terminal));
                focus("#command");
                event.prevent_default();
            }
        });
        let window = web_sys::window();
        let listener = heard.as_ref().unchecked_ref();
        if let Some(window) = &window {
            // A window always takes listeners, and lets them go.
            let _ = window.add_event_listener_with_callback("keydown", listener);
        }
        move || {
            if let Some(window) = &window {
                let listener = heard.as_ref().unchecked_ref();
                let _ = window.remove_event_listener_with_callback("keydown", listener);
            }
        }
    });
}

/// Hands a benchmark's result to whoever drives the browser, as `window.__bench`.
#[hook]
fn use_bench(page: &UseReducerHandle<Page>) {
    use_effect_with(page.bench.clone(), |bench| {
        let Some(json) = bench else { return };
        let Some(window) = web_sys::window() else { return };
        if let Ok(value) = js_sys::JSON::parse(json) {
            // A property of the window can always be set.
            let _ = js_sys::Reflect::set(&window, &"__bench".into(), &value);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(search: &str, hash: &str, want: Start) {
        assert_eq!(start_of(search, hash), want);
    }

    #[test]
    fn an_empty_address_opens_the_default_cluster() {
        check("", "", Start::Default);
        check("?embed=1", "#", Start::Default);
    }
    #[test]
    fn a_fragment_is_a_share_link() {
        check("", "#13.abc.x", Start::Share("#13.abc.x".into()));
    }
    #[test]
    fn a_lesson_has_a_short_link_with_its_step() {
        check("", "#lesson/self-heal/2", Start::Share("#lesson/self-heal/2".into()));
    }
    #[test]
    fn a_benchmark_is_asked_for_in_the_query() {
        check("?bench=100/1000", "", Start::Bench { nodes: 100, pods: 1000 });
        check("?bench=many", "", Start::Default);
    }
}
