// What every browser test needs: a Chromium, a page below a sub-path under the strict policy, the errors it
// prints, the hosts it asks, and the outline of the stage as assistive technology reads it.
//
// `cargo xtask test --only browser` serves dist/ and sets ORRERY_URL and CHROME. Without them, as in
// `node --test tests/browser/*.test.mjs`, the harness serves dist/ itself and looks for a browser on PATH.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long a cluster may take to come alive on a busy machine. */
export const LIVE_MS_MAX = 20_000;

const owned = [];
let browser;
let address;

/** The browser, started once for each test file. */
export async function launch() {
  browser ??= await chromium.launch({ executablePath: findChromium(), args: FLAGS });
  return browser;
}

/** Ends what the file started; call it in `after`. */
export async function close() {
  await browser?.close();
  browser = undefined;
  for (const child of owned.splice(0)) child.kill();
  address = undefined;
}

function findChromium() {
  if (process.env.CHROME) return process.env.CHROME;
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
  const dirs = (process.env.PATH ?? "").split(delimiter);
  const paths = names.flatMap((name) => dirs.map((dir) => join(dir, name)));
  paths.push("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
  const found = paths.find((path) => existsSync(path));
  if (!found) throw new Error("no Chromium or Chrome on PATH: install `chromium`, or set CHROME to a browser");
  return found;
}

/** Where the page is, with a slash at the end. */
export async function baseUrl() {
  address ??= process.env.ORRERY_URL ?? (await serveDist());
  return address;
}

async function serveDist() {
  const args = ["xtask", "serve-dist", "dist", "--port", "0", "--prefix", "/sub/path", "--csp"];
  const child = spawn("cargo", args, { stdio: ["ignore", "pipe", "inherit"] });
  owned.push(child);
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error("cargo xtask serve-dist printed no address");
}

/**
 * Opens the page in a fresh profile. `query` is what follows the address (`?embed=1`, `#lesson/…`).
 * Returns the Playwright page with `errors` (console errors, uncaught exceptions, failed loads) and `foreign`
 * (addresses asked for outside the page's own folder), both filled as the page runs.
 */
export async function open(query = "", options = {}) {
  const { width = 1366, height = 768, theme = "light", reducedMotion = "no-preference", offline = false } = options;
  const context = await (await launch()).newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion,
    offline,
  });
  const page = await context.newPage();
  if (options.init) await page.addInitScript(options.init);
  const base = options.url ? new URL(".", options.url).href : await baseUrl();
  const errors = [];
  const foreign = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(`${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => errors.push(`uncaught: ${error.message}`));
  page.on("requestfailed", (request) => errors.push(`failed: ${request.url()}`));
  context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !/^(data|blob):/.test(url)) foreign.push(url);
  });
  await page.goto(options.url ?? base + query);
  await page.waitForFunction(() => document.body.querySelector(":scope > :not(noscript, script)"));
  return { page, context, errors, foreign };
}

/** The page neither complained nor asked anybody but its own folder. */
export function assertQuiet({ errors, foreign }) {
  assert.deepEqual(errors, [], "console errors");
  assert.deepEqual(foreign, [], "requests outside the page's folder");
}

/**
 * The items of the stage's outline, in order, by the accessible name that Chromium computes: what a screen
 * reader says.
 */
export async function outline(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  return nodes.filter((node) => node.role?.value === "treeitem" && !node.ignored).map((node) => node.name?.value ?? "");
}

/** Waits until `accept` holds for the outline, and returns it; fails with what the outline was instead. */
export async function waitForOutline(page, what, accept, msMax = LIVE_MS_MAX) {
  const deadline = Date.now() + msMax;
  let items = [];
  for (;;) {
    items = await outline(page);
    if (accept(items)) return items;
    if (Date.now() > deadline) assert.fail(`after ${msMax} ms not yet: ${what}. The outline:\n${items.join("\n")}`);
    await page.waitForTimeout(50);
  }
}

/** The pods of the sample that the page opens on. */
export const web = (items) => podsOf(items, "default").filter(({ name }) => name.startsWith("web-"));

/** Three nodes are Ready and the sample's three pods Running. */
export const alive = (items) =>
  nodesOf(items).filter(({ status }) => status === "Ready").length === 3 &&
  web(items).filter(({ status }) => status === "Running").length === 3;

/** Opens the page and waits until its cluster is alive; `items` is the outline then. */
export async function play(query = "", options = {}) {
  const opened = await open(query, options);
  const items = await waitForOutline(opened.page, "three nodes Ready and three pods of web Running", alive);
  return { ...opened, items };
}

/** Presses the first button of a name. */
export const press = (page, name) => page.getByRole("button", { name, exact: true }).first().click();

/** Runs a line in the page's terminal. */
export async function type(page, line) {
  await press(page, "Terminal");
  await page.locator("#command").fill(line);
  await page.keyboard.press("Enter");
}

/** Replaces the text of the editor and applies it. */
export async function apply(page, yaml) {
  await press(page, "Editor");
  await page.getByLabel("YAML", { exact: true }).fill(yaml);
  await press(page, "Apply");
}

/** The violations that axe finds, one line each. Evaluated through the debugger, which no policy binds. */
export async function violations(page) {
  const { default: axe } = await import("axe-core");
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((n) => n.html).join("\n  ")}`);
}

/** Which node each pod sits on, read from the order of the outline: `{ "node-1": ["default/web-…"], … }`. */
export function placesOf(items) {
  const places = {};
  let node;
  for (const item of items) {
    const [first] = nodesOf([item]);
    const [pod] = podsOf([item]);
    if (first) places[(node = first.name)] = [];
    else if (pod) places[node]?.push({ ...pod, name: `${pod.namespace}/${pod.name}` });
    else if (!/^(kubelet|kube-proxy) of |more pods on /.test(item)) node = undefined;
  }
  return places;
}

/** `node-1, Ready` → `{ name, status }`. */
export function nodesOf(items) {
  return items.map((item) => /^(node-[^,\s]+), (.+)$/.exec(item)).filter(Boolean).map(([, name, status]) => ({ name, status }));
}

/** `pod default/web-abc, Running` → `{ namespace, name, status }`. */
export function podsOf(items, namespace) {
  const pods = items
    .map((item) => /^pod ([^/\s]+)\/([^,\s]+), (.+)$/.exec(item))
    .filter(Boolean)
    .map(([, namespace, name, status]) => ({ namespace, name, status }));
  return namespace === undefined ? pods : pods.filter((pod) => pod.namespace === namespace);
}
