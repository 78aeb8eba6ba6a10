/** The family of PAM: the stacks of the services that ask notp for a code, line by line and over all ways through them. */
import { messageOf } from '../../error.ts';
import { quoted } from '../../otp/escape.ts';
import { groupsByName, namesByUid, type User } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';
import { CONDITION, conditionOf, exemptsUntold, type Who } from './conditions.ts';
import { outdatedCopies } from './inline.ts';
import { actionsOf, asksAfterFailure, branchOpensWithout, firstsBeforeCode, opensWithCode, opensWithoutCode } from './paths.ts';
import { execWords, modulesOf, notpLine, pamStack, pamText, TYPES, type PamLine, type PamModule, type PamType } from './stack.ts';

const TEMPLATE = 'take the lines of examples/pam.d';
/** Modules that read what was typed as a password. */
const PASSWORD_MODULES = /^pam_(unix|sss|ldap|krb5|winbind|systemd_home)\.so$/;
/** Modules that have a credential to set, or say so: without one sshd drops the login after the right code. */
const SETS_CREDENTIALS = /^pam_(permit|unix|sss|ldap|krb5|winbind)\.so$/;

/** A service and how it is reached. */
export interface PamService {
  readonly name: string;
  /** sshd asks in its own prompt; sudo, su and login leave the asking to notp. */
  readonly sshd: boolean;
  /** Enrolled users who must be asked for a code here; without sshd, those of whom it is said where they are not. */
  readonly users?: readonly User[];
}

/** The programs of notp that the stack calls; those that are no absolute path never run. */
export function pamPrograms({ name }: PamService): string[] {
  const lines = readStack(name);
  if (!Array.isArray(lines)) return [];
  // The branch to the password may be a shell.
  return modulesOf(lines)
    .flatMap((line) => (isDoor(line) ? (execWords(line) ?? []).slice(0, 1) : []))
    .filter((program) => program !== '/bin/sh');
}

/** Whether the first pass of a login is for another factor: where it is not, keyboard-interactive twice is codes alone. */
export function hasFirstPass(service: string): boolean {
  const lines = readStack(service);
  return Array.isArray(lines) && opensWithoutCode(lines, { firstPass: true }) && branchOpensWithout(lines) !== 'factor';
}

/** Rules P7 and P9. */
export function examinePam(service: PamService): Finding[] {
  const lines = readStack(service.name);
  if (!Array.isArray(lines)) return [fail('P7', 'The PAM stack cannot be read', lines.why, 'mend the file')];
  const code = modulesOf(lines).find((line) => notpLine(line) === 'code');
  const calls = callsWithoutCode(service);
  if (code === undefined) return [...calls, ...branchAlone(lines, service)];
  const findings = [
    ...calls,
    ...wrongLine(code, service),
    ...wrongWays(lines, service),
    ...strayBranch(lines, service),
    ...openBranch(lines, service),
    ...exempted(lines, service),
    ...exemptsOthers(lines, service),
    ...afterFailure(lines, code, service),
    ...behindUnknown(lines, code, service),
    ...outdated(service),
    ...credentials(lines, code, service),
    ...passwordFirst(lines, code),
  ];
  const held = (id: string, title: string): Finding[] =>
    findings.some((finding) => finding.id === id) ? [] : [ok(id, title, `PAM service ${service.name}`)];
  return [
    ...findings,
    ...held('P7', 'The PAM stack lets nobody in without a code'),
    ...held('P9', 'notp is handed the code, not the password'),
  ];
}

function isDoor(line: PamModule): boolean {
  return ['code', 'first-pass'].includes(notpLine(line) ?? '');
}

/** Lines that start notp and ask for no code, whatever they look like: `sh -c`, a mistyped option, a phase that has no code. */
function callsWithoutCode({ name, sshd }: PamService): Finding[] {
  const lines = TYPES.flatMap((type) => {
    const stack = readStack(name, type);
    const calls = Array.isArray(stack) ? modulesOf(stack).filter((line) => notpLine(line) !== undefined) : [];
    return type === 'auth' ? calls.filter((line) => !isDoor(line)) : calls;
  });
  return lines.map((line) =>
    fail(
      'P7',
      'A line of PAM starts notp and asks for no code, or in a form that cannot be judged',
      `PAM service ${name}, ${line.where}: ${(execWords(line) ?? []).join(' ')}`,
      `auth requisite pam_exec.so quiet ${sshd ? 'expose_authtok stdout /usr/bin/notp pam' : 'seteuid /usr/bin/notp pam --prompt-tty'}`,
    ),
  );
}

