//! `kubectl autoscale`.

use api::Json;

use super::create::{plain, submit};
use super::{Command, Outcome};
use crate::cx::Cx;
use crate::failure::{Result, fail};
use crate::flags::{Args, Flag, optional, switch, text};
use crate::load::DryRun;
use crate::look::{object, put};
use crate::text::output::{self, Format};

pub(crate) const COMMAND: Command = Command {
    name: "autoscale",
    brief: "Auto-scale a deployment, replica set or stateful set",
    usage: "kubectl autoscale TYPE NAME --max=N [--min=N] [--cpu=80%] [--memory=500Mi]",
    flags: FLAGS,
    run,
};

const FLAGS: &[Flag] = &[
    text("min"),
    text("max"),
    text("cpu"),
    text("cpu-percent"),
    text("memory"),
    text("name"),
    text("filename").short('f'),
    text("field-manager"),
    switch("save-config"),
    text("output").short('o'),
    optional("dry-run", "unchanged"),
];

fn run(cx: &mut Cx<'_>, args: &Args) -> Result<Outcome> {
    let (min, max) = (args.int("min")?.unwrap_or(-1), args.int("max")?.unwrap_or(-1));
    if max < 1 {
        return fail(format!("--max=MAXPODS is required and must be at least 1, max: {max}"));
    }
    if max < min {
        return fail(format!(
            "--max=MAXPODS must be larger or equal to --min=MINPODS, max: {max}, min: {min}"
        ));
    }
    let format = Format::parse(args.text("output"))?;
    let dry_run = DryRun::of(args)?;
    for target in super::scale::named(cx, args)? {
        let name = target.name.as_deref().unwrap_or("");
        let namespace = cx.namespace.clone();
        cx.object(&target.kind, &namespace, name)?;
        let mut made =
            plain("autoscaling/v2", "HorizontalPodAutoscaler", args.text("name").unwrap_or(name));
        put(&mut made, "spec.maxReplicas", max);
        if min > 0 {
            put(&mut made, "spec.minReplicas", min);
        }
        let reference = object([
            ("apiVersion", target.kind.api_version().into()),
            ("kind", target.kind.kind.into()),
            ("name", name.into()),
        ]);
        put(&mut made, "spec.scaleTargetRef", reference);
        let metrics = metrics(args)?;
        if !metrics.is_empty() {
            put(&mut made, "spec.metrics", Json::Array(metrics));
        }
        let made = submit(cx, args, made, dry_run, "kubectl-autoscale")?;
        let text = output::changed(&format, &made, &dry_run.note("autoscaled"))?;
        cx.say(&text);
    }
    Ok(Outcome::Done)
}

fn metrics(args: &Args) -> Result<Vec<Json>> {
    let percent = args.int("cpu-percent")?.filter(|n| *n > 0).map(|n| format!("{n}%"));
    let cpu = percent.or_else(|| args.text("cpu").map(str::to_string));
    let given = [("cpu", cpu), ("memory", args.text("memory").map(str::to_string))];
    let mut metrics = Vec::new();
    for (name, amount) in given {
        let Some(amount) = amount else { continue };
        let target = match amount.strip_suffix('%').map(str::parse::<i64>) {
            Some(Ok(percent)) => {
                object([("type", "Utilization".into()), ("averageUtilization", percent.into())])
            }
            Some(Err(_)) => return fail(format!("invalid value for --{name}: {amount}")),
            None => {
                object([("type", "AverageValue".into()), ("averageValue", amount.as_str().into())])
            }
        };
        let resource = object([("name", name.into()), ("target", target)]);
        metrics.push(object([("type", "Resource".into()), ("resource", resource)]));
    }
    Ok(metrics)
}
