# fish completion for notp(1) and notp-enroll(1). Made by npm run completions from the command tree: do not edit.

# the names of the sealed files; what is no context name is left out
function __notp_contexts
    for file in ~/.notp/*
        test -f $file
        and string match -r '^[A-Za-z0-9_][A-Za-z0-9_.-]*$' -- (string replace -r '.*/' '' -- $file)
    end
end

# whether the words before the cursor name this command, and so many arguments after it: COMMAND [GIVEN]
function __notp_at
    set -l words (commandline -opc)
    set -l at (string replace -r '.*/' '' -- $words[1])
    set -l given 0
    set -l wants
    for word in $words[2..-1]
        if test -n "$wants"
            set wants
            continue
        end
        set -l following
        switch $at
            case 'notp'
                set following enroll verify status forget revoke recovery reseal import code list export passphrase rename remove demo grant grants setup doctor audit metrics unlock rules config host-key store fleet gate pam serve
            case 'notp setup'
                set following gate pam sudo confirm undo callers
            case 'notp audit'
                set following verify report
            case 'notp rules'
                set following put get remove explain
            case 'notp config'
                set following check
            case 'notp host-key'
                set following init id rotate retire
            case 'notp store'
                set following migrate copy hosts approve approved refresh
            case 'notp fleet'
                set following init host-cert revoke
        end
        if string match -q -- '-*' $word
            contains -- $word --config --user --seal --issuer --account --digits --period --algorithm --recovery --qr --qr-file --passphrase-file --batch --out --image --new-passphrase-file --from --file --serial --assign --to --for --reason --key --service --end --group --confirm-within --first --sshd-config --since --until --event --context --rhost --ref -n --lines --format --host --textfile --days
            and set wants yes
        else if contains -- $word $following
            set at "$at $word"
        else
            set given (math $given + 1)
        end
    end
    test "$at" = $argv[1]
    and test (count $argv) = 1 -o "$given" = "$argv[2]"
end

