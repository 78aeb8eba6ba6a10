"""What logins and commands are started from when they are measured: a small process, as the fork of a large one takes longer. Prints JSON.

usage: client.py login THINK_S CODE COMMAND...   logs in by COMMAND in a terminal, and types CODE so long after the prompt
       client.py run COMMAND...                  runs COMMAND on the same stdin
       client.py storm TRIES JUDGE COMMAND...    runs COMMAND so often at once, each with a wrong code; JUDGE is a pid, or 0
       client.py hold QUESTION SOCKET...         asks at each socket and holds the connections; then the private memory of all services
       client.py private PID...                  the private memory of these
"""

import json
import os
import pty
import resource
import socket
import subprocess
import sys
import time

SHELL = b"this is the shell"
WRONG = b"000000\n"


def login(think_s, code, *command):
    start = now = time.monotonic()
    asked = answered = None
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    text = b""
    while SHELL not in text:
        more = read(terminal)
        now = time.monotonic()
        if more == b"":
            sys.exit("no shell: " + text.decode(errors="replace"))
        text += more
        if asked is None and text.endswith(b": "):
            asked = now
            time.sleep(float(think_s))
            answered = time.monotonic()
            os.write(terminal, code.encode() + b"\r")
    while read(terminal) != b"":
        pass
    os.waitpid(pid, 0)
    if asked is None:
        return {"prompt": 0, "answer": ms(now - start)}
    return {"prompt": ms(asked - start), "answer": ms(now - answered)}


def read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:
        # The other side has closed it.
        return b""


def run(*command):
    quiet = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    start = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - start
    if status != 0:
        sys.exit("%s: %d" % (" ".join(command), os.waitstatus_to_exitcode(status)))
    return {"wall": ms(wall), "cpu": ms(usage.ru_utime + usage.ru_stime)}


def storm(tries, judge, *command):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, **quiet) for _ in range(int(tries))]
    # All of them have asked before the first one is answered.
    time.sleep(3)
    start, cpu_before = time.monotonic(), cpu_of_children() + cpu_of(judge)
    before = least = available_mb()
    for each in running:
        each.stdin.write(WRONG)
        each.stdin.close()
    while any([each.poll() is None for each in running]):
        least = min(least, available_mb())
        time.sleep(0.02)
    return {
        "seconds": time.monotonic() - start,
        "cpu": ms(cpu_of_children() + cpu_of(judge) - cpu_before) / len(running),
        "megabytes": (before - least) / len(running),
        # pamtester(1) exits with 1 where PAM refused.
        "refused": [each.returncode for each in running].count(1),
    }


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cpu_of(pid):
    if pid == "0":
        return 0
    fields = content("/proc/%s/stat" % pid).rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def available_mb():
    return kilobytes("MemAvailable", "/proc/meminfo") / 1000


def hold(question, *sockets):
    held = []
    for path in sockets:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        connection.sendall(question.encode() + b"\n")
        if connection.recv(1) == b"":
            sys.exit("no answer at " + path)
        held.append(connection)
    units = ["notp@%s.service" % os.path.basename(path).removesuffix(".sock") for path in sockets]
    show = ["systemctl", "show", "--property=MainPID", "--value", *units]
    return private(*subprocess.run(show, check=True, capture_output=True, text=True).stdout.split())


def private(*pids):
    """What processes have for themselves alone, in MB."""
    return {"megabytes": sum(kilobytes("Private_Dirty", "/proc/%s/smaps_rollup" % pid) for pid in pids) / 1000}


def kilobytes(name, file):
    [line] = [line for line in content(file).splitlines() if line.startswith(name + ":")]
    return int(line.split()[1])


def content(file):
    with open(file) as opened:
        return opened.read()


def ms(seconds):
    return seconds * 1000


if __name__ == "__main__":
    print(json.dumps({each.__name__: each for each in (login, run, storm, hold, private)}[sys.argv[1]](*sys.argv[2:])))
