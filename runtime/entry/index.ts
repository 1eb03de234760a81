/** What index.js of a package is bundled from. The compiler writes two constants before it; see compiler/package. */
import { manifest, program } from 'atpc:validators';
import type { LoadOptions, Model } from '../api.ts';
import { load as loadPackage } from '../load.ts';

declare const manifestSha256: string;
/** Where the files lie that the runtime reads: bundlers that move a file put its place here. */
declare const packageFiles: Readonly<Record<string, URL>>;

export { AtpcError } from '../errors.ts';

// Not `new URL('.', import.meta.url)`, in which a bundler would look for a file.
const here = import.meta.url;

export function load(options?: LoadOptions): Promise<Model> {
  const identity = {
    base: new URL('.', here),
    files: packageFiles,
    manifestSha256,
    validators: { manifest, program },
    // In these words, by which bundlers find the worker and bundle it too.
    startWorker: () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' }),
  };
  return loadPackage(identity, options);
}
