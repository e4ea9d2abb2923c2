// The page as a visitor gets it: below a sub-path, under a strict policy, from its own folder alone.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertQuiet, baseUrl, close, nodesOf, open, waitForOutline } from "./harness.mjs";

after(close);

test("loads below a sub-path without a console error or a request to anybody else", async () => {
  const opened = await open();
  await opened.page.waitForLoadState("networkidle");
  assertQuiet(opened);
  assert.match(opened.page.url(), /\/sub\/path\/$/);
});

test("the policy of the page allows no inline script", async () => {
  const opened = await open();
  const policy = await opened.page.getAttribute('meta[http-equiv="Content-Security-Policy"]', "content");
  assert.match(policy, /script-src 'self' 'wasm-unsafe-eval';/);
  const response = await fetch(await baseUrl());
  assert.match(response.headers.get("content-security-policy"), /script-src 'self' 'wasm-unsafe-eval';/);
});

test("the worker's name holds a hash, so that no page meets an old worker", async () => {
  const { page } = await open();
  const loader = await page.getAttribute('meta[name="orrery-worker"]', "content");
  assert.match(loader, /^\.\/worker-[0-9a-f]{16}_loader\.js$/);
  const response = await fetch(new URL(loader, await baseUrl()));
  assert.equal(response.status, 200);
  assert.match(response.headers.get("cache-control"), /immutable/);
});

test("loads again with the network cut after the first visit", async () => {
  const { page, context, errors } = await open();
  const live = (items) => nodesOf(items).some((node) => node.status === "Ready");
  await waitForOutline(page, "a node is Ready on the first visit", live);
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) {
      await new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve));
    }
  });
  await context.setOffline(true);
  await page.reload();
  await page.waitForFunction(() => document.body.querySelector(":scope > :not(noscript, script)"));
  const build = await page.getAttribute('meta[name="orrery-build"]', "content");
  assert.match(build, /^[0-9a-f]{16}$/);
  await waitForOutline(page, "a node is Ready without a network", live);
  assert.deepEqual(errors, []);
});
