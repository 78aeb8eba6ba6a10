/** Checks of PAM: the stacks of the services that ask notp for a code, each line and every path through them. */
import * as path from 'node:path';
import { messageOf } from '../../error.ts';
import { quoted } from '../../otp/escape.ts';
import { groupsByName, namesByUid, type User } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';
import { configOf } from '../sshd/gate-command.ts';
import { CONDITION, conditionOf, exemptsUnknown, type PamAccount } from './conditions.ts';
import { outdatedCopies } from './inline.ts';
import {
  actionsOf,
  asksAfterFailure,
  branchOpensWithout,
  canSucceed,
  firstsBeforeCode,
  opensWithCode,
  opensWithoutCode,
  pathsWithoutCode,
  setsCredentials,
} from './paths.ts';
import { programWords, modulesOf, notpLine, pamStack, pamText, TYPES, type PamLine, type PamModule, type PamType } from './stack.ts';
import { namesUpTo } from '../../lists.ts';

const TEMPLATE = 'use the lines of examples/pam.d';
/** Modules that treat the typed text as a password. */
const PASSWORD_MODULES = /^pam_(unix|sss|ldap|krb5|winbind|systemd_home)\.so$/;

/** A PAM service and how it prompts. */
export interface PamService {
  readonly name: string;
  /** Whether sshd uses it: sshd has a prompt of its own, while for sudo, su and login notp prompts. */
  readonly sshd: boolean;
  /** For sshd, enrolled users who must be asked for a code here; for other services, users who are reported if they are exempt. */
  readonly users?: readonly User[];
}

/** The programs of notp that the stack calls. A program without an absolute path never runs. */
export function pamPrograms({ name }: PamService): string[] {
  const lines = readStack(name);
  if (!Array.isArray(lines)) return [];
  // The branch to the password may be a shell.
  return modulesOf(lines)
    .flatMap((line) => (isDoor(line) ? (programWords(line) ?? []).slice(0, 1) : []))
    .filter((program) => program !== '/bin/sh');
}

/** The configurations that its lines for the code name with --config. */
export function pamConfigurations(service: string): string[] {
  const lines = readStack(service);
  if (!Array.isArray(lines)) return [];
  return modulesOf(lines).flatMap((line) => (notpLine(line) === 'code' ? (configOf(programWords(line) ?? []) ?? []) : []));
}

/** Whether the first pass of a login asks for another factor, or never succeeds. If not, keyboard-interactive twice asks for codes alone. */
export function hasFirstPass(service: string): boolean {
  const lines = readStack(service);
  return Array.isArray(lines) && branchOpensWithout(lines)?.without !== 'factor';
}

/** Programs that keep the real uid of their caller, so that pam_rootok(8) lets root past there and nobody else. */
const KEEP_THEIR_CALLER: ReadonlySet<string> = new Set(['su', 'su-l', 'chfn', 'chsh']);

/** A module that never counts. */
const NO_SAY = 'pam_warn.so';

/** The stack as it is for others than root: a line that only lets root past does not count. */
function forOthersThanRoot(lines: readonly PamLine[], { name }: PamService): PamLine[] {
  if (!KEEP_THEIR_CALLER.has(path.basename(name))) return [...lines];
  return lines.map((line) =>
    line.kind === 'module' && line.module === 'pam_rootok.so' && actionsOf(line, 'failure').join() === 'ignore'
      ? { ...line, module: NO_SAY }
      : line,
  );
}

/** Rules P7 and P9. */
export function examinePam(service: PamService): Finding[] {
  const read = readStack(service.name);
  if (!Array.isArray(read)) return [fail('P7', 'The PAM stack cannot be read', read.why, 'correct the file')];
  const lines = forOthersThanRoot(read, service);
  const code = modulesOf(lines).find((line) => notpLine(line) === 'code');
  const calls = callsWithoutCode(service);
  if (code === undefined) return [...calls, ...branchAlone(lines, service)];
  const findings = [
    ...calls,
    ...modulesOf(lines).flatMap((line) => (notpLine(line) === 'code' ? wrongLine(line, service) : [])),
    ...wrongPaths(lines, service),
    ...strayBranch(lines, service),
    ...openBranch(lines, service),
    ...exemptedUsers(lines, service),
    ...exemptsOthers(lines, service),
    ...afterFailure(lines, code, service),
    ...codeAfterUnknown(lines, code, service),
    ...outdatedStacks(service),
    ...credentials(lines, code, service),
    ...laterPhases(service),
    ...passwordBeforeCode(lines, code),
  ];
  const held = (id: string, title: string): Finding[] =>
    findings.some((finding) => finding.id === id) ? [] : [ok(id, title, `PAM service ${service.name}`)];
  return [
    ...findings,
    ...held('P7', 'The PAM stack lets nobody in without a code'),
    ...held('P9', 'notp receives the code, not the password'),
  ];
}

