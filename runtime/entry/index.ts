/** What index.js of a package is bundled from, if it does not generate text. */
import type { LoadOptions, Model } from '../api.ts';
import { loadPackage } from './package-load.ts';

export { AtpcError } from '../errors.ts';
export * from 'atpc:exports';

export function load(options?: LoadOptions): Promise<Model> {
  return loadPackage(options);
}
