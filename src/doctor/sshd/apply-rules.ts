/** Applies the rules to people and their connections: one finding for each rule that a user breaks, one for each that holds for all. Pure. */
import { is, setting, type Effective } from './effective.ts';
import { ok, type Finding } from '../finding.ts';
import { meansGate } from './gate-command.ts';
import { GATE_RULES } from './gate-rules.ts';
import { PAM_RULES } from './pam-rules.ts';
import type { About, Rule } from './rule.ts';
import { placeOf, type Vantage } from './vantage.ts';

/** People whom sshd treats alike, and their effective configuration from each vantage. */
export interface AlikePeople {
  readonly names: readonly string[];
  readonly seen: readonly { readonly vantage: Vantage; readonly effective: Effective }[];
}

/** The doors through which an sshd asks for codes. */
export interface Doors {
  readonly gate: boolean;
  readonly pam: boolean;
}

interface Problem {
  readonly rule: Rule;
  readonly text: string;
  readonly fix: string;
  readonly from: readonly Vantage[];
  /** Whether it occurs on all connections to which the rule applies. */
  readonly everywhere: boolean;
}

const EXEMPTION: Pick<Rule, 'id' | 'severity' | 'title' | 'fix'> = {
  id: 'FC14',
  severity: 'fail',
  title: 'From some addresses sshd does not force the gate',
  fix: 'remove the Match block that exempts them',
};

const BLIND: Pick<Rule, 'id' | 'severity' | 'title' | 'fix'> = {
  id: 'FC14',
  severity: 'warn',
  title: 'The effect of a Match line cannot be checked',
  fix: 'write it with addresses, networks, users or groups, without quotes and backslashes',
};

/** `where` names the sshd in each detail. `unasked`: lines for which sshd could not be asked about any connection. */
export function applyRules(
  people: readonly AlikePeople[],
  doors: Doors,
  { where, unasked, ...about }: Omit<About, 'root'> & { where: string; unasked: readonly string[] },
): Finding[] {
  const broken = people.flatMap(({ names, seen }) =>
    names.flatMap((user) => problemsOf(seen, doors, { ...about, root: user === 'root' }).map((problem) => findingOf(problem, user, where))),
  );
  const ids = new Set(broken.map(({ id }) => id));
  const rules = [...(doors.gate ? GATE_RULES : []), ...(doors.pam ? PAM_RULES : [])];
  const passed = rules.filter(({ id }) => !ids.has(id)).map(({ id, holds }) => ok(id, holds, where));
  const blind = unasked.map((line) => ({ ...BLIND, detail: `${where}: ${line}` }));
  const same =
    doors.gate && !ids.has('FC14') && blind.length === 0 ? [ok('FC14', 'sshd forces the same command from every address', where)] : [];
  return [...broken, ...blind, ...passed, ...same];
}

function problemsOf(seen: AlikePeople['seen'], doors: Doors, about: About): Problem[] {
  const open = seen.filter(({ effective }) => !(about.root && is(effective, 'permitrootlogin', 'no')));
  const rules = new Map(open.map((each) => [each, rulesFor(each.effective, doors)]));
  return [...(doors.gate ? GATE_RULES : []), ...(doors.pam ? PAM_RULES : [])].flatMap((rule) => {
    const asked = open.filter((each) => rules.get(each)?.includes(rule) === true);
    const found = asked.flatMap(({ vantage, effective }) => {
      const text = rule.problem(effective, about);
      return text === undefined ? [] : [{ vantage, text, fix: fixOf(rule, effective, about) }];
    });
    return [...Map.groupBy(found, ({ text }) => text)].map(([text, all]) => ({
      ...{ rule, text, fix: all[0]?.fix ?? rule.fix },
      from: all.map(({ vantage }) => vantage),
      everywhere: all.length === asked.length,
    }));
  });
}

/** A line for everybody mends nothing that a Match block says otherwise. */
function fixOf(rule: Rule, effective: Effective, about: About): string {
  const fix = rule.fixFor?.(effective) ?? rule.fix;
  const isOnlyHere = about.anybody !== undefined && rule.problem(about.anybody, { ...about, root: false }) === undefined;
  return isOnlyHere && !about.root ? `${fix}, in the Match block that says otherwise` : fix;
}

/** If the gate is forced, its rules apply. If not, the rules for PAM do; without the PAM door, only the rule that the gate is missing. */
function rulesFor(effective: Effective, { gate, pam }: Doors): readonly Rule[] {
  if (meansGate(setting(effective, 'forcecommand'))) return GATE_RULES;
  if (pam) return PAM_RULES;
  return gate ? GATE_RULES.filter(({ id }) => id === 'FC1') : [];
}

function findingOf({ rule, text, fix: own, from, everywhere }: Problem, user: string, where: string): Finding {
  const { id, severity, title, fix } = rule.id === 'FC1' && !everywhere ? EXEMPTION : { ...rule, fix: own };
  const places = [...new Set(from.map(placeOf))];
  return { id, severity, title, fix, user, detail: `${where}${everywhere ? '' : `, from ${places.join(', ')}`}: ${text}` };
}
