/** The Node.js that goes into an executable: npm installs that of this machine alone, another one is fetched here and held to the lock file. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { locked, ROOT } from './bundle.ts';

/** The folder of the package `name`, fetched from npm's registry where it is not there. Throws where it is not what package-lock.json says. */
export function runtimeFolder(name: string): string {
  const installed = path.join(ROOT, 'node_modules', name);
  if (fs.existsSync(installed)) return installed;
  // npm leaves out what is for another machine, and takes away what was put among its own.
  const { version, integrity } = locked(name);
  const fetched = path.join(ROOT, 'dist/runtimes', `${name}-${version}`);
  if (!fs.existsSync(fetched)) fetch(`${name}@${version}`, integrity, fetched);
  return fetched;
}

function fetch(spec: string, integrity: string, folder: string): void {
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  const work = fs.mkdtempSync(`${folder}-`);
  try {
    const [{ filename = '' } = {}] = JSON.parse(
      execFileSync('npm', ['pack', spec, '--json', '--loglevel=error', '--pack-destination', work], { encoding: 'utf8', cwd: work }),
    ) as { readonly filename?: string }[];
    const archive = path.join(work, filename);
    const found = `sha512-${createHash('sha512').update(fs.readFileSync(archive)).digest('base64')}`;
    if (found !== integrity) throw new Error(`${spec} from the registry is not the one in package-lock.json`);
    // What npm packs is in a folder called package.
    execFileSync('tar', ['--extract', '--file', archive, '--directory', work, '--no-same-owner']);
    fs.renameSync(path.join(work, 'package'), folder);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}
