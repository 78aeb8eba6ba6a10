/** The files that keep everybody but root out for a while, whatever they can prove; see nologin(5) and pam_nologin(8). */
import * as fs from 'node:fs';
import { shellCommand } from '../../otp/escape.ts';
import type { Finding } from '../finding.ts';

const FILES = ['/etc/nologin', '/run/nologin'];

export function examineNologin(): Finding[] {
  return FILES.filter((file) => fs.existsSync(file)).map((file) => ({
    id: 'nologin',
    severity: 'fail',
    title: 'Nobody but root can log in as long as a file says so',
    detail: file,
    fix: shellCommand`rm ${file}`,
  }));
}
