/**
 * The conformance suite of caches: attention that goes on between calls, on any backend, compared with the reference interpreter.
 * A backend joins with one line: `cacheConformance(wasmBackend)`.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { buildEntries, emit, type Built } from '../../compiler/build.ts';
import { Parameters } from '../../compiler/program/parameters.ts';
import { memorySource } from '../../compiler/weights/tensor-source.ts';
import type { CacheSpec } from '../../ir/cache.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { bindDim } from '../../passes/entry-points.ts';
import { requires } from '../requirements.ts';
import { readTensors, sharedFile } from '../shared-data.ts';
import {
  callInputs,
  cachedGraph,
  joinRows,
  rotatedGraph,
  runCached,
  tokenRows,
  type CachedShape,
  type CachedText,
} from '../ref/cached-attention.ts';
import { goldenCaches, goldenSizes } from '../ref/golden-caches.ts';
import { expectClose, randomNumbers, randomTensor } from '../ref/tensors.ts';
import { asRunInputs, type Backend, type BackendProgram } from './conformance.ts';

const tolerance = 1e-4;

/** The entry points of one cache: `score` for several tokens, `decode` for one. */
export async function compileCache(backend: Backend, cache: CacheSpec, shape: CachedShape): Promise<CompiledGraph> {
  return compileGraph(backend, cachedGraph(cache, shape));
}
export interface CompiledGraph {
  readonly graph: Graph;
  readonly built: Built;
  readonly program: BackendProgram;
}
async function compileGraph(backend: Backend, graph: Graph): Promise<CompiledGraph> {
  const entries = [
    { name: 'prefill', graph },
    { name: 'decode', graph: bindDim(graph, 'seq', 1) },
  ] as const;
  const built = buildEntries(graph.name, entries, densePlan, { target: backend.target, verify: true });
  const { files } = await emit(built, backend.target, { build: backend.build });
  // The graphs have no parameters but the tables of a rotation.
  const { derived } = built.stage;
  const parameters = new Parameters({ source: memorySource({}), derived, computed: {}, storage: null, formats: built.formats });
  const program = await backend.instantiate(built.program, files, (name) => parameters.readTensor(name));
  return { graph, built, program };
}
export async function runOn(
  { graph, program }: CompiledGraph,
  text: CachedText,
  calls: readonly number[],
  atEnd?: (state: number) => void | Promise<void>,
): Promise<Tensor> {
  const state = await program.openState();
  let past = 0;
  const results: Tensor[] = [];
  for (const seq of calls) {
    const inputs = callInputs(graph, text, past, seq);
    const entry = seq === 1 ? 'decode' : 'prefill';
    const dims: Readonly<Record<string, number>> = seq === 1 ? { past } : { seq, past };
    const { result } = await program.run(dims, asRunInputs(inputs), { entry, state });
    if (result === undefined) throw new Error('The program gave no result.');
    past += seq;
    results.push({ elementType: 'f32', shape: result.shape, data: Float64Array.from(result.data) });
  }
  await atEnd?.(state);
  program.closeState(state);
  return joinRows(results);
}

const sizes = { sinks: 3, window: 40, block: 24 };
const shape: CachedShape = { heads: 6, kvHeads: 2, size: 8, tokens: 260 };
const caches: Readonly<Record<string, CacheSpec>> = {
  dense: { kind: 'dense', capacity: 260 },
  'expand, 3 clusters': {
    kind: 'expand',
    capacity: 260,
    ...sizes,
    keysPerBlock: 4,
    iterations: 3,
    expand: { most: 3, share: null },
  },
  'expand, by share': {
    kind: 'expand',
    capacity: 260,
    ...sizes,
    keysPerBlock: 4,
    iterations: 3,
    expand: { most: 12, share: 0.02 },
  },
  cluster: { kind: 'expand', capacity: 260, ...sizes, keysPerBlock: 4, iterations: 3, expand: null },
  stream: { kind: 'stream', ...sizes, atoms: 20, decay: 0.85 },
};
export function randomText(seed: number, { heads, kvHeads, size, tokens }: CachedShape): CachedText {
  const next = randomNumbers(seed);
  const tensor = (count: number): Tensor => randomTensor(next, [1, count, tokens, size], -2, 2);
  return { query: tensor(heads), key: tensor(kvHeads), value: tensor(kvHeads) };
}
/** Cuts a text into calls of 1 to `longest` tokens. */
const cuts = (tokens: number): fc.Arbitrary<readonly number[]> =>
  fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 60 })), { minLength: 1, maxLength: 14 }).map((lengths) => {
    const calls: number[] = [];
    let left = tokens;
    for (const length of lengths) {
      if (left <= 0) break;
      calls.push(Math.min(left, length));
      left -= length;
    }
    return left > 0 ? [...calls, left] : calls;
  });

