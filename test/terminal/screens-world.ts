/** A host of its own for screens: the same name, users, secrets and time in each run, and no door. Needs root. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ROOT } from '../support/process.ts';
import { must, SOURCE_NOTP, scratchFolder } from '../support/world.ts';

export interface ScreensWorld {
  /** Where the `notp` and `notp-enroll` of this host are. */
  readonly bin: string;
  readonly folder: string;
}

const NOTP_UID = '64001';
const ALICE_UID = '64002';
/** The time there, Unix time in milliseconds: the first second of a step. */
export const FIXED_MS = Date.UTC(2026, 0, 1);
const FIXED = path.join(ROOT, 'test/support/fixed.ts');
const [NODE = '', MAIN = ''] = SOURCE_NOTP;
/** What is there to run. `commands` runs all of command-screens.ts, one after the other, in one process. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  notp: [NODE, '--import', FIXED, MAIN],
  'notp-enroll': [NODE, '--import', FIXED, MAIN, 'notp-enroll'],
  commands: [NODE, '--import', FIXED, path.join(import.meta.dirname, 'command-screens.ts')],
};
/** The whole /etc: a file alone would come unmounted when the real one is replaced, as by useradd. */
const ETC = {
  passwd: `root:x:0:0::/srv/root:/bin/sh\nnotp:x:${NOTP_UID}:${NOTP_UID}::/nonexistent:/bin/false\nalice:x:${ALICE_UID}:${ALICE_UID}::/srv/alice:/bin/sh\n`,
  group: `root:x:0:\nnotp:x:${NOTP_UID}:\nalice:x:${ALICE_UID}:\n`,
  'nsswitch.conf': 'passwd: files\ngroup: files\n',
  'notp/notp.toml': '[store]\nurl = "sqlite:/srv/notp/state.db"\n[audit]\nfile = "/srv/notp/audit.log"\njournal = false\n',
};

const MADE = new Map<string, ScreensWorld>();

/** The host called `host` as it is at first: made once, and put back at each later call. */
export function screensWorld(host: string): ScreensWorld {
  const known = MADE.get(host);
  if (known === undefined) {
    const world = newWorld(host);
    must(['cp', '-a', `${world.folder}/etc`, `${world.folder}/srv`, `${world.folder}/fresh`]);
    MADE.set(host, world);
    return world;
  }
  const { folder } = known;
  for (const place of ['etc', 'srv']) {
    for (const name of fs.readdirSync(`${folder}/${place}`)) fs.rmSync(`${folder}/${place}/${name}`, { recursive: true });
    must(['cp', '-a', `${folder}/fresh/${place}/.`, `${folder}/${place}`]);
  }
  return known;
}

function newWorld(host: string): ScreensWorld {
  const folder = scratchFolder('screens');
  const [etc, srv, bin] = ['etc', 'srv', 'bin'].map((name) => path.join(folder, name));
  for (const place of [`${etc}/notp`, `${srv}/notp`, `${srv}/alice`, `${srv}/root`, bin, `${folder}/fresh`])
    fs.mkdirSync(place ?? '', { recursive: true });
  for (const [name, content] of Object.entries(ETC)) fs.writeFileSync(`${etc}/${name}`, content, { mode: 0o644 });
  fs.copyFileSync('/etc/ld.so.cache', `${etc}/ld.so.cache`);
  fs.chownSync(`${srv}/notp`, Number(NOTP_UID), Number(NOTP_UID));
  fs.chownSync(`${srv}/alice`, Number(ALICE_UID), Number(ALICE_UID));
  const world = { bin: `${bin}`, folder };
  for (const [name, words] of Object.entries(PROGRAMS))
    fs.writeFileSync(`${bin}/${name}`, script(folder, host, name, words), { mode: 0o755 });
  must([`${bin}/notp`, 'host-key', 'init']);
  return world;
}

/** Runs `words` as the program `name` on that host alone. */
function script(folder: string, host: string, name: string, words: readonly string[]): string {
  const mounts = ['etc', 'srv'].map((place) => `mount --bind ${folder}/${place} /${place}`);
  const program = words.join(' ');
  return `#!/bin/sh\nexec unshare --mount --uts sh -ec 'hostname ${host}; ${mounts.join('; ')}; FIXED_MS=${String(FIXED_MS)} exec ${program} "$@"' ${name} "$@"\n`;
}
