/** `load` of a package. The compiler writes three constants before the bundle; see compiler/package. */
import { manifest, program } from 'atpc:validators';
import type { LoadOptions, Model } from '../api.ts';
import type { CreateGeneration } from '../generate/feature.ts';
import { load } from '../load.ts';

declare const manifestSha256: string;
/** Where the files lie that the runtime reads: bundlers that move a file put its place here. */
declare const packageFiles: Readonly<Record<string, URL>>;
/** Starts the worker.js beside index.js in a browser, or what a bundler made of it. */
declare const startWorker: () => Worker;

// Not `new URL('.', import.meta.url)`, in which a bundler would look for a file.
const here = import.meta.url;

export function loadPackage(options?: LoadOptions, generation?: CreateGeneration): Promise<Model> {
  const validators = { manifest, program };
  const identity = { base: new URL('.', here), files: packageFiles, startWorker, manifestSha256, validators };
  return load(generation ? { ...identity, generation } : identity, options);
}
