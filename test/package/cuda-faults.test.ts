/** What a package for CUDA says where its driver fails: a sentence with a code, whatever fails, and nothing is left behind. */
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import type { LoadOptions, LoadProgress, Model } from '../../runtime/api.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaEnvironment, cudaIsThere, onHardware, simulatedDriver } from '../cuda-device.ts';
import { requires, skipBecause } from '../requirements.ts';
import { faultsOf, liveObjects, withEnvironment } from './cuda-faults.ts';
import { writeGeneratorCuda, writeTinyCuda } from './tiny-cuda.ts';
import { expectedAnswer } from './tiny-generator.ts';
import { expectedLogits, loadTiny, refusal, TemporaryFolder } from './tiny-package.ts';
import { tinySlotProgram } from './tiny-slots.ts';

const ids = [[2, 4, 6, 3]];
const cuda = { backend: 'cuda' } as const;
/** CUresult. */
const [outOfMemory, illegalAddress, launchFailed, invalidValue] = [2, 700, 719, 1];

describe('faults of CUDA', function () {
  this.timeout(240_000);
  let folder: TemporaryFolder;
  before(async function () {
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
    if (onHardware) skipBecause(this, 'a GPU does not fail on request: this is for the simulated device');
    Object.assign(process.env, await cudaEnvironment());
    folder = await TemporaryFolder.create();
    await writeTinyCuda(folder.file('tiny'));
    await writeGeneratorCuda(folder.file('generator'), true);
  });
  after(() => folder?.remove());
  afterEach(async () => {
    if (!onHardware) expect(await liveObjects(), 'left behind').to.equal('nothing');
  });

  const load = (name: string, options: LoadOptions = {}): Promise<Model> => loadTiny(folder.file(name), { ...cuda, ...options });
  const loadWith = (variables: Readonly<Record<string, string>>, name = 'tiny', options?: LoadOptions): Promise<Model> =>
    withEnvironment(variables, () => load(name, options));
  async function errorOf(promise: Promise<unknown>): Promise<AtpcError> {
    const error: unknown = await promise.then(() => undefined).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(AtpcError);
    return error as AtpcError;
  }
  const logitsOf = async (model: Model): Promise<readonly number[]> => [
    ...((await model.run({ input_ids: ids }))['logits']?.data ?? []),
  ];

  it('no device', async () => {
    for (const variables of [{ ATPC_CUDA_SIM_DEVICES: '0' }, { CUDA_VISIBLE_DEVICES: '' }, { CUDA_VISIBLE_DEVICES: '-1' }]) {
      const error = await errorOf(loadWith(variables));
      expect(error.message).to.match(/ATPC-501: The CUDA driver finds no device/);
      expect(error.hint).to.contain('CUDA_VISIBLE_DEVICES');
    }
    // By itself, such a package runs on what else it has.
    const model = await withEnvironment({ ATPC_CUDA_SIM_DEVICES: '0' }, () => loadTiny(folder.file('tiny')));
    expect(model.info().backend).to.equal('wasm');
    expect(model.info().why).to.match(/^cuda cannot be had here: ATPC-501/);
    await model.dispose();
  });

  it('a device that is too old for the kernels', async () => {
    expect((await errorOf(loadWith({ ATPC_CUDA_SIM_CAPABILITY: '75' }))).message).to.match(
      /ATPC-501.*has compute capability 7\.5; the kernels need 8\.0/,
    );
  });

  it('no driver, one that is no driver, and one without some function', async () => {
    const missing = await errorOf(loadWith({ ATPC_CUDA_DRIVER: '/nonexistent/libcuda.so.1' }));
    expect(missing.message).to.match(/ATPC-501: The CUDA driver \/nonexistent\/libcuda\.so\.1 cannot be loaded/);
    expect(missing.hint).to.contain("Install NVIDIA's driver");
    expect((await errorOf(loadWith({ ATPC_CUDA_DRIVER: 'libc.so.6' }))).message).to.match(
      /ATPC-501.*libc\.so\.6 has no cuInit, cuDriverGetVersion/,
    );
    const older = await simulatedDriver({ without: ['cuCtxCreate_v2', 'cuMemAlloc_v2'] });
    const error = await errorOf(loadWith({ ATPC_CUDA_DRIVER: older }));
    expect(error.message).to.match(/ATPC-501.*has no cuCtxCreate_v2, cuMemAlloc_v2: it is too old/);
    expect(error.hint).to.contain('Update the NVIDIA driver');
    for (const [code, said] of [
      [34, /does not start.*stub/],
      [803, /does not start: cuInit gave/],
      [999, /does not start: cuInit gave/],
    ] as const)
      expect((await errorOf(loadWith(faultsOf({ 'cuInit:1': code })))).message)
        .to.match(/ATPC-501/)
        .and.match(said);
  });

  it('a driver that is too old for some of the PTX, or for all', async () => {
    const newest = await loadWith({ ATPC_CUDA_SIM_DRIVER_VERSION: '13010' });
    expect(newest.info().device).to.match(/driver for CUDA 13\.1, cuda-13\.0$/);
    await newest.dispose();
    const older = await loadWith({ ATPC_CUDA_SIM_DRIVER_VERSION: '12040' });
    expect(older.info().device).to.match(/driver for CUDA 12\.4, cuda-12\.4$/);
    expect(await logitsOf(older)).to.deep.equal(expectedLogits(ids));
    await older.dispose();
    const error = await errorOf(loadWith({ ATPC_CUDA_SIM_DRIVER_VERSION: '12020' }));
    expect(error.message).to.match(/ATPC-501.*supports CUDA 12\.2; the kernels of the package need 12\.4 or newer/);
    expect(error.hint).to.contain('Update the NVIDIA driver');
    // One that says that it is newer than it is.
    expect((await errorOf(loadWith(faultsOf({ 'cuModuleLoadDataEx:1': 222 })))).message).to.match(
      /ATPC-501.*cannot compile the kernels.*222/,
    );
  });

  it('kernels that the driver refuses, with what its compiler says', async () => {
    expect((await errorOf(loadWith(faultsOf({ 'cuModuleLoadDataEx:1': 218 })))).message).to.match(
      /ATPC-505: The CUDA driver refuses the kernels: cuModuleLoadDataEx gave .*\(218\)/,
    );
    await writeTinyCuda(folder.file('text'), {
      target: (target) => ({
        ...target,
        files: target.files.map((file) => (file.features ? { ...file, content: 'no PTX' } : file)),
      }),
    });
    expect((await errorOf(load('text'))).message).to.match(/ATPC-403.*no line \.target/);
  });

  it('no memory, at each allocation of a load and of a call', async () => {
    for (const call of [
      'cuMemAlloc_v2:1',
      'cuMemAlloc_v2:2',
      'cuMemAllocHost_v2:1',
      'cuMemAllocHost_v2:2',
      'cuMemAllocHost_v2:3',
    ]) {
      const error = await errorOf(loadWith(faultsOf({ [call]: outOfMemory })));
      expect(error.code, call).to.equal('ATPC-502');
      if (call.startsWith('cuMemAlloc_v2')) {
        expect(error.message, call).to.match(
          /no memory for (the weights|inputs, outputs and workspace), which takes \d+ bytes: \d+ of its \d+ bytes are free/,
        );
      }
    }
    // A call that finds none leaves the model as it was.
    const model = await loadWith(faultsOf({ 'cuMemAlloc_v2:2': outOfMemory, 'cuMemAlloc_v2:4': outOfMemory }), 'tiny', {
      selfTest: false,
    });
    expect(await refusal(model.run({ input_ids: ids }))).to.match(/ATPC-502/);
    expect(await logitsOf(model)).to.deep.equal(expectedLogits(ids));
    const long = [Array.from({ length: 3000 }, () => 4)];
    expect(await refusal(model.run({ input_ids: long }))).to.match(/ATPC-502/);
    const { logits } = await model.run({ input_ids: long });
    expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(long));
    await model.dispose();
    // Nor does a session.
    const generator = await loadWith(faultsOf({ 'cuMemAlloc_v2:4': outOfMemory }), 'generator');
    const [first, second] = [generator.session(), generator.session()];
    const answers = [first, second].map((session) => session.generate([1, 2, 3], { maxTokens: 4 }).result);
    const settled = await Promise.allSettled(answers);
    const refused = settled.filter((outcome) => outcome.status === 'rejected');
    expect(refused.map(({ reason }) => String(reason)).join()).to.match(/ATPC-502.*the state of one more session/);
    expect((await second.generate([1, 2, 3], { maxTokens: 4 }).result).ids).to.deep.equal(expectedAnswer([1, 2, 3], 4));
    await generator.dispose();
  });

  it('a model that does not fit, before its weights are read', async () => {
    await writeTinyCuda(folder.file('large'), {
      program: { slots: tinySlotProgram.slots?.map((slot) => ({ ...slot, bytes: 2 ** 31 })) ?? [] },
    });
    const read: number[] = [];
    const onProgress = ({ phase, loadedBytes }: LoadProgress): void => void (phase === 'weights' && read.push(loadedBytes));
    const error = await errorOf(loadWith({ ATPC_CUDA_SIM_MEMORY: String(2 ** 30) }, 'large', { onProgress }));
    expect(error.message).to.match(
      /ATPC-502: The model needs 6442451456 bytes of the device: 512 of weights, 0 for the state of a session, 6442450944 of workspace.*; \d+ of its 1073741824 bytes are free/,
    );
    expect(read).to.deep.equal([0]);
    const state = await errorOf(loadWith({ ATPC_CUDA_SIM_MEMORY: '2048' }, 'generator'));
    expect(state.message).to.match(/ATPC-502/);
    expect(state.hint).to.match(/About \d+ of its \d+ tokens would fit/);
  });

  it('a launch that fails, and a kernel that touches what it may not: the model is put on the device again', async () => {
    for (const [call, code] of [
      ['kernel:4', launchFailed],
      ['kernel:6', illegalAddress],
      ['cuLaunchKernel:5', illegalAddress],
      ['cuEventQuery:8', launchFailed],
    ] as const) {
      const model = await loadWith(faultsOf({ [call]: code }));
      expect(await logitsOf(model), call).to.deep.equal(expectedLogits(ids));
      expect(await logitsOf(model), call).to.deep.equal(expectedLogits(ids));
      await model.dispose();
    }
  });

  it('a kernel that always fails: ATPC-506 after some losses, and calls without it are answered', async () => {
    const model = await load('tiny');
    expect(await refusal(model.run({ input_ids: ids, trap: { data: [true], shape: [] } }))).to.match(
      /ATPC-506: The CUDA context was lost: .*\(700\).*lost 4 times in a row/,
    );
    expect(await logitsOf(model)).to.deep.equal(expectedLogits(ids));
    await model.dispose();
  });

  it('a context that another model breaks: sessions read their tokens again', async () => {
    const [tiny, generator] = await Promise.all([load('tiny'), load('generator')]);
    const session = generator.session();
    const prompt = [1, 2, 3, 4];
    const { ids: answer } = await session.generate(prompt, { maxTokens: 4 }).result;
    expect(answer).to.deep.equal(expectedAnswer(prompt, 4));
    const saved = await session.save();
    expect(await refusal(tiny.run({ input_ids: ids, trap: { data: [true], shape: [] } }))).to.match(/ATPC-506/);
    const next = [...prompt, ...answer, 5];
    expect((await session.generate(next, { maxTokens: 4 }).result).ids).to.deep.equal(expectedAnswer(next, 4));
    expect(await refusal(tiny.run({ input_ids: ids, trap: { data: [true], shape: [] } }))).to.match(/ATPC-506/);
    // Saved after a loss, or restored after one: the same.
    const restored = await generator.restore(saved);
    expect((await restored.generate(next, { maxTokens: 4 }).result).ids).to.deep.equal(expectedAnswer(next, 4));
    const pieces: number[] = [];
    for await (const piece of restored.generate([...next, 6], { maxTokens: 12 })) {
      pieces.push(...piece.ids);
      if (pieces.length === 4) await refusal(tiny.run({ input_ids: ids, trap: { data: [true], shape: [] } }));
    }
    expect(pieces).to.deep.equal(expectedAnswer([...next, 6], 12));
    expect(await logitsOf(tiny)).to.deep.equal(expectedLogits(ids));
    await Promise.all([tiny.dispose(), generator.dispose()]);
  });

  it('a loss where the files were handed over: ATPC-506, since they cannot be read again', async () => {
    const files = (name: string): Promise<Uint8Array> => readFile(folder.file('tiny', name));
    const model = await load('tiny', { files });
    for (const _ of [1, 2])
      expect(await refusal(model.run({ input_ids: ids, trap: { data: [true], shape: [] } }))).to.match(
        /ATPC-506.*cannot be read again/,
      );
    await model.dispose();
  });

  it('an abort and a disposal after a loss', async () => {
    const model = await loadWith(faultsOf({ 'kernel:8+': launchFailed }));
    const running = refusal(model.run({ input_ids: Array.from({ length: 8 }, () => [4]) }));
    await wait(5);
    await model.dispose();
    expect(await running).to.match(/ATPC-60[69]|ATPC-506/);
  });

  /** Every call of the driver that a model's life has, but those that free. */
  const functions = [
    ...['cuInit', 'cuDriverGetVersion', 'cuDeviceGetCount', 'cuDeviceGet', 'cuDeviceGetName', 'cuDeviceGetAttribute'],
    ...[
      'cuDeviceTotalMem_v2',
      'cuDevicePrimaryCtxRetain',
      'cuCtxSetCurrent',
      'cuCtxSynchronize',
      'cuMemGetInfo_v2',
      'cuMemAlloc_v2',
    ],
    ...[
      'cuMemAllocHost_v2',
      'cuMemcpyHtoDAsync_v2',
      'cuMemcpyDtoHAsync_v2',
      'cuMemsetD32Async',
      'cuStreamCreate',
      'cuEventCreate',
    ],
    ...[
      'cuEventRecord',
      'cuEventQuery',
      'cuModuleLoadDataEx',
      'cuModuleGetFunction',
      'cuLaunchKernel',
      'cuStreamBeginCapture_v2',
    ],
    ...['cuStreamEndCapture', 'cuGraphInstantiateWithFlags', 'cuGraphLaunch', 'cuMemFree_v2', 'cuMemFreeHost', 'cuModuleUnload'],
    ...[
      'cuStreamDestroy_v2',
      'cuEventDestroy_v2',
      'cuGraphExecDestroy',
      'cuGraphDestroy',
      'cuDevicePrimaryCtxRelease_v2',
      'cuCtxCreate_v2',
      'cuCtxDestroy_v2',
    ],
  ];
  for (const [what, code] of Object.entries({
    'is refused': invalidValue,
    'has no memory': outOfMemory,
    'loses the context': launchFailed,
  }))
    it(`any call of the driver that ${what}: an error with a code, or the right answer`, async () => {
      const seen = new Set<string>();
      for (const name of functions) {
        for (const call of [1, 2, 7]) {
          const at = `${name}:${call}`;
          try {
            const model = await loadWith(faultsOf({ [at]: code }), 'generator');
            try {
              const session = model.session();
              const { ids: answer } = await session.generate([1, 2, 3], { maxTokens: 6 }).result;
              expect(answer, at).to.deep.equal(expectedAnswer([1, 2, 3], 6));
              session.dispose();
            } finally {
              await model.dispose();
            }
          } catch (error) {
            if (!(error instanceof AtpcError)) throw error;
            expect(error.code, `${at}: ${error.message}`).to.match(/^ATPC-50[1256]$/);
            seen.add(error.code);
          }
          expect(await liveObjects(), at).to.equal('nothing');
        }
      }
      expect([...seen].sort()).to.include('ATPC-501');
    });
});
