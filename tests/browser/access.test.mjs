// For those who see little, hear the page, use no mouse, or get unwell from motion.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { alive, apply, assertQuiet, close, open, play, podsOf, press, type, violations, waitForOutline, web } from "./harness.mjs";

after(close);

/** Every screen, and how to get there from the one before. */
const SCREENS = [
  ["start", async () => {}],
  ["Deployment", (page) => press(page, "Deployment")],
  ["Service", (page) => press(page, "Service")],
  ["the diagram as a table", (page) => press(page, "Table")],
  ["the cluster as a table", (page) => press(page, "Cluster")],
  ["the cluster", (page) => press(page, "Table")],
  ["a selected pod", (page) => page.getByRole("treeitem", { name: /^pod default\/web-/ }).first().click()],
  ["its YAML", (page) => press(page, "YAML")],
  ["its events", (page) => page.getByRole("button", { name: /^Events/ }).click()],
  ["its causes", (page) => press(page, "Why?")],
  ["an answer in the terminal", (page) => type(page, "kubectl get pods")],
  ["a failure in the terminal", (page) => type(page, "kubectl get pod nobody")],
  ["a problem in the editor", (page) => apply(page, "a: b\n  c: d\n")],
  ["a request", async (page) => {
    await press(page, "Traffic");
    await press(page, "Send");
    await page.locator(".hops").getByText("DNS").first().waitFor();
  }],
  ["the faults", (page) => page.getByText("Break", { exact: true }).click()],
  ["something broken", async (page) => {
    await press(page, "Unplug kube-scheduler");
    await page.keyboard.press("Escape");
  }],
  ["the legend", (page) => page.getByText("Legend", { exact: true }).click()],
  ["the keys", (page) => press(page, "Keys")],
  ["what is modelled", async (page) => {
    await press(page, "Close");
    await page.getByRole("button", { name: /simulation/i }).click();
  }],
  ["a link", async (page) => {
    await press(page, "Close");
    await press(page, "Share");
    await page.getByLabel("Link").waitFor();
  }],
  ["the lessons", async (page) => {
    await press(page, "Close");
    await press(page, "Learn");
  }],
  ["a lesson", async (page) => {
    await page.getByRole("button", { name: /^Start Self-healing/ }).click();
    await page.getByRole("heading", { name: "Self-healing" }).waitFor();
    await waitForOutline(page, "the lesson's cluster", alive);
  }],
  ["a refused link", async (page) => {
    await page.goto("about:blank");
    await page.goto(`${page.orrery}#1junk`);
    await page.getByRole("alert").waitFor();
  }],
  ["a crash", async (page) => {
    await type(page, "orrery crash");
    await page.getByRole("heading", { name: "The model stopped" }).waitFor();
  }],
];

for (const theme of ["light", "dark"]) {
  test(`axe finds nothing on any screen in the ${theme} theme`, async (t) => {
    const { page } = await play("", { theme, reducedMotion: "reduce" });
    page.orrery = page.url();
    for (const [name, go] of SCREENS) {
      await t.test(name, async () => {
        await go(page);
        assert.deepEqual(await violations(page), []);
      });
    }
  });
}

