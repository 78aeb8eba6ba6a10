/**
 * The client of the judge, which is the service behind root's own socket (notp-judge.socket) and decides for every account at the PAM door.
 * The caller of sudo controls the process that pam_exec starts (its limits, a cgroup that can be frozen). So that process only asks: it
 * opens no state and no log.
 */
import { newRef, writeToCopies } from '../audit/audit.ts';
import type { AuditRecord, Origin } from '../audit/record.ts';
import { journalSinks } from '../audit/sinks.ts';
import type { Config } from '../system/config.ts';
import type { DeviceFile } from '../system/secrets.ts';
import type { Reason } from '../verdict/reasons.ts';
import { connectGreeting, refuseOver, remoteVerifier } from './remote.ts';
import type { Circumstances, Outcome, Verifier } from './verifier.ts';

export interface Judge {
  /** The verifier for these sealed files and those in the store. */
  verifier(files: readonly DeviceFile[], circumstances: Circumstances): Verifier;
  /** Has the judge record a refusal by this process; if that fails, records it in the journal. Never throws. */
  refuse(reason: Reason, detail: string): Promise<Outcome>;
  close(): void;
}

/** Connects as root. If nobody listens, each question is refused. */
export async function openJudge({ judge }: Pick<Config, 'judge'>, origin: Origin, now: () => number): Promise<Judge> {
  const wire = await connectGreeting(judge);
  const account = { user: origin.user, ...(origin.uid === undefined ? {} : { uid: origin.uid }) };
  const refuseHere = async (reason: Reason, detail: string): Promise<Outcome> => {
    const record: AuditRecord = { ...origin, event: 'login.refused', result: 'refused', reason, detail, ref: newRef() };
    return { verdict: { result: 'refused', reason, detail }, ref: await writeToCopies(journalSinks(), record, now()) };
  };
  return {
    verifier: (files, circumstances) => remoteVerifier({ wire, account, origin, files, circumstances, refuse: refuseHere }),
    refuse: (reason, detail) => refuseOver(wire, { account, origin, reason, detail }, (why) => refuseHere(reason, why)),
    close: () => {
      wire.close();
    },
  };
}
