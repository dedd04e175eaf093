"""The described API against what answers.

    api_schemathesis.py <houbu> [--seed N] [--max-time S] [schemathesis options...]

Schemathesis (PyPI) reads /openapi.json of a hospital that a demo has filled and holds open, and asks every operation what its
description allows and what it does not: examples, edges of every field, wrong types, absent headers, other methods, and chains
of operations. No answer may be a fault of ours, and each has a status, a content type and a body that its operation documents.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import urllib.error
import urllib.request

from his_common import free_port, running

# Every check that Schemathesis has, but what is not so here, or cannot be said in a schema.
CHECKS = """
# Whether a request is taken is the state's affair as well (404 no such run, 409 the queue is full), and so are rules between
# fields (a bulk needs a filter): no schema says either.
[checks]
positive_data_acceptance.enabled = false

# HIS reads RETURN_CODE in the body, of whatever it sends: 200 says only that it was heard.
[[operations]]
include-name = "POST /callbacks/his"
checks.negative_data_rejection.enabled = false

# Nobody of the demo pays or tells by these: an address that is not in use answers 404, whatever headers came.
[[operations]]
include-name = "POST /callbacks/pay-platform"
checks.missing_required_header.enabled = false

[[operations]]
include-name = "POST /callbacks/messages/events"
checks.missing_required_header.enabled = false
"""

# The day that the demo plays.
DAY = "2026-03-05"


def ask(base, key, method, path, body=None):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(base + path, data, headers, method=method), timeout=10) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refusal:
        raise AssertionError(f"{method} {path}: {refusal.read().decode()}") from refusal


def furnished(tell):
    """What there is behind each name of a path, a query or a body, so that not everything is a 404."""
    why = {"reason": "to see"}
    tell("PUT", "/v1/patients/known", {
        "name": "张三丰", "idType": "5", "idNumber": "E12345678", "phone": "13800138000", "openid": "o-known",
    })
    tell("PUT", "/v1/blacklist/known", {"reason": "三次爽约"})
    appeal = tell("POST", "/v1/blacklist/known/appeals", {"said": "当日已到院"})["appealId"]
    tell("PUT", "/v1/blacklist-rules/no-shows", {
        "event": "noShow", "windowDays": 365, "threshold": 3, "penaltyDays": 90, "scope": "hospital", "appealDays": 2,
    })
    bulk = tell("POST", "/v1/runs/bulk", {"verb": "retry", "filter": {"q": "nothing"}, **why})["bulkId"]
    unmatched = {"signalId": "early", "payload": {"retire": False}}
    tell("POST", "/v1/workflows/schedule_sync/runs/not-yet/signals/PullNow", unmatched)
    runs, entries, patients, appointments, notices = [], [], set(), [], []
    for status in ["waiting", "suspended", "completed", "cancelled", "faulted"]:
        for workflow in ["waitlist_application", "slot_release", "schedule_sync"]:
            for run in tell("GET", f"/v1/runs?workflow={workflow}&status={status}")["items"][:4]:
                runs.append(run["runId"])
                if workflow == "waitlist_application":
                    entries.append(run["runId"])
    schedules = [one["scheduleId"] for one in tell("GET", f"/v1/schedules?from={DAY}&to={DAY}")["items"]]
    for entry in entries:
        patients.add(tell("GET", f"/v1/waitlist/{entry}")["patientId"])
        notices += [one["noticeId"] for one in tell("GET", f"/v1/waitlist/{entry}/notices")["items"]][:1]
    for patient in patients:
        appointments += [one["appointmentId"] for one in tell("GET", f"/v1/appointments?patientId={patient}")["items"]]
    cases = [one["caseId"] for state in ["open", "resolved"] for one in tell("GET", f"/v1/reconciliation/cases?state={state}")["items"]]
    # One of each kind, to be done again or seen to.
    callbacks = list({one["kind"]: one for one in tell("GET", "/v1/callbacks")["items"]}.values())
    known = {
        "path.source": [one["source"] for one in callbacks], "path.eventId": [one["eventId"] for one in callbacks],
        "path.scheduleId": schedules[:8], "body.scheduleId": schedules[:8], "path.patientId": ["known", *patients],
        "query.patientId": [*patients], "body.patientId": [*patients], "path.waitlistId": entries,
        "body.waitlistId": entries, "path.runId": runs, "query.runId": runs, "path.appointmentId": appointments[:8],
        "path.noticeId": notices[:8], "path.caseId": cases[:8], "path.bulkId": [bulk], "path.appealId": [appeal],
        "path.workflow": ["schedule_sync", "waitlist_application"], "path.key": ["K01", "not-yet"],
        "path.signal": ["PullNow", "Withdrawal"], "path.job": ["schedule_sync", "reconciliation", "breach_sync"],
        "path.ruleId": ["no-shows"], "path.departmentId": ["K01"], "path.id": ["C1", "K01"],
        "path.name": ["his", "payments", "waitlist_please_confirm", "waitlist_booked"], "query.from": [DAY], "query.to": [DAY],
        "body.reason": ["HIS is back"], "query.reason": ["for the person"],
    }
    print("known: " + ", ".join(f"{len(values)} {name}" for name, values in known.items()), flush=True)
    return {name: values for name, values in known.items() if values}


def configured(known):
    """Half of the cases are about what there is; the other half about whatever Schemathesis thinks of."""
    lines = ["[dictionaries]"]
    lines += [f'"{name}" = {{ values = {json.dumps(values)} }}' for name, values in known.items()]
    lines += ["[parameters]"]
    lines += [f'"{name}" = {{ dictionary = "{name}", probability = 0.5 }}' for name in known]
    return "\n".join(lines) + "\n" + CHECKS


def main():
    houbu, options, folder = os.path.abspath(sys.argv[1]), sys.argv[2:], tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    port, key = free_port(), secrets.token_hex(24)
    base = f"http://127.0.0.1:{port}"
    with open(f"{folder}/houbu.toml", "w", encoding="utf-8") as file:
        file.write(f'[[api_keys]]\nname = "described"\nkey = "{key}"\nscopes = ["waitlist", "runs", "admin"]\n')
    environment = {
        **os.environ, "HOUBU_CONFIG": f"{folder}/houbu.toml", "HOUBU_LISTEN": f"127.0.0.1:{port}",
        "HOUBU_DATABASE__FOLDER": f"{folder}/pg",
    }
    try:
        demo = [houbu, "demo", "--size", "small", "--faults", "none", "--day", DAY, "--seed", "3"]
        with running(demo, environment, folder, until="Houbu goes on serving", patience_s=240):
            known = furnished(lambda method, path, body=None: ask(base, key, method, path, body))
            with open(f"{folder}/schemathesis.toml", "w", encoding="utf-8") as file:
                file.write(configured(known))
            command = [
                os.path.join(sysconfig.get_path("scripts"), "schemathesis"), "--no-color", "run", f"{base}/openapi.json",
                "--header", f"Authorization: Bearer {key}", "--continue-on-failure", "--request-timeout", "15", "--suppress-health-check", "all", "--warnings", "off", *options,
            ]
            status = subprocess.run(command, env={**os.environ, "PYTHONUTF8": "1"}, cwd=folder, check=False).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