complete -c notp -f
# notp
complete -c notp -n "__notp_at 'notp'" -s V -l version -d 'output the version number'
complete -c notp -n "__notp_at 'notp'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp' 0" -a enroll -d 'make a new secret for a login'
complete -c notp -n "__notp_at 'notp' 0" -a verify -d 'ask for a code and check it as a login would'
complete -c notp -n "__notp_at 'notp' 0" -a status -d 'show whether an enrolment logs in'
complete -c notp -n "__notp_at 'notp' 0" -a forget -d 'end what earlier codes also let in'
complete -c notp -n "__notp_at 'notp' 0" -a revoke -d 'end an enrolment'
complete -c notp -n "__notp_at 'notp' 0" -a recovery -d 'make new recovery codes for a login'
complete -c notp -n "__notp_at 'notp' 0" -a reseal -d 're-seal a login with the key of this host or a passphrase'
complete -c notp -n "__notp_at 'notp' 0" -a import -d 'import a secret from another app'
complete -c notp -n "__notp_at 'notp' 0" -a code -d 'show the current code of a secret'
complete -c notp -n "__notp_at 'notp' 0" -a list -d 'list your secrets'
complete -c notp -n "__notp_at 'notp' 0" -a export -d 'give out a secret unencrypted'
complete -c notp -n "__notp_at 'notp' 0" -a passphrase -d 'change the passphrase of a secret'
complete -c notp -n "__notp_at 'notp' 0" -a rename -d 'give one of your secrets another name'
complete -c notp -n "__notp_at 'notp' 0" -a remove -d 'delete one of your secrets for good'
complete -c notp -n "__notp_at 'notp' 0" -a demo -d 'show a throw-away secret'
complete -c notp -n "__notp_at 'notp' 0" -a grant -d 'let one user in without a code until a time'
complete -c notp -n "__notp_at 'notp' 0" -a grants -d 'list the grants in force'
complete -c notp -n "__notp_at 'notp' 0" -a setup -d 'write the right configuration of sshd or PAM'
complete -c notp -n "__notp_at 'notp' 0" -a doctor -d 'check the whole login path and print the fix for each problem'
complete -c notp -n "__notp_at 'notp' 0" -a audit -d 'show the last records of the audit log'
complete -c notp -n "__notp_at 'notp' 0" -a metrics -d 'print metrics for monitoring'
complete -c notp -n "__notp_at 'notp' 0" -a unlock -d 'give back the tries that wrong codes have used up'
complete -c notp -n "__notp_at 'notp' 0" -a rules -d 'list the rules that say who is asked for a code'
complete -c notp -n "__notp_at 'notp' 0" -a config -d 'check the configuration'
complete -c notp -n "__notp_at 'notp' 0" -a host-key -d 'manage the key of this host'
complete -c notp -n "__notp_at 'notp' 0" -a store -d 'manage the database that store.url names'
complete -c notp -n "__notp_at 'notp' 0" -a fleet -d 'list the members that ask the judges of a fleet'
complete -c notp -n "__notp_at 'notp' 0" -a gate -d 'for sshd\'s ForceCommand'
complete -c notp -n "__notp_at 'notp' 0" -a pam -d 'for pam_exec'
complete -c notp -n "__notp_at 'notp' 0" -a serve -d 'for systemd: decide for one user behind that user\'s socket'
# notp enroll
complete -c notp -n "__notp_at 'notp enroll'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp enroll'" -l user -x -a '(__fish_complete_users)' -d 'user of the login'
complete -c notp -n "__notp_at 'notp enroll'" -l seal -x -a 'host passphrase' -d 'how to seal it'
complete -c notp -n "__notp_at 'notp enroll'" -l issuer -x -d 'service name that the phone shows'
complete -c notp -n "__notp_at 'notp enroll'" -l account -x -d 'account name that the phone shows'
complete -c notp -n "__notp_at 'notp enroll'" -l digits -x -a '6 7 8' -d 'digits of a code'
complete -c notp -n "__notp_at 'notp enroll'" -l period -x -d 'seconds that a code is shown'
complete -c notp -n "__notp_at 'notp enroll'" -l algorithm -x -a 'SHA1 SHA256 SHA512' -d 'hash algorithm of the codes'
complete -c notp -n "__notp_at 'notp enroll'" -l recovery -x -d 'number of recovery codes'
complete -c notp -n "__notp_at 'notp enroll'" -l replace -d 'replace an existing enrolment'
complete -c notp -n "__notp_at 'notp enroll'" -l pending -d 'make no secret'
complete -c notp -n "__notp_at 'notp enroll'" -l no-confirm -d 'do not ask for a code of the new secret'
complete -c notp -n "__notp_at 'notp enroll'" -l qr -x -a 'unicode ansi ascii none' -d 'how to draw the QR code'
complete -c notp -n "__notp_at 'notp enroll'" -l qr-file -r -F -d 'also write the QR code to a new .png or .svg file'
complete -c notp -n "__notp_at 'notp enroll'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp enroll'" -l json -d 'print one JSON object'
complete -c notp -n "__notp_at 'notp enroll'" -l batch -r -F -d 'enrol all users of a list'
complete -c notp -n "__notp_at 'notp enroll'" -l out -x -a '(__fish_complete_directories)' -d 'folder of the hand-outs'
complete -c notp -n "__notp_at 'notp enroll'" -l image -x -a 'png svg none' -d 'the picture beside each hand-out'
complete -c notp -n "__notp_at 'notp enroll'" -l dry-run -d 'only show what the batch would do'
complete -c notp -n "__notp_at 'notp enroll'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp enroll' 0" -a '(__notp_contexts)'
# notp verify
complete -c notp -n "__notp_at 'notp verify'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp verify'" -l user -x -a '(__fish_complete_users)' -d 'user of the login'
complete -c notp -n "__notp_at 'notp verify'" -l code-stdin -d 'read the code from the first line of stdin'
complete -c notp -n "__notp_at 'notp verify'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp verify'" -l json -d 'print one JSON object'
complete -c notp -n "__notp_at 'notp verify'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp verify' 0" -a '(__notp_contexts)'
# notp status
complete -c notp -n "__notp_at 'notp status'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp status'" -l user -x -a '(__fish_complete_users)' -d 'user of the enrolment'
complete -c notp -n "__notp_at 'notp status'" -l all -d 'the enrolments of all users'
complete -c notp -n "__notp_at 'notp status'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp status'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp status' 0" -a '(__notp_contexts)'
# notp forget
complete -c notp -n "__notp_at 'notp forget'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp forget'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp forget' 0" -a '(__fish_complete_users)'
# notp revoke
complete -c notp -n "__notp_at 'notp revoke'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp revoke'" -l user -x -a '(__fish_complete_users)' -d 'user of the enrolment'
complete -c notp -n "__notp_at 'notp revoke'" -l yes -d 'do not ask'
complete -c notp -n "__notp_at 'notp revoke'" -l json -d 'print one JSON object'
complete -c notp -n "__notp_at 'notp revoke'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp revoke' 0" -a '(__notp_contexts)'
# notp recovery
complete -c notp -n "__notp_at 'notp recovery'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp recovery'" -l user -x -a '(__fish_complete_users)' -d 'user of the login'
complete -c notp -n "__notp_at 'notp recovery'" -l recovery -x -d 'number of new codes'
complete -c notp -n "__notp_at 'notp recovery'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp recovery'" -l json -d 'print one JSON object'
complete -c notp -n "__notp_at 'notp recovery'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp recovery' 0" -a '(__notp_contexts)'
# notp reseal
complete -c notp -n "__notp_at 'notp reseal'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp reseal'" -l user -x -a '(__fish_complete_users)' -d 'user of the login'
complete -c notp -n "__notp_at 'notp reseal'" -l all -d 're-seal every login that an earlier key of this host sealed'
complete -c notp -n "__notp_at 'notp reseal'" -l seal -x -a 'host passphrase' -d 'how to seal it'
complete -c notp -n "__notp_at 'notp reseal'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp reseal'" -l new-passphrase-file -r -F -d 'with --seal passphrase'
complete -c notp -n "__notp_at 'notp reseal'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp reseal'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp reseal' 0" -a '(__notp_contexts)'
# notp import
complete -c notp -n "__notp_at 'notp import'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp import'" -l from -x -a 'uri base32 otpauth-migration python-notp google-authenticator pam-oath pskc csv' -d 'format of the secret'
complete -c notp -n "__notp_at 'notp import'" -l file -r -F -d 'read the secret from a file'
complete -c notp -n "__notp_at 'notp import'" -l user -x -a '(__fish_complete_users)' -d 'user of the login'
complete -c notp -n "__notp_at 'notp import'" -l serial -x -d 'serial number of the hardware token of --user'
complete -c notp -n "__notp_at 'notp import'" -l assign -r -F -d 'whose hardware tokens they are'
complete -c notp -n "__notp_at 'notp import'" -l seal -x -a 'host passphrase' -d 'how to seal a login'
complete -c notp -n "__notp_at 'notp import'" -l dry-run -d 'show which logins would be imported'
complete -c notp -n "__notp_at 'notp import'" -l replace -d 'replace an existing secret of that name'
complete -c notp -n "__notp_at 'notp import'" -l issuer -x -d 'service name of a bare secret'
complete -c notp -n "__notp_at 'notp import'" -l account -x -d 'account name of a bare secret'
complete -c notp -n "__notp_at 'notp import'" -l digits -x -a '6 7 8' -d 'digits of the codes of a bare secret'
complete -c notp -n "__notp_at 'notp import'" -l period -x -d 'seconds that each code of a bare secret is shown'
complete -c notp -n "__notp_at 'notp import'" -l algorithm -x -a 'SHA1 SHA256 SHA512' -d 'hash algorithm of a bare secret'
complete -c notp -n "__notp_at 'notp import'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp import'" -l new-passphrase-file -r -F -d 'seal with this passphrase'
complete -c notp -n "__notp_at 'notp import'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp import'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp import' 0" -a '(__notp_contexts)'
# notp code
complete -c notp -n "__notp_at 'notp code'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp code'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp code'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp code'" -l all -d 'show the codes of all secrets that the passphrase opens'
complete -c notp -n "__notp_at 'notp code'" -l once -d 'print the code once'
complete -c notp -n "__notp_at 'notp code'" -l watch -d 'print each new code on its own line'
complete -c notp -n "__notp_at 'notp code'" -l copy -d 'copy the code to the clipboard of the terminal'
complete -c notp -n "__notp_at 'notp code'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp code'" -a '(__notp_contexts)'
# notp list
complete -c notp -n "__notp_at 'notp list'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp list'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp list'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp list'" -l user -x -a '(__fish_complete_users)' -d 'list the secrets of this user'
complete -c notp -n "__notp_at 'notp list'" -l all -d 'list every enrolment of every user'
complete -c notp -n "__notp_at 'notp list'" -s h -l help -d 'display help for command'
# notp export
complete -c notp -n "__notp_at 'notp export'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp export'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp export'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp export'" -l user -x -a '(__fish_complete_users)' -d 'user of a login sealed by this host'
complete -c notp -n "__notp_at 'notp export'" -l to -x -a 'uri base32 qr png svg' -d 'output format'
complete -c notp -n "__notp_at 'notp export'" -l file -r -F -d 'write to a new file'
complete -c notp -n "__notp_at 'notp export'" -l all -d 'write all your secrets that the passphrase opens into a sealed archive'
complete -c notp -n "__notp_at 'notp export'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp export' 0" -a '(__notp_contexts)'
# notp passphrase
complete -c notp -n "__notp_at 'notp passphrase'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp passphrase'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp passphrase'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp passphrase'" -l user -x -a '(__fish_complete_users)' -d 'user of the secret'
complete -c notp -n "__notp_at 'notp passphrase'" -l new-passphrase-file -r -F -d 'read the new passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp passphrase'" -l all -d 'change all secrets that the passphrase opens'
complete -c notp -n "__notp_at 'notp passphrase'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp passphrase' 0" -a '(__notp_contexts)'
# notp rename
complete -c notp -n "__notp_at 'notp rename'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp rename'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp -n "__notp_at 'notp rename'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp rename'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp rename' 0" -a '(__notp_contexts)'
# notp remove
complete -c notp -n "__notp_at 'notp remove'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp remove'" -l yes -d 'do not ask'
complete -c notp -n "__notp_at 'notp remove'" -l json -d 'print one JSON object'
complete -c notp -n "__notp_at 'notp remove'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp remove' 0" -a '(__notp_contexts)'
# notp demo
complete -c notp -n "__notp_at 'notp demo'" -l qr -x -a 'unicode ansi ascii none' -d 'how to draw the QR code'
complete -c notp -n "__notp_at 'notp demo'" -l json -d 'print one JSON object'
complete -c notp -n "__notp_at 'notp demo'" -s h -l help -d 'display help for command'
# notp grant
complete -c notp -n "__notp_at 'notp grant'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp grant'" -l for -x -d 'how long: 30m'
complete -c notp -n "__notp_at 'notp grant'" -l reason -x -d 'stands in the record of each use'
complete -c notp -n "__notp_at 'notp grant'" -l from -x -d 'only from this address or network'
complete -c notp -n "__notp_at 'notp grant'" -l key -x -d 'only after the key with this fingerprint'
complete -c notp -n "__notp_at 'notp grant'" -l service -x -d 'only at this PAM service'
complete -c notp -n "__notp_at 'notp grant'" -l json -d 'print one JSON object'
complete -c notp -n "__notp_at 'notp grant'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp grant' 0" -a '(__fish_complete_users)'
# notp grants
complete -c notp -n "__notp_at 'notp grants'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp grants'" -l end -x -d 'end this grant now'
complete -c notp -n "__notp_at 'notp grants'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp grants'" -s h -l help -d 'display help for command'
# notp setup
complete -c notp -n "__notp_at 'notp setup'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp setup' 0" -a gate -d 'have sshd call the gate'
complete -c notp -n "__notp_at 'notp setup' 0" -a pam -d 'have sshd ask for key or password and then'
complete -c notp -n "__notp_at 'notp setup' 0" -a sudo -d 'have sudo ask for a code on its terminal'
complete -c notp -n "__notp_at 'notp setup' 0" -a confirm -d 'keep what was set up'
complete -c notp -n "__notp_at 'notp setup' 0" -a undo -d 'remove all that was set up'
complete -c notp -n "__notp_at 'notp setup' 0" -a callers -d 'list the files of sshd and PAM that start notp'
# notp setup gate
complete -c notp -n "__notp_at 'notp setup gate'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp setup gate'" -l apply -d 'write the configuration'
complete -c notp -n "__notp_at 'notp setup gate'" -l dry-run -d 'show what would be written'
complete -c notp -n "__notp_at 'notp setup gate'" -l user -x -a '(__fish_complete_users)' -d 'only for this user'
complete -c notp -n "__notp_at 'notp setup gate'" -l group -x -a '(__fish_complete_groups)' -d 'only for the members of this group'
complete -c notp -n "__notp_at 'notp setup gate'" -l confirm-within -x -d 'undo it after this time unless it is confirmed'
complete -c notp -n "__notp_at 'notp setup gate'" -l force -d 'write it even if it would lock you out'
complete -c notp -n "__notp_at 'notp setup gate'" -l no-reload -d 'do not reload sshd'
complete -c notp -n "__notp_at 'notp setup gate'" -l json -d 'print one JSON object for each file'
complete -c notp -n "__notp_at 'notp setup gate'" -s h -l help -d 'display help for command'
# notp setup pam
complete -c notp -n "__notp_at 'notp setup pam'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp setup pam'" -l apply -d 'write the configuration'
complete -c notp -n "__notp_at 'notp setup pam'" -l dry-run -d 'show what would be written'
complete -c notp -n "__notp_at 'notp setup pam'" -l user -x -a '(__fish_complete_users)' -d 'only for this user'
complete -c notp -n "__notp_at 'notp setup pam'" -l group -x -a '(__fish_complete_groups)' -d 'only for the members of this group'
complete -c notp -n "__notp_at 'notp setup pam'" -l confirm-within -x -d 'undo it after this time unless it is confirmed'
complete -c notp -n "__notp_at 'notp setup pam'" -l force -d 'write it even if it would lock you out'
complete -c notp -n "__notp_at 'notp setup pam'" -l no-reload -d 'do not reload sshd'
complete -c notp -n "__notp_at 'notp setup pam'" -l json -d 'print one JSON object for each file'
complete -c notp -n "__notp_at 'notp setup pam'" -l grants -d 'prompt nobody who has a grant'
complete -c notp -n "__notp_at 'notp setup pam'" -l first -x -a 'keyboard-interactive password' -d 'how sshd takes a password before the code'
complete -c notp -n "__notp_at 'notp setup pam'" -s h -l help -d 'display help for command'
# notp setup sudo
complete -c notp -n "__notp_at 'notp setup sudo'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp setup sudo'" -l apply -d 'write the configuration'
complete -c notp -n "__notp_at 'notp setup sudo'" -l dry-run -d 'show what would be written'
complete -c notp -n "__notp_at 'notp setup sudo'" -l user -x -a '(__fish_complete_users)' -d 'only for this user'
complete -c notp -n "__notp_at 'notp setup sudo'" -l group -x -a '(__fish_complete_groups)' -d 'only for the members of this group'
complete -c notp -n "__notp_at 'notp setup sudo'" -l confirm-within -x -d 'undo it after this time unless it is confirmed'
complete -c notp -n "__notp_at 'notp setup sudo'" -l force -d 'write it even if it would lock you out'
complete -c notp -n "__notp_at 'notp setup sudo'" -l no-reload -d 'do not reload sshd'
complete -c notp -n "__notp_at 'notp setup sudo'" -l json -d 'print one JSON object for each file'
complete -c notp -n "__notp_at 'notp setup sudo'" -s h -l help -d 'display help for command'
# notp setup confirm
complete -c notp -n "__notp_at 'notp setup confirm'" -l force -d 'confirm it although nobody whom it is for has come in by the new door yet'
complete -c notp -n "__notp_at 'notp setup confirm'" -l json -d 'print one JSON object'
complete -c notp -n "__notp_at 'notp setup confirm'" -s h -l help -d 'display help for command'
# notp setup undo
complete -c notp -n "__notp_at 'notp setup undo'" -l force -d 'restore also files that somebody has changed since'
complete -c notp -n "__notp_at 'notp setup undo'" -l no-reload -d 'do not reload sshd'
complete -c notp -n "__notp_at 'notp setup undo'" -l json -d 'print one JSON object for each setup'
complete -c notp -n "__notp_at 'notp setup undo'" -s h -l help -d 'display help for command'
# notp setup callers
complete -c notp -n "__notp_at 'notp setup callers'" -l json -d 'print one JSON object for each file'
complete -c notp -n "__notp_at 'notp setup callers'" -s h -l help -d 'display help for command'
# notp doctor
complete -c notp -n "__notp_at 'notp doctor'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp doctor'" -l user -x -a '(__fish_complete_users)' -d 'check only these users'
complete -c notp -n "__notp_at 'notp doctor'" -l sshd-config -r -F -d 'check this sshd_config instead of those of the running sshds'
complete -c notp -n "__notp_at 'notp doctor'" -l changes -d 'print what is new and what is gone since the last --changes'
complete -c notp -n "__notp_at 'notp doctor'" -l json -d 'print one JSON object for each check'
complete -c notp -n "__notp_at 'notp doctor'" -s h -l help -d 'display help for command'
# notp audit
complete -c notp -n "__notp_at 'notp audit'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp audit'" -l user -x -a '(__fish_complete_users)' -d 'only records of this user'
complete -c notp -n "__notp_at 'notp audit'" -l since -x -d 'only records from this time on'
complete -c notp -n "__notp_at 'notp audit'" -l until -x -d 'only records before this time'
complete -c notp -n "__notp_at 'notp audit'" -l file -r -F -d 'read this log and its rotated files'
complete -c notp -n "__notp_at 'notp audit'" -l event -x -a 'login.accepted login.refused enroll replace enroll.failed import import.failed invite revoke passphrase passphrase.failed recovery recovery.failed recovery.used unlock reseal reseal.failed export host_key.created host_key.rotated host_key.retired forget grant grant.ended rules.put rules.removed fleet.revoked outage.approved outage.withdrawn outage.conflict audit.resumed doctor.changed login host_key rules fleet outage audit doctor' -d 'only this event'
complete -c notp -n "__notp_at 'notp audit'" -l reason -x -a 'wrong_code replayed wrong_passphrase step_up_required not_enrolled revoked stale_enrolment bad_secret_file no_proof timeout store_unavailable audit_unavailable not_permitted bad_configuration' -d 'only refusals for this reason'
complete -c notp -n "__notp_at 'notp audit'" -l context -x -a '(__notp_contexts)' -d 'only records of this secret'
complete -c notp -n "__notp_at 'notp audit'" -l rhost -x -d 'only records from this address'
complete -c notp -n "__notp_at 'notp audit'" -l ref -x -d 'everything about the attempt with this reference'
complete -c notp -n "__notp_at 'notp audit'" -s n -l lines -x -d 'number of records'
complete -c notp -n "__notp_at 'notp audit'" -s f -l follow -d 'keep printing new records until Ctrl-C'
complete -c notp -n "__notp_at 'notp audit'" -l json -d 'print JSON lines'
complete -c notp -n "__notp_at 'notp audit'" -l format -x -a 'ecs ocsf' -d 'print JSON lines in the schema of Elastic'
complete -c notp -n "__notp_at 'notp audit'" -l table -d 'print the table'
complete -c notp -n "__notp_at 'notp audit'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp audit' 0" -a verify -d 'check that no record was changed'
complete -c notp -n "__notp_at 'notp audit' 0" -a report -d 'count logins'
# notp audit verify
complete -c notp -n "__notp_at 'notp audit verify'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp audit verify'" -l host -x -d 'check the log of another host that shares the store'
complete -c notp -n "__notp_at 'notp audit verify'" -l file -r -F -d 'with --host: that log or a copy of it'
complete -c notp -n "__notp_at 'notp audit verify'" -l key -r -F -d 'with --host: a copy of the key file of that host'
complete -c notp -n "__notp_at 'notp audit verify'" -l outage -d 'check the log of decisions of this host while it could not reach the store'
complete -c notp -n "__notp_at 'notp audit verify'" -l resume -d 'resume the chain after the last record of the log'
complete -c notp -n "__notp_at 'notp audit verify'" -l json -d 'print one JSON object'
complete -c notp -n "__notp_at 'notp audit verify'" -s h -l help -d 'display help for command'
# notp audit report
complete -c notp -n "__notp_at 'notp audit report'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp audit report'" -l user -x -a '(__fish_complete_users)' -d 'only records of this user'
complete -c notp -n "__notp_at 'notp audit report'" -l since -x -d 'only records from this time on'
complete -c notp -n "__notp_at 'notp audit report'" -l until -x -d 'only records before this time'
complete -c notp -n "__notp_at 'notp audit report'" -l file -r -F -d 'read this log and its rotated files'
complete -c notp -n "__notp_at 'notp audit report'" -l json -d 'print one JSON object for each user'
complete -c notp -n "__notp_at 'notp audit report'" -s h -l help -d 'display help for command'
# notp metrics
complete -c notp -n "__notp_at 'notp metrics'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp metrics'" -l textfile -r -F -d 'write them to this file for node_exporter\'s textfile collector instead'
complete -c notp -n "__notp_at 'notp metrics'" -s h -l help -d 'display help for command'
# notp unlock
complete -c notp -n "__notp_at 'notp unlock'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp unlock'" -l user -x -a '(__fish_complete_users)' -d 'user of the enrolment'
complete -c notp -n "__notp_at 'notp unlock'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp unlock'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp unlock' 0" -a '(__notp_contexts)'
# notp rules
complete -c notp -n "__notp_at 'notp rules'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp rules'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp rules'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp rules' 0" -a put -d 'put rules into the store'
complete -c notp -n "__notp_at 'notp rules' 0" -a get -d 'print the rules in the store as they were put'
complete -c notp -n "__notp_at 'notp rules' 0" -a remove -d 'remove the rules from the store'
complete -c notp -n "__notp_at 'notp rules' 0" -a explain -d 'say which rule decides about a login'
# notp rules put
complete -c notp -n "__notp_at 'notp rules put'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp rules put'" -s h -l help -d 'display help for command'
# notp rules get
complete -c notp -n "__notp_at 'notp rules get'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp rules get'" -s h -l help -d 'display help for command'
# notp rules remove
complete -c notp -n "__notp_at 'notp rules remove'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp rules remove'" -s h -l help -d 'display help for command'
# notp rules explain
complete -c notp -n "__notp_at 'notp rules explain'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp rules explain'" -l from -x -d 'source address'
complete -c notp -n "__notp_at 'notp rules explain'" -l key -x -d 'type of the key that passed first'
complete -c notp -n "__notp_at 'notp rules explain'" -l service -x -d 'PAM service; sshd also for the gate'
complete -c notp -n "__notp_at 'notp rules explain'" -l json -d 'print one JSON object'
complete -c notp -n "__notp_at 'notp rules explain'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp rules explain' 0" -a '(__fish_complete_users)'
# notp config
complete -c notp -n "__notp_at 'notp config'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp config' 0" -a check -d 'check the configuration'
# notp config check
complete -c notp -n "__notp_at 'notp config check'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp config check'" -s h -l help -d 'display help for command'
# notp host-key
complete -c notp -n "__notp_at 'notp host-key'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp host-key' 0" -a init -d 'make the key if there is none'
complete -c notp -n "__notp_at 'notp host-key' 0" -a id -d 'print the key\'s id'
complete -c notp -n "__notp_at 'notp host-key' 0" -a rotate -d 'make a new key'
complete -c notp -n "__notp_at 'notp host-key' 0" -a retire -d 'remove the earlier keys'
# notp host-key init
complete -c notp -n "__notp_at 'notp host-key init'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp host-key init'" -s h -l help -d 'display help for command'
# notp host-key id
complete -c notp -n "__notp_at 'notp host-key id'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp host-key id'" -s h -l help -d 'display help for command'
# notp host-key rotate
complete -c notp -n "__notp_at 'notp host-key rotate'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp host-key rotate'" -s h -l help -d 'display help for command'
# notp host-key retire
complete -c notp -n "__notp_at 'notp host-key retire'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp host-key retire'" -l yes -d 'remove them in any case'
complete -c notp -n "__notp_at 'notp host-key retire'" -s h -l help -d 'display help for command'
# notp store
complete -c notp -n "__notp_at 'notp store'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp store' 0" -a migrate -d 'make or update the tables in the database of a fleet'
complete -c notp -n "__notp_at 'notp store' 0" -a copy -d 'copy enrolments'
complete -c notp -n "__notp_at 'notp store' 0" -a hosts -d 'list the hosts that share the database'
complete -c notp -n "__notp_at 'notp store' 0" -a approve -d 'let a user log in'
complete -c notp -n "__notp_at 'notp store' 0" -a approved -d 'list the users who are approved for outages'
complete -c notp -n "__notp_at 'notp store' 0" -a refresh -d 'report the decisions of this host in an outage'
# notp store migrate
complete -c notp -n "__notp_at 'notp store migrate'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp store migrate'" -s h -l help -d 'display help for command'
# notp store copy
complete -c notp -n "__notp_at 'notp store copy'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp store copy'" -l dry-run -d 'show what would be copied and what prevents it'
complete -c notp -n "__notp_at 'notp store copy'" -s h -l help -d 'display help for command'
# notp store hosts
complete -c notp -n "__notp_at 'notp store hosts'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp store hosts'" -l json -d 'print one JSON object for each'
complete -c notp -n "__notp_at 'notp store hosts'" -s h -l help -d 'display help for command'
# notp store approve
complete -c notp -n "__notp_at 'notp store approve'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp store approve'" -l user -x -a '(__fish_complete_users)' -d 'the user to approve'
complete -c notp -n "__notp_at 'notp store approve'" -l remove -d 'withdraw the approval'
complete -c notp -n "__notp_at 'notp store approve'" -s h -l help -d 'display help for command'
# notp store approved
complete -c notp -n "__notp_at 'notp store approved'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp store approved'" -l json -d 'print one JSON object for each'
complete -c notp -n "__notp_at 'notp store approved'" -s h -l help -d 'display help for command'
# notp store refresh
complete -c notp -n "__notp_at 'notp store refresh'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp store refresh'" -s h -l help -d 'display help for command'
# notp fleet
complete -c notp -n "__notp_at 'notp fleet'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp fleet'" -l json -d 'print JSON, one object on each line'
complete -c notp -n "__notp_at 'notp fleet'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp fleet' 0" -a init -d 'make an authority for the certificates of a fleet'
complete -c notp -n "__notp_at 'notp fleet' 0" -a host-cert -d 'make or renew the certificate of a host of the fleet'
complete -c notp -n "__notp_at 'notp fleet' 0" -a revoke -d 'end the certificates of a member that were made until now'
# notp fleet init
complete -c notp -n "__notp_at 'notp fleet init'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp fleet init'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp fleet init' 0" -a '(__fish_complete_directories)'
# notp fleet host-cert
complete -c notp -n "__notp_at 'notp fleet host-cert'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp fleet host-cert'" -l judge -d 'for a judge, which the members find under this name'
complete -c notp -n "__notp_at 'notp fleet host-cert'" -l days -x -d 'how long it lasts'
complete -c notp -n "__notp_at 'notp fleet host-cert'" -s h -l help -d 'display help for command'
complete -c notp -n "__notp_at 'notp fleet host-cert' 0" -a '(__fish_complete_directories)'
# notp fleet revoke
complete -c notp -n "__notp_at 'notp fleet revoke'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp fleet revoke'" -s h -l help -d 'display help for command'
# notp gate
complete -c notp -n "__notp_at 'notp gate'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp gate'" -s h -l help -d 'display help for command'
# notp pam
complete -c notp -n "__notp_at 'notp pam'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp pam'" -l first-pass -d 'exit 0 only in the first pass of sshd\'s PAM stack'
complete -c notp -n "__notp_at 'notp pam'" -l before -d 'exit 0 where a rule asks for no code'
complete -c notp -n "__notp_at 'notp pam'" -l prompt-tty -d 'ask on the terminal that PAM_TTY names'
complete -c notp -n "__notp_at 'notp pam'" -s h -l help -d 'display help for command'
# notp serve
complete -c notp -n "__notp_at 'notp serve'" -l config -r -F -d 'configuration file'
complete -c notp -n "__notp_at 'notp serve'" -s h -l help -d 'display help for command'

