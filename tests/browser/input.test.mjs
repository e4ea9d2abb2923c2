// Bad input: a text that cannot be applied, and a model that stops.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { alive, apply, assertQuiet, close, play, podsOf, press, type, waitForOutline } from "./harness.mjs";

after(close);

const MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: good\ndata:\n  a: b\n";
const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: bad
spec:
  replicas: 2
  selector:
    matchLabels: {app: bad}
  template:
    metadata:
      labels: {app: bad}
    spec:
      containers:
      - name: c
        image: nginx:1.27
`;

/** Applies a text that is wrong; returns what the page says about it. */
async function refused(page, yaml) {
  await apply(page, yaml);
  const problem = page.locator("#apply-result .problem").first();
  await problem.waitFor();
  return problem.textContent();
}

test("a text that is no YAML has its place and its reason, and nothing of it is applied", async () => {
  const opened = await play();
  const { page } = opened;
  const said = await refused(page, `${MAP}---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: bad\n   data: c\n`);
  assert.match(said, /^Line 1[12], column \d+: \S.+/);
  await page.locator(".gutter .wrong").first().waitFor();
  await type(page, "kubectl get configmap good");
  await page.locator(".terminal pre", { hasText: 'configmaps "good" not found' }).waitFor();
  assertQuiet(opened);
});

for (const [what, yaml, reason, place] of [
  ["an unknown kind", MAP.replace("ConfigMap", "ConfigMop"), /no matches for kind "ConfigMop" in version "v1"/],
  ["an unknown field", DEPLOYMENT.replace("replicas:", "replica:"), /unknown field "spec\.replica"/, "Line 6"],
  ["a field that is there twice", DEPLOYMENT.replace("  replicas: 2\n", "  replicas: 2\n  replicas: 3\n"), /strict decoding error: yaml: unmarshal errors: line 7: key "replicas" already set in map/, "Line 7"],
  ["a wrong type", DEPLOYMENT.replace("replicas: 2", "replicas: two"), /cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32|json: cannot unmarshal/],
  ["a value that is not allowed", DEPLOYMENT.replace("replicas: 2", "replicas: -1"), /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/, "Line 6"],
]) {
  test(`${what} is answered in the API's own words`, async () => {
    const opened = await play();
    const said = await refused(opened.page, yaml);
    assert.match(said, reason);
    if (place) assert.ok(said.startsWith(place), said);
    await type(opened.page, "kubectl get deployments,configmaps");
    const answer = opened.page.locator(".terminal pre").last();
    await answer.getByText("deployment.apps/web").waitFor();
    assert.doesNotMatch(await answer.textContent(), /\/(bad|good)/);
    assertQuiet(opened);
  });
}

test("a model that stops says so, and its report repeats the run natively", async () => {
  const { page, context, errors } = await play();
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await apply(page, MAP.replace("good", "before-the-crash"));
  await page.getByText("configmap/before-the-crash created").waitFor();
  await type(page, "orrery crash");
  await page.getByRole("heading", { name: "The model stopped" }).waitFor();
  const report = await page.getByLabel("Report:").inputValue();
  assert.match(report, /^# seed 1$/m);
  assert.match(report, /^\d+ apply ".*before-the-crash/m);
  await press(page, "Copy the report");
  await page.getByText("Copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), report);

  const whole = replay("whole", report);
  assert.match(whole.stderr, /^trace [0-9a-f]{16} at \S+, as reported$/m);
  assert.match(whole.stderr, /asked for with `orrery crash`/);
  assert.notEqual(whole.status, 0, "what crashed crashes again");
  const shorter = replay("shorter", report.replace(/^\d+ panic .*\n/m, ""), "--output", "table");
  assert.equal(shorter.status, 0, shorter.stderr);
  const { stdout } = replay("yaml", report.replace(/^\d+ panic .*\n/m, ""));
  assert.match(stdout, /name: before-the-crash/);

  await press(page, "Start again");
  const items = await waitForOutline(page, "a fresh cluster", alive);
  assert.ok(podsOf(items).length >= 3);
  // A panic ends the worker with a trap, which the browser reports; nothing else went wrong.
  for (const error of errors) assert.match(error, /unreachable/);
});

/** Runs `orrery run --replay` on a report, with nothing but the report. */
function replay(name, report, ...flags) {
  const path = join(mkdtempSync(join(tmpdir(), "orrery-")), `${name}.log`);
  writeFileSync(path, report);
  const args = ["run", "--quiet", "--package", "orrery", "--", "run", "--replay", path, ...flags];
  return spawnSync("cargo", args, { encoding: "utf8" });
}
