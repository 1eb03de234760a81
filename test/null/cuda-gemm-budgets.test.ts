/** What products on tensor cores take of a multiprocessor, as ptxas says it, on each generation of devices. */
import { expect } from 'chai';
import { compilePtx } from '../../compiler/codegen/cuda/compile-ptx.ts';
import { findCompilers } from '../../compiler/codegen/cuda/find-compilers.ts';
import { cudaTarget } from '../../compiler/codegen/cuda/target.ts';
import { nameKernels, type BoundKernel } from '../../compiler/kernel/kernel-name.ts';
import type { BlockGemmKernel, EpilogueStep, GemmKernel, TensorCoreSchedule } from '../../compiler/kernel/kernel.ts';
import type { Norm } from '../../compiler/kernel/row-norm.ts';
import type { BlockFormat } from '../../compiler/weights/block-format.ts';
import { readPtx } from '../../runtime/backends/cuda/ptx.ts';
import { bindRun, textOfKernels } from '../backend/run-cuda-kernels.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { assemble, ptxasIsThere } from '../ptxas.ts';
import { requires, requiresTime } from '../requirements.ts';

const epilogue: readonly EpilogueStep[] = [{ step: 'bias' }, { step: 'activation', op: 'gelu' }, { step: 'residual' }];
const q8: BlockFormat = { bits: 8, block: 32, signed: true, minima: false };
const q4: BlockFormat = { bits: 4, block: 32, signed: false, minima: true };
/** Of a multiprocessor (CUDA C++ Programming Guide, compute capabilities): registers, and shared memory of a block without asking. */
const [registerFile, staticShared] = [65536, 48 * 1024];

/** Norms that a product takes in, and gathers statistics for. */
type Norms = Pick<GemmKernel, 'leftNorm' | 'gathers'>;
const normsOf = (norm: Norm): Norms => ({ leftNorm: { norm, epsilon: 1e-5, statistics: 'gathered' }, gathers: norm });

/** Kernels for one schedule, with rows that are aligned and, for plain numbers, also with others. */
function kernelsFor(
  precision: 'f16' | 'bf16',
  rows: number | string,
  columns: number,
  norms: Norms = {},
): readonly BoundKernel[] {
  const target = cudaTarget(precision);
  const of = (
    depth: number,
    right: Pick<GemmKernel, 'kind' | 'right'> | Pick<BlockGemmKernel, 'kind' | 'format'>,
  ): BoundKernel => {
    const schedule = target.gemmSchedule(rows, columns, depth);
    const blocks = right.kind === 'block_gemm' ? [new Uint8Array(0), new Float32Array(0)] : [];
    const minima = right.kind === 'block_gemm' && right.format.minima ? [new Float32Array(0)] : [];
    const plain = right.kind === 'gemm' ? [right.right === 'f16' ? new Uint16Array(0) : new Float32Array(0)] : [];
    const vectors = { rms: 1, layer: 2, none: 0 }[norms.leftNorm?.norm ?? 'none'];
    // Of the left side, and as many of the residual.
    const ofNorms = Array.from({ length: norms.leftNorm ? 2 * (vectors + 1) : 0 }, () => new Float32Array(0));
    const steps = epilogue.map((step) =>
      step.step === 'residual' && norms.leftNorm ? { ...step, normed: norms.leftNorm } : step,
    );
    return bindRun({
      kernel: { ...right, epilogue: steps, schedule, ...norms },
      reads: [new Float32Array(0), ...blocks, ...minima, ...plain, new Float32Array(0), new Float32Array(0), ...ofNorms],
      result: new Float32Array(0),
      ...(norms.gathers && { statistics: new Float32Array(0) }),
      integers: [100, columns, depth, depth, columns, columns, ...(norms.leftNorm ? [32, 32] : [])],
    });
  };
  const aligned = [of(64, { kind: 'gemm', right: 'f16' }), of(64, { kind: 'gemm', right: 'f32' })];
  if (precision === 'bf16') return aligned;
  const others = [of(33, { kind: 'gemm', right: 'f16' }), of(33, { kind: 'gemm', right: 'f32' })];
  const blocks = [of(64, { kind: 'block_gemm', format: q4 })];
  if (norms.leftNorm) return [...aligned, ...blocks];
  return [...aligned, ...others, of(64, { kind: 'block_gemm', format: q8 }), ...blocks];
}
const kernels = nameKernels(
  (['f16', 'bf16'] as const).flatMap((precision) =>
    (
      [
        ['tokens', 64],
        ['tokens', 1024],
        ['tokens', 4096],
        [16, 64],
        [32, 64],
      ] as const
    ).flatMap(([rows, columns]) =>
      // layer_norm takes more than rms_norm.
      [{}, normsOf(precision === 'f16' ? 'layer' : 'rms')].flatMap((norms) => kernelsFor(precision, rows, columns, norms)),
    ),
  ),
).named;