function isDoor(line: PamModule): boolean {
  return ['code', 'before', 'first-pass'].includes(notpLine(line) ?? '');
}

/** Lines that start notp but ask for no code: through `sh -c`, with a mistyped option, or in a phase without a code. */
function callsWithoutCode({ name, sshd }: PamService): Finding[] {
  const lines = TYPES.flatMap((type) => {
    const stack = readStack(name, type);
    const calls = Array.isArray(stack) ? modulesOf(stack).filter((line) => notpLine(line) !== undefined) : [];
    return type === 'auth' ? calls.filter((line) => !isDoor(line)) : calls;
  });
  return lines.map((line) =>
    fail(
      'P7',
      'A PAM line starts notp without asking for a code, or in a form that cannot be checked',
      `PAM service ${name}, ${line.where}: ${(programWords(line) ?? []).join(' ')}`,
      `auth requisite pam_exec.so quiet ${sshd ? 'expose_authtok stdout /usr/bin/notp pam' : 'seteuid /usr/bin/notp pam --prompt-tty'}`,
    ),
  );
}

/** A line for the first pass, or for the rules, without a line for the code. */
function branchAlone(lines: readonly PamLine[], { name }: PamService): Finding[] {
  const alone = modulesOf(lines).find(isDoor);
  if (alone === undefined) return [];
  const what = notpLine(alone) === 'before' ? 'notp pam --before' : 'the first pass';
  return [fail('P7', `The PAM stack asks for no code: it has only the line for ${what}`, `PAM service ${name}: ${alone.where}`, TEMPLATE)];
}

function wrongLine(line: PamModule, { sshd }: PamService): Finding[] {
  const [program = '', ...words] = programWords(line) ?? [];
  const title = 'The line for the code does not do what it should';
  const wrong = (why: string, fix: string): Finding[] => [fail('P7', title, `${line.where}: ${why}`, fix)];
  const prompts = words.includes('--prompt-tty');
  return [
    ...(program.startsWith('/') ? [] : wrong(`${program} is not an absolute path, and pam_exec has no PATH`, '/usr/bin/notp pam')),
    ...(prompts || line.words.includes('expose_authtok')
      ? []
      : wrong('pam_exec does not pass the code on', 'pam_exec.so quiet expose_authtok stdout /usr/bin/notp pam')),
    ...(prompts && sshd
      ? wrong('sshd has no terminal yet, so --prompt-tty asks nobody', 'pam_exec.so quiet expose_authtok stdout /usr/bin/notp pam')
      : []),
    ...(line.words.some((word) => word.startsWith('type=') && word !== 'type=auth')
      ? wrong('with this type= it is skipped', 'remove type=')
      : []),
    ...(isStrict(line) ? [] : wrong(`its control is ${line.control}`, 'auth requisite pam_exec.so')),
  ];
}

/** Whether the line refuses after a wrong code but lets pam_setcred pass, where pam_exec returns ignore. */
function isStrict(line: PamModule): boolean {
  return (
    actionsOf(line, 'failure').every((action) => ['bad', 'die'].includes(action)) &&
    actionsOf(line, 'success').join() === 'ok' &&
    actionsOf(line, 'ignore').join() === 'ignore'
  );
}

/** Outside sshd no method has succeeded before, so every pass counts as the first: the branch then asks for the password alone. */
function strayBranch(lines: readonly PamLine[], { name, sshd }: PamService): Finding[] {
  const branch = sshd ? undefined : modulesOf(lines).find((line) => notpLine(line) === 'first-pass');
  if (branch === undefined || !opensWithoutCode(lines, { firstPass: true })) return [];
  const title = 'The line for the first pass is in a stack that no sshd uses, so the password alone is enough there';
  return [
    {
      id: 'P7',
      severity: 'warn',
      title,
      detail: `PAM service ${name}: ${branch.where}`,
      fix: 'use the lines of examples/pam.d/sudo-notp',
    },
  ];
}

/** If the first pass succeeds without asking for anything, the code that follows is the only factor. */
function openBranch(lines: readonly PamLine[], { name, sshd }: PamService): Finding[] {
  const branch = sshd ? modulesOf(lines).find((line) => notpLine(line) === 'first-pass') : undefined;
  const open = branch === undefined ? undefined : branchOpensWithout(lines);
  if (branch === undefined || open === undefined) return [];
  const way = `PAM service ${name}, ${branch.where}: in the first pass`;
  if (open.without === 'factor')
    return [
      fail(
        'P7',
        'The first pass of a login can succeed without a password, so a code alone logs in',
        `${way} a path through the auth lines succeeds without any first factor: ${open.path}`,
        TEMPLATE,
      ),
    ];
  return [
    {
      id: 'P7',
      severity: 'warn',
      title: 'The first pass of a login succeeds through a module that notp does not know',
      detail: `${way} only modules succeed that may not ask for a password or a key`,
      fix: `make sure that they do, or ${TEMPLATE}`,
    },
  ];
}

