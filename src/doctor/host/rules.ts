/** Who gets in without a code by the rules of the configuration, in one list with the reasons. */
import type { StoredRules } from '../../login/stored-rules.ts';
import type { Config } from '../../system/config.ts';
import { doAnswer, otherSources } from '../../system/accounts/memberships.ts';
import { groupsThatExist } from '../../system/users.ts';
import { whatOf, whoOf } from '../../verdict/rule-words.ts';
import { concernsService, groupsNamed, mayLetIn, type Rule } from '../../verdict/rules.ts';
import { ok, type Finding } from '../finding.ts';
import { modulesOf, notpLine, pamStack } from '../pam/stack.ts';

const ID = 'rules';

/** `atPam`: whether sshd leaves codes to PAM. `nowMs`: Unix time in milliseconds. */
export function examineRules({ rules }: Pick<Config, 'rules'>, { atPam, nowMs }: { atPam: boolean; nowMs: number }): Finding[] {
  const open = rules.filter(
    (rule) => mayLetIn(rule) && (rule.ask === 'nothing' || rule.rememberMs !== undefined || isOpenUntil(rule, nowMs)),
  );
  const needsLine = atPam && open.some((rule) => concernsService(rule, 'sshd')) && !hasLineBefore('sshd');
  return [
    open.length === 0
      ? ok(ID, 'No rule lets anybody in without a code')
      : {
          id: ID,
          severity: open.some((rule) => isOpenUntil(rule, nowMs)) ? 'warn' : 'info',
          title: 'Rules let these in without a code',
          detail: open.map((rule) => `line ${String(rule.line)}: ${whoOf(rule)}: ${whatOf(rule)}`).join('; '),
          fix: open.some(({ inStore }) => inStore === true)
            ? 'if that is not intended, change these rules: notp rules get, notp rules put FILE'
            : 'if that is not intended, change these rules in notp.toml',
        },
    ...(needsLine ? [prompted()] : []),
    ...unknownGroups(rules),
    ...awayGroups(rules),
  ];
}

/** Whether the rules in the store count, and whether the doors look up the groups that they name. `stored`: undefined where rules are in the file. */
export function examineStored(stored: StoredRules | undefined, { ruleGroups = [] }: Pick<Config, 'ruleGroups'>): Finding[] {
  if (stored === undefined) return [];
  if (stored.wrong !== undefined)
    return [
      {
        id: 'rules-store',
        severity: 'fail',
        title: 'The rules in the store count for nothing, so everybody is asked for a code',
        detail: stored.wrong,
        fix: 'put them there again: notp rules put FILE',
      },
    ];
  const unlisted = groupsNamed(stored.rules).filter((group) => !ruleGroups.includes(group));
  if (unlisted.length === 0) return [ok('rules-store', 'The rules in the store count')];
  return [
    {
      id: 'rules-store',
      severity: 'warn',
      title: 'Rules in the store name groups that the doors of this host do not look up',
      detail: `${unlisted.join(', ')}: it is unknown who is in them, so rules about them refuse or ask for a code, and let nobody in`,
      fix: `in notp.toml: rule_groups = ${JSON.stringify([...ruleGroups, ...unlisted])}`,
    },
  ];
}

/** Of a group that no database knows it is unknown who is in it, so a rule that refuses it refuses everybody whom it could be about. */
function unknownGroups(rules: readonly Rule[]): Finding[] {
  const refusing = rules.filter(({ ask }) => ask === 'refuse');
  const named = groupsNamed(refusing);
  const existing = groupsThatExist(named);
  const missing = named.filter((name) => !existing.includes(name));
  if (missing.length === 0) return [];
  const lines = refusing.filter((rule) => groupsNamed([rule]).some((name) => missing.includes(name)));
  return [
    {
      id: 'rule-groups',
      severity: 'fail',
      title: 'Rules refuse everybody, as no group database knows the group that they are about',
      detail: lines.map((rule) => `line ${String(rule.line)}: ${whoOf(rule)}`).join('; '),
      fix: 'add the group (groupadd), repair the directory that has it, or change these rules in notp.toml',
    },
  ];
}

/** Whoever is asked about, no user has this name. So a directory looks at its server, and does not say what it says of local users. */
const NO_USER = 'notp-no-such-user';

/** Nobody counts as outside a group before every source of groups has answered; see system/accounts/memberships.ts. */
function awayGroups(rules: readonly Rule[]): Finding[] {
  const naming = rules.filter((rule) => groupsNamed([rule]).length > 0);
  const sources = otherSources();
  if (naming.length === 0 || sources?.length === 0) return [];
  const lines = naming.map((rule) => `line ${String(rule.line)}: ${whoOf(rule)}`).join('; ');
  const which =
    sources === undefined ? 'the sources of groups in /etc/nsswitch.conf cannot be told' : `groups also come from ${sources.join(', ')}`;
  const about = { id: 'rule-groups', detail: `${which}; ${lines}` };
  if (sources !== undefined && doAnswer(NO_USER, sources))
    return [
      {
        ...about,
        severity: 'info',
        title: 'While a directory does not answer, rules refuse or ask for a code also those who are in none of their groups',
        fix: 'let no rule that names a group refuse those who repair the directory; SSSD and winbind answer from a cache, which may be old',
      },
    ];
  return [
    {
      ...about,
      severity: naming.some(({ ask }) => ask === 'refuse') ? 'fail' : 'warn',
      title: 'A source of groups does not answer, so rules refuse or ask for a code also those who are in none of their groups',
      fix: 'start or repair what serves it, or take it out of "group" and "initgroups" in /etc/nsswitch.conf',
    },
  ];
}

/** Whether a rule lets in users who are not enrolled yet. */
export function letsInUnenrolled({ rules }: Pick<Config, 'rules'>, nowMs: number): boolean {
  return rules.some((rule) => isOpenUntil(rule, nowMs));
}

function isOpenUntil({ enrolByMs = 0 }: Pick<Rule, 'enrolByMs'>, nowMs: number): boolean {
  return nowMs < enrolByMs;
}

/** Whether the stack of `service` looks for rules and grants before it asks. */
export function hasLineBefore(service: string): boolean {
  try {
    return modulesOf(pamStack(service, 'auth') ?? []).some((line) => notpLine(line) === 'before');
  } catch {
    return true;
  }
}

function prompted(): Finding {
  const title = 'PAM asks for a code before it knows that a rule asks for none';
  const detail = 'PAM service sshd has no line for notp pam --before, so whatever is typed is accepted for those whom a rule lets in';
  return { id: ID, severity: 'info', title, detail, fix: 'run the same notp setup pam --apply again' };
}
