(() => {
"use strict";
// The page works without this script. It adds local times, names the day under the
// pointer or chosen by the keyboard, and takes in a new page every half minute.
const every = 30000;

function localTimes(scope) {
  for (const time of scope.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!isNaN(at)) time.title = at.toLocaleString([], {timeZoneName: "short"});
  }
}

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);

// rows are what is said of days that were not operational, by date.
function rows(bar) {
  const all = new Map();
  const table = bar.parentElement.querySelector(".days table");
  for (const row of table ? table.tBodies[0].rows : []) all.set(row.cells[0].textContent, row.cells[1].textContent);
  return all;
}

function dayText(bar, n) {
  const date = new Date(bar.dataset.from + "T12:00:00Z");
  date.setUTCDate(date.getUTCDate() + n);
  const day = date.toISOString().slice(0, 10), letter = bar.dataset.days[n];
  return day + ": " + (letter === "o" ? "Operational" : letter === "-" ? "No record" : rows(bar).get(day) ?? "Not operational");
}

function show(bar, n) {
  const box = bar.getBoundingClientRect(), count = bar.dataset.days.length;
  n = Math.max(0, Math.min(count - 1, n));
  bar.day = n;
  tip.textContent = dayText(bar, n);
  tip.hidden = false;
  const x = box.left + (n + 0.5) / count * box.width, half = tip.offsetWidth / 2;
  tip.style.left = Math.max(4, Math.min(innerWidth - tip.offsetWidth - 4, x - half)) + "px";
  tip.style.top = box.top + scrollY - tip.offsetHeight - 6 + "px";
  return tip.textContent;
}

function bars(scope) {
  for (const bar of scope.querySelectorAll("svg.bar")) {
    const at = (event) => Math.floor((event.clientX - bar.getBoundingClientRect().left) / bar.getBoundingClientRect().width * bar.dataset.days.length);
    const name = bar.getAttribute("aria-label"), last = bar.dataset.days.length - 1;
    bar.addEventListener("pointermove", (event) => show(bar, at(event)));
    bar.addEventListener("pointerdown", (event) => show(bar, at(event)));
    bar.addEventListener("pointerleave", () => { tip.hidden = true; });
    bar.tabIndex = 0;
    bar.setAttribute("role", "slider");
    bar.setAttribute("aria-valuemin", "0");
    bar.setAttribute("aria-valuemax", String(last));
    const choose = (n) => {
      const text = show(bar, n);
      bar.setAttribute("aria-valuenow", String(bar.day));
      bar.setAttribute("aria-valuetext", text);
    };
    bar.setAttribute("aria-valuenow", String(last));
    bar.setAttribute("aria-valuetext", dayText(bar, last));
    bar.setAttribute("aria-label", name);
    bar.addEventListener("focus", () => choose(bar.day ?? last));
    bar.addEventListener("blur", () => { tip.hidden = true; });
    bar.addEventListener("keydown", (event) => {
      const now = bar.day ?? last;
      const to = {ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, PageDown: now - 7, PageUp: now + 7, Home: 0, End: last}[event.key];
      if (event.key === "Escape") tip.hidden = true;
      if (to === undefined) return;
      event.preventDefault();
      choose(to);
    });
  }
}

function takeIn(next) {
  const main = document.querySelector("main"), fresh = next.querySelector("main");
  if (!fresh) return;
  for (const details of fresh.querySelectorAll("details[id]")) {
    const now = document.getElementById(details.id);
    if (now) details.open = now.open;
  }
  const focused = main.contains(document.activeElement) ? document.activeElement : null;
  const place = focused && [...main.querySelectorAll(focused.tagName)].indexOf(focused);
  main.replaceWith(fresh);
  localTimes(fresh);
  bars(fresh);
  if (focused) fresh.querySelectorAll(focused.tagName)[place]?.focus({preventScroll: true});
  document.querySelector("footer")?.replaceWith(next.querySelector("footer"));
  if (document.title !== next.title) {
    document.title = next.title;
    const live = document.getElementById("live");
    if (live) live.textContent = "Changed: " + next.title;
  }
}

async function refresh() {
  if (!document.hidden && getSelection().isCollapsed && tip.hidden && !document.querySelector("main details.days[open]")) {
    try {
      const answer = await fetch(location.href, {cache: "no-cache", signal: AbortSignal.timeout(9000)});
      if (answer.ok) takeIn(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      const live = document.getElementById("live");
      if (live) live.textContent = "This page cannot be updated now.";
    }
  }
  setTimeout(refresh, every);
}

localTimes(document);
bars(document);
if (location.protocol !== "file:") setTimeout(refresh, every);
})();
