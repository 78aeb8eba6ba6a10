/**
 * Variables by which Node.js and OpenSSL write files, print, or trust others. The executable heeds no NODE_OPTIONS, but these it inherits
 * like any program (NODE_V8_COVERAGE has it write a file when it ends), and some take effect before a line of notp runs.
 */
import { isSea } from 'node:sea';
import { isRoot } from './users.ts';

const SWITCHES = /^(NODE_|OPENSSL_|SSL_CERT_|SSLKEYLOGFILE$|UV_|WATCH_REPORT_)/;

/**
 * Becomes the same executable without them (execve(2)), where root runs it and one is set; else comes back. `called` is the name and
 * `words` are the words that it was called with. Not for the gate: there they are the user's own, and the user's shell gets them.
 */
export function shedSwitches(called: string, words: readonly string[]): void {
  const set = Object.entries(process.env).filter(([name, value]) => SWITCHES.test(name) && value !== '');
  if (set.length === 0 || !isSea() || !isRoot() || words[0] === 'gate') return;
  const kept = Object.entries(process.env).filter(([name]) => !SWITCHES.test(name));
  process.execve?.(process.execPath, [called, ...words], Object.fromEntries(kept));
}