function wrongPaths(lines: readonly PamLine[], { name }: PamService): Finding[] {
  const open = pathsWithoutCode(lines, { firstPass: false });
  if (open.length > 0)
    return open
      .slice(0, MAX_SHOWN)
      .map((way) =>
        fail(
          'P7',
          'The PAM stack can let somebody in without a code',
          `PAM service ${name}: a path through its auth lines succeeds without notp: ${way}`,
          TEMPLATE,
        ),
      );
  if (!opensWithCode(lines))
    return [
      fail(
        'P7',
        'The PAM stack lets nobody in',
        `PAM service ${name}: no path through its auth lines succeeds with the right code`,
        TEMPLATE,
      ),
    ];
  return [];
}

/** Enrolled users whom the conditions of `notp setup --user` and `--group` exempt from the code, under any of their names. */
function exemptedUsers(lines: readonly PamLine[], { name, sshd, users = [] }: PamService): Finding[] {
  const conditions = modulesOf(lines).flatMap((line) => conditionOf(line) ?? []);
  if (conditions.length === 0 || users.length === 0 || opensWithoutCode(lines, { firstPass: false })) return [];
  const known = new Map<string, boolean>();
  const passes = (who: PamAccount): boolean => {
    const key = conditions.map((holds) => holds(who)).join();
    const opens = known.get(key) ?? opensWithoutCode(lines, { firstPass: false, exempt: who });
    known.set(key, opens);
    return opens;
  };
  const found = accountsOf(users).flatMap(({ user, names }) => {
    const who = names.find(passes);
    return who === undefined ? [] : [{ user, who }];
  });
  if (!sshd) return found.length === 0 ? [] : [notAsked(name, found)];
  return found.map(({ user, who }) => ({
    ...fail(
      'P7',
      'The PAM stack exempts an enrolled user from the code, though sshd leaves the code to it',
      `PAM service ${name}: neither uid ${String(who.uid)} nor the name ${quoted(who.name)} nor its groups is named in its ${CONDITION} lines`,
      'run notp setup pam --apply again for all users who need a code, see --user and --group',
    ),
    user: user.name,
  }));
}

function accountsOf(users: readonly User[]): { readonly user: User; readonly names: readonly PamAccount[] }[] {
  const listed = namesByUid();
  const all = users.map((user) => ({ user, names: [...new Set([user.name, ...(listed.get(user.uid) ?? [])])] }));
  const groups = groupsByName(all.flatMap(({ names }) => names));
  return all.map(({ user, names }) => ({
    user,
    names: names.map((name) => ({ name, uid: user.uid, groups: groups.get(name) ?? [] })),
  }));
}

const MAX_SHOWN = 5;

function notAsked(name: string, found: readonly { readonly user: User }[]): Finding {
  const names = found.map(({ user }) => quoted(user.name));
  return {
    id: 'P7',
    severity: 'info',
    title: 'The PAM stack asks some enrolled users for no code',
    detail: `PAM service ${name} exempts ${namesUpTo(MAX_SHOWN, names)}`,
    fix: `if that is not intended, run notp setup sudo --apply again, see --user and --group`,
  };
}

/** Conditions in another form: notp cannot tell which accounts they exempt. */
function exemptsOthers(lines: readonly PamLine[], { name }: PamService): Finding[] {
  const isOpen = (exempt?: 'unknown'): boolean => opensWithoutCode(lines, { firstPass: false, exempt });
  if (isOpen() || !isOpen('unknown')) return [];
  const unknown = modulesOf(lines).filter(exemptsUnknown);
  return [
    {
      id: 'P7',
      severity: 'warn',
      title: 'The PAM stack exempts accounts from the code, and notp does not know which',
      detail: `PAM service ${name}: ${unknown.map(({ where, words }) => `${where}: ${words.join(' ')}`).join(', ')}`,
      fix: 'make sure that nobody who needs a code is exempt, or use the lines that notp setup writes for --user and --group',
    },
  ];
}

