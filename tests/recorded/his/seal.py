#!/usr/bin/env python3
"""Seals the recordings of 健康通: writes the SOAP around each `# REQ:` and `# RES:` as the public description has it, with Python's MD5
and the `openssl` command's AES alone, so that nothing of the client stands in what it is held against.

    python3 tests/recorded/his/seal.py tests/recorded/his/jiankangtong/*.http
"""
import base64
import hashlib
import re
import subprocess
import sys
from xml.sax.saxutils import escape

USER, KEY, AES = "HOUBU", "recorded-sign-key", b"0123456789abcdef"
SOAP = 'xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'


def encrypted(text, charset):
    command = ["openssl", "enc", "-aes-128-ecb", "-K", AES.hex()]
    return base64.b64encode(subprocess.run(command, input=text.encode(charset), capture_output=True, check=True).stdout).decode()


def md5(text, charset):
    return hashlib.md5((text + "&KEY=" + KEY).encode(charset)).hexdigest().upper()


def envelope(inside, charset):
    return f'<?xml version="1.0" encoding="{charset}"?><soap:Envelope {SOAP}><soap:Body>{inside}</soap:Body></soap:Envelope>'


def asked(code, name, body, charset):
    cipher = encrypted(body, charset)
    sign = md5(f"FUN_CODE={code}&REQ_ENCRYPTED={cipher}&USER_ID={USER}", charset)
    root = (f"<ROOT><FUN_CODE>{code}</FUN_CODE><USER_ID>{USER}</USER_ID><SIGN_TYPE>MD5</SIGN_TYPE><SIGN>{sign}</SIGN>"
            f"<REQ_ENCRYPTED>{cipher}</REQ_ENCRYPTED></ROOT>")
    return envelope(f'<{name} xmlns="http://tempuri.org/"><xml>{escape(root)}</xml></{name}>', charset)


def answered(name, code, message, body, charset):
    cipher = encrypted(body, charset) if body else ""
    sign = md5(f"RES_ENCRYPTED={cipher}&RETURN_CODE={code}&RETURN_MSG={message}", charset)
    root = (f"<ROOT><RETURN_CODE>{code}</RETURN_CODE><RETURN_MSG>{message}</RETURN_MSG><SIGN_TYPE>MD5</SIGN_TYPE>"
            f"<SIGN>{sign}</SIGN><RES_ENCRYPTED>{cipher}</RES_ENCRYPTED></ROOT>")
    result = f"<{name}Response xmlns=\"http://tempuri.org/\"><{name}Result><![CDATA[{root}]]></{name}Result></{name}Response>"
    return envelope(result, charset)


def sealed(scenario):
    notes = lambda name: re.findall(rf"^# {name}: ?(.*)$", scenario, re.M)
    if not notes("REQ"):
        return scenario
    charset = (notes("charset") or ["utf-8"])[0]
    head = scenario.split("\nPOST ")[0].rstrip()
    # Several exchanges stand as several of these, one after the other.
    exchanges = zip(notes("function"), notes("REQ"), notes("RETURN"), notes("RES"), strict=True)
    return head + "\n" + "".join(exchange(*told, charset) for told in exchanges)


def exchange(function, request, returned, reply, charset):
    code, name = function.split(" ")
    returned, message = re.match(r"(\S+) ?(.*)", returned).groups()
    kind = f"Content-Type: text/xml; charset={charset}"
    return (f"POST /services/his\nSOAPAction: \"http://tempuri.org/{name}\"\n{kind}\n\n{asked(code, name, request, charset)}\n\n"
            f"HTTP/1.1 200\n{kind}\n\n{answered(name, returned, message, reply, charset)}\n\n")


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        parts = re.split(r"(?m)^(?=### )", file.read())
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join([parts[0]] + [sealed(part) for part in parts[1:]]).rstrip() + "\n")
