/** `load` of a package. */
import type { LoadOptions, Model } from '../api.ts';
import type { CreateGeneration } from '../generate/feature.ts';
import { load } from '../load.ts';
import { identity } from './package-identity.ts';

export function loadPackage(options?: LoadOptions, generation?: CreateGeneration): Promise<Model> {
  return load({ ...identity, generation }, options);
}
