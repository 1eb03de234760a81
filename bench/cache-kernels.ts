/**
 * The time of the kernels of causal caches alone, one core, heads of 64 with three query heads a KV head: decoding one token (the
 * query heads are the queries of one head) and prefilling a block of 128. `npx tsx --conditions=atpc-source bench/cache-kernels.ts [part of a label]`.
 * Rates are those of the fastest run; FLOPs count every key that a query could read, so that modes compare.
 */
import { assembleWat } from '../compiler/codegen/wasm/assemble.ts';
import { renderWasmModule } from '../compiler/codegen/wasm/module.ts';
import { scratchBytes } from '../compiler/codegen/wasm/renderers.ts';
import { wasmTarget } from '../compiler/codegen/wasm/target.ts';
import type { AttentionKernel, AttentionKernelSegment, Kernel } from '../compiler/kernel/kernel.ts';
import { evaluateSize } from '../ir/size.ts';
import { hasFeature } from '../runtime/backends/wasm/feature-probe.ts';

const [headSize, group, block, sinks, window, atoms] = [64, 3, 128, 4, 256, 128] as const;
const scale = 1 / Math.sqrt(headSize);
const keysPerBlock = 16;

function normals(count: number, seed: number, deviation = 1): Float32Array {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Float32Array.from(
    { length: count },
    () => deviation * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

interface Bench {
  readonly label: string;
  readonly kernel: Kernel;
  readonly operands: readonly (Float32Array | Int32Array)[];
  readonly integers: readonly number[];
  readonly items: number;
  /** Bytes of keys and values that one run reads, and its FLOPs (multiply and add), where they say something. */
  readonly bytes?: number;
  readonly flops?: number;
  /** What another kernel does to some of the operands before. */
  readonly prepare?: {
    readonly kernel: Kernel;
    readonly operands: readonly number[];
    readonly calls: readonly (readonly number[])[];
  };
}
interface Measured {
  readonly milliseconds: number;
  readonly least: number;
}

async function measure({ kernel, operands, integers, items, prepare }: Bench): Promise<Measured> {
  const relaxedSimd = hasFeature('relaxed-simd');
  const kernels = [{ name: 'measured', kernel }, ...(prepare ? [{ name: 'prepare', kernel: prepare.kernel }] : [])];
  const binary = await assembleWat(renderWasmModule(kernels, { relaxedSimd }), { relaxedSimd });
  const scratch = Math.max(...kernels.map(({ kernel }) => evaluateSize(scratchBytes(kernel, integers), {})));
  const total = scratch + operands.reduce((sum, { byteLength }) => sum + byteLength + 64, 1024);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(total / 65536) });
  const { instance } = await WebAssembly.instantiate(new Uint8Array(binary), { atpc: { memory } });
  let next = 64 + Math.ceil(scratch / 64) * 64;
  const addresses = operands.map((data) => {
    const at = next;
    new Uint8Array(memory.buffer, at, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    next += Math.ceil(data.byteLength / 64) * 64;
    return at;
  });
  const exported = instance.exports as Readonly<Record<string, (...parameters: number[]) => void>>;
  for (const call of prepare?.calls ?? []) {
    exported['prepare']?.(0, 1, 64, ...(prepare?.operands ?? []).map((at) => addresses[at] ?? 0), ...call);
  }
  const run = (): number => {
    const start = performance.now();
    exported['measured']?.(0, items, 64, ...addresses, ...integers);
    return performance.now() - start;
  };
  for (let warm = 0, start = performance.now(); warm < 3 || performance.now() - start < 300; warm++) run();
  const times: number[] = [];
  for (let start = performance.now(); times.length < 5 || performance.now() - start < 800;) times.push(run());
  times.sort((a, b) => a - b);
  return { milliseconds: times[Math.floor(times.length / 2)] ?? NaN, least: times[0] ?? NaN };
}

const plain = { kind: 'keys', bias: false, mask: false, causal: false, window: null, tokens: null } as const;
function attention(segments: readonly AttentionKernelSegment[], logSumExp = false): AttentionKernel {
  const schedule = wasmTarget.attentionSchedule(headSize, headSize, true);
  return { kind: 'attention', headSize, valueSize: headSize, scale, segments, logSumExp, schedule };
}
/** Of `kvHeads` heads with `rows` rows each. */
const keyStrides = (rows: number): readonly number[] => [0, rows * headSize, headSize, 0, rows * headSize, headSize];

/** Dense attention over `keys` rows: `queries` queries of one head a KV head, or a block of a group of heads. */
function dense(queries: number, keys: number, kvHeads: number): Bench {
  const decode = queries < block;
  const heads = decode ? kvHeads : kvHeads * group;
  const kernel = attention([{ ...plain, causal: !decode }]);
  const own = [1, heads, kvHeads, queries, ...[0, queries * headSize, headSize], ...[0, queries * headSize, headSize]];
  const data = normals(kvHeads * keys * headSize, 2);
  return {
    label: `dense, ${queries} queries${decode ? '' : ` of ${group} heads`}, ${keys} keys, ${kvHeads} KV heads`,
    kernel,
    operands: [
      normals(heads * queries * headSize, 1),
      data,
      normals(data.length, 3),
      new Float32Array(heads * queries * headSize),
    ],
    integers: [...own, keys, ...keyStrides(keys)],
    items: heads * Math.ceil(queries / kernel.schedule.queryTile),
    bytes: kvHeads * keys * headSize * 8,
    flops: heads * queries * keys * headSize * 4,
  };
}
/** Mode stream: atoms and exact rows, with log sum exps. */
function stream(queries: number, kvHeads: number): Bench {
  const decode = queries < block;
  const heads = decode ? kvHeads : kvHeads * group;
  const [rows, exact] = [atoms + sinks + window + block, sinks + window + block];
  const kernel = attention([plain, { ...plain, causal: !decode }], true);
  const strides = [0, queries * headSize, headSize];
  const own = [1, heads, kvHeads, queries, ...strides, ...strides, 0, queries];
  const [key, value] = [normals(kvHeads * rows * headSize, 2), normals(kvHeads * rows * headSize, 3)];
  const outputs = [new Float32Array(heads * queries * headSize), new Float32Array(heads * queries)];
  return {
    label: `stream, ${queries} queries${decode ? '' : ` of ${group} heads`}, ${rows} rows, ${kvHeads} KV heads`,
    kernel,
    // The exact rows are the same ones: an operand here is a tensor of its own, and the first rows serve as well.
    operands: [normals(heads * queries * headSize, 1), key, value, key, value, ...outputs],
    integers: [...own, atoms, ...keyStrides(rows), exact, ...keyStrides(rows)],
    items: heads * Math.ceil(queries / kernel.schedule.queryTile),
    bytes: kvHeads * rows * headSize * 8,
    flops: heads * queries * rows * headSize * 4,
  };
}
function scoreKeys(queries: number, kvHeads: number): Bench {
  const heads = kvHeads * group;
  const [rows, exact] = [atoms + sinks + window + block, sinks + window + block];
  const schedule = wasmTarget.scoreKeysSchedule(headSize);
  return {
    label: `score_keys, ${queries} queries of ${group} heads, ${rows} rows, ${kvHeads} KV heads`,
    kernel: { kind: 'score_keys', headSize, scale, atoms, decay: 0.85, schedule },
    operands: [
      normals(heads * queries * headSize, 1),
      new Float32Array(heads * queries).fill(7),
      normals(kvHeads * rows * headSize, 2),
      new Float32Array(kvHeads * rows),
      new Int32Array(kvHeads * rows),
    ],
    integers: [heads, kvHeads, queries, queries * headSize, headSize, queries, rows, atoms, exact, 1000, 1],
    items: kvHeads * Math.ceil(rows / schedule.keyTile),
    bytes: kvHeads * rows * headSize * 4,
    flops: heads * queries * rows * headSize * 2,
  };
}
function evict(kvHeads: number): Bench {
  const rows = atoms + sinks + window + block;
  const [key, value] = [normals(kvHeads * rows * headSize, 2), normals(kvHeads * rows * headSize, 3)];
  return {
    label: `evict, ${kvHeads} KV heads`,
    kernel: { kind: 'evict', headSize, valueSize: headSize, atoms, sinks, blockTokens: block },
    operands: [key, value, normals(kvHeads * rows, 4).map(Math.abs), new Int32Array(kvHeads * rows)],
    integers: [kvHeads, rows, atoms, block, window],
    items: kvHeads,
  };
}
const topics = normals(64 * headSize, 20);
/**
 * Rows near one of 64 topics, eight in a row near the same: neighbours in a text have something in common, and queries pay to few.
 * As used below, a query expands 21 clusters of 174 tokens on average; SmolLM2 reads 183 to 210 tokens at this share.
 */
function topicRows(count: number, seed: number, strength: number, deviation: number): Float32Array {
  return normals(count * headSize, seed, deviation).map((x, at) => {
    const topic = (Math.imul(Math.floor(at / (8 * headSize)), 2654435761) >>> 20) % 64;
    return x + strength * (topics[topic * headSize + (at % headSize)] ?? 0);
  });
}
function expand(queries: number, past: number): Bench {
  const decode = queries < block;
  const heads = decode ? 1 : group;
  const blocks = past / block;
  const clusters = blocks * keysPerBlock;
  const capacity = past + window + block;
  const kernel = attention([
    plain,
    { ...plain, causal: !decode },
    { kind: 'clusters', expand: { most: 128, share: 0.001 }, tokens: null },
  ]);
  const strides = [0, queries * headSize, headSize];
  const [key, value] = [topicRows(capacity, 2, 1, 0.6), normals(capacity * headSize, 3)];
  const sorted = [key, value, new Float32Array(clusters * headSize), new Float32Array(clusters * headSize)];
  const flat = [new Float32Array(clusters), new Float32Array(clusters), new Int32Array(clusters + 1)];
  const exact = window + block;
  return {
    label: `expand, ${queries} queries${decode ? '' : ` of ${group} heads`}, ${past} tokens in ${clusters} clusters`,
    kernel,
    // query, sinks, window, clusters, result
    operands: [
      topicRows(heads * queries, 1, 1, 0.5),
      ...[normals(sinks * headSize, 8), normals(sinks * headSize, 9)],
      ...[normals(exact * headSize, 10), normals(exact * headSize, 11)],
      ...sorted.slice(2),
      ...flat,
      ...sorted.slice(0, 2),
      new Float32Array(heads * queries * headSize),
    ],
    integers: [
      ...[1, heads, 1, queries, ...strides, ...strides],
      ...[sinks, ...keyStrides(sinks), exact, ...keyStrides(exact), clusters, clusters, capacity],
    ],
    items: heads * Math.ceil(queries / kernel.schedule.queryTile),
    bytes: past * headSize * 8,
    flops: heads * queries * (past + exact) * headSize * 4,
    prepare: {
      kernel: clusterBlockKernel,
      operands: [10, 11, 5, 6, 7, 8, 9],
      calls: Array.from({ length: blocks }, (_, i) => [1, capacity, clusters, i * block, block, i * keysPerBlock]),
    },
  };
}
const clusterBlockKernel: Kernel = {
  kind: 'cluster_block',
  headSize,
  valueSize: headSize,
  blockTokens: block,
  keysPerBlock,
  iterations: 5,
};
function clusterBlockBench(kvHeads: number): Bench {
  const rows = 1024;
  const clusters = 64;
  return {
    label: `cluster_block, ${block} tokens, ${kvHeads} KV heads`,
    kernel: clusterBlockKernel,
    operands: [
      normals(kvHeads * rows * headSize, 2),
      normals(kvHeads * rows * headSize, 3),
      new Float32Array(kvHeads * clusters * headSize),
      new Float32Array(kvHeads * clusters * headSize),
      new Float32Array(kvHeads * clusters),
      new Float32Array(kvHeads * clusters),
      new Int32Array(kvHeads * (clusters + 1)),
    ],
    integers: [kvHeads, rows, clusters, 256, block, 16],
    items: kvHeads,
    flops: kvHeads * block * keysPerBlock * headSize * 2 * 5,
  };
}

const benches: readonly (() => Bench)[] = [
  () => dense(1, 8192, 12),
  () => dense(2, 8192, 12),
  () => dense(3, 8192, 12),
  () => dense(4, 8192, 12),
  () => dense(8, 8192, 12),
  () => dense(3, 8192, 1),
  () => dense(3, 512, 12),
  () => stream(3, 12),
  () => scoreKeys(1, 12),
  () => expand(3, 8192),
  () => dense(128, 8192, 1),
  () => stream(128, 1),
  () => scoreKeys(128, 1),
  () => expand(128, 8192),
  () => clusterBlockBench(1),
  () => evict(1),
];
const wanted = process.argv[2] ?? '';
process.stdout.write(`Node ${process.version}, relaxed SIMD: ${hasFeature('relaxed-simd')}\n`);
for (const make of benches) {
  const bench = make();
  if (!bench.label.includes(wanted)) continue;
  const { milliseconds, least } = await measure(bench);
  const rate = (amount: number | undefined, unit: string): string =>
    amount === undefined ? '' : `${(amount / least / 1e6).toFixed(1)} ${unit}`;
  const columns = [
    bench.label.padEnd(64),
    `${milliseconds.toFixed(3)} ms`.padStart(12),
    `least ${least.toFixed(3)}`.padStart(14),
    rate(bench.bytes, 'GB/s').padStart(12),
    rate(bench.flops, 'GFLOP/s').padStart(16),
  ];
  process.stdout.write(`${columns.join(' ').trimEnd()}\n`);
}