/** A code that is asked for after a wrong password is spent in vain, and can be guessed without the password. */
function afterFailure(lines: readonly PamLine[], code: PamModule, { name, sshd }: PamService): Finding[] {
  if (!asksAfterFailure(lines)) return [];
  const detail = `PAM service ${name}: a path through its auth lines goes from a wrong password to ${code.where}`;
  const fix = sshd ? TEMPLATE : 'notp setup sudo --apply, or let the lines before it end in "die" if the password is wrong';
  return [fail('P7', 'A code is asked for, checked and spent although the first factor has failed', detail, fix)];
}

/** After modules that notp does not know, the code may be the only factor, or may be asked for after a wrong password. */
function codeAfterUnknown(lines: readonly PamLine[], code: PamModule, { name, sshd }: PamService): Finding[] {
  const why = unknownBefore(lines, sshd);
  if (why === undefined) return [];
  return [
    {
      id: 'P7',
      severity: 'warn',
      title: 'A code is asked for, and may be enough alone, without a first factor that notp knows',
      detail: `PAM service ${name}: a path through its auth lines reaches ${code.where} ${why}`,
      fix: 'make sure that those modules ask for a password or a key, and that their lines end in "die" if it is wrong',
    },
  ];
}

/** Before PAM, sshd may have accepted a key. Other services have only the lines before the code, unless those are sshd's branch. */
function unknownBefore(lines: readonly PamLine[], sshd: boolean): string | undefined {
  const firsts = firstsBeforeCode(lines);
  if (firsts.has('perhaps failed') || firsts.has('perhaps refused'))
    return 'although a module has failed that may ask for a password or a key';
  if (sshd || modulesOf(lines).some((line) => notpLine(line) === 'first-pass')) return undefined;
  if (firsts.has('none')) return 'without any line that may ask for a password or a key';
  return firsts.has('perhaps passed') ? 'through modules that may not ask for a password or a key' : undefined;
}

/** The copies that `notp setup sudo` made do not follow later changes of the original by themselves. */
function outdatedStacks({ name }: PamService): Finding[] {
  const stacks = outdatedCopies(pamText(name), (stack) => {
    const lines = readStack(stack);
    return Array.isArray(lines) ? lines : [];
  });
  const title = 'A copy of a PAM stack is older than the stack';
  const fix = 'run the same notp setup sudo --apply again';
  return stacks.map((stack) => ({
    id: 'P7',
    severity: 'warn',
    title,
    detail: `PAM service ${name}: the auth lines of ${stack} have changed`,
    fix,
  }));
}

function credentials(lines: readonly PamLine[], code: PamModule, { name, sshd }: PamService): Finding[] {
  if (!sshd || setsCredentials(lines)) return [];
  return [
    fail(
      'P7',
      'sshd drops the login after the right code',
      `PAM service ${name}: no path through its auth lines succeeds in pam_setcred, where ${code.where} does not count`,
      'add auth sufficient pam_permit.so after the line for the code',
    ),
  ];
}

/** The phases after the code: whoever gives it must still get past these lines. */
function laterPhases({ name }: PamService): Finding[] {
  return (['account', 'session'] as const).flatMap((type) => {
    const own = readStack(name, type);
    // libpam takes the lines of the service "other" where there are none.
    const lines = Array.isArray(own) && own.length === 0 ? readStack('other', type) : own;
    if (!Array.isArray(lines))
      return [
        fail(
          'P7',
          'The PAM stack lets nobody in',
          `PAM service ${name}: its ${type} lines cannot be read: ${lines.why}`,
          'correct the file',
        ),
      ];
    if (canSucceed(lines)) return [];
    const deny = modulesOf(lines).filter(({ module }) => module === 'pam_deny.so');
    const where = deny.length === 0 ? '' : `, see ${deny.map((line) => line.where).join(', ')}`;
    const detail = `PAM service ${name}: no path through its ${type} lines succeeds${where}`;
    return [fail('P7', 'The PAM stack lets nobody in', detail, `remove or correct the ${type} line that refuses`)];
  });
}

/** Rule P9. It does not concern notp's own prompt. */
function passwordBeforeCode(lines: readonly PamLine[], code: PamModule): Finding[] {
  if (!code.words.includes('expose_authtok')) return [];
  const modules = modulesOf(lines);
  const before = modules.slice(0, modules.indexOf(code)).find(({ module }) => PASSWORD_MODULES.test(module));
  if (before === undefined) return [];
  return [
    fail('P9', 'notp receives the password instead of the code', `${before.where}: ${before.module} asks before ${code.where}`, TEMPLATE),
  ];
}

function readStack(service: string, type: PamType = 'auth'): PamLine[] | { readonly why: string } {
  try {
    return pamStack(service, type) ?? { why: `there is no PAM service ${service}` };
  } catch (error) {
    return { why: messageOf(error) };
  }
}

function fail(id: string, title: string, detail: string, fix: string): Finding {
  return { id, severity: 'fail', title, detail, fix };
}
