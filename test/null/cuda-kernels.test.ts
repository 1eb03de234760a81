import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compilerOptions, virtualArchitecture } from '../../compiler/codegen/cuda/compile-ptx.ts';
import { compileWithNvrtc, type NvrtcResult } from '../../compiler/codegen/cuda/nvrtc.ts';
import { cudaTarget, precisions } from '../../compiler/codegen/cuda/target.ts';
import type { AttentionKernel, BlockGemmKernel, GemmKernel, Kernel } from '../../compiler/kernel/kernel.ts';
import { cudaCompilersAreThere, koffiFile, nvrtcFiles } from '../cuda-compilers.ts';
import { emittedKernels } from '../golden-kernels/emitted.ts';
import { gpuProgramsFor } from '../models/gpu-programs.ts';
import { resourcesOf } from '../ptxas.ts';
import { requires, requiresTime } from '../requirements.ts';
import { distinctKernels, type DistinctKernel, type DistinctKernels } from './distinct-kernels.ts';

const folder = fileURLToPath(new URL('../golden-kernels/', import.meta.url));
/** Ampere, Hopper and Blackwell of workstations: what the driver makes of the PTX there. */
const architectures = ['sm_80', 'sm_90', 'sm_120'] as const;
/** Static shared memory of a thread block, and 32-bit registers of a multiprocessor (CUDA C++ Programming Guide, technical specifications). */
const limits = { sharedBytes: 48 * 1024, registers: 65_536, threads: 1024 } as const;
/** Warps that a multiprocessor should hold at least: one issues while others wait for memory. */
const residentWarps = 8;

const elementBytes: Readonly<Record<string, number>> = { f32: 4, i32: 4, u32: 4, u16: 2, bool: 1 };
/** Bytes of `__shared__ vec4<f32> tile[96];`, `__shared__ alignas(16) u16 side[2][64];` or `__shared__ u32 count;`, summed up. */
function declaredSharedBytes(text: string): number {
  const declarations = [...text.matchAll(/^ *__shared__ (?:alignas\(\d+\) )?(?:vec([24])<(\w+)>|(\w+)) \w+((?:\[\d+\])*);$/gm)];
  expect(declarations.length, `shared memory that is declared otherwise in ${text.slice(0, 60)}`).to.equal(
    [...text.matchAll(/__shared__/g)].length,
  );
  return declarations.reduce((sum, [, lanes = '1', vectorType, type = '', extents = '']) => {
    const count = [...extents.matchAll(/\d+/g)].reduce((product, [extent]) => product * Number(extent), 1);
    return sum + Number(lanes) * (elementBytes[vectorType ?? type] ?? NaN) * count;
  }, 0);
}