/** `--first-pass` without a line for the code beside it. */
function branchAlone(lines: readonly PamLine[], { name }: PamService): Finding[] {
  const branch = modulesOf(lines).find((line) => notpLine(line) === 'first-pass');
  if (branch === undefined) return [];
  return [
    fail(
      'P7',
      'The PAM stack asks for no code: it has the branch of the first pass alone',
      `PAM service ${name}: ${branch.where}`,
      TEMPLATE,
    ),
  ];
}

function wrongLine(line: PamModule, { sshd }: PamService): Finding[] {
  const [program = '', ...words] = execWords(line) ?? [];
  const title = 'The line for the code does not do what it should';
  const wrong = (why: string, fix: string): Finding[] => [fail('P7', title, `${line.where}: ${why}`, fix)];
  const prompts = words.includes('--prompt-tty');
  return [
    ...(program.startsWith('/') ? [] : wrong(`${program} is no absolute path, and pam_exec has no PATH`, '/usr/bin/notp pam')),
    ...(prompts || line.words.includes('expose_authtok')
      ? []
      : wrong('pam_exec hands over no code', 'pam_exec.so quiet expose_authtok stdout /usr/bin/notp pam')),
    ...(prompts && sshd
      ? wrong('sshd has no terminal yet, so --prompt-tty asks nobody', 'pam_exec.so quiet expose_authtok stdout /usr/bin/notp pam')
      : []),
    ...(line.words.some((word) => word.startsWith('type=') && word !== 'type=auth')
      ? wrong('with this type= it is skipped', 'drop type=')
      : []),
    ...(isStrict(line) ? [] : wrong(`its control is ${line.control}`, 'auth requisite pam_exec.so')),
  ];
}

/** Refuses at a wrong code, and lets pam_setcred pass, where pam_exec has nothing to say. */
function isStrict(line: PamModule): boolean {
  return (
    actionsOf(line, 'failure').every((action) => ['bad', 'die'].includes(action)) &&
    actionsOf(line, 'success').join() === 'ok' &&
    actionsOf(line, 'ignore').join() === 'ignore'
  );
}

/** Without a method that has succeeded before, every pass is the first: elsewhere than in sshd the branch leads to the password alone. */
function strayBranch(lines: readonly PamLine[], { name, sshd }: PamService): Finding[] {
  const branch = sshd ? undefined : modulesOf(lines).find((line) => notpLine(line) === 'first-pass');
  if (branch === undefined || !opensWithoutCode(lines, { firstPass: true })) return [];
  const title = 'The branch of the first pass stands in a stack that no sshd uses: there the password alone opens';
  return [
    {
      id: 'P7',
      severity: 'warn',
      title,
      detail: `PAM service ${name}: ${branch.where}`,
      fix: 'take the lines of examples/pam.d/sudo-notp',
    },
  ];
}

/** Where the first pass succeeds and nothing was asked for, the code that follows is the only factor. */
function openBranch(lines: readonly PamLine[], { name, sshd }: PamService): Finding[] {
  const branch = sshd ? modulesOf(lines).find((line) => notpLine(line) === 'first-pass') : undefined;
  const without = branch === undefined ? undefined : branchOpensWithout(lines);
  if (branch === undefined || without === undefined) return [];
  const way = `PAM service ${name}, ${branch.where}: where the first pass leads,`;
  if (without === 'factor')
    return [
      fail(
        'P7',
        'The first pass of a login can succeed without a password, so a code alone logs in',
        `${way} a way through the auth lines succeeds past every first factor, see its jump`,
        TEMPLATE,
      ),
    ];
  return [
    {
      id: 'P7',
      severity: 'warn',
      title: 'The first pass of a login succeeds by a module that notp does not know',
      detail: `${way} only modules say yes of which it is not known whether they ask for a password or a key`,
      fix: `see that they do, or ${TEMPLATE}`,
    },
  ];
}

function wrongWays(lines: readonly PamLine[], { name }: PamService): Finding[] {
  if (opensWithoutCode(lines, { firstPass: false }))
    return [
      fail(
        'P7',
        'The PAM stack can let somebody in without a code',
        `PAM service ${name}: a way through its auth lines leads past notp to success`,
        TEMPLATE,
      ),
    ];
  if (!opensWithCode(lines))
    return [
      fail('P7', 'The PAM stack lets nobody in', `PAM service ${name}: no way through its auth lines succeeds with the code`, TEMPLATE),
    ];
  return [];
}

/** Enrolled users whom the conditions of `notp setup --user` and `--group` lead past the code, under any name of theirs. */
function exempted(lines: readonly PamLine[], { name, sshd, users = [] }: PamService): Finding[] {
  const conditions = modulesOf(lines).flatMap((line) => conditionOf(line) ?? []);
  if (conditions.length === 0 || users.length === 0 || opensWithoutCode(lines, { firstPass: false })) return [];
  const known = new Map<string, boolean>();
  const passes = (who: Who): boolean => {
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
      `PAM service ${name}: neither uid ${String(who.uid)} nor the name ${quoted(who.name)} nor its groups are among those in its ${CONDITION} lines`,
      'run notp setup pam --apply again for all whom it is to ask, see --user and --group',
    ),
    user: user.name,
  }));
}

