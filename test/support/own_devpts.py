"""Runs a command whose controlling terminal has the number N in a devpts of the user's own.

usage: own_devpts.py N FILE COMMAND [ARGUMENT...], in a folder of the user's

The devpts is mounted in an unprivileged user namespace; the command runs outside of it, with the terminal as stdin, stdout and stderr;
where FILE is not empty, stdin is a descriptor that only names that file (O_PATH, which needs no right to it).
What the command prints comes out of stdout, and stdin goes to it. The exit status is the command's.
"""
import array, ctypes, fcntl, os, socket, sys, termios

sys.dont_write_bytecode = True
from in_terminal import relay

TIOCGPTN, TIOCSPTLCK = 0x80045430, 0x40045431
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000

number, named, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
libc = ctypes.CDLL(None, use_errno=True)
uid, gid = os.getuid(), os.getgid()
ours, theirs = socket.socketpair()
holder = os.fork()
if holder == 0:
    ours.close()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
        os._exit(1)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    folder = f"devpts.{os.getpid()}"
    os.makedirs(folder)
    if libc.mount(b"devpts", folder.encode(), b"devpts", 0, b"newinstance,ptmxmode=0666,mode=0666") != 0:
        os._exit(1)
    for _ in range(number + 1):
        master = os.open(f"{folder}/ptmx", os.O_RDWR | os.O_NOCTTY)
    found = array.array("i", [0])
    fcntl.ioctl(master, TIOCGPTN, found)
    fcntl.ioctl(master, TIOCSPTLCK, array.array("i", [0]))
    slave = os.open(f"{folder}/{found[0]}", os.O_RDWR | os.O_NOCTTY)
    theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [master, slave]))])
    os.close(slave)
    theirs.recv(1)
    os._exit(0)
theirs.close()
_, passed, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(8))
if not passed:
    sys.exit("no devpts of one's own can be mounted here")
descriptors = array.array("i")
descriptors.frombytes(passed[0][2][:8])
master, slave = descriptors
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    if named:
        os.dup2(os.open(named, os.O_PATH), 0)
    os.closerange(3, 64)
    os.execvp(command[0], command)
os.close(slave)
relay(master)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