export function cacheConformance(backend: Backend): void {
  describe(`caches on backend ${backend.name}`, () => {
    before(function () {
      if (backend.needs) requires(this, backend.needs.requirement, backend.needs.isThere());
    });
    for (const [name, cache] of Object.entries(caches)) {
      it(`${name}: gives what the interpreter gives, however the text is cut`, async () => {
        const program = await compileCache(backend, cache, shape);
        const text = randomText(11, shape);
        const expected = runCached(cachedGraph(cache, shape), text, [260]).result;
        expectClose(await runOn(program, text, [260]), expected, tolerance);
        await fc.assert(
          fc.asyncProperty(cuts(260), async (calls) => expectClose(await runOn(program, text, calls), expected, tolerance)),
          { numRuns: 8 },
        );
      });
      it(`${name}: a token changes nothing before it`, async () => {
        const program = await compileCache(backend, cache, shape);
        const text = randomText(12, shape);
        const before = await runOn(program, text, [100, 160]);
        await fc.assert(
          fc.asyncProperty(fc.integer({ min: 1, max: 259 }), cuts(260), async (changed, calls) => {
            const other = randomText(13, shape);
            const mixed = (of: keyof CachedText): Tensor =>
              joinRows([tokenRows(text[of], 0, changed), tokenRows(other[of], changed, 260)]);
            const after = await runOn(program, { query: mixed('query'), key: mixed('key'), value: mixed('value') }, calls);
            expectClose(tokenRows(after, 0, changed), tokenRows(before, 0, changed), 1e-5);
          }),
          { numRuns: 6 },
        );
      });
    }
    it('keys are rotated on their way into caches of every kind: gives what the interpreter gives, however the text is cut', async () => {
      const kinds = [caches['dense'], caches['expand, 3 clusters'], caches['stream']] as readonly CacheSpec[];
      const rotated: CachedShape = { ...shape, kvHeads: kinds.length, tokens: 130 };
      const compiled = await compileGraph(backend, rotatedGraph(kinds, rotated));
      // In workspace lie rows of the two tables and the rotated queries: keys go where they stay, and so do values.
      for (const { list } of compiled.built.entries) {
        const written = list.dispatches.flatMap(({ kernel, writes }) => (kernel.kind.startsWith('map') ? writes : []));
        const kept = written.filter(({ buffer }) => buffer.class === 'workspace').map(({ buffer }) => buffer);
        expect(new Set(kept).size).to.equal(3);
      }
      const text = randomText(17, rotated);
      const expected = runCached(compiled.graph, text, [130]).result;
      expectClose(await runOn(compiled, text, [130]), expected, tolerance);
      expectClose(await runOn(compiled, text, [1, 30, 1, 1, 60, 1, 36]), expected, tolerance);
    });
    it('stream keeps the same tokens, however the text is cut', async () => {
      const compiled = await compileCache(backend, caches['stream'] as CacheSpec, shape);
      const text = randomText(16, shape);
      const kept = async (calls: readonly number[]): Promise<readonly number[]> => {
        let positions: readonly number[] = [];
        await runOn(compiled, text, calls, async (state) => {
          positions = [...(await compiled.program.readState(state, 'position'))];
        });
        return positions;
      };
      const whole = await kept([260]);
      await fc.assert(
        fc.asyncProperty(cuts(260), async (calls) => void expect(await kept(calls)).to.deep.equal(whole)),
        { numRuns: 8 },
      );
    });
    it('sessions do not see each other', async () => {
      const program = await compileCache(backend, caches['stream'] as CacheSpec, shape);
      const [a, b] = [randomText(14, shape), randomText(15, shape)];
      const [first, second] = [await runOn(program, a, [260]), await runOn(program, b, [260])];
      expectClose(await runOn(program, a, [260]), first, 0);
      expectClose(await runOn(program, b, [260]), second, 0);
    });

    describe('golden cases', () => {
      for (const [name, cache] of Object.entries(goldenCaches)) {
        it(name, async function () {
          const golden = readTensors(sharedFile(this, 'golden', 'modes.safetensors'));
          const heads = (of: string): Tensor => {
            const tensor = golden.get(of) as Tensor;
            return { ...tensor, shape: tensor.shape.length === 2 ? [1, 1, ...tensor.shape] : [1, ...tensor.shape] };
          };
          const text = { query: heads('lm_q'), key: heads('lm_k'), value: heads('lm_v') };
          const program = await compileCache(backend, cache, goldenSizes);
          expectClose(await runOn(program, text, [200]), heads(name), tolerance);
          expectClose(await runOn(program, text, [1, 40, 1, 1, 100, 57]), heads(name), tolerance);
        });
      }
      it('stream keeps the tokens of the golden case after every block', async function () {
        const { causal } = JSON.parse(readFileSync(sharedFile(this, 'golden', 'modes.json'), 'utf8')) as {
          causal: { lm_stream_r12: { kept_after_each_block: readonly (readonly number[])[] } };
        };
        const golden = readTensors(sharedFile(this, 'golden', 'modes.safetensors'));
        const rows = (of: string, heads: number): Tensor => ({ ...(golden.get(of) as Tensor), shape: [1, heads, 200, 16] });
        const text = { query: rows('lm_q', 2), key: rows('lm_k', 1), value: rows('lm_v', 1) };
        const { program } = await compileCache(backend, goldenCaches['lm_stream_r12'] as CacheSpec, goldenSizes);
        const state = await program.openState();
        for (const [block, kept] of causal.lm_stream_r12.kept_after_each_block.entries()) {
          const [from, to] = [block * 16, Math.min(200, block * 16 + 16)];
          const inputs = Object.fromEntries(Object.entries(text).map(([of, tensor]) => [of, tokenRows(tensor, from, to)]));
          await program.run({ seq: to - from, past: from }, asRunInputs(inputs), { entry: 'prefill', state });
          const positions = (await program.readState(state, 'position')) as Int32Array;
          expect([...positions.subarray(0, kept.length)]).to.deep.equal(kept);
        }
      });
    });
  });
}
