// node tests/browser/bench.mjs URL NODES PODS
// Opens the page with `?bench=NODES/PODS`, whose worker builds that cluster at full speed and leaves its
// figures in `window.__bench`, and prints them with the wall time and the memory that Chromium saw.

import { close, open } from "./harness.mjs";

const WAIT_MS_MAX = 15 * 60 * 1000;

const [url, nodes, pods] = process.argv.slice(2);
if (!pods) {
  console.error("node tests/browser/bench.mjs URL NODES PODS");
  process.exit(2);
}

const start = performance.now();
const { page, errors } = await open("", { url: `${url}?bench=${nodes}/${pods}` });
await page.waitForFunction(() => window.__bench !== undefined, undefined, { timeout: WAIT_MS_MAX, polling: 50 });
const wallMs = Math.round(performance.now() - start);
const figures = await page.evaluate(() => window.__bench);
const result = typeof figures === "string" ? JSON.parse(figures) : figures;
console.log(JSON.stringify({ nodes: Number(nodes), pods: Number(pods), pageMs: wallMs, ...result }, undefined, 2));
for (const error of errors) console.error(error);
await close();
process.exitCode = errors.length > 0 || result.error ? 1 : 0;
