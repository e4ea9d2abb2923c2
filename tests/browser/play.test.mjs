// The Play screen as a person uses it: by pointer, by keyboard, in the terminal, in the editor, by link.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertQuiet, baseUrl, close, nodesOf, open, podsOf, waitForOutline } from "./harness.mjs";

after(close);

const web = (items) => podsOf(items, "default").filter(({ name }) => name.startsWith("web-"));
const alive = (items) =>
  nodesOf(items).filter(({ status }) => status === "Ready").length === 3 &&
  web(items).filter(({ status }) => status === "Running").length === 3;

async function play(query = "", options = {}) {
  const opened = await open(query, options);
  const items = await waitForOutline(opened.page, "three nodes Ready and three pods of web Running", alive);
  return { ...opened, items };
}

const tab = (page, name) => page.getByRole("button", { name, exact: true }).first().click();

async function type(page, line) {
  await tab(page, "Terminal");
  await page.locator("#command").fill(line);
  await page.keyboard.press("Enter");
}

for (const [width, height] of [[1280, 720], [1366, 768], [1920, 1080]]) {
  test(`nothing scrolls, wraps or is too small at ${width} by ${height}`, async () => {
    const { page } = await play("", { width, height });
    for (const view of ["Cluster", "Deployment", "Service"]) {
      await tab(page, view);
      await page.waitForTimeout(300);
      const seen = await page.evaluate(measure);
      assert.deepEqual(seen.scroll, [0, 0], `${view}: the page scrolls`);
      assert.ok(seen.header <= 48, `${view}: the header is ${seen.header} px high`);
      assert.deepEqual(seen.small, [], `${view}: text below 12 px`);
      assert.deepEqual(seen.outside, [], `${view}: text that leaves its box`);
    }
  });
}

function measure() {
  const root = document.documentElement;
  const small = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement: element, data } = walker.currentNode;
    if (!data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
    if (parseFloat(getComputedStyle(element).fontSize) < 12) small.push(data.trim());
  }
  const outside = [];
  for (const item of document.querySelectorAll(".canvas .item:not(.line)")) {
    const box = item.querySelector(".box").getBoundingClientRect();
    for (const text of item.querySelectorAll("text")) {
      const own = text.getBoundingClientRect();
      if (own.width && (own.left < box.left - 1 || own.right > box.right + 1)) outside.push(text.textContent);
    }
  }
  return {
    scroll: [root.scrollWidth - innerWidth, root.scrollHeight - innerHeight].map((n) => Math.max(0, n)),
    header: document.querySelector("header").offsetHeight,
    small,
    outside,
  };
}

