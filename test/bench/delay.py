"""A network that takes its time: what comes to a port of its own, which it prints, goes on to 127.0.0.1:PORT after SECONDS, and the same way back.

usage: delay.py PORT SECONDS
"""

import heapq
import itertools
import select
import socket
import sys
import time

PORT, DELAY_S = int(sys.argv[1]), float(sys.argv[2])
MAX_BYTES = 65536


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    peers = {}
    # When, in which order, to whom, what; nothing is the end of a connection.
    under_way, order = [], itertools.count()
    while True:
        # select(2) counts in microseconds, which epoll and timers do not.
        wait_s = max(0, under_way[0][0] - time.monotonic()) if under_way else None
        ready, _, _ = select.select([listener, *peers], [], [], wait_s)
        due = time.monotonic() + DELAY_S
        for each in ready:
            if each is listener:
                connect(listener.accept()[0], peers)
                continue
            data = receive(each)
            heapq.heappush(under_way, (due, next(order), peers[each], data))
            if not data:
                del peers[each]
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, receiver, data = heapq.heappop(under_way)
            send(receiver, data)


def connect(client, peers):
    server = socket.create_connection(("127.0.0.1", PORT))
    for one, two in ((client, server), (server, client)):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peers[one] = two


def receive(sender):
    try:
        return sender.recv(MAX_BYTES)
    except OSError:
        return b""


def send(receiver, data):
    try:
        if data:
            receiver.sendall(data)
        else:
            receiver.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # It went away meanwhile.


main()
