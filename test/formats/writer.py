"""Writes exports of other programs from their documentation, for the tests of what reads them.

usage: writer.py FORMAT [PASSWORD] < accounts.json > file
An account: {"type", "issuer", "account", "secret" (base32), "algorithm", "digits", "period", "counter"}
"""

import base64
import hashlib
import json
import os
import struct
import sys
import urllib.parse
import uuid


def gcm(key, nonce, plaintext):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key).encrypt(nonce, plaintext, None)


def uri(a):
    label = urllib.parse.quote(f"{a['issuer']}:{a['account']}")
    moving = {"counter": a["counter"]} if a["type"] == "hotp" else {"period": a["period"]}
    query = {"secret": a["secret"], "issuer": a["issuer"], "algorithm": a["algorithm"], "digits": a["digits"], **moving}
    return f"otpauth://{a['type']}/{label}?{urllib.parse.urlencode(query, quote_via=urllib.parse.quote)}"


def aegis(accounts, password):
    entries = []
    for a in accounts:
        info = {"secret": a["secret"], "algo": a["algorithm"], "digits": a["digits"]}
        info |= {"counter": a["counter"]} if a["type"] == "hotp" else {"period": a["period"]}
        entries.append(
            {"type": a["type"], "uuid": str(uuid.uuid4()), "name": a["account"], "issuer": a["issuer"], "note": "", "icon": None, "favorite": False, "info": info, "groups": []}
        )
    db = {"version": 3, "entries": entries, "groups": [], "icons_optimized": True}
    if password is None:
        return json.dumps({"version": 1, "header": {"slots": None, "params": None}, "db": db}, indent=4).encode()
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    master, salt, nonce, slot_nonce = os.urandom(32), os.urandom(32), os.urandom(12), os.urandom(12)
    sealed = gcm(Scrypt(salt=salt, length=32, n=32768, r=8, p=1).derive(password.encode()), slot_nonce, master)
    body = gcm(master, nonce, json.dumps(db).encode())
    biometric = {"type": 2, "uuid": str(uuid.uuid4()), "key": os.urandom(32).hex(), "key_params": {"nonce": os.urandom(12).hex(), "tag": os.urandom(16).hex()}}
    slot = {"type": 1, "uuid": str(uuid.uuid4()), "key": sealed[:-16].hex(), "key_params": {"nonce": slot_nonce.hex(), "tag": sealed[-16:].hex()}}
    slot |= {"n": 32768, "r": 8, "p": 1, "salt": salt.hex(), "repaired": True, "is_backup": False}
    header = {"slots": [biometric, slot], "params": {"nonce": nonce.hex(), "tag": body[-16:].hex()}}
    return json.dumps({"version": 1, "header": header, "db": base64.b64encode(body[:-16]).decode()}).encode()


def two_fas(accounts, password):
    services = []
    for i, a in enumerate(accounts):
        otp = {"label": a["account"], "account": a["account"], "issuer": a["issuer"], "digits": a["digits"], "period": a["period"]}
        otp |= {"algorithm": a["algorithm"], "counter": a["counter"], "tokenType": a["type"].upper(), "source": "Link"}
        services.append({"name": a["issuer"], "secret": a["secret"], "updatedAt": 1690000000000, "otp": otp, "order": {"position": i}})
    backup = {"services": services, "groups": [], "updatedAt": 1690000000000, "schemaVersion": 4, "appVersionCode": 5000017, "appOrigin": "android"}
    if password is None:
        return json.dumps(backup).encode()
    salt, nonce = os.urandom(256), os.urandom(12)
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10000, 32)
    parts = [gcm(key, nonce, json.dumps(services).encode()), salt, nonce]
    return json.dumps(backup | {"services": [], "servicesEncrypted": ":".join(base64.b64encode(p).decode() for p in parts), "reference": ""}).encode()


def andotp(accounts, password):
    entries = []
    for a in accounts:
        entry = {"secret": a["secret"], "issuer": a["issuer"], "label": a["account"], "digits": a["digits"], "type": a["type"].upper()}
        entry |= {"algorithm": a["algorithm"], "thumbnail": "Default", "last_used": 0, "used_frequency": 0, "tags": []}
        entry |= {"counter": a["counter"]} if a["type"] == "hotp" else {"period": a["period"]}
        entries.append(entry)
    text = json.dumps(entries).encode()
    if password is None:
        return text
    rounds, salt, nonce = 149_321, os.urandom(12), os.urandom(12)
    return struct.pack(">I", rounds) + salt + nonce + gcm(hashlib.pbkdf2_hmac("sha1", password.encode(), salt, rounds, 32), nonce, text)


def andotp_old(accounts, password):
    nonce = os.urandom(12)
    return nonce + gcm(hashlib.sha256(password.encode()).digest(), nonce, andotp(accounts, None))


def freeotp_plus(accounts, _):
    tokens = []
    for a in accounts:
        raw = base64.b32decode(a["secret"] + "=" * (-len(a["secret"]) % 8))
        secret = [byte - 256 if byte > 127 else byte for byte in raw]
        token = {"algo": a["algorithm"], "counter": a["counter"] - 1, "digits": a["digits"], "issuerExt": a["issuer"], "label": a["account"]}
        tokens.append(token | {"period": a["period"], "secret": secret, "type": a["type"].upper()})
    return json.dumps({"tokenOrder": [f"{a['issuer']}:{a['account']}" for a in accounts], "tokens": tokens}).encode()


