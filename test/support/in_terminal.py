"""Runs a command in a pseudo-terminal: stdin goes to it byte by byte, what it prints comes out of stdout.

usage: in_terminal.py COLUMNS COMMAND [ARGUMENT...]

When stdin closes the terminal stays; when this process is ended the terminal hangs up. The exit status is the
command's, or 128 + the signal that ended it.
"""
import fcntl, os, pty, select, signal, struct, sys, termios

columns, command = int(sys.argv[1]), sys.argv[2:]
pid, master = pty.fork()
if pid == 0:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(command[0], command)
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
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
_, status = os.waitpid(pid, 0)
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
