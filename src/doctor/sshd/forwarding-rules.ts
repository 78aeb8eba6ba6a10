/** The rules on forwarding. Forwarding needs no session, so the gate does not run and no code is asked for. Pure. */
import { is, setting, type Effective } from './effective.ts';
import type { Rule } from './rule.ts';

/** Before this version, DisableForwarding did not disable agent and X11 forwarding (CVE-2025-32728). */
const COMPLETE_DISABLE = 10_000;

export const FORWARDING_RULES: readonly Rule[] = [
  {
    id: 'FC3',
    severity: 'fail',
    title: 'Sockets can be forwarded before a code is asked for: a key alone reaches D-Bus and runs programs',
    holds: 'No socket is forwarded before the code',
    fix: 'AllowStreamLocalForwarding no',
    problem: (effective) => unlessDisabled(effective, wrongSwitch(effective, 'allowstreamlocalforwarding')),
  },
  {
    id: 'FC4',
    severity: 'fail',
    title: 'TCP ports can be forwarded before a code is asked for',
    holds: 'No TCP port is forwarded before the code',
    fix: 'AllowTcpForwarding no',
    problem: (effective) => unlessDisabled(effective, wrongSwitch(effective, 'allowtcpforwarding')),
  },
  {
    id: 'FC5',
    severity: 'info',
    title: 'The agent or X11 can be forwarded before a code is asked for',
    holds: 'Neither the agent nor X11 is forwarded before the code',
    fix: 'AllowAgentForwarding no and X11Forwarding no',
    problem: (effective, { version }) => {
      const wrong = wrongSwitch(effective, 'allowagentforwarding', 'x11forwarding');
      return version !== undefined && version >= COMPLETE_DISABLE ? unlessDisabled(effective, wrong) : wrong;
    },
  },
  {
    id: 'FC6',
    severity: 'fail',
    title: 'Tunnels, ports for the network or the unlinking of sockets are allowed',
    holds: 'There are no tunnels and no ports for the network',
    fix: 'PermitTunnel no, GatewayPorts no and StreamLocalBindUnlink no',
    problem: (effective) =>
      wrongSwitch(effective, 'permittunnel') ?? unlessDisabled(effective, wrongSwitch(effective, 'gatewayports', 'streamlocalbindunlink')),
  },
];

/** The switches that are not `no`, with their values; undefined if all are. */
export function wrongSwitch(effective: Effective, ...keys: readonly string[]): string | undefined {
  const wrong = keys.filter((key) => !is(effective, key, 'no'));
  return wrong.length === 0 ? undefined : wrong.map((key) => `${key} is ${setting(effective, key) || 'not known'}`).join(', ');
}

export function unlessDisabled(effective: Effective, problem: string | undefined): string | undefined {
  return is(effective, 'disableforwarding', 'yes') ? undefined : problem;
}
