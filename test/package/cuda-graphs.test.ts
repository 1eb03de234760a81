import { expect } from 'chai';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaEnvironment, cudaIsThere, onHardware } from '../cuda-device.ts';
import { requires } from '../requirements.ts';
import { liveObjects } from './cuda-faults.ts';
import { loadHere, WatchedDriver } from './cuda-thread.ts';
import { writeGeneratorCuda, writeTinyCuda } from './tiny-cuda.ts';
import { expectedAnswer } from './tiny-generator.ts';
import { expectedLogits, TemporaryFolder } from './tiny-package.ts';

describe('calls that come again, on CUDA', function () {
  this.timeout(300_000);
  let folder: TemporaryFolder;
  before(async function () {
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
    Object.assign(process.env, await cudaEnvironment());
    folder = await TemporaryFolder.create();
    await writeTinyCuda(folder.file('tiny'));
    await writeGeneratorCuda(folder.file('generator'), true);
    await writeGeneratorCuda(folder.file('forgets'), false);
  });
  after(() => folder?.remove());
  afterEach(async () => {
    if (!onHardware) expect(await liveObjects(), 'left behind').to.equal('nothing');
  });

  for (const name of ['generator', 'forgets'])
    it(`each token is one launch of a graph, captured once for its session (${name})`, async () => {
      await using model = await loadHere(folder.file(name));
      using driver = new WatchedDriver();
      const [first, second] = [model.session(), model.session()];
      const prompts = new Map([
        [first, [1, 2, 3]],
        [second, [30, 20, 10, 5]],
      ]);
      for (const [session, prompt] of prompts) {
        driver.take();
        const { ids } = await session.generate(prompt, { maxTokens: 20 }).result;
        expect(ids).to.deep.equal(expectedAnswer(prompt, 20));
        const { beginCapture, launchGraph, launch } = driver.take();
        // 19 tokens are read: the first as it comes, the second into a graph.
        expect(beginCapture).to.equal(1);
        expect(launchGraph).to.equal(18);
        expect(launch).to.be.below(20);
        prompts.set(session, [...prompt, ...ids]);
      }
      // From now on both have a graph; what is new is a prompt of another length.
      for (const [session, prompt] of prompts) {
        const next = [...prompt, 7, 8, 9, 1];
        const { ids } = await session.generate(next, { maxTokens: 10 }).result;
        expect(ids).to.deep.equal(expectedAnswer(next, 10));
        const { beginCapture, launchGraph, allocate, allocateHost } = driver.take();
        expect({ beginCapture, launchGraph }).to.deep.equal({ beginCapture: 0, launchGraph: 9 });
        expect({ allocate, allocateHost }).to.deep.equal({ allocate: 0, allocateHost: 0 });
      }
      // The memory of a session that ended may be another's, whose graphs are its own.
      first.dispose();
      const third = model.session();
      expect((await third.generate([9, 9, 9], { maxTokens: 20 }).result).ids).to.deep.equal(expectedAnswer([9, 9, 9], 20));
      expect(driver.take().beginCapture).to.equal(1);
      // A saved session goes on in another.
      const saved = await second.save();
      const restored = await model.restore(saved);
      const next = [...restored.ids, 4];
      expect((await restored.generate(next, { maxTokens: 12 }).result).ids).to.deep.equal(expectedAnswer(next, 12));
    });

  it('memory that moves takes the graphs with it', async () => {
    await using model = await loadHere(folder.file('tiny'));
    using driver = new WatchedDriver();
    const check = async (batch: number, rounds: number): Promise<Readonly<Record<string, number>>> => {
      const rows = Array.from({ length: batch }, (_, row) => [2, 4 + (row % 3), 6, 3]);
      const { logits, spun } = await model.run({ input_ids: rows, rounds: { data: [rounds], shape: [] } });
      expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(rows));
      expect([...(spun?.data ?? [])]).to.deep.equal(Array.from({ length: 64 }, () => rounds));
      const { launch, beginCapture, launchGraph } = driver.take();
      return { launch, beginCapture, launchGraph };
    };
    expect(await check(2, 1)).to.deep.equal({ launch: 4, beginCapture: 0, launchGraph: 0 });
    expect(await check(2, 2)).to.deep.equal({ launch: 4, beginCapture: 1, launchGraph: 1 });
    expect(await check(2, 3)).to.deep.equal({ launch: 0, beginCapture: 0, launchGraph: 1 });
    expect(await check(8, 4)).to.deep.equal({ launch: 10, beginCapture: 0, launchGraph: 0 });
    // The smaller call lies elsewhere now.
    expect(await check(2, 5)).to.deep.equal({ launch: 4, beginCapture: 0, launchGraph: 0 });
    expect(await check(2, 6)).to.deep.equal({ launch: 4, beginCapture: 1, launchGraph: 1 });
    expect(await check(8, 7)).to.deep.equal({ launch: 10, beginCapture: 1, launchGraph: 1 });
    expect(await check(8, 8)).to.deep.equal({ launch: 0, beginCapture: 0, launchGraph: 1 });
  });
});
