/**
 * The names of the formats of imported and exported secrets, and of the ways to draw a QR code. The code that reads and draws them
 * is elsewhere.
 */

export const IMPORT_FORMATS = ['uri', 'base32', 'otpauth-migration', 'python-notp'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** The files in which other PAM modules keep the secrets of logins, and those in which hardware tokens are delivered. */
export const LOGIN_FORMATS = ['google-authenticator', 'pam-oath', 'pskc', 'csv'] as const;
export type LoginFormat = (typeof LOGIN_FORMATS)[number];

export const EXPORT_FORMATS = ['uri', 'base32', 'qr', 'png', 'svg'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export const QR_STYLES = ['unicode', 'ansi', 'ascii', 'none'] as const;
export type QrStyle = (typeof QR_STYLES)[number];

/** The kinds of pictures beside hand-outs. */
export const IMAGES = ['png', 'svg', 'none'] as const;
export type ImageKind = (typeof IMAGES)[number];
