// On visits: where one is, for check-in and check-out; photos that wait in the browser until there is a connection.
// Where the page is not behind TLS (or on this machine) nothing of it works, and forms are sent as they are.
"use strict";
(() => {
  const DAY = 24 * 3600 * 1000, AGAIN = 20000;
  const one = (what, where = document) => where.querySelector(what);
  const list = one("#queue");
  if (!isSecureContext || !window.indexedDB || !crypto.subtle || !list) return;
  const words = list.dataset;

  // ── where one is: as far as the browser may say it, within eight seconds ──
  const place = () => new Promise((done) => {
    if (!navigator.geolocation) return done("");
    const given = setTimeout(done, 9000, "");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => { clearTimeout(given); done(`${coords.latitude.toFixed(5)},${coords.longitude.toFixed(5)}`); },
      () => { clearTimeout(given); done(""); },
      { timeout: 8000, maximumAge: 60000 });
  });
  for (const form of document.querySelectorAll("form[data-locate]")) form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    one("[name='data.place']", form).value = await place();
    form.submit();
  });

  // ── what waits: a photo by its hash and its visit, of whoever is logged in; sealed with a key that only pages bring ──
  const key = crypto.subtle.importKey(
    "raw", Uint8Array.from(atob(words.key), (one) => one.charCodeAt(0)), "AES-GCM", false, ["encrypt", "decrypt"]);
  list.removeAttribute("data-key");
  const as = (photo, iv) => ({ name: "AES-GCM", iv, additionalData: new TextEncoder().encode(photo.key) });
  const sealed = async (photo, bytes) => {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    return { iv, bytes: await crypto.subtle.encrypt(as(photo, iv), await key, bytes) };
  };
  const opened = async (photo, part) => crypto.subtle.decrypt(as(photo, part.iv), await key, part.bytes);
  const kept = new Promise((done, failed) => {
    const asked = indexedDB.open("casework", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("photos", { keyPath: "key" });
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
  const ask = async (mode, work) => {
    const store = (await kept).transaction("photos", mode).objectStore("photos");
    return new Promise((done, failed) => {
      const asked = work(store);
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => failed(asked.error);
    });
  };
  const all = () => ask("readonly", (store) => store.getAll());
  const keep = (photo) => ask("readwrite", (store) => store.put(photo));
  const drop = (photo) => ask("readwrite", (store) => store.delete(photo.key));
  const ended = (photo, state, why = "") => keep({ ...photo, file: null, told: null, state, why });

  const show = async () => {
    const items = (await all()).sort((a, b) => a.at - b.at).map((photo) => {
      const item = document.createElement("li");
      item.className = photo.state;
      const time = new Date(photo.at).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
      item.textContent = `${photo.visit} · ${time} · ${words[photo.state]}${photo.why}`;
      return item;
    });
    list.replaceChildren(...items);
  };

  // ── sent once: the server answers the same photo again as the first time ──
  const send = async (photo) => {
    const form = new FormData();
    form.append("form_token", words.token);
    try {
      const told = JSON.parse(new TextDecoder().decode(await opened(photo, photo.told)));
      for (const name of ["shows", "consent", "taken_at", "photo", "place", "device"]) form.append(name, told[name]);
      form.append("file", new Blob([await opened(photo, photo.file)]), "photo");
    } catch { return ended(photo, "dropped"); }  // sealed with another key: nobody opens it any more
    await keep({ ...photo, state: "sending" });
    await show();
    let answer;
    try {
      answer = await fetch(`/console/visits/${photo.visit}/photos`, {
        method: "POST", body: form, mode: "same-origin", redirect: "manual", headers: { Accept: "application/json" } });
    } catch { return keep({ ...photo, state: "waiting" }); }
    if (answer.ok) return ended(photo, "sent");
    const told = await answer.json().catch(() => null);
    if (!told || answer.status >= 500 || answer.status === 429) {
      const out = answer.type === "opaqueredirect" || answer.status === 403;
      return keep({ ...photo, state: out ? "logIn" : "waiting" });
    }
    return ended(photo, "refused", document.documentElement.lang === "en" ? told.detail : told.detail_zh);
  };
  let later = 0;
  const flush = () => navigator.locks.request("casework photos", async () => {
    for (const photo of await all()) {
      if (photo.staff !== words.staff) await drop(photo);
      else if (photo.file && Date.now() - photo.at > DAY) await ended(photo, "dropped");
      else if (photo.file && navigator.onLine) await send(photo);
    }
    await show();
    clearTimeout(later);
    if ((await all()).some((photo) => photo.file)) later = setTimeout(flush, AGAIN);
  });
  addEventListener("online", flush);

  // ── taken: hashed, timed and placed at once ──
  const form = one("#photo");
  if (form) {
    const input = one("[type=file]", form);
    let taking = null;
    const take = async (file) => {
      const bytes = await file.arrayBuffer(), hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      const taken = file.lastModified > 0 && file.lastModified < Date.now() ? file.lastModified : Date.now();
      return {
        bytes, photo: "sha256:" + [...hash].map((part) => part.toString(16).padStart(2, "0")).join(""),
        taken_at: new Date(taken).toISOString(), place: await place(),
        device: (/\(([^)]*)\)/.exec(navigator.userAgent) || ["", ""])[1].slice(0, 100) };
    };
    input.addEventListener("change", () => { taking = input.files[0] ? take(input.files[0]) : null; });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!taking) return;
      const button = one("button", form);
      button.disabled = true;
      const typed = Object.fromEntries(["shows", "consent"].map((name) => [name, form.elements[name].value]));
      const { bytes, ...told } = { ...await taking, ...typed };
      const photo = { visit: form.dataset.visit, staff: words.staff, at: Date.now(), state: "waiting", why: "" };
      photo.key = `${photo.visit}:${told.photo}`;
      if (bytes.byteLength > Number(form.dataset.most)) await ended(photo, "refused", words.tooLarge);
      else {
        const text = new TextEncoder().encode(JSON.stringify(told));
        await keep({ ...photo, file: await sealed(photo, bytes), told: await sealed(photo, text) });
      }
      taking = null;
      button.disabled = false;
      form.reset();
      await show();
      flush();
    });
  }

  // What was said of earlier ones is gone when the page is opened again; what waits goes on.
  (async () => {
    for (const photo of await all()) if (!photo.file) await drop(photo);
    flush();
  })();
})();
