/** Who gets in without a code by a grant, until when and why. The rules have a list of their own; see rules.ts. */
import { shownGrants, type ShownGrant } from '../../enrolment/grants.ts';
import { shellCommand } from '../../otp/escape.ts';
import type { StatePlace } from '../../state/place.ts';
import { withState } from '../../state/state.ts';
import { asUser } from '../../system/privileges.ts';
import { whoseGrant } from '../../verdict/grants.ts';
import { ok, type Finding } from '../finding.ts';
import { hasLineBefore } from './rules.ts';

const ID = 'grants';

/** The grants in the state; undefined where it cannot be read, which has a finding of its own. */
export async function grantsIn(place: StatePlace, now: () => number): Promise<readonly ShownGrant[] | undefined> {
  try {
    return await asUser(place.owner, () =>
      withState(place, now, async (state) => (state === undefined ? undefined : (await shownGrants(state)).grants)),
    );
  } catch {
    return undefined;
  }
}

/** `atPam`: whether sshd leaves codes to PAM. */
export function examineGrants(grants: readonly ShownGrant[] | undefined, { atPam }: { readonly atPam: boolean }): Finding[] {
  return grants === undefined ? [] : findingsOn(grants, atPam && !hasLineBefore('sshd'));
}

/** `isPrompted`: whether PAM asks for a code before it looks for a grant. */
function findingsOn(all: readonly ShownGrant[], isPrompted: boolean): Finding[] {
  const [doubtful, sure] = [all.filter(({ doubt }) => doubt !== undefined), all.filter(({ doubt }) => doubt === undefined)];
  const [grants, stray] = [sure.filter((each) => each.stray === undefined), sure.filter((each) => each.stray !== undefined)];
  return [
    grants.length === 0
      ? ok(ID, 'No grant lets anybody in without a code')
      : {
          id: ID,
          severity: 'info',
          title: 'Grants let these in without a code',
          detail: grants.map((each) => `${each.id}: ${whoseGrant(each)}, until ${timeOf(each)}: ${each.reason}`).join('; '),
          fix: 'if that is not intended, end them: notp grants --end ID',
        },
    ...(grants.length > 0 && isPrompted ? [prompted()] : []),
    ...(stray.length > 0 ? [strayed(stray)] : []),
    ...(doubtful.length > 0 ? [changed(doubtful)] : []),
  ];
}

function timeOf({ untilMs }: ShownGrant): string {
  return new Date(untilMs).toISOString();
}

function prompted(): Finding {
  const title = 'PAM asks for a code before it looks for a grant';
  const detail = 'PAM service sshd has no line for notp pam --before, so whatever is typed is accepted for those who have a grant';
  return { id: ID, severity: 'info', title, detail, fix: 'run the same notp setup pam --apply again' };
}

/** In a fleet such an account may be on another host. */
function strayed(all: readonly ShownGrant[]): Finding {
  return {
    id: 'grant-stray',
    severity: 'info',
    title: 'Grants of accounts that are gone or are others now; here they count for nothing',
    detail: all.map(({ id, user, stray }) => `${id}: ${user}: ${stray ?? ''}`).join('; '),
    fix: shellCommand`notp grants --end ${all[0]?.id ?? ''}`,
  };
}

function changed(forged: readonly ShownGrant[]): Finding {
  return {
    id: 'grant-changed',
    severity: 'warn',
    title: 'Grants were changed outside notp, or are under a host key that is not here; they count for nothing',
    detail: forged.map(({ id, user }) => `${id}: ${user}`).join('; '),
    fix: shellCommand`notp grants --end ${forged[0]?.id ?? ''}`,
  };
}
