/** `notp setup confirm` and `notp setup undo`: how a setup ends, for good or as if it had never been. */
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { confirmSetup } from '../../setup/confirm.ts';
import { setupsInForce, unfinishedSetup, type Setup } from '../../setup/record.ts';
import { reloadSshd } from '../../setup/sshd.ts';
import { changedSince, endUndo, restoreFiles } from '../../setup/undo.ts';
import { printResult, sayHint, sayLine } from '../../terminal/printer.ts';
import { isRoot } from '../../system/users.ts';
import { Option, type Command } from 'commander';
import { type Finish } from '../options.ts';

export interface UndoOptions {
  /** Only the setup of this id (`true`: whichever), and only where it was not confirmed: what the timer and the next boot ask for. */
  readonly ifUnconfirmed: string | true | undefined;
  readonly force: boolean;
  readonly reload: boolean;
  readonly json: boolean;
}

function confirm({ json }: { readonly json: boolean }): number {
  requireRoot('confirm');
  const { id, door } = confirmSetup();
  if (json) printResult(JSON.stringify({ id, door, confirmed: true }) + '\n');
  else sayLine(`Confirmed: ${door} stays as it is`);
  sayHint('notp setup undo still takes it away');
  return 0;
}

/** Undoes every setup in force, the newest first. Throws `refused` if that would overwrite what somebody has changed since. */
function undo(options: UndoOptions): number {
  requireRoot('undo');
  const setups = options.ifUnconfirmed === undefined ? setupsInForce() : unconfirmed(options.ifUnconfirmed);
  if (options.ifUnconfirmed === undefined && setups.length === 0)
    throw new NotpError('refused', 'there is no setup to undo', 'what was written by hand is taken away by hand');
  // A way in counts for more than a changed file, which is kept.
  if (!options.force && options.ifUnconfirmed === undefined) refuseChanged(setups);
  for (const setup of setups) restoreOne(setup, options);
  if (options.reload && setups.some(({ door }) => door !== 'sudo')) {
    const reloaded = reloadSshd();
    sayLine(reloaded === undefined ? 'No sshd runs' : `Reloaded ${reloaded}`);
  }
  // Only now: where this was killed before, the next undo does it again.
  for (const setup of setups) endUndo(setup);
  return 0;
}

function restoreOne(setup: Setup, { json }: UndoOptions): void {
  const { id, door, files, folder } = setup;
  const changed = restoreFiles(setup);
  if (json) printResult(JSON.stringify({ id, door, undone: true, files: files.map(({ file }) => file), changed }) + '\n');
  for (const { file, before } of files) sayLine(`${before === null ? 'Removed' : 'Put back'} ${file}`);
  if (changed.length > 0) sayHint(`${changed.join(', ')}: had been changed since; as found it is in ${folder}`);
}

/** Only the newest tells: what lies below it is not to be seen before it is undone. */
function refuseChanged(setups: readonly Setup[]): void {
  const seen = new Set<string>();
  const changed = setups.flatMap((setup) => {
    const tells = changedSince(setup).filter((file) => !seen.has(file));
    for (const { file } of setup.files) seen.add(file);
    return tells;
  });
  if (changed.length === 0) return;
  throw new NotpError(
    'refused',
    `somebody has changed ${changed.join(', ')} since the setup; nothing was undone`,
    '--force puts the files as they were before in their place, and keeps the changed ones aside',
  );
}

/** None where it was confirmed or undone meanwhile. */
function unconfirmed(id: string | true): Setup[] {
  const setup = unfinishedSetup();
  return setup !== undefined && (id === true || setup.id === id) ? [setup] : [];
}

function requireRoot(what: string): void {
  if (!isRoot()) throw new NotpError('not_permitted', `only root can ${what} a setup`, shellCommand`sudo notp setup ${what}`);
}

interface EndFlags {
  readonly ifUnconfirmed?: string | true;
  readonly force?: boolean;
  readonly reload: boolean;
  readonly json?: boolean;
}

/** Adds `confirm`. */
export function addConfirm(setup: Command, finish: Finish): void {
  setup
    .command('confirm')
    .description('keep what was set up; from a login that began after it')
    .allowExcessArguments(false)
    .option('--json', 'print one JSON object')
    .action(async (flags: EndFlags) => {
      finish(confirm({ json: flags.json === true }));
    });
}

/** Adds `undo`. */
export function addUndo(setup: Command, finish: Finish): void {
  setup
    .command('undo')
    .description('take away all that was set up: every file as it was before')
    .allowExcessArguments(false)
    .option('--force', 'also where somebody has changed a file since; what they changed is kept aside')
    .option('--no-reload', 'do not have sshd read its configuration again')
    .addOption(new Option('--if-unconfirmed [id]', 'what the timer asks for, and without an id the next boot').hideHelp())
    .option('--json', 'print one JSON object for each setup')
    .action(async (flags: EndFlags) => {
      const { ifUnconfirmed, reload } = flags;
      finish(undo({ ifUnconfirmed, reload, force: flags.force === true, json: flags.json === true }));
    });
}
