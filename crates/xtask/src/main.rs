//! `cargo xtask COMMAND`: all that a developer or a CI machine runs, in Rust instead of scripts.

mod bench;
mod build;
mod cases;
mod codegen;
mod golden;
mod play;
mod process;
mod protobuf;
mod serve_dist;
mod server;
mod size;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use anyhow::{Result, bail};
use lexopt::prelude::*;

struct Command {
    name: &'static str,
    options: &'static str,
    about: &'static str,
    run: fn(lexopt::Parser) -> Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "play",
        options: "[--port N]",
        about: "build the page and serve it on 127.0.0.1:8080",
        run: play::run,
    },
    Command {
        name: "build",
        options: "[--quick]",
        about: "build the release page into dist/: plain static files for any path (--quick: to look at)",
        run: build::run,
    },
    Command {
        name: "test",
        options: "[--only STEP,…] [--skip STEP,…] [--fail-fast]",
        about: "what CI runs: fmt clippy tidy deny native cases clients wasm build size browser",
        run: test::run,
    },
    Command {
        name: "tidy",
        options: "",
        about: "check the layers of the crates and the house rules of the sources",
        run: tidy::run,
    },
    Command {
        name: "size",
        options: "",
        about: "measure dist/ against the size budgets",
        run: size::run,
    },
    Command {
        name: "bench",
        options: "[--browser] [--nodes N] [--pods M] [--json]",
        about: "schedule and run M pods on N nodes, natively or in Chromium",
        run: bench::run,
    },
    Command {
        name: "cases",
        options: "[DIR] [--show N]",
        about: "check recorded answers of a real cluster against the rules of our crates",
        run: cases::run,
    },
    Command {
        name: "golden",
        options: "[DIR] [--show N] [--speed X] [--seed N] [--kubectl FILE]",
        about: "replay recorded runs of a real cluster against `orrery serve`",
        run: golden::run,
    },
    Command {
        name: "serve-dist",
        options: "DIR [--port N] [--prefix /PATH] [--csp]",
        about: "serve a folder of static files on loopback",
        run: serve_dist::run,
    },
    Command {
        name: "codegen",
        options: "OPENAPI_JSON [--out DIR]",
        about: "write the API types and schema tables from an OpenAPI v2 document",
        run: run_codegen,
    },
    Command {
        name: "protobuf",
        options: "OPENAPI_JSON K8S_PB_DIR",
        about: "write the field numbers of protobuf bodies, from the sources of the crate k8s-pb",
        run: protobuf::run,
    },
];

fn main() -> ExitCode {
    match dispatch(lexopt::Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            eprintln!("error: {}", causes.join(": "));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut args: lexopt::Parser) -> Result<()> {
    let Some(arg) = args.next()? else {
        print!("{}", usage());
        return Ok(());
    };
    match arg {
        Long("help") | Short('h') => print!("{}", usage()),
        Value(name) => match COMMANDS.iter().find(|command| name == command.name) {
            Some(command) => (command.run)(args)?,
            None => bail!("no command {}\n\n{}", name.display(), usage()),
        },
        other => return Err(other.unexpected().into()),
    }
    Ok(())
}

fn usage() -> String {
    let mut text = String::from("cargo xtask COMMAND\n\n");
    for Command { name, options, about, .. } in COMMANDS {
        text += &format!("  {:62} {about}\n", format!("{name} {options}"));
    }
    text
}

fn run_codegen(mut args: lexopt::Parser) -> Result<()> {
    let mut document = None;
    let mut out = process::root().join("crates/api/src/generated");
    while let Some(arg) = args.next()? {
        match arg {
            Long("out") => out = args.value()?.into(),
            Value(path) if document.is_none() => document = Some(path),
            other => return Err(other.unexpected().into()),
        }
    }
    let Some(document) = document else {
        bail!("name the document: `kubectl get --raw /openapi/v2` prints one")
    };
    codegen::run(document.as_ref(), &out)
}
