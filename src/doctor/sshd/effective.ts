/** Parses the output of `sshd -T`: the effective configuration of one connection, see sshd(8). Pure. */

/** Maps each key to its values, one for each line. Keys are in lower case here, as OpenSSH writes them in mixed case from 10.5 on. */
export type Effective = ReadonlyMap<string, readonly string[]>;

export function parseEffective(output: string): Effective {
  const pairs = output.split('\n').flatMap((line) => {
    const [, key, value] = /^(\S+)(?: (.*))?$/.exec(line) ?? [];
    return key === undefined ? [] : [{ key: key.toLowerCase(), value: value ?? '' }];
  });
  const groups = Map.groupBy(pairs, ({ key }) => key);
  return new Map([...groups].map(([key, lines]) => [key, lines.map(({ value }) => value)]));
}

/** The unchanged value of a key with a single value; empty if sshd does not know the key or does not print it. */
export function setting(effective: Effective, key: string): string {
  return effective.get(key)?.[0] ?? '';
}

/** Whether a key with a single value has the value `wanted`, ignoring case. */
export function is(effective: Effective, key: string, wanted: string): boolean {
  return setting(effective, key).toLowerCase() === wanted;
}

/** All words of a key, from one line or several. */
export function words(effective: Effective, key: string): string[] {
  return (effective.get(key) ?? []).flatMap((line) => line.split(/\s+/)).filter((word) => word !== '');
}

/** The version of OpenSSH in the text, 9.2 as 9002; undefined if it names none. */
export function opensshVersion(text: string): number | undefined {
  const [, major, minor] = /OpenSSH_(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined ? undefined : Number(major) * 1000 + Number(minor);
}

/** Keywords that name files of keys, principals or certificates, or a program that gives them. */
const NAMING = [
  ...['authorizedkeysfile', 'authorizedkeyscommand', 'authorizedprincipalsfile', 'authorizedprincipalscommand'],
  ...['trustedusercakeys', 'revokedkeys', 'hostkey', 'hostcertificate', 'xauthlocation'],
];

/** The absolute paths of files that sshd reads or runs as root, besides its configuration; those that are other files for each user are left out. */
export function filesNamedIn(effective: Effective): string[] {
  const named = NAMING.flatMap((key) => (key.endsWith('command') ? words(effective, key).slice(0, 1) : words(effective, key)));
  return named.filter((file) => file.startsWith('/') && !file.includes('%'));
}