test("a telephone shows one column that does not scroll sideways", async () => {
  const { page } = await play("", { width: 390, height: 844 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} px too wide`);
});

test("a deleted pod comes back under another name", async () => {
  const opened = await play();
  const before = web(opened.items).map(({ name }) => name);
  await opened.page.locator(`[role=treeitem][data-key="pod/default/${before[0]}"]`).click();
  await opened.page.getByRole("button", { name: "Delete", exact: true }).click();
  await waitForOutline(
    opened.page,
    `${before[0]} gone and three pods of web Running`,
    (items) => alive(items) && !web(items).some(({ name }) => name === before[0]) && web(items).length === 3,
  );
  assertQuiet(opened);
});

test("the terminal answers, its names select, and the arrows bring lines back", async () => {
  const { page, items } = await play();
  const [{ name }] = web(items);
  await type(page, "kubectl get pods");
  await page.locator(".terminal pre button", { hasText: name }).click();
  await page.getByRole("heading", { name: new RegExp(`Pod default/${name}`) }).waitFor();
  await page.locator("#command").focus();
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.locator("#command").inputValue(), "kubectl get pods");
});

test("the inspector tells why a pod is there, back to who asked for it", async () => {
  const { page, items } = await play();
  await page.locator(`[role=treeitem][data-key="pod/default/${web(items)[0].name}"]`).click();
  await tab(page, "Why?");
  const causes = page.locator(".causes");
  for (const part of ["default-scheduler", "replicaset-controller"]) {
    await causes.getByText(part).first().waitFor();
  }
  await tab(page, "YAML");
  await page.locator("pre.yaml", { hasText: "kind: Pod" }).waitFor();
});

test("the editor applies, and shows what is wrong at its place", async () => {
  const { page } = await play();
  await tab(page, "Editor");
  await page.getByLabel("YAML", { exact: true }).fill("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  b: c\n");
  await tab(page, "Apply");
  await page.getByText("configmap/a created").waitFor();
  await page.getByLabel("YAML", { exact: true }).fill("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n   data: b\n");
  await tab(page, "Apply");
  await page.getByText(/Line \d+, column \d+/).waitFor();
});

test("an unplugged scheduler leaves a new pod without a node until it is plugged in", async () => {
  const { page } = await play();
  await page.getByText("Break", { exact: true }).click();
  await tab(page, "Unplug kube-scheduler");
  await waitForOutline(page, "the scheduler is off", (items) => items.includes("kube-scheduler, off"));
  await type(page, "kubectl scale deployment web --replicas=4");
  await waitForOutline(page, "one pod is Pending", (items) => web(items).some(({ status }) => status === "Pending"));
  await page.getByText("Break", { exact: true }).click();
  await tab(page, "Plug in kube-scheduler");
  await waitForOutline(page, "four pods are Running", (items) => web(items).filter(({ status }) => status === "Running").length === 4);
});

test("a machine without power is NotReady after its grace", async () => {
  const { page } = await play();
  await page.getByLabel("Speed").selectOption("64×");
  await page.getByText("Break", { exact: true }).click();
  await tab(page, "Switch node-2 off");
  await waitForOutline(page, "node-2 is NotReady", (items) => items.some((item) => /^node-2, NotReady/.test(item)));
});

test("a link opens the same cluster, and a damaged one says what is wrong", async () => {
  const { page, items } = await play();
  await type(page, "kubectl create deployment shared --image=nginx:1.27 --replicas=2");
  await waitForOutline(page, "two pods of shared", (items) => podsOf(items).filter(({ name }) => name.startsWith("shared-")).length === 2);
  await tab(page, "Pause");
  await tab(page, "Share");
  const link = await page.getByLabel("Link").inputValue();
  assert.ok(link.startsWith(`${await baseUrl()}#1`), link);
  const names = (items) => podsOf(items).map(({ namespace, name }) => `${namespace}/${name}`).sort();
  const fragment = link.slice(link.indexOf("#"));
  const again = await open(fragment);
  await waitForOutline(again.page, "the shared pods", (items) => names(items).some((name) => name.includes("/shared-")));
  const copy = names(await waitForOutline(again.page, "the first pods", (found) => web(found).length === web(items).length));
  for (const { name } of web(items)) assert.ok(copy.includes(`default/${name}`), `${name} is not in the copy`);
  const damaged = await open(`${fragment.slice(0, -3)}AAA`);
  await damaged.page.getByRole("alert").getByText(/link/).waitFor();
  await waitForOutline(damaged.page, "the default cluster", alive);
});

test("a request is followed hop by hop", async () => {
  const { page } = await play();
  await tab(page, "Traffic");
  await tab(page, "Send");
  await page.locator(".hops").getByText("DNS", { exact: true }).waitFor();
  await page.locator(".traffic").getByText(/200 OK from web-/).first().waitFor();
});

test("the stage is worked by keyboard while it has the focus", async () => {
  const { page } = await play();
  await page.getByRole("application").focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.locator(".item.selected").count(), 1);
  await page.keyboard.press(" ");
  await page.getByRole("button", { name: "Play", exact: true }).nth(1).waitFor();
  await page.keyboard.press("3");
  await page.locator("button[aria-pressed=true]", { hasText: "Service" }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".item.selected").count(), 0);
});

test("the lesson on self-healing starts, is solved, and goes on", async () => {
  const { page } = await open("#lesson/self-heal");
  await page.getByRole("heading", { name: "Self-healing" }).waitFor();
  await waitForOutline(page, "three pods of web Running", alive);
  assert.ok(await page.getByRole("button", { name: "Next step" }).isDisabled());
  await page.locator("button.command").first().click();
  await page.getByRole("button", { name: /ReplicaSet controller/ }).click();
  await page.waitForFunction(() => [...document.querySelectorAll("button")].some((b) => b.textContent === "Next step" && !b.disabled), undefined, { timeout: 30_000 });
});
