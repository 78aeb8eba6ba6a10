"""Hammers the own socket of a user in one of several ways, bounded in number and time.

usage: hammer.py SOCKET connects|half-open|garbage|long|idle|costly SECONDS

Prints "ready" when it is at it, then holds or repeats it for SECONDS.
"""
import base64, json, os, resource, socket, sys, time

path, way, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
end = time.monotonic() + seconds
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))


def connection():
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(2)
    try:
        one.connect(path)
    except OSError:
        pass
    return one


def send(one, data):
    try:
        one.sendall(data)
    except OSError:
        pass


def b64(length):
    return base64.b64encode(os.urandom(length)).decode()


def costly():
    """A question whose sealed file asks for the most memory and time that a file may, three times over."""
    seal = {"kind": "passphrase", "kdf": "argon2id", "m": 128 * 1024, "t": 6, "p": 1, "salt": b64(16)}
    sealed = {"notp": "sealed/1", "id": os.urandom(16).hex(), "user": "alice", "context": "ssh", "created": "2026-11-23T17:00:00Z",
              "seal": seal, "nonce": b64(24), "ciphertext": b64(400)}
    reading = {"passphrase": "x", "kind": "code", "codes": ["123456"]}
    question = {"notp": "question/2", "ask": "verify", "door": "gate", "service": "ssh", "rhost": "", "tty": "",
                "files": [{"context": "ssh", "sealed": json.dumps(sealed, separators=(",", ":")), "wrong": ""}], "connection": None, "keyDigest": "",
                "readings": [reading] * 3, "timedOut": False}
    return json.dumps(question, separators=(",", ":")).encode() + b"\n"


ways = {
    "half-open": lambda: [send(one, b'{"notp":"question/2",') or one for one in (connection() for _ in range(200))],
    "idle": lambda: [connection() for _ in range(200)],
    "garbage": lambda: [send(connection(), os.urandom(64) + b"\n") for _ in range(500)],
    "long": lambda: [send(connection(), b"x" * 10_000_000) for _ in range(10)],
    "connects": lambda: [connection().close() for _ in range(3000)],
    "costly": lambda: [send(one, costly()) or one for one in (connection() for _ in range(20))],
}
held = ways[way]()
print("ready", flush=True)
while time.monotonic() < end:
    if way in ("half-open", "idle", "costly"):
        time.sleep(0.1)
    else:
        ways[way]()
