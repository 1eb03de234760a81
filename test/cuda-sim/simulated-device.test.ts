/** The simulated CUDA device itself: that kernels compute what they say, and that what is wrong is found and told. */
import { expect } from 'chai';
import { cudaEnvironment, simulatedDriver, simulateModules, simulationIsThere } from '../cuda-device.ts';
import { requires } from '../requirements.ts';
import { loadDriverCalls, ptxOf, SimulatedContext, type DriverCalls } from './driver-calls.ts';
import { testEntries, testKernels } from './test-kernels.ts';
import { loadKoffi } from '../../runtime/platform/node/koffi.ts';

const threads = 128;
const ptx = ptxOf(testEntries, { note: 'kernels of simulated-device.test.ts' });
const values = (count: number, value: (index: number) => number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => value(i));

describe('simulated CUDA device', function () {
  let calls: DriverCalls;
  /** What other tests of the process have set before. */
  let environment: Readonly<NodeJS.ProcessEnv>;
  const folders: Record<'plain' | 'checked', string> = { plain: '', checked: '' };
  before(async function () {
    environment = { ...process.env };
    requires(this, 'cuda', simulationIsThere());
    this.timeout(300_000);
    for (const kind of ['plain', 'checked'] as const) {
      const checked = kind === 'checked';
      await simulateModules(testKernels, [ptx, ptxOf(testEntries, { version: '9.0' })], { checked });
      folders[kind] = (await cudaEnvironment({ checked }))['ATPC_CUDA_SIM_MODULES'] ?? '';
    }
    calls = loadDriverCalls(await simulatedDriver());
  });
  let device: SimulatedContext;
  /** A context of the driver as it reads these variables. */
  function open(variables: Readonly<Record<string, string>> = {}, kind: 'plain' | 'checked' = 'plain'): SimulatedContext {
    Object.assign(process.env, { ATPC_CUDA_SIM_MODULES: folders[kind], ATPC_CUDA_SIM_QUIET: '1', ...variables });
    device = new SimulatedContext(calls);
    return device;
  }
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
    Object.assign(process.env, environment);
    calls.cuSimPause(0);
    while (calls.cuDevicePrimaryCtxRelease_v2(0) === 0) continue;
    calls.cuSimForgetLeaks();
    calls.cuInit(0);
  });

  /** Runs a kernel on new memory, and gives its result. */
  function compute(of: SimulatedContext, name: string, blocks: number, left: Float32Array, result: Float32Array): Float32Array {
    const { module, kernel } = of.kernel(ptx, name);
    const buffers = [of.upload(new Int32Array([blocks, left.length])), of.upload(left), of.upload(result)];
    const code = of.run(kernel, blocks, threads, buffers);
    if (code !== 0) throw new Error(`${code}: ${of.text('cuSimLastFailure')}`);
    const computed = of.download(buffers[2] ?? 0n, result.length);
    for (const buffer of buffers) of.succeed('cuMemFree_v2', buffer);
    of.succeed('cuModuleUnload', module);
    return computed;
  }
  /** Launches a kernel that fails on buffers of 1000 elements, with the second size as given. */
  function runWrong(of: SimulatedContext, name: string, size: number, blocks = 3): number {
    const { kernel } = of.kernel(ptx, name);
    const buffers = [
      of.upload(new Int32Array([blocks, size])),
      of.upload(values(1000, (i) => i)),
      of.upload(values(1000, () => 0)),
    ];
    return of.run(kernel, blocks, threads, buffers);
  }

  describe('computes', () => {
    const left = values(40 * threads, (i) => ((i * 37) % 101) - 50);
    const sums = values(40, (block) => left.slice(block * threads, (block + 1) * threads).reduce((sum, x) => sum + x, 0));
    for (const kind of ['plain', 'checked'] as const) {
      it(`elements, sums over barriers and over shuffles, and atomics (${kind} modules)`, () => {
        const of = open({}, kind);
        const scaled = compute(of, 'scale_and_add', 40, left.subarray(0, 5000), left.subarray(0, 5000));
        expect(scaled).to.deep.equal(left.subarray(0, 5000).map((x) => 3 * x));
        expect(
          compute(
            of,
            'sum_by_barriers',
            40,
            left,
            values(40, () => 0),
          ),
        ).to.deep.equal(sums);
        expect(
          compute(
            of,
            'sum_by_shuffles',
            40,
            left,
            values(40, () => 0),
          ),
        ).to.deep.equal(sums);
        const positive = values(40, (block) => left.slice(block * threads, (block + 1) * threads).filter((x) => x > 0).length);
        expect(
          compute(
            of,
            'count_by_atomics',
            40,
            left,
            values(40, () => 0),
          ),
        ).to.deep.equal(positive);
        expect(of.dispose()).to.equal('1 retained context');
      });
    }
    it('the same in any order of threads and on any number of host threads', () => {
      for (const order of ['forward', 'reverse', '1', '2', '3'])
        for (const hostThreads of ['1', '4']) {
          const of = open({ ATPC_CUDA_SIM_ORDER: order, ATPC_CUDA_SIM_THREADS: hostThreads });
          expect(
            compute(
              of,
              'sum_by_barriers',
              40,
              left,
              values(40, () => 0),
            ),
          ).to.deep.equal(sums);
          expect(
            compute(
              of,
              'sum_by_shuffles',
              40,
              left,
              values(40, () => 0),
            ),
          ).to.deep.equal(sums);
          of.dispose();
        }
    });
    it('shuffles within groups of lanes as the PTX ISA says', () => {
      const computed = compute(
        open(),
        'lanes_of_shuffles',
        1,
        values(1, () => 0),
        values(threads * 4, () => 0),
      );
      for (let thread = 0; thread < threads; thread++) {
        const lane = thread % 32;
        const group = lane - (lane % 8);
        const expected = [3, group + ((lane + 1) % 8), lane % 8 === 7 ? lane : lane + 1, lane % 8 === 0 ? lane : lane - 1];
        expect([...computed.subarray(thread * 4, thread * 4 + 4)], `thread ${thread}`).to.deep.equal(expected);
      }
    });
    it('NaN from memory that nobody has written, shared memory in each block too', () => {
      const of = open();
      const address = of.make('cuMemAlloc_v2', 400);
      expect(of.download(address, 100).every(Number.isNaN)).to.equal(true);
      expect(
        compute(
          of,
          'unwritten_shared_memory',
          3,
          values(1, () => 0),
          values(threads, () => 0),
        ).every(Number.isNaN),
      ).to.equal(true);
    });
  });

  describe('finds', () => {
    it('a race: the result depends on the order of threads', () => {
      const results = ['forward', 'reverse'].map((order) => {
        const of = open({ ATPC_CUDA_SIM_ORDER: order });
        const computed = compute(
          of,
          'race',
          1,
          values(threads, (i) => i),
          values(threads, () => 0),
        );
        of.dispose();
        return computed;
      });
      expect(results[0]).not.to.deep.equal(results[1]);
    });
    it('a race in checked modules: which threads, and where', () => {
      const of = open({}, 'checked');
      of.expectFailure(
        runWrong(of, 'race', 0),
        700,
        /^kernel race, block \d, thread \d+: .* of the shared array 'held', which thread \d+ .*: a race \(line \d+ of .*\.cu\)$/,
      );
    });
    it('what is written just after the end of an allocation', () => {
      const of = open();
      of.expectFailure(
        runWrong(of, 'write_at_size', 1001),
        700,
        /^kernel write_at_size: wrote 4 bytes after the end of an allocation of 4000 bytes$/,
      );
    });
    it('what is written or read far beyond an allocation', () => {
      for (const name of ['write_at_size', 'read_at_size']) {
        const of = open();
        const place = new RegExp(
          `^kernel ${name}, block 2, thread 5: touches memory \\d+ bytes after the end of an allocation of 4000 bytes`,
        );
        of.expectFailure(runWrong(of, name, 1100), 700, place);
        of.dispose();
      }
    });
    it('any byte beyond an allocation in checked modules', () => {
      for (const [name, verb] of [
        ['write_at_size', 'writes'],
        ['read_at_size', 'reads'],
      ] as const) {
        const of = open({}, 'checked');
        const place = new RegExp(
          `^kernel ${name}, block 2, thread 5: ${verb} 4 bytes 0 bytes after the end of an allocation of 4000 bytes`,
        );
        of.expectFailure(runWrong(of, name, 1000), 700, place);
        of.dispose();
      }
    });
    it('an index beyond a shared array in checked modules', () => {
      const of = open({}, 'checked');
      of.expectFailure(
        runWrong(of, 'shared_at_size', threads),
        715,
        /^kernel shared_at_size, block 0, thread 0: stopped: Illegal instruction/,
      );
    });
    it('an address that is not aligned for a vector', () => {
      const of = open();
      of.expectFailure(runWrong(of, 'vector_at_size', 1), 716, /^kernel vector_at_size, block 0, thread 0: .* not aligned/);
    });
    it('barriers and shuffles that not all threads come to', () => {
      for (const [name, sentence] of [
        ['barrier_of_some', /block 0, thread 0: waits at the barrier in line \d+, and thread 40 has returned/],
        [
          'barriers_of_two_branches',
          /block 0, thread 0: waits at the barrier in line \d+, and thread 64 waits at the barrier in line \d+/,
        ],
        ['shuffle_of_some', /block 0, thread 0: waits for its warp in line \d+, and thread 7 has returned/],
      ] as const) {
        const of = open({ ATPC_CUDA_SIM_THREADS: '1' });
        of.expectFailure(runWrong(of, name, 0), 719, sentence);
        of.dispose();
      }
    });
    it('a thread that needs too much stack', () => {
      const of = open();
      of.expectFailure(runWrong(of, 'deep_stack', 0), 719, /^kernel deep_stack, block \d, thread 0: needs more stack/);
    });
    it('a launch that does not fit the kernel', () => {
      const of = open();
      const { kernel } = of.kernel(ptx, 'scale_and_add');
      const buffer = of.upload(values(threads, () => 1));
      of.expectFailure(
        of.launch(kernel, 1, threads, [buffer, buffer]),
        1,
        /its parameters are 24 bytes in the PTX, 16 bytes were given/,
      );
      expect(of.launch(kernel, 1, 2 * threads, [buffer, buffer, buffer])).to.equal(1);
      expect(of.launch(kernel, 0, threads, [buffer, buffer, buffer])).to.equal(1);
      expect(of.make('cuFuncGetAttribute', 0, kernel)).to.equal(BigInt(threads));
    });
  });

  describe('after an error that lasts', () => {
    it('refuses every call in the context, and has a new one after the release', () => {
      const of = open();
      expect(runWrong(of, 'read_at_size', 2000)).to.equal(700);
      expect(calls.cuMemAlloc_v2(new BigUint64Array(1), 16)).to.equal(700);
      expect(calls.cuStreamSynchronize(of.stream)).to.equal(700);
      expect(of.dispose()).not.to.equal('');
      expect(calls.cuSimLive(), 'what a broken context held is no leak').to.equal(0);
      const next = open();
      expect(
        compute(
          next,
          'sum_by_barriers',
          1,
          values(threads, () => 1),
          values(1, () => 0),
        )[0],
      ).to.equal(threads);
    });
  });

  describe('works asynchronously', () => {
    it('on streams in order, with events between', () => {
      const of = open();
      const { kernel } = of.kernel(ptx, 'scale_and_add');
      const [first, last] = [of.make('cuEventCreate', 0), of.make('cuEventCreate', 0)];
      const buffers = [of.upload(new Int32Array([1, 4])), of.upload(values(4, () => 1)), of.upload(values(4, () => 0))];
      of.succeed('cuSimPause', 1);
      of.succeed('cuEventRecord', first, of.stream);
      expect(of.launch(kernel, 1, threads, buffers)).to.equal(0);
      expect(of.launch(kernel, 1, threads, buffers)).to.equal(0);
      of.succeed('cuEventRecord', last, of.stream);
      expect(calls.cuEventQuery(last)).to.equal(600);
      expect(calls.cuEventElapsedTime(new Float32Array(1), first, last)).to.equal(600);
      of.succeed('cuSimPause', 0);
      of.succeed('cuStreamSynchronize', of.stream);
      expect(calls.cuEventQuery(last)).to.equal(0);
      const milliseconds = new Float32Array(1);
      of.succeed('cuEventElapsedTime', milliseconds, first, last);
      expect(milliseconds[0]).to.be.greaterThan(0);
      expect([...of.download(buffers[2] ?? 0n, 4)]).to.deep.equal([4, 4, 4, 4]);
    });
    it('and reads pinned memory when the turn of a copy comes', () => {
      const of = open();
      const host = of.make('cuMemAllocHost_v2', 16);
      const view = new Float32Array(loadKoffi('CUDA in Node').view(host, 16));
      view.fill(1);
      const address = of.make('cuMemAlloc_v2', 16);
      of.succeed('cuSimPause', 1);
      of.succeed('cuMemcpyHtoDAsync_v2', address, host, 16, of.stream);
      view.fill(2);
      of.succeed('cuSimPause', 0);
      of.succeed('cuStreamSynchronize', of.stream);
      expect([...of.download(address, 4)]).to.deep.equal([2, 2, 2, 2]);
      of.succeed('cuMemFreeHost', host);
    });
    it('and replays what it captured', () => {
      const of = open();
      const { kernel } = of.kernel(ptx, 'scale_and_add');
      const buffers = [of.upload(new Int32Array([1, 4])), of.upload(values(4, () => 1)), of.upload(values(4, () => 0))];
      const result = buffers[2] ?? 0n;
      of.succeed('cuStreamBeginCapture_v2', of.stream, 1);
      of.succeed('cuMemsetD32Async', result, 0x40400000, 4, of.stream);
      expect(of.launch(kernel, 1, threads, buffers)).to.equal(0);
      expect(of.launch(kernel, 1, threads, buffers)).to.equal(0);
      expect(calls.cuMemAlloc_v2(new BigUint64Array(1), 16), 'an allocation in a capture').to.equal(900);
      const out = new BigUint64Array(1);
      of.succeed('cuStreamEndCapture', of.stream, out);
      const graph = out[0] ?? 0n;
      expect([...of.download(result, 4)]).to.deep.equal([0, 0, 0, 0]);
      const nodes = new BigUint64Array(1);
      of.succeed('cuGraphGetNodes', graph, null, nodes);
      expect(nodes[0]).to.equal(3n);
      const executable = of.make('cuGraphInstantiateWithFlags', graph, 0);
      of.succeed('cuGraphDestroy', graph);
      for (let replay = 0; replay < 2; replay++) {
        of.succeed('cuMemsetD32Async', result, 0, 4, of.stream);
        of.succeed('cuGraphLaunch', executable, of.stream);
        of.succeed('cuStreamSynchronize', of.stream);
        expect([...of.download(result, 4)]).to.deep.equal([7, 7, 7, 7]);
      }
      of.succeed('cuGraphExecDestroy', executable);
      of.succeed('cuStreamBeginCapture_v2', of.stream, 1);
      expect(calls.cuStreamSynchronize(of.stream)).to.equal(900);
      expect(calls.cuStreamEndCapture(of.stream, new BigUint64Array(1))).to.equal(901);
    });
  });

  describe('has the faults it is told to have', () => {
    it('in the n-th call of a function, or from it on', () => {
      const of = open({ ATPC_CUDA_SIM_FAULTS: 'cuMemAlloc_v2:2=2,cuStreamCreate:3+=719' });
      const out = new BigUint64Array(1);
      expect([1, 2, 3].map(() => calls.cuMemAlloc_v2(out, 16))).to.deep.equal([0, 2, 0]);
      expect([2, 3, 4].map(() => calls.cuStreamCreate(out, 1))).to.deep.equal([0, 719, 719]);
      expect(calls.cuMemAlloc_v2(out, 16), 'in a context that is lost').to.equal(719);
      of.dispose();
    });
    it('in a kernel, after its launch has succeeded', () => {
      const of = open({ ATPC_CUDA_SIM_FAULTS: 'kernel:2=719' });
      const { kernel } = of.kernel(ptx, 'sum_by_barriers');
      const buffers = [
        of.upload(new Int32Array([1, threads])),
        of.upload(values(threads, () => 1)),
        of.upload(values(1, () => 0)),
      ];
      expect(of.run(kernel, 1, threads, buffers)).to.equal(0);
      expect(of.launch(kernel, 1, threads, buffers)).to.equal(0);
      expect(calls.cuStreamSynchronize(of.stream)).to.equal(719);
    });
    it('of memory', () => {
      const of = open({ ATPC_CUDA_SIM_MEMORY: '1000000' });
      const [free, total] = [new BigUint64Array(1), new BigUint64Array(1)];
      const address = of.make('cuMemAlloc_v2', 900_000);
      of.succeed('cuMemGetInfo_v2', free, total);
      expect([free[0], total[0]]).to.deep.equal([1_000_000n - 900_096n, 1_000_000n]);
      expect(calls.cuMemAlloc_v2(new BigUint64Array(1), 200_000)).to.equal(2);
      of.succeed('cuMemFree_v2', address);
      expect(calls.cuMemAlloc_v2(new BigUint64Array(1), 200_000)).to.equal(0);
    });
    it('of devices', () => {
      Object.assign(process.env, { ATPC_CUDA_SIM_DEVICES: '0' });
      expect(calls.cuInit(0)).to.equal(100);
      Object.assign(process.env, { ATPC_CUDA_SIM_DEVICES: '3', CUDA_VISIBLE_DEVICES: '0,2,7,1' });
      expect(calls.cuInit(0)).to.equal(0);
      const found = new Int32Array(1);
      expect(calls.cuDeviceGetCount(found)).to.equal(0);
      expect(found[0]).to.equal(2);
    });
    it('of a driver that is too old for a PTX, with the words of its compiler', () => {
      const of = open({ ATPC_CUDA_SIM_DRIVER_VERSION: '12040' });
      const version = new Int32Array(1);
      of.succeed('cuDriverGetVersion', version);
      expect(version[0]).to.equal(12040);
      const log = new Uint8Array(200);
      const options = new Int32Array([5, 6]);
      const load = (text: string): number => {
        const address = loadKoffi('CUDA in Node').address(log);
        return calls.cuModuleLoadDataEx(new BigUint64Array(1), text, 2, options, new BigUint64Array([address, 200n]));
      };
      const written = (): string => new TextDecoder().decode(log.subarray(0, log.indexOf(0)));
      expect(load(ptxOf(testEntries, { version: '9.0' }))).to.equal(222);
      expect(written()).to.contain('Unsupported .version 9.0');
      expect(load(ptxOf(testEntries, { note: 'of no module' }))).to.equal(218);
      expect(written()).to.contain('ATPC_CUDA_SIM_MODULES');
      expect(load(ptx)).to.equal(0);
      expect(written()).to.equal('');
    });
    it('of functions that it lacks', async () => {
      const library = loadKoffi('CUDA in Node').load(await simulatedDriver({ without: ['cuGraphInstantiateWithFlags'] }));
      expect(() => library.func('cuGraphInstantiateWithFlags', 'int', [])).to.throw(/cuGraphInstantiateWithFlags/);
      expect(library.func('cuGraphLaunch', 'int', ['uint64', 'uint64'])(0n, 0n)).to.equal(3);
    });
  });

  it('counts what is live', () => {
    const of = open();
    // Other tests of the process may hold something.
    const counts = (): Map<string, number> =>
      new Map(
        [...of.text('cuSimDescribeLive').matchAll(/(\d+) ([a-z ]+?)s?(?=,|$)/g)].map(([, n, what]) => [what ?? '', Number(n)]),
      );
    const before = calls.cuSimLive();
    const described = counts();
    const { module } = of.kernel(ptx, 'race');
    const held = [of.make('cuMemAlloc_v2', 16), of.make('cuEventCreate', 2)] as const;
    const host = of.make('cuMemAllocHost_v2', 16);
    expect(calls.cuSimLive() - before).to.equal(4);
    const more = [...counts()].map(([what, count]) => [what, count - (described.get(what) ?? 0)]);
    expect(Object.fromEntries(more)).to.include({ allocation: 1, event: 1, module: 1, 'pinned allocation': 1 });
    expect(Object.fromEntries(more)).to.include({ 'retained context': 0, stream: 0 });
    of.succeed('cuMemFree_v2', held[0]);
    of.succeed('cuEventDestroy_v2', held[1]);
    of.succeed('cuMemFreeHost', host);
    of.succeed('cuModuleUnload', module);
    expect(calls.cuSimLive()).to.equal(before);
    expect(calls.cuMemFree_v2(held[0]), 'freed twice').to.equal(1);
    expect(calls.cuEventQuery(held[1]), 'an event that is gone').to.equal(400);
  });
});
