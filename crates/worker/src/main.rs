//! The web worker: the browser's messages, timers and clock around a [`worker::Host`].

use std::cell::{Cell, RefCell};

use protocol::{Command, Message};
use scenario::Report;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, MessagePort};
use worker::{Host, Next, Record};

/// Between two slices while time passes at a speed.
const PAUSE_MS: i32 = 12;

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
    static RECORD: RefCell<Record> = RefCell::default();
    static LOOP: RefCell<Option<Loop>> = const { RefCell::new(None) };
    static CRASHED: Cell<bool> = const { Cell::new(false) };
}

/// The ways to be called again.
struct Loop {
    scope: DedicatedWorkerGlobalScope,
    /// A message to ourselves comes back sooner than any timer.
    wake: MessagePort,
    /// Calls of an earlier turn are ignored.
    turn: u32,
    _echo: MessagePort,
    _onwake: Closure<dyn FnMut(MessageEvent)>,
    _oncommand: Closure<dyn FnMut(MessageEvent)>,
}

fn main() {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    std::panic::set_hook(Box::new(|info| report(&info.to_string())));
    let Ok(channel) = MessageChannel::new() else { return };
    let (wake, echo) = (channel.port1(), channel.port2());
    let onwake = Closure::new(|event: MessageEvent| {
        tick(event.data().as_f64().unwrap_or(0.0) as u32);
    });
    echo.set_onmessage(Some(onwake.as_ref().unchecked_ref()));
    let oncommand = Closure::new(|event: MessageEvent| command(&event));
    scope.set_onmessage(Some(oncommand.as_ref().unchecked_ref()));
    LOOP.set(Some(Loop {
        scope,
        wake,
        turn: 0,
        _echo: echo,
        _onwake: onwake,
        _oncommand: oncommand,
    }));
    send(&Message::Loaded { build: protocol::BUILD.into() });
}

fn command(event: &MessageEvent) {
    if CRASHED.get() {
        return;
    }
    let command = match Command::deserialize(serde_wasm_bindgen::Deserializer::from(event.data())) {
        Ok(command) => command,
        Err(error) => {
            return report(&format!("the page sent what the worker does not know: {error}"));
        }
    };
    let messages = HOST.with_borrow_mut(|host| {
        RECORD.with_borrow_mut(|record| record.before(host, &command));
        host.handle(command, &now, &memory);
        RECORD.with_borrow_mut(|record| record.after(host));
        host.take()
    });
    messages.iter().for_each(send);
    call_again(Next::Now);
}

fn tick(turn: u32) {
    let ours = LOOP.with_borrow(|own| own.as_ref().is_some_and(|own| own.turn == turn));
    if CRASHED.get() || !ours {
        return;
    }
    let (next, messages) = HOST.with_borrow_mut(|host| {
        let next = host.slice(&now);
        RECORD.with_borrow_mut(|record| record.after(host));
        (next, host.take())
    });
    messages.iter().for_each(send);
    call_again(next);
}

/// Arranges the next turn; what was arranged before is void.
fn call_again(next: Next) {
    LOOP.with_borrow_mut(|own| {
        let Some(own) = own else { return };
        own.turn = own.turn.wrapping_add(1);
        let turn = own.turn;
        // Neither fails in a worker that lives.
        match next {
            Next::Now => {
                let _ = own.wake.post_message(&JsValue::from_f64(f64::from(turn)));
            }
            Next::Soon => {
                let call = Closure::once_into_js(move || tick(turn));
                let call = call.unchecked_ref();
                let _ =
                    own.scope.set_timeout_with_callback_and_timeout_and_arguments_0(call, PAUSE_MS);
            }
            Next::Never => {}
        }
    });
}

fn send(message: &Message) {
    let Ok(value) = message.serialize(&serde_wasm_bindgen::Serializer::new()) else {
        return report("a message is too large for the page");
    };
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    // Plain data can always be cloned.
    let _ = scope.post_message(&value);
}

/// Tells the page that the model stopped, with what repeats the run; nothing runs after it.
fn report(message: &str) {
    if CRASHED.replace(true) {
        return;
    }
    // Borrowed only if the record itself broke.
    let report = RECORD.with(|record| record.try_borrow().map(|r| r.report(message)));
    let report = report.unwrap_or_else(|_| Report { message: message.into(), ..Report::default() });
    let (seed, log) = (report.seed.clone(), report.write());
    send(&Message::Crashed { message: report.message, seed, log });
}

/// The wall time in milliseconds.
fn now() -> f64 {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    scope.performance().map_or(0.0, |performance| performance.now())
}

/// The memory of the model in bytes; it never shrinks.
fn memory() -> f64 {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) as f64 * 65_536.0;
    #[cfg(not(target_arch = "wasm32"))]
    0.0
}
