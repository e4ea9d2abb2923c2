//! The native binary: serve, run, bench.

mod bench;
mod bench_api;
mod bench_scheduler;
mod protobuf;
mod run;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A working model of Kubernetes v1.36: serve it to kubectl, run scenarios headless, measure it.
#[derive(Parser)]
#[command(name = "orrery", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer kubectl and other clients over HTTP on the loopback address.
    Serve(Box<serve::Args>),
    /// Run a scenario as fast as possible and print the end state.
    Run(run::Args),
    /// Measure the model on this machine.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::main(*args),
        Command::Run(args) => run::main(args),
        Command::Bench(args) => bench::main(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
