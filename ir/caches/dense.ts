import type { DenseCache } from '../cache.ts';
import type { Tensor } from '../ops/definition.ts';
import type { CachedCall } from './attend.ts';
import { attendTo, dot, headRow, queryHeads, writeToken } from './rows.ts';

/** Every query sees every token up to its own. */
export function attendDense(_cache: DenseCache, call: CachedCall, states: readonly Tensor[]): void {
  const [keys, values] = states as readonly [Tensor, Tensor];
  const [kvHeads, tokens] = [call.key.shape[1] as number, call.key.shape[2] as number];
  for (let head = 0; head < kvHeads; head += 1) {
    for (let token = 0; token < tokens; token += 1) writeToken(call, head, token, keys, values, call.past + token);
  }
  for (const { head, kvHead } of queryHeads(call)) {
    for (let token = 0; token < tokens; token += 1) {
      const query = headRow(call.query, head, token);
      const attended = Array.from({ length: call.past + token + 1 }, (_, row) => ({
        score: call.scale * dot(query, headRow(keys, kvHead, row)),
        value: headRow(values, kvHead, row),
      }));
      attendTo(attended, headRow(call.result, head, token));
    }
  }
}
