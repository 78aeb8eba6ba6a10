"""Hammers the own socket of a user in one of several ways, bounded in number and time.

usage: hammer.py SOCKET connects|half-open|garbage|long|idle|costly SECONDS QUESTION

Prints "ready" when it is at it, then holds or repeats it for SECONDS.
"""
import os, resource, socket, sys, time

path, way, seconds, question = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4].encode()
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


ways = {
    "half-open": lambda: [send(one, question[:20]) or one for one in (connection() for _ in range(200))],
    "idle": lambda: [connection() for _ in range(200)],
    "garbage": lambda: [send(connection(), os.urandom(64) + b"\n") for _ in range(500)],
    "long": lambda: [send(connection(), b"x" * 10_000_000) for _ in range(10)],
    "connects": lambda: [connection().close() for _ in range(3000)],
    "costly": lambda: [send(one, question) or one for one in (connection() for _ in range(20))],
}
held = ways[way]()
print("ready", flush=True)
while time.monotonic() < end:
    if way in ("half-open", "idle", "costly"):
        time.sleep(0.1)
    else:
        ways[way]()
