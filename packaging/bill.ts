/** The bill of materials (CycloneDX 1.6) and the licences of what is in the executable: the same for the same input, without a date. */
import { locked, type Package } from './bundle.ts';
import type { Executable } from './executable.ts';

/** As JSON. The packages are those of which code is in the executable, and no others. */
export function billOfMaterials({ packages, runtime, sha256 }: Executable, version: string): string {
  const subject = {
    type: 'application',
    'bom-ref': `pkg:generic/notp@${version}`,
    name: 'notp',
    version,
    hashes: [{ alg: 'SHA-256', content: sha256 }],
    licenses: [{ license: { id: 'MIT' } }],
  };
  const components = [component(runtime, 'platform'), ...packages.map((each) => component(each, 'library'))];
  const dependencies = [{ ref: subject['bom-ref'], dependsOn: components.map((each) => each['bom-ref']) }];
  const bill = { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, metadata: { component: subject }, components, dependencies };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

function component({ name, version, licence }: Package, type: 'library' | 'platform') {
  const [, content = ''] = /^sha512-(.+)$/.exec(locked(name).integrity) ?? [];
  if (content === '') throw new Error(`package-lock.json has no SHA-512 of ${name}`);
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const hashes = [{ alg: 'SHA-512', content: Buffer.from(content, 'base64').toString('hex') }];
  return { type, 'bom-ref': purl, name, version, hashes, licenses: [{ license: { id: licence } }], purl };
}

/** The notices that must come with the executable. */
export function notices({ packages, runtime }: Executable): string {
  const all = [runtime, ...packages].map(({ name, version, licence, text }) => `${name} ${version} (${licence})\n\n${text.trim()}\n`);
  return ['The program /usr/bin/notp contains the following.\n', ...all].join(`\n${'='.repeat(80)}\n\n`);
}
