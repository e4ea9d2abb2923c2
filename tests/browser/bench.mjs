// node tests/browser/bench.mjs URL NODES/PODS…
// Opens the page with `?bench=NODES/PODS`, whose worker builds that cluster at full speed and leaves its figures in
// `window.__bench`. Prints them with the time since opening and the longest pause between two frames of the page, as
// JSON, or as a table for several sizes.

import { close, open } from "./harness.mjs";

const WAIT_MS_MAX = 15 * 60 * 1000;

const [url, ...sizes] = process.argv.slice(2);
if (sizes.length === 0) {
  console.error("node tests/browser/bench.mjs URL NODES/PODS…");
  process.exit(2);
}

function watchFrames() {
  let last = performance.now();
  window.__longestFrameMs = 0;
  const frame = (now) => {
    window.__longestFrameMs = Math.max(window.__longestFrameMs, now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

async function measure(size) {
  const start = performance.now();
  const { page, errors } = await open("", { url: `${url}?bench=${size}`, init: watchFrames });
  await page.waitForFunction(() => window.__bench !== undefined, undefined, { timeout: WAIT_MS_MAX, polling: 50 });
  const page_ms = Math.round(performance.now() - start);
  const [figures, longest] = await page.evaluate(() => [window.__bench, window.__longestFrameMs]);
  const result = typeof figures === "string" ? JSON.parse(figures) : figures;
  await close();
  for (const error of errors) console.error(error);
  if (errors.length > 0 || result.error) process.exitCode = 1;
  return { ...result, page_ms, longest_frame_ms: Math.round(longest) };
}

if (sizes.length === 1) {
  console.log(JSON.stringify(await measure(sizes[0]), undefined, 2));
} else {
  console.log("| nodes | pods | wall s to all Running | pods/s | memory MiB | virtual s | idle: virtual s per s | longest frame ms |");
  console.log("|--:|--:|--:|--:|--:|--:|--:|--:|");
  for (const size of sizes) {
    const f = await measure(size);
    const cells = [
      f.nodes,
      f.pods,
      f.wall_s.toFixed(2),
      Math.round(f.pods_per_s),
      Math.round(f.memory_bytes / 2 ** 20),
      f.virtual_s.toFixed(1),
      f.idle_speed,
      f.longest_frame_ms,
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}
