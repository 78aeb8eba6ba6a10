"""Puts a file by paramiko. usage: DOOR USER PORT NAME CODE"""
import sys
import paramiko

door, user, port, name, code = sys.argv[1:]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
# With a key and a password it answers the one question after the key by the password.
password = code if code and door != 'gate' else None
client.connect('127.0.0.1', int(port), user, password, key_filename='/root/.ssh/id_ed25519', allow_agent=False, look_for_keys=False)
channel = client.get_transport().open_session()
if door == 'gate' and code:
    channel.update_environment({'LC_NOTP': code})
channel.invoke_subsystem('sftp')
paramiko.SFTPClient(channel).put('/root/a file', name)
client.close()
