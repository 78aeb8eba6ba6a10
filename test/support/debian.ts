/** Booted hosts of a Debian release that need not be this machine's, each release made once by debian.sh. */
import * as path from 'node:path';
import { bootContainer, CONTAINER_NEEDS, type Container } from './container.ts';
import { must } from './world.ts';

export type Release = 'bookworm' | 'trixie';

/** What a test file that boots one passes to lacks(). */
export const DEBIAN_NEEDS = { ...CONTAINER_NEEDS, programs: [...CONTAINER_NEEDS.programs, 'mmdebstrap', 'oathtool'] } as const;

const SCRIPT = path.join(import.meta.dirname, 'debian.sh');

/** Boots it as it is after its installation, but with the client's key of root; see bootContainer(). */
export async function bootDebian(release: Release, name: string, prepare: (root: string) => void): Promise<Container> {
  return await bootContainer(name, prepare, [], must(['sh', SCRIPT, release]).trim());
}
