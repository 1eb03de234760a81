/** The kernels that keep causal caches: each on states of random shapes, against the references in float64. */
import { expect } from 'chai';
import type { ClusterBlockKernel, EvictKernel, ScoreKeysKernel } from '../../compiler/kernel/kernel.ts';
import { dot, largestError, logSumExpOf, randomFloats } from './attention-reference.ts';
import { clusterBlock, keptOf, paidTo } from './cache-reference.ts';
import { randomStream, type KernelBuild } from './kernel-instance.ts';

type Numbers = Float32Array | Int32Array;
function rowsOf(data: Numbers, first: number, count: number, size: number): number[][] {
  return Array.from({ length: count }, (_, i) => [...data.subarray((first + i) * size, (first + i + 1) * size)]);
}
/** Whole numbers in [from, to]. */
function wholeNumbers(seed: number): (from: number, to: number) => number {
  const next = randomStream(seed);
  return (from, to) => from + Math.min(to - from, Math.floor((next() * 0.5 + 0.5) * (to - from + 1)));
}
function same(found: Numbers, expected: Numbers, from: number, to: number, what: string): void {
  expect([...found.subarray(from, to)], what).to.deep.equal([...expected.subarray(from, to)]);
}

/** `keyTiles`: of the schedules to score keys with. */
export function cacheKernels({ title, skip, instantiate }: KernelBuild, keyTiles: readonly number[]): void {
  describe(`cache kernels for ${title}`, () => {
    before(function () {
      skip(this);
    });

    describe('cluster_block', () => {
      const cases = [
        { title: 'a whole block', count: 16, keysPerBlock: 4, headSize: 16, valueSize: 12, iterations: 5 },
        { title: 'a block of 128', count: 128, blockTokens: 128, keysPerBlock: 16, headSize: 64, valueSize: 64, iterations: 5 },
        { title: 'a short first block', count: 14, keysPerBlock: 4, headSize: 16, valueSize: 16, iterations: 5 },
        { title: 'fewer tokens than clusters', count: 3, keysPerBlock: 4, headSize: 16, valueSize: 16, iterations: 5 },
        { title: 'one token', count: 1, keysPerBlock: 4, headSize: 8, valueSize: 4, iterations: 2 },
        {
          title: 'sizes that are no multiples of the lanes',
          count: 13,
          keysPerBlock: 5,
          headSize: 7,
          valueSize: 5,
          iterations: 3,
        },
        { title: 'no token', count: 0, keysPerBlock: 4, headSize: 16, valueSize: 16, iterations: 5 },
        { title: 'equal keys', count: 16, keysPerBlock: 4, headSize: 16, valueSize: 12, iterations: 5, equal: true },
      ] as const;
      cases.forEach((of, seed) => {
        it(`clusters ${of.title} in place`, async () => {
          const { count, keysPerBlock, headSize, valueSize, iterations } = of;
          const blockTokens = 'blockTokens' in of ? of.blockTokens : 16;
          const [groups, keys, first, firstCluster] = [3, 200, 37, 2 * keysPerBlock];
          const clusters = firstCluster + keysPerBlock + 3;
          const kernel: ClusterBlockKernel = {
            kind: 'cluster_block',
            headSize,
            valueSize,
            blockTokens,
            keysPerBlock,
            iterations,
          };
          const instance = await instantiate({ cluster: kernel });
          const key = randomFloats(500 + seed, groups * keys * headSize);
          if ('equal' in of) key.fill(0.25);
          const state = [
            key,
            randomFloats(520 + seed, groups * keys * valueSize),
            ...[headSize, valueSize, 1, 1].map((size, i) => randomFloats(530 + i, groups * clusters * size)),
            new Int32Array(groups * (clusters + 1)).fill(-7),
          ];
          const run = (cuts: readonly number[]): Numbers[] => {
            const operands = state.map(instance.place);
            instance.run('cluster', groups, operands, [groups, keys, clusters, first, count, firstCluster], cuts);
            return operands.map((address, i) =>
              i < 6 ? instance.floats(address, state[i]?.length ?? 0) : instance.integers(address, state[i]?.length ?? 0),
            );
          };
          const found = run([]);
          expect(run([1]), 'in parts').to.deep.equal(found);
          const sizes = [headSize, valueSize, headSize, valueSize, 1, 1, 1];
          for (let g = 0; g < groups; g++) {
            const [before, after] = [state, found].map((tensors) =>
              tensors.map((data, i) => {
                const length = data.length / groups;
                return { data: data.subarray(g * length, (g + 1) * length), size: sizes[i] ?? 1 };
              }),
            );
            if (!before || !after) throw new Error('no state');
            const part = (of: typeof before, i: number, from: number, length: number): number[][] => {
              const { data, size } = of[i] ?? { data: new Float32Array(), size: 1 };
              return rowsOf(data, from, length, size);
            };
            const unchanged = (i: number, from: number, to: number): void => {
              expect(part(after, i, from, to - from), `tensor ${i}`).to.deep.equal(part(before, i, from, to - from));
            };
            const written = count === 0 ? 0 : keysPerBlock;
            for (const i of [0, 1]) {
              unchanged(i, 0, first);
              unchanged(i, first + count, keys);
            }
            for (const i of [2, 3, 4, 5]) {
              unchanged(i, 0, firstCluster);
              unchanged(i, firstCluster + written, clusters);
            }
            unchanged(6, 0, firstCluster);
            unchanged(6, firstCluster + (count === 0 ? 0 : keysPerBlock + 1), clusters + 1);
            if (count === 0) continue;
            const [keysBefore, valuesBefore] = [part(before, 0, first, count), part(before, 1, first, count)];
            const expected = clusterBlock(keysBefore, valuesBefore, keysPerBlock, iterations);
            expect(part(after, 0, first, count), 'keys').to.deep.equal(expected.order.map((t) => keysBefore[t]));
            expect(part(after, 1, first, count), 'values').to.deep.equal(expected.order.map((t) => valuesBefore[t]));
            const offsets = [first];
            for (const { size } of expected.clusters) offsets.push((offsets.at(-1) ?? 0) + size);
            expect(part(after, 6, firstCluster, keysPerBlock + 1).flat(), 'offsets').to.deep.equal(offsets);
            const own = (i: number): number[] => part(after, i, firstCluster, keysPerBlock).flat();
            const { clusters: wanted } = expected;
            expect(
              largestError(
                own(2),
                wanted.flatMap(({ meanKey }) => meanKey),
              ),
              'mean keys',
            ).to.be.at.most(1e-6);
            expect(
              largestError(
                own(3),
                wanted.flatMap(({ meanValue }) => meanValue),
              ),
              'mean values',
            ).to.be.at.most(1e-6);
            expect(
              largestError(
                own(5),
                wanted.map(({ radius }) => radius),
              ) / headSize,
              'radii',
            ).to.be.at.most(1e-6);
            wanted.forEach(({ logMass }, j) =>
              logMass === -Infinity ? expect(own(4)[j]).to.equal(-Infinity) : expect(own(4)[j]).to.be.closeTo(logMass, 1e-6),
            );
          }
        });
      });
    });

    describe('evict', () => {
      const cases = [
        { title: 'the first tokens', atoms: 12, before: 0, leaving: 5, staying: 9 },
        { title: 'the first tokens, more than there is room for', atoms: 12, before: 0, leaving: 14, staying: 32 },
        { title: 'atoms that are not all there yet', atoms: 30, before: 14, leaving: 16, staying: 20 },
        { title: 'as many as there is room for', atoms: 30, before: 14, leaving: 16, staying: 1, same: true },
        { title: 'a block against the atoms', atoms: 12, before: 12, leaving: 16, staying: 32 },
        { title: 'a short stay', atoms: 12, before: 12, leaving: 16, staying: 3 },
        { title: 'none that stay', atoms: 12, before: 12, leaving: 16, staying: 0 },
        { title: 'none that leave', atoms: 12, before: 12, leaving: 0, staying: 20 },
        { title: 'one atom', atoms: 1, before: 1, leaving: 16, staying: 20 },
        { title: 'ties', atoms: 12, before: 12, leaving: 16, staying: 20, ties: true },
        { title: 'equal scores', atoms: 12, before: 12, leaving: 16, staying: 20, equal: true },
        { title: 'scores of zero and below', atoms: 12, before: 12, leaving: 16, staying: 20, signed: true },
        { title: 'the sizes of a model', atoms: 128, before: 128, leaving: 128, staying: 256, headSize: 64, valueSize: 64 },
      ];
      cases.forEach((of, seed) => {
        it(`keeps the best of ${of.title}`, async () => {
          const { atoms, before: atomsBefore, leaving, staying, headSize = 6, valueSize = 5 } = of;
          const [groups, sinks, blockTokens] = [3, 2, Math.max(16, leaving)];
          const rows = atoms + sinks + leaving + staying + 7;
          const kernel: EvictKernel = { kind: 'evict', headSize, valueSize, atoms, sinks, blockTokens };
          const instance = await instantiate({ evict: kernel });
          const score = randomFloats(600 + seed, groups * rows).map((x) =>
            of.equal ? 0.5 : of.ties ? Math.round(x * 2) : of.signed ? Math.max(-0.3, x) * (x > 0.5 ? 0 : 1) : x * x,
          );
          const state = [
            randomFloats(620 + seed, groups * rows * headSize),
            randomFloats(640 + seed, groups * rows * valueSize),
            score,
            Int32Array.from({ length: groups * rows }, (_, i) => 1000 + i),
          ];
          const run = (cuts: readonly number[]): Numbers[] => {
            const operands = state.map(instance.place);
            instance.run('evict', groups, operands, [groups, rows, atomsBefore, leaving, staying], cuts);
            return operands.map((address, i) =>
              i < 3 ? instance.floats(address, state[i]?.length ?? 0) : instance.integers(address, state[i]?.length ?? 0),
            );
          };
          const found = run([]);
          expect(run([2]), 'in parts').to.deep.equal(found);
          for (let g = 0; g < groups; g++) {
            const own = score.subarray(g * rows, (g + 1) * rows);
            const candidates = [
              ...Array.from({ length: atomsBefore }, (_, i) => i),
              ...Array.from({ length: leaving }, (_, i) => atoms + sinks + i),
            ];
            const kept = keptOf(
              candidates.map((row) => own[row] as number),
              atoms,
            ).map((i) => candidates[i] as number);
            expect(kept.length).to.equal(Math.min(atoms, atomsBefore + leaving));
            const stays = Array.from({ length: staying }, (_, i) => atoms + sinks + leaving + i);
            [headSize, valueSize, 1, 1].forEach((size, i) => {
              const [from, to] = [state[i], found[i]] as [Numbers, Numbers];
              const before = rowsOf(from, g * rows, rows, size);
              const after = rowsOf(to, g * rows, rows, size);
              expect(after.slice(0, kept.length), `tensor ${i}, atoms`).to.deep.equal(kept.map((row) => before[row]));
              expect(after.slice(atoms, atoms + sinks), `tensor ${i}, sinks`).to.deep.equal(before.slice(atoms, atoms + sinks));
              expect(after.slice(atoms + sinks, atoms + sinks + staying), `tensor ${i}, staying`).to.deep.equal(
                stays.map((row) => before[row]),
              );
              const end = atoms + sinks + leaving + staying;
              same(to, from, (g * rows + end) * size, (g + 1) * rows * size, `tensor ${i}, beyond`);
            });
          }
        });
      });
      it('keeps the best of random numbers of rows', async () => {
        const kernel: EvictKernel = { kind: 'evict', headSize: 4, valueSize: 4, atoms: 9, sinks: 1, blockTokens: 11 };
        const instance = await instantiate({ evict: kernel });
        const pick = wholeNumbers(7);
        for (let round = 0; round < 60; round++) {
          const [before, leaving, staying] = [pick(0, 9), pick(0, 11), pick(0, 12)];
          const rows = 40;
          const score = Float32Array.from({ length: rows }, () => pick(0, 6));
          const position = Int32Array.from({ length: rows }, (_, i) => i);
          const operands = [new Float32Array(rows * 4), new Float32Array(rows * 4), score, position].map(instance.place);
          instance.run('evict', 1, operands, [1, rows, before, leaving, staying]);
          const candidates = [...position].filter((row) => row < before || (row >= 10 && row < 10 + leaving));
          const kept = keptOf(
            candidates.map((row) => score[row] as number),
            9,
          ).map((i) => candidates[i] as number);
          const found = instance.integers(operands[3] ?? 0, rows);
          same(found, Int32Array.from(kept), 0, kept.length, `round ${round}`);
          const stays = Int32Array.from({ length: staying }, (_, i) => 10 + leaving + i);
          same(found.subarray(10), stays, 0, staying, `round ${round}`);
        }
      });
    });

    describe('score_keys', () => {
      const cases = [
        { title: 'one query', queries: 1, atomsUsed: 12, exact: 30 },
        { title: 'one query a head of one', queries: 1, atomsUsed: 12, exact: 30, heads: 2, groups: 2 },
        { title: 'a block', queries: 16, atomsUsed: 12, exact: 50, beginsBlock: 1 },
        { title: 'the first block', queries: 14, atomsUsed: 0, exact: 14, beginsBlock: 1 },
        { title: 'a part of a block', queries: 5, atomsUsed: 7, exact: 43 },
        { title: 'more rows than are scored at a time', queries: 70, atomsUsed: 12, exact: 75, window: 80, beginsBlock: 1 },
        { title: 'heads that are no multiple of the lanes', queries: 16, atomsUsed: 3, exact: 40, headSize: 7, beginsBlock: 1 },
        { title: 'a tile of the atoms alone', queries: 16, atomsUsed: 70, exact: 40, atoms: 80, beginsBlock: 1 },
        { title: 'a tile of no key in use', queries: 9, atomsUsed: 5, exact: 40, atoms: 200, beginsBlock: 1 },
        { title: 'huge scores', queries: 16, atomsUsed: 12, exact: 50, size: 12, beginsBlock: 1 },
      ];
      cases.forEach((of, seed) => {
        for (const keyTile of keyTiles) {
          it(`adds up what ${of.title} pays, ${keyTile} keys a tile`, async () => {
            const { queries, atomsUsed, exact, atoms = 12, heads = 6, groups = 2, headSize = 16, window = 53, size = 2 } = of;
            const beginsBlock = of.beginsBlock ?? 0;
            const [rows, scale, decay, start] = [atoms + window + 10, 1 / Math.sqrt(headSize), 0.85, 200];
            const perHead = heads / groups;
            const kernel: ScoreKeysKernel = { kind: 'score_keys', headSize, scale, atoms, decay, schedule: { keyTile } };
            const instance = await instantiate({ score: kernel });
            // [row, head, column], as a projection leaves it.
            const query = randomFloats(700 + seed, queries * heads * headSize, size);
            const key = randomFloats(720 + seed, groups * rows * headSize, 2);
            const score = randomFloats(740 + seed, groups * rows).map(Math.abs);
            const position = Int32Array.from({ length: groups * rows }, (_, i) => i);
            const sees = (i: number, row: number): boolean => row < atoms || row - atoms <= i + exact - queries;
            const inUse = [...Array.from({ length: rows }).keys()].filter(
              (row) => row < atomsUsed || (row >= atoms && row < atoms + exact),
            );
            const queryRows = Array.from({ length: heads }, (_, head) =>
              Array.from({ length: queries }, (_, i) => rowsOf(query, i * heads + head, 1, headSize)[0] ?? []),
            );
            const keyRows = Array.from({ length: groups }, (_, g) =>
              inUse.map((row) => rowsOf(key, g * rows + row, 1, headSize)[0] ?? []),
            );
            const logSumExps = queryRows.map((own, head) =>
              own.map((row, i) => {
                const keys = (keyRows[Math.floor(head / perHead)] ?? []).filter((_, at) => sees(i, inUse[at] ?? 0));
                return Math.fround(logSumExpOf(keys.map((own) => dot(row, own) * scale)));
              }),
            );
            const run = (cuts: readonly number[]): readonly [Float32Array, Int32Array] => {
              const inputs = [query, Float32Array.from(logSumExps.flat()), key, score, position].map(instance.place);
              const [, , , scoreAt = 0, positionAt = 0] = inputs;
              const integers = [
                ...[heads, groups, queries, headSize, heads * headSize, queries],
                ...[rows, atomsUsed, exact, start, beginsBlock],
              ];
              instance.run('score', groups * Math.ceil(rows / keyTile), inputs, integers, cuts);
              return [instance.floats(scoreAt, score.length), instance.integers(positionAt, position.length)];
            };
            const [found, positions] = run([]);
            expect(run([1, 2]), 'in parts').to.deep.equal([found, positions]);
            for (let g = 0; g < groups; g++) {
              const paid = paidTo(
                keyRows[g] ?? [],
                queryRows.slice(g * perHead, (g + 1) * perHead),
                logSumExps.slice(g * perHead, (g + 1) * perHead),
                scale,
                (i, j) => sees(i, inUse[j] ?? 0),
              );
              const firstNew = atoms + exact - queries;
              for (let row = 0; row < rows; row++) {
                const own = g * rows + row;
                const at = inUse.indexOf(row);
                const isNew = row >= firstNew && row < atoms + exact;
                expect(positions[own], `position of row ${row}`).to.equal(isNew ? start + row - firstNew : position[own]);
                if (at < 0) {
                  expect(found[own], `row ${row}`).to.equal(score[own]);
                  continue;
                }
                const before = isNew ? 0 : (score[own] ?? NaN) * (beginsBlock === 1 ? decay : 1);
                const wanted = before + (paid[at] ?? NaN);
                expect(Math.abs((found[own] ?? NaN) - wanted), `row ${row}`).to.be.at.most(2e-5 * Math.max(1, wanted));
              }
            }
          });
        }
      });
    });
  });
}
