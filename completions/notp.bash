# bash completion for notp(1) and notp-enroll(1). Made by npm run completions from the command tree: do not edit.

# the options of a command, into `found`
_notp_options() {
  found=
  case $1 in
    'notp') found='--version --help' ;;
    'notp enroll') found='--config --user --seal --issuer --account --digits --period --algorithm --recovery --replace --pending --no-confirm --qr --qr-file --passphrase-file --json --batch --out --image --dry-run --help' ;;
    'notp verify') found='--config --user --code-stdin --passphrase-file --json --help' ;;
    'notp status') found='--config --user --all --json --help' ;;
    'notp forget') found='--config --help' ;;
    'notp revoke') found='--config --user --yes --json --help' ;;
    'notp recovery') found='--config --user --recovery --passphrase-file --json --help' ;;
    'notp reseal') found='--config --user --all --seal --passphrase-file --new-passphrase-file --json --help' ;;
    'notp import') found='--config --from --file --user --serial --assign --seal --dry-run --replace --issuer --account --digits --period --algorithm --passphrase-file --new-passphrase-file --json --help' ;;
    'notp code') found='--config --passphrase-file --json --all --once --watch --copy --help' ;;
    'notp list') found='--config --passphrase-file --json --user --all --help' ;;
    'notp export') found='--config --passphrase-file --json --user --to --file --all --help' ;;
    'notp passphrase') found='--config --passphrase-file --json --user --new-passphrase-file --all --help' ;;
    'notp rename') found='--config --passphrase-file --json --help' ;;
    'notp remove') found='--config --yes --json --help' ;;
    'notp demo') found='--qr --json --help' ;;
    'notp grant') found='--config --for --reason --from --key --service --json --help' ;;
    'notp grants') found='--config --end --json --help' ;;
    'notp setup') found='--help' ;;
    'notp setup gate') found='--config --apply --dry-run --user --group --confirm-within --force --no-reload --json --help' ;;
    'notp setup pam') found='--config --apply --dry-run --user --group --confirm-within --force --no-reload --json --grants --first --help' ;;
    'notp setup sudo') found='--config --apply --dry-run --user --group --confirm-within --force --no-reload --json --help' ;;
    'notp setup confirm') found='--force --json --help' ;;
    'notp setup undo') found='--force --no-reload --json --help' ;;
    'notp setup callers') found='--json --help' ;;
    'notp doctor') found='--config --user --sshd-config --changes --json --help' ;;
    'notp audit') found='--config --user --since --until --file --event --reason --context --rhost --ref --lines --follow --json --format --table --help' ;;
    'notp audit verify') found='--config --host --file --key --outage --resume --json --help' ;;
    'notp audit report') found='--config --user --since --until --file --json --help' ;;
    'notp metrics') found='--config --textfile --help' ;;
    'notp unlock') found='--config --user --json --help' ;;
    'notp rules') found='--config --json --help' ;;
    'notp rules put') found='--config --help' ;;
    'notp rules get') found='--config --help' ;;
    'notp rules remove') found='--config --help' ;;
    'notp rules explain') found='--config --from --key --service --json --help' ;;
    'notp config') found='--help' ;;
    'notp config check') found='--config --help' ;;
    'notp host-key') found='--help' ;;
    'notp host-key init') found='--config --help' ;;
    'notp host-key id') found='--config --help' ;;
    'notp host-key rotate') found='--config --help' ;;
    'notp host-key retire') found='--config --yes --help' ;;
    'notp store') found='--help' ;;
    'notp store migrate') found='--config --help' ;;
    'notp store copy') found='--config --dry-run --help' ;;
    'notp store hosts') found='--config --json --help' ;;
    'notp store approve') found='--config --user --remove --help' ;;
    'notp store approved') found='--config --json --help' ;;
    'notp store refresh') found='--config --help' ;;
    'notp fleet') found='--config --json --help' ;;
    'notp fleet init') found='--config --help' ;;
    'notp fleet host-cert') found='--config --judge --days --help' ;;
    'notp fleet revoke') found='--config --help' ;;
    'notp gate') found='--config --help' ;;
    'notp pam') found='--config --first-pass --before --prompt-tty --help' ;;
    'notp serve') found='--config --help' ;;
    'notp-enroll') found='--config --user --seal --issuer --account --digits --period --algorithm --recovery --replace --pending --no-confirm --qr --qr-file --passphrase-file --json --batch --out --image --dry-run --help' ;;
  esac
}

# what may follow a command as the next word of it, into `found`
_notp_commands() {
  found=
  case $1 in
    'notp') found='enroll verify status forget revoke recovery reseal import code list export passphrase rename remove demo grant grants setup doctor audit metrics unlock rules config host-key store fleet gate pam serve' ;;
    'notp setup') found='gate pam sudo confirm undo callers' ;;
    'notp audit') found='verify report' ;;
    'notp rules') found='put get remove explain' ;;
    'notp config') found='check' ;;
    'notp host-key') found='init id rotate retire' ;;
    'notp store') found='migrate copy hosts approve approved refresh' ;;
    'notp fleet') found='init host-cert revoke' ;;
  esac
}

