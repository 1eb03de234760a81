/** What the compiler writes before the bundle of index.js, as constants; see compiler/package. */
import { manifest, program } from 'atpc:validators';
import { cacheFeature } from 'atpc:cache';
import { targetSupport } from 'atpc:targets';
import type { PackageIdentity } from '../load.ts';

declare const manifestSha256: string;
/** Where the files lie that the runtime reads: bundlers that move a file put its place here. */
declare const packageFiles: Readonly<Record<string, URL>>;
/** Starts the worker.js beside index.js in a browser, or what a bundler made of it. */
declare const startWorker: () => Worker;

// Not `new URL('.', import.meta.url)`, in which a bundler would look for a file.
const here = import.meta.url;

export const identity: PackageIdentity = {
  base: new URL('.', here),
  files: packageFiles,
  startWorker,
  manifestSha256,
  validators: { manifest, program },
  targets: targetSupport,
  cache: cacheFeature,
};