test("at 320 px nothing but the stage has to be scrolled sideways", async (t) => {
  const { page } = await play("", { width: 320, height: 640 });
  page.orrery = page.url();
  for (const [name, go] of SCREENS) {
    await t.test(name, async () => {
      await go(page);
      const wide = await page.evaluate(() => {
        const over = document.documentElement.scrollWidth - innerWidth;
        const inside = (element) => {
          for (let e = element; e; e = e.parentElement) if (["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)) return true;
          return false;
        };
        const all = [...document.querySelectorAll("button, summary, input, select, textarea, p, h1, h2, h3")];
        const outside = all.filter((e) => e.offsetWidth && e.getBoundingClientRect().right > innerWidth + 1 && !inside(e));
        return { over, outside: outside.map((e) => e.outerHTML.slice(0, 100)) };
      });
      assert.deepEqual(wide, { over: 0, outside: [] });
    });
  }
});

test("every control is at least 24 px high and wide, but for links inside of text", async () => {
  const { page } = await play();
  await page.getByRole("treeitem", { name: /^pod default\/web-/ }).first().click();
  await page.getByRole("button", { name: "Delete", exact: true }).waitFor();
  const small = await page.evaluate(() => {
    const all = [...document.querySelectorAll("button:not(.link), summary, select, input, [role=treeitem], .item:not(.line)")];
    const seen = all.filter((e) => e.getClientRects().length > 0);
    const box = (e) => (e.querySelector(":scope > .box") ?? e).getBoundingClientRect();
    return seen.filter((e) => box(e).width < 24 || box(e).height < 24).map((e) => e.outerHTML.slice(0, 120));
  });
  assert.deepEqual(small, []);
});

/** What has the focus: its role in words, its name, its part of the page, and whether one sees that it has it. */
function focused() {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element);
  const part = element.closest("header, .rail, .stage, .inspector, .dock, .timeline");
  return {
    name: element.ariaLabel ?? element.labels?.[0]?.textContent ?? element.textContent.trim().slice(0, 40),
    part: part?.className.split(" ")[0] || part?.tagName.toLowerCase(),
    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
  };
}

test("the tabulator goes through everything once, part by part, and one sees where it is", async () => {
  const { page } = await play();
  const stops = [];
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(focused);
    if (!stop) break;
    stops.push(stop);
  }
  assert.ok(stops.length > 20 && stops.length < 120, `${stops.length} stops`);
  assert.deepEqual(stops.filter(({ seen }) => !seen), []);
  const parts = stops.map(({ part }) => part).filter((part, i, all) => part !== all[i - 1]);
  assert.deepEqual(parts, ["top", "rail", "stage", "inspector", "dock", "timeline"].filter((part) => parts.includes(part)));
  const names = stops.map(({ name }) => name);
  for (const name of ["Play", "Learn", "Break", "Share", "Keys", "Cluster", "Deployment", "Service", "Legend", "Terminal", "Editor", "Traffic", "Pause", "Step"]) {
    assert.ok(names.includes(name), `${name} is not reached: ${names.join(" | ")}`);
  }
});

test("a pod is deleted, a text applied and a node switched off without a mouse", async () => {
  const opened = await play();
  const { page } = opened;
  const key = async (...names) => {
    for (const name of names) await page.keyboard.press(name);
  };
  /** Tabs until the focused control has this name. */
  const tabTo = async (name, step = "Tab") => {
    for (let i = 0; i < 120; i++) {
      await page.keyboard.press(step);
      if ((await page.evaluate(focused))?.name === name) return;
    }
    assert.fail(`${name} is not reached with ${step}`);
  };
  await page.keyboard.press("/");
  await page.waitForFunction(() => document.activeElement?.id === "command");
  await page.keyboard.type("kubectl create deployment typed --image=nginx:1.27");
  await page.keyboard.press("Enter");
  const settled = (items) => podsOf(items).some(({ name, status }) => name.startsWith("typed-") && status.startsWith("Running")) && web(items).length === 3;
  const rows = await waitForOutline(page, "a pod of typed", settled);

  await tabTo("node-1, Ready", "Shift+Tab");
  const at = rows.findIndex((item) => item === "node-1, Ready");
  const pod = rows.findIndex((item) => item.startsWith("pod default/web-"));
  await key(...Array(pod - at).fill("ArrowDown"));
  const chosen = await page.evaluate(() => document.activeElement.ariaLabel);
  assert.match(chosen, /^pod default\/web-/);
  await tabTo("Delete");
  await page.keyboard.press("Enter");
  const name = /web-[^,]+/.exec(chosen)[0];
  await waitForOutline(page, `${name} is replaced`, (items) => alive(items) && !web(items).some((pod) => pod.name === name));

  await tabTo("Editor", "Shift+Tab");
  await page.keyboard.press("Enter");
  await tabTo("YAML");
  await key("Control+A");
  await page.keyboard.insertText("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: typed\n");
  await key("Control+Enter");
  await page.getByText("configmap/typed created").waitFor();

  await tabTo("Break", "Shift+Tab");
  await key("Enter");
  await tabTo("Switch node-2 off");
  await key("Enter", "Escape");
  await page.getByLabel("Speed").selectOption("64×");
  await waitForOutline(page, "node-2 is NotReady", (items) => items.some((item) => item.startsWith("node-2, NotReady")));
  assertQuiet(opened);
});

