// A form whose refusal stands within it: what was typed is not lost. Without this script the refusal is a page of its own.
(() => {
  "use strict";
  // Sent as any form is, since only the page that is answered can say what came of it.
  let plainly = null;
  // On their way, or done: a second click sends nothing.
  const sent = new Set();

  function say(form, button, text) {
    let told = form.querySelector(":scope .refusal");
    if (!told) {
      told = document.createElement("p");
      told.className = "refusal";
      told.setAttribute("role", "alert");
      told.tabIndex = -1;
      const row = button?.closest(".filter");
      (row && row !== form ? row : button ?? form.lastElementChild).before(told);
    }
    told.textContent = text;
    told.focus();
    told.scrollIntoView({ block: "nearest" });
  }

  async function send(form, button) {
    const to = button?.hasAttribute("formaction") ? button.formAction : form.action;
    const body = new URLSearchParams(new FormData(form, button));
    sent.add(form);
    try {
      const answer = await fetch(to, { method: "POST", body });
      if (answer.ok) {
        if (!answer.redirected || answer.url === location.href) location.reload();
        else location.assign(answer.url);
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const why = page.querySelector("[data-refusal]")?.textContent.trim();
      // Nobody knows what a server has done that fails.
      if (why || answer.status >= 500) say(form, button, why ?? document.body.dataset.unreached);
      else plainly = form;
    } catch {
      say(form, button, document.body.dataset.unreached);
    }
    sent.delete(form);
    if (plainly) form.requestSubmit(button);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-keeps]") || event.submitter?.matches("[data-plain]") || plainly === form) {
      plainly = null;
      return;
    }
    event.preventDefault();
    if (!sent.has(form)) void send(form, event.submitter);
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) sent.clear(); });
})();
