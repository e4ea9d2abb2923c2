//! The wire to the worker: starts it, sends commands, hears messages.

use std::cell::RefCell;
use std::rc::Rc;

use protocol::{Command, Message};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};
use yew::Callback;

/// A worker that runs. Dropped, it stops.
pub struct Link {
    worker: Worker,
    /// Commands wait here until the worker has said that it listens.
    waiting: Rc<RefCell<Option<Vec<Command>>>>,
    _onmessage: Closure<dyn FnMut(MessageEvent)>,
    _onerror: Closure<dyn FnMut(ErrorEvent)>,
}

impl Link {
    /// Starts the worker that the page names.
    pub fn start(heard: Callback<Message>, lost: Callback<String>) -> Result<Link, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(&worker_url(), &options)
            .map_err(|_| "This browser does not start the worker of the model.".to_owned())?;
        let waiting = Rc::new(RefCell::new(Some(Vec::new())));
        let onmessage = {
            let (worker, waiting) = (worker.clone(), waiting.clone());
            let lost = lost.clone();
            Closure::new(move |event: MessageEvent| match read(&event) {
                Ok(message) => {
                    if matches!(message, Message::Loaded { .. }) {
                        for command in waiting.take().unwrap_or_default() {
                            post(&worker, &command);
                        }
                    }
                    heard.emit(message);
                }
                Err(error) => {
                    lost.emit(format!("The model said something the page does not know: {error}"));
                }
            })
        };
        let onerror = Closure::new(move |event: ErrorEvent| {
            lost.emit(format!("The model did not start. {}", event.message()));
        });
        worker.set_onmessage(Some(onmessage.as_ref().unchecked_ref()));
        worker.set_onerror(Some(onerror.as_ref().unchecked_ref()));
        Ok(Link { worker, waiting, _onmessage: onmessage, _onerror: onerror })
    }

    /// Sends a command, now or as soon as the worker listens.
    pub fn send(&self, command: Command) {
        match &mut *self.waiting.borrow_mut() {
            Some(waiting) => waiting.push(command),
            None => post(&self.worker, &command),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn worker_url() -> String {
    let document = web_sys::window().and_then(|window| window.document());
    document
        .and_then(|d| d.query_selector("meta[name=orrery-worker]").ok().flatten())
        .and_then(|meta| meta.get_attribute("content"))
        .unwrap_or_else(|| "./worker_loader.js".into())
}

fn read(event: &MessageEvent) -> Result<Message, serde_wasm_bindgen::Error> {
    Message::deserialize(serde_wasm_bindgen::Deserializer::from(event.data()))
}

fn post(worker: &Worker, command: &Command) {
    if let Ok(value) = command.serialize(&serde_wasm_bindgen::Serializer::new()) {
        // Refused only for data that cannot be cloned; a command is plain data.
        let _ = worker.post_message(&value);
    }
}
