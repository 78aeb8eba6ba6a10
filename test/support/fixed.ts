/** Loaded into a program with --import: random bytes are the same in each run, and the time is FIXED_MS of its environment. */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

const now = Number(process.env['FIXED_MS']);
let drawn = 0;
Object.assign(crypto, { randomBytes: (length: number) => crypto.hash('sha512', String(drawn++), 'buffer').subarray(0, length) });
syncBuiltinESMExports();
Date.now = () => now;
