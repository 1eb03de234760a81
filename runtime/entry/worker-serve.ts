import { openWeights } from 'atpc:cache';
import { WorkerServer, type ExecutorKinds } from '../backends/worker/server.ts';
import { AtpcError } from '../errors.ts';
import { browserParentPort } from '../platform/browser/browser.ts';
import { nodeParentPort } from '../platform/node/node.ts';
import { currentPlatform } from '../platform/platform.ts';

/** Makes this thread the worker of a package. */
export function serveParent(kinds: ExecutorKinds): void {
  const port = nodeParentPort() ?? browserParentPort();
  if (port === undefined) throw new AtpcError('ATPC-501', 'worker.js runs in a worker, which load() of index.js starts.');
  new WorkerServer(port, currentPlatform(), kinds, openWeights);
}
