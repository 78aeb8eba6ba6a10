/** What `sshd -T` prints: the effective configuration of one connection, see sshd(8). Pure. */

/** Key (lower case: OpenSSH writes them mixed from 10.5 on) to its values, one for each line. */
export type Effective = ReadonlyMap<string, readonly string[]>;

export function parseEffective(output: string): Effective {
  const pairs = output.split('\n').flatMap((line) => {
    const [, key, value] = /^(\S+)(?: (.*))?$/.exec(line) ?? [];
    return key === undefined ? [] : [{ key: key.toLowerCase(), value: value ?? '' }];
  });
  const groups = Map.groupBy(pairs, ({ key }) => key);
  return new Map([...groups].map(([key, lines]) => [key, lines.map(({ value }) => value)]));
}

/** The value of a key that has one, as it stands; empty where sshd does not know it or does not print it. */
export function setting(effective: Effective, key: string): string {
  return effective.get(key)?.[0] ?? '';
}

/** Whether a key that has one value has this one, in any case. */
export function is(effective: Effective, key: string, wanted: string): boolean {
  return setting(effective, key).toLowerCase() === wanted;
}

/** All words of a key: of one line that lists them, or of several. */
export function words(effective: Effective, key: string): string[] {
  return (effective.get(key) ?? []).flatMap((line) => line.split(/\s+/)).filter((word) => word !== '');
}

/** 9.2 as 9002; undefined where the text names no version of OpenSSH. */
export function opensshVersion(text: string): number | undefined {
  const [, major, minor] = /OpenSSH_(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined ? undefined : Number(major) * 1000 + Number(minor);
}