# the kinds of its arguments, into `found`
_notp_arguments() {
  found=
  case $1 in
    'notp enroll') found='context' ;;
    'notp verify') found='context' ;;
    'notp status') found='context' ;;
    'notp forget') found='user' ;;
    'notp revoke') found='context' ;;
    'notp recovery') found='context' ;;
    'notp reseal') found='context' ;;
    'notp import') found='context' ;;
    'notp code') found='context context context context context context context context context' ;;
    'notp export') found='context' ;;
    'notp passphrase') found='context' ;;
    'notp rename') found='context none' ;;
    'notp remove') found='context' ;;
    'notp grant') found='user' ;;
    'notp unlock') found='context' ;;
    'notp rules put') found='file' ;;
    'notp rules explain') found='user' ;;
    'notp store copy') found='none none' ;;
    'notp fleet init') found='folder' ;;
    'notp fleet host-cert') found='folder none' ;;
    'notp fleet revoke') found='none' ;;
    'notp serve') found='none' ;;
    'notp-enroll') found='user context' ;;
  esac
}

# the kind of the value that an option takes, with the words that it may be, into `found`
_notp_takes() {
  found=
  case $1 in
    --config) found='file' ;;
    --user) found='user' ;;
    --seal) found='words host passphrase' ;;
    --issuer) found='none' ;;
    --account) found='none' ;;
    --digits) found='words 6 7 8' ;;
    --period) found='none' ;;
    --algorithm) found='words SHA1 SHA256 SHA512' ;;
    --recovery) found='none' ;;
    --qr) found='words unicode ansi ascii none' ;;
    --qr-file) found='file' ;;
    --passphrase-file) found='file' ;;
    --batch) found='file' ;;
    --out) found='folder' ;;
    --image) found='words png svg none' ;;
    --new-passphrase-file) found='file' ;;
    --from) found='words uri base32 otpauth-migration python-notp google-authenticator pam-oath pskc csv' ;;
    --file) found='file' ;;
    --serial) found='none' ;;
    --assign) found='file' ;;
    --to) found='words uri base32 qr png svg' ;;
    --for) found='none' ;;
    --reason) found='words wrong_code replayed wrong_passphrase step_up_required not_enrolled revoked stale_enrolment bad_secret_file no_proof timeout store_unavailable audit_unavailable not_permitted bad_configuration' ;;
    --key) found='file' ;;
    --service) found='none' ;;
    --end) found='none' ;;
    --group) found='group' ;;
    --confirm-within) found='none' ;;
    --first) found='words keyboard-interactive password' ;;
    --sshd-config) found='file' ;;
    --since) found='none' ;;
    --until) found='none' ;;
    --event) found='words login.accepted login.refused enroll replace enroll.failed import import.failed invite revoke passphrase passphrase.failed recovery recovery.failed recovery.used unlock reseal reseal.failed export host_key.created host_key.rotated host_key.retired forget grant grant.ended rules.put rules.removed fleet.revoked outage.approved outage.withdrawn outage.conflict audit.resumed doctor.changed login host_key rules fleet outage audit doctor' ;;
    --context) found='context' ;;
    --rhost) found='none' ;;
    --ref) found='none' ;;
    -n | --lines) found='none' ;;
    --format) found='words ecs ocsf' ;;
    --host) found='none' ;;
    --textfile) found='file' ;;
    --days) found='none' ;;
  esac
}

# puts what completes $cur into COMPREPLY: KIND [WORD...]
_notp_fill() {
  local kind=$1 name
  shift
  case $kind in
    words) mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur") ;;
    user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
    group) mapfile -t COMPREPLY < <(compgen -g -- "$cur") ;;
    file | folder)
      compopt -o filenames 2>/dev/null
      [[ $kind == file ]] && kind=-f || kind=-d
      mapfile -t COMPREPLY < <(compgen "$kind" -- "$cur")
      ;;
    context)
      for name in ~/.notp/*; do
        [[ -f $name && ${name##*/} =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]*$ ]] || continue
        name=${name##*/}
        [[ $name == "$cur"* ]] && COMPREPLY+=("$name")
      done
      ;;
  esac
}

_notp() {
  local IFS=$' \t\n' cur=${COMP_WORDS[COMP_CWORD]} at=${1##*/} wants='' given=0 ended='' found word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ -n $wants ]]; then
      # "--option=value" comes as three words.
      [[ $word == = ]] || wants=
    elif [[ $word == -- ]]; then
      ended=yes
    elif [[ $word == -* && -z $ended ]]; then
      _notp_takes "$word"
      wants=$found
    else
      _notp_commands "$at"
      [[ " $found " == *" $word "* ]] && at="$at $word" || ((++given))
    fi
  done
  [[ $cur == = ]] && cur=
  if [[ -n $wants ]]; then
    _notp_fill $wants
  elif [[ $cur == -* && -z $ended ]]; then
    _notp_options "$at"
    _notp_fill words $found
  else
    _notp_commands "$at"
    [[ -n $found && $given == 0 ]] && _notp_fill words $found && return
    _notp_arguments "$at"
    set -- $found
    shift "$given" 2>/dev/null && _notp_fill "${1:-none}"
  fi
} && complete -F _notp notp notp-enroll
