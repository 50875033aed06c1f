(() => {
"use strict";
// The page works without this script. It adds local times and buttons that copy, and
// takes in a new page without closing what is open or moving what is read.
const every = Number(document.documentElement.dataset.refresh) * 1000;
const byId = (id) => document.getElementById(id);

function localTimes(scope) {
  if (new Date().getTimezoneOffset() === 0) return;
  for (const time of scope.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    const local = at.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short"});
    time.title = at.toLocaleString([], {timeZoneName: "short"});
    if (!time.classList.contains("both")) continue;
    const span = document.createElement("span");
    span.className = "quiet";
    span.textContent = " (" + local + ")";
    time.after(span);
  }
}

async function copy(pre) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
  } catch { // not allowed here, as on a page without TLS
    getSelection().selectAllChildren(pre);
    document.execCommand("copy");
    getSelection().removeAllRanges();
  }
}

function copyButtons(scope) {
  for (const pre of scope.querySelectorAll("pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await copy(pre);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    pre.after(button);
  }
}

function enhance(scope) {
  localTimes(scope);
  copyButtons(scope);
}

// twin is the element of the new page that has taken the place of an old one.
function twin(old, scope) {
  const place = old.closest("[id]");
  const within = place && scope.querySelector("#" + CSS.escape(place.id));
  if (!within) return null;
  const all = [...within.querySelectorAll(old.tagName)];
  return old.tagName === "SUMMARY" ? all[0] : all.find((e) => e.textContent === old.textContent);
}

// folds are the parts that open and close, by what stays the same in a new page.
function folds(scope) {
  const all = new Map(), counts = new Map();
  for (const details of scope.querySelectorAll("details")) {
    const place = details.id || details.parentElement.closest("[id]")?.id || "";
    const n = counts.get(place) ?? 0;
    counts.set(place, n + 1);
    all.set(place + " " + n, details);
  }
  return all;
}

function takeIn(next) {
  const main = document.querySelector("main"), fresh = next.querySelector("main");
  if (next.documentElement.dataset.version !== document.documentElement.dataset.version) {
    location.reload();
    return;
  }
  const now = folds(main);
  for (const [key, details] of folds(fresh)) {
    if (now.has(key)) details.open = now.get(key).open;
  }
  const read = [...main.querySelectorAll("[id]")].find((e) => e.getBoundingClientRect().bottom > 0);
  const top = read && read.getBoundingClientRect().top;
  const focus = main.contains(document.activeElement) && document.activeElement;
  enhance(fresh);
  main.replaceWith(fresh);
  if (focus) twin(focus, fresh)?.focus({preventScroll: true});
  const still = read && byId(read.id);
  if (still && scrollY > 0) scrollBy({top: still.getBoundingClientRect().top - top, behavior: "instant"});
  byId("when").replaceChildren(...next.getElementById("when").childNodes);
  localTimes(byId("when"));
  document.querySelector("link[rel=icon]").href = next.querySelector("link[rel=icon]").href;
  if (document.title !== next.title) {
    document.title = next.title;
    byId("said").textContent = fresh.querySelector("h1").textContent;
  }
}

async function refresh() {
  if (!document.hidden && getSelection().isCollapsed) { // what is being copied stays
    try {
      const answer = await fetch(location.href, {cache: "no-store", signal: AbortSignal.timeout(9000)});
      if (!answer.ok && answer.status !== 503) throw new Error(answer.status);
      takeIn(new DOMParser().parseFromString(await answer.text(), "text/html"));
      byId("stale").textContent = "";
    } catch {
      if (!byId("stale").textContent) byId("stale").textContent = "nodewatch does not answer: this page is no longer updated. It shows the report of " + byId("when").querySelector("time").textContent + ".";
    }
  }
  setTimeout(refresh, every);
}

enhance(document);
if (every > 0) setTimeout(refresh, every);
})();
