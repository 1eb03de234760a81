/** Products with and look-ups in block-quantised weights against the values that `dequantise` gives, in float64. */
import { expect } from 'chai';
import { blockGemmSchedule, blockGemmScratch, renderBlockGemm } from '../../compiler/codegen/wasm/block-gemm.ts';
import { renderBlockLookup } from '../../compiler/codegen/wasm/block-lookup.ts';
import { ModuleBuilder } from '../../compiler/codegen/wasm/wat-builder.ts';
import type { BlockGemmKernel, EpilogueStep } from '../../compiler/kernel/kernel.ts';
import { dequantise, formatBlockFormat, type BlockFormat, type BlockMatrix } from '../../compiler/weights/block-format.ts';
import { hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import { requires } from '../requirements.ts';
import { randomData, type KernelInstance, type RandomData } from './kernel-instance.ts';
import { instantiateWat } from './wasm-instance.ts';
import { applyReference } from './kernel-reference.ts';

const flags = [false, true];
const formats: readonly BlockFormat[] = flags.flatMap((minima): BlockFormat[] => [
  { bits: 4, block: 32, signed: false, minima },
  ...flags.flatMap((signed) => ([16, 32] as const).map((block) => ({ bits: 8, block, signed, minima }) as const)),
]);
const epilogues: readonly (readonly EpilogueStep[])[] = [
  [],
  [{ step: 'bias' }, { step: 'activation', op: 'silu' }, { step: 'residual' }],
];
const kernels = formats.flatMap((format) =>
  epilogues.map((epilogue): BlockGemmKernel => ({ kind: 'block_gemm', format, epilogue, schedule: blockGemmSchedule })),
);
const { rowTile, columnTile } = blockGemmSchedule;
const largestK = 288;

const seed = 11;
function randomMatrix(random: RandomData, format: BlockFormat, N: number, K: number): BlockMatrix {
  const blocks = (N * K) / format.block;
  return {
    format,
    shape: [N, K],
    quants: Uint8Array.from({ length: (N * K * format.bits) / 8 }, () => (random.next() + 1) * 128),
    scales: random.floats(blocks, 0.1),
    minima: format.minima ? random.floats(blocks) : null,
  };
}
const placeMatrix = (instance: KernelInstance, { quants, scales, minima }: BlockMatrix): readonly number[] =>
  [quants, scales, ...(minima ? [minima] : [])].map((values) => instance.place(values));

for (const relaxedSimd of flags) {
  describe(`wasm kernels of block-quantised weights${relaxedSimd ? ' with relaxed SIMD' : ''}`, () => {
    let instance: KernelInstance;
    before(async function () {
      if (relaxedSimd) requires(this, 'relaxed-simd', hasFeature('relaxed-simd'));
      const module = new ModuleBuilder({ relaxedSimd });
      kernels.forEach((kernel, index) => renderBlockGemm(kernel, { module, name: `gemm_${index}` }));
      formats.forEach((format, index) =>
        renderBlockLookup({ kind: 'block_lookup', format }, { module, name: `lookup_${index}` }),
      );
      const scratch = kernels.map((kernel) => blockGemmScratch(kernel, [130, 100, largestK]) as number);
      instance = await instantiateWat(module.print(), { scratchBytes: Math.max(...scratch), relaxedSimd });
    });

    function checkGemm(random: RandomData, position: number, M: number, N: number, K: number, pad: number): void {
      const { format, epilogue } = kernels[position] as BlockGemmKernel;
      const what = `${formatBlockFormat(format)}, ${M} x ${N} x ${K}`;
      const matrix = randomMatrix(random, format, N, K);
      const right = dequantise(matrix);
      const [leftStride, resultStride, residualStride] = [K + pad, N + pad, N + 2 * pad];
      const left = random.floats(M * leftStride);
      const [bias, residual] = [random.floats(N), random.floats(M * residualStride)];
      const operands = [
        instance.place(left),
        ...placeMatrix(instance, matrix),
        ...epilogue.flatMap(({ step }) => (step === 'activation' ? [] : [instance.place(step === 'bias' ? bias : residual)])),
      ];
      const integers = [M, N, K, leftStride, resultStride, ...(epilogue.length > 0 ? [residualStride] : [])];
      const items = Math.ceil(M / rowTile) * Math.ceil(N / columnTile);
      const run = (cuts: readonly number[]): { readonly floats: Float32Array; readonly bits: Int32Array } => {
        const room = (M + 1) * resultStride;
        const result = instance.reserve(room);
        instance.run(`gemm_${position}`, items, [...operands, result], integers, cuts);
        return { floats: instance.floats(result, room), bits: instance.integers(result, room) };
      };
      const { floats, bits } = run([]);
      for (let m = 0; m < M; m += 1) {
        for (let n = 0; n < N; n += 1) {
          let [sum, magnitude] = [0, 0];
          for (let k = 0; k < K; k += 1) {
            const term = (left[m * leftStride + k] as number) * (right[n * K + k] as number);
            sum += term;
            magnitude += Math.abs(term);
          }
          if (epilogue.length > 0) {
            sum = applyReference('silu', 'f32', [sum + (bias[n] as number)]) + (residual[m * residualStride + n] as number);
          }
          const found = floats[m * resultStride + n] as number;
          // Of the sum of the magnitudes of all terms: what rounding is in proportion to.
          expect(Math.abs(found - sum), `${what} at ${m}, ${n}: ${found} and not ${sum}`).to.be.at.most(1e-6 * (1 + magnitude));
        }
      }
      const untouched = bits.filter((_, at) => at >= M * resultStride || at % resultStride >= N);
      expect(
        untouched.every((value) => value === 0x7f7f7f7f),
        `${what}: between and beyond the rows`,
      ).to.equal(true);
      for (const cuts of [[1, 2], [3]]) expect(run(cuts).bits, `${what}, split`).to.deep.equal(bits);
    }

    for (const [position, { format, epilogue }] of kernels.entries()) {
      const steps = epilogue.map((step) => (step.step === 'activation' ? step.op : step.step)).join(', ') || 'nothing';
      it(`product with ${formatBlockFormat(format)} and ${steps} agrees with the product of the values`, () => {
        const random = randomData(seed);
        for (const M of [1, 2, 3, 5, 33, 130]) {
          for (const [N, blocks] of [
            [1, 1],
            [6, 3],
            [41, 2],
            [100, largestK / format.block],
          ] as const) {
            checkGemm(random, position, M, N, blocks * format.block, (M + N) % 3);
          }
        }
      });
    }

    for (const [position, format] of formats.entries()) {
      it(`look-up in ${formatBlockFormat(format)} gives the values`, () => {
        const random = randomData(seed);
        for (const [N, blocks] of [
          [1, 1],
          [7, 5],
        ] as const) {
          const K = blocks * format.block;
          const matrix = randomMatrix(random, format, N, K);
          const values = dequantise(matrix);
          const ids = Int32Array.from({ length: 6 }, () => random.integer(N));
          const operands = [instance.place(ids), ...placeMatrix(instance, matrix)];
          for (const cuts of [[], [2, 3]]) {
            const result = instance.reserve(ids.length * K + 1);
            instance.run(`lookup_${position}`, ids.length, [...operands, result], [ids.length, K], cuts);
            const wanted = [...ids].flatMap((id) => [...values.subarray(id * K, (id + 1) * K)]);
            expect([...instance.floats(result, ids.length * K)]).to.deep.equal(wanted);
            expect(instance.integers(result, ids.length * K + 1).at(-1)).to.equal(0x7f7f7f7f);
          }
        }
      });
    }
  });
}
