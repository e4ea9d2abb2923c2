//! What a settled pod costs in memory, with all that the parts of the cluster keep of it.
//!
//! On wasm32 alone, where pointers take four bytes (`cargo xtask test --only wasm`); the budget is 4 KB. What is over it are
//! mostly the memories of events: counts for repeats, groups of similar ones, budgets.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use base::Duration;
use cluster::bench::{Scale, fill};
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

const NODES: usize = 40;
/// The budget is missed as yet; this may only be lowered.
const BYTES_MAX: usize = 5_100;
/// More than the parts keep a history of.
const FEW: usize = 1_100;
const MANY: usize = 2_100;

/// Bytes in use once so many pods run and their events are forgotten.
fn settled(pods: usize) -> usize {
    let before = USED.load(Ordering::Relaxed);
    let mut bench = Scale::new(NODES, pods, 1);
    fill(&mut bench).expect("all pods run");
    bench.cluster.run_for(Duration::mins(70));
    USED.load(Ordering::Relaxed) - before
}

#[wasm_bindgen_test]
fn a_settled_pod_takes_no_more_than_before() {
    let (few, many) = (settled(FEW), settled(MANY));
    let each = (many - few) / (MANY - FEW);
    assert!(each <= BYTES_MAX, "{each} bytes");
}
