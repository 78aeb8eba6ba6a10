"""Makes a file by a command over libssh. usage: DOOR USER PORT NAME CODE"""
import ctypes
import sys

door, user, port, name, code = (word.encode() for word in sys.argv[1:])
ssh = ctypes.CDLL('libssh.so.4')
for function in 'ssh_new', 'ssh_channel_new', 'ssh_get_error':
    getattr(ssh, function).restype = ctypes.c_void_p
HOST, PORT_STR, USER = 0, 2, 4
SUCCESS, PARTIAL, INFO = 0, 2, 3


def must(result):
    if result != 0:
        sys.exit('libssh: ' + ctypes.string_at(ssh.ssh_get_error(session)).decode())


session = ctypes.c_void_p(ssh.ssh_new())
for option, value in (HOST, b'127.0.0.1'), (PORT_STR, port), (USER, user):
    must(ssh.ssh_options_set(session, option, value))
must(ssh.ssh_connect(session))
key = ctypes.c_void_p()
must(ssh.ssh_pki_import_privkey_file(b'/root/.ssh/id_ed25519', None, None, None, ctypes.byref(key)))
state = ssh.ssh_userauth_publickey(session, None, key)
if state == PARTIAL:
    state = ssh.ssh_userauth_kbdint(session, None, None)
    while state == INFO:
        for i in range(ssh.ssh_userauth_kbdint_getnprompts(session)):
            if not code:
                sys.exit('libssh: there is a question, and no answer')
            ssh.ssh_userauth_kbdint_setanswer(session, i, code)
        state = ssh.ssh_userauth_kbdint(session, None, None)
must(state)
channel = ctypes.c_void_p(ssh.ssh_channel_new(session))
must(ssh.ssh_channel_open_session(channel))
if door == b'gate' and code:
    must(ssh.ssh_channel_request_env(channel, b'LC_NOTP', code))
must(ssh.ssh_channel_request_exec(channel, b'touch ' + name))
must(ssh.ssh_channel_send_eof(channel))
text = ctypes.create_string_buffer(4096)
for is_stderr in 1, 0:
    while (length := ssh.ssh_channel_read(channel, text, len(text), is_stderr)) > 0:
        sys.stderr.buffer.write(text.raw[:length])
sys.exit(ssh.ssh_channel_get_exit_status(channel))