function accountsOf(users: readonly User[]): { readonly user: User; readonly names: readonly Who[] }[] {
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
  const more = names.length > MAX_SHOWN ? ` and ${String(names.length - MAX_SHOWN)} more` : '';
  return {
    id: 'P7',
    severity: 'info',
    title: 'The PAM stack asks some enrolled users for no code',
    detail: `PAM service ${name} exempts ${names.slice(0, MAX_SHOWN).join(', ')}${more}`,
    fix: `where that is not meant: notp setup sudo --apply again, see --user and --group`,
  };
}

/** Conditions of another form: whom they exempt is not known. */
function exemptsOthers(lines: readonly PamLine[], { name }: PamService): Finding[] {
  const isOpen = (exempt?: 'untold'): boolean => opensWithoutCode(lines, { firstPass: false, exempt });
  if (isOpen() || !isOpen('untold')) return [];
  const untold = modulesOf(lines).filter(exemptsUntold);
  return [
    {
      id: 'P7',
      severity: 'warn',
      title: 'The PAM stack exempts accounts from the code, and notp does not know which',
      detail: `PAM service ${name}: ${untold.map(({ where, words }) => `${where}: ${words.join(' ')}`).join(', ')}`,
      fix: 'see that nobody who must give a code is exempt, or ask by the lines that notp setup writes for --user and --group',
    },
  ];
}

/** A code that is asked for after a wrong password is spent for nothing, and can be guessed without the password. */
function afterFailure(lines: readonly PamLine[], code: PamModule, { name, sshd }: PamService): Finding[] {
  if (!asksAfterFailure(lines)) return [];
  const detail = `PAM service ${name}: a way through its auth lines leads from a wrong password to ${code.where}`;
  const fix = sshd ? TEMPLATE : 'notp setup sudo --apply, or let the lines before it end in "die" where the password is wrong';
  return [fail('P7', 'A code is asked for, judged and spent although the first factor has failed', detail, fix)];
}

/** A code behind modules that notp does not know may be the only factor, or be asked for after a wrong password. */
function behindUnknown(lines: readonly PamLine[], code: PamModule, { name, sshd }: PamService): Finding[] {
  const why = unknownBefore(lines, sshd);
  if (why === undefined) return [];
  return [
    {
      id: 'P7',
      severity: 'warn',
      title: 'A code is asked for, and may be enough, where no first factor has passed that notp knows',
      detail: `PAM service ${name}: a way through its auth lines leads to ${code.where} ${why}`,
      fix: 'see that those modules ask for a password or a key, and that their lines end in "die" where it is wrong',
    },
  ];
}

/** sshd may have taken a key before. Elsewhere the lines before the code are all there is, where they are not the branch of sshd. */
function unknownBefore(lines: readonly PamLine[], sshd: boolean): string | undefined {
  const firsts = firstsBeforeCode(lines);
  if (firsts.has('perhaps failed') || firsts.has('perhaps refused'))
    return 'although a module has failed of which it is not known whether it asks for a password or a key';
  if (sshd || modulesOf(lines).some((line) => notpLine(line) === 'first-pass')) return undefined;
  if (firsts.has('none')) return 'past every line that may ask for a password or a key';
  return firsts.has('perhaps passed') ? 'by modules of which it is not known whether they ask for a password or a key' : undefined;
}

/** What `notp setup sudo` copied does not follow its origin by itself. */
function outdated({ name }: PamService): Finding[] {
  const stacks = outdatedCopies(pamText(name), (stack) => pamStack(stack, 'auth') ?? []);
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
  if (!sshd || modulesOf(lines).some(({ module }) => SETS_CREDENTIALS.test(module))) return [];
  return [
    fail(
      'P7',
      'sshd drops the login after the right code',
      `PAM service ${name}: no module beside ${code.where} has a credential to set`,
      'auth sufficient pam_permit.so after the line of the code',
    ),
  ];
}

/** Rule P9. A prompt of notp's own is not affected. */
function passwordFirst(lines: readonly PamLine[], code: PamModule): Finding[] {
  if (!code.words.includes('expose_authtok')) return [];
  const modules = modulesOf(lines);
  const before = modules.slice(0, modules.indexOf(code)).find(({ module }) => PASSWORD_MODULES.test(module));
  if (before === undefined) return [];
  return [
    fail('P9', 'notp is handed the password in place of the code', `${before.where}: ${before.module} asks before ${code.where}`, TEMPLATE),
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
