/** What happens to a host while people log in: services that stop or are killed, a log that is rotated, a host key that changes. */
import type { ServiceWorld } from '../service/world.ts';

export const ROTATION = '/etc/notp-soak.logrotate';
/** As examples/logrotate.d has it, but for the names: there are many in one day. */
export const ROTATION_TEXT = `/var/log/notp/audit.log {
  su notp notp
  rotate 10000
  missingok
  notifempty
  nocreate
  compress
  delaycompress
}
`;

/** One after the other, and again from the beginning. */
export const DISTURBANCES: readonly ((world: ServiceWorld) => Promise<unknown>)[] = [
  stopServices,
  rotateLog,
  ({ container }) => container.must(['notp', 'host-key', 'rotate']),
  ({ container }) => container.must(['systemctl', 'kill', '--signal=KILL', 'notp@*.service']),
  ({ container }) => container.must(['notp', 'reseal', '--all']),
  rotateLog,
  ({ container }) => container.must(['notp', 'host-key', 'retire']),
];

async function rotateLog({ container }: ServiceWorld): Promise<void> {
  await container.must(['logrotate', '--force', '--state', '/var/lib/logrotate-soak', ROTATION]);
}

/** Where somebody asks a service that is on its way down, systemd starts it again at once and calls its stop canceled: that is a stop too. */
async function stopServices({ container }: ServiceWorld): Promise<void> {
  const { code, stderr } = await container.run(['systemctl', 'stop', 'notp@*.service']);
  const others = stderr.split('\n').filter((line) => line !== '' && !/^Job for notp@\d+\.service canceled\.$/.test(line));
  if (code !== 0 && (others.length > 0 || stderr === '')) throw new Error(`systemctl stop ended with ${String(code)}: ${stderr}`);
}
