/**
 * What packages with the browser cache offer beyond api.ts. This file imports nothing: its text follows that of api.ts in their
 * index.d.ts, where interfaces of one name are one.
 */

/** Where browsers keep what a page stores: the Cache API, IndexedDB, or the origin private file system. */
export type CacheStore = 'cache-api' | 'indexeddb' | 'opfs';
export interface LoadOptions {
  /**
   * In browsers, keeps the weights in this store of the page's origin: the next load downloads nothing of them. Pieces of 16 MiB
   * enter it once their SHA-256 is right, and are compared again when they come out. Default `none`: nothing is stored but by the
   * browser's own HTTP cache. Refused in Node (ATPC-607).
   */
  readonly cache?: 'none' | CacheStore;
  /**
   * Gets a sentence where the cache cannot do what was asked for and loading goes on without it: storage that is full or
   * forbidden, a piece that was damaged in it. Each is said once; default: `console.warn`.
   */
  readonly onNotice?: (sentence: string) => void;
}
export interface DeleteCachedOptions {
  /** Default: all of them. */
  readonly cache?: CacheStore;
  /** As of `load`. */
  readonly baseUrl?: string | URL;
}
