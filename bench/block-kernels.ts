/**
 * The time of products with block-quantised weights at the shapes of SmolLM2 135M, one core: decoding a token through all
 * weights of the model (30 layers, all of them in memory, so that each token reads them from there), and many rows against gemm
 * over packed f32. `npx tsx --conditions=atpc-source bench/block-kernels.ts`.
 */
import { assembleWat } from '../compiler/codegen/wasm/assemble.ts';
import { renderWasmModule } from '../compiler/codegen/wasm/module.ts';
import { scratchBytes } from '../compiler/codegen/wasm/renderers.ts';
import { wasmTarget } from '../compiler/codegen/wasm/target.ts';
import type { Kernel } from '../compiler/kernel/kernel.ts';
import { formatBlockFormat, type BlockFormat } from '../compiler/weights/block-format.ts';
import { evaluateSize } from '../ir/size.ts';
import { hasFeature } from '../runtime/backends/wasm/feature-probe.ts';

const q4: BlockFormat = { bits: 4, block: 32, signed: false, minima: true };
const q8: BlockFormat = { bits: 8, block: 32, signed: true, minima: false };
/** Query, key and value; output of attention; gate and up; down. */
const layer = [
  [960, 576],
  [576, 576],
  [3072, 576],
  [576, 1536],
] as const;
const [layers, vocabulary, hidden, intermediate] = [30, 49152, 576, 1536] as const;
const manyRows = [128, 512] as const;
const runs = 40;
const print = (line: string): boolean => process.stdout.write(`${line}\n`);

const blockKernel = (format: BlockFormat): Kernel => ({
  kind: 'block_gemm',
  format,
  epilogue: [],
  schedule: wasmTarget.blockGemmSchedule('rows', 3072, 576),
});
const gemm: Kernel = { kind: 'gemm', right: 'f32', epilogue: [], schedule: wasmTarget.gemmSchedule('rows', 3072, 576) };
const kernels = { q4: blockKernel(q4), q8: blockKernel(q8), f32: gemm };
type KernelName = keyof typeof kernels;

const relaxedSimd = hasFeature('relaxed-simd');
const named = Object.entries(kernels).map(([name, kernel]) => ({ name, kernel }));
const binary = await assembleWat(renderWasmModule(named, { relaxedSimd }), { relaxedSimd });
const memory = new WebAssembly.Memory({ initial: 2 ** 13 });
const { instance } = await WebAssembly.instantiate(new Uint8Array(binary), { atpc: { memory } });

let next = 64;
let state = 1;
/** Random numbers in [-scale, scale); of zero elements, none. */
function place(count: number, scale: number): number {
  const address = next;
  next += Math.ceil(count / 16) * 64;
  const values = new Float32Array(memory.buffer, address, count);
  for (let at = 0; at < count; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[at] = (state / 2 ** 31 - 1) * scale;
  }
  return address;
}
interface Matrix {
  readonly kernel: KernelName;
  readonly N: number;
  readonly K: number;
  readonly operands: readonly number[];
  readonly bytes: number;
}
function matrix(kernel: 'q4' | 'q8', format: BlockFormat, N: number, K: number): Matrix {
  const [quantBytes, blocks] = [(N * K * format.bits) / 8, (N * K) / format.block];
  const quants = place(quantBytes / 4, 1);
  const operands = [quants, place(blocks, 0.01), ...(format.minima ? [place(blocks, 0.1)] : [])];
  return { kernel, N, K, operands, bytes: quantBytes + blocks * 4 * (operands.length - 1) };
}

const longest = Math.max(...manyRows);
const scratchAt = place(
  Math.max(...named.map(({ kernel }) => evaluateSize(scratchBytes(kernel, [longest, vocabulary, intermediate]), {}))) / 4,
  0,
);
const left = place(longest * intermediate, 1);
const result = place(Math.max(vocabulary, longest * 3072), 0);
/** Milliseconds. */
function time({ kernel, N, K, operands }: Matrix, M: number): number {
  const { schedule } = kernels[kernel] as Extract<Kernel, { schedule: { rowTile: number } }>;
  const rowItems = Math.ceil(M / schedule.rowTile);
  const items = 'columnTile' in schedule ? rowItems * Math.ceil(N / schedule.columnTile) : rowItems;
  const run = instance.exports[kernel] as (...parameters: number[]) => void;
  const before = performance.now();
  run(0, items, scratchAt, left, ...operands, result, M, N, K, K, N);
  return performance.now() - before;
}
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

const weights = Array.from({ length: layers }, () => layer.map(([N, K]) => matrix('q4', q4, N, K)));
const output = matrix('q8', q8, vocabulary, hidden);
print(`Node ${process.version}, ${relaxedSimd ? 'relaxed SIMD' : 'plain SIMD'}; one row (${formatBlockFormat(q4)}):`);
const times = new Map<string, number[]>();
const tokens: number[] = [];
for (let run = 0; run < runs; run += 1) {
  let token = 0;
  for (const each of [...weights.flat(), output]) {
    const milliseconds = time(each, 1);
    const key = `${each.kernel} ${each.N} x ${each.K}`;
    times.set(key, [...(times.get(key) ?? []), milliseconds]);
    token += milliseconds;
  }
  tokens.push(token);
}
for (const each of [...(weights[0] ?? []), output]) {
  const key = `${each.kernel} ${each.N} x ${each.K}`;
  const milliseconds = median(times.get(key) ?? []);
  const rate = each.bytes / milliseconds / 1e6;
  print(`  ${key}: ${(milliseconds * 1000).toFixed(0)} us, ${rate.toFixed(1)} GB/s`);
}
print(`  a token: ${median(tokens).toFixed(1)} ms (best ${Math.min(...tokens).toFixed(1)})`);

for (const M of manyRows) {
  for (const [N, K] of layer) {
    const panels: Matrix = { kernel: 'f32', N, K, operands: [place(N * K, 0.1)], bytes: N * K * 4 };
    const figures = [matrix('q4', q4, N, K), matrix('q8', q8, N, K), panels].map((each) => {
      const milliseconds = median(Array.from({ length: 9 }, () => time(each, M)));
      return `${each.kernel} ${((2 * M * N * K) / milliseconds / 1e6).toFixed(1)}`;
    });
    print(`${M} x ${N} x ${K}: ${figures.join(', ')} GFLOP/s`);
  }
}
