import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { compilePtx } from '../../compiler/codegen/cuda/compile-ptx.ts';
import { findCompilers, findNvcc, type CudaCompiler } from '../../compiler/codegen/cuda/find-compilers.ts';
import { formatCudaVersion } from '../../compiler/codegen/cuda/nvrtc.ts';
import { cudaVersionOf } from '../../compiler/codegen/cuda/ptx-version.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { cudaCompilersAreThere, koffiFile, nvrtcFiles, packageFolders, toolkitFolder } from '../cuda-compilers.ts';
import { requires } from '../requirements.ts';

const source = `extern "C" __global__ void __launch_bounds__(128) reversed(const float *__restrict__ x, float *y) {
  __shared__ float tile[128];
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = tile[127 - threadIdx.x];
}
`;
/** A shell's environment without what this machine or the tests set for CUDA. */
function bareEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string | undefined> {
  const { ATPC_NVRTC: _files, CUDA_HOME: _home, CUDA_PATH: _path, PYTHONPATH: _python, ...env } = process.env;
  return { ...env, ...more };
}
const kinds = (compilers: readonly CudaCompiler[]): readonly string[] =>
  compilers.map(({ kind, version }) => `${kind} ${formatCudaVersion(version)}`);

describe('PTX from CUDA compilers', function () {
  this.timeout(180_000);
  let folder = '';
  before(function () {
    requires(this, 'cuda-compiler', cudaCompilersAreThere());
    folder = mkdtempSync(path.join(tmpdir(), 'atpc-test-'));
  });
  after(() => {
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  it('has a file for each release, for the same devices, with what a driver has to support', async () => {
    const { files, notes } = await compilePtx(source);
    expect(files.map(({ path: file, features }) => [file, features])).to.deep.equal([
      ['kernels-13.0.ptx', ['cuda-13.0']],
      ['kernels-12.4.ptx', ['cuda-12.4']],
    ]);
    for (const { content } of files) {
      expect(content).to.match(/^\.target sm_80$/m);
      // What the runtime learns the threads of a block from (PTX ISA, section 11.4).
      expect(content).to.match(/\.visible \.entry reversed\([^)]*\)\s*\.maxntid 128\b/);
      expect(String(content)).not.to.include('\0');
    }
    expect(notes).to.deep.equal([]);
  });

  it('is the same every time, and has nothing of the machine in it', async () => {
    const [first, second] = [await compilePtx(source), await compilePtx(source)];
    expect(second.files).to.deep.equal(first.files);
    for (const { content } of first.files) expect(content).not.to.include(process.cwd());
  });

  it('says the first lines of the log of a compiler that refuses the text', async () => {
    const error = await compilePtx('extern "C" __global__ void f() { g(); }\n').then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(AtpcError);
    expect((error as AtpcError).code).to.equal('ATPC-313');
    expect((error as AtpcError).message).to.match(
      /NVRTC 1[23]\.\d does not compile the kernels:\nkernels\.cu\(1\): error: .*"g"/,
    );
  });

  it('takes no includes: the text of the kernels is all there is', async () => {
    const error = await compilePtx('#include <cuda_fp16.h>\n').catch((reason: unknown) => reason);
    expect(String(error)).to.match(/ATPC-313.*could not open source file "cuda_fp16\.h"/s);
  });

  it('ends its compilers when it is aborted', async () => {
    const controller = new AbortController();
    const running = compilePtx(source, { signal: controller.signal, compilers: await findCompilers() });
    const reason = new Error('enough');
    controller.abort(reason);
    const caught = await running.catch((error: unknown) => error);
    expect(caught).to.equal(reason);
  });

  it('ends its compilers when its process is killed, in the middle of a compilation', async function () {
    requires(this, 'linux', process.platform === 'linux');
    // Loops that NVRTC unrolls, which took it 24 seconds each when this was written; it leaves those of 2,000 rounds alone.
    const loops = ['first', 'second', 'third', 'fourth'].map(
      (name) => `extern "C" __global__ void ${name}(float *x) {
        float y = x[0];
        #pragma unroll
        for (int i = 0; i < 1500; i++) y = y * x[i] + (y > x[i + 1] ? sinf(y) : x[i * 3]);
        x[0] = y;
      }`,
    );
    const nvrtc = { koffi: koffiFile(), library: nvrtcFiles['13.0'] };
    const script = path.join(folder, 'compiles.mjs');
    writeFileSync(
      script,
      `import { compileWithNvrtc } from ${JSON.stringify(new URL('../../compiler/codegen/cuda/nvrtc.ts', import.meta.url).href)};
      await compileWithNvrtc(${JSON.stringify(nvrtc)}, ${JSON.stringify(loops.join('\n'))}, ['--gpu-architecture=compute_80']);`,
    );
    const parent = spawn(process.execPath, ['--import=tsx', '--conditions=atpc-source', script], { stdio: 'ignore' });
    /** A file of proc(5); empty for a process that has ended. */
    const read = (pid: number, file: string): string => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'utf8');
      } catch {
        return '';
      }
    };
    const compilerOf = (pid: number): number =>
      read(pid, `task/${pid}/children`)
        .split(' ')
        .map(Number)
        .find((child) => read(child, 'cmdline').includes('nvrtc-process')) ?? 0;
    /** The state, and the ticks of 1/100 seconds that it computed in user and system mode. */
    const statusOf = (pid: number): { readonly state: string; readonly seconds: number } => {
      const [state = '', ...fields] = read(pid, 'stat')
        .replace(/^.*\) /, '')
        .split(' ');
      return { state, seconds: (Number(fields[10]) + Number(fields[11])) / 100 };
    };
    /** One that nobody waits for may stay as a zombie. */
    const isOver = (pid: number): boolean => ['', 'Z'].includes(statusOf(pid).state);
    const until = async (what: string, holds: () => boolean): Promise<void> => {
      const began = performance.now();
      while (!holds()) {
        if (performance.now() - began > 20_000) throw new Error(`${what}: not within 20 seconds.`);
        await wait(20);
      }
    };
    const pid = parent.pid ?? expect.fail('The process did not start.');
    let compiler = 0;
    try {
      await until('starts a compiler', () => (compiler = compilerOf(pid)) > 0);
      // Node starts in a tenth of a second: from here on it compiles.
      await until('compiles', () => statusOf(compiler).seconds > 1);
      parent.kill('SIGKILL');
      await until('ends the compiler', () => isOver(compiler));
    } finally {
      parent.kill('SIGKILL');
      if (compiler > 0 && !isOver(compiler)) process.kill(compiler, 'SIGKILL');
    }
  });

  it('is written by nvcc too, which stands in where there is no NVRTC', async () => {
    const nvcc = await findNvcc(bareEnvironment({ PATH: path.join(toolkitFolder, 'bin') }));
    const compilers = { compilers: nvcc ? [nvcc] : [], unusable: [] };
    expect(kinds(compilers.compilers)).to.deep.equal(['nvcc 13.0']);
    const { files } = await compilePtx(source, { compilers });
    expect(files.map(({ path: file }) => file)).to.deep.equal(['kernels-13.0.ptx']);
    expect(files[0]?.content)
      .to.match(/\.entry reversed\(/)
      .and.not.include(tmpdir());
    expect((await compilePtx(source, { compilers })).files).to.deep.equal(files);
    const error = await compilePtx('#error no\n', { compilers }).catch((reason: unknown) => reason);
    expect(String(error)).to.match(/ATPC-313: nvcc 13\.0 does not compile the kernels:\n.*#error/);
  });

  it('notes what is missing, and how it is installed', async () => {
    const none = await compilePtx(source, { compilers: await findCompilers({ ...process.env, ATPC_NVRTC: '' }) });
    expect(none.files).to.deep.equal([]);
    expect(none.notes.join()).to.match(
      /No CUDA compiler was found.*pip install "nvidia-cuda-nvrtc==13.0.\*" && npm install koffi/,
    );
    const one = await compilePtx(source, { compilers: await findCompilers({ ATPC_NVRTC: nvrtcFiles['13.0'] }) });
    expect(one.notes.join()).to.match(/need a driver for CUDA 13\.0 or newer.*pip install "nvidia-cuda-nvrtc-cu12/);
    const older = await compilePtx(source, { compilers: await findCompilers({ ATPC_NVRTC: nvrtcFiles['12.4'] }) });
    expect(older.notes).to.deep.equal([]);
  });

  describe('finds them', () => {
    it('where Python has packages', async () => {
      const { compilers, unusable } = await findCompilers(
        bareEnvironment({ PYTHONPATH: Object.values(packageFolders).join(':') }),
      );
      expect(kinds(compilers)).to.include.members(['nvrtc 13.0', 'nvrtc 12.4']);
      expect(unusable).to.deep.equal([]);
    });

    it('in a toolkit that CUDA_HOME or CUDA_PATH names', async () => {
      for (const name of ['CUDA_HOME', 'CUDA_PATH']) {
        const { compilers } = await findCompilers(bareEnvironment({ [name]: toolkitFolder }));
        expect(kinds(compilers)).to.include('nvrtc 13.0');
      }
    });

    it('once for each release, however many copies there are', async () => {
      const copy = path.join(folder, 'libnvrtc.so.13');
      symlinkSync(nvrtcFiles['13.0'], copy);
      const { compilers } = await findCompilers({ ATPC_NVRTC: [nvrtcFiles['12.4'], nvrtcFiles['13.0'], copy].join(':') });
      expect(kinds(compilers)).to.deep.equal(['nvrtc 13.0', 'nvrtc 12.4']);
    });

    it('and says of a file that is none why it is not used, without its folder', async () => {
      const file = path.join(folder, 'libnvrtc.so.99');
      writeFileSync(file, 'no library');
      const { compilers, unusable } = await findCompilers({ ATPC_NVRTC: file });
      expect(compilers).to.deep.equal([]);
      expect(unusable).to.have.lengthOf(1);
      expect(unusable[0])
        .to.match(/^libnvrtc\.so\.99 cannot be loaded: /)
        .and.not.include(folder);
    });
  });
});

describe('the CUDA version that a PTX needs', () => {
  for (const [ptx, cuda] of [
    ['8.0', '12.0'],
    ['8.4', '12.4'],
    ['8.5', '12.5'],
    ['8.6', '12.7'],
    ['8.7', '12.8'],
    ['8.8', '12.9'],
    ['9.0', '13.0'],
    ['9.1', '13.1'],
  ] as const) {
    it(`is ${cuda} for PTX ${ptx}`, () => {
      const text = `//\n// Generated\n//\n\n.version ${ptx}\n.target sm_80\n`;
      expect(formatCudaVersion(cudaVersionOf(text))).to.equal(cuda);
    });
  }
  it('is not guessed for a text that says none', () => {
    expect(() => cudaVersionOf('.target sm_80\n')).to.throw(RangeError);
  });
});
