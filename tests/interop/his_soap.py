"""Pushes of a HIS as a third party's SOAP client makes them.

    his_soap.py <houbu>

zeep (PyPI) reads docs/integration/his-callbacks.wsdl and calls a running `houbu serve`; signature and cipher are those of
hashlib and cryptography, the JSON events those of hmac. Nothing of ours is used but the program that is asked.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import tempfile
import time
import urllib.error
import urllib.request
from html import unescape

import zeep
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from his_common import free_port, running

USER, SIGN_KEY, AES_KEY = "HOUBU", "sandbox-sign-key", b"sandbox-aes-key!"
WSDL = os.path.join(os.path.dirname(__file__), "../../docs/integration/his-callbacks.wsdl")
CANCEL = {
    "EVENT_ID": "interop-1", "HOSP_ORDER_ID": "H1", "CHANNEL_ID": "9", "REG_ID": "R1", "DEPT_ID": "K01", "DOCTOR_ID": "D001",
    "REG_DATE": "2026-03-05", "TIME_FLAG": "1", "BEGIN_TIME": "08:30", "END_TIME": "09:00",
    "CANCEL_TIME": "2026-03-04 10:15:30",
}
STOP = {"DEPT_ID": "K01", "DOCTOR_ID": "D001", "REG_DATE": "2026-03-05", "STOP_REMARK": "停诊 <&>"}


def md5(text):
    return hashlib.md5(f"{text}&KEY={SIGN_KEY}".encode()).hexdigest().upper()


def sealed(function, fields, key=AES_KEY):
    escape = lambda text: text.replace("&", "&amp;").replace("<", "&lt;")
    body = "<REQ>" + "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items()) + "</REQ>"
    padder = padding.PKCS7(128).padder()
    padded = padder.update(body.encode()) + padder.finalize()
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    encrypted = base64.b64encode(cipher.update(padded) + cipher.finalize()).decode()
    sign = md5(f"FUN_CODE={function}&REQ_ENCRYPTED={encrypted}&USER_ID={USER}")
    return (
        f"<ROOT><FUN_CODE>{function}</FUN_CODE><USER_ID>{USER}</USER_ID><SIGN_TYPE>MD5</SIGN_TYPE>"
        f"<SIGN>{sign}</SIGN><REQ_ENCRYPTED>{encrypted}</REQ_ENCRYPTED></ROOT>"
    )


def code_of(reply):
    """The code of a reply whose signature is right."""
    field = lambda name: unescape(re.search(f"<{name}>(.*?)</{name}>", reply, re.DOTALL).group(1))
    code = field("RETURN_CODE")
    expected = md5(f"RES_ENCRYPTED={field('RES_ENCRYPTED')}&RETURN_CODE={code}&RETURN_MSG={field('RETURN_MSG')}")
    assert field("SIGN") == expected, reply
    return code


def event(base, function, data, at=None, key=SIGN_KEY):
    body = json.dumps({"function": function, "userId": USER, "data": data}).encode()
    timestamp, nonce = str(int(at or time.time())), os.urandom(16).hex()
    sign = lambda way, timestamp, body: hmac.new(
        key.encode(), f"{way}\n{timestamp}\n{nonce}\n".encode() + body, "sha256").hexdigest()
    headers = {
        "Content-Type": "application/json", "X-Houbu-Timestamp": timestamp, "X-Houbu-Nonce": nonce,
        "X-Houbu-Signature": sign("event", timestamp, body),
    }
    asked = urllib.request.Request(base + "/callbacks/his/events", body, headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            status, said, told = answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as refusal:
        status, said, told = refusal.code, refusal.read(), refusal.headers
    if key == SIGN_KEY:
        assert told["X-Houbu-Nonce"] == nonce
        assert told["X-Houbu-Signature"] == sign("receipt", told["X-Houbu-Timestamp"], said)
    return status, json.loads(said)["code"]


def main():
    houbu, folder = os.path.abspath(sys.argv[1]), tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "HOUBU_LISTEN": f"127.0.0.1:{port}", "HOUBU_DATABASE__FOLDER": f"{folder}/pg"}
    held = 0
    # It says so once its door is open and its worker works.
    with running([houbu, "serve"], environment, folder, until="Houbu listens on", patience_s=120):
        urllib.request.urlopen(base + "/readyz", timeout=30).close()
        service = zeep.Client(WSDL).create_service("{http://tempuri.org/}CallbacksSoap", base + "/callbacks/his")
        push = lambda xml: code_of(service.Push(xml=xml))
        good = sealed("5007", CANCEL)
        for what, xml, code in [
            ("a cancellation", good, "0"),
            ("the same again", good, "0"),
            ("a 停诊 without an id of its own", sealed("5001", STOP), "0"),
            ("a booking of ours, cancelled", sealed("5002", {"ORDER_ID": "L1"}), "0"),
            ("what nothing is done about", sealed("5005", {"ORDER_ID": "L1"}), "0"),
            ("a forged one", good.replace("5007", "5001"), "7"),
            ("another body key", sealed("5007", CANCEL, b"another-aes-key!"), "1"),
            ("a field that is missing", sealed("5007", {**CANCEL, "REG_ID": ""}), "1"),
            ("a document type", "<!DOCTYPE a>" + good, "1"),
            ("nothing of that", "hello", "1"),
        ]:
            assert push(xml) == code, what
            held += 1
        camel = lambda name: name.lower().split("_")[0] + "".join(it.capitalize() for it in name.lower().split("_")[1:])
        data = {camel(name): text for name, text in CANCEL.items()}
        for what, answer, expected in [
            ("its JSON twin", event(base, "5007", data), (200, "0")),
            ("numbers for texts", event(base, "5007", {**data, "channelId": 9, "eventId": "interop-2"}), (200, "0")),
            ("another key", event(base, "5007", data, key="another"), (401, "7")),
            ("played again later", event(base, "5007", data, at=time.time() - 600), (401, "stale")),
            ("a clock that is ahead", event(base, "5007", data, at=time.time() + 600), (401, "stale")),
            ("a field that is missing", event(base, "5007", {**data, "regId": None}), (400, "1")),
        ]:
            assert answer == expected, f"{what}: {answer}"
            held += 1
    print(f"interop his_soap: {held} pushes of zeep, cryptography and hmac are answered as they should be")


main()
