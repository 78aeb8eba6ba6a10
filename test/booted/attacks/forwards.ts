/** Forwarding: it needs no session, so no command runs for it and no code is asked for. */
import { LOOPBACK_EXEMPT, PLAIN, SWITCHES, type Attack } from './attack.ts';

/** A method call of D-Bus that has systemd run a program; the bus believes what the attacker's kernel says the uid is. */
const START_UNIT = `unshare --user --map-user=$uid busctl --address=unix:path=$held.bus call org.freedesktop.systemd1 \\
  /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' \\
  attack-$$.service replace 1 ExecStart 'a(sasb)' 1 /usr/bin/touch 2 touch $effect false 0 >/dev/null 2>&1`;

export const FORWARDS: readonly Attack[] = [
  {
    id: 'bus',
    tries: "`-L` to the socket of the user's D-Bus, and a call through it that has systemd run a program",
    situation: PLAIN,
    script: `hold -L $held.bus:/run/user/$uid/bus; ${START_UNIT} && appears $effect`,
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC2', 'FC3'],
  },
  {
    id: 'local-socket',
    tries: "`-L` to another of the user's sockets: starts her `notp serve`",
    situation: PLAIN,
    script: `systemctl stop notp@$uid.service 2>/dev/null; hold -L $held.s:/run/notp/$uid.sock
      python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(5); s.sendall(b"{}\\n"); s.recv(1)' $held.s 2>/dev/null
      [ "$(systemctl is-active notp@$uid.service)" = active ]`,
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC3'],
  },
  {
    id: 'remote-socket',
    tries: '`-R` to a path in the home: plants a file in `~/.notp`',
    situation: PLAIN,
    script: `hold -R $home/.notp/planted:$held.s; [ -S $home/.notp/planted ]; seen=$?; rm -f $home/.notp/planted; exit $seen`,
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC3'],
  },
  {
    id: 'remote-socket-unlink',
    tries: '`-R` to a path that is there, with `StreamLocalBindUnlink yes`: deletes it',
    situation: SWITCHES,
    script: `plant kept text; hold -R $home/kept:$held.s; [ ! -f $home/kept ]`,
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC3', 'FC6'],
  },
  {
    id: 'local-tcp',
    tries: '`-L` to a TCP port that only the host itself reaches',
    situation: PLAIN,
    script: 'hold -L 9001:127.0.0.1:22; banner 9001',
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC2', 'FC4'],
  },
  {
    id: 'remote-tcp',
    tries: "`-R`: a port of the host that leads to the attacker's machine",
    situation: PLAIN,
    script: 'hold -R 9002:127.0.0.1:22; banner 9002',
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC4'],
  },
  {
    id: 'dynamic',
    tries: '`-D`: the host as a SOCKS proxy',
    situation: PLAIN,
    script: String.raw`hold -D 9003
      timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/9003; printf "\4\1\0\26\177\0\0\1\0" >&3; head -c 15 <&3' 2>/dev/null | grep -aq SSH-2.0`,
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC4'],
  },
  {
    id: 'stdio',
    tries: '`-W`, which `ProxyJump` uses too',
    situation: PLAIN,
    script: 'sleep 0.6 | ssh -W 127.0.0.1:22 victim 2>/dev/null | grep -aq SSH-2.0',
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC4'],
  },
  {
    id: 'mux',
    tries: 'A forward that is added to a shared connection later',
    situation: PLAIN,
    script: 'hold; ssh -S $held -O forward -L 9004:127.0.0.1:22 victim 2>/dev/null; banner 9004',
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC4'],
  },
  {
    id: 'loopback',
    tries: '`-W` to the host itself where a `Match Address` block exempts its own address',
    situation: LOOPBACK_EXEMPT,
    script: "ssh -o ProxyCommand='ssh -W 127.0.0.1:22 victim' itself touch $effect 2>/dev/null; [ -e $effect ]",
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC4', 'FC14'],
  },
  {
    id: 'agent',
    tries: "The agent: a socket on the host that reaches the attacker's keys while the prompt waits",
    situation: PLAIN,
    script: `eval "$(ssh-agent)" >/dev/null; asked -A
      setpriv --reuid=alice --regid=alice --init-groups sh -c 'SSH_AUTH_SOCK=$(ls /tmp/ssh-*/agent.*) ssh-add -l' 2>/dev/null | grep -q 'no identities'
      seen=$?; ssh-agent -k >/dev/null; exit $seen`,
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC5'],
  },
  {
    id: 'x11',
    tries: "X11: a display on the host that leads to the attacker's, with `X11Forwarding yes`",
    situation: SWITCHES,
    script: `export DISPLAY=127.0.0.1:0; asked -Y; (exec 3<>/dev/tcp/127.0.0.1/6010) 2>/dev/null`,
    defaults: 'open',
    setup: 'closed',
    doctor: ['FC5'],
  },
];
