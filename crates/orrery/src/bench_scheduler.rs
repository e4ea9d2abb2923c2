//! `orrery bench scheduler`: pods per second of the scheduler alone.

use std::time::Instant;

use scheduler::bench::{Load, Wish};

/// `orrery bench scheduler`
#[derive(clap::Args)]
pub struct Args {
    /// Nodes; a table of sizes without it.
    #[arg(long)]
    nodes: Option<usize>,
    /// Pods.
    #[arg(long, default_value_t = 10_000)]
    pods: usize,
    /// Prints one JSON line for each size and wish, and nothing else.
    #[arg(long)]
    json: bool,
    /// Where chance comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const TABLE: [(usize, usize); 3] = [(100, 1_000), (1_000, 10_000), (5_000, 10_000)];

/// Runs one size, or the table of sizes, for each wish that pods may have.
pub fn main(args: &Args) {
    let one = args.nodes.map(|nodes| vec![(nodes, args.pods)]);
    if !args.json {
        println!("| pods with | nodes | pods | pods/s | µs a pod |");
        println!("|--|--:|--:|--:|--:|");
    }
    for (nodes, pods) in one.unwrap_or_else(|| TABLE.to_vec()) {
        for (name, wish) in Wish::ALL {
            let mut load = Load::new(args.seed, nodes, pods, wish);
            let start = Instant::now();
            let done = load.run();
            let seconds = start.elapsed().as_secs_f64();
            let rate = done.placed as f64 / seconds;
            if args.json {
                let line = serde_json::json!({
                    "bench": "scheduler", "wish": name, "nodes": nodes, "pods": pods,
                    "placed": done.placed, "wall_s": seconds, "pods_per_s": rate,
                    "virtual_s": done.took.as_secs_f64(),
                    "fingerprint": format!("{:016x}", done.fingerprint),
                });
                println!("{line}");
            } else {
                println!("| {name} | {nodes} | {} | {rate:.0} | {:.1} |", done.placed, 1e6 / rate);
            }
        }
    }
}
