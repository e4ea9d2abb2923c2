//! What a pod costs in memory (`cargo xtask test --only wasm`): the figures that 150,000 pods in one tab rest on.
//!
//! The bounds hold on wasm32, where pointers take four bytes; natively only the sharing is checked.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::core::v1::Pod;
use api::{Decode, Json, Value as _};
use wasm_bindgen_test::wasm_bindgen_test;

/// Counts the bytes that are in use.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; only a counter is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        USED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const POD: &str = include_str!("pod.json");

/// The pod, with words of its own where every pod has its own.
fn read(number: usize) -> Pod {
    let own = POD
        .replace("x7k2p", &format!("x{number:04}"))
        .replace("-3f4f5f4a2b11", &format!("-3f4f5f4a{number:04}"))
        .replace("48211", &format!("{}", 40_000 + number))
        .replace("10.244.17.5", &format!("10.244.17.{number}"))
        .replace("b2af212f", &format!("b2af{number:04}"));
    let mut cx = Decode::new();
    let mut pod = Pod::default();
    pod.take(Json::parse(own.as_bytes()).expect("JSON"), &mut cx);
    assert_eq!((cx.error, cx.strict), (None, Vec::new()));
    pod
}

/// Bytes that stay in use after `make`.
fn cost<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.load(Ordering::Relaxed);
    let made = make();
    (made, USED.load(Ordering::Relaxed) - before)
}

fn figures() -> (usize, usize) {
    // Words that all objects share are made once.
    let warm = read(1);
    let (first, alone) = cost(|| Arc::new(read(2)));
    let (_second, shared) = cost(|| {
        let mut pod = read(3);
        pod.spec.share(first.spec.shared());
        Arc::new(pod)
    });
    drop(warm);
    (alone, shared)
}

#[wasm_bindgen_test(unsupported = test)]
fn a_running_pod_fits_its_budget_alone_and_with_a_shared_spec() {
    let (alone, shared) = figures();
    println!("a pod takes {alone} bytes, with a shared spec {shared}");
    if cfg!(target_arch = "wasm32") {
        let figures = format!("{alone} bytes alone, {shared} with a shared spec");
        assert!(alone <= 1_638 && shared <= 921, "{figures}");
    }
    assert!(shared < alone, "{shared} of {alone}");
}
