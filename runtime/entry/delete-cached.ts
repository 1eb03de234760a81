/** What index.js of a package with the browser cache exports besides `load`. */
import type { DeleteCachedOptions } from '../cache/api.ts';
import { deleteCachedOf } from '../cache/delete-cached.ts';
import { identity } from './package-identity.ts';

export function deleteCached(options?: DeleteCachedOptions): Promise<void> {
  return deleteCachedOf(identity, options);
}
