/** `notp list`: lists your own sealed files. Their content, including issuer and account, needs the passphrase. */
import { setImmediate } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { NotpError } from '../../error.ts';
import { escapeControls, shellCommand } from '../../otp/escape.ts';
import { haveSameSeal, Keyring } from '../../seal/keyring.ts';
import type { Payload } from '../../seal/seal.ts';
import type { Waiting } from '../../system/bytes.ts';
import { columnsOf, wrapped } from '../../terminal/columns.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { openConversation } from '../../terminal/conversation.ts';
import { printResult, sayError, sayHint, whileRead } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { findDevices, sealedNames, type Found } from '../../system/secrets.ts';
import { passphraseFromFile, patience } from '../../terminal/ask-passphrase.ts';
import type { Own } from '../../enrolment/own-secrets.ts';
import { Option, type Command } from 'commander';
import { userNamed } from '../../enrolment/whose.ts';
import { listAll } from '../enrolments/list-all.ts';
import { configOf, type Finish, type SecretFlags, type Surroundings, withPassphrase } from '../options.ts';

export interface ListOptions {
  readonly json: boolean;
  readonly passphraseFile: string | undefined;
  /** Whether to ask for a passphrase if there is no passphrase file. */
  readonly ask: boolean;
}

interface Row {
  readonly context: string;
  readonly found: Found;
  /** The content that the passphrase opened, without the secret. */
  readonly opened: Omit<Payload, 'secret'> | undefined;
}

/** Prints a line for each sealed file. Gives 1 if a passphrase was given but opens none of the passphrase-sealed files. */
export async function listSecrets(own: Own, options: ListOptions): Promise<number> {
  const { config, user } = own;
  const names = await asUser(user, () => sealedNames(config, user));
  if (names.length === 0) sayHint(nothingYet(config));
  const waiting = names.length > 0 && (options.ask || options.passphraseFile !== undefined) ? patience(own.now) : undefined;
  const passphrase = waiting && (await optionalPassphrase(options, waiting));
  const width = Math.max(0, ...names.map((name) => name.length));
  const rows: Row[] = [];
  const keyring = passphrase === undefined ? undefined : new Keyring(passphrase);
  try {
    await whileRead(async () => {
      for (const { context, found } of await asUser(user, () => findDevices(config, user, names))) {
        // A signal is heard only when the event loop turns.
        await setImmediate();
        if (waiting?.interrupt.aborted === true) throw new NotpError('refused', 'interrupted', 'nothing was changed');
        const row = openedWith(keyring, context, found);
        rows.push(row);
        // Print each line at once, since opening the next file may take a while.
        printResult(options.json ? jsonOf(row) : textOf(row, width));
      }
    });
  } finally {
    keyring?.close();
  }
  if (passphrase !== undefined && opensNone(rows)) {
    sayError('this passphrase opens none of them', 'leave out the passphrase to see the names only');
    return 1;
  }
  if (isatty(2)) hintAtSeals(rows.filter(({ context }) => !config.contexts.includes(context)));
  return 0;
}

/** Each seal is a derivation, which takes a third of a second. */
function hintAtSeals(rows: readonly Row[]): void {
  const seals = rows.flatMap(({ found, opened }) => (opened !== undefined && found.kind === 'sealed' ? [found.file.seal] : []));
  const others = seals
    .filter((seal) => seal.kind === 'passphrase')
    .filter((seal, i, all) => i > 0 && all[0] !== undefined && !haveSameSeal(seal, all[0]));
  if (others.length > 0) sayHint('these were sealed one by one, which makes them slow to open: notp passphrase --all seals them together');
}

export function nothingYet({ secretsInStore }: Own['config']): string {
  return secretsInStore
    ? 'there are no secrets in your home: notp import stores one; secrets for logins are in the store, see notp status'
    : 'there are no secrets yet: notp import stores one, notp enroll makes one for logins';
}

function opensNone(rows: readonly Row[]): boolean {
  const closed = rows.filter(({ found }) => found.kind === 'sealed' && found.file.seal.kind === 'passphrase');
  return closed.length > 0 && closed.every(({ opened }) => opened === undefined);
}

async function optionalPassphrase({ passphraseFile }: ListOptions, waiting: Waiting): Promise<string | undefined> {
  if (passphraseFile !== undefined) return await passphraseFromFile(passphraseFile, waiting);
  const conversation = openConversation(waiting);
  try {
    const answer = await conversation.ask('Passphrase, to see issuers and accounts (empty: names only): ', { hidden: true });
    return 'line' in answer && answer.line !== '' ? answer.line : undefined;
  } finally {
    conversation.close();
  }
}

function openedWith(keyring: Keyring | undefined, context: string, found: Found): Row {
  if (keyring === undefined || found.kind !== 'sealed') return { context, found, opened: undefined };
  try {
    const opened = keyring.open(found.file);
    opened?.secret.fill(0);
    return { context, found, opened };
  } catch (error) {
    // Its content is not as notp writes it.
    if (!(error instanceof NotpError)) throw error;
    return { context, found: { kind: 'bad', why: error.message }, opened: undefined };
  }
}

function jsonOf({ context, found, opened }: Row): string {
  const sealed = found.kind === 'sealed' ? { seal: found.file.seal.kind, created: found.file.created, id: found.file.id } : {};
  const wrong = found.kind === 'bad' ? { error: found.why } : {};
  const names = opened === undefined ? {} : { type: opened.type, issuer: opened.issuer, account: opened.account };
  return JSON.stringify({ context, ...sealed, ...names, ...wrong }) + '\n';
}

const INDENT = '    ';

/** One line; on a narrow terminal, the names on a second line or more. */
function textOf({ context, found, opened }: Row, width: number): string {
  const start = `${context.padEnd(width)}  ${factsOf(found)}`;
  const names = opened === undefined ? '' : escapeControls([opened.issuer, opened.account].filter((name) => name !== '').join('  '));
  const { columns } = outputTraits();
  const narrow = isatty(1) && columnsOf(`${start}  ${names}`) > columns;
  return `${start}${names === '' ? '' : narrow ? `\n${INDENT}${wrapped(names, columns, INDENT)}` : `  ${names}`}\n`;
}

function factsOf(found: Found): string {
  switch (found.kind) {
    case 'sealed':
      return `${found.file.seal.kind.padEnd('passphrase'.length)}  ${found.file.created.slice(0, 10)}`;
    case 'absent':
      return 'gone';
    case 'bad':
      return `cannot be used: ${escapeControls(found.why)}`;
  }
}

interface ListFlags extends SecretFlags {
  readonly user?: string;
  readonly all?: boolean;
}

/** Adds `list`. */
export function addList(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('list'))
    .description('list your secrets: name, seal, day; with a passphrase also issuer and account of those that it opens')
    .option('--user <name>', 'list the secrets of this user; root only')
    .addOption(
      new Option('--all', 'list every enrolment of every user, and whether it logs in; root only').conflicts(['user', 'passphraseFile']),
    )
    .addHelpText('after', '\nExamples:\n  notp list\n  sudo notp list --all    user, context, seal, state, last login')
    .action(async ({ user, all, passphraseFile, ...flags }: ListFlags) => {
      const json = flags.json === true;
      if (all === true) {
        return finish(await listAll(configOf(flags), { json }, now));
      }
      const whose = userNamed(user, {
        onlyRoot: "list somebody else's secrets",
        hint: ({ name }) => shellCommand`sudo notp list --user ${name}`,
      });
      finish(await listSecrets({ config: configOf(flags), user: whose, now }, { passphraseFile, ask: false, json }));
    });
}
