/**
 * The names of browsers that the runtime uses. TypeScript has them in lib.dom, which would also bring every other name of a
 * browser into code that runs in Node. All of them may be missing elsewhere.
 */
interface MessageTarget {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
}
declare class Worker implements MessageTarget {
  constructor(url: URL, options: { readonly type: 'module' });
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  terminate(): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onmessageerror: (() => void) | null;
  /** A script that cannot be loaded gives an event without a message. */
  onerror: ((event: { readonly message?: string; preventDefault(): void }) => void) | null;
}
/** The class of `self` in a worker that one page or worker owns. */
declare const DedicatedWorkerGlobalScope: object;
declare const self: MessageTarget;
/** True or false in browsers (HTML, cross-origin isolation). */
declare const crossOriginIsolated: boolean;
interface LockManager {
  /** Waits until nobody else holds the lock, and holds it until the promise is settled (W3C, Web Locks). */
  request(name: string, held: () => unknown): Promise<unknown>;
}
/** `locks` and `gpu` are there in secure contexts only. */
declare const navigator: { readonly hardwareConcurrency?: number; readonly locks?: LockManager; readonly gpu?: GPU };
/** Whether the page came in a way that nobody could change (W3C, Secure Contexts). */
declare const isSecureContext: boolean;
/** Of the page, or of the script of a worker. */
declare const location: { readonly href: string };
interface RequestInit {
  /** Whether the HTTP cache may answer (Fetch, 5.4). */
  cache?: 'default' | 'reload';
}
/** In secure contexts only (Service Workers, 5). */
declare const caches: { open(name: string): Promise<{ put(url: string, response: Response): Promise<void> }> };
