// Speed and keys only: every page works without this.
"use strict";
(() => {
  const one = (what, where = document) => where.querySelector(what);
  const all = (what, where = document) => [...where.querySelectorAll(what)];

  // ── lists by keys ──
  let at = -1;
  const rows = () => all("[data-rows] [data-row]");
  const go = (to) => {
    const list = rows();
    if (!list.length) return;
    if (list[at]) list[at].classList.remove("at-row");
    at = Math.max(0, Math.min(list.length - 1, to));
    list[at].classList.add("at-row");
    list[at].scrollIntoView({ block: "nearest" });
  };
  if (one("[data-rows=first]")) go(0);
  const open = (row) => one("a", row)?.click();
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, dialog, [contenteditable]");
    const form = event.target.form;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form) {
      // Saved and on to the next; what is chosen by a button of its own is chosen by its key.
      if ("choose" in form.dataset) return event.target.blur();
      const next = one("[data-onward]", form);
      if (next) next.value = next.dataset.onward;
      return form.requestSubmit();
    }
    if (typing && event.key === "Escape") return event.target.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return undefined;
    // What a key is printed beside: the first that may be pressed, or is typed into; in the chosen row, if it is there.
    const key = CSS.escape(event.key), row = rows()[at];
    const first = (what) => (row && one(what, row)) || one(what);
    const press = first(`[data-press="${key}"]:not(:disabled)`);
    const into = first(`[data-press-focus="${key}"]`);
    if (press) press.click();
    else if (into) {
      const box = into.closest("details");
      if (box) box.open = true;
      const spot = into === box ? one("select, textarea, input:not([type=hidden])", box) : into;
      spot.focus();
      spot.select?.();
    }
    else if (event.key === "j") go(at + 1);
    else if (event.key === "k") go(at - 1);
    else if (event.key === "Enter" && rows()[at] && !event.target.closest("a, button, summary")) open(rows()[at]);
    else if (event.key === "?") one("#keys").showModal();
    else if (event.key === "/") {
      const find = one("[data-find]");
      if (find) find.focus(); else location.href = "/console/find";
    } else return undefined;
    return event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const row = event.target.closest("[data-row]");
    if (row && row.dataset.row !== "stay" && !event.target.closest("a, button, input, form") && !String(getSelection())) open(row);
    const id = event.target.closest("[data-copy]");
    if (id && navigator.clipboard) navigator.clipboard.writeText(id.dataset.copy);
    for (const menu of all(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  // ── what was shown in clear replaces what was masked, here, until the page is left ──
  document.addEventListener("submit", async (event) => {
    const form = event.target, place = form.dataset.inPlace;
    if (!place) return;
    event.preventDefault();
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), mode: "same-origin" });
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(place);
    if (made && answer.ok) document.getElementById(place).replaceWith(document.adoptNode(made));
    else form.submit();
  });
  // Nothing is sent twice by an impatient hand.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    if (event.target.dataset.sent) event.preventDefault();
    else if (event.target.method === "post") event.target.dataset.sent = "yes";
  });

  // ── a form that came back: look at what is wrong first; a place inside something folded: unfold it ──
  one("[data-focus]")?.focus();
  const named = () => {
    const box = location.hash && document.getElementById(location.hash.slice(1))?.closest("details");
    if (box) box.open = true;
  };
  addEventListener("hashchange", named);
  named();

  // ── what was typed outlives a reload of its page, and nothing else ──
  const typed = new Set();
  const named_ = (field) => field.id || `${field.form.getAttribute("action")} ${field.name}`;
  addEventListener("input", ({ target }) => {
    if (target.form?.method === "post" && !/^(password|file)$/.test(target.type) && target.autocomplete !== "one-time-code") typed.add(target);
  });
  addEventListener("pagehide", () => {
    const kept = [...typed].map((field) => [named_(field), field.type === "checkbox" ? field.checked : field.value]);
    if (kept.length) sessionStorage.setItem("typed", JSON.stringify([location.pathname, kept]));
  });
  const kept = JSON.parse(sessionStorage.getItem("typed") || "[]");
  sessionStorage.removeItem("typed");
  if (kept[0] === location.pathname && performance.getEntriesByType("navigation")[0]?.type === "reload")
    for (const field of all("form[method=post] [name]")) {
      const found = kept[1].find(([name]) => name === named_(field));
      if (!found) continue;
      if (field.type === "checkbox") field.checked = found[1]; else field.value = found[1];
      typed.add(field);
      const box = field.closest("details");
      if (box) box.open = true;
    }

  // ── where one is, on a narrow window ──
  one(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // ── work that runs behind ──
  const refresh = async () => {
    const running = one("[data-refresh]");
    if (!running) return;
    await new Promise((done) => setTimeout(done, running.dataset.refresh * 1000));
    try {
      const answer = await fetch(location.href);
      const made = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      if (made && answer.ok) one("main").replaceWith(document.adoptNode(made));
    } catch { /* the next time */ }
    refresh();
  };
  refresh();

  // ── while somebody types, their log-in goes on ──
  let told = Date.now();
  addEventListener("input", () => {
    if (document.body.dataset.alive && Date.now() - told > 120000) {
      told = Date.now();
      fetch(document.body.dataset.alive, { mode: "same-origin" });
    }
  });
})();
