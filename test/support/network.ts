/** Network namespaces, each as a host of its own with one link to this one: see ip-netns(8). */
import { randomBytes } from 'node:crypto';
import { atEnd } from './cleanup.ts';
import { must } from './world.ts';

export interface NetworkHost {
  readonly address: string;
  /** The address of this side. */
  readonly gateway: string;
  /** Words that a command starts with to run there. */
  readonly within: readonly string[];
}

/** Makes one whose link is the network 198.18.`number`.0/30 (RFC 2544); gone when the test file ends. */
export function networkHost(number: number): NetworkHost {
  const name = `notp-${randomBytes(3).toString('hex')}`;
  const [gateway, address] = [`198.18.${String(number)}.1`, `198.18.${String(number)}.2`];
  must(['ip', 'netns', 'add', name]);
  atEnd(() => {
    // Some process may keep the namespace a little longer, but not its link.
    must(['sh', '-c', `ip link del ${name}; ip netns del ${name}`]);
  });
  const inside = ['ip', '-n', name];
  must(['ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'up0', 'netns', name]);
  must(['ip', 'addr', 'add', `${gateway}/30`, 'dev', name]);
  must(['ip', 'link', 'set', name, 'up']);
  must([...inside, 'addr', 'add', `${address}/30`, 'dev', 'up0']);
  for (const device of ['up0', 'lo']) must([...inside, 'link', 'set', device, 'up']);
  return { address, gateway, within: ['ip', 'netns', 'exec', name] };
}