describe('products on tensor cores: what they take of a device', function () {
  this.timeout(300_000);
  let ptx = '';
  before(async function () {
    requires(this, 'cuda-compiler', cudaCompilersAreThere() && ptxasIsThere());
    const found = await findCompilers();
    const { files } = await compilePtx(textOfKernels(kernels), {
      compilers: { ...found, compilers: found.compilers.slice(0, 1) },
    });
    ptx = String(files[0]?.content);
  });

  it('each has mma.sync with sums in f32, and ldmatrix; halves that need no rounding come by cp.async', () => {
    const texts = new Map(ptx.split('.entry ').map((text) => [text.slice(0, text.indexOf('(')), text]));
    for (const { name, kernel, pattern } of kernels) {
      const text = texts.get(name) ?? '';
      const { multiply } = (kernel as GemmKernel).schedule as TensorCoreSchedule;
      expect(text).to.include(`mma.sync.aligned.m16n8k16.row.col.f32.${multiply}.${multiply}.f32`);
      expect(text).to.include('ldmatrix.sync.aligned.m8n8.x4.shared.b16');
      const [, right] = pattern?.operands ?? [];
      const copied = right?.elementType === 'f16' && right.vectors && multiply === 'f16';
      expect(text.includes('cp.async.cg.shared.global'), name).to.equal(copied);
    }
  });
  it('the next tile is read before the products of this one, and stored after them', () => {
    for (const { name, kernel, pattern } of kernels) {
      if (pattern?.operands[0]?.vectors !== true) continue;
      const text = ptx.slice(ptx.indexOf(`.entry ${name}(`));
      // The barrier of the loop: with a norm there is one before it, behind the scales of rows.
      const [, ...barriers] = text.split('bar.sync');
      const loop = barriers.slice((kernel as GemmKernel).leftNorm ? 1 : 0).join('bar.sync');
      const [read, product, store] = ['ld.global.nc.v4', 'mma.sync', 'st.shared'].map((word) => loop.indexOf(word));
      expect(read, name).to.be.within(0, product as number);
      expect(product, name).to.be.within(0, store as number);
    }
  });
  for (const architecture of ['sm_80', 'sm_90', 'sm_120']) {
    it(`${architecture}: no spills; two thread blocks fit the registers of a multiprocessor, and no more than static shared memory`, async function () {
      if (architecture !== 'sm_80') requiresTime(this);
      const { threads } = readPtx(new TextEncoder().encode(ptx));
      const resources = await assemble(ptx, architecture);
      // Registers are handed out to a warp in units of eight a thread.
      const over = kernels.flatMap(({ name }) => {
        const { registers = Infinity, spilledBytes = 0, stackBytes = 0, sharedBytes = 0 } = resources.get(name) ?? {};
        const ofTwo = 2 * (threads.get(name) ?? NaN) * Math.ceil(registers / 8) * 8;
        const fits = spilledBytes + stackBytes === 0 && ofTwo <= registerFile && sharedBytes <= staticShared;
        return fits ? [] : [{ name, registers, spilledBytes, stackBytes, sharedBytes }];
      });
      expect(over).to.deep.equal([]);
    });
  }
});
