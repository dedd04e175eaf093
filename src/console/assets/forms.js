// A form whose refusal stands within it: what was typed is not lost. Without this script the refusal is a page of its own.
(() => {
  "use strict";
  // Sent as any form is, since only the page that is answered can say what came of it.
  let plainly = null;
  // Refused because the session was over: the next one's proof is fetched before it is sent again.
  const stale = new WeakSet();

  function say(form, button, text, link) {
    let told = form.querySelector(".refusal");
    if (!told) {
      told = document.createElement("p");
      told.className = "refusal";
      told.setAttribute("role", "alert");
      told.tabIndex = -1;
      const row = button.closest(".filter");
      (row && row !== form ? row : button).before(told);
    }
    told.textContent = text;
    if (link) {
      const way = Object.assign(document.createElement("a"), { href: link.href, textContent: link.textContent, target: "_blank" });
      told.append(" ", way);
    }
    told.focus();
    told.scrollIntoView({ block: "nearest" });
  }

  const read = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

  async function renew(form) {
    const proof = (await read(await fetch(location.href))).querySelector("input[name=csrf]");
    if (!proof) return;
    form.querySelector("input[name=csrf]").value = proof.value;
    stale.delete(form);
  }

  async function send(form, button) {
    const to = button.hasAttribute("formaction") ? button.formAction : form.action;
    const body = new URLSearchParams(new FormData(form));
    if (button.name) body.append(button.name, button.value);
    form.setAttribute("aria-busy", "true");
    try {
      if (stale.has(form)) {
        await renew(form);
        body.set("csrf", form.querySelector("input[name=csrf]").value);
      }
      const answer = await fetch(to, { method: "POST", body });
      // It was done, whatever becomes of the page that shows what came of it.
      if (answer.redirected || answer.ok) {
        location.assign(answer.redirected ? answer.url : location.href);
        return;
      }
      const page = await read(answer);
      const why = page.querySelector("[data-refusal]")?.textContent.trim() ?? "";
      if ([401, 403].includes(answer.status)) stale.add(form);
      // Nobody knows what a server has done that fails.
      if (answer.status >= 500) say(form, button, `${why} ${document.body.dataset.unreached}`.trim());
      else if (why) say(form, button, why, answer.status === 401 ? page.querySelector('a[href="/login"]') : null);
      else plainly = form;
    } catch {
      say(form, button, document.body.dataset.unreached);
    }
    form.removeAttribute("aria-busy");
    if (plainly !== form) return;
    form.requestSubmit(button);
    plainly = null;
  }

  document.addEventListener("submit", (event) => {
    const { target: form, submitter: button } = event;
    if (!button || !form.matches("[data-keeps]") || button.matches("[data-plain]") || plainly === form) return;
    event.preventDefault();
    // A second click sends nothing.
    if (!form.hasAttribute("aria-busy")) void send(form, button);
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy"));
  });
})();