complete -c notp-enroll -f
# notp-enroll
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l config -r -F -d 'configuration file'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l user -x -a '(__fish_complete_users)' -d 'user of the login'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l seal -x -a 'host passphrase' -d 'how to seal it'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l issuer -x -d 'service name that the phone shows'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l account -x -d 'account name that the phone shows'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l digits -x -a '6 7 8' -d 'digits of a code'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l period -x -d 'seconds that a code is shown'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l algorithm -x -a 'SHA1 SHA256 SHA512' -d 'hash algorithm of the codes'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l recovery -x -d 'number of recovery codes'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l replace -d 'replace an existing enrolment'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l pending -d 'make no secret'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l no-confirm -d 'do not ask for a code of the new secret'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l qr -x -a 'unicode ansi ascii none' -d 'how to draw the QR code'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l qr-file -r -F -d 'also write the QR code to a new .png or .svg file'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l passphrase-file -r -F -d 'read the passphrase from the first line of a file'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l json -d 'print one JSON object'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l batch -r -F -d 'enrol all users of a list'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l out -x -a '(__fish_complete_directories)' -d 'folder of the hand-outs'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l image -x -a 'png svg none' -d 'the picture beside each hand-out'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -l dry-run -d 'only show what the batch would do'
complete -c notp-enroll -n "__notp_at 'notp-enroll'" -s h -l help -d 'display help for command'
complete -c notp-enroll -n "__notp_at 'notp-enroll' 0" -a '(__fish_complete_users)'
complete -c notp-enroll -n "__notp_at 'notp-enroll' 1" -a '(__notp_contexts)'
