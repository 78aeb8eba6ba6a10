/** Sessions: a command, a transfer, a restricted key, and sshds and Match blocks that know no gate. */
import { PLAIN, RESTRICTED_KEY, SECOND_SSHD, SWITCHES, USER_EXEMPT, type Attack } from './attack.ts';

export const PAST_GATE: readonly Attack[] = [
  {
    id: 'command',
    tries: 'A command, and no code',
    situation: PLAIN,
    script: 'ssh victim touch $effect 2>/dev/null </dev/null; [ -e $effect ]',
    defaults: 'closed',
    setup: 'closed',
    doctor: [],
  },
  {
    id: 'scp',
    tries: '`scp`, and no code',
    situation: PLAIN,
    script: 'scp -q /etc/hostname victim:$effect 2>/dev/null </dev/null; [ -e $effect ]',
    defaults: 'closed',
    setup: 'closed',
    doctor: [],
  },
  {
    id: 'sftp',
    tries: '`sftp`, and no code',
    situation: PLAIN,
    script: 'echo "put /etc/hostname $effect" | timeout 10 sftp -q -b - victim >/dev/null 2>&1; [ -e $effect ]',
    defaults: 'closed',
    setup: 'closed',
    doctor: [],
  },
  {
    id: 'tunnel',
    tries: '`-w`: a network device, with `PermitTunnel yes` and a device of the user',
    situation: SWITCHES,
    script: `chmod 0666 /dev/net/tun; ip tuntap add tun7 mode tun user alice || exit 1; ip link set tun7 up
      hold -w 8:7; seen=1
      for _ in $(seq 30); do ip link show tun7 | grep -q LOWER_UP && seen=0 && break; sleep 0.1; done; over; ip link delete tun7; exit $seen`,
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC6'],
  },
  {
    id: 'restricted-key',
    tries: 'A key with a `command=` of its own, and a code: more than that command',
    situation: RESTRICTED_KEY,
    script:
      'LC_NOTP=$(code) ssh -i /root/.ssh/restricted -o SendEnv=LC_NOTP victim touch $effect >/dev/null 2>&1 </dev/null; [ -e $effect ]',
    defaults: 'closed',
    setup: 'closed',
    doctor: ['FC13'],
  },
  {
    id: 'match-user',
    tries: 'A command, where a `Match User` block says `ForceCommand none`',
    situation: USER_EXEMPT,
    script: 'ssh victim touch $effect 2>/dev/null </dev/null; [ -e $effect ]',
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC1'],
  },
  {
    id: 'second-sshd',
    tries: 'A command, at a second sshd with a configuration of its own',
    situation: SECOND_SSHD,
    script: 'ssh -p 2222 victim touch $effect 2>/dev/null </dev/null; [ -e $effect ]',
    defaults: 'open',
    setup: 'open',
    doctor: ['no-gate'],
  },
];
