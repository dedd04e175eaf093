"""Our FHIR JSON against an implementation that is not ours.

    his_fhir.py <houbu>

A proxy stands between `houbu his-check` and the simulated HIS of `houbu sandbox`. Every resource that passes, in either
direction, must be one that fhir.resources (PyPI) takes for valid FHIR R4; every check that is made must hold.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fhir.resources.R4B import get_fhir_model_class
from his_common import free_port, running

CHECKS = {
    "schedules", "times", "query-by-our-id", "list-of-orders", "list-of-locks", "list-of-breaches", "lock",
    "lock-repeated", "lock-query", "lock-renewed", "unlock", "lock-overnight", "booking", "booking-repeated",
    "order-booked", "cancel", "order-cancelled", "pushes",
}
# The library leaves these codes unchecked.
STATUSES = {
    "Appointment": {
        "proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow", "entered-in-error", "checked-in", "waitlist"
    },
    "Slot": {"busy", "free", "busy-unavailable", "busy-tentative", "entered-in-error"},
}
seen, flaws = {}, []


def judge(direction, body):
    """Takes a body for what it says it is."""
    try:
        resource = json.loads(body)
        kind = resource["resourceType"]
        get_fhir_model_class(kind).model_validate(resource)
        for one in [resource, *(entry["resource"] for entry in resource.get("entry", []))]:
            assert one.get("status") in STATUSES.get(one["resourceType"], {one.get("status")}), one
        seen[(direction, kind)] = seen.get((direction, kind), 0) + 1
    except Exception as flaw:  # whatever it is: it is not valid
        flaws.append(f"{direction}: {flaw}")


class Proxy(BaseHTTPRequestHandler):
    target = ""

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Type", "").startswith("application/fhir+json"):
            judge("asked", body)
        kept = ("content-type", "authorization", "if-none-exist", "accept")
        headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
        asked = urllib.request.Request(self.target + self.path, body or None, headers, method=self.command)
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                status, said = answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            status, said = refusal.code, refusal.read()
        judge("answered", said)
        self.send_response(status)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PATCH = pass_on

    def log_message(self, *_):
        pass


def main():
    houbu, folder = os.path.abspath(sys.argv[1]), tempfile.mkdtemp()
    listen = f"127.0.0.1:{free_port()}"
    # The simulated HIS has no faults here; where it pushes, his-check listens.
    environment = {**os.environ, "HOUBU_SANDBOX__HIS": "fhir", "HOUBU_LISTEN": listen}
    with running([houbu, "sandbox"], environment, folder, until="[wechat_pay]") as printed:
        section = printed.split("[wechat_pay]")[0]
        url = re.search(r'^url = "(.*)"$', section, re.MULTILINE).group(1)
        Proxy.target = url.removesuffix("/fhir")
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        file = os.path.join(folder, "houbu.toml")
        with open(file, "w") as out:
            out.write(section.replace(url, f"http://127.0.0.1:{proxy.server_port}/fhir").replace("timeout_ms = 200", "timeout_ms = 5000"))
        asked = [houbu, "his-check", file, "--department", "K01", "--book", "--pushes", "20", "--json"]
        ended = subprocess.run(asked, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    assert not flaws, "\n".join(flaws[:5])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    findings = {it["check"]: it for it in json.loads(ended.stdout)["findings"]}
    assert set(findings) == CHECKS, set(findings) ^ CHECKS
    unsupported = [it for it in findings.values() if it["standing"] != "supported"]
    assert not unsupported, unsupported
    for must in [("asked", "Appointment"), ("asked", "Parameters"), ("answered", "Bundle"), ("answered", "OperationOutcome")]:
        assert must in seen, f"no {must} passed"
    print(f"interop his_fhir: {sum(seen.values())} resources are valid FHIR R4, {len(findings)} checks hold")


main()
