import type { StreamCache } from '../cache.ts';
import type { Tensor } from '../ops/definition.ts';
import type { CachedCall } from './attend.ts';
import { attendTo, blockPieces, dot, headIndex, headRow, queryHeads, writeToken } from './rows.ts';

interface StreamStates {
  readonly keys: Tensor;
  readonly values: Tensor;
  readonly scores: Tensor;
  readonly positions: Tensor;
}

/** Sinks, scored atoms and an exact window; what scores least is dropped (atp-modes.md, stream). */
export function attendStream(cache: StreamCache, call: CachedCall, tensors: readonly Tensor[]): void {
  const [keys, values, scores, positions] = tensors as readonly [Tensor, Tensor, Tensor, Tensor];
  const states: StreamStates = { keys, values, scores, positions };
  const { sinks, window, block, atoms, decay } = cache;
  const kvHeads = call.key.shape[1] as number;
  for (const { blockStart, start, end } of blockPieces(block, call)) {
    const left = Math.max(sinks, blockStart - window);
    const leaving = Math.max(sinks, blockStart - window - block);
    const used = Math.min(atoms, left - sinks);
    // Sinks lie right before the other exact tokens.
    const rowOf = (p: number): number => atoms + (p < sinks ? p : sinks + p - left);
    for (let head = 0; head < kvHeads; head += 1) {
      if (start === blockStart) {
        if (left > leaving) evict(cache, states, head, Math.min(atoms, leaving - sinks), left - leaving, blockStart - left);
        decayScores(states, head, decay, used, atoms, rowOf(blockStart));
      }
      for (let p = start; p < end; p += 1) {
        writeToken(call, head, p - call.past, keys, values, rowOf(p));
        scores.data[headIndex(scores, head, rowOf(p))] = 0;
        positions.data[headIndex(positions, head, rowOf(p))] = p;
      }
    }
    for (const { head, kvHead } of queryHeads(call)) {
      for (let p = start; p < end; p += 1) {
        const query = headRow(call.query, head, p - call.past);
        const rows = [
          ...Array.from({ length: used }, (_, row) => row),
          ...Array.from({ length: rowOf(p) + 1 - atoms }, (_, row) => atoms + row),
        ];
        const attended = rows.map((row) => ({
          score: call.scale * dot(query, headRow(keys, kvHead, row)),
          value: headRow(values, kvHead, row),
        }));
        const weights = attendTo(attended, headRow(call.result, head, p - call.past));
        rows.forEach((row, index) => {
          const at = headIndex(scores, kvHead, row);
          scores.data[at] = (scores.data[at] as number) + (weights[index] as number);
        });
      }
    }
  }
}

/** Scores of atoms and of exact tokens before row `end`. */
function decayScores({ scores }: StreamStates, head: number, decay: number, used: number, atoms: number, end: number): void {
  for (let row = 0; row < end; row += 1) {
    if (row >= used && row < atoms) continue;
    const at = headIndex(scores, head, row);
    scores.data[at] = (scores.data[at] as number) * decay;
  }
}

/** Of the atoms and the `leaving` tokens after the sinks the best stay, in order; the `staying` tokens behind move up. */
function evict(cache: StreamCache, states: StreamStates, head: number, before: number, leaving: number, staying: number): void {
  const { atoms, sinks } = cache;
  const { keys, values, scores, positions } = states;
  const first = atoms + sinks;
  const take = (row: number) => ({
    key: headRow(keys, head, row).slice(),
    value: headRow(values, head, row).slice(),
    score: scores.data[headIndex(scores, head, row)] as number,
    position: positions.data[headIndex(positions, head, row)] as number,
  });
  const put = (row: number, token: ReturnType<typeof take>): void => {
    headRow(keys, head, row).set(token.key);
    headRow(values, head, row).set(token.value);
    scores.data[headIndex(scores, head, row)] = token.score;
    positions.data[headIndex(positions, head, row)] = token.position;
  };
  const candidates = [
    ...Array.from({ length: before }, (_, row) => take(row)),
    ...Array.from({ length: leaving }, (_, i) => take(first + i)),
  ];
  const kept = [...candidates].sort((a, b) => b.score - a.score || a.position - b.position).slice(0, atoms);
  kept.sort((a, b) => a.position - b.position).forEach((token, row) => put(row, token));
  for (let i = 0; i < staying; i += 1) put(first + i, take(first + leaving + i));
}
