/** `notp list`: lists your own sealed files. Their content, including issuer and account, needs the passphrase. */
import { isatty } from 'node:tty';
import { escapeControls, shellCommand } from '../../otp/escape.ts';
import type { Payload } from '../../seal/seal.ts';
import { openConversation } from '../../terminal/conversation.ts';
import { printResult, sayError, sayHint, whileRead } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { findSealed, sealedNames, type Found } from '../../system/secrets.ts';
import { passphraseFromFile, patience } from '../../terminal/ask-passphrase.ts';
import { tryToOpen, type Own } from '../../enrolment/own-secrets.ts';
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
  const passphrase = names.length === 0 ? undefined : await optionalPassphrase(own, options);
  const width = Math.max(0, ...names.map((name) => name.length));
  const rows: Row[] = [];
  await whileRead(async () => {
    for (const context of names) {
      const found = await asUser(user, () => findSealed(config, user, context));
      const row = { context, found, opened: passphrase === undefined ? undefined : openedWith(found, passphrase) };
      rows.push(row);
      // Print each line at once, since opening the next file takes a while.
      printResult(options.json ? jsonOf(row) : textOf(row, width));
    }
  });
  if (passphrase === undefined || !opensNone(rows)) return 0;
  sayError('this passphrase opens none of them', 'leave out the passphrase to see the names only');
  return 1;
}

function nothingYet({ secretsInStore }: Own['config']): string {
  return secretsInStore
    ? 'there are no secrets in your home: notp import stores one; secrets for logins are in the store, see notp status'
    : 'there are no secrets yet: notp import stores one, notp enroll makes one for logins';
}

function opensNone(rows: readonly Row[]): boolean {
  const closed = rows.filter(({ found }) => found.kind === 'sealed' && found.file.seal.kind === 'passphrase');
  return closed.length > 0 && closed.every(({ opened }) => opened === undefined);
}

async function optionalPassphrase({ now }: Own, { passphraseFile, ask }: ListOptions): Promise<string | undefined> {
  if (passphraseFile !== undefined) return await passphraseFromFile(passphraseFile, patience(now));
  if (!ask) return undefined;
  const conversation = openConversation(patience(now));
  try {
    const answer = await conversation.ask('Passphrase, to see issuers and accounts (empty: names only): ', { hidden: true });
    return 'line' in answer && answer.line !== '' ? answer.line : undefined;
  } finally {
    conversation.close();
  }
}

function openedWith(found: Found, passphrase: string): Row['opened'] {
  const payload = found.kind === 'sealed' ? tryToOpen(found.file, passphrase) : undefined;
  payload?.secret.fill(0);
  return payload;
}

function jsonOf({ context, found, opened }: Row): string {
  const sealed = found.kind === 'sealed' ? { seal: found.file.seal.kind, created: found.file.created, id: found.file.id } : {};
  const wrong = found.kind === 'bad' ? { error: found.why } : {};
  const names = opened === undefined ? {} : { type: opened.type, issuer: opened.issuer, account: opened.account };
  return JSON.stringify({ context, ...sealed, ...names, ...wrong }) + '\n';
}

/** One line; on a narrow terminal, the names on a second line. */
function textOf({ context, found, opened }: Row, width: number): string {
  const start = `${context.padEnd(width)}  ${factsOf(found)}`;
  const names = opened === undefined ? '' : escapeControls([opened.issuer, opened.account].filter((name) => name !== '').join('  '));
  const narrow = isatty(1) && start.length + names.length + 2 > process.stdout.columns;
  return `${start}${names === '' ? '' : narrow ? `\n    ${names}` : `  ${names}`}\n`;
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
