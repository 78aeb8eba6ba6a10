"""Between a pseudo-terminal and the pipes of this process."""
import os, select


def relay(master):
    """Sends stdin to the terminal byte by byte, and what it prints to stdout, until it ends. When stdin closes the terminal stays."""
    watched = [master, 0]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if master in ready:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            os.write(1, data)
        if 0 in ready:
            data = os.read(0, 65536)
            if data:
                os.write(master, data)
            else:
                watched.remove(0)
