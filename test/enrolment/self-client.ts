/** A user who enrols themselves, one connection at a time, in this process. */
import { codeAt } from '../../src/otp/code.ts';
import { parseSealedFile } from '../../src/seal/file.ts';
import type { Found } from '../../src/system/secrets.ts';
import { invite, revoke } from '../../src/enrolment/registrar.ts';
import { selfEnrolment, type SelfEnrolment } from '../../src/enrolment/self/self-enrolment.ts';
import type { EnrolBegin, EnrolQuestion, StatusQuestion } from '../../src/wire/enrolment.ts';
import type { EnrolAnswer } from '../../src/wire/enrolment.ts';
import { ORIGIN, PERIOD_MS, POLICY, WANTED, type LocalWorld, type Secret } from '../login/local-world.ts';

const ABSENT: Found = { kind: 'absent' };
export const BEGIN: EnrolBegin = { step: 'begin', context: 'ssh', replace: false, wanted: WANTED, readings: [], sealed: '', wrong: '' };

/** One connection: asks, and gives the kind of the answer, or the reason of a refusal. */
export class Client {
  private readonly world: LocalWorld;
  private readonly enrolment: SelfEnrolment = selfEnrolment();
  private readonly found: Found;
  secret = new Uint8Array();
  recovery: readonly string[] = [];
  ref = '';
  file: Secret['file'] | undefined;

  constructor(world: LocalWorld, replaced?: Secret) {
    this.world = world;
    this.found = replaced === undefined ? ABSENT : { kind: 'sealed', file: replaced.file };
  }

  async say(question: Exclude<EnrolQuestion, StatusQuestion>): Promise<string> {
    // The service knows the file only from the first question.
    const found = question.step === 'begin' || question.step === 'change' ? this.found : ABSENT;
    const answer: EnrolAnswer = await this.enrolment.answer(question, ...this.world.options(found, { origin: { ...ORIGIN, door: 'cli' } }));
    if (answer.kind === 'offer') [this.secret, this.recovery] = [Uint8Array.from(answer.secret), answer.recovery];
    if (answer.kind === 'anew') this.recovery = answer.recovery;
    if (answer.kind === 'sealed' || answer.kind === 'anew') this.file = parseSealedFile(Buffer.from(answer.file));
    if (answer.kind !== 'refused') return answer.kind;
    this.ref = answer.outcome.ref;
    return answer.outcome.verdict.result === 'refused' ? answer.outcome.verdict.reason : 'accepted';
  }

  async confirm(steps = 0): Promise<string> {
    return await this.say({ step: 'confirm', code: codeAt(this.secret, Math.floor(this.world.nowMs / PERIOD_MS) + steps, WANTED) });
  }

  /** The new secret as whoever scanned it has it. */
  made(): Secret {
    if (this.file === undefined) throw new Error('nothing was sealed');
    const payload = { ...WANTED, type: 'totp', secret: this.secret, recovery: { salt: new Uint8Array(), hashes: [] } } as const;
    return { file: this.file, payload, recovery: this.recovery };
  }

  /** The connection is lost. */
  lose(): void {
    this.enrolment.end();
  }
}

export function inviteAlice(world: LocalWorld): Promise<void> {
  return world.withState((state) => invite(state, ORIGIN, POLICY, world.nowMs));
}

export async function revokeAlice(world: LocalWorld): Promise<void> {
  await world.withState((state) => revoke(state, ORIGIN));
}

/** The first step of replacing `secret`, with a code of it. */
export function replacing(world: LocalWorld, secret: Secret): EnrolBegin {
  return { ...BEGIN, replace: true, readings: [{ passphrase: undefined, proof: world.code(secret) }] };
}

/** Whether a code of `secret` logs in, a minute later. */
export async function works(world: LocalWorld, secret: Secret): Promise<boolean> {
  world.nowMs += 2 * PERIOD_MS;
  return (await world.verify(secret, world.code(secret))) === 'totp';
}
