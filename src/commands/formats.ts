/** The names of the formats that secrets come in and go out as. */

export const IMPORT_FORMATS = ['uri', 'base32', 'otpauth-migration', 'python-notp'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

export const EXPORT_FORMATS = ['uri', 'base32', 'qr', 'png', 'svg'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
