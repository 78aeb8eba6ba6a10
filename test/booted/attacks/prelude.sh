# What the scripts of the attacks share. The attacker comes from 127.0.0.2, so 127.0.0.1 is the host itself.
set -u
cd /tmp
held=/tmp/attack-$$
asking=
# over : ends what is still open
over() { [ -z "$asking" ] || kill "$asking" 2>/dev/null; ssh -S "$held" -O exit victim 2>/dev/null; rm -f "$held" "$held".*; }
trap over EXIT
# hold OPTION... : a connection without a session, so nothing asks for a code
hold() { ssh -fNM -S "$held" "$@" victim 2>/dev/null; }
# banner PORT : whether an sshd answers there, on the host that the attacker is on
banner() { timeout 3 bash -c "exec 3<>/dev/tcp/127.0.0.1/$1 && head -c 7 <&3" 2>/dev/null | grep -q SSH-2.0; }
# appears FILE : whether it comes to be; what makes it may still be running
appears() { for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e "$1" ] && return; sleep 0.1; done; false; }
# asked OPTION... : a login in a terminal that waits at the prompt
asked() {
  sleep 10 2>/dev/null | ssh -tt "$@" victim >"$held.out" 2>&1 &
  asking=$!
  for _ in $(seq 50); do grep -aqi 'code' "$held.out" && return; sleep 0.1; done
  false
}
# code : a code of alice's phone, of a secret of its own
code() { oathtool --totp -b "$(notp-enroll alice --replace --no-confirm --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["secret"])')"; }
# plant FILE TEXT : what an attacker who could write in the home once has left there
plant() { install -D -o alice -g alice -m 0644 /dev/null "$home/$1" && printf '%s\n' "$2" >"$home/$1" && chown -R alice: "$home/${1%%/*}"; }
