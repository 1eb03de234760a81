/** Parts of `npm run results` that are measured in processes of their own. */
import { expect } from 'chai';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runScript, sideBySide } from '../../scripts/results/side-by-side.ts';

const script = path.join(fileURLToPath(new URL('../..', import.meta.url)), 'scripts/results.ts');
const later = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('parts of the results side by side', function () {
  this.timeout(60_000);

  it('start in order, so many at a time, and give their results in that order', async () => {
    let running = 0;
    let most = 0;
    const started: number[] = [];
    const results = await sideBySide([30, 5, 20, 1], 2, async (milliseconds) => {
      started.push(milliseconds);
      running += 1;
      most = Math.max(most, running);
      await later(milliseconds);
      running -= 1;
      return 2 * milliseconds;
    });
    expect(results).to.deep.equal([60, 10, 40, 2]);
    expect(started).to.deep.equal([30, 5, 20, 1]);
    expect(most).to.equal(2);
  });
  it('end with the first that fails: no other is started, and those that run are told', async () => {
    const started: string[] = [];
    const told: unknown[] = [];
    const failed = sideBySide(['long', 'broken', 'never'], 2, async (job, signal) => {
      started.push(job);
      if (job === 'broken') throw new Error('it broke');
      signal.addEventListener('abort', () => told.push(signal.reason));
      await later(20);
    });
    const error: unknown = await failed.catch((reason: unknown) => reason);
    expect(error).to.have.property('message', 'it broke');
    expect(started).to.deep.equal(['long', 'broken']);
    expect(told).to.deep.equal([error]);
  });
  it('run as the script itself does, and what goes wrong in them is told', async () => {
    const lines: string[] = [];
    const call = { script, expected: [0, 1], onLine: (line: string) => void lines.push(line) };
    await runScript({ ...call, args: ['--help'] });
    expect(lines).to.deep.equal([]);
    const error: unknown = await runScript({ ...call, args: ['--only', 'weather'] }).catch((reason: unknown) => reason);
    expect(String(error)).to.include('ended with 2').and.include("and is 'weather'");
    expect(lines[0]).to.match(/^results: --only takes accuracy, /);
    const stop = new AbortController();
    const stopped = runScript({ ...call, args: ['--help'], signal: stop.signal });
    stop.abort();
    expect(String(await stopped.catch((reason: unknown) => reason))).to.include('ended with a signal');
  });
});
