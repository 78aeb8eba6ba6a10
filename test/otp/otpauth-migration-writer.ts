/** Writes transfers as phones do, with somebody else's protocol buffers and by the numbers of the format. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** One account by the numbers of the format; what is undefined is not written. */
export interface Written {
  readonly secret?: Uint8Array;
  readonly name?: string;
  readonly issuer?: string;
  readonly algorithm?: number;
  readonly digits?: number;
  readonly type?: number;
  readonly counter?: number | bigint;
}

export function write(accounts: readonly Written[], numbers: Readonly<Record<number, number>> = { 2: 1, 3: 1, 4: 0, 5: 7 }): Uint8Array {
  const writer = new BinaryWriter();
  for (const account of accounts) {
    writer.tag(1, WireType.LengthDelimited).fork();
    if (account.secret !== undefined) writer.tag(1, WireType.LengthDelimited).bytes(account.secret);
    if (account.name !== undefined) writer.tag(2, WireType.LengthDelimited).string(account.name);
    if (account.issuer !== undefined) writer.tag(3, WireType.LengthDelimited).string(account.issuer);
    if (account.algorithm !== undefined) writer.tag(4, WireType.Varint).int32(account.algorithm);
    if (account.digits !== undefined) writer.tag(5, WireType.Varint).int32(account.digits);
    if (account.type !== undefined) writer.tag(6, WireType.Varint).int32(account.type);
    if (account.counter !== undefined) writer.tag(7, WireType.Varint).int64(account.counter.toString());
    writer.join();
  }
  for (const [field, number] of Object.entries(numbers)) writer.tag(Number(field), WireType.Varint).int32(number);
  return writer.finish();
}

export function uriOf(message: Uint8Array): string {
  return `otpauth-migration://offline?data=${encodeURIComponent(Buffer.from(message).toString('base64'))}`;
}
