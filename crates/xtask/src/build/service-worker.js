// Keeps the files of one build, so that the page works without a network after its first visit.
// A visit asks the network first and so meets a new build at once; files with a hash in their names come from
// the cache. The files of an old build go when no page of it is open any more.
const BUILD = "BUILD_ID";
const FILES = ["FILES"];
const PREFIX = `orrery ${registration.scope} `;
const CACHE = PREFIX + BUILD;

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(["./", ...FILES])));
});

addEventListener("activate", (event) => {
  const dropOld = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await clients.claim();
  };
  event.waitUntil(dropOld());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(registration.scope)) return;
  const kept = async (key) => (await caches.open(CACHE)).match(key, { ignoreSearch: true });
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(async () => (await kept("./")) ?? Response.error()));
  } else {
    event.respondWith(kept(request).then((response) => response ?? fetch(request)));
  }
});
