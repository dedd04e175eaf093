// What the pages have beside their links and forms: light and dark, the keyboard, the ticks of a list. Every page works without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const theme = stored();
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;

  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const typing = (at) => at.closest("input, textarea, select, dialog[open]") && !["checkbox", "radio"].includes(at.type);
  const rows = () => [...document.querySelectorAll("[data-rows] tr[data-row], [data-rows] li[data-row]")];

  // Where the keyboard stands: kept when a page that lives is drawn again.
  let stands = null;
  const leads = (row) => row.querySelector("a")?.getAttribute("href") ?? null;

  function step(by) {
    const all = rows();
    if (all.length === 0) return;
    const at = all.findIndex((row) => row.classList.contains("here"));
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    all.forEach((row) => row.classList.toggle("here", row === next));
    stands = leads(next);
    (next.querySelector("a") ?? next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const help = document.getElementById("help");
    switch (event.key) {
      case "/": {
        const find = document.querySelector("main input[type=search]") ?? document.querySelector("input[type=search]");
        if (find) { event.preventDefault(); find.focus(); find.select(); }
        break;
      }
      case "j": step(1); break;
      case "k": step(-1); break;
      case "?": if (help && !help.open) help.showModal(); break;
      case "h": location.href = "/"; break;
      case "r": location.href = "/runs"; break;
      case "p": location.href = "/patients"; break;
      default:
    }
  }

  function standAgain() {
    const all = rows();
    if (stands === null || all.some((row) => row.classList.contains("here"))) return;
    const row = all.find((one) => leads(one) === stands);
    if (!row) return;
    row.classList.add("here");
    if (document.activeElement === document.body) (row.querySelector("a") ?? row).focus({ preventScroll: true });
  }

  document.addEventListener("keydown", key);
  document.addEventListener("htmx:afterSwap", standAgain);
  document.addEventListener("click", (event) => {
    const at = event.target.closest("[data-does]");
    if (!at) return;
    if (at.dataset.does === "theme") {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* it lasts for this page */ }
    }
    if (at.dataset.does === "help") document.getElementById("help")?.showModal();
    if (at.dataset.does === "close") at.closest("dialog")?.close();
  });
  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-tick-all]");
    if (all) document.querySelectorAll("[data-tick]").forEach((one) => { one.checked = all.checked; });
    if (event.target.matches("[data-submits]")) event.target.form?.requestSubmit();
  });
  // The part of the page that is drawn anew, and what it shows. The server says when that moved; once a minute it is drawn anyway.
  const part = () => document.querySelector("[data-live]");
  // Where more than that part is drawn with it, all of the page counts.
  const drawn = (at) => (at.hasAttribute("hx-select-oob") ? at.closest("main") : at);
  const filling = "details[open] form, input:focus, textarea:focus, select:focus, [data-tick]:checked";
  const typed = (at) => [...at.querySelectorAll("input, textarea")].some((one) => one.type !== "hidden" && one.value !== one.defaultValue);
  const busy = (at) => drawn(at)?.querySelector(filling) || (drawn(at) && typed(drawn(at)));
  let stream = null;
  let again = 0;
  let failed = 0;
  let owed = 0;

  // Nothing is drawn anew while nobody looks, or while somebody fills in a form of the part that would be drawn.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden || busy(event.target)) event.preventDefault();
  });

  function moved() {
    clearTimeout(owed);
    const at = part();
    if (!at || document.hidden) return;
    if (busy(at)) owed = setTimeout(moved, 3000);
    else window.htmx?.trigger(at, "moved");
  }

  // Nor is what was on its way put there, where somebody has begun to fill in a form meanwhile: it is drawn later.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.target.matches("[data-live]")) return;
    if (!busy(event.target)) {
      kept = keep(drawn(event.target));
      return;
    }
    event.detail.shouldSwap = false;
    clearTimeout(owed);
    owed = setTimeout(moved, 3000);
  });

  // What somebody has unfolded stays so when it is drawn anew, and what they have folded too; the keyboard stays where it stood.
  // Each is known by what it is of, not by its place: something new may stand before it by then.
  const EMPTY = { open: new Map(), at: null };
  let kept = EMPTY;

  function folds(within) {
    const seen = new Map();
    return [...within.querySelectorAll("details")].map((fold) => {
      const around = fold.closest("[data-row], tr, li, section, article");
      const of = [
        fold.closest("[id]")?.id, fold.dataset.key ?? "", around?.querySelector("a[href]")?.getAttribute("href"),
        fold.querySelector("form")?.getAttribute("action"), fold.dataset.key ?? fold.querySelector("summary")?.textContent.trim(),
      ].join(" ");
      const nth = seen.get(of) ?? 0;
      seen.set(of, nth + 1);
      return [`${of} ${nth}`, fold];
    });
  }

  function keep(within) {
    const all = folds(within);
    const at = all.find(([, fold]) => fold.querySelector("summary") === document.activeElement);
    return { open: new Map(all.map(([key, fold]) => [key, fold.open])), at: at?.[0] ?? null };
  }

  document.addEventListener("htmx:afterSwap", () => {
    const at = part();
    if (kept === EMPTY || !at) return;
    for (const [key, fold] of folds(drawn(at))) {
      if (kept.open.has(key)) fold.open = kept.open.get(key);
      if (key === kept.at && document.activeElement === document.body) fold.querySelector("summary").focus({ preventScroll: true });
    }
  });
  document.addEventListener("htmx:afterSettle", () => { kept = EMPTY; });

  function hush() {
    clearTimeout(again);
    stream?.close();
    stream = null;
  }

  function listen() {
    hush();
    const of = part()?.dataset.live;
    if (!of || document.hidden || !window.EventSource) return;
    stream = new EventSource(`/live?of=${encodeURIComponent(of)}`);
    stream.addEventListener("open", () => { failed = 0; });
    stream.addEventListener("moved", moved);
    // Later and later, and not all pages at once. Whoever is not logged in any more is sent to where one logs in by the drawing.
    stream.addEventListener("error", () => {
      hush();
      failed += 1;
      again = setTimeout(listen, Math.min(60000, 1000 * 2 ** failed) * (0.5 + Math.random()));
      if (failed === 2) moved();
    });
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
  window.addEventListener("pagehide", hush);
  window.addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
  document.addEventListener("DOMContentLoaded", listen);
})();
