import { createHash } from 'node:crypto';
import type { ManifestFile } from '../../runtime/format/manifest.ts';
import { chunkBytes } from '../../runtime/source.ts';

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The manifest's entry of a file that is in memory. */
export function describeFile(path: string, content: Uint8Array): ManifestFile {
  const whole = { path, bytes: content.length, sha256: sha256(content) };
  if (content.length <= chunkBytes) return whole;
  const count = Math.ceil(content.length / chunkBytes);
  return {
    ...whole,
    chunks: Array.from({ length: count }, (_, chunk) => sha256(content.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes))),
  };
}

/** Where what explains a program lies: beside it. */
export const explanationPath = (program: string): string => program.replace(/program\.json$/, 'explain.json');
