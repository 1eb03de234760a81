import { expect } from 'chai';
import type { EpilogueStep, GemmKernel, PanelSchedule } from '../../compiler/kernel/kernel.ts';
import { gemmSchedule, gemmScratch, renderGemm } from '../../compiler/codegen/wasm/gemm.ts';
import { ModuleBuilder } from '../../compiler/codegen/wasm/wat-builder.ts';
import { randomData, type KernelInstance, type RandomData } from './kernel-instance.ts';
import { applyReference } from './kernel-reference.ts';
import { expectClose, loopKernels } from './loop-kernels.ts';
import { instantiateWat, wasmBuilds } from './wasm-instance.ts';

for (const build of wasmBuilds) loopKernels(build);

describe('wasm gemm kernels', () => {
  const epilogues: readonly (readonly EpilogueStep[])[] = [
    [],
    [{ step: 'bias' }],
    [{ step: 'bias' }, { step: 'activation', op: 'gelu' }],
    [{ step: 'bias' }, { step: 'residual' }],
    [{ step: 'residual' }, { step: 'activation', op: 'tanh' }, { step: 'residual' }, { step: 'bias' }],
  ];
  const schedules: readonly PanelSchedule[] = [
    { rowTile: 4, columnTile: 16, panelWidth: 8, leftBytes: 4096 },
    { rowTile: 3, columnTile: 12, panelWidth: 4, leftBytes: 1 },
    gemmSchedule,
  ];
  const kernels = schedules.flatMap((schedule) =>
    epilogues.map((epilogue) => ({ kind: 'gemm', right: 'f32', epilogue, schedule }) satisfies GemmKernel),
  );

  /** [ceil(N / width)][K][width]. */
  function pack(right: Float32Array, N: number, K: number, width: number): Float32Array {
    const packed = new Float32Array(Math.ceil(N / width) * K * width);
    for (let n = 0; n < N; n++) {
      for (let k = 0; k < K; k++) packed[(Math.floor(n / width) * K + k) * width + (n % width)] = right[n * K + k] ?? NaN;
    }
    return packed;
  }

  let instance: KernelInstance;
  before(async () => {
    const module = new ModuleBuilder();
    kernels.forEach((kernel, i) => renderGemm(kernel, { module, name: `gemm_${i}` }));
    const scratchBytes = Math.max(...kernels.map((kernel) => gemmScratch(kernel) as number));
    instance = await instantiateWat(module.print(), { scratchBytes });
  });

  function check(random: RandomData, position: number, M: number, N: number, K: number, pad: number): void {
    const kernel = kernels[position] as (typeof kernels)[number];
    const { rowTile, columnTile, panelWidth } = kernel.schedule;
    const columnItems = Math.ceil(N / columnTile);
    const items = Math.ceil(M / rowTile) * columnItems;
    const [leftStride, resultStride] = [K + pad, N + pad];
    const left = random.floats(M * leftStride);
    const right = random.floats(N * K);
    const extra = kernel.epilogue
      .filter((step) => step.step !== 'activation')
      .map(({ step }) => ({
        step,
        stride: step === 'bias' ? 0 : N + 2 * pad,
        data: random.floats(step === 'bias' ? N : M * (N + 2 * pad)),
      }));
    const wanted: number[] = [];
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        let sum = 0;
        for (let k = 0; k < K; k++) sum += (left[m * leftStride + k] ?? NaN) * (right[n * K + k] ?? NaN);
        let next = 0;
        for (const step of kernel.epilogue) {
          if (step.step === 'activation') sum = applyReference(step.op, 'f32', [sum]);
          else {
            const one = extra[next++];
            sum += one?.data[m * one.stride + n] ?? NaN;
          }
        }
        wanted.push(sum);
      }
    }
    const addresses = [
      instance.place(left),
      instance.place(pack(right, N, K, panelWidth)),
      ...extra.map(({ data }) => instance.place(data)),
    ];
    const integers = [
      M,
      N,
      K,
      leftStride,
      resultStride,
      ...extra.flatMap(({ step, stride }) => (step === 'residual' ? [stride] : [])),
    ];
    const run = (cuts: readonly number[]): Float32Array => {
      const room = (M + rowTile) * resultStride;
      const result = instance.reserve(room);
      instance.run(`gemm_${position}`, items, [...addresses, result], integers, cuts);
      const beyond = instance.integers(result, room).subarray(M * resultStride);
      expect(
        beyond.every((bits) => bits === 0x7f7f7f7f),
        `gemm ${position} of ${M} x ${N} x ${K}: beyond the last row`,
      ).to.equal(true);
      return instance.floats(result, M * resultStride);
    };
    const whole = run([]);
    const what = `gemm ${position} of ${M} x ${N} x ${K}`;
    const bits = new Int32Array(whole.buffer);
    const found: number[] = [];
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < resultStride; n++) {
        if (n < N) found.push(whole[m * resultStride + n] ?? NaN);
        else expect(bits[m * resultStride + n], `${what}: between the rows`).to.equal(0x7f7f7f7f);
      }
    }
    expectClose(found, wanted, 1e-6 * Math.sqrt(K) + 1e-6, what);
    expect([...run([1, 2, items >> 1])], `${what}, split`).to.deep.equal([...whole]);
    if (M > 1) {
      // The last row alone gives the same bits: it does not depend on its neighbours.
      const alone = instance.reserve(N);
      const single = addresses.map((address, i) => {
        if (i === 0) return address + (M - 1) * leftStride * 4;
        const one = extra[i - 2];
        return one === undefined ? address : address + (M - 1) * one.stride * 4;
      });
      instance.run(`gemm_${position}`, columnItems, [...single, alone], [1, ...integers.slice(1)]);
      expect([...instance.floats(alone, N)], `${what}, last row alone`).to.deep.equal(found.slice(-N));
    }
  }

  for (const [position, kernel] of kernels.entries()) {
    const steps = kernel.epilogue.map((step) => (step.step === 'activation' ? step.op : step.step)).join(', ') || 'nothing';
    const { rowTile, columnTile, panelWidth } = kernel.schedule;
    it(`${rowTile} x ${columnTile} x ${panelWidth} with ${steps} agrees with a float64 reference`, () => {
      const random = randomData(7);
      for (const M of [1, 2, 3, 4, 5, 11])
        for (const N of [1, 7, 8, 9, 20]) for (const K of [1, 4, 7, 33]) check(random, position, M, N, K, (M + N + K) % 3);
      check(random, position, 17, 40, 200, 0);
      check(random, position, 31, 150, 40, 1);
    });
  }
});