def stratum_json(accounts):
    numbers = {"hotp": 1, "totp": 2, "motp": 3, "steam": 4, "yandex": 5}
    entries = []
    for a in accounts:
        entry = {"Type": numbers[a["type"]], "Icon": None, "Issuer": a["issuer"], "Username": a["account"], "Secret": a["secret"], "Pin": None}
        entry |= {"Algorithm": ["SHA1", "SHA256", "SHA512"].index(a["algorithm"]), "Digits": a["digits"], "Period": a["period"]}
        entries.append(entry | {"Counter": a["counter"], "CopyCount": 0, "Ranking": 0})
    return json.dumps({"Authenticators": entries, "Categories": [], "AuthenticatorCategories": [], "CustomIcons": []}).encode()


def stratum(accounts, password):
    text = stratum_json(accounts)
    if password is None:
        return text
    from argon2.low_level import Type, hash_secret_raw

    salt, nonce = os.urandom(16), os.urandom(12)
    key = hash_secret_raw(password.encode(), salt, time_cost=3, memory_cost=65536, parallelism=4, hash_len=32, type=Type.ID)
    return b"AUTHENTICATORPRO" + salt + nonce + gcm(key, nonce, text)


def authenticator_pro(accounts, password):
    from cryptography.hazmat.primitives import padding
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    salt, iv = os.urandom(20), os.urandom(16)
    pad = padding.PKCS7(128).padder()
    padded = pad.update(stratum_json(accounts)) + pad.finalize()
    key = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 64000, 32)
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return b"AuthenticatorPro" + salt + iv + cipher.update(padded) + cipher.finalize()


def ente(accounts, password):
    text = "\n".join(map(uri, accounts)).encode()
    if password is None:
        return text
    from nacl import bindings
    from nacl.pwhash import argon2id

    salt = os.urandom(argon2id.SALTBYTES)
    ops, mem = argon2id.OPSLIMIT_INTERACTIVE, argon2id.MEMLIMIT_INTERACTIVE
    key = argon2id.kdf(32, password.encode(), salt, opslimit=ops, memlimit=mem)
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    header = bindings.crypto_secretstream_xchacha20poly1305_init_push(state, key)
    final = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
    data = bindings.crypto_secretstream_xchacha20poly1305_push(state, text, None, final)
    b64 = lambda each: base64.b64encode(each).decode()
    params = {"memLimit": mem, "opsLimit": ops, "salt": b64(salt)}
    return json.dumps({"version": 1, "kdfParams": params, "encryptedData": b64(data), "encryptionNonce": b64(header)}).encode()


def bitwarden(accounts, _):
    items = [{"id": str(uuid.uuid4()), "type": 2, "name": "a note", "notes": "totp"}]
    for a in accounts:
        totp = f"steam://{a['secret']}" if a["type"] == "steam" else a["secret"] if is_usual(a) else uri(a)
        login = {"uris": [{"match": None, "uri": "https://example.org"}], "username": a["account"], "password": "x", "totp": totp}
        items.append({"id": str(uuid.uuid4()), "type": 1, "name": a["issuer"], "login": login})
    return json.dumps({"encrypted": False, "folders": [], "items": items}).encode()


def bitwarden_csv(accounts, _):
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow("folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp".split(","))
    writer.writerow(["", "", "note", "a note", "of two\nlines, \"quoted\"", "", 0, "", "", "", ""])
    for a in accounts:
        totp = f"steam://{a['secret']}" if a["type"] == "steam" else a["secret"] if is_usual(a) else uri(a)
        writer.writerow(["", "", "login", a["issuer"], "", "", 0, "https://example.org", a["account"], "x", totp])
    return out.getvalue().encode()


def is_usual(a):
    return (a["type"], a["algorithm"], a["digits"], a["period"]) == ("totp", "SHA1", 6, 30)


def proton_authenticator(accounts, _):
    entries = []
    for a in accounts:
        content = {"uri": uri(a), "entry_type": a["type"].capitalize(), "name": a["account"]}
        entries.append({"id": str(uuid.uuid4()), "content": content, "note": ""})
    return json.dumps({"version": 1, "entries": entries}, indent=2).encode()


def proton_pass(accounts, _):
    item = lambda a: {
        "itemId": "x",
        "data": {"metadata": {"name": a["issuer"], "note": ""}, "extraFields": [], "type": "login", "content": {"itemUsername": a["account"], "urls": [], "totpUri": uri(a)}},
    }
    return json.dumps({"version": "1.27", "encrypted": False, "vaults": {"v": {"name": "Personal", "items": list(map(item, accounts))}}}).encode()


def one_password(accounts, _):
    fields = lambda a: [{"title": "one-time password", "id": "TOTP_x", "value": {"totp": uri(a)}}]
    item = lambda a: {"uuid": "x", "overview": {"title": a["issuer"]}, "details": {"sections": [{"title": "", "fields": fields(a)}]}}
    return json.dumps({"accounts": [{"attrs": {}, "vaults": [{"attrs": {}, "items": list(map(item, accounts))}]}]}).encode()


def one_password_csv(accounts, _):
    rows = [f'"{a["issuer"]}","https://example.org","{a["account"]}","x, y","{uri(a)}",false,false,"",""' for a in accounts]
    return "\n".join(["Title,Url,Username,Password,OTPAuth,Favorite,Archived,Tags,Notes", *rows]).encode()


def two_fa(accounts, _):
    line = lambda a: f"{a['account']} {a['digits']} {a['secret']}" + (f" {a['counter'] - 1:020d}" if a["type"] == "hotp" else "")
    return "".join(line(a) + "\n" for a in accounts).encode()


FORMATS = [aegis, two_fas, andotp, andotp_old, freeotp_plus, stratum, authenticator_pro, ente, bitwarden, bitwarden_csv]
FORMATS += [proton_authenticator, proton_pass, one_password, one_password_csv, two_fa]

if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    write = next(each for each in FORMATS if each.__name__ == name)
    sys.stdout.buffer.write(write(json.load(sys.stdin), rest[0] if rest else None))
