//! Measures the scheduler alone: `scheduler-bench [--nodes N] [--pods N]`; a table of sizes without them.

use std::time::Instant;

use scheduler::bench::{Load, Wish};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |flag: &str| {
        let at = args.iter().position(|arg| arg == flag)?;
        args.get(at + 1)?.parse::<usize>().ok()
    };
    let sizes = match (number("--nodes"), number("--pods")) {
        (None, None) => vec![(100, 3_000), (1_000, 10_000), (5_000, 10_000)],
        (nodes, pods) => vec![(nodes.unwrap_or(5_000), pods.unwrap_or(10_000))],
    };
    println!("{:>14} {:>6} {:>7} {:>9} {:>8} placed", "wish", "nodes", "pods", "pods/s", "us/pod");
    for (nodes, pods) in sizes {
        for (name, wish) in Wish::ALL {
            let mut load = Load::new(1, nodes, pods, wish);
            let start = Instant::now();
            let done = load.run();
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{name:>14} {nodes:>6} {pods:>7} {:>9.0} {:>8.1} {}",
                done.placed as f64 / seconds,
                seconds * 1e6 / done.placed.max(1) as f64,
                done.placed
            );
        }
    }
}
