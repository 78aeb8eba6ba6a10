"""Puts a file by asyncssh. usage: DOOR USER PORT NAME CODE"""
import asyncio
import sys
import asyncssh

door, user, port, name, code = sys.argv[1:]


class Client(asyncssh.SSHClient):
    def kbdint_auth_requested(self):
        return ''

    def kbdint_challenge_received(self, name, instructions, lang, prompts):
        return [code for _ in prompts] if code or not prompts else None


async def main():
    key = ['/root/.ssh/id_ed25519']
    async with asyncssh.connect('127.0.0.1', int(port), username=user, client_factory=Client, client_keys=key, known_hosts=None) as connection:
        environment = {'LC_NOTP': code} if door == 'gate' and code else {}
        async with connection.start_sftp_client(env=environment) as sftp:
            await sftp.put('/root/a file', name)


asyncio.run(main())
