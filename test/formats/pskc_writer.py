"""Writes PSKC by python3-pskc, for the tests of what reads it.

usage: pskc_writer.py plain|password|key [SECRET [ALGORITHM [FIELD...]]] < tokens.json > file
A token: {"serial", "manufacturer", "model", "user", "secret" (hex), "type", "digits", "period", "counter"}; SECRET: the password, or the key in hex;
FIELD: what is encrypted beside the secret: counter, time_interval
"""

import json
import sys

from pskc import PSKC

kind, *given = sys.argv[1:]
pskc = PSKC()
for t in json.load(sys.stdin):
    moving = {"counter": t["counter"]} if t["type"] == "hotp" else {"time_interval": t["period"]}
    pskc.add_key(
        id=t["serial"],
        serial=t["serial"],
        manufacturer=t["manufacturer"],
        model=t["model"],
        key_userid=t["user"] or None,
        algorithm="urn:ietf:params:xml:ns:keyprov:pskc:" + t["type"],
        secret=bytes.fromhex(t["secret"]),
        response_length=t["digits"],
        response_encoding="DECIMAL",
        **moving,
    )
if kind == "password":
    pskc.encryption.setup_pbkdf2(given[0], iterations=1000)
elif kind == "key":
    pskc.encryption.setup_preshared_key(key=bytes.fromhex(given[0]), algorithm=given[1] if len(given) > 1 else "aes128-cbc", fields=["secret", *given[2:]])
pskc.write(sys.stdout.buffer)
