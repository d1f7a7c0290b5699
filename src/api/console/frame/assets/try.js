// The API's pages: send a call as it is described, show what is answered. The key stays in this tab.
(() => {
  const box = document.querySelector(".trying"), key = document.getElementById("key"), kept = "casework-key";
  const said = box.dataset;
  box.hidden = false;
  key.value = sessionStorage.getItem(kept) || "";
  key.onchange = () => sessionStorage.setItem(kept, key.value.trim());
  document.getElementById("forget").onclick = () => { key.value = ""; sessionStorage.removeItem(kept); };

  const call = form => {
    let path = form.dataset.path;
    const query = new URLSearchParams(), headers = {};
    for (const one of form.querySelectorAll("[data-in]")) {
      const value = one.value, place = one.dataset.in;
      if (place === "path") path = path.replace(`{${one.name}}`, value.split("/").map(encodeURIComponent).join("/"));
      else if (value && place === "query") query.append(one.name, value);
      else if (value && place === "header") headers[one.name] = value;
    }
    if (key.value.trim()) headers.Authorization = `Bearer ${key.value.trim()}`;
    const text = form.querySelector("[data-in=body]"), parts = form.querySelectorAll("[data-in=part]");
    let body;
    if (text && text.value.trim()) { body = text.value; headers["Content-Type"] = text.dataset.media; }
    if (parts.length) {
      body = new FormData();
      for (const one of parts) {
        if (one.type === "file") { if (one.files[0]) body.append(one.name, one.files[0]); }
        else if (one.value) body.append(one.name, one.value);
      }
    }
    const asked = query.toString();
    return { method: form.dataset.method, url: path + (asked ? `?${asked}` : ""), headers, body };
  };

  const quoted = text => `'${text.replaceAll("'", "'\\''")}'`;
  const curl = ({ method, url, headers, body }) => {
    const parts = [`curl -i -X ${method} ${quoted(location.origin + url)}`];
    for (const [name, value] of Object.entries(headers))
      parts.push(name === "Authorization" ? '-H "Authorization: Bearer $CASEWORK_TOKEN"' : `-H ${quoted(`${name}: ${value}`)}`);
    if (body instanceof FormData)
      for (const [name, value] of body) parts.push(value instanceof File ? `-F ${quoted(`${name}=@${value.name}`)}` : `--form-string ${quoted(`${name}=${value}`)}`);
    else if (body !== undefined) parts.push(`--data-binary ${quoted(body)}`);
    return parts.join(" \\\n  ");
  };

  const send = async form => {
    const told = form.querySelector("[role=status]"), shown = form.querySelector(".answer"), { url, ...rest } = call(form);
    told.textContent = said.sending;
    const began = performance.now();
    try {
      const answer = await fetch(url, { ...rest, credentials: "omit", cache: "no-store", redirect: "manual" });
      const data = await answer.arrayBuffer(), kind = answer.headers.get("content-type") || "";
      let text = /json|text|yaml|svg/.test(kind) ? new TextDecoder().decode(data) : data.byteLength ? `${data.byteLength} ${said.bytes}` : "";
      if (/json/.test(kind) && !/jsonl/.test(kind)) {
        const read = JSON.parse(text);
        text = JSON.stringify(read, null, 2);
        if (read.access_token) { key.value = read.access_token; key.onchange(); }
      }
      told.textContent = `${answer.status} ${answer.statusText} · ${Math.round(performance.now() - began)} ${said.took}`;
      shown.textContent = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n") + (text ? `\n\n${text}` : "");
    } catch {
      told.textContent = said.none;
      shown.textContent = "";
    }
    shown.hidden = !shown.textContent;
  };

  for (const form of document.querySelectorAll("form.try")) {
    form.hidden = false;
    form.onsubmit = event => { event.preventDefault(); send(form); };
    form.querySelector("[data-curl]").onclick = async () => {
      const told = form.querySelector("[role=status]"), shown = form.querySelector(".answer"), text = curl(call(form));
      shown.hidden = false;
      shown.textContent = text;
      try { await navigator.clipboard.writeText(text); told.textContent = said.copied; } catch { told.textContent = ""; }
    };
  }
  const here = () => { const one = document.getElementById(decodeURIComponent(location.hash.slice(1))); if (one && one.tagName === "DETAILS") { one.open = true; one.scrollIntoView(); } };
  addEventListener("hashchange", here);
  here();
})();
