//! `orrery bench`: pods per second, memory, and virtual seconds per wall second.

use std::process::ExitCode;
use std::time::Instant as WallInstant;

use anyhow::Result;
use base::Duration;
use cluster::bench::{Scale, fill};

/// `orrery bench`
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(clap::Subcommand)]
enum What {
    /// Asks the API server alone, in process and over HTTP.
    Api(crate::bench_api::Args),
    /// Places pods with the scheduler alone, without the rest of the cluster.
    Scheduler(crate::bench_scheduler::Args),
    /// Brings pods to Running on a cluster of a given size.
    Scale {
        /// Nodes.
        #[arg(long)]
        nodes: usize,
        /// Pods.
        #[arg(long)]
        pods: usize,
        /// Prints one JSON line and nothing else.
        #[arg(long)]
        json: bool,
        /// Where chance comes from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

const TABLE: &[(usize, usize)] =
    &[(10, 100), (50, 1_000), (100, 3_000), (500, 5_000), (1_000, 30_000)];

/// Runs one size, or the table of sizes, each in a process of its own so that peak memory is its own.
pub fn main(args: Args) -> Result<ExitCode> {
    match args.what {
        Some(What::Api(args)) => crate::bench_api::main(&args)?,
        Some(What::Scheduler(args)) => crate::bench_scheduler::main(&args),
        Some(What::Scale { nodes, pods, json, seed }) => {
            let figures = measure(nodes, pods, seed)?;
            if !json {
                eprintln!(
                    "{nodes} nodes, {pods} pods: {:.2} s to all Running, {:.0} pods/s, peak {} MiB, \
                     {:.1} virtual s, idle {:.0} virtual s per s",
                    figures.wall_s,
                    pods as f64 / figures.wall_s,
                    figures.peak_bytes >> 20,
                    figures.virtual_s,
                    figures.idle_speed
                );
            }
            println!("{}", figures.line(nodes, pods));
        }
        None => table()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn table() -> Result<()> {
    println!(
        "| nodes | pods | wall s to all Running | pods/s | peak MiB | virtual s | idle: virtual s per s |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    let program = std::env::current_exe()?;
    for (nodes, pods) in TABLE {
        let out = std::process::Command::new(&program)
            .args([
                "bench",
                "scale",
                "--json",
                "--nodes",
                &nodes.to_string(),
                "--pods",
                &pods.to_string(),
            ])
            .output()?;
        anyhow::ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let row: serde_json::Value = serde_json::from_slice(&out.stdout)?;
        let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        println!(
            "| {nodes} | {pods} | {:.2} | {:.0} | {:.0} | {:.1} | {:.0} |",
            number("wall_s"),
            number("pods_per_s"),
            number("peak_bytes") / f64::from(1 << 20),
            number("virtual_s"),
            number("idle_speed"),
        );
    }
    Ok(())
}

struct Figures {
    wall_s: f64,
    virtual_s: f64,
    peak_bytes: u64,
    idle_speed: f64,
}

impl Figures {
    fn line(&self, nodes: usize, pods: usize) -> String {
        serde_json::json!({
            "nodes": nodes,
            "pods": pods,
            "wall_s": round(self.wall_s),
            "pods_per_s": round(pods as f64 / self.wall_s),
            "peak_bytes": self.peak_bytes,
            "virtual_s": round(self.virtual_s),
            "idle_speed": round(self.idle_speed),
        })
        .to_string()
    }
}

fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn measure(nodes: usize, pods: usize, seed: u64) -> Result<Figures> {
    let mut bench = Scale::new(nodes, pods, seed);
    let begun = WallInstant::now();
    let virtual_s = fill(&mut bench).map_err(|why| anyhow::anyhow!(why))?.as_secs_f64();
    let wall_s = begun.elapsed().as_secs_f64();
    let peak_bytes = peak_bytes();
    let idle = WallInstant::now();
    let mut span = Duration::ZERO;
    while idle.elapsed().as_secs_f64() < 0.5 {
        bench.cluster.run_for(Duration::secs(10));
        span = span + Duration::secs(10);
    }
    let idle_speed = span.as_secs_f64() / idle.elapsed().as_secs_f64();
    Ok(Figures { wall_s, virtual_s, peak_bytes, idle_speed })
}

/// The largest resident size of this process so far, in bytes; 0 where the system does not tell.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
