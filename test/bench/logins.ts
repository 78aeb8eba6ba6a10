/** Whole logins, by the real client through a real sshd. */
import * as fs from 'node:fs';
import { startPamSshd, succeed } from '../doors/pam-world.ts';
import { startService } from '../doors/serve-world.ts';
import { startSshd, type Sshd } from '../support/sshd.ts';
import { medianOf, sideBySide, timeRows, type Case, type Chapter } from './measure.ts';
import { type Asked, type Place } from './place.ts';

const KEY_ONLY = 'key only';
const GOOGLE = 'key + pam_google_authenticator';
const NOTP = 'key + notp pam';

export async function logins(place: Place, rounds: number): Promise<Chapter> {
  const { folder, notp, config, user, service, stacks } = place;
  // ssh asks a program for the answer where there is no terminal; each case but the first pays for it.
  const answer = `${folder}/answer`;
  fs.writeFileSync(answer, '#!/bin/sh\necho "$ANSWER"\n', { mode: 0o755 });
  const asking =
    (sshd: Sshd, asked: Asked): (() => Promise<unknown>) =>
    async () => {
      const environment = { SSH_ASKPASS: answer, SSH_ASKPASS_REQUIRE: 'force', ANSWER: place.code(asked) };
      return await succeed([...sshd.command(user, ['-o', 'NumberOfPasswordPrompts=1']), 'true'], { environment });
    };
  const pam = async (asked: Asked): Promise<Sshd> =>
    await startPamSshd(folder, [stacks[asked], 'auth required pam_permit.so'], 'publickey,keyboard-interactive:pam');
  const plain = await startPamSshd(folder, ['auth required pam_permit.so'], 'publickey');
  const gate = await startSshd(folder, [
    `ForceCommand ${notp} gate --config ${config}`,
    'AcceptEnv LC_*',
    'ExposeAuthInfo yes',
    'UsePAM yes',
  ]);
  const authorized = `${user.home}/.ssh/authorized_keys`;
  const servers = [plain, gate, await pam('google-authenticator'), await pam('oath'), await pam('notp')] as const;
  const [, , google, oath, ours] = servers;
  let warm: Awaited<ReturnType<typeof startService>> | undefined;
  const untilWarm = async (): Promise<void> => {
    if (warm !== undefined && warm.child.exitCode === null) return;
    const words = [notp, 'serve', String(user.uid), '--config', config];
    warm = await startService({ service, uid: user.uid, socket: `${folder}/run/${String(user.uid)}.sock`, words });
    await succeed(gateLogin(), { environment: { LC_NOTP: place.code('notp') } });
  };
  const gateLogin = (): string[] => [...gate.command(user, ['-o', 'SendEnv=LC_NOTP']), 'true'];
  const withoutService = (): void => {
    // Beside the socket notp pam would ask the service; what is measured is pam_exec's own decision.
    warm?.child.kill();
    warm = undefined;
    fs.rmSync(`${folder}/run/${String(user.uid)}.sock`, { force: true });
  };
  const cases: Case[] = [
    { name: KEY_ONLY, once: async () => await succeed([...plain.command(user), 'true']) },
    { name: GOOGLE, once: asking(google, 'google-authenticator') },
    { name: 'key + pam_oath', once: asking(oath, 'oath') },
    { name: NOTP, prepare: withoutService, once: asking(ours, 'notp') },
    {
      name: 'key + notp gate, warm service',
      prepare: untilWarm,
      once: async () => await succeed(gateLogin(), { environment: { LC_NOTP: place.code('notp') } }),
    },
  ];
  plain.authorize(user);
  fs.writeFileSync(authorized, servers.map(({ key }) => fs.readFileSync(`${key}.pub`, 'utf8')).join(''));
  try {
    const measured = await sideBySide(cases, rounds);
    const ratio = medianOf(measured, NOTP) / medianOf(measured, GOOGLE);
    return {
      title: 'A whole login',
      text: `\`ssh host true\` on loopback, in milliseconds, ${String(rounds)} of each in turn. Every login shows a new code, and each module writes its state for it. A code at PAM is typed by a helper of ssh's (SSH_ASKPASS), one at the gate comes in LC_NOTP.`,
      columns: ['login', 'median', 'quartiles', 'to key only'],
      rows: timeRows(measured, KEY_ONLY),
      targets: [{ what: 'notp pam to pam_google_authenticator, whole login', most: 1.25, measured: ratio }],
    };
  } finally {
    withoutService();
    for (const server of servers) await server.stop();
  }
}
