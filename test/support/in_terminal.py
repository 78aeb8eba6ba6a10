"""Runs a command in a pseudo-terminal: stdin goes to it byte by byte, what it prints comes out of stdout.

usage: in_terminal.py COLUMNS COMMAND [ARGUMENT...]

When stdin closes the terminal stays; when this process is ended the terminal hangs up. The exit status is the
command's, or 128 + the signal that ended it.
"""
import fcntl, os, pty, signal, struct, sys, termios

sys.dont_write_bytecode = True
from relay import relay

columns, command = int(sys.argv[1]), sys.argv[2:]
pid, master = pty.fork()
if pid == 0:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(command[0], command)
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
relay(master)
_, status = os.waitpid(pid, 0)
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
