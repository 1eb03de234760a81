import { expect } from 'chai';
import { runtimeBundle } from '../../compiler/package/runtime-bundle.ts';
import { assembleWat } from '../../compiler/codegen/wasm/assemble.ts';
import { WorkerBackend } from '../../runtime/backends/worker/client.ts';
import { fromRecord, toRecord } from '../../runtime/backends/worker/protocol.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { prepareInputs, type PreparedInputs } from '../../runtime/inputs.ts';
import { currentPlatform } from '../../runtime/platform/platform.ts';
import { givenFiles } from '../../runtime/source.ts';
import { kernels, program, refusal, tinyParts } from './tiny-package.ts';

const single = { name: 'wasm', why: 'test', threads: { used: 1, why: 'test' } } as const;
const idle = { weightFiles: [], urls: null, source: givenFiles({}), onProgress: () => {} };

async function prepared(seq: number, rounds: number): Promise<PreparedInputs> {
  const inputs = { input_ids: [Array.from({ length: seq }, () => 4)], rounds: { data: [rounds], shape: [] } };
  return prepareInputs({ ...(await tinyParts()), dims: program.dims }, inputs);
}

describe('the worker', () => {
  it('sees an abort without shared memory too', async () => {
    const text = (await runtimeBundle('forward')).worker;
    const backend = new WorkerBackend(() => currentPlatform().startWorker({ url: undefined, text, beside: undefined }), {
      ...single,
      shareMemory: false,
    });
    try {
      const code = new Uint8Array(await assembleWat(kernels));
      await backend.load({ ...idle, program: { ...program, weights: [] }, kernels: code, tensors: [] });
      const abort = new AbortController();
      const reason = new Error('stop');
      const running = backend.run(await prepared(3, 300_000_000), abort.signal).catch((error: unknown) => error);
      setTimeout(() => abort.abort(reason), 50);
      const began = performance.now();
      expect(await running).to.equal(reason);
      // The whole call takes many times as long; the machine may be busy with other things.
      expect(performance.now() - began).to.be.below(4000);
      const { spun } = await backend.run(await prepared(3, 2));
      expect(spun?.data[63]).to.equal(2);
    } finally {
      await backend.dispose();
    }
  });

  it('is reported when it exits by itself, to all calls that wait', async () => {
    const text = `import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(3));`;
    const backend = new WorkerBackend(() => currentPlatform().startWorker({ url: undefined, text, beside: undefined }), single);
    const calls = [1, 2].map(async () => refusal(backend.run(await prepared(1, 1))));
    for (const message of await Promise.all(calls)) expect(message).to.match(/ATPC-503.*exited with status 3/);
    expect(await refusal(backend.run(await prepared(1, 1)))).to.match(/ATPC-503/);
    await backend.dispose();
  });

  it('sends errors with their code, sentence and hint', () => {
    const error = new AtpcError('ATPC-502', 'There is no memory.', { hint: 'Buy some.' });
    const received = fromRecord(structuredClone(toRecord(error)));
    expect(received)
      .to.be.instanceOf(AtpcError)
      .and.to.include({ code: 'ATPC-502', message: 'ATPC-502: There is no memory.', hint: 'Buy some.' });
    expect(fromRecord(structuredClone(toRecord(new RangeError('x')))))
      .to.include({ message: 'x' })
      .and.not.to.be.instanceOf(AtpcError);
  });
});