/** Threads of a block, from `__launch_bounds__(128, 1)`. */
const threadsOf = ({ text }: DistinctKernel): number => Number(/__launch_bounds__\((\d+)/.exec(text)?.[1]);

/**
 * Registers of a thread at most: its sums, and as many again as addresses and loaded values take (measured with ptxas of 13.0 on all
 * three architectures, and rounded up to the next eight).
 */
function registersAtMost(found: DistinctKernel): number {
  const [{ kernel }] = found.uses;
  switch (kernel.kind) {
    case 'gemm':
    case 'block_gemm':
      return productRegisters(kernel, threadsOf(found));
    case 'attention':
      return 'multiply' in kernel.schedule ? 255 : 200;
    case 'cluster':
    case 'score_keys':
      return 128;
    default:
      return 80;
  }
}
function productRegisters({ kind, schedule, leftNorm }: GemmKernel | BlockGemmKernel, threads: number): number {
  // A left side that is normalised, with its next tile on its way: four numbers of the weight of the norm, and of its bias; the statistics
  // of four rows, one number or two; the addresses of all these, of 64 bits each.
  const ofNorm = { none: 0, rms: 4 + 4 + 4, layer: 8 + 8 + 6 }[leftNorm?.norm ?? 'none'];
  if ('multiply' in schedule) return Math.min(255, (schedule.rowTile * schedule.columnTile) / threads + 128 + ofNorm);
  if ('threadRows' in schedule) return schedule.threadRows * schedule.threadColumns + 80;
  return (kind === 'gemm' ? 136 : 232) + ofNorm;
}

/** A kernel for many rows: those for few read weights once, and have nothing for tensor cores to do. */
type Prefill = GemmKernel | BlockGemmKernel | AttentionKernel;
const manyRows = 4;
function isPrefill(kernel: Kernel): kernel is Prefill {
  if (kernel.kind === 'attention') return kernel.schedule.queryTile > manyRows;
  return (kernel.kind === 'gemm' || kernel.kind === 'block_gemm') && kernel.schedule.rowTile > manyRows;
}

describe('emitted CUDA', function () {
  this.timeout(600_000);

  it('is what the golden files have (after a change that is meant: npm run golden-kernels, and read the diff)', async () => {
    for (const [name, text] of await emittedKernels('cu')) {
      expect(existsSync(folder + name), name).to.equal(true);
      expect(text === readFileSync(folder + name, 'utf8'), `${name} is as emitted`).to.equal(true);
    }
  });

  for (const precision of precisions) {
    it(`is self-contained and the same every time, in blocks of whole warps: ${precision}`, async () => {
      const target = cudaTarget(precision);
      for (const [name, make] of Object.entries(gpuProgramsFor(target))) {
        const [built, again] = [await make(), await make()];
        const [file, ...others] = await target.emit(built.kernels);
        expect(others).to.deep.equal([]);
        const text = String(file?.content);
        const [other] = await target.emit(again.kernels);
        expect(other?.content === text, name).to.equal(true);
        expect(text).not.to.match(/^\s*#\s*include/m);
        const kernels = [...text.matchAll(/^\/\/ === kernel (\w+) ===$/gm)].map(([, kernel]) => kernel);
        expect(kernels).to.deep.equal(built.kernels.map((kernel) => kernel.name));
        for (const [, threads] of text.matchAll(/__launch_bounds__\((\d+)/g)) {
          expect(Number(threads) % 32, name).to.equal(0);
          expect(Number(threads), name).to.be.within(32, limits.threads);
        }
      }
    });
  }

  describe('compiled by NVRTC', () => {
    let all: DistinctKernels;
    before(async function () {
      requires(this, 'cuda-compiler', cudaCompilersAreThere());
      all = await distinctKernels();
      // 21 programs in three precisions share most of their kernels; fewer than this, and the sharing has lost some.
      expect(all.kernels.length).to.be.at.least(60);
    });
    async function compiled(
      release: keyof typeof nvrtcFiles,
      architecture: string,
      ...more: readonly string[]
    ): Promise<NvrtcResult> {
      const nvrtc = { koffi: koffiFile() ?? '', library: nvrtcFiles[release] };
      const result = await compileWithNvrtc(nvrtc, all.source, [...compilerOptions(architecture), ...more]);
      expect(result.status, result.log.slice(0, 2000)).to.equal(0);
      return result;
    }

    for (const architecture of architectures) {
      it(`runs on ${architecture} without spilled registers, within the budgets of its schedules`, async function () {
        if (architecture !== 'sm_80') requiresTime(this);
        const { cubin, log } = await compiled('13.0', architecture, '--ptxas-options=-v');
        // ELF: machine code for one device.
        expect(Buffer.from(cubin).subarray(1, 4).toString()).to.equal('ELF');
        const used = resourcesOf(log);
        const faults: string[] = [];
        for (const found of all.kernels) {
          const { stackBytes = NaN, spilledBytes = NaN, registers = NaN, sharedBytes = NaN } = used.get(found.name) ?? {};
          const says = (fits: boolean, what: string): void => void (fits || faults.push(`${found.uses[0].where}: ${what}`));
          says(spilledBytes === 0 && stackBytes === 0, `${spilledBytes} bytes spilled, ${stackBytes} bytes of stack`);
          const most = registersAtMost(found);
          says(registers <= most, `${registers} registers of ${most}`);
          const blocks = Math.floor(limits.registers / (registers * threadsOf(found)));
          says((blocks * threadsOf(found)) / 32 >= residentWarps, `${blocks} blocks of ${threadsOf(found)} threads`);
          // An array may start at the next multiple of sixteen bytes; one that the compiler finds no use for is not there.
          const declared = declaredSharedBytes(found.text);
          const sharedMost = Math.min(limits.sharedBytes, 16 * Math.ceil(declared / 16) + 64);
          says(sharedBytes <= sharedMost, `${sharedBytes} bytes of shared memory, declared are ${declared}`);
        }
        expect(faults, faults.join('\n')).to.deep.equal([]);
      });
    }

    for (const release of ['13.0', '12.4'] as const) {
      it(`is PTX with tensor-core products wherever many rows are multiplied in f16 or bf16: NVRTC ${release}`, async function () {
        if (release !== '13.0') requiresTime(this);
        const { ptx } = await compiled(release, virtualArchitecture);
        const bodies = new Map(
          ptx
            .split(/^\.visible \.entry (?=\w+\()/m)
            .slice(1)
            .map((body) => [/^\w+/.exec(body)?.[0] ?? '', body]),
        );
        const tensorCores = { f16: new Set<string>(), bf16: new Set<string>() };
        for (const { name, uses } of all.kernels) {
          const body = bodies.get(name) ?? '';
          for (const { kernel, precision, where } of uses) {
            expect(body, where).to.match(/\.maxntid \d+/);
            if (precision === 'f32') expect(body, where).not.to.include('mma.sync');
            else if (isPrefill(kernel)) {
              expect(body, where).to.include(`mma.sync.aligned.m16n8k16.row.col.f32.${precision}.${precision}.f32`);
              tensorCores[precision].add(kernel.kind);
            }
          }
        }
        const everyKind = ['attention', 'block_gemm', 'gemm'];
        for (const kinds of Object.values(tensorCores)) expect([...kinds].sort()).to.deep.equal(everyKind);
      });
    }
  });
});
