/** What worker.js of a package is bundled from. */
import { openWeights } from 'atpc:cache';
import { WorkerServer } from '../backends/worker/server.ts';
import { AtpcError } from '../errors.ts';
import { browserParentPort } from '../platform/browser/browser.ts';
import { nodeParentPort } from '../platform/node/node.ts';
import { currentPlatform } from '../platform/platform.ts';

const port = nodeParentPort() ?? browserParentPort();
if (port === undefined) throw new AtpcError('ATPC-501', 'worker.js runs in a worker, which load() of index.js starts.');
new WorkerServer(port, currentPlatform(), openWeights);
