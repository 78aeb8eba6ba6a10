/** The mount of a file and its options. */
import * as fs from 'node:fs';

/** The mount on which `file` is, with its options; see mountinfo in proc(5). */
export function mountOf(file: string): { readonly mount: string; readonly options: readonly string[] } {
  const mounts = fs
    .readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .map(([, , , , mount = '', options = '']) => ({ mount, options: options.split(',') }));
  const holds = mounts.filter(({ mount }) => mount !== '' && `${file}/`.startsWith(mount === '/' ? '/' : `${mount}/`));
  // The last of equal ones lies on top.
  return holds.reduce((best, each) => (each.mount.length >= best.mount.length ? each : best), { mount: '/', options: [] });
}
