/** docs/records.md is the contract of the records: its tables are what the code writes, and the examples name no other field. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { journalEntry, messageIdOf } from '../../src/audit/journal-entry.ts';
import { DOORS, printRecord, type AuditRecord } from '../../src/audit/record.ts';
import { EVENT_NAMES, REASON_NAMES } from '../../src/commands/audit/words.ts';
import { METHODS } from '../../src/verdict/reasons.ts';
import { tableOf } from '../support/markdown.ts';
import { ROOT, run } from '../support/process.ts';
import { lacks, scratchFolder } from '../support/world.ts';
import { EVERY } from './every-field.ts';

const PAGE = fs.readFileSync(path.join(ROOT, 'docs/records.md'), 'utf8');

function named(table: string): readonly string[] {
  return tableOf(PAGE, table).map(([name = '']) => name.replaceAll('`', ''));
}

describe('the contract of the records', () => {
  it('names each field that is written, with its type, and no other', () => {
    const written = JSON.parse(printRecord(EVERY, { seq: 1, prev: 'ab'.repeat(32) }, 0)) as Record<string, unknown>;
    assert.deepEqual(named('fields').toSorted(), Object.keys(written).toSorted());
    for (const [name = '', type = ''] of tableOf(PAGE, 'fields')) {
      const value = written[name.replaceAll('`', '')];
      const kind = Array.isArray(value) ? 'array of numbers' : typeof value === 'number' ? 'number' : 'text';
      assert.ok(type === kind || (kind === 'text' && !['number', 'array of numbers'].includes(type)), `${name}: ${type}`);
      if (type === 'RFC 3339, UTC') assert.match(String(value), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      if (type === '8 hex digits') assert.match(String(value), /^[0-9a-f]{8}$/);
    }
  });

  it('does not call the word of a member of a fleet that of the judge', () => {
    const told = tableOf(PAGE, 'fields').filter(([, , whose]) => whose === 'judge or member');
    // What the question of a member names, and the judge takes as it is.
    assert.deepEqual(told.map(([name = '']) => name).toSorted(), ['`door`', '`uid`', '`user`']);
  });

  it('names the fields that are in every record', () => {
    const least: AuditRecord = { user: 'alice', context: '', door: 'cli', event: 'forget', result: 'done', ref: '01234567' };
    const written = Object.keys(JSON.parse(printRecord(least, undefined, 0)) as object);
    const [said = ''] = /^(`.*) are in every record\.$/m.exec(PAGE) ?? [];
    assert.deepEqual([...said.matchAll(/`(\w+)`/g)].map(([, name = '']) => name).toSorted(), written.toSorted());
  });

  it('names each event, reason, method and door, and no other', () => {
    assert.deepEqual(named('events').toSorted(), EVENT_NAMES.toSorted());
    assert.deepEqual(named('reasons').toSorted(), REASON_NAMES.toSorted());
    assert.deepEqual(named('methods').toSorted(), METHODS.toSorted());
    const doors =
      tableOf(PAGE, 'fields')
        .find(([name]) => name === '`door`')
        ?.at(-1) ?? '';
    assert.deepEqual(
      [...doors.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
      [...DOORS],
    );
  });

  it('has the ids and the fields of the entries in the journal', () => {
    for (const [event = '', , id = ''] of tableOf(PAGE, 'events')) assert.equal(id, `\`${messageIdOf(event.replaceAll('`', ''))}\``);
    const [said = ''] = /^The line is the `MESSAGE`[^]*?\n\n/m.exec(PAGE) ?? [];
    const fields = journalEntry(printRecord(EVERY, undefined, 0)).matchAll(/^(NOTP_\w+|MESSAGE_ID)=/gm);
    assert.deepEqual(
      [...said.matchAll(/`(NOTP_\w+|MESSAGE_ID)`/g)].map(([, name = '']) => name).toSorted(),
      [...fields].map(([, name = '']) => name).toSorted(),
    );
  });

  it('has texts for events in the catalog that journald takes', { skip: lacks({ programs: ['journalctl'] }) }, async () => {
    const root = scratchFolder('catalog');
    const source = path.join(ROOT, 'systemd/notp.catalog');
    const folders = [path.join(root, 'usr/lib/systemd/catalog'), path.join(root, 'var/lib/systemd/catalog')];
    for (const folder of folders) fs.mkdirSync(folder, { recursive: true });
    fs.copyFileSync(source, path.join(root, 'usr/lib/systemd/catalog/notp.catalog'));
    const updated = await run(['journalctl', `--root=${root}`, '--update-catalog']);
    assert.equal(updated.code, 0, updated.stderr);
    const ids = [...fs.readFileSync(source, 'utf8').matchAll(/^-- ([0-9a-f]{32})$/gm)].map(([, id = '']) => id);
    const listed = await run(['journalctl', `--root=${root}`, '--list-catalog', ...ids]);
    assert.deepEqual(
      listed.stdout
        .trim()
        .split('\n')
        .map((line) => line.slice(0, 32)),
      ids,
    );
    const known = tableOf(PAGE, 'events').map(([, , id = '']) => id.replaceAll('`', ''));
    for (const id of ids) assert.ok(known.includes(id));
  });

  it('is what the examples for pipelines rely on', () => {
    assert.match(fs.readFileSync(path.join(ROOT, 'examples/logs/vector.yaml'), 'utf8'), /parse_timestamp!\(\.time,/);
    assert.match(fs.readFileSync(path.join(ROOT, 'examples/logs/notp-parser.conf'), 'utf8'), /^ {4}time_key +time$/m);
  });
});
