import { AtpcError } from '../errors.ts';
import { locateIn, type PackageIdentity } from '../load.ts';
import { checkOptions } from '../options.ts';
import { currentPlatform } from '../platform/platform.ts';
import type { CacheStore, DeleteCachedOptions } from './api.ts';
import { cacheModule, cacheStores, importCache, knownStore, refuseNode } from './feature.ts';

/**
 * Deletes what `load` with the option `cache` has stored of a package, and of others that lay at the same addresses before.
 * Rejects with ATPC-607 for options and in Node, and with ATPC-401 where browser-cache.js or the store cannot be used.
 */
export async function deleteCachedOf(identity: PackageIdentity, options: DeleteCachedOptions = {}): Promise<void> {
  checkOptions('deleteCached', options, ['cache', 'baseUrl'] satisfies (keyof DeleteCachedOptions)[]);
  const { cache, baseUrl } = options;
  const stores = cache === undefined ? (cacheStores as readonly CacheStore[]) : [knownStore('deleteCached', cache, cacheStores)];
  refuseNode('deleteCached', currentPlatform());
  const locate = locateIn(identity, baseUrl);
  const { deleteCachedFiles } = await importCache(locate(cacheModule).href);
  try {
    await deleteCachedFiles(stores, Object.keys(identity.files).map(locate));
  } catch (cause) {
    throw new AtpcError('ATPC-401', `The storage of this page cannot be used (${String(cause)}).`, { cause });
  }
}
