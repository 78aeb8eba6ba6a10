"""Runs a command in a pseudo-terminal: stdin goes to it byte by byte, what it prints comes out of stdout.

usage: in_terminal.py COLUMNS COMMAND [ARGUMENT...]

When stdin closes the terminal stays; when this process is ended the terminal hangs up. The exit status is the
command's, or 128 + the signal that ended it. It needs no file beside it, for containers are given its text.
"""
import fcntl, os, pty, select, signal, struct, sys, termios


def relay(master):
    """Sends stdin to the terminal byte by byte, and what it prints to stdout, until it ends."""
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


def main(columns, command):
    pid, master = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(command[0], command)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    relay(master)
    _, status = os.waitpid(pid, 0)
    sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
