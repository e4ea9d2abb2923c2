// The outline of the stage: each node and pod of the live cluster is an item that a screen reader can name.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertQuiet, close, nodesOf, open, podsOf, waitForOutline } from "./harness.mjs";

after(close);

const allReady = (items) => nodesOf(items).length === 3 && nodesOf(items).every(({ status }) => status === "Ready");
const running = (items) => podsOf(items, "default").filter(({ status }) => status === "Running");

test("a first visit meets a running cluster: three nodes and the pods of a Deployment", async () => {
  const opened = await open();
  const items = await waitForOutline(
    opened.page,
    "three nodes Ready and three pods of a Deployment Running",
    (items) => allReady(items) && running(items).length >= 3,
  );
  assert.deepEqual(nodesOf(items).map(({ name }) => name).sort(), ["node-1", "node-2", "node-3"]);
  assertQuiet(opened);
});

test("every item has a name, and no two pods have the same", async () => {
  const { page } = await open();
  const items = await waitForOutline(page, "three pods Running", (items) => running(items).length >= 3);
  assert.deepEqual(items.filter((name) => name.trim() === ""), []);
  const names = podsOf(items).map(({ namespace, name }) => `${namespace}/${name}`);
  assert.deepEqual(names, [...new Set(names)]);
});

test("the items stand in one tree that has a name", async () => {
  const { page } = await open();
  await waitForOutline(page, "three nodes Ready", allReady);
  const trees = page.getByRole("tree");
  assert.equal(await trees.count(), 1);
  assert.notEqual((await trees.first().getAttribute("aria-label")) ?? (await trees.first().getAttribute("aria-labelledby")), null);
  const stray = await page.locator('[role="treeitem"]:not([role="tree"] [role="treeitem"])').count();
  assert.equal(stray, 0);
});
