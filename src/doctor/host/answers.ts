/** Asks the judge and the services of users whether they can decide, as the doors connect to them: what root reads says nothing about their sandbox. */
import * as fs from 'node:fs';
import { shellCommand } from '../../otp/escape.ts';
import { withOpenedKey } from '../../state/credentials.ts';
import { hasEncryptedKey, hostKeysOf } from '../../state/host-keys.ts';
import { statePlace } from '../../state/place.ts';
import { expand, type Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { hasOwnUnit, hasService } from '../../system/systemd.ts';
import { realUser, type User } from '../../system/users.ts';
import { ping, type Heard } from '../../wire/ping.ts';
import { connectOnce, type Wire } from '../../wire/remote.ts';
import { WIRE } from '../../wire/question.ts';
import { saysNewer } from '../../store/newer.ts';
import { ok, type Finding } from '../finding.ts';
import type { Person } from '../people.ts';
import { wrongWithSocket, type DoorsInUse } from './service.ts';

export const ANSWERS = 'service-answers';
/** Each user asked starts a service. All are of one unit, unless a user has a unit or drop-in of their own: those are asked first. */
const MAX_ASKED = 8;

/** One service that was asked; without a user the judge. */
interface Asked {
  readonly user?: User;
  readonly wire: Wire;
}

/** `atGate`: the people who use the gate, if it is in use. The caller is root. */
export async function examineAnswers(config: Config, atGate: readonly Person[], { gate, pam }: DoorsInUse): Promise<Finding[]> {
  if (!hasService()) return [];
  const enrolled = atGate.filter(({ enrolments }) => enrolments.length > 0).map(({ user }) => user);
  // A socket that is missing or not the user's has a finding of its own.
  const users = gate ? enrolled.filter((user) => wrongWithSocket(expand(config.socket, user), user) === undefined) : [];
  const some = users.toSorted((a, b) => Number(hasOwnUnit('service', b.uid)) - Number(hasOwnUnit('service', a.uid))).slice(0, MAX_ASKED);
  const asked: Asked[] = pam && wrongWithSocket(config.judge, { uid: 0 }) === undefined ? [{ wire: await connectOnce(config.judge) }] : [];
  for (const user of some) asked.push({ user, wire: await asUser(user, () => connectOnce(expand(config.socket, user))) });
  const heard = await Promise.all(asked.map(async (each) => ({ ...each, heard: await ping(each.wire) })));
  const key = await keyOf(config);
  const othersAnswer = heard.some(({ user, heard: said }) => user !== undefined && 'health' in said && said.health.reason === undefined);
  const findings = heard.flatMap((each) => wrongWith(each, config, { key, othersAnswer }));
  if (findings.length > 0 || heard.length === 0) return findings;
  return [ok(ANSWERS, 'The service can decide', `${String(heard.length)} asked`)];
}

/** The id of the host key on the disk; undefined where it cannot be read, which has a finding of its own. */
async function keyOf(config: Config): Promise<string | undefined> {
  try {
    const place = withOpenedKey(statePlace(config, realUser()), config);
    return await asUser(place.owner, () => hostKeysOf(place)?.id);
  } catch {
    return undefined;
  }
}

interface Host {
  /** The id of the host key. */
  readonly key: string | undefined;
  /** Whether the service of some user can decide. */
  readonly othersAnswer: boolean;
}

function wrongWith({ user, heard }: Asked & { readonly heard: Heard }, config: Config, { key, othersAnswer }: Host): Finding[] {
  const [whose, refuses] =
    user === undefined ? ['The judge of the PAM door', 'every login there'] : ["The user's service", 'the user at the gate'];
  const unit = `notp@${user === undefined ? 'judge' : String(user.uid)}.service`;
  const found = (severity: 'fail' | 'warn', title: string, detail: string, fix: string): Finding[] => [
    { id: ANSWERS, severity, title, detail, fix, ...(user === undefined ? {} : { user: user.name }) },
  ];
  const stop = "systemctl stop 'notp@*.service'";
  // Another one of the same unit answers. Users can keep their own service from answering, and must not fail what root does.
  if ('silent' in heard && user !== undefined && othersAnswer && !hasOwnUnit('service', user.uid))
    return found(
      'warn',
      `${whose} does not answer, while others do`,
      `${heard.silent}: its user floods it, or it hangs`,
      shellCommand`systemctl status ${unit}, and systemctl stop ${unit} if it hangs; loginctl terminate-user ${user.name} ends a flood`,
    );
  if ('silent' in heard)
    return found(
      'fail',
      `${whose} does not answer, so it refuses ${refuses}`,
      heard.silent,
      shellCommand`systemctl status ${unit} says why`,
    );
  if ('ended' in heard)
    return found(
      'warn',
      `${whose} does not say whether it works`,
      `${unit} ended the connection: it is of an earlier release and still runs, or it is flooded`,
      `${stop}, and then notp doctor again`,
    );
  const { reason, detail, key: held, wire } = heard.health;
  if (wire !== WIRE || saysNewer(detail))
    return found(
      'fail',
      `${whose} is of another release than this program, so it may refuse ${refuses}`,
      saysNewer(detail) ? `${unit}: ${detail}` : `${unit} speaks ${wire}, and this program ${WIRE}`,
      `${stop}, and then notp doctor again; if it says so again, install the newer notp`,
    );
  if (reason !== undefined)
    return found(
      'fail',
      reason === 'audit_unavailable'
        ? `${whose} cannot write its log: records wait in the state, and once that is full, it refuses ${refuses}`
        : `${whose} cannot decide, so it refuses ${refuses}`,
      `${unit}: ${reason}${detail === '' ? '' : `: ${detail}`}`,
      `${detail === '' ? shellCommand`journalctl --unit=${unit} says why; ` : ''}${shellCommand`systemctl cat ${unit} shows what it may read and write`}`,
    );
  if (key === undefined || key === held) return [];
  const [file, encrypted] = [config.hostKey, `${config.hostKey}.cred`];
  const again =
    fs.existsSync(file) && fs.existsSync(encrypted) ? shellCommand`encrypt ${file} again if ${encrypted} is older, and then ` : '';
  return found(
    'fail',
    `${whose} has another host key than this host, so new enrolments do not log in`,
    `${unit} has ${held}, and ${hasEncryptedKey(config) ? encrypted : file} is ${key}`,
    `${again}${stop}`,
  );
}
