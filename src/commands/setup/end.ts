/** `notp setup confirm` and `notp setup undo`: keep a setup, or restore all files as they were before it. */
import { NotpError } from '../../error.ts';
import { confirmSetup } from '../../setup/confirm.ts';
import { setupsInForce, unfinishedSetup, type Setup } from '../../setup/record.ts';
import { reloadSshd } from '../../setup/sshd.ts';
import { changedSince, endUndo, restoreFiles } from '../../setup/undo.ts';
import { printResult, sayHint, sayLine } from '../../terminal/printer.ts';
import { requireRoot } from '../../system/privileges.ts';
import { Option, type Command } from 'commander';
import { configOf, type Finish, type Surroundings } from '../options.ts';

export interface UndoOptions {
  /** Undo only the setup with this id (`true`: any), and only if it is not confirmed. For the timer and the next boot. */
  readonly ifUnconfirmed: string | true | undefined;
  readonly force: boolean;
  readonly reload: boolean;
  readonly json: boolean;
}

async function confirm({ json, force }: Pick<UndoOptions, 'json' | 'force'>, environment: NodeJS.ProcessEnv): Promise<number> {
  requireRoot('confirm a setup', 'sudo notp setup confirm');
  // The doors read the configuration at its usual place.
  const { id, door } = await confirmSetup(configOf({}), { environment, force });
  if (json) printResult(JSON.stringify({ id, door, confirmed: true }) + '\n');
  else sayLine(`Confirmed: ${door} stays as it is`);
  sayHint('notp setup undo can still remove it');
  return 0;
}

/** Undoes every setup in force, the newest first. Throws `refused` if that would overwrite later changes of somebody. */
function undo(options: UndoOptions): number {
  requireRoot('undo a setup', 'sudo notp setup undo');
  const setups = options.ifUnconfirmed === undefined ? setupsInForce() : unconfirmed(options.ifUnconfirmed);
  if (options.ifUnconfirmed === undefined && setups.length === 0)
    throw new NotpError('refused', 'there is no setup to undo', 'remove by hand what was written by hand');
  // The timer does not refuse: a way to log in matters more than a changed file, which is kept aside.
  if (!options.force && options.ifUnconfirmed === undefined) refuseChanged(setups);
  for (const setup of setups) restoreOne(setup, options);
  if (options.reload && setups.some(({ door }) => door !== 'sudo')) {
    const reloaded = reloadSshd();
    sayLine(reloaded === undefined ? 'No sshd runs' : `Reloaded ${reloaded}`);
  }
  // Do this last: if the undo is killed before, the next undo repeats it.
  for (const setup of setups) endUndo(setup);
  return 0;
}

function restoreOne(setup: Setup, { json }: UndoOptions): void {
  const { id, door, files, folder } = setup;
  const changed = restoreFiles(setup);
  if (json) printResult(JSON.stringify({ id, door, undone: true, files: files.map(({ file }) => file), changed }) + '\n');
  for (const { file, before } of files) sayLine(`${before === null ? 'Removed' : 'Put back'} ${file}`);
  if (changed.length > 0) sayHint(`${changed.join(', ')}: was changed since the setup; the changed version is in ${folder}`);
}

/**
 * Checks each file only against the newest setup that wrote it: the version of an earlier setup is not visible until that
 * is undone.
 */
function refuseChanged(setups: readonly Setup[]): void {
  const seen = new Set<string>();
  const changed = setups.flatMap((setup) => {
    const unseen = changedSince(setup).filter((file) => !seen.has(file));
    for (const { file } of setup.files) seen.add(file);
    return unseen;
  });
  if (changed.length === 0) return;
  throw new NotpError(
    'refused',
    `somebody has changed ${changed.join(', ')} since the setup; nothing was undone`,
    '--force restores the files as they were before the setup, and keeps the changed versions aside',
  );
}

/** The setup with this id; empty if it was confirmed or undone meanwhile. */
function unconfirmed(id: string | true): Setup[] {
  const setup = unfinishedSetup();
  return setup !== undefined && (id === true || setup.id === id) ? [setup] : [];
}

interface EndFlags {
  readonly ifUnconfirmed?: string | true;
  readonly force?: boolean;
  readonly reload: boolean;
  readonly json?: boolean;
}

/** Adds `confirm`. */
export function addConfirm(setup: Command, { environment }: Surroundings, finish: Finish): void {
  setup
    .command('confirm')
    .description('keep what was set up; run it from a new login, once the new door has let somebody in')
    .allowExcessArguments(false)
    .option('--force', 'confirm it although nobody whom it is for has come in by the new door yet')
    .option('--json', 'print one JSON object')
    .action(async (flags: EndFlags) => {
      finish(await confirm({ json: flags.json === true, force: flags.force === true }, environment));
    });
}

/** Adds `undo`. */
export function addUndo(setup: Command, finish: Finish): void {
  setup
    .command('undo')
    .description('remove all that was set up: restore every file as it was before')
    .allowExcessArguments(false)
    .option('--force', 'restore also files that somebody has changed since; the changed versions are kept aside')
    .option('--no-reload', 'do not reload sshd')
    .addOption(new Option('--if-unconfirmed [id]', 'for the timer; without an id for the next boot').hideHelp())
    .option('--json', 'print one JSON object for each setup')
    .action(async (flags: EndFlags) => {
      const { ifUnconfirmed, reload } = flags;
      finish(undo({ ifUnconfirmed, reload, force: flags.force === true, json: flags.json === true }));
    });
}