test("a window keeps the keyboard, closes with Escape and gives the focus back", async () => {
  const { page } = await play();
  await page.getByRole("button", { name: "Keys", exact: true }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Keys" });
  await dialog.waitFor();
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.activeElement === document.body || !!document.activeElement.closest("dialog")));
  }
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" }).catch(() => dialog.waitFor({ state: "hidden" }));
  await page.waitForFunction(() => document.activeElement?.textContent === "Keys");
});

test("single keys can be turned off", async () => {
  const { page } = await play();
  await press(page, "Keys");
  await page.getByLabel("Single keys are on").uncheck();
  await press(page, "Close");
  await page.getByRole("application").focus();
  await page.keyboard.press("3");
  await page.keyboard.press("/");
  await page.waitForTimeout(200);
  assert.equal(await page.locator("button[aria-pressed=true]", { hasText: "Cluster" }).count(), 1);
  assert.notEqual(await page.evaluate(() => document.activeElement?.id), "command");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.locator(".item.selected").count(), 1, "keys without a letter still work");
});

test("less motion: nothing travels, and what happened is marked where it ended", async () => {
  const { page } = await play("", { reducedMotion: "reduce" });
  await type(page, "kubectl delete pod -l app=web --wait=false");
  const seen = await page.evaluate(async () => {
    const places = new Map();
    for (const until = performance.now() + 3_000; performance.now() < until; ) {
      for (const dot of document.querySelectorAll(".travel circle")) {
        const all = places.get(dot) ?? places.set(dot, new Set()).get(dot);
        if (dot.hasAttribute("transform")) all.add(dot.getAttribute("transform"));
      }
      await new Promise(requestAnimationFrame);
    }
    const moving = [...document.querySelectorAll(".item")].filter((e) => parseFloat(getComputedStyle(e).transitionDuration) > 0);
    return { dots: places.size, places: Math.max(...[...places.values()].map((all) => all.size)), moving: moving.length };
  });
  assert.ok(seen.dots > 0, "something happened");
  assert.equal(seen.places, 1, "a dot was in several places");
  assert.equal(seen.moving, 0);
});

test("what happens is told politely, at most once in a second and a half", async () => {
  const { page } = await play();
  const log = page.getByRole("log");
  assert.equal(await log.getAttribute("aria-live"), "polite");
  await page.evaluate(() => {
    globalThis.__told = [];
    const note = (changes) => {
      const added = changes.reduce((sum, change) => sum + change.addedNodes.length, 0);
      if (added > 0) globalThis.__told.push({ at: performance.now(), added });
    };
    new MutationObserver(note).observe(document.querySelector("[role=log]"), { childList: true });
  });
  await page.getByLabel("Speed").selectOption("16×");
  await type(page, "kubectl scale deployment web --replicas=12");
  await page.waitForTimeout(4_000);
  await type(page, "kubectl scale deployment web --replicas=2");
  await page.waitForTimeout(4_500);
  const told = await page.evaluate(() => globalThis.__told);
  assert.ok(told.length >= 2, "several messages were told");
  assert.deepEqual(told.filter(({ added }) => added > 1), []);
  const gaps = told.slice(1).map(({ at }, i) => at - told[i].at);
  assert.ok(Math.min(...gaps) >= 1_500, `${gaps.map(Math.round)} ms between messages`);
});
